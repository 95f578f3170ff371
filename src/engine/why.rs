//! Why a job does not run: every gate's verdict, worked out from the database, so that it can be asked with or without an engine.

use super::dispatch::backend_capacity;
use crate::config::{Backend, Settings, Workspace, backends};
use crate::domain::{
    self, Capacity, Caps, Decision, DecisionState, Expected, Gate, Job, JobState, Queue, QueuedJob, Timestamp, Verdict, reservation,
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
    if !matches!(job.state, JobState::Waiting | JobState::Queued) {
        return Ok(Vec::new());
    }
    let backends = backends(workspace, settings).map(|b| b.0).unwrap_or_default();
    let mut capacity = capacity(store, settings, workspace, &backends, now)?;
    let caps = capacity.caps.clone();
    if !crate::os::lock::held(&workspace.lock_file()) {
        capacity.closed = Some(("no engine runs".into(), "`orc tui` or `orc engine`".into()));
    }
    let expected = Expected::new(settings.expected(), store.learned()?);
    let uses_model = |backend: &str| backends.get(backend).is_none_or(Backend::uses_model);
    let mut queue = Queue::default();
    let stand_ins = super::failover::stand_ins(settings, &backends, &store.engine_state()?.pauses);
    for row in store.queued()? {
        let row = super::failover::placed(row, &stand_ins);
        let (work, model) = (expected.work(row.kind), uses_model(&row.backend));
        queue.insert(queued_job(row, CONTEXT, work, model, &caps));
    }
    queue.ripen(now);
    let spec = &job.spec;
    // A waiting job is looked at as if it were queued now: the gates behind its dependencies show too.
    let alike = QueuedJob {
        id: job.id,
        priority: spec.priority,
        queued_at: now,
        ready_at: job.ready_at,
        backend: spec.backend.clone(),
        kind: spec.kind,
        model: spec.model.clone(),
        persona: spec.persona.clone(),
        worker: spec.worker.clone(),
        last_worker: None,
        project_id: spec.project_id,
        purse: super::caps::purse(&caps, spec.project_id),
        estimate: reservation(spec.prompt.len() as u64, CONTEXT, expected.work(spec.kind), uses_model(&spec.backend)),
    };
    let entry = queue.get(job.id).cloned().unwrap_or(alike);
    let waived = store.waived(job.id)?;
    let mut dependencies = store.dependencies(job.id)?;
    dependencies.retain(|d| !waived.contains(&d.id));
    let mut verdicts = domain::why(job, &dependencies, &entry, &queue, &capacity, now);
    // One that was queued before its task began to wait is queued still.
    let asks = |card: &Decision| job.state == JobState::Waiting || card.asked.task.is_some() && card.asked.task == job.spec.task_id;
    if let Some(verdict) = verdicts.iter_mut().find(|v| v.gate == Gate::Decision && (!v.open || job.state == JobState::Queued))
        && let Some(card) = card_of(store, job)?.filter(asks)
    {
        verdict.open = false;
        verdict.says = format!("asked: {}", card.asked.question);
        verdict.unblock = format!("`orc decision answer {} KEY`, with {}", card.id, options(&card));
    }
    if let Some(verdict) = verdicts.iter_mut().find(|v| v.gate == Gate::Cap && !v.open)
        && let Some(hold) = capacity.cap_hold(&entry, entry.estimate)
        && let Some(id) = store.cap_card(hold.project, settings.midnight(now))?
        && let Some(card) = store.decision(id)?.filter(|c| c.state == DecisionState::Open)
    {
        verdict.unblock = format!("`orc decision answer {id} KEY`, with {}; or {}", options(&card), verdict.unblock);
    }
    Ok(verdicts)
}

fn options(card: &Decision) -> String {
    let all: Vec<String> = card.asked.choices.iter().map(|c| format!("{} ({})", c.key, c.label)).collect();
    all.join(" or ")
}

/// The open card that a job, or else its task, waits for.
fn card_of(store: &Store, job: &Job) -> Result<Option<Decision>, StoreError> {
    let cards = store.decisions(false)?;
    let own = cards.iter().position(|c| c.asked.job == Some(job.id));
    let found = own.or_else(|| cards.iter().position(|c| c.asked.task.is_some() && c.asked.task == job.spec.task_id));
    Ok(found.and_then(|at| cards.into_iter().nth(at)))
}

/// A queued row with what it is expected to cost.
pub(super) fn queued_job(row: QueuedRow, context_tokens: u64, work: u64, uses_model: bool, caps: &Caps) -> QueuedJob {
    QueuedJob {
        purse: super::caps::purse(caps, row.project_id),
        estimate: reservation(row.prompt_bytes, context_tokens, work, uses_model),
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
    let prices = super::reload::prices_of(workspace);
    c.caps = super::caps::read(store, settings, backends, &prices, now)?;
    for o in store.open_attempts()? {
        if c.caps.limits.any() {
            let a = &o.attempt;
            let takes = super::caps::of_running(&c.caps, &a.backend, a.usage, a.cost_usd.unwrap_or(0.0), a.estimate);
            c.caps.reserve(store.job(a.job_id)?.and_then(|j| j.spec.project_id), takes);
        }
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
    c.set_workers(&store.workers()?);
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
