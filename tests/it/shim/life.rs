//! From start to acknowledged end, and what the agent finds.

use super::*;
use orc::domain::{AgentEvent, Outcome};
use orc::wire::{EngineFrame, ShimFrame};
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn an_attempt_runs_is_told_reported_and_acknowledged() {
    let mut attempt = Attempt::of("echo one; echo two; echo oops >&2");
    let engine = attempt.engine();
    attempt.start();
    let (mut link, hello) = engine.call().await;
    assert_eq!((hello.attempt, hello.token.as_str()), (attempt.spec.attempt, TOKEN));
    assert_eq!(Some(hello.identity), process::identity(attempt.pid()));
    assert_eq!(attempt.json::<ProcessIdentity>(files::SHIM).pid, attempt.pid());
    assert_eq!(attempt.read(files::OWNER), "shim");
    link.send(EngineFrame::Welcome { epoch: 1, acked: 0 }).await;
    let (events, seq, report) = link.until_exit().await;
    assert_eq!(attempt.exit(), report, "the report is on disk before it is sent");
    assert_eq!(events, attempt.spool(), "what is sent is what is spooled");
    assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), (1..seq).collect::<Vec<_>>());
    let agent = attempt.agent();
    assert_eq!(events[0].event, AgentEvent::Started { pid: agent.pid, start_time: agent.start_time });
    let stderr = |e: &SpooledEvent| matches!(&e.event, AgentEvent::Stderr { text } if text == "oops");
    assert!(events.iter().any(stderr), "{events:?}");
    assert_eq!((report.outcome, report.exit_code, report.signal, report.strays), (Outcome::Ok, Some(0), None, 0));
    assert_eq!(attempt.read(files::STDOUT), "one\ntwo\n");
    assert_eq!(attempt.read(files::STDERR), "oops\n");
    let result = attempt.read("results/result.md");
    assert_eq!((result.trim_end(), result.len() as u64), ("one\ntwo", report.result_bytes));
    assert!(process::alive(&process::identity(attempt.pid()).unwrap()), "it stays until it is acknowledged");
    link.ack(seq).await;
    assert_eq!(attempt.left(), Some(0));
    assert!(!attempt.path(files::TMP).exists(), "the private TMPDIR goes with it");
    let log = attempt.read(files::SHIM_LOG);
    assert!(log.contains("left after 4 fsyncs"), "result and report, each a file and its folder: {log}");
}

#[tokio::test]
async fn everything_it_makes_is_private() {
    let mut attempt = Attempt::of("echo one; echo two >&2");
    attempt.start().ended();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for name in [
        files::OWNER,
        files::SHIM,
        files::AGENT,
        files::SPOOL,
        files::STDOUT,
        files::STDERR,
        files::EXIT,
        files::SHIM_LOG,
        "results/result.md",
    ] {
        assert_eq!(mode(&attempt.path(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&attempt.path("results")), 0o700);
    assert_eq!(mode(&attempt.path("work")), 0o700);
}

#[test]
fn an_owner_keeps_the_agent_from_ever_starting() {
    let mut attempt = Attempt::of("touch \"$OUT\"");
    let out = attempt.path("ran");
    attempt.spec.env.insert("OUT".to_owned(), out.display().to_string());
    std::fs::write(attempt.path(files::OWNER), "fenced").unwrap();
    attempt.start();
    assert_eq!(attempt.left(), Some(0));
    assert!(!out.exists() && !attempt.path(files::AGENT).exists() && !attempt.path(files::EXIT).exists());
    assert_eq!(attempt.read(files::OWNER), "fenced");
}

#[test]
fn of_two_job_processes_one_runs_the_agent() {
    let mut attempt = Attempt::of("echo ran >> \"$OUT\"");
    let out = attempt.path("ran");
    attempt.spec.env.insert("OUT".to_owned(), out.display().to_string());
    attempt.start();
    let mut other = Command::new(SHIM).arg("run").arg(attempt.dir.path()).stdin(Stdio::piped()).spawn().unwrap();
    writeln!(other.stdin.take().unwrap(), "{TOKEN}").unwrap();
    attempt.exit();
    let first = process::identity(attempt.pid());
    for handle in first.iter().chain(&process::identity(other.id() as i32)).filter_map(process::Handle::of) {
        handle.signal(process::Signal::TERM);
    }
    attempt.left();
    other.wait().unwrap();
    assert_eq!(std::fs::read_to_string(out).unwrap(), "ran\n");
}

#[test]
fn the_agent_finds_its_environment() {
    let script = "env; echo \"cwd=$(pwd)\"; ls -d \"$TMPDIR\"";
    let mut attempt = Attempt::of(script);
    attempt.spec.env.insert("GIVEN".to_owned(), "yes".to_owned());
    attempt.spec.env_remove = vec!["ORC_TEST_*".to_owned(), "LANG".to_owned()];
    attempt.spec.path_prefix = vec![attempt.path("bin"), attempt.path("more")];
    attempt.start().ended();
    let out = attempt.read(files::STDOUT);
    let has = |line: String| assert!(out.lines().any(|l| l == line), "{line} in {out}");
    has("GIVEN=yes".to_owned());
    has(format!("ORC_ATTEMPT={}", attempt.spec.mark()));
    has(format!("ORC_TOKEN={TOKEN}"));
    has(format!("TMPDIR={}", attempt.path(files::TMP).display()));
    has(format!("cwd={}", attempt.spec.cwd.display()));
    has(attempt.path(files::TMP).display().to_string());
    let path = out.lines().find_map(|l| l.strip_prefix("PATH=")).unwrap();
    let inherited = std::env::var("PATH").unwrap();
    assert_eq!(path, format!("{}:{}:{inherited}", attempt.path("bin").display(), attempt.path("more").display()));
    assert!(!out.contains("ORC_TEST_SECRET"), "{out}");
}

#[test]
fn the_agent_is_on_disk_before_its_first_instruction() {
    let mut attempt = Attempt::of("cat \"$ORC_AGENT_JSON\"; echo; echo \"pid $$\"");
    let path = attempt.path(files::AGENT);
    attempt.spec.env.insert("ORC_AGENT_JSON".to_owned(), path.display().to_string());
    attempt.start().ended();
    let out = attempt.read(files::STDOUT);
    let (json, pid) = out.trim_end().split_once('\n').unwrap();
    let found: ProcessIdentity = serde_json::from_str(json).unwrap();
    assert_eq!(format!("pid {}", found.pid), pid);
    assert_eq!(found, attempt.agent());
}

#[test]
fn the_prompt_arrives_whole_and_ends() {
    let prompt: String = (0..200_000).map(|i| format!("{i}\n")).collect();
    let mut attempt = Attempt::of("cat > \"$TMPDIR/got\"; cp \"$TMPDIR/got\" \"$OUT\"");
    let out = attempt.path("got");
    attempt.spec.env.insert("OUT".to_owned(), out.display().to_string());
    std::fs::write(attempt.path(files::PROMPT), &prompt).unwrap();
    assert_eq!(attempt.start().ended().outcome, Outcome::Ok);
    assert!(std::fs::read_to_string(out).unwrap() == prompt);
}

#[test]
fn an_agent_that_does_not_read_its_prompt_is_none_the_worse() {
    let mut attempt = Attempt::of("exec <&-; echo done");
    std::fs::write(attempt.path(files::PROMPT), "x".repeat(1 << 20)).unwrap();
    assert_eq!(attempt.start().ended().outcome, Outcome::Ok);
}

#[test]
fn the_token_is_in_no_file_and_not_in_the_job_process() {
    let mut attempt = Attempt::of("echo up; exec tail -f /dev/null");
    attempt.start();
    within(|| attempt.read(files::STDOUT).contains("up").then_some(()));
    for of_shim in ["cmdline", "environ"] {
        let bytes = std::fs::read(format!("/proc/{}/{of_shim}", attempt.pid())).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(TOKEN), "{of_shim}");
    }
    let argv = std::fs::read(format!("/proc/{}/cmdline", attempt.agent().pid)).unwrap();
    assert!(!String::from_utf8_lossy(&argv).contains(TOKEN));
    attempt.terminate_shim();
    attempt.exit();
    attempt.terminate_shim();
    attempt.left();
    for entry in std::fs::read_dir(attempt.dir.path()).unwrap().flatten().filter(|e| e.path().is_file()) {
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(TOKEN), "{:?}", entry.path());
    }
}

#[test]
fn a_call_that_cannot_be_right_is_refused_and_says_why() {
    let mut attempt = Attempt::of("true");
    attempt.spec.protocol = PROTOCOL + 1;
    attempt.start();
    assert_eq!(attempt.left(), Some(2));
    assert!(attempt.read(files::SHIM_LOG).contains("protocol"), "{}", attempt.read(files::SHIM_LOG));
    assert!(!attempt.path(files::OWNER).exists(), "the engine may still fence it");

    let tokenless = Command::new(SHIM).arg("run").arg(attempt.dir.path()).stdin(Stdio::null()).output().unwrap();
    assert_eq!(tokenless.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&tokenless.stderr).contains("token"));

    let usage = Command::new(SHIM).arg("frobnicate").output().unwrap();
    assert_eq!(usage.status.code(), Some(2));
}

#[test]
fn without_its_parent_nothing_is_executed() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("ran");
    let exec = |parent: &str, go: &str| {
        let mut child = Command::new(SHIM).args(["--exec", parent, "--", "touch"]).arg(&out).stdin(Stdio::piped()).spawn().unwrap();
        // One that has left already does not take it.
        let _ = child.stdin.take().unwrap().write_all(go.as_bytes());
        child.wait().unwrap().code()
    };
    let me = std::process::id().to_string();
    assert_eq!(exec("1", "\n"), Some(125), "the parent is another");
    assert_eq!(exec(&me, ""), Some(125), "nobody said go");
    assert!(!out.exists());
    assert_eq!(exec(&me, "\n"), Some(0));
    assert!(out.exists());
}

#[tokio::test]
async fn heartbeats_come_on_connecting_and_then_at_their_interval() {
    let mut attempt = Attempt::of("sh -c 'while :; do :; done' & while :; do :; done");
    attempt.spec.limits.heartbeat_ms = 300;
    attempt.spec.limits.kill_grace_ms = 0;
    let engine = attempt.engine();
    attempt.start();
    let mut link = engine.welcome(0).await;
    let mut beats = Vec::new();
    while beats.len() < 4 {
        if let ShimFrame::Heartbeat(beat) = link.next().await {
            beats.push(beat);
        }
    }
    let last = beats.last().unwrap();
    assert!(last.agent_alive && last.processes == 2 && last.rss_bytes > 0 && last.hang.is_none(), "{last:?}");
    assert!(last.cpu_delta_ms > 0 && last.cpu_ms >= last.cpu_delta_ms, "both loops use the CPU: {beats:?}");
    assert!(beats.windows(2).all(|pair| pair[0].at < pair[1].at && pair[0].byte_age_ms < pair[1].byte_age_ms), "{beats:?}");
}
