//! The operator's commands: on what, with what was seen, asked first where it cannot be undone.

mod approvals;
mod cron;
mod hold;
mod kill;
mod memory;
mod priority;
mod retry;
mod skills;
mod step;
mod talk;
mod targets;

pub use approvals::{approve, approve_it, edit_it, edit_plan, edited, keep_plan, open_card, reject, reject_it, show};
pub use cron::{run_schedule, switch_schedule};
pub use hold::{drain, pause, pause_engine};
pub use kill::{kill, kill_id};
pub use memory::{edit, forget, settle, veto};
pub use priority::{priority_id, reprioritise};
pub use retry::{retry, retry_id};
pub use skills::{pin, roll_back};
pub use step::{step, step_id};
pub use talk::{dropped, remember, seen, talk, write};
pub use targets::{focused_job, focused_worker};

use crate::domain::{Command, JobId};
use crate::tui::model::Model;
use crate::tui::msg::Effect;
use crate::tui::overlays::{Confirm, Overlay};
use crate::wire::{Query, Severity};
use targets::Target;

/// The word for what a command does.
pub fn verb(command: &Command) -> &'static str {
    match command {
        Command::Kill { .. } => "kill it",
        Command::Retry { .. } => "retry it",
        Command::SetPriority { .. } => "reprioritise it",
        _ => "do it",
    }
}

pub(super) fn list(targets: &[&Target], body: &mut Vec<String>) {
    const SHOWN: usize = 5;
    for t in targets.iter().take(SHOWN) {
        body.push(format!("  #{} {}", t.id, t.title));
    }
    if targets.len() > SHOWN {
        body.push(format!("  … and {} more", targets.len() - SHOWN));
    }
}

pub(super) fn stays(n: usize, why: &str) -> String {
    if n == 1 { format!("1 is {why} and stays as it is.") } else { format!("{n} are {why} and stay as they are.") }
}

pub(super) fn confirm(model: &mut Model, confirm: Confirm) {
    if model.options.read_only {
        model.say(Severity::Warn, "this console only watches: start it without `--watch` to act");
        return;
    }
    model.overlays.push(Overlay::Confirm(confirm));
}

pub(super) fn ask_job(model: &mut Model, job: JobId) -> Effect {
    let query = Query::Job { job };
    model.asked.retain(|q| *q != query);
    model.asked.push(query.clone());
    Effect::Ask(query)
}

/// A job that is not on the screen: read how it stands, then ask.
pub(super) fn read_first(model: &mut Model, id: JobId, command: Command, verb: &str) -> Vec<Effect> {
    confirm(
        model,
        Confirm {
            title: format!("Really {verb} job {id}?"),
            body: Vec::new(),
            verb: verb.to_owned(),
            commands: vec![command],
            awaits: Some(id),
            enrich: Some(id),
        },
    );
    vec![ask_job(model, id)]
}
