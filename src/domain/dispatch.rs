//! Who starts now, and why the others do not: the gates, asked in a fixed order.

use super::budget::{Budget, BudgetLimits};
use super::ids::JobId;
use super::job::{Lane, Priority};
use super::queue::{Queue, QueuedJob};
use super::rows::BackendPause;
use super::time::Timestamp;
use super::verdict::{Gate, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The scheduler's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct CapacityLimits {
    pub max_running: u32,
    pub reserved_slots: u32,
    pub budget: BudgetLimits,
    pub starvation_after: Duration,
    /// New starts per step: the loop stays responsive when hundreds become ready at once.
    pub burst: usize,
}

impl Default for CapacityLimits {
    fn default() -> Self {
        CapacityLimits {
            max_running: 8,
            reserved_slots: 1,
            budget: BudgetLimits::default(),
            starvation_after: Duration::from_secs(30 * 60),
            burst: 32,
        }
    }
}

/// One backend's room.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BackendCapacity {
    pub running: u32,
    /// 0 = no limit.
    pub max_running: u32,
    /// Starts in the last minute, oldest first.
    pub starts: Vec<Timestamp>,
    /// 0 = no limit.
    pub per_minute: u32,
    pub pause: Option<BackendPause>,
    /// The pause is over, and one attempt shall find out whether the limit is too.
    pub probing: bool,
}

/// A worker that somebody may ask for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Free,
    Busy,
    Paused,
}

/// What there is to dispatch into.
#[derive(Clone, Debug, Default)]
pub struct Capacity {
    pub limits: CapacityLimits,
    /// Why nothing at all is started: the engine is paused, drains or still adopts. With what lifts it.
    pub closed: Option<(String, String)>,
    pub paused_lanes: BTreeSet<u8>,
    pub running: u32,
    pub budget: Budget,
    pub backends: BTreeMap<String, BackendCapacity>,
    /// What the host is short of.
    pub host: Option<String>,
    pub named: BTreeMap<String, Named>,
    pub free_workers_only: bool,
}

impl Capacity {
    /// Every gate for one queued job, in order. The first closed one is why it does not start.
    pub fn gates(&self, job: &QueuedJob, now: Timestamp) -> Vec<Verdict> {
        vec![
            self.engine_gate(),
            self.date_gate(job, now),
            self.lane_gate(job),
            self.slot_gate(job),
            self.budget_gate(job, now),
            self.backend_gate(job, now),
            self.host_gate(),
            self.worker_gate(job),
        ]
    }

    fn engine_gate(&self) -> Verdict {
        match &self.closed {
            Some((says, unblock)) => closed(Gate::Engine, says.clone(), unblock.clone()),
            None => open(Gate::Engine, "dispatching"),
        }
    }

    fn date_gate(&self, job: &QueuedJob, now: Timestamp) -> Verdict {
        match job.ready_at.filter(|t| *t > now) {
            Some(t) => closed(Gate::Date, format!("waits until {t} before it is tried again"), format!("`orc job retry {}` tries at once", job.id)),
            None => open(Gate::Date, "due"),
        }
    }

    fn lane_gate(&self, job: &QueuedJob) -> Verdict {
        let lane = job.priority.lane();
        if self.paused_lanes.contains(&lane.number()) {
            let n = lane.number();
            return closed(Gate::Lane, format!("lane {n} ({}) is paused", lane.name()), format!("`orc lane resume {n}`"));
        }
        open(Gate::Lane, format!("lane {} ({})", lane.number(), lane.name()))
    }

    fn slot_gate(&self, job: &QueuedJob) -> Verdict {
        let l = &self.limits;
        let room = if job.priority == Priority::P0 { l.max_running + l.reserved_slots } else { l.max_running };
        if self.running < room {
            return open(Gate::Slot, format!("{} of {room} slots in use", self.running));
        }
        let unblock = if job.priority == Priority::P0 { "a job ends".to_owned() } else { format!("a job ends, or `orc job priority {} P0` takes the reserved slot", job.id) };
        closed(Gate::Slot, format!("all {room} slots are in use"), unblock)
    }

    fn budget_gate(&self, job: &QueuedJob, now: Timestamp) -> Verdict {
        let b = &self.limits.budget;
        let (used, reserved) = (self.budget.used(b, now), self.budget.reserved());
        let says = format!("{used} used + {reserved} reserved + {} for this job of {} tokens", job.estimate, b.tokens);
        if job.priority == Priority::P0 {
            return open(Gate::Budget, format!("P0 passes: {says}"));
        }
        let when = self.budget.next_change(b, now).map_or("running jobs end".to_owned(), |t| format!("the window moves on at {t}"));
        if self.budget.pressed() && self.running > 0 {
            return closed(Gate::Budget, format!("backpressure: {says}"), format!("the window falls below {:.0} %; {when}", b.low * 100.0));
        }
        // A single job alone always may: what is larger than the whole budget would never run otherwise.
        if used + reserved + job.estimate > b.tokens && self.running > 0 {
            return closed(Gate::Budget, says, when);
        }
        open(Gate::Budget, says)
    }

    fn backend_gate(&self, job: &QueuedJob, now: Timestamp) -> Verdict {
        let name = &job.backend;
        let Some(b) = self.backends.get(name) else {
            return closed(Gate::Backend, format!("there is no backend named {name}"), "add it to backends/ or kill the job");
        };
        if let Some(p) = &b.pause {
            let until = match (p.until, p.guessed) {
                (Some(t), false) => format!("resets at {t}"),
                (Some(t), true) => format!("reset unknown, tried again at {t}"),
                (None, _) => "nothing but the operator lifts it".to_owned(),
            };
            return closed(Gate::Backend, format!("{name} is paused ({}): {}", p.limit.kind, p.limit.message), format!("{until}; `orc backend resume {name}`"));
        }
        if b.probing && b.running > 0 {
            return closed(Gate::Backend, format!("{name} comes back from a limit: one job tries first"), "that job ends well");
        }
        if b.max_running > 0 && b.running >= b.max_running {
            return closed(Gate::Backend, format!("{name} runs {} of at most {}", b.running, b.max_running), "one of them ends");
        }
        let minute = Duration::from_secs(60);
        let recent = b.starts.iter().filter(|t| now.since(**t) < minute).count();
        if b.per_minute > 0 && recent >= b.per_minute as usize {
            let next = b.starts[b.starts.len() - recent] + minute;
            return closed(Gate::Backend, format!("{name} has started {recent} in the last minute, its limit"), format!("at {next}"));
        }
        open(Gate::Backend, format!("{name} runs {}", b.running))
    }

    fn host_gate(&self) -> Verdict {
        match &self.host {
            Some(says) => closed(Gate::Host, says.clone(), "memory or disk is freed, or the low-water mark lowered in orc.toml"),
            None => open(Gate::Host, "memory and disk are above their low-water marks"),
        }
    }

    fn worker_gate(&self, job: &QueuedJob) -> Verdict {
        let Some(name) = &job.worker else { return open(Gate::Worker, "any worker") };
        match self.named.get(name) {
            Some(Named::Free) => open(Gate::Worker, format!("{name} is idle")),
            Some(Named::Busy) => closed(Gate::Worker, format!("{name} works on another job"), "that job ends"),
            Some(Named::Paused) => closed(Gate::Worker, format!("{name} is paused"), format!("`orc worker resume {name}`")),
            None => closed(Gate::Worker, format!("there is no worker named {name}"), format!("`orc worker add {name}`, or kill the job")),
        }
    }

    /// Accounts for a start, so that the next pick sees it.
    pub fn started(&mut self, job: &QueuedJob, now: Timestamp) {
        self.running += 1;
        if let Some(b) = self.backends.get_mut(&job.backend) {
            b.running += 1;
            b.starts.retain(|t| now.since(*t) < Duration::from_secs(60));
            b.starts.push(now);
        }
        if let Some(name) = &job.worker {
            self.named.insert(name.clone(), Named::Busy);
        }
    }
}

/// The first job in claim order whose gates are all open. `passed` holds jobs that were tried in this step and could not be
/// started after all.
///
/// A non-P0 job that only the token budget holds keeps the later ones of its lane and below from overtaking it once it has
/// waited longer than `starvation_after`: otherwise small jobs could keep a large one out for ever.
pub fn pick<'q>(queue: &'q Queue, capacity: &Capacity, passed: &BTreeSet<JobId>, now: Timestamp) -> Option<&'q QueuedJob> {
    if capacity.closed.is_some() || capacity.host.is_some() {
        return None;
    }
    let l = &capacity.limits;
    if capacity.running >= l.max_running + l.reserved_slots {
        return None;
    }
    let mut barred: Option<Lane> = None;
    // Only P0 may start: nothing beyond the urgent lane needs a look.
    let urgent_only = capacity.running >= l.max_running || (capacity.budget.pressed() && capacity.running > 0);
    for job in queue.claim_order(now, l.starvation_after) {
        let lane = job.priority.lane();
        if urgent_only && job.priority != Priority::P0 {
            if lane == Lane::Urgent {
                continue;
            }
            return None;
        }
        if passed.contains(&job.id) || barred.is_some_and(|b| lane >= b && job.priority != Priority::P0) {
            continue;
        }
        let first_closed = capacity.gates(job, now).into_iter().find(|v| !v.open);
        match first_closed {
            None => return Some(job),
            Some(v) if v.gate == Gate::Budget && now.since(job.queued_at) > l.starvation_after => barred = Some(lane),
            Some(_) => {}
        }
    }
    None
}

fn open(gate: Gate, says: impl Into<String>) -> Verdict {
    Verdict { gate, open: true, says: says.into(), unblock: String::new() }
}

fn closed(gate: Gate, says: impl Into<String>, unblock: impl Into<String>) -> Verdict {
    Verdict { gate, open: false, says: says.into(), unblock: unblock.into() }
}
