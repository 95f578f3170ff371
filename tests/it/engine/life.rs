//! Adoption, leaving, killing, waiting: with real processes.

use super::Bench;
use orc::domain::{Applied, Command, JobState, Lane, Outcome, Priority};
use orc::os::process;
use std::time::Duration;

#[test]
fn a_running_job_is_adopted_with_nothing_lost_or_doubled() {
    let mut b = Bench::new(&[]);
    let job = b.run(&b.gated("pid", "go"));
    b.start();
    let pid = b.appears("pid");
    let agent = process::identity(pid.trim().parse().unwrap()).unwrap();
    b.crash();
    assert!(process::alive(&agent));
    b.start();
    b.within(|| (b.store.engine_state().unwrap().epoch >= 2).then_some(()));
    assert!(process::alive(&agent), "the agent keeps its process across engines");
    b.touch("go");
    assert_eq!(b.ends(job), JobState::Done);
    assert_eq!(b.attempts(job).len(), 1);
    assert_eq!((b.appears("pid"), b.appears("ran").lines().count()), (pid, 1));
}

#[test]
fn a_job_that_ends_while_no_engine_runs_is_taken_from_its_report() {
    let mut b = Bench::new(&[]);
    let job = b.run(&b.gated("pid", "go"));
    b.start();
    b.appears("pid");
    b.stop();
    assert_eq!(b.job(job).state, JobState::Running, "a stop leaves jobs running");
    b.touch("go");
    let report = b.workspace.attempt_dir(b.job(job).attempt.unwrap()).join(orc::wire::files::EXIT);
    b.within(|| report.exists().then_some(()));
    b.start();
    assert_eq!(b.ends(job), JobState::Done);
    assert_eq!(b.appears("ran").lines().count(), 1);
}

#[test]
fn a_drained_engine_finishes_what_runs_and_starts_nothing() {
    let mut b = Bench::new(&["max_running=1"]);
    let (first, second) = (b.run(&b.gated("pid", "go")), b.run("true"));
    b.start();
    b.appears("pid");
    b.apply(Command::Drain { on: true });
    b.touch("go");
    let mut engine = b.engine.take().unwrap();
    assert!(b.within(|| engine.try_wait().unwrap()).success());
    assert_eq!((b.job(first).state, b.job(second).state), (JobState::Done, JobState::Queued));
}

#[test]
fn a_kill_ends_the_whole_tree() {
    let mut b = Bench::new(&[]);
    let job = b.run(&format!("setsid sleep 1000 & sleep 1000 & {}", b.gated("pid", "never")));
    b.start();
    b.appears("pid");
    let attempt = b.job(job).attempt.unwrap();
    b.within(|| (b.marked(attempt).len() >= 4).then_some(()));
    assert!(matches!(b.apply(Command::Kill { job, seen: None }), Applied::Done { .. }));
    assert_eq!(b.ends(job), JobState::Killed);
    b.within(|| b.marked(attempt).is_empty().then_some(()));
}

#[test]
fn an_urgent_job_starts_through_the_reserved_slot() {
    let mut b = Bench::new(&["max_running=2", "reserved_slots=1"]);
    let holding: Vec<_> = (0..2).map(|i| b.run(&b.gated(&format!("pid{i}"), "go"))).collect();
    let waiting = b.run("true");
    b.start();
    b.appears("pid0");
    b.appears("pid1");
    let urgent = b.add(orc::domain::JobSpec { priority: Priority::P0, ..b.spec("true") });
    assert_eq!(b.ends(urgent), JobState::Done);
    assert_eq!(b.job(waiting).state, JobState::Queued, "the reserved slot is for P0 only");
    b.touch("go");
    for job in holding.into_iter().chain([waiting]) {
        assert_eq!(b.ends(job), JobState::Done);
    }
}

#[test]
fn a_job_waits_for_its_dependency_and_for_its_date() {
    let mut b = Bench::new(&[]);
    let first = b.run(&b.gated("pid", "go"));
    let second = b.add(orc::domain::JobSpec { depends_on: vec![first], ..b.spec(&b.gated("pid2", "go")) });
    let date = b.later(Duration::from_millis(1500));
    let third = b.add(orc::domain::JobSpec { not_before: Some(date), ..b.spec("true") });
    b.start();
    b.appears("pid");
    assert_eq!((b.job(second).state, b.job(third).state), (JobState::Waiting, JobState::Waiting));
    b.touch("go");
    assert_eq!((b.ends(first), b.ends(second), b.ends(third)), (JobState::Done, JobState::Done, JobState::Done));
    assert_eq!(b.appears("ran"), format!("{first} {}\n{second} {}\n", mark(&b, first), mark(&b, second)));
    assert!(b.job(third).started_at.unwrap() >= date);
}

fn mark(b: &Bench, job: orc::domain::JobId) -> String {
    orc::wire::attempt_mark(&b.store.workspace_id().unwrap(), b.attempts(job)[0].id)
}

#[test]
fn a_paused_lane_holds_its_jobs_and_no_others() {
    let mut b = Bench::new(&[]);
    b.apply(Command::PauseLane { lane: Lane::Normal, paused: true });
    let held = b.run("true");
    let passes = b.add(orc::domain::JobSpec { priority: Priority::P5, ..b.spec("true") });
    b.start();
    assert_eq!(b.ends(passes), JobState::Done);
    assert_eq!(b.job(held).state, JobState::Queued);
    b.apply(Command::PauseLane { lane: Lane::Normal, paused: false });
    assert_eq!(b.ends(held), JobState::Done);
}

#[test]
fn a_lost_shim_costs_a_loss_and_no_attempt() {
    let mut b = Bench::new(&[]);
    let job = b.run(&b.gated("pid", "go"));
    b.start();
    b.appears("pid");
    let attempt = b.job(job).attempt.unwrap();
    let shim = b.within(|| b.attempts(job)[0].shim.clone());
    process::Handle::of(&shim).unwrap().signal(process::Signal::KILL);
    b.within(|| (b.attempts(job).len() == 2).then_some(()));
    let again = b.job(job);
    assert_eq!((again.losses, again.attempts), (1, 0));
    assert!(b.marked(attempt).is_empty(), "nothing of the lost attempt is left when its job runs again");
    b.touch("go");
    assert_eq!(b.ends(job), JobState::Done);
    assert_eq!(b.attempts(job).iter().map(|a| a.outcome).collect::<Vec<_>>(), [Some(Outcome::Lost), Some(Outcome::Ok)]);
}
