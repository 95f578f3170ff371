//! The scheduler against its rules, by example and against the definition.

use super::*;
use crate::domain::ids::AttemptId;
use crate::domain::job::Lane;
use crate::domain::queue::rank;
use crate::domain::queue::tests::{STARVED, any_job, any_jobs, job, queue};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(3_600_000);

fn capacity() -> Capacity {
    let backends = ["claude", "codex", "shell"].map(|name| (name.to_owned(), BackendCapacity::default()));
    let named = [("ada".to_owned(), Named::Free), ("bob".to_owned(), Named::Busy)];
    Capacity { backends: backends.into(), named: named.into(), ..Capacity::default() }
}

/// Picks and starts until nothing more may start; the ids in order. What is started ends at once for the queue, not for
/// the capacity.
fn fill(q: &mut Queue, c: &mut Capacity, now: Timestamp) -> Vec<i64> {
    let mut started = Vec::new();
    c.budget.press(&c.limits.budget, q.len(), now);
    q.ripen(now);
    while let Some(job) = pick(q, c, &BTreeSet::new(), now).cloned() {
        c.budget.reserve(AttemptId(job.id.0), job.estimate);
        c.started(&job, now);
        q.remove(job.id);
        started.push(job.id.0);
    }
    started
}

fn picked(jobs: impl IntoIterator<Item = QueuedJob>, c: &Capacity) -> Option<i64> {
    let mut q = queue(jobs);
    q.ripen(NOW);
    pick(&q, c, &BTreeSet::new(), NOW).map(|j| j.id.0)
}

#[test]
fn the_reserved_slot_is_for_p0_alone_and_the_last_to_fill() {
    let mut c = capacity();
    let mut q = queue((1..=20).map(|id| job(id, if id == 20 { 0 } else { 1 }, 0)));
    assert_eq!(fill(&mut q, &mut c, NOW).len(), 8, "the P0 job and seven others");
    q.insert(job(30, 0, 0));
    q.insert(job(31, 0, 0));
    assert_eq!(fill(&mut q, &mut c, NOW), [30], "nine is the end of it");
}

#[test]
fn no_start_past_the_budget_but_p0_s_and_a_single_one_s() {
    let big = |id, priority, estimate| QueuedJob { estimate, ..job(id, priority, NOW.0) };
    let mut c = capacity();
    c.budget.spend(None, 100_000, NOW);
    c.budget.reserve(AttemptId(900), 250_000);
    c.running = 1;
    assert_eq!(picked([big(1, 2, 50_000)], &c), Some(1), "100 % is within the budget");
    assert_eq!(picked([big(1, 2, 50_001)], &c), None);
    assert_eq!(picked([big(1, 2, 50_001), big(2, 3, 10)], &c), Some(2), "a smaller one may pass");
    assert_eq!(picked([big(1, 0, 900_000)], &c), Some(1));
    c.running = 0;
    assert_eq!(picked([big(1, 5, 900_000)], &c), Some(1), "alone it always may");
}

#[test]
fn a_large_job_lets_small_ones_pass_for_a_while_only() {
    let mut c = capacity();
    c.budget.reserve(AttemptId(900), 390_000);
    c.running = 1;
    let large = |waited: Duration| QueuedJob { estimate: 300_000, ..job(1, 2, (NOW - waited).0) };
    let small = |priority| QueuedJob { estimate: 10, ..job(2, priority, NOW.0) };
    assert_eq!(picked([large(STARVED), small(2)], &c), Some(2));
    let longer = STARVED + Duration::from_millis(1);
    assert_eq!(picked([large(longer), small(2)], &c), None);
    assert_eq!(picked([large(longer), small(3)], &c), None);
    assert_eq!(picked([large(longer), small(1)], &c), Some(2), "lane 0 is ahead of it anyhow");
    assert_eq!(picked([large(longer), small(0)], &c), Some(2));
    // Held by something else as well, it bars nobody.
    let elsewhere = QueuedJob { worker: Some("bob".into()), ..large(longer) };
    assert_eq!(picked([elsewhere, small(2)], &c), Some(2));
}

#[test]
fn backpressure_lets_only_p0_start_and_may_begin_within_one_step() {
    let mut c = capacity();
    let mut q = queue((1..=20).map(|id| QueuedJob { estimate: 170_000, ..job(id, 2, id) }));
    assert_eq!(fill(&mut q, &mut c, NOW), [1, 2], "85 % with a deep queue is the end");
    assert!(c.budget.pressed());
    q.insert(job(30, 1, 0));
    q.insert(job(31, 0, 0));
    assert_eq!(fill(&mut q, &mut c, NOW), [31]);
}

#[test]
fn a_busy_worker_a_paused_backend_and_a_date_block_nobody_else() {
    let mut c = capacity();
    let limit = crate::domain::Limit { kind: crate::domain::LimitKind::Throttle, resets_at: None, message: String::new() };
    c.backends.get_mut("codex").unwrap().pause = Some(crate::domain::pause(&limit, 1, 0.0, NOW));
    let blocked = [
        QueuedJob { worker: Some("bob".into()), ..job(1, 0, 0) },
        QueuedJob { worker: Some("nobody".into()), ..job(2, 0, 0) },
        QueuedJob { backend: "codex".into(), ..job(3, 0, 0) },
        QueuedJob { backend: "gone".into(), ..job(4, 0, 0) },
        QueuedJob { ready_at: Some(NOW + Duration::from_millis(1)), ..job(5, 0, 0) },
    ];
    assert_eq!(picked(blocked.clone(), &c), None);
    let free = QueuedJob { worker: Some("ada".into()), ready_at: Some(NOW), ..job(6, 5, 0) };
    assert_eq!(picked(blocked.into_iter().chain([free]), &c), Some(6));
}

#[test]
fn what_closes_everything_holds_even_p0() {
    let urgent = || [job(1, 0, 0)];
    assert_eq!(picked(urgent(), &Capacity { closed: Some(("paused".into(), "resume".into())), ..capacity() }), None);
    assert_eq!(picked(urgent(), &Capacity { host: Some("0.5 GiB memory left".into()), ..capacity() }), None);
    assert_eq!(picked(urgent(), &Capacity { paused_lanes: [0].into(), ..capacity() }), None);
    assert_eq!(picked([job(1, 0, 0), job(2, 5, 0)], &Capacity { paused_lanes: [0].into(), ..capacity() }), Some(2));
}

#[test]
fn a_backend_s_own_limits() {
    let mut c = capacity();
    let b = c.backends.get_mut("claude").unwrap();
    (b.max_running, b.per_minute) = (2, 3);
    let mut q = queue((1..=9).map(|id| job(id, 2, id)));
    assert_eq!(fill(&mut q, &mut c, NOW), [1, 2]);
    c.backends.get_mut("claude").unwrap().running = 0;
    c.running = 0;
    let later = NOW + Duration::from_secs(20);
    assert_eq!(fill(&mut q, &mut c, later), [3], "the third start of this minute");
    assert_eq!(c.backends["claude"].hold(later), Some(BackendHold::Rate(NOW + MINUTE)));
    c.backends.get_mut("claude").unwrap().running = 0;
    assert_eq!(fill(&mut q, &mut c, NOW + MINUTE), [4, 5]);
    c.backends.get_mut("claude").unwrap().max_running = 0;
    let b = c.backends.get_mut("claude").unwrap();
    (b.probing, b.running, b.probes) = (true, 2, 0);
    assert_eq!(fill(&mut q, &mut c, NOW + MINUTE * 3), [6], "one tries first, whatever runs since before the pause");
}

#[test]
fn ten_thousand_queued_jobs_are_not_looked_at_one_by_one() {
    let mut c = capacity();
    c.running = 1;
    c.backends.get_mut("claude").unwrap().max_running = 1;
    c.backends.get_mut("claude").unwrap().running = 1;
    let looked_at = |q: &Queue, c: &Capacity| look(q, c, &BTreeSet::new(), NOW).looked_at;
    let q = queue((1..=10_000).map(|id| job(id, (id % 6) as u8, id)));
    assert_eq!(looked_at(&q, &c), 6, "a full backend: once per priority");
    c.backends.get_mut("claude").unwrap().max_running = 0;
    c.running = 8;
    assert_eq!(looked_at(&q, &c), 1, "slots for P0 only");
    let large = queue((1..=10_000).map(|id| QueuedJob { estimate: 500_000, ..job(id, 2, NOW.0 + id) }));
    c.running = 1;
    assert_eq!(looked_at(&large, &c), 1, "none fits the budget");
}

#[test]
fn ten_thousand_jobs_with_dates_to_come_are_not_looked_at_at_all() {
    let looked_at = |q: &Queue, now| look(q, &capacity(), &BTreeSet::new(), now).looked_at;
    // Ahead of the one that is due by every rule of the order but the date.
    let dated = |id: i64| QueuedJob { ready_at: Some(NOW + Duration::from_secs(id as u64)), ..job(id, (id % 6) as u8, 0) };
    let mut q = queue((1..=10_000).map(dated).chain([job(20_000, 5, 1)]));
    q.ripen(NOW);
    assert_eq!(look(&q, &capacity(), &BTreeSet::new(), NOW).starts.map(|j| j.id), Some(JobId(20_000)));
    assert_eq!(looked_at(&q, NOW), 1);
    q.remove(JobId(20_000));
    assert_eq!(looked_at(&q, NOW), 0, "nothing is due");
    let later = NOW + Duration::from_secs(7);
    q.ripen(later);
    assert_eq!(look(&q, &capacity(), &BTreeSet::new(), later).starts.map(|j| j.id), Some(JobId(6)), "the only P0 of the seven");
    assert_eq!(looked_at(&q, later), 1);
}

fn any_capacity() -> impl Strategy<Value = Capacity> {
    let backend = (0u32..3, 0u32..3, 0u32..3, any::<bool>());
    (
        0u32..4,
        0u32..3,
        0u32..5,
        0u64..400,
        [backend.clone(), backend.clone(), backend],
        prop::collection::btree_set(0u8..3, 0..2),
        any::<bool>(),
    )
        .prop_map(|(max, reserved, running, spent, backends, paused_lanes, pressed)| {
            let mut c = capacity();
            c.limits.max_running = max;
            c.limits.reserved_slots = reserved;
            c.limits.budget.tokens = 300;
            c.running = running;
            c.paused_lanes = paused_lanes;
            c.budget.spend(None, spent, NOW);
            c.budget.press(&c.limits.budget, if pressed { 9 } else { 0 }, NOW);
            for (b, (running, max, per_minute, probing)) in c.backends.values_mut().zip(backends) {
                *b = BackendCapacity {
                    running,
                    max_running: max,
                    per_minute,
                    probing,
                    probes: running / 2,
                    starts: vec![NOW; running as usize],
                    pause: None,
                };
            }
            c
        })
}

const GATES: [Gate; 8] = [Gate::Engine, Gate::Date, Gate::Lane, Gate::Slot, Gate::Budget, Gate::Backend, Gate::Host, Gate::Worker];

fn all_open(c: &Capacity, j: &QueuedJob) -> bool {
    GATES.iter().all(|g| c.opens(*g, j, NOW))
}

proptest! {
    #![proptest_config(crate::domain::cases())]

    #[test]
    fn alone_a_job_is_picked_exactly_when_its_gates_are_open(j in any_job(1), c in any_capacity()) {
        prop_assert_eq!(picked([j.clone()], &c).is_some(), all_open(&c, &j));
    }

    /// Against the definition, job by job: skipping classes changes nothing.
    #[test]
    fn the_first_open_one_in_claim_order_is_picked(jobs in any_jobs(30), c in any_capacity()) {
        let mut sorted = jobs.clone();
        sorted.sort_by_key(|j| rank(j, NOW, STARVED));
        let mut barred = false;
        let mut expected = None;
        for j in &sorted {
            if barred && j.priority != Priority::P0 {
                continue;
            }
            if all_open(&c, j) {
                expected = Some(j.id.0);
                break;
            }
            let budget_alone = GATES.iter().all(|g| c.opens(*g, j, NOW) == (*g != Gate::Budget));
            barred |= budget_alone && !c.budget.pressed() && NOW.since(j.queued_at) > STARVED;
        }
        prop_assert_eq!(picked(jobs, &c), expected);
    }

    #[test]
    fn no_limit_is_ever_passed(jobs in any_jobs(30), mut c in any_capacity()) {
        let before = c.clone();
        let mut q = queue(jobs.clone());
        let ids = fill(&mut q, &mut c, NOW);
        let of = |id: i64| jobs.iter().find(|j| j.id.0 == id).unwrap();
        let others = ids.iter().filter(|id| of(**id).priority != Priority::P0).count() as u32;
        if others > 0 {
            prop_assert!(before.running + others <= c.limits.max_running);
        }
        if !ids.is_empty() {
            prop_assert!(c.running <= c.limits.max_running + c.limits.reserved_slots);
        }
        for (name, b) in &c.backends {
            let grew = b.running > before.backends[name].running;
            prop_assert!(!grew || b.max_running == 0 || b.running <= b.max_running);
            prop_assert!(!grew || b.per_minute == 0 || b.starts.len() <= b.per_minute as usize);
        }
        // Replay: at each start of a job that is not P0, the budget held or nothing ran.
        let (mut running, mut reserved) = (before.running, 0);
        for id in &ids {
            let j = of(*id);
            if j.priority != Priority::P0 && running > 0 {
                prop_assert!(before.budget.used(&c.limits.budget, NOW) + reserved + j.estimate <= c.limits.budget.tokens);
            }
            running += 1;
            reserved += j.estimate;
        }
        let assigned: Vec<_> = ids.iter().filter_map(|id| of(*id).worker.as_deref()).collect();
        prop_assert!(assigned.len() <= 1 && assigned.iter().all(|w| *w == "ada"));
    }

    /// As long as what runs ends, every job starts at last, whatever keeps coming into lanes 1 and 2.
    #[test]
    fn nothing_starves(jobs in any_jobs(12), newcomer in any_job(0), seed in 0u64..1000) {
        let mut c = capacity();
        c.limits.max_running = 3;
        c.limits.budget.tokens = 300;
        c.named.insert("bob".into(), Named::Free);
        let mut q = queue(jobs.clone());
        let mut now = Timestamp(120 * 60_000);
        let mut running: std::collections::VecDeque<(Timestamp, QueuedJob)> = Default::default();
        let (mut id, mut started) = (1000, BTreeSet::new());
        for step in 0..4000u64 {
            now = now + Duration::from_secs(60);
            while let Some((_, j)) = running.front().filter(|(since, _)| now.since(*since) >= Duration::from_secs(150)).cloned() {
                running.pop_front();
                c.running -= 1;
                c.backends.get_mut(&j.backend).unwrap().running -= 1;
                c.budget.release(AttemptId(j.id.0));
                c.budget.spend(None, j.estimate, now);
                if let Some(w) = &j.worker {
                    c.named.insert(w.clone(), Named::Free);
                }
            }
            // More small and important work than there is room for.
            let priority = if newcomer.priority.lane() == Lane::Urgent { Priority::P2 } else { newcomer.priority };
            for _ in 0..(1 + (seed + step) % 2) {
                id += 1;
                q.insert(QueuedJob { id: JobId(id), priority, queued_at: now, ready_at: None, estimate: if seed % 3 == 0 { 90 } else { 10 }, ..newcomer.clone() });
            }
            c.budget.press(&c.limits.budget, q.len(), now);
            q.ripen(now);
            while let Some(j) = pick(&q, &c, &BTreeSet::new(), now).cloned() {
                c.budget.reserve(AttemptId(j.id.0), j.estimate);
                c.started(&j, now);
                q.remove(j.id);
                started.insert(j.id.0);
                running.push_back((now, j));
            }
            if jobs.iter().all(|j| started.contains(&j.id.0)) {
                return Ok(());
            }
        }
        prop_assert!(false, "still queued: {:?}", jobs.iter().filter(|j| !started.contains(&j.id.0)).collect::<Vec<_>>());
    }
}
