//! Holding and releasing: lanes, workers, backends, the engine.

use super::confirm;
use super::targets::focused_worker;
use crate::domain::{Command, Lane, WorkerStatus};
use crate::tui::model::{Model, View};
use crate::tui::msg::Effect;
use crate::tui::overlays::Confirm;
use crate::tui::screens::dashboard::{LaneItem, Pane};
use crate::tui::text;
use crate::tui::update::batches::send;
use crate::wire::{EngineMode, Severity};

/// Pauses or resumes what is focused: a lane, a worker, a backend, else the engine.
pub fn pause(model: &mut Model) -> Vec<Effect> {
    if let Some(worker) = focused_worker(model) {
        let paused = worker.status != WorkerStatus::Paused;
        let command = Command::PauseWorker { worker: worker.id, paused };
        return send(model, if paused { "pause worker" } else { "resume worker" }, vec![command]);
    }
    if model.open.is_empty() && model.view == View::Dashboard {
        match model.dash.pane {
            Pane::Lanes => {
                if let Some(lane) = focused_lane(model) {
                    let paused = !model.snapshot.lanes.iter().any(|l| l.lane == lane && l.paused);
                    return send(model, if paused { "pause lane" } else { "resume lane" }, vec![Command::PauseLane { lane, paused }]);
                }
            }
            Pane::Budget => {
                if let Some(b) = model.dash.backends.key().and_then(|name| model.snapshot.backends.iter().find(|b| b.name == *name)) {
                    let command = Command::PauseBackend { backend: b.name.clone(), paused: b.pause.is_none() };
                    let label = if b.pause.is_none() { "pause backend" } else { "resume backend" };
                    return send(model, label, vec![command]);
                }
            }
            Pane::Workers => {
                model.say(Severity::Warn, "no worker is selected");
                return Vec::new();
            }
            Pane::Log | Pane::Recall => {}
        }
    }
    pause_engine(model)
}

fn focused_lane(model: &Model) -> Option<Lane> {
    match model.dash.lanes.key()? {
        LaneItem::Lane(lane) => Some(*lane),
        LaneItem::Job(id) => model.snapshot.lanes.iter().find(|l| l.next.iter().any(|j| j.id == *id)).map(|l| l.lane),
    }
}

/// Pauses or resumes all dispatching.
pub fn pause_engine(model: &mut Model) -> Vec<Effect> {
    let paused = model.snapshot.engine.mode != EngineMode::Paused;
    send(model, if paused { "pause engine" } else { "resume engine" }, vec![Command::PauseEngine { paused }])
}

/// Asks before the engine is told to end after its last job.
pub fn drain(model: &mut Model) -> Vec<Effect> {
    let queued: u32 = model.snapshot.lanes.iter().map(|l| l.queued).sum();
    let body = vec![
        format!(
            "{} finish; nothing new starts; then the engine ends.",
            text::plural(u64::from(model.snapshot.slots.running), "running job")
        ),
        format!("{} stay queued for the next engine.", text::plural(u64::from(queued), "job")),
    ];
    let commands = vec![Command::Drain { on: true }];
    confirm(model, Confirm { title: "Drain the engine?".to_owned(), body, verb: "drain".to_owned(), commands, awaits: None, enrich: None });
    Vec::new()
}
