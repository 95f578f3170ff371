//! Waiting and following: the engine's part is played by writing to the same database and spool.

use super::{Bench, snapshot, write};
use orc::domain::{AgentEvent, AttemptId, ExitReport, JobId, Level, Next, Outcome, PartKind, PromptPart, Timestamp, Usage};
use orc::store::{Claim, Finish, NewWorker, Store};
use orc::wire::{SpooledEvent, files};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(60);
const NOW: Timestamp = Timestamp(1_772_000_000_000);

struct Stage<'a> {
    bench: &'a Bench,
    store: Store,
}

impl Stage<'_> {
    fn new(bench: &Bench) -> Stage<'_> {
        Stage { bench, store: Store::open(&bench.workspace().join("pm.db")).unwrap() }
    }

    fn claim(&mut self, job: i64) -> AttemptId {
        let name = format!("shell-{job}");
        let directory = "/".to_owned();
        self.store
            .write(|tx| {
                let worker = match tx.worker_named(&name)? {
                    Some(w) => w.id,
                    None => tx.add_worker(
                        &NewWorker {
                            name: name.clone(),
                            backend: "shell".into(),
                            model: None,
                            persona: None,
                            skills: vec![],
                            persistent: false,
                            project_id: None,
                            directory: directory.clone(),
                        },
                        "engine",
                        NOW,
                    )?,
                };
                let claim = Claim {
                    job: JobId(job),
                    worker,
                    worker_name: name.clone(),
                    backend: "shell".into(),
                    model: None,
                    epoch: 1,
                    host: "here".into(),
                    token_hash: String::new(),
                    session: None,
                    directory,
                    estimate: 10,
                };
                tx.claim(&claim, NOW)
            })
            .map_err(|e: orc::store::StoreError| e.to_string())
            .unwrap()
            .expect("the job is queued")
    }

    fn finish(&mut self, attempt: AttemptId, outcome: Outcome, next: Next, result: Option<PathBuf>) {
        // From its form on the wire: what a shim of another version leaves out has a default.
        let report: ExitReport = serde_json::from_value(serde_json::json!({
            "attempt": attempt, "outcome": outcome, "exit_code": 0, "message": format!("it ended: {outcome}"), "usage": Usage::default(),
            "usage_known": true, "result_file": result, "result_bytes": 0, "strays": 0, "ended_at": NOW,
        }))
        .unwrap();
        let done = self
            .store
            .write(|tx| {
                tx.finish(
                    &Finish {
                        report: &report,
                        next,
                        budgeted: 0,
                        recorded: 0,
                        charge: orc::domain::charge(None, report.usage, 0, true, None),
                        drop_session: false,
                    },
                    NOW,
                )
            })
            .map_err(|e: orc::store::StoreError| e.to_string())
            .unwrap();
        assert!(done);
    }

    fn folder(&self, attempt: AttemptId) -> PathBuf {
        self.bench.workspace().join("run/spool").join(attempt.to_string())
    }

    fn say(&self, attempt: AttemptId, seq: u64, event: AgentEvent) {
        let path = self.folder(attempt).join(files::SPOOL);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        let line = serde_json::to_string(&SpooledEvent { seq, at: NOW, event }).unwrap();
        writeln!(file, "{line}").unwrap();
    }
}

fn text(t: &str) -> AgentEvent {
    AgentEvent::Text { text: t.into() }
}

/// A running command whose lines are read as they come.
struct Reading {
    child: Child,
    lines: Receiver<String>,
}

impl Reading {
    fn of(bench: &Bench, args: &[&str]) -> Reading {
        let mut child = bench.command("pm").args(args).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (to, lines) = channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|l| to.send(l)));
        Reading { child, lines }
    }

    fn until(&self, what: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(DEADLINE).unwrap_or_else(|e| panic!("never saw {what:?}: {e}"));
            if line.contains(what) {
                return line;
            }
        }
    }

    fn ended(mut self) -> Option<i32> {
        // The pipe closes with the process.
        while self.lines.recv_timeout(DEADLINE).is_ok() {}
        self.child.wait().unwrap().code()
    }
}

#[test]
fn wait_returns_when_the_jobs_have_ended_and_tells_good_from_bad() {
    let b = Bench::new();
    b.do_all(&["pm job add --type shell --prompt true", "pm job add --type shell --prompt true"]);
    let mut stage = Stage::new(&b);
    let (one, two) = (stage.claim(1), stage.claim(2));
    let both = Reading::of(&b, &["job", "wait", "1", "2"]);
    let any = Reading::of(&b, &["job", "wait", "--any", "1", "2"]);
    stage.finish(one, Outcome::Ok, Next::Done, None);
    assert!(both.until("job 1").contains("done"));
    assert_eq!(any.ended(), Some(0));
    stage.finish(two, Outcome::Error, Next::Failed { note: "it broke".into() }, None);
    assert!(both.until("job 2").contains("failed: it broke"));
    assert_eq!(both.ended(), Some(1));
    assert_eq!(b.run("pm job wait 1 -q"), "$ pm job wait 1 -q\n[exit 0]\n");
}

#[test]
fn wait_gives_up_after_its_time() {
    let b = Bench::new();
    b.do_all(&["pm job add --type shell --prompt true"]);
    snapshot!("wait-timeout", b.run("pm job wait 1 --timeout 20ms"), b.run("pm job wait 1 --timeout 20ms --json"));
}

#[test]
fn tail_follows_from_before_the_start_through_a_retry_to_the_end() {
    let b = Bench::new();
    b.do_all(&["pm job add --type shell --prompt true"]);
    let tail = Reading::of(&b, &["job", "tail", "-f", "1"]);
    tail.until("job 1 is queued");
    let mut stage = Stage::new(&b);
    let first = stage.claim(1);
    stage.say(first, 1, text("first words"));
    tail.until("first words");
    stage.say(first, 2, text("last words of the first attempt"));
    stage.finish(first, Outcome::Error, Next::Queued { ready_at: None, counts: true, lost: false, note: "again".into() }, None);
    tail.until("last words");
    let second = stage.claim(1);
    stage.say(second, 1, text("second attempt"));
    tail.until("second attempt");
    stage.say(second, 2, text("good bye"));
    stage.finish(second, Outcome::Ok, Next::Done, None);
    tail.until("good bye");
    tail.until("job 1 is done");
    assert_eq!(tail.ended(), Some(0));
}

#[test]
fn the_log_is_followed_as_it_grows() {
    let b = Bench::new();
    b.do_all(&["pm job add --type shell --prompt true"]);
    let mut log = Reading::of(&b, &["log", "tail", "-f", "--json"]);
    log.until("\"what\":\"queued\"");
    b.do_all(&["pm job priority 1 P0"]);
    let line: serde_json::Value = serde_json::from_str(&log.until("priority")).unwrap();
    assert_eq!((line["job"].as_i64(), line["actor"].as_str()), (Some(1), Some("operator")));
    log.child.kill().unwrap();
    log.child.wait().unwrap();
}

#[test]
fn transcript_prompt_and_result_of_an_attempt() {
    let b = Bench::new();
    b.do_all(&["pm job add --type shell --prompt true --title T"]);
    let mut stage = Stage::new(&b);
    let attempt = stage.claim(1);
    let usage = Usage { input: 1200, output: 300, cache_read: 50_000, cache_write: 0 };
    let said = [
        AgentEvent::Session { id: "abc".into(), model: Some("m1".into()), version: None },
        AgentEvent::Thinking { text: "hm".into() },
        text("I look at it.\n\x1b[2J"),
        AgentEvent::ToolCall { id: "1".into(), name: "Bash".into(), input: "ls".into() },
        AgentEvent::ToolResult { id: "1".into(), output: "a\nb\nc\nd\ne\nf".into(), is_error: false },
        AgentEvent::Notice { level: Level::Warn, text: "tries again".into() },
        AgentEvent::Stderr { text: "a warning".into() },
        AgentEvent::Usage { usage, cost_usd: Some(0.0421) },
        AgentEvent::Result { ok: true },
    ];
    for (i, event) in said.into_iter().enumerate() {
        stage.say(attempt, i as u64 + 1, event);
    }
    let parts = [PromptPart::new(PartKind::Rules, "CLAUDE.md", "Never push."), PromptPart::new(PartKind::Job, "job 1", "true")];
    write(&stage.folder(attempt).join(files::PARTS), &serde_json::to_string(&parts).unwrap());
    let result = b.workspace().join("results/1/result.md");
    write(&result, "It is **done**.\x1b]0;owned\x07\n");
    stage.finish(attempt, Outcome::Ok, Next::Done, Some(result));
    snapshot!(
        "attempt",
        b.run("pm job tail 1"),
        b.run("pm job tail 1 -n 2"),
        b.run("pm job tail 1 --attempt 9"),
        b.run("pm job prompt 1"),
        b.run("pm job prompt 1 --json --parts"),
        b.run("pm job result 1"),
        b.run("pm job result 1 --path"),
        b.run("pm job result 1 --json"),
        b.run("pm job show 1"),
        b.run("pm why 1"),
    );
    assert_eq!(b.json("pm job tail 1 --json -n all").as_array().map(Vec::len), Some(9));
    let raw = b.command("pm").args(["job", "result", "1", "--raw"]).output().unwrap();
    assert_eq!(raw.stdout, b"It is **done**.\x1b]0;owned\x07\n");
}

#[test]
fn a_running_job_is_ended_without_an_engine_and_only_its_own_process() {
    let b = Bench::new();
    b.do_all(&["pm job add --type shell --prompt true"]);
    let mut stage = Stage::new(&b);
    let attempt = stage.claim(1);
    let mut shim = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let identity = orc::os::process::identity(shim.id() as i32).unwrap();
    let other = orc::domain::ProcessIdentity { start_time: identity.start_time + 1, ..identity.clone() };
    let name = |id| write(&stage.folder(attempt).join(files::SHIM), &serde_json::to_string(id).unwrap());
    name(&other);
    let first = b.run("pm job kill 1");
    assert!(orc::os::process::alive(&identity), "another process of that number is left alone");
    name(&identity);
    let second = b.run("pm job kill 1");
    assert!(orc::os::process::Handle::of(&identity).unwrap().ended_within(DEADLINE));
    shim.wait().unwrap();
    snapshot!("kill-running", first, second, b.run("pm job show 1"));
}
