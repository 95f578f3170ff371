//! The queue in claim order: lane, then priority, then age, then id.

use super::ids::{JobId, ProjectId, WorkerId};
use super::job::{Kind, Lane, Priority};
use super::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A queued job as the scheduler needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct QueuedJob {
    pub id: JobId,
    pub priority: Priority,
    pub queued_at: Timestamp,
    /// Not to be claimed before.
    pub ready_at: Option<Timestamp>,
    pub backend: String,
    pub kind: Kind,
    pub model: Option<String>,
    pub persona: Option<String>,
    /// The worker asked for, by name.
    pub worker: Option<String>,
    /// The worker of its last attempt: a retry goes back to its session.
    pub last_worker: Option<WorkerId>,
    pub project_id: Option<ProjectId>,
    /// Tokens to reserve.
    pub estimate: u64,
}

type Key = (u8, Timestamp, JobId);

/// All queued jobs, ordered.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    jobs: BTreeMap<JobId, QueuedJob>,
    /// Per lane: priority, age, id.
    lanes: [BTreeSet<Key>; 3],
    /// Background jobs by age, for the guard against starvation.
    background: BTreeSet<(Timestamp, JobId)>,
}

impl Queue {
    /// Adds a job, or replaces what was known of it.
    pub fn insert(&mut self, job: QueuedJob) {
        self.remove(job.id);
        self.lanes[job.priority.lane() as usize].insert(key(&job));
        if job.priority.lane() == Lane::Background {
            self.background.insert((job.queued_at, job.id));
        }
        self.jobs.insert(job.id, job);
    }

    /// Takes a job out.
    pub fn remove(&mut self, id: JobId) -> Option<QueuedJob> {
        let job = self.jobs.remove(&id)?;
        self.lanes[job.priority.lane() as usize].remove(&key(&job));
        self.background.remove(&(job.queued_at, id));
        Some(job)
    }

    /// A job in the queue.
    pub fn get(&self, id: JobId) -> Option<&QueuedJob> {
        self.jobs.get(&id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// How many there are in a lane.
    pub fn lane_len(&self, lane: Lane) -> usize {
        self.lanes[lane as usize].len()
    }

    /// Jobs in claim order. Lane 0 always comes first. A background job that has waited longer than `starvation_after` comes
    /// next, oldest first, turn about with lane 1 (one starved, one normal), so that neither can hold the other up for ever;
    /// then the rest of lane 1, then of lane 2.
    pub fn claim_order(&self, now: Timestamp, starvation_after: Duration) -> impl Iterator<Item = &QueuedJob> {
        let starved_before = now - starvation_after;
        let starved = self.background.range(..(starved_before, JobId(i64::MIN))).map(|(_, id)| *id);
        let lane = |l: Lane| self.lanes[l as usize].iter().map(|(_, _, id)| *id);
        let fresh = lane(Lane::Background).filter(move |id| self.jobs.get(id).is_some_and(|j| j.queued_at >= starved_before));
        lane(Lane::Urgent).chain(alternate(starved, lane(Lane::Normal))).chain(fresh).filter_map(|id| self.jobs.get(&id))
    }

    /// The first instant at which a job that is held back by its `ready_at` becomes ready.
    pub fn next_ready(&self, now: Timestamp) -> Option<Timestamp> {
        self.jobs.values().filter_map(|j| j.ready_at).filter(|t| *t > now).min()
    }
}

fn key(job: &QueuedJob) -> Key {
    (job.priority.level(), job.queued_at, job.id)
}

/// One of the first, one of the second, and so on; the rest of whichever is longer.
fn alternate<T>(mut a: impl Iterator<Item = T>, mut b: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    let mut first = true;
    std::iter::from_fn(move || {
        let next = if first { a.next().or_else(|| b.next()) } else { b.next().or_else(|| a.next()) };
        first = !first;
        next
    })
}
