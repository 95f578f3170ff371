//! Compare and set: whoever comes second learns it, and has changed nothing.

use super::*;
use orc::domain::{JobState, Priority, Seen, WaitReason};

#[test]
fn a_job_is_claimed_once() {
    let mut b = Bench::new();
    let (job, ann, bob) = (b.job(), b.worker("ann"), b.worker("bob"));
    let first = b.claim(job, ann).unwrap();
    let before = b.dump();
    assert_eq!(b.claim(job, bob), None);
    assert_eq!(b.dump(), before, "who comes second leaves no attempt, no event and a free worker behind");
    assert_eq!(b.store.job(job).unwrap().unwrap().attempt, Some(first));
}

#[test]
fn a_worker_takes_one_job_at_a_time() {
    let mut b = Bench::new();
    let (one, two, ann) = (b.job(), b.job(), b.worker("ann"));
    b.claim(one, ann).unwrap();
    let before = b.dump();
    assert_eq!(b.claim(two, ann), None);
    assert_eq!(b.dump(), before);
}

#[test]
fn a_paused_worker_takes_none() {
    let mut b = Bench::new();
    let (job, ann) = (b.job(), b.worker("ann"));
    b.apply(Command::PauseWorker { worker: ann, paused: true });
    assert_eq!(b.claim(job, ann), None);
    b.apply(Command::PauseWorker { worker: ann, paused: false });
    assert!(b.claim(job, ann).is_some());
}

#[test]
fn a_job_that_was_killed_while_it_was_picked_does_not_start() {
    let mut b = Bench::new();
    let (job, ann) = (b.job(), b.worker("ann"));
    b.apply(Command::Kill { job, seen: None });
    assert_eq!(b.claim(job, ann), None);
    assert_eq!(b.store.job(job).unwrap().unwrap().state, JobState::Killed);
}

#[test]
fn an_attempt_ends_once() {
    let mut b = Bench::new();
    let (job, ann) = (b.job(), b.worker("ann"));
    let attempt = b.claim(job, ann).unwrap();
    assert!(b.finish(attempt, Outcome::Ok, Next::Done));
    let before = b.dump();
    let again = Next::Queued { ready_at: None, counts: true, lost: false, note: "late".into() };
    assert!(!b.finish(attempt, Outcome::Error, again), "a late report changes nothing");
    assert_eq!(b.dump(), before);
}

#[test]
fn what_an_old_attempt_says_does_not_touch_the_new_one() {
    let mut b = Bench::new();
    let (job, ann) = (b.job(), b.worker("ann"));
    let old = b.claim(job, ann).unwrap();
    b.finish(old, Outcome::Lost, Next::Queued { ready_at: None, counts: false, lost: true, note: "lost".into() });
    let new = b.claim(job, ann).unwrap();
    let shim = orc::domain::ProcessIdentity { pid: 1, start_time: 2, boot_id: "b".into() };
    let before = b.dump();
    b.store
        .write(|tx| {
            assert!(!tx.set_shim(old, &shim)?);
            tx.set_session(old, "stolen")
        })
        .unwrap();
    assert!(!b.finish(old, Outcome::Ok, Next::Done));
    assert_eq!(b.dump(), before);
    let now = b.store.job(job).unwrap().unwrap();
    assert_eq!((now.state, now.attempt, now.losses), (JobState::Running, Some(new), 1));
}

#[test]
fn a_command_that_was_given_on_an_old_picture_is_asked_again() {
    let mut b = Bench::new();
    let (job, ann) = (b.job(), b.worker("ann"));
    let seen = Some(Seen { state: JobState::Queued, attempt: None });
    b.claim(job, ann).unwrap();
    let before = b.dump();
    for command in [Command::Kill { job, seen }, Command::Retry { job, seen }, Command::SetPriority { job, priority: Priority::P0, seen }] {
        assert!(matches!(b.apply(command.clone()), Applied::Stale { .. }), "{command:?}");
    }
    assert_eq!(b.dump(), before);
}

#[test]
fn an_open_dedup_key_has_one_job_and_a_closed_one_is_free() {
    let mut b = Bench::new();
    let keyed = JobSpec { dedup_key: Some("nightly".into()), ..spec() };
    let first = b.add(keyed.clone());
    let before = b.dump();
    assert_eq!(b.add(keyed.clone()), first);
    assert_eq!(b.dump(), before);
    b.apply(Command::Kill { job: first, seen: None });
    assert_ne!(b.add(keyed), first);
}

#[test]
fn a_job_for_a_worker_that_cannot_do_it_is_refused() {
    let mut b = Bench::new();
    b.worker("ann");
    let refused = |b: &mut Bench, spec: JobSpec| match b.apply(Command::AddJob { spec: Box::new(spec) }) {
        Applied::Refused { message } => message,
        other => panic!("{other:?}"),
    };
    let nobody = refused(&mut b, JobSpec { worker: Some("zoe".into()), ..spec() });
    assert!(nobody.contains("no worker zoe") && nobody.contains("orc worker ls"), "{nobody}");
    let other = refused(&mut b, JobSpec { worker: Some("ann".into()), ..JobSpec::new("t", "codex", "p") });
    assert!(other.contains("ann runs claude") && other.contains("codex"), "{other}");
    assert!(matches!(b.apply(Command::AddJob { spec: Box::new(JobSpec { worker: Some("ann".into()), ..spec() }) }), Applied::Added { .. }));
}

#[test]
fn a_transaction_that_fails_leaves_nothing() {
    let mut b = Bench::new();
    let before = b.dump();
    let failed: Result<(), StoreError> = b.store.write(|tx| {
        tx.add_job(&spec(), "operator", NOW)?;
        tx.add_job(&JobSpec { depends_on: vec![JobId(99)], ..spec() }, "operator", NOW)?;
        Ok(())
    });
    assert!(matches!(failed, Err(StoreError::NoJob(JobId(99)))), "{failed:?}");
    assert_eq!(b.dump(), before);
    b.job();
}

#[test]
fn a_dependent_is_queued_by_the_end_of_the_last_that_it_waits_for() {
    let mut b = Bench::new();
    let (one, two, ann) = (b.job(), b.job(), b.worker("ann"));
    let job = b.add(JobSpec { depends_on: vec![one, two], ..spec() });
    let state = |b: &Bench| b.store.job(job).unwrap().map(|j| (j.state, j.wait_reason)).unwrap();
    for (on, then) in [(one, (JobState::Waiting, Some(WaitReason::Dependency))), (two, (JobState::Queued, None))] {
        let attempt = b.claim(on, ann).unwrap();
        assert!(b.finish(attempt, Outcome::Ok, Next::Done));
        assert_eq!(state(&b), then);
    }
}
