//! Why a job does not start: each gate in words, with what would open it.

use super::dispatch::{BackendHold, Capacity, Named, look};
use super::job::{Job, JobState, Priority, WaitReason};
use super::queue::{Queue, QueuedJob, rank};
use super::rows::JobRow;
use super::time::Timestamp;
use super::verdict::{Gate, Verdict};
use std::collections::BTreeSet;

/// Every gate for a job that waits or is queued, in the order of `Gate`. It starts exactly when all are open.
///
/// `queued` is the job as the scheduler sees it (for a waiting job: as it will); `dependencies` are the jobs that it depends on.
/// The queue has been ripened by `now`.
pub fn why(job: &Job, dependencies: &[JobRow], queued: &QueuedJob, queue: &Queue, capacity: &Capacity, now: Timestamp) -> Vec<Verdict> {
    let mut verdicts = capacity.gates(queued, now);
    let waits = |reason: WaitReason| job.state == JobState::Waiting && job.wait_reason == Some(reason);
    let date = match job.spec.not_before.filter(|t| job.state == JobState::Waiting && *t > now) {
        Some(t) => Some(closed(Gate::Date, format!("not before {t}"), format!("{t}"))),
        None if waits(WaitReason::Date) => Some(closed(Gate::Date, "its time has come; it is about to be queued", "a moment")),
        None => None,
    };
    if let (Some(date), Some(v)) = (date, verdicts.iter_mut().find(|v| v.gate == Gate::Date)) {
        *v = date;
    }
    verdicts.push(dependency(dependencies, waits(WaitReason::Dependency)));
    verdicts.push(decision(job));
    verdicts.push(order(queued, queue, capacity, now));
    verdicts.sort_by_key(|v| v.gate);
    verdicts
}

fn dependency(dependencies: &[JobRow], waits: bool) -> Verdict {
    let missing: Vec<&JobRow> = dependencies.iter().filter(|d| d.state != JobState::Done).collect();
    if !waits {
        return open(Gate::Dependency, if dependencies.is_empty() { "depends on nothing" } else { "what it depends on is done" });
    }
    let says: Vec<String> = missing.iter().map(|d| format!("#{} is {}", d.id, d.state)).collect();
    // A job that ended badly stays so until the operator has it run again.
    let unblock: Vec<String> = missing
        .iter()
        .map(|d| if d.state.is_final() { format!("`orc job retry {}`", d.id) } else { format!("#{} is done (`orc why {}`)", d.id, d.id) })
        .collect();
    closed(Gate::Dependency, says.join(", "), unblock.join(", "))
}

fn decision(job: &Job) -> Verdict {
    let says = match (job.state, job.wait_reason) {
        (JobState::Waiting, Some(WaitReason::Decision)) => "it asked the operator",
        (JobState::Waiting, Some(WaitReason::Cap)) => "it is held by a spending cap",
        (JobState::Waiting, Some(WaitReason::Deadlock)) => "its reviewer and its author do not agree",
        _ => return open(Gate::Decision, "nobody is asked"),
    };
    closed(Gate::Decision, job.note.clone().unwrap_or_else(|| says.to_owned()), "the operator's answer")
}

fn order(job: &QueuedJob, queue: &Queue, capacity: &Capacity, now: Timestamp) -> Verdict {
    let patience = capacity.limits.starvation_after;
    let mine = rank(job, now, patience);
    let ahead = |other: &&QueuedJob| rank(other, now, patience) < mine;
    let found = look(queue, capacity, &BTreeSet::new(), now);
    if let Some(first) = found.bars.filter(ahead).filter(|_| job.priority != Priority::P0) {
        let says = format!("#{} waits for room in the token budget since {} and lets none but P0 pass any more", first.id, first.queued_at);
        return closed(Gate::Order, says, format!("#{} starts, or `orc job priority {} P0`", first.id, job.id));
    }
    if let Some(first) = found.starts.filter(ahead) {
        return closed(Gate::Order, format!("#{} starts first", first.id), "a moment");
    }
    match queue.claim_order(now, patience).take_while(|other| rank(other, now, patience) < mine).count() {
        0 => open(Gate::Order, "it is the first"),
        n => open(Gate::Order, format!("{n} ahead of it; none of them can start now either")),
    }
}

impl Capacity {
    /// What each gate but those of a waiting job (dependency, decision) and the order says of a queued job.
    pub fn gates(&self, job: &QueuedJob, now: Timestamp) -> Vec<Verdict> {
        let gates = [Gate::Engine, Gate::Date, Gate::Lane, Gate::Slot, Gate::Budget, Gate::Cap, Gate::Backend, Gate::Host, Gate::Worker];
        gates.into_iter().map(|gate| self.verdict(gate, job, now)).collect()
    }

    fn verdict(&self, gate: Gate, job: &QueuedJob, now: Timestamp) -> Verdict {
        let (says, unblock) = match gate {
            Gate::Engine => self.closed.clone().unwrap_or_else(|| ("dispatching".into(), String::new())),
            Gate::Date => date_words(job, now),
            Gate::Lane => lane_words(job),
            Gate::Slot => self.slot_words(job),
            Gate::Budget => self.budget_words(job, now),
            Gate::Cap => self.cap_words(job),
            Gate::Backend => self.backend_words(&job.backend, now),
            Gate::Host => match &self.host {
                Some(says) => (says.clone(), "memory or disk is freed, or the low-water mark lowered in orc.toml".into()),
                None => ("memory and disk are above their low-water marks".into(), String::new()),
            },
            Gate::Worker => self.worker_words(job),
            Gate::Dependency | Gate::Decision | Gate::Order => (String::new(), String::new()),
        };
        if self.opens(gate, job, now) { open(gate, says) } else { closed(gate, says, unblock) }
    }

    fn slot_words(&self, job: &QueuedJob) -> (String, String) {
        let room = self.slots(job.priority);
        let says = format!("{} of {room} slots in use", self.running);
        let reserved = job.priority != Priority::P0 && self.limits.reserved_slots > 0;
        let unblock =
            if reserved { format!("a job ends, or `orc job priority {} P0` takes the reserved slot", job.id) } else { "a job ends".into() };
        (says, unblock)
    }

    fn budget_words(&self, job: &QueuedJob, now: Timestamp) -> (String, String) {
        let limits = &self.limits.budget;
        let taken = self.tokens(now);
        let sum = taken.used.saturating_add(taken.reserved).saturating_add(job.estimate);
        let mut says =
            format!("{} used + {} reserved + {} for this job of {} tokens", taken.used, taken.reserved, job.estimate, limits.tokens);
        let needed = if self.budget.pressed() {
            says = format!("backpressure until below {:.0} %: {says}", limits.low * 100.0);
            let low = (limits.tokens as f64 * limits.low) as u64;
            (taken.used + taken.reserved + 1).saturating_sub(low)
        } else {
            sum.saturating_sub(limits.tokens)
        };
        let unblock = match self.budget.frees(limits, needed, now) {
            Some(t) => format!("the window has moved on at {t}, or a job ends below its estimate; `orc job priority {} P0` passes", job.id),
            None => format!("running jobs end; `orc job priority {} P0` passes", job.id),
        };
        if job.priority == Priority::P0 {
            says = format!("P0 passes: {says}");
        } else if self.running == 0 {
            says = format!("nothing else runs: {says}");
        }
        (says, unblock)
    }

    fn cap_words(&self, job: &QueuedJob) -> (String, String) {
        match self.cap_hold(job, job.estimate) {
            Some(hold) => {
                let says = format!("spending hold: {}", hold.says());
                let ends = if hold.project.is_none() { "midnight comes, " } else { "" };
                (says, format!("{ends}the operator allows more, or the cap is raised in orc.toml"))
            }
            None if !self.caps.limits.any() => ("there are no spending caps".into(), String::new()),
            None => ("within the spending caps".into(), String::new()),
        }
    }

    fn backend_words(&self, name: &str, now: Timestamp) -> (String, String) {
        let b = self.backends.get(name);
        let (running, max) = b.map_or((0, 0), |b| (b.running, b.max_running));
        match self.backend_hold(name, now) {
            None => (format!("{name} runs {running}"), String::new()),
            Some(BackendHold::Unknown) => {
                (format!("there is no backend named {name}"), format!("describe it in backends/{name}.toml, or kill the job"))
            }
            Some(BackendHold::Paused(p)) => {
                let until = match (p.until, p.guessed) {
                    (Some(t), false) => format!("it resets at {t}, or "),
                    (Some(t), true) => format!("reset unknown, tried again at {t}, or "),
                    (None, _) => String::new(),
                };
                (format!("{name} is paused ({}): {}", p.limit.kind, p.limit.message), format!("{until}`orc backend resume {name}`"))
            }
            Some(BackendHold::Probing) => {
                (format!("{name} comes back from a limit: one job tries first"), "that job gets an answer".into())
            }
            Some(BackendHold::Full) => (format!("{name} runs {running} of at most {max}"), "one of them ends".into()),
            Some(BackendHold::Rate(next)) => {
                (format!("{name} has had its {} starts for this minute", b.map_or(0, |b| b.per_minute)), format!("{next}"))
            }
        }
    }

    fn worker_words(&self, job: &QueuedJob) -> (String, String) {
        let Some(name) = &job.worker else { return ("any worker".into(), String::new()) };
        if let Some(backend) = self.misfit(job, name) {
            return (
                format!("{name} runs {backend}, the job {}", job.backend),
                format!("kill the job and add it with --type {backend} or another worker"),
            );
        }
        match self.named.get(name) {
            Some(Named::Free) => (format!("{name} is idle"), String::new()),
            Some(Named::Busy) => (format!("{name} works on another job"), "that job ends".into()),
            Some(Named::Paused) => (format!("{name} is paused"), format!("`orc worker resume {name}`")),
            None => (format!("there is no worker named {name}"), format!("`orc worker add {name}`, or kill the job")),
        }
    }
}

fn date_words(job: &QueuedJob, now: Timestamp) -> (String, String) {
    match job.ready_at.filter(|t| *t > now) {
        Some(t) => (format!("waits until {t} before it is tried again"), format!("{t}, or `orc job retry {}` at once", job.id)),
        None => ("due".into(), String::new()),
    }
}

fn lane_words(job: &QueuedJob) -> (String, String) {
    let lane = job.priority.lane();
    (format!("lane {} ({})", lane.number(), lane.name()), format!("`orc lane resume {}`", lane.number()))
}

fn open(gate: Gate, says: impl Into<String>) -> Verdict {
    Verdict { gate, open: true, says: says.into(), unblock: String::new() }
}

fn closed(gate: Gate, says: impl Into<String>, unblock: impl Into<String>) -> Verdict {
    Verdict { gate, open: false, says: says.into(), unblock: unblock.into() }
}

#[cfg(test)]
mod tests {
    use super::super::dispatch::{BackendCapacity, pick};
    use super::super::ids::{AttemptId, JobId};
    use super::super::job::JobSpec;
    use super::super::queue::tests::{any_jobs, job, queue};
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp(3_600_000);

    fn capacity() -> Capacity {
        Capacity { backends: ["claude", "codex"].map(|n| (n.to_owned(), BackendCapacity::default())).into(), ..Capacity::default() }
    }

    fn as_job(q: &QueuedJob, state: JobState, wait_reason: Option<WaitReason>) -> Job {
        Job {
            id: q.id,
            spec: JobSpec { priority: q.priority, ..JobSpec::new("t", q.backend.clone(), "p") },
            state,
            wait_reason,
            attempts: 0,
            losses: 0,
            attempt: None,
            outcome: None,
            note: None,
            ready_at: q.ready_at,
            created_at: q.queued_at,
            queued_at: Some(q.queued_at),
            started_at: None,
            finished_at: None,
            kill_requested: false,
            rounds: 0,
            guide: None,
        }
    }

    fn row(id: i64, state: JobState) -> JobRow {
        JobRow {
            id: JobId(id),
            title: String::new(),
            state,
            wait_reason: None,
            priority: Priority::P2,
            lane: Priority::P2.lane(),
            backend: String::new(),
            kind: super::super::job::Kind::Other,
            model: None,
            worker: None,
            project_id: None,
            project: None,
            attempts: 0,
            max_attempts: 1,
            attempt: None,
            outcome: None,
            note: None,
            open_dependencies: 0,
            not_before: None,
            created_at: NOW,
            queued_at: None,
            ready_at: None,
            started_at: None,
            finished_at: None,
            tokens: 0,
            cost_usd: 0.0,
        }
    }

    fn queued_why(q: &Queue, id: i64, c: &Capacity) -> Vec<Verdict> {
        let j = q.get(JobId(id)).unwrap();
        why(&as_job(j, JobState::Queued, None), &[], j, q, c, NOW)
    }

    fn closed_ones(verdicts: &[Verdict]) -> Vec<(Gate, &str, &str)> {
        verdicts.iter().filter(|v| !v.open).map(|v| (v.gate, v.says.as_str(), v.unblock.as_str())).collect()
    }

    #[test]
    fn every_gate_is_there_once_and_in_order() {
        let q = queue([job(1, 2, 0)]);
        let gates: Vec<_> = queued_why(&q, 1, &capacity()).iter().map(|v| v.gate).collect();
        assert_eq!(gates, Gate::ALL);
    }

    #[test]
    fn a_waiting_job_says_what_for_and_what_helps() {
        let j = job(9, 2, 0);
        let waiting = as_job(&j, JobState::Waiting, Some(WaitReason::Dependency));
        let dependencies = [row(3, JobState::Done), row(4, JobState::Failed), row(5, JobState::Running)];
        let v = why(&waiting, &dependencies, &j, &Queue::default(), &capacity(), NOW);
        assert_eq!(closed_ones(&v), [(Gate::Dependency, "#4 is failed, #5 is running", "`orc job retry 4`, #5 is done (`orc why 5`)")]);

        let mut waiting = as_job(&j, JobState::Waiting, Some(WaitReason::Date));
        waiting.spec.not_before = Some(NOW + Duration::from_secs(60));
        let v = why(&waiting, &[], &j, &Queue::default(), &capacity(), NOW);
        assert_eq!(closed_ones(&v), [(Gate::Date, "not before 1970-01-01T01:01:00.000Z", "1970-01-01T01:01:00.000Z")]);
    }

    #[test]
    fn the_budget_says_when_there_will_be_room() {
        let mut c = capacity();
        c.running = 1;
        c.budget.spend(None, 350_000, NOW - Duration::from_secs(100));
        let q = queue([QueuedJob { estimate: 60_000, ..job(1, 2, NOW.0) }]);
        assert_eq!(
            closed_ones(&queued_why(&q, 1, &c)),
            [(
                Gate::Budget,
                "350000 used + 0 reserved + 60000 for this job of 400000 tokens",
                "the window has moved on at 1970-01-01T01:03:21.000Z, or a job ends below its estimate; `orc job priority 1 P0` passes"
            )]
        );
    }

    #[test]
    fn who_is_in_the_way_is_named() {
        let mut c = capacity();
        c.running = 1;
        c.budget.reserve(AttemptId(7), 399_000);
        let q = queue([QueuedJob { estimate: 300_000, ..job(1, 2, 0) }, QueuedJob { estimate: 10, ..job(2, 2, 1) }]);
        let v = queued_why(&q, 2, &c);
        assert_eq!(
            closed_ones(&v),
            [(
                Gate::Order,
                "#1 waits for room in the token budget since 1970-01-01T00:00:00.000Z and lets none but P0 pass any more",
                "#1 starts, or `orc job priority 2 P0`"
            )]
        );
    }

    proptest! {
        #![proptest_config(crate::domain::cases())]

        #[test]
        fn a_queued_job_starts_next_exactly_when_all_its_gates_are_open(
            jobs in any_jobs(12), running in 0u32..10, spent in 0u64..400, closed in prop::bool::weighted(0.1),
        ) {
            let mut c = capacity();
            c.limits.budget.tokens = 300;
            c.running = running;
            c.budget.spend(None, spent, NOW);
            c.closed = closed.then(|| ("paused".into(), "`orc engine resume`".into()));
            let mut q = queue(jobs.clone());
            q.ripen(NOW);
            let next = pick(&q, &c, &BTreeSet::new(), NOW).map(|j| j.id);
            for j in &jobs {
                let v = queued_why(&q, j.id.0, &c);
                prop_assert_eq!(v.iter().all(|v| v.open), next == Some(j.id), "{:?}: {:?}", j, v);
                prop_assert!(v.iter().all(|v| v.open == v.unblock.is_empty()), "{:?}", v);
            }
        }
    }
}
