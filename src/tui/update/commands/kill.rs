//! Killing: asked first, with what dies.

use super::targets::{Target, by_id, targets};
use super::{ask_job, confirm, list, read_first, stays};
use crate::domain::{Command, JobId, JobState};
use crate::tui::model::Model;
use crate::tui::msg::Effect;
use crate::tui::overlays::Confirm;
use crate::tui::text;
use crate::wire::Severity;

/// Asks before killing; says what dies.
pub fn kill(model: &mut Model) -> Vec<Effect> {
    let all = targets(model);
    ask_kill(model, all)
}

/// Asks before killing a job that was named.
pub fn kill_id(model: &mut Model, id: JobId) -> Vec<Effect> {
    match by_id(model, id) {
        Some(target) => ask_kill(model, vec![target]),
        None => read_first(model, id, Command::Kill { job: id, seen: None }, "kill"),
    }
}

fn ask_kill(model: &mut Model, all: Vec<Target>) -> Vec<Effect> {
    let live: Vec<Target> = all.iter().filter(|t| !t.state.is_final()).cloned().collect();
    if live.is_empty() {
        if let Some(t) = all.first() {
            model.say(Severity::Info, format!("job {} is {} already", t.id, t.state));
        }
        return Vec::new();
    }
    let running: Vec<&Target> = live.iter().filter(|t| t.state == JobState::Running).collect();
    let mut body = Vec::new();
    let title = if let [one] = live.as_slice() {
        body.push(one.title.clone());
        match one.running_ms {
            Some(ms) => {
                let worker = one.worker.as_deref().unwrap_or("its worker");
                body.push(format!("It runs on {worker} for {}, {} tokens so far.", text::duration(ms), text::count(one.tokens)));
                body.push("Its agent and every process that it started end; its session stays.".to_owned());
            }
            None => body.push(format!("It is {} and will not run.", one.state)),
        }
        format!("Kill job {}?", one.id)
    } else {
        if !running.is_empty() {
            let tokens: u64 = running.iter().map(|t| t.tokens).sum();
            let end = if running.len() == 1 { "ends with all its processes" } else { "end with all their processes" };
            let what = text::plural(running.len() as u64, "running job");
            body.push(format!("{what} {end}, {} tokens so far:", text::count(tokens)));
            list(&running, &mut body);
        }
        let rest: Vec<&Target> = live.iter().filter(|t| t.state != JobState::Running).collect();
        if !rest.is_empty() {
            body.push(format!("{} will not run:", text::plural(rest.len() as u64, "waiting job")));
            list(&rest, &mut body);
        }
        if all.len() > live.len() {
            body.push(stays(all.len() - live.len(), "over already"));
        }
        format!("Kill {} jobs?", live.len())
    };
    let enrich = if let [one] = live.as_slice() { Some(one.id) } else { None };
    let commands = live.iter().map(|t| Command::Kill { job: t.id, seen: t.seen() }).collect();
    confirm(model, Confirm { title, body, verb: "kill".to_owned(), commands, awaits: None, enrich });
    enrich.map(|job| ask_job(model, job)).into_iter().collect()
}
