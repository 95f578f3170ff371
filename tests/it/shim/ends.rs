//! However an attempt ends, nothing of it stays.

use super::*;
use orc::domain::Outcome;
use orc::wire::EngineFrame;

/// A tree that does not want to go: a child in the group, and one with a child of its own in another session; all are deaf to
/// SIGTERM. They say `up` three times.
const STUBBORN: &str = "trap '' TERM; setsid sh -c 'sh -c \"echo up; sleep 600; :\" & echo up; wait; sleep 600' & \
    sh -c 'echo up; sleep 600; :' & wait; sleep 600";

#[tokio::test]
async fn a_cancel_ends_the_whole_tree() {
    let mut attempt = Attempt::of(STUBBORN);
    let engine = attempt.engine();
    attempt.start();
    let mut link = engine.welcome(0).await;
    for _ in 0..3 {
        link.text("up").await;
    }
    link.send(EngineFrame::Cancel { grace_ms: 50, reason: "by the operator".to_owned() }).await;
    let (_, seq, report) = link.until_exit().await;
    assert_eq!((report.outcome, report.signal), (Outcome::Killed, Some(9)));
    assert!(report.message.contains("by the operator"), "{}", report.message);
    assert!(report.strays >= 3, "{report:?}");
    assert_eq!(attempt.marked(), []);
    link.ack(seq).await;
    assert_eq!(attempt.left(), Some(0));
}

#[tokio::test]
async fn what_an_agent_leaves_running_goes_with_it_and_is_counted() {
    let mut attempt = Attempt::of(
        "setsid sh -c 'echo up; exec tail -f /dev/null' & wait_up() { :; }; while ! [ -s \"$OUT\" ]; do sleep 0.01; done; echo done",
    );
    let out = attempt.path(files::STDOUT);
    attempt.spec.env.insert("OUT".to_owned(), out.display().to_string());
    let report = attempt.start().ended();
    assert_eq!((report.outcome, report.strays), (Outcome::Ok, 1));
    assert_eq!(attempt.read(files::STDOUT), "up\ndone\n", "a stray that holds the pipe holds up nothing");
    assert_eq!(attempt.marked(), []);
}

#[test]
fn sigterm_to_the_job_process_is_an_operators_cancel() {
    let mut attempt = Attempt::of("echo up; exec tail -f /dev/null");
    attempt.start();
    within(|| attempt.read(files::STDOUT).contains("up").then_some(()));
    attempt.terminate_shim();
    let report = attempt.ended();
    assert_eq!((report.outcome, report.signal), (Outcome::Killed, Some(15)), "the agent went at SIGTERM");
    assert_eq!(attempt.marked(), []);
}

#[test]
fn with_its_job_process_the_agent_dies_and_the_rest_is_found() {
    let mut attempt = Attempt::of(STUBBORN);
    attempt.start();
    within(|| (attempt.read(files::STDOUT).lines().count() == 3).then_some(()));
    let agent = attempt.agent();
    assert!(process::alive(&agent));
    attempt.kill_shim();
    within(|| (!process::alive(&agent)).then_some(()));
    assert!(!attempt.marked().is_empty(), "the others live on, without anyone to end them");
    let swept = Command::new(SHIM).args(["--sweep", &attempt.spec.mark()]).output().unwrap();
    assert_eq!((swept.status.code(), swept.stdout.as_slice()), (Some(0), &b"0\n"[..]));
    assert_eq!(attempt.marked(), []);
    assert!(!attempt.path(files::EXIT).exists());
}

#[tokio::test]
async fn a_superseded_shim_ends_its_agent_and_says_nothing() {
    let mut attempt = Attempt::of("echo up; exec tail -f /dev/null");
    let engine = attempt.engine();
    attempt.start();
    let mut link = engine.welcome(0).await;
    link.text("up").await;
    link.send(EngineFrame::Bye { reason: "superseded".to_owned() }).await;
    while let Some(frame) = link.try_next().await {
        assert!(!matches!(frame, orc::wire::ShimFrame::Exit { .. }), "{frame:?}");
    }
    assert_eq!(attempt.left(), Some(0));
    assert_eq!(attempt.marked(), []);
    assert!(!attempt.path(files::EXIT).exists());
}

#[tokio::test]
async fn a_refused_hello_ends_the_agent_too() {
    let mut attempt = Attempt::of("exec tail -f /dev/null");
    let engine = attempt.engine();
    attempt.start();
    let (mut link, _) = engine.call().await;
    link.send(EngineFrame::Bye { reason: "unknown attempt".to_owned() }).await;
    assert_eq!(attempt.left(), Some(0));
    assert_eq!(attempt.marked(), []);
}

#[test]
fn a_missing_program_is_named_with_what_to_do() {
    let mut attempt = Attempt::of("true");
    attempt.spec.argv = vec!["no-such-cli".to_owned(), "-p".to_owned()];
    attempt.spec.backend = "claude".to_owned();
    let report = attempt.start().ended();
    assert_eq!((report.outcome, report.exit_code), (Outcome::Error, Some(127)));
    for part in ["no-such-cli", "no such program", "`claude`", "orc backend check"] {
        assert!(report.message.contains(part), "{part}: {}", report.message);
    }
}

#[test]
fn a_program_that_cannot_be_executed_is_told_apart() {
    let mut attempt = Attempt::of("true");
    attempt.spec.argv = vec![attempt.path(files::PROMPT).display().to_string()];
    let report = attempt.start().ended();
    assert_eq!((report.outcome, report.exit_code), (Outcome::Error, Some(126)));
    assert!(report.message.contains("Permission denied"), "{}", report.message);
}

#[test]
fn a_directory_that_cannot_be_made_is_an_outcome() {
    let mut attempt = Attempt::of("true");
    attempt.spec.cwd = attempt.path(files::PROMPT).join("below a file");
    let report = attempt.start().ended();
    assert_eq!((report.outcome, report.exit_code), (Outcome::Error, None));
    assert!(report.message.contains("below a file") && report.message.contains("another directory"), "{}", report.message);
    assert!(!attempt.path(files::AGENT).exists());
}

#[test]
fn a_result_that_cannot_be_kept_is_no_success() {
    let mut attempt = Attempt::of("echo the result");
    attempt.spec.result_file = attempt.path(files::PROMPT).join("below a file");
    let report = attempt.start().ended();
    assert_eq!((report.outcome, report.result_file), (Outcome::Error, None));
    assert!(report.message.contains("could not be kept"), "{}", report.message);
}
