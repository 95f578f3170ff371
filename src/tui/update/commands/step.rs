//! Stepping into a worker's session.

use super::targets::{focused_job, focused_worker};
use crate::domain::WorkerId;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::msg::Effect;
use crate::wire::{Query, Severity, WorkerRow};

/// Steps into the session of the worker that has the focus, or of the one that did the focused job.
pub fn step(model: &mut Model) -> Vec<Effect> {
    let found = worker(model).cloned();
    lease(model, found)
}

/// Steps into the session of a worker that was named.
pub fn step_id(model: &mut Model, id: WorkerId) -> Vec<Effect> {
    let found = model.snapshot.workers.iter().find(|w| w.id == id).cloned();
    lease(model, found)
}

/// Asks for the lease. What the screen shows to be impossible is refused at once; the rest is the desk's to say.
fn lease(model: &mut Model, worker: Option<WorkerRow>) -> Vec<Effect> {
    let refusal = match worker {
        _ if model.options.read_only => "this console only watches: start it without `--watch` to act".to_owned(),
        None => format!("no worker is selected here: {} lists them", model.options.keymap.key(Action::Workers)),
        Some(WorkerRow { name, live: Some(live), .. }) => {
            format!("{name} works on job {}: step in when that has ended, or kill it first", live.job)
        }
        Some(WorkerRow { name, session: None, .. }) => format!("{name} has no session yet: its first job begins one"),
        Some(w) => {
            let query = Query::Step { worker: w.id };
            if model.asked.contains(&query) {
                return Vec::new();
            }
            model.asked.push(query.clone());
            return vec![Effect::Ask(query)];
        }
    };
    model.say(Severity::Warn, refusal);
    Vec::new()
}

fn worker(model: &Model) -> Option<&WorkerRow> {
    if let Some(worker) = focused_worker(model) {
        return Some(worker);
    }
    let job = focused_job(model)?;
    let opened = model.job().and_then(|open| open.detail.as_ref()).and_then(|d| d.attempts.iter().max_by_key(|a| a.number));
    let name = opened.map(|a| a.worker.as_str()).or_else(|| model.jobs.row(job)?.worker.as_deref())?;
    model.snapshot.workers.iter().find(|w| w.name == name)
}
