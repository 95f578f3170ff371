//! Why a job does not run: every gate's verdict, worked out from the database, so that it can be asked with or without an engine.

use super::dispatch::backend_capacity;
use crate::config::{Backend, Settings, Workspace, backends};
use crate::domain::{
    self, Capacity, Expected, Gate, Job, JobState, Named, Queue, QueuedJob, Timestamp, Verdict, WaitReason, WorkerStatus, reservation,
};
use crate::store::{QueuedRow, Store, StoreError};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the system text costs, in tokens, before one has been assembled.
pub const CONTEXT: u64 = 1500;

/// The ordered verdicts for a job; empty when it runs or is over.
///
/// # Errors
/// The database.
pub fn explain(store: &Store, settings: &Settings, workspace: &Workspace, job: &Job, now: Timestamp) -> Result<Vec<Verdict>, StoreError> {
    match job.state {
        JobState::Waiting => waiting(store, job),
        JobState::Queued => queued(store, settings, workspace, job, now),
        _ => Ok(Vec::new()),
    }
}

fn waiting(store: &Store, job: &Job) -> Result<Vec<Verdict>, StoreError> {
    let id = job.id;
    let mut verdicts = Vec::new();
    for on in store.dependencies(id)? {
        let open = on.state == JobState::Done;
        let unblock = match on.state {
            JobState::Done => String::new(),
            JobState::Failed | JobState::Killed => format!("`orc job retry {}`, or `orc job kill {id}`", on.id),
            _ => format!("job {} is done", on.id),
        };
        verdicts.push(Verdict { gate: Gate::Dependency, open, says: format!("job {} ({}) is {}", on.id, on.title, on.state), unblock });
    }
    if let Some(t) = job.spec.not_before {
        let open = job.wait_reason != Some(WaitReason::Date) && verdicts.iter().all(|v| v.open);
        verdicts.push(Verdict {
            gate: Gate::Date,
            open,
            says: format!("not before {t}"),
            unblock: if open { String::new() } else { format!("{t} comes") },
        });
    }
    if matches!(job.wait_reason, Some(WaitReason::Decision | WaitReason::Cap | WaitReason::Deadlock)) {
        let says = job.note.clone().unwrap_or_else(|| "it waits for the operator".into());
        verdicts.push(Verdict { gate: Gate::Decision, open: false, says, unblock: "the operator's answer".into() });
    }
    Ok(verdicts)
}

fn queued(store: &Store, settings: &Settings, workspace: &Workspace, job: &Job, now: Timestamp) -> Result<Vec<Verdict>, StoreError> {
    let backends = backends(workspace, settings).map(|b| b.0).unwrap_or_default();
    let mut capacity = capacity(store, settings, workspace, &backends, now)?;
    if !crate::os::lock_held(&workspace.lock_file()) {
        capacity.closed = Some(("no engine runs".into(), "`orc tui` or `orc engine`".into()));
    }
    let expected = Expected::new(store.learned_output()?);
    let mut queue = Queue::default();
    for row in store.queued()? {
        let uses_model = backends.get(&row.backend).is_none_or(Backend::uses_model);
        let output = expected.output(row.kind);
        queue.insert(queued_job(row, CONTEXT, output, uses_model));
    }
    let Some(entry) = queue.get(job.id) else { return Ok(Vec::new()) };
    Ok(domain::why(job, &[], entry, &queue, &capacity, now))
}

/// A queued row with what it is expected to cost.
pub(super) fn queued_job(row: QueuedRow, context_tokens: u64, output: u64, uses_model: bool) -> QueuedJob {
    QueuedJob {
        estimate: reservation(row.prompt_bytes, context_tokens, output, uses_model),
        id: row.id,
        priority: row.priority,
        queued_at: row.queued_at,
        ready_at: row.ready_at,
        backend: row.backend,
        kind: row.kind,
        model: row.model,
        persona: row.persona,
        worker: row.worker,
        last_worker: row.last_worker,
        project_id: row.project_id,
    }
}

/// The capacity as the database and the host tell it.
fn capacity(
    store: &Store,
    settings: &Settings,
    workspace: &Workspace,
    backends: &BTreeMap<String, Backend>,
    now: Timestamp,
) -> Result<Capacity, StoreError> {
    let limits = settings.capacity();
    let switches = store.engine_state()?;
    let mut c = Capacity { limits, host: host_shortage(settings, workspace), ..Capacity::default() };
    if switches.draining {
        c.closed = Some(("the engine drains".into(), "`orc engine resume`".into()));
    } else if switches.paused {
        c.closed = Some(("dispatching is paused".into(), "`orc engine resume`".into()));
    }
    c.paused_lanes = switches.paused_lanes.iter().map(|l| l.number()).collect();
    for (name, b) in backends {
        c.backends.insert(name.clone(), backend_capacity(b));
    }
    for spent in store.spent_since(now - c.limits.budget.window.max(Duration::from_secs(60)))? {
        c.budget.spend(None, spent.tokens, spent.at);
    }
    for o in store.open_attempts()? {
        c.running += 1;
        c.budget.reserve(o.attempt.id, o.attempt.estimate.saturating_sub(store.spent_by(o.attempt.id)?));
        if let Some(b) = c.backends.get_mut(&o.attempt.backend) {
            b.running += 1;
            b.starts.push(o.attempt.started_at);
        }
    }
    for (name, (pause, _)) in switches.pauses {
        c.backends.entry(name).or_default().pause = Some(pause);
    }
    for w in store.workers()? {
        let named = match w.status {
            WorkerStatus::Paused | WorkerStatus::Unhealthy => Named::Paused,
            _ if w.attempt.is_some() => Named::Busy,
            _ => Named::Free,
        };
        c.named.insert(w.name, named);
    }
    let queued = store.queued()?.len();
    c.budget.press(&c.limits.budget, queued, now);
    Ok(c)
}

/// What the host is short of, if it is.
pub fn host_shortage(settings: &Settings, workspace: &Workspace) -> Option<String> {
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    if let Ok(m) = crate::os::host::memory()
        && m.available < settings.memory_low_water
    {
        return Some(format!("{:.1} GiB of memory left, the mark is {:.1}", gib(m.available), gib(settings.memory_low_water)));
    }
    if let Ok(free) = crate::os::host::disk_free(workspace.root())
        && free < settings.disk_low_water
    {
        return Some(format!("{:.1} GiB of disk left, the mark is {:.1}", gib(free), gib(settings.disk_low_water)));
    }
    None
}
