//! The operator's commands: on what, with what was seen, asked first where it cannot be undone.

use super::batches::send;
use crate::domain::{AttemptId, Command, JobId, JobState, Lane, Priority, Seen, WorkerStatus};
use crate::tui::model::{Model, View};
use crate::tui::msg::Effect;
use crate::tui::overlays::{Confirm, Overlay};
use crate::tui::screens::dashboard::{LaneItem, Pane};
use crate::tui::text;
use crate::wire::{EngineMode, JobRow, Query, Severity, WorkerRow};

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
    fn seen(&self) -> Option<Seen> {
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
fn by_id(model: &Model, id: JobId) -> Option<Target> {
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
    model.jobs.row(id).map(|row| of_row(row, model))
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
        View::Workers => focused_worker(model)?.live.as_ref().map(|l| l.job),
        View::Dashboard => match model.dash.pane {
            Pane::Lanes => match model.dash.lanes.key()? {
                LaneItem::Job(id) => Some(*id),
                LaneItem::Lane(_) => None,
            },
            Pane::Workers => focused_worker(model)?.live.as_ref().map(|l| l.job),
            Pane::Log => model.dash.log.selected(&model.book).and_then(|l| l.job),
            Pane::Budget => None,
        },
    }
}

/// What a job command is about: the marked jobs, else the focused one.
fn targets(model: &mut Model) -> Vec<Target> {
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

/// The word for what a command does.
pub fn verb(command: &Command) -> &'static str {
    match command {
        Command::Kill { .. } => "kill it",
        Command::Retry { .. } => "retry it",
        Command::SetPriority { .. } => "reprioritise it",
        _ => "do it",
    }
}

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

fn list(targets: &[&Target], body: &mut Vec<String>) {
    const SHOWN: usize = 5;
    for t in targets.iter().take(SHOWN) {
        body.push(format!("  #{} {}", t.id, t.title));
    }
    if targets.len() > SHOWN {
        body.push(format!("  … and {} more", targets.len() - SHOWN));
    }
}

fn stays(n: usize, why: &str) -> String {
    if n == 1 { format!("1 is {why} and stays as it is.") } else { format!("{n} are {why} and stay as they are.") }
}

fn confirm(model: &mut Model, confirm: Confirm) {
    if model.options.read_only {
        model.say(Severity::Warn, "this console only watches: start it without `--watch` to act");
        return;
    }
    model.overlays.push(Overlay::Confirm(confirm));
}

fn ask_job(model: &mut Model, job: JobId) -> Effect {
    let query = Query::Job { job };
    model.asked.retain(|q| *q != query);
    model.asked.push(query.clone());
    Effect::Ask(query)
}

/// A job that is not on the screen: read how it stands, then ask.
fn read_first(model: &mut Model, id: JobId, command: Command, verb: &str) -> Vec<Effect> {
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

/// Puts finished jobs back into the queue. Asks for several, and for one that was done.
pub fn retry(model: &mut Model) -> Vec<Effect> {
    let all = targets(model);
    let over: Vec<Target> = all.iter().filter(|t| t.state.is_final()).cloned().collect();
    let commands: Vec<Command> = over.iter().map(|t| Command::Retry { job: t.id, seen: t.seen() }).collect();
    match (over.as_slice(), all.first()) {
        ([], Some(t)) => {
            model.say(Severity::Info, format!("job {} is {}: only a finished job is retried", t.id, t.state));
            Vec::new()
        }
        ([], None) => Vec::new(),
        ([one], _) if one.state != JobState::Done => send(model, "retry", commands),
        ([one], _) => {
            let body = vec![one.title.clone(), "It ended well; it will run again from its beginning.".to_owned()];
            confirm(
                model,
                Confirm {
                    title: format!("Run job {} again?", one.id),
                    body,
                    verb: "retry".to_owned(),
                    commands,
                    awaits: None,
                    enrich: None,
                },
            );
            Vec::new()
        }
        (many, _) => {
            let mut body = Vec::new();
            list(&many.iter().collect::<Vec<_>>(), &mut body);
            if all.len() > many.len() {
                body.push(stays(all.len() - many.len(), "not over"));
            }
            let title = format!("Retry {} jobs?", many.len());
            confirm(model, Confirm { title, body, verb: "retry".to_owned(), commands, awaits: None, enrich: None });
            Vec::new()
        }
    }
}

/// Retries a job that was named.
pub fn retry_id(model: &mut Model, id: JobId) -> Vec<Effect> {
    match by_id(model, id) {
        Some(t) if t.state.is_final() => send(model, "retry", vec![Command::Retry { job: id, seen: t.seen() }]),
        Some(t) => {
            model.say(Severity::Info, format!("job {id} is {}: only a finished job is retried", t.state));
            Vec::new()
        }
        None => read_first(model, id, Command::Retry { job: id, seen: None }, "retry"),
    }
}

/// Changes the priority of what is focused or marked.
pub fn reprioritise(model: &mut Model, change: impl Fn(Priority) -> Priority) -> Vec<Effect> {
    let all = targets(model);
    set(model, &all, change)
}

/// Sets the priority of a job that was named.
pub fn priority_id(model: &mut Model, id: JobId, priority: Priority) -> Vec<Effect> {
    match by_id(model, id) {
        Some(target) => set(model, &[target], |_| priority),
        None => read_first(model, id, Command::SetPriority { job: id, priority, seen: None }, "reprioritise"),
    }
}

fn set(model: &mut Model, all: &[Target], change: impl Fn(Priority) -> Priority) -> Vec<Effect> {
    let mut commands = Vec::new();
    let mut says = Vec::new();
    for t in all.iter().filter(|t| !t.state.is_final()) {
        // a command that is on its way counts as done: pressing twice means two steps
        let current = model.batches.iter().rev().flat_map(|b| &b.open).find_map(|c| match c {
            Command::SetPriority { job, priority, .. } if *job == t.id => Some(*priority),
            _ => None,
        });
        let from = current.unwrap_or(t.priority);
        let to = change(from);
        if to != from {
            commands.push(Command::SetPriority { job: t.id, priority: to, seen: t.seen() });
            says.push(format!("#{} {from} → {to}  {}", t.id, t.title));
        }
    }
    match (commands.len(), all) {
        (_, []) => Vec::new(),
        (0, [t]) if t.state.is_final() => {
            model.say(Severity::Info, format!("job {} is {}: its priority no longer matters", t.id, t.state));
            Vec::new()
        }
        (0, _) => {
            model.say(Severity::Info, "nothing to change: already there");
            Vec::new()
        }
        (1, _) => send(model, "reprioritise", commands),
        (n, _) => {
            let hidden = says.len().saturating_sub(8);
            says.truncate(8);
            if hidden > 0 {
                says.push(format!("… and {hidden} more"));
            }
            let title = format!("Reprioritise {n} jobs?");
            confirm(model, Confirm { title, body: says, verb: "reprioritise".to_owned(), commands, awaits: None, enrich: None });
            Vec::new()
        }
    }
}

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
            Pane::Log => {}
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
