//! The watchdogs.

use super::*;
use orc::domain::{AgentEvent, Hang, Outcome};
use orc::wire::ShimFrame;

#[test]
fn past_its_time_limit_an_attempt_is_ended() {
    let mut attempt = Attempt::of("exec tail -f /dev/null");
    attempt.spec.limits.timeout_ms = 300;
    let report = attempt.start().ended();
    assert_eq!((report.outcome, report.signal), (Outcome::Timeout, Some(15)));
    assert!(report.message.contains("300ms"), "{}", report.message);
    assert_eq!(attempt.marked(), []);
}

#[test]
fn the_grace_between_sigterm_and_sigkill_is_kept_to() {
    let mut attempt = Attempt::of("trap 'echo asked' TERM; echo up; while :; do sleep 0.01; done");
    attempt.spec.limits.timeout_ms = 300;
    attempt.spec.limits.kill_grace_ms = 400;
    let started = Instant::now();
    let report = attempt.start().ended();
    assert_eq!((report.outcome, report.signal), (Outcome::Timeout, Some(9)));
    assert!(started.elapsed() >= Duration::from_millis(700));
    assert_eq!(attempt.read(files::STDOUT), "up\nasked\n");
}

#[tokio::test]
async fn silence_is_a_verdict_and_ends_when_it_moves() {
    let mut attempt = Attempt::of("read go < \"$GATE\"; echo moving; exec tail -f /dev/null");
    let gate = attempt.path("gate");
    assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
    attempt.spec.env.insert("GATE".to_owned(), gate.display().to_string());
    attempt.spec.limits.stall_after_ms = 300;
    let engine = attempt.engine();
    attempt.start();
    let mut link = engine.welcome(0).await;
    let verdict = |event: &AgentEvent| match event {
        AgentEvent::Hanging { verdict } => Some(*verdict),
        _ => None,
    };
    // A heartbeat says so at once, and the event stays.
    let (mut told, mut spooled) = (false, false);
    while !(told && spooled) {
        match link.next().await {
            ShimFrame::Heartbeat(beat) => told |= beat.hang == Some(Hang::NoOutput) && beat.byte_age_ms >= 300,
            ShimFrame::Event(event) => spooled |= verdict(&event.event) == Some(Hang::NoOutput),
            other => panic!("{other:?}"),
        }
    }
    std::fs::write(&gate, "go\n").unwrap();
    link.until(|event| matches!(event, AgentEvent::Moving).then_some(())).await;
    assert_eq!(link.until(verdict).await, Hang::SilentIdle, "it has been silent again");
    assert!(!attempt.path(files::EXIT).exists(), "a verdict alone ends nothing");
}

#[tokio::test]
async fn silence_with_work_is_told_apart() {
    let mut attempt = Attempt::of("echo up; while :; do :; done");
    attempt.spec.limits.stall_after_ms = 600;
    let engine = attempt.engine();
    attempt.start();
    let mut link = engine.welcome(0).await;
    let verdict = link.until(|event| match event {
        AgentEvent::Hanging { verdict } => Some(*verdict),
        _ => None,
    });
    assert_eq!(verdict.await, Hang::SilentBusy);
}

#[test]
fn bytes_without_progress_are_a_hang_and_may_end_it() {
    let mut attempt = Attempt::of("while :; do echo retrying >&2; done");
    attempt.spec.limits.stall_after_ms = 1000;
    attempt.spec.limits.stall_kill = true;
    let report = attempt.start().ended();
    assert_eq!(report.outcome, Outcome::Stalled);
    assert!(report.message.contains("nothing that means progress"), "{}", report.message);
    let hangs = attempt.spool().into_iter().filter(|e| e.event == AgentEvent::Hanging { verdict: Hang::NoProgress });
    assert_eq!(hangs.count(), 1);
}

#[test]
fn a_result_without_an_exit_counts_as_the_result() {
    let mut attempt = Attempt::of("echo '{\"type\":\"result\",\"ok\":true}'; exec tail -f /dev/null");
    attempt.spec.dialect = Dialect::Native;
    attempt.spec.limits.exit_grace_ms = 200;
    attempt.spec.limits.stall_after_ms = 50;
    let report = attempt.start().ended();
    assert_eq!((report.outcome, report.signal), (Outcome::Ok, Some(15)));
    assert!(report.message.contains("did not exit within 200ms"), "{}", report.message);
    let hangs: Vec<_> = attempt.spool().into_iter().filter(|e| matches!(e.event, AgentEvent::Hanging { .. })).collect();
    assert_eq!(hangs.last().unwrap().event, AgentEvent::Hanging { verdict: Hang::NoExit });
}

#[test]
fn too_much_output_ends_the_attempt() {
    let mut attempt = Attempt::of("yes");
    attempt.spec.limits.max_output_bytes = 1 << 20;
    let report = attempt.start().ended();
    assert_eq!(report.outcome, Outcome::Error);
    assert!(report.message.contains("1048576 bytes"), "{}", report.message);
    // What was in the pipe and in the buffers at the moment is all that goes beyond.
    assert!(std::fs::metadata(attempt.path(files::STDOUT)).unwrap().len() < 3 << 20);
}
