//! What a command is about: the marked jobs, else what has the focus, as the operator saw it.

use crate::domain::{AttemptId, JobId, JobState, Priority, Seen};
use crate::tui::model::{Model, View};
use crate::tui::screens::dashboard::{LaneItem, Pane};
use crate::wire::{JobRow, Severity, WorkerRow};

/// A job that a command is about, as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub id: JobId,
    pub title: String,
    pub state: JobState,
    pub attempt: Option<AttemptId>,
    pub priority: Priority,
    pub worker: Option<String>,
    pub tokens: u64,
    pub running_ms: Option<u64>,
}

impl Target {
    /// What the operator saw of it.
    pub fn seen(&self) -> Option<Seen> {
        Some(Seen { state: self.state, attempt: self.attempt })
    }
}

fn of_row(row: &JobRow, model: &Model) -> Target {
    Target {
        id: row.id,
        title: row.title.clone(),
        state: row.state,
        attempt: row.attempt,
        priority: row.priority,
        worker: row.worker.clone().filter(|_| row.state == JobState::Running),
        tokens: row.tokens,
        running_ms: row.started_at.filter(|_| row.state == JobState::Running).map(|t| model.now.since(t).as_millis() as u64),
    }
}

fn of_worker(worker: &WorkerRow, model: &Model) -> Option<Target> {
    let live = worker.live.as_ref()?;
    Some(Target {
        id: live.job,
        title: live.title.clone(),
        state: JobState::Running,
        attempt: Some(live.attempt),
        priority: live.priority,
        worker: Some(worker.name.clone()),
        tokens: live.tokens,
        running_ms: Some(model.now.since(live.started_at).as_millis() as u64),
    })
}

/// A job by id, from whatever is on the screen of it.
pub fn by_id(model: &Model, id: JobId) -> Option<Target> {
    if let Some(worker) = model.snapshot.workers.iter().find(|w| w.live.as_ref().is_some_and(|l| l.job == id)) {
        return of_worker(worker, model);
    }
    if let Some(d) = model.open.iter().filter_map(|j| j.detail.as_ref()).find(|d| d.job.id == id) {
        let job = &d.job;
        return Some(Target {
            id,
            title: job.spec.title.clone(),
            state: job.state,
            attempt: job.attempt,
            priority: job.spec.priority,
            worker: None,
            tokens: 0,
            running_ms: None,
        });
    }
    model.jobs.row(id).or_else(|| model.projects.row(id)).map(|row| of_row(row, model))
}

/// The worker that has the focus.
pub fn focused_worker(model: &Model) -> Option<&WorkerRow> {
    let id = match model.view {
        _ if !model.open.is_empty() => return None,
        View::Dashboard if model.dash.pane == Pane::Workers => model.dash.workers.key(),
        View::Workers => model.workers.cursor.key(),
        _ => None,
    }?;
    model.snapshot.workers.iter().find(|w| w.id == *id)
}

/// The job that has the focus, by id.
pub fn focused_job(model: &Model) -> Option<JobId> {
    if let Some(open) = model.job() {
        return Some(open.id);
    }
    match model.view {
        View::Jobs => model.jobs.cursor.key().copied(),
        View::Logs => model.logs.selected(&model.book).and_then(|l| l.job),
        View::Cron => model.cron.job(),
        View::Skills => model.skills.job(),
        View::Projects => model.projects.job(),
        View::Approvals | View::Memory | View::Costs | View::Health => None,
        View::Workers => focused_worker(model)?.live.as_ref().map(|l| l.job),
        View::Dashboard => match model.dash.pane {
            Pane::Lanes => match model.dash.lanes.key()? {
                LaneItem::Job(id) => Some(*id),
                LaneItem::Lane(_) => None,
            },
            Pane::Workers => focused_worker(model)?.live.as_ref().map(|l| l.job),
            Pane::Log => model.dash.log.selected(&model.book).and_then(|l| l.job),
            Pane::Recall => model.dash.recall.job(),
            Pane::Budget => None,
        },
    }
}

/// What a job command is about: the marked jobs, else the focused one.
pub fn targets(model: &mut Model) -> Vec<Target> {
    if model.open.is_empty() && model.view == View::Jobs && !model.jobs.marks.is_empty() {
        return model.jobs.marks.iter().filter_map(|id| by_id(model, *id)).collect();
    }
    let flowing = match model.view {
        _ if !model.open.is_empty() => false,
        View::Logs => model.logs.follow,
        View::Dashboard => model.dash.pane == Pane::Log && model.dash.log.follow,
        _ => false,
    };
    if flowing {
        // the next line may come between the look and the key
        model.say(Severity::Warn, "the log is moving: choose a line with ↑ first");
        return Vec::new();
    }
    let Some(id) = focused_job(model) else {
        model.say(Severity::Warn, "no job is selected here");
        return Vec::new();
    };
    match by_id(model, id) {
        Some(target) => vec![target],
        None => {
            let key = model.options.keymap.key(crate::tui::Action::Open);
            model.say(Severity::Warn, format!("open job {id} first ({key}): how it stands is not on the screen"));
            Vec::new()
        }
    }
}
