//! Who starts now. A job starts when every gate lets it through and none that could start comes before it; `why` puts the same
//! gates into words.

use super::budget::{Budget, BudgetLimits};
use super::caps::{Caps, Hold};
use super::ids::JobId;
use super::job::Priority;
use super::queue::{Queue, QueuedJob};
use super::rows::BackendPause;
use super::time::Timestamp;
use super::verdict::Gate;
use super::worker::{Worker, WorkerStatus};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The scheduler's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct CapacityLimits {
    /// Slots for everybody.
    pub max_running: u32,
    /// Slots on top of them that only P0 may use. Others start only while fewer than `max_running` run, whoever they are, so
    /// the reserved ones are the last to fill.
    pub reserved_slots: u32,
    pub budget: BudgetLimits,
    /// See `queue` for what it does to the order. It is also how long a job that only the token budget holds lets smaller ones
    /// pass (`pick`).
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
    /// In force while it is here, whatever its `until` says: the engine takes it away when that time has come.
    pub pause: Option<BackendPause>,
    /// The pause is over, and one attempt shall find out whether the limit is too.
    pub probing: bool,
    /// Running attempts that began since the last refusal: only they can find out.
    pub probes: u32,
}

/// Why a backend takes nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum BackendHold<'a> {
    /// Nobody knows it.
    Unknown,
    Paused(&'a BackendPause),
    Probing,
    Full,
    /// It has had its starts for this minute; the next may come then.
    Rate(Timestamp),
}

const MINUTE: Duration = Duration::from_secs(60);

impl BackendCapacity {
    pub(super) fn hold(&self, now: Timestamp) -> Option<BackendHold<'_>> {
        if let Some(pause) = &self.pause {
            return Some(BackendHold::Paused(pause));
        }
        if self.probing && self.probes > 0 {
            return Some(BackendHold::Probing);
        }
        if self.max_running > 0 && self.running >= self.max_running {
            return Some(BackendHold::Full);
        }
        let recent = self.starts.iter().filter(|t| now.since(**t) < MINUTE).count();
        if self.per_minute > 0 && recent >= self.per_minute as usize {
            // The start whose minute has to pass first, so that one less than the limit is left.
            let next = self.starts[self.starts.len() - self.per_minute as usize] + MINUTE;
            return Some(BackendHold::Rate(next));
        }
        None
    }
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
    pub caps: Caps,
    pub backends: BTreeMap<String, BackendCapacity>,
    /// What the host is short of.
    pub host: Option<String>,
    pub named: BTreeMap<String, Named>,
    /// The backend of each of them.
    pub serves: BTreeMap<String, String>,
}

/// How much of the token budget is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens {
    pub used: u64,
    pub reserved: u64,
}

impl Capacity {
    /// True when this gate lets a queued job through, were it the only one in the queue. (`Gate::Order` is about the others:
    /// always open here.)
    pub fn opens(&self, gate: Gate, job: &QueuedJob, now: Timestamp) -> bool {
        match gate {
            Gate::Engine => self.closed.is_none(),
            Gate::Date => job.ready_at.is_none_or(|t| t <= now),
            Gate::Lane => !self.paused_lanes.contains(&job.priority.lane().number()),
            Gate::Slot => self.running < self.slots(job.priority),
            Gate::Budget => self.affordable(job.priority, job.estimate, now),
            Gate::Cap => self.cap_hold(job, job.estimate).is_none(),
            Gate::Backend => self.backend_hold(&job.backend, now).is_none(),
            Gate::Host => self.host.is_none(),
            Gate::Worker => {
                job.worker.as_ref().is_none_or(|name| self.named.get(name) == Some(&Named::Free) && self.misfit(job, name).is_none())
            }
            // A queued job has passed these.
            Gate::Dependency | Gate::Decision | Gate::Order => true,
        }
    }

    /// Takes over who may be asked for by name, and how they stand.
    pub fn set_workers<'a>(&mut self, workers: impl IntoIterator<Item = &'a Worker>) {
        self.named.clear();
        self.serves.clear();
        for w in workers.into_iter().filter(|w| w.status != WorkerStatus::Retired) {
            let named = match w.status {
                WorkerStatus::Paused | WorkerStatus::Unhealthy => Named::Paused,
                _ if w.attempt.is_some() => Named::Busy,
                _ => Named::Free,
            };
            self.named.insert(w.name.clone(), named);
            self.serves.insert(w.name.clone(), w.backend.clone());
        }
    }

    /// The backend of the worker that a job asks for, if it is not the job's.
    pub(super) fn misfit(&self, job: &QueuedJob, worker: &str) -> Option<&str> {
        self.serves.get(worker).map(String::as_str).filter(|backend| *backend != job.backend)
    }

    /// The slots that a priority may fill.
    pub(super) fn slots(&self, priority: Priority) -> u32 {
        let l = &self.limits;
        if priority == Priority::P0 { l.max_running.saturating_add(l.reserved_slots) } else { l.max_running }
    }

    pub(super) fn tokens(&self, now: Timestamp) -> Tokens {
        Tokens { used: self.budget.used(&self.limits.budget, now), reserved: self.budget.reserved() }
    }

    /// True when a job of this size may start as far as the token budget goes. For a size that is known better only after the
    /// pick (its prompt is assembled): no start passes the budget by its estimate.
    pub fn affordable(&self, priority: Priority, estimate: u64, now: Timestamp) -> bool {
        self.affords(priority, estimate, self.tokens(now))
    }

    /// P0 always may. So may a job when nothing else runs: what is larger than the whole budget would never run otherwise.
    fn affords(&self, priority: Priority, estimate: u64, taken: Tokens) -> bool {
        let sum = taken.used.saturating_add(taken.reserved).saturating_add(estimate);
        priority == Priority::P0 || self.running == 0 || (!self.budget.pressed() && sum <= self.limits.budget.tokens)
    }

    /// The spending cap that a job of this size would pass. For a size that is known better only after the pick, as `affordable`.
    pub fn cap_hold(&self, job: &QueuedJob, estimate: u64) -> Option<Hold> {
        self.caps.hold(&job.backend, job.purse, estimate)
    }

    pub(super) fn backend_hold(&self, name: &str, now: Timestamp) -> Option<BackendHold<'_>> {
        self.backends.get(name).map_or(Some(BackendHold::Unknown), |b| b.hold(now))
    }

    /// Accounts for a start, so that the next pick sees it. Its reservation is made before (`Budget::reserve`): backpressure is
    /// looked at anew, for one start may be what begins it.
    pub fn started(&mut self, job: &QueuedJob, now: Timestamp) {
        self.running += 1;
        if let Some(b) = self.backends.get_mut(&job.backend) {
            b.running += 1;
            b.probes += 1;
            b.starts.retain(|t| now.since(*t) < MINUTE);
            b.starts.push(now);
        }
        if let Some(name) = &job.worker {
            self.named.insert(name.clone(), Named::Busy);
        }
        self.budget.press_after_start(&self.limits.budget, now);
    }
}

/// The first job in claim order whose gates are all open. `passed` holds jobs that were tried in this step and could not be
/// started after all.
///
/// What is blocked does not block others: a paused backend's or a busy worker's jobs are passed over. One exception: a job (not
/// P0) that only the token budget holds lets the smaller ones behind it pass until it has waited longer than
/// `starvation_after`; from then on none but P0 passes it, so that the window empties and it fits, or runs alone. Otherwise
/// small jobs could keep a large one out for ever.
///
/// Costs O(classes), not O(jobs): see `queue`, which has been ripened by `now`. Only jobs that are too large for the room left are
/// looked at one by one, where smaller ones of their class may be behind them.
pub fn pick<'q>(queue: &'q Queue, capacity: &Capacity, passed: &BTreeSet<JobId>, now: Timestamp) -> Option<&'q QueuedJob> {
    look(queue, capacity, passed, now).starts
}

/// The spending caps that keep jobs from starting which could start otherwise: when `pick` finds none. At the same cost.
pub fn held_by_caps(queue: &Queue, capacity: &Capacity, passed: &BTreeSet<JobId>, now: Timestamp) -> Vec<Hold> {
    look(queue, capacity, passed, now).holds
}

/// What a look through the queue finds.
#[derive(Clone, Debug, Default)]
pub(super) struct Look<'q> {
    /// The job that starts now.
    pub starts: Option<&'q QueuedJob>,
    /// A job ahead of it that is held by the token budget and lets none but P0 pass any more.
    pub bars: Option<&'q QueuedJob>,
    /// The spending caps that hold jobs which could start otherwise, each once.
    pub holds: Vec<Hold>,
    /// How many jobs it took to find out.
    #[cfg(test)]
    looked_at: usize,
}

pub(super) fn look<'q>(queue: &'q Queue, capacity: &Capacity, passed: &BTreeSet<JobId>, now: Timestamp) -> Look<'q> {
    let mut found = Look::default();
    if capacity.closed.is_some() || capacity.host.is_some() || capacity.running >= capacity.slots(Priority::P0) {
        return found;
    }
    let patience = capacity.limits.starvation_after;
    let taken = capacity.tokens(now);
    let mut order = queue.due_order(now, patience);
    while let Some(head) = order.take_class() {
        let job = head.job;
        #[cfg(test)]
        {
            found.looked_at += 1;
        }
        let barred = found.bars.is_some() && job.priority != Priority::P0;
        // The same for its whole class: no need to look at the others.
        if barred || [Gate::Lane, Gate::Slot, Gate::Backend, Gate::Worker].iter().any(|gate| !capacity.opens(*gate, job, now)) {
            continue;
        }
        let due = capacity.opens(Gate::Date, job, now) && !passed.contains(&job.id);
        let hold = capacity.cap_hold(job, job.estimate);
        if due && hold.is_none() && capacity.affords(job.priority, job.estimate, taken) {
            found.starts = Some(job);
            return found;
        }
        if let Some(hold) = hold {
            if !found.holds.iter().any(|h| h.project == hold.project) {
                found.holds.push(hold);
            }
            // Smaller ones of its class may fit below the cap.
            if capacity.cap_hold(job, head.smallest()).is_none() && capacity.affords(job.priority, head.smallest(), taken) {
                order.after(head);
            }
        } else if due && !capacity.budget.pressed() && now.since(job.queued_at) > patience {
            found.bars = Some(job);
        } else if capacity.affords(job.priority, head.smallest(), taken) {
            order.after(head);
        }
    }
    found
}

#[cfg(test)]
mod tests;
