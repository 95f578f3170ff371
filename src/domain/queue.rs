//! The queue and the order in which it is claimed.
//!
//! 1. Lane 0, by priority, then age.
//! 2. Lane 1 by age. A background job joins it once it has waited longer than `starvation_after`, as if it had been queued at
//!    that moment: it goes ahead of the lane-1 jobs that came later, and of none that came before. So only finitely many jobs
//!    are ever ahead of it, and it never delays lane 0.
//! 3. The rest of lane 2, by priority, then age.
//!
//! Ties go to the lower id. The order changes with time alone, so nothing is re-sorted: jobs of one priority, backend and worker
//! are kept by age in a class of their own, whose order never changes, and the classes are merged when the queue is read.
//! All jobs of a class meet the same gates (sizes apart), so that a scheduler passes over a paused backend's thousands in one step.
//! Jobs whose date is still to come are in classes apart, which it does not look at: `ripen` moves them over as time passes.

use super::ids::{JobId, ProjectId, WorkerId};
use super::job::{Kind, Lane, Priority};
use super::time::Timestamp;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, btree_set};
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
    /// Its project, where projects have spending caps: it meets its own.
    pub purse: Option<ProjectId>,
    /// Tokens to reserve.
    pub estimate: u64,
}

/// What jobs have in common that meet the same gates.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ClassKey {
    /// Its date, if it has one, is still to come, or was when the queue was last ripened.
    dated: bool,
    priority: Priority,
    backend: String,
    worker: Option<String>,
    purse: Option<ProjectId>,
}

#[derive(Clone, Debug, Default)]
struct Class {
    by_age: BTreeSet<(Timestamp, JobId)>,
    /// How many jobs there are of each estimate.
    estimates: BTreeMap<u64, u32>,
}

/// All queued jobs, ordered.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    jobs: BTreeMap<JobId, QueuedJob>,
    classes: BTreeMap<ClassKey, Class>,
    /// The jobs of the dated classes, by their `ready_at`.
    dated: BTreeSet<(Timestamp, JobId)>,
    lanes: [usize; 3],
}

impl Queue {
    /// Adds a job, or replaces what was known of it.
    pub fn insert(&mut self, job: QueuedJob) {
        self.remove(job.id);
        if let Some(at) = job.ready_at {
            self.dated.insert((at, job.id));
        }
        self.enter(&job);
        self.lanes[job.priority.lane() as usize] += 1;
        self.jobs.insert(job.id, job);
    }

    fn enter(&mut self, job: &QueuedJob) {
        let class = self.classes.entry(self.class_key(job)).or_default();
        class.by_age.insert((job.queued_at, job.id));
        *class.estimates.entry(job.estimate).or_default() += 1;
    }

    /// Undoes `enter`; before `dated` changes.
    fn leave(&mut self, job: &QueuedJob) {
        let key = self.class_key(job);
        let Some(class) = self.classes.get_mut(&key) else { return };
        class.by_age.remove(&(job.queued_at, job.id));
        if let Some(n) = class.estimates.get_mut(&job.estimate) {
            *n -= 1;
            if *n == 0 {
                class.estimates.remove(&job.estimate);
            }
        }
        if class.by_age.is_empty() {
            self.classes.remove(&key);
        }
    }

    /// Lets the scheduler see the jobs whose date has come. Each is moved once.
    pub fn ripen(&mut self, now: Timestamp) {
        while let Some((at, id)) = self.dated.first().copied().filter(|(at, _)| *at <= now) {
            let job = self.jobs.get(&id).cloned();
            if let Some(job) = &job {
                self.leave(job);
            }
            self.dated.remove(&(at, id));
            if let Some(job) = &job {
                self.enter(job);
            }
        }
    }

    /// Takes a job out.
    pub fn remove(&mut self, id: JobId) -> Option<QueuedJob> {
        let job = self.jobs.remove(&id)?;
        self.leave(&job);
        if let Some(at) = job.ready_at {
            self.dated.remove(&(at, id));
        }
        self.lanes[job.priority.lane() as usize] -= 1;
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
        self.lanes[lane as usize]
    }

    /// Jobs in claim order, those with a date to come among them.
    pub fn claim_order(&self, now: Timestamp, starvation_after: Duration) -> ClaimOrder<'_> {
        self.order(now, starvation_after, |_| true)
    }

    /// The jobs of one lane in claim order, those with a date to come among them.
    pub fn lane_order(&self, lane: Lane, now: Timestamp, starvation_after: Duration) -> ClaimOrder<'_> {
        self.order(now, starvation_after, |key| key.priority.lane() == lane)
    }

    /// The jobs in claim order that have no date to come. The queue has been ripened by now.
    pub(super) fn due_order(&self, now: Timestamp, starvation_after: Duration) -> ClaimOrder<'_> {
        debug_assert!(self.dated.first().is_none_or(|(at, _)| *at > now), "not ripened");
        self.order(now, starvation_after, |key| !key.dated)
    }

    fn order(&self, now: Timestamp, starvation_after: Duration, of: impl Fn(&ClassKey) -> bool) -> ClaimOrder<'_> {
        let mut order = ClaimOrder { queue: self, now, starvation_after, heads: BinaryHeap::with_capacity(self.classes.len()) };
        for (_, class) in self.classes.iter().filter(|(key, _)| of(key)) {
            order.push(class, class.by_age.iter());
        }
        order
    }

    /// Since when the job that has waited longest is queued.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.classes.values().filter_map(|class| class.by_age.first()).map(|(at, _)| *at).min()
    }

    /// The first instant at which a job that is held back by its `ready_at` becomes ready.
    pub fn next_ready(&self, now: Timestamp) -> Option<Timestamp> {
        self.dated.range((now, JobId(i64::MAX))..).map(|(at, _)| *at).find(|at| *at > now)
    }

    fn class_key(&self, job: &QueuedJob) -> ClassKey {
        let dated = job.ready_at.is_some_and(|at| self.dated.contains(&(at, job.id)));
        ClassKey { dated, priority: job.priority, backend: job.backend.clone(), worker: job.worker.clone(), purse: job.purse }
    }
}

/// A job's place in the claim order: the lower, the earlier.
pub type Rank = (u8, u8, Timestamp, Lane, JobId);

/// A job's place in the claim order at an instant.
pub fn rank(job: &QueuedJob, now: Timestamp, starvation_after: Duration) -> Rank {
    let (lane, level) = (job.priority.lane(), job.priority.level());
    match lane {
        Lane::Urgent => (0, level, job.queued_at, lane, job.id),
        Lane::Normal => (1, 0, job.queued_at, lane, job.id),
        Lane::Background if now.since(job.queued_at) > starvation_after => (1, 0, job.queued_at + starvation_after, lane, job.id),
        Lane::Background => (2, level, job.queued_at, lane, job.id),
    }
}

/// The queue in claim order.
#[derive(Debug)]
pub struct ClaimOrder<'q> {
    queue: &'q Queue,
    now: Timestamp,
    starvation_after: Duration,
    heads: BinaryHeap<Reverse<Head<'q>>>,
}

/// The next job of a class, and those after it.
#[derive(Clone, Debug)]
pub(super) struct Head<'q> {
    rank: Rank,
    pub job: &'q QueuedJob,
    class: &'q Class,
    rest: btree_set::Iter<'q, (Timestamp, JobId)>,
}

impl Head<'_> {
    /// The smallest estimate in its class.
    pub fn smallest(&self) -> u64 {
        self.class.estimates.keys().next().copied().unwrap_or(0)
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Head<'_> {}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

impl<'q> ClaimOrder<'q> {
    fn push(&mut self, class: &'q Class, mut rest: btree_set::Iter<'q, (Timestamp, JobId)>) {
        if let Some(job) = rest.next().and_then(|(_, id)| self.queue.jobs.get(id)) {
            let rank = rank(job, self.now, self.starvation_after);
            self.heads.push(Reverse(Head { rank, job, class, rest }));
        }
    }

    /// The first job, with its whole class: nothing more comes of that class unless it is given back to `after`.
    pub(super) fn take_class(&mut self) -> Option<Head<'q>> {
        self.heads.pop().map(|Reverse(head)| head)
    }

    /// Goes on with the jobs of a class that come after its head.
    pub(super) fn after(&mut self, head: Head<'q>) {
        self.push(head.class, head.rest);
    }
}

impl<'q> Iterator for ClaimOrder<'q> {
    type Item = &'q QueuedJob;

    fn next(&mut self) -> Option<&'q QueuedJob> {
        let head = self.take_class()?;
        let job = head.job;
        self.after(head);
        Some(job)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub const STARVED: Duration = Duration::from_secs(1800);

    /// A job for tests: backend `claude`, no date, no worker.
    pub fn job(id: i64, priority: u8, queued_at: i64) -> QueuedJob {
        QueuedJob {
            id: JobId(id),
            priority: Priority::new(priority).unwrap(),
            queued_at: Timestamp(queued_at),
            ready_at: None,
            backend: "claude".into(),
            kind: Kind::Other,
            model: None,
            persona: None,
            worker: None,
            last_worker: None,
            project_id: None,
            purse: None,
            estimate: 1000,
        }
    }

    pub fn queue(jobs: impl IntoIterator<Item = QueuedJob>) -> Queue {
        let mut q = Queue::default();
        jobs.into_iter().for_each(|j| q.insert(j));
        q
    }

    fn due(q: &Queue, now: i64) -> Vec<i64> {
        q.due_order(Timestamp(now), STARVED).map(|j| j.id.0).collect()
    }

    fn order(q: &Queue, now: i64) -> Vec<i64> {
        q.claim_order(Timestamp(now), STARVED).map(|j| j.id.0).collect()
    }

    const MIN: i64 = 60_000;

    #[test]
    fn lane_then_priority_then_age_then_id() {
        let q = queue([job(1, 5, 0), job(2, 3, 9), job(3, 2, 5), job(4, 2, 4), job(5, 1, 0), job(6, 0, 9), job(7, 2, 4), job(8, 3, 1)]);
        assert_eq!(order(&q, 10), [6, 5, 4, 7, 3, 8, 2, 1]);
    }

    #[test]
    fn a_starved_background_job_passes_those_of_lane_1_that_came_after_it_began_to_starve() {
        let q = queue([job(1, 5, 0), job(2, 2, 29 * MIN), job(3, 2, 31 * MIN), job(4, 1, 40 * MIN), job(5, 3, 20 * MIN)]);
        assert_eq!(order(&q, 30 * MIN), [4, 2, 3, 5, 1], "exactly the limit is not longer than it");
        assert_eq!(order(&q, 41 * MIN), [4, 2, 1, 3, 5]);
    }

    #[test]
    fn a_new_priority_moves_a_job_at_once_and_removal_is_complete() {
        let mut q = queue([job(1, 2, 0), job(2, 2, 1)]);
        q.insert(job(2, 1, 1));
        assert_eq!(order(&q, 5), [2, 1]);
        assert_eq!((q.len(), q.lane_len(Lane::Urgent), q.lane_len(Lane::Normal)), (2, 1, 1));
        assert_eq!(q.remove(JobId(2)).map(|j| j.id), Some(JobId(2)));
        assert_eq!(q.remove(JobId(2)), None);
        q.remove(JobId(1));
        assert!(q.is_empty() && q.classes.is_empty() && q.dated.is_empty());
        assert_eq!(q.lanes, [0; 3]);
    }

    #[test]
    fn the_next_date_is_the_first_that_is_still_to_come() {
        let at = |id, ready| QueuedJob { ready_at: Some(Timestamp(ready)), ..job(id, 2, 0) };
        let q = queue([at(1, 10), at(2, 20), at(3, 30), job(4, 2, 0)]);
        assert_eq!(q.next_ready(Timestamp(0)), Some(Timestamp(10)));
        assert_eq!(q.next_ready(Timestamp(20)), Some(Timestamp(30)));
        assert_eq!(q.next_ready(Timestamp(30)), None);
    }

    #[test]
    fn a_job_with_a_date_is_due_from_then_on_at_its_place() {
        let at = |id, ready| QueuedJob { ready_at: Some(Timestamp(ready)), ..job(id, 2, id) };
        let mut q = queue([at(1, 10), job(2, 2, 2), at(3, 20), at(4, 10)]);
        assert_eq!(order(&q, 0), [1, 2, 3, 4], "it has its place before");
        assert_eq!(due(&q, 0), [2]);
        q.ripen(Timestamp(10));
        assert_eq!(due(&q, 10), [1, 2, 4]);
        q.insert(at(1, 30));
        assert_eq!(due(&q, 10), [2, 4], "put off again");
        q.remove(JobId(4));
        q.ripen(Timestamp(40));
        assert_eq!((due(&q, 40), q.next_ready(Timestamp(40))), (vec![1, 2, 3], None));
        for id in [1, 2, 3] {
            q.remove(JobId(id));
        }
        assert!(q.is_empty() && q.classes.is_empty() && q.dated.is_empty());
    }

    pub fn any_job(id: i64) -> impl Strategy<Value = QueuedJob> {
        let backend = prop::sample::select(vec!["claude", "codex", "shell"]);
        let worker = prop::option::weighted(0.2, prop::sample::select(vec!["ada", "bob"]));
        let ready = prop::option::weighted(0.2, 0..120 * MIN);
        (0u8..6, 0..100 * MIN, ready, backend, worker, prop::sample::select(vec![0u64, 10, 100, 300])).prop_map(
            move |(priority, queued_at, ready, backend, worker, estimate)| QueuedJob {
                ready_at: ready.map(Timestamp),
                backend: backend.into(),
                worker: worker.map(str::to_owned),
                estimate,
                ..job(id, priority, queued_at)
            },
        )
    }

    pub fn any_jobs(max: usize) -> impl Strategy<Value = Vec<QueuedJob>> {
        (0..=max).prop_flat_map(|n| (0..n as i64).map(|id| any_job(id + 1)).collect::<Vec<_>>())
    }

    proptest! {
        #![proptest_config(crate::domain::cases())]

        #[test]
        fn merging_the_classes_is_sorting_by_rank(jobs in any_jobs(40), now in 0..200 * MIN) {
            let q = queue(jobs.clone());
            let mut sorted = jobs;
            sorted.sort_by_key(|j| rank(j, Timestamp(now), STARVED));
            prop_assert_eq!(order(&q, now), sorted.iter().map(|j| j.id.0).collect::<Vec<_>>());
        }

        /// What is ahead of a starved job now stays all that is ever ahead of it, lane 0 apart: nothing that comes later passes it.
        #[test]
        fn nothing_that_comes_later_passes_a_starved_job(jobs in any_jobs(30), newcomer in any_job(99), now in 31 * MIN..200 * MIN) {
            let priority = Priority::new(newcomer.priority.level().max(2)).unwrap();
            let newcomer = QueuedJob { queued_at: Timestamp(now), priority, ..newcomer };
            let mut q = queue(jobs.clone());
            q.insert(newcomer);
            let later = order(&q, now + 90 * MIN);
            let place = |id: i64| later.iter().position(|i| *i == id);
            for j in jobs.iter().filter(|j| j.priority.lane() == Lane::Background && now - j.queued_at.0 > 30 * MIN) {
                prop_assert!(place(j.id.0) < place(99), "{} is passed", j.id);
            }
        }

        #[test]
        fn each_lane_is_a_part_of_the_whole_order(jobs in any_jobs(40), now in 0..200 * MIN) {
            let q = queue(jobs.clone());
            for lane in Lane::ALL {
                let whole: Vec<_> = q.claim_order(Timestamp(now), STARVED).filter(|j| j.priority.lane() == lane).collect();
                prop_assert_eq!(q.lane_order(lane, Timestamp(now), STARVED).collect::<Vec<_>>(), whole);
            }
            prop_assert_eq!(q.oldest(), jobs.iter().map(|j| j.queued_at).min());
        }

        #[test]
        fn what_is_due_is_the_whole_order_without_dates_to_come(jobs in any_jobs(40), first in 0..200 * MIN, then in 0..200 * MIN) {
            let mut q = queue(jobs);
            for now in [first, first + then] {
                q.ripen(Timestamp(now));
                let whole = q.claim_order(Timestamp(now), STARVED);
                let expected: Vec<_> = whole.filter(|j| j.ready_at.is_none_or(|t| t.0 <= now)).map(|j| j.id.0).collect();
                prop_assert_eq!(due(&q, now), expected);
            }
        }

        #[test]
        fn lane_0_is_always_first(jobs in any_jobs(30), now in 0..300 * MIN) {
            let q = queue(jobs);
            let lanes: Vec<_> = q.claim_order(Timestamp(now), STARVED).map(|j| j.priority.lane() != Lane::Urgent).collect();
            prop_assert!(lanes.is_sorted());
        }
    }
}
