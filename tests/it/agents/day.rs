//! A day as an operator has it, played by one command: `cargo test --test it scripted_day -- --nocapture`. A message becomes a plan,
//! the plan is approved in the console, its three jobs run one after the other, one fails its review twice and passes the third time
//! in the same session, one asks and is answered, and the project waits for approval and gets it. The console runs under tmux and is
//! told what a person would type; Claude Code works, Codex reviews, and both talk to a model server on loopback.

use super::{Mock, installed, signed_in};
use crate::engine::Bench;
use orc::domain::{Class, Job, JobId, JobState, MessageId, PlanId, PlanState, ProjectState, ReviewOutcome, Says, WaitReason};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(120);

/// A console in a tmux of its own.
struct Tmux {
    socket: String,
}

impl Tmux {
    fn run(&self, args: &[&str]) -> String {
        let out = Command::new("tmux").args(["-L", &self.socket, "-f", "/dev/null"]).args(args).output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    fn start(bench: &Bench, settings: &[&str]) -> Tmux {
        let tmux = Tmux { socket: format!("orc-day-{}", std::process::id()) };
        let mut command = Command::new("tmux");
        command.args(["-L", &tmux.socket, "-f", "/dev/null", "new-session", "-d", "-s", "day", "-x", "120", "-y", "40"]);
        command.env_clear().env("HOME", bench.dir.path()).env("TERM", "xterm-256color").env("LANG", "C.UTF-8").envs(&bench.env);
        command.args([env!("CARGO_BIN_EXE_orc"), "--workspace"]).arg(bench.workspace.root());
        for set in settings {
            command.args(["--set", set]);
        }
        assert!(command.arg("tui").stdin(Stdio::null()).status().unwrap().success());
        tmux
    }

    fn keys(&self, keys: &[&str]) {
        self.run(&[&["send-keys", "-t", "day"], keys].concat());
    }

    fn types(&self, text: &str) {
        self.run(&["send-keys", "-t", "day", "-l", text]);
    }

    fn screen(&self) -> String {
        self.run(&["capture-pane", "-p", "-t", "day"])
    }

    /// Waits until all of this stands on the screen.
    #[track_caller]
    fn shows(&self, all: &[&str]) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            let screen = self.screen();
            if all.iter().all(|s| screen.contains(s)) {
                return screen;
            }
            assert!(Instant::now() < until, "{all:?} never came; this did:\n{screen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.screen());
        }
        self.run(&["kill-server"]);
    }
}

/// What the reviewer answers: one score for all, fixes, and what it says of the fixes before.
fn verdict(kind: &str, score: f64, fixes: &[&str], earlier: &[(u32, bool)]) -> Value {
    let rubric = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("config/rubrics/{kind}.toml"));
    let rubric: toml::Table = std::fs::read_to_string(rubric).unwrap().parse().unwrap();
    let ids: Vec<&str> = rubric["criterion"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    let criteria: Vec<Value> = ids.iter().map(|id| json!({"id": id, "score": score, "evidence": "read in RESULT.md"})).collect();
    let fixes: Vec<Value> = fixes.iter().map(|text| json!({"criterion": ids[0], "text": text})).collect();
    let earlier: Vec<Value> = earlier.iter().map(|(fix, closed)| json!({"fix": fix, "closed": closed, "evidence": "looked"})).collect();
    json!({"text": json!({"criteria": criteria, "fixes": fixes, "earlier": earlier}).to_string()})
}

fn scenario() -> Value {
    let task = |key: &str, on: &[&str]| {
        let title = format!("The {key} page");
        json!({"key": key, "title": title, "kind": "writing", "prompt": format!("Write the {key} page."), "depends_on": on, "type": "claude"})
    };
    let plan = json!({"goal": "The shop sells tea", "check": "three pages stand in the results",
        "tasks": [task("front", &[]), task("price", &["front"]), task("order", &["price"])]});
    let triage = json!({"class": "big", "confidence": 0.9, "title": "Sell tea", "reply": "A tea shop it is."});
    let judged = |what: &str, turn: Value| json!({"name": what, "match": {"dialect": "responses", "prompt": "job that was given: The price page"}, "max_uses": 1, "turns": [turn]});
    let card = "pm decision ask --question 'Which colour?' --option 'b:Blue' --option 'g:Green'";
    json!({"rules": [
        judged("first", verdict("writing", 0.3, &["Name the price.", "Say it in one sentence."], &[])),
        judged("second", verdict("writing", 0.9, &[], &[(1, true), (2, false)])),
        judged("third", verdict("writing", 0.9, &[], &[(1, true)])),
        {"match": {"dialect": "responses", "prompt": "job that was given: Plan"}, "turns": [verdict("plan", 0.9, &[], &[])]},
        {"match": {"dialect": "responses", "prompt": "Review the work of another agent"}, "turns": [verdict("writing", 0.9, &[], &[])]},
        {"match": {"prompt": "Your questions are answered.*Blue"}, "turns": [{"text": "The order page, in blue."}]},
        {"match": {"prompt": "Write the order page"}, "turns": [{"shell": card}, {"text": "Asked."}]},
        {"match": {"prompt": "Say it in one sentence"}, "turns": [{"text": "Tea costs 4.00 a bag."}]},
        {"match": {"prompt": "Write the price page"}, "turns": [{"text": "Tea costs something."}]},
        {"match": {"prompt": "Write the front page"}, "turns": [{"text": "We sell tea."}]},
        {"match": {"prompt": "Make a plan for what is asked"}, "turns": [{"text": plan.to_string()}]},
        {"match": {"prompt": "Sort one message"}, "turns": [{"text": triage.to_string()}]},
    ]})
}

/// A workspace in which Claude Code works and Codex reviews.
fn workplace() -> Option<(Mock, Bench)> {
    let (claude, _) = (installed("claude")?, installed("codex")?);
    if !Command::new("tmux").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success()) {
        println!("skipped: tmux is not there, in which the console runs");
        return None;
    }
    let (mock, mut bench) = (Mock::start(), Bench::new(&[]));
    mock.scenario(&scenario());
    for name in ["codex", "claude"] {
        let more = signed_in(name, mock.port, bench.dir.path());
        bench.env.extend(more);
    }
    bench.env.insert("OPENAI_API_KEY", "test-key".to_owned());
    bench.env.insert("PATH", format!("{}:/usr/bin:/bin", claude.parent().unwrap().display()));
    Some((mock, bench))
}

fn told(what: &str, began: Instant) {
    println!("{:6.1} s  {what}", began.elapsed().as_secs_f64());
}

#[test]
fn scripted_day() {
    let Some((mock, b)) = workplace() else { return };
    let began = Instant::now();
    let settings = [
        "memory_low_water=0B",
        "disk_low_water=0B",
        "work_backend=claude",
        "reviewer=codex",
        "memory_backend=none",
        "timeout.triage=60s",
        "tick=1s",
    ];
    let console = Tmux::start(&b, &settings);
    console.shows(&["Dashboard", "running"]);

    // A message, and what it is taken for.
    console.keys(&["m"]);
    console.shows(&["Message"]);
    console.types("Let our shop sell tea, online too");
    console.keys(&["Enter"]);
    let plan = b.within(|| b.store.plan(PlanId(1)).unwrap().filter(|p| p.state == PlanState::Proposed));
    let message = b.store.message(MessageId(1)).unwrap().unwrap();
    assert_eq!((message.triage.map(|t| t.class), message.triaged_by.as_deref()), (Some(Class::Big), Some("claude")));
    told("the message is a plan, which waits", began);

    // The plan as a graph with estimates; nothing of it is made yet.
    console.shows(&["Approvals(1)"]);
    console.keys(&["4", "g"]);
    let screen = console.shows(&["Plan 1", "The front page", "The price page", "The order page"]);
    assert!(screen.contains("tokens"), "{screen}");
    assert!(b.store.plan_jobs(plan.id).unwrap().is_empty() && b.store.projects().unwrap().is_empty());
    console.keys(&["a"]);
    console.shows(&["Approve plan 1?"]);
    console.keys(&["Enter"]);
    let jobs = b.within(|| Some(b.store.plan_jobs(plan.id).unwrap()).filter(|j| j.len() == 3));
    let ids: Vec<JobId> = ["front", "price", "order"].map(|key| jobs.iter().find(|j| j.key == key).unwrap().job).to_vec();
    told("approved; its three jobs are queued", began);

    // The second fails its review twice and passes the third time, in the session that wrote it.
    assert_eq!(b.ends(ids[0]), JobState::Done);
    assert_eq!(b.ends(ids[1]), JobState::Done, "{:?}", b.job(ids[1]).note);
    let rounds = b.store.reviews(ids[1]).unwrap();
    let outcomes: Vec<_> = rounds.iter().map(|r| r.outcome.unwrap()).collect();
    assert_eq!(outcomes, [ReviewOutcome::Fixes, ReviewOutcome::Fixes, ReviewOutcome::Passed]);
    assert!(rounds.iter().all(|r| r.reviewer.as_deref().is_some_and(|r| r.starts_with("codex") && r.contains("another model family"))));
    let closed = |n: usize| rounds[n].fixes.iter().map(|f| (f.number, f.closed)).collect::<Vec<_>>();
    // One fix is closed after the other; what is open is numbered anew.
    assert_eq!((closed(0), closed(1)), (vec![(1, true), (2, false)], vec![(1, true)]));
    let attempts = b.attempts(ids[1]);
    assert_eq!(attempts.len(), 3);
    assert!(attempts[0].session.is_some() && attempts.iter().all(|a| a.session == attempts[0].session), "{attempts:?}");
    told("one failed its review twice and passed the third time in the same session", began);

    // The third asks, waits, is answered with one key, and goes on.
    b.within(|| (b.job(ids[2]).wait_reason == Some(WaitReason::Decision)).then_some(()));
    console.shows(&["Approvals(1)", "Which colour?"]);
    console.keys(&["g", "Enter"]);
    console.shows(&["Which colour?", "Blue", "Green", "esc later"]);
    console.keys(&["1"]);
    assert_eq!(b.ends(ids[2]), JobState::Done);
    let order: Job = b.job(ids[2]);
    let result = b.command("orc").args(["job", "result", &order.id.to_string()]).output().unwrap();
    assert!(String::from_utf8_lossy(&result.stdout).contains("in blue"), "{result:?}");
    let (starts, ends): (Vec<_>, Vec<_>) = ids.iter().map(|id| b.job(*id)).map(|j| (j.started_at.unwrap(), j.finished_at.unwrap())).unzip();
    assert!(ends[0] <= starts[1] && ends[1] <= starts[2], "each begins when what it needs is done");
    told("a card was asked and answered, and its job went on", began);

    // The project says that it is done, and is closed by nobody but the operator.
    let project = order.spec.project_id.unwrap();
    b.within(|| Some(b.store.project(project).unwrap().unwrap()).filter(|p| p.state == ProjectState::PendingApproval));
    console.shows(&["Approvals(1)"]);
    console.keys(&["g"]);
    console.shows(&["The shop sells tea", "says it is done"]);
    console.keys(&["a"]);
    console.shows(&["Approve project"]);
    console.keys(&["Enter"]);
    b.within(|| Some(b.store.project(project).unwrap().unwrap()).filter(|p| p.state == ProjectState::Approved));
    let said = b.store.said_to(MessageId(1)).unwrap();
    assert!(said.iter().any(|e| e.says == Says::Notice && e.text.contains("3 of 3 done")), "{said:?}");
    console.shows(&["nothing waits for you"]);
    told("the project waited for approval and is approved", began);
    let asked = mock.requests();
    assert!(asked.iter().any(|r| r.contains("\"responses\"")) && asked.iter().any(|r| r.contains("\"anthropic\"")), "both CLIs were asked");
    println!("\n{}", console.screen());
}
