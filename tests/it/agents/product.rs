//! The real CLIs through the whole product: submitted, steered and read with the command line, run by a real engine and its job
//! processes. Each case has a backend of its own (the CLI's description under another name), so that what pauses one holds up
//! no other, and all of a CLI's cases run side by side.

use super::{Mock, installed, model, signed_in};
use crate::engine::Bench;
use orc::domain::{Attempt, BackendPause, JobId, JobState, LimitKind, Outcome};
use orc::os::clock;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

/// A workspace with its engine, the CLI under test, and the model server that it talks to.
struct Product {
    name: &'static str,
    mock: Mock,
    bench: Bench,
    /// What the model server does to prompts with a mark, by mark.
    rules: RefCell<BTreeMap<String, Value>>,
}

impl Product {
    fn new(name: &'static str, settings: &[&str]) -> Option<Product> {
        let program = installed(name)?;
        let (mock, mut bench) = (Mock::start(), Bench::new(settings));
        bench.env = signed_in(name, mock.port, bench.dir.path());
        let mut path = vec![program.parent().unwrap().to_owned()];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        bench.env.insert("PATH", std::env::join_paths(path).unwrap().into_string().unwrap());
        Some(Product { name, mock, bench, rules: RefCell::default() })
    }

    /// Describes a backend for one case: the shipped description under a name of its own, with what differs.
    fn backend(&self, case: &str, differs: impl Fn(String) -> String) {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/backends").join(format!("{}.toml", self.name));
        let text = std::fs::read_to_string(shipped).unwrap();
        let mut named = text.replacen(&format!("name = \"{}\"", self.name), &format!("name = \"{}\"", self.called(case)), 1);
        if self.name == "opencode" {
            // A database for each case: several opencodes that start at once on a busy machine lock one another out of a common one.
            let own = self.bench.path(&format!("data-{case}"));
            named = named.replacen("env = { ", &format!("env = {{ XDG_DATA_HOME = \"{}\", ", own.display()), 1);
        }
        let dir = self.bench.workspace.backends_dir();
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(format!("{}.toml", self.called(case))), differs(named)).unwrap();
    }

    fn called(&self, case: &str) -> String {
        format!("{}-{case}", self.name)
    }

    /// From now on, or no longer, prompts of this case get this turn.
    fn rule(&self, case: &str, turn: Option<Value>) {
        let mut rules = self.rules.borrow_mut();
        match turn {
            Some(turn) => {
                rules.insert(case.to_owned(), json!({"name": case, "match": {"prompt": format!("CASE-{case}")}, "turns": [turn]}))
            }
            None => rules.remove(case),
        };
        let scenario = json!({"rules": rules.values().collect::<Vec<_>>()});
        self.mock.http("POST", "/__mock/scenario", &scenario.to_string());
    }

    /// The command line, as an operator has it.
    fn try_orc(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orc"));
        command.env_clear().env("HOME", self.bench.dir.path()).envs(&self.bench.env);
        command.arg("--workspace").arg(self.bench.workspace.root()).args(args).output().unwrap()
    }

    #[track_caller]
    fn orc(&self, args: &[&str]) -> String {
        let done = self.try_orc(args);
        assert!(done.status.success(), "orc {args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// Submits a job to this case's backend.
    #[track_caller]
    fn add(&self, case: &str, prompt: &str, more: &[&str]) -> JobId {
        let (backend, title, prompt) = (self.called(case), format!("{case} of {}", self.name), format!("CASE-{case}\n{prompt}"));
        let mut args =
            vec!["job", "add", "--json", "--type", &backend, "--title", &title, "--prompt", &prompt, "--model", model(self.name)];
        args.extend(more);
        let added: Value = serde_json::from_str(&self.orc(&args)).unwrap();
        JobId(added["id"].as_i64().unwrap())
    }

    /// Waits for a job's end as scripts do; how it ended, and its attempts.
    #[track_caller]
    fn wait(&self, job: JobId) -> (JobState, Vec<Attempt>) {
        let id = job.to_string();
        let code = self.try_orc(&["job", "wait", &id, "--timeout", "120s"]).status.code();
        let job = self.bench.job(job);
        let attempts = self.bench.attempts(job.id);
        assert_eq!(
            code,
            Some(i32::from(job.state != JobState::Done)),
            "{}: {job:?}\n{attempts:?}\n{}",
            self.name,
            self.orc(&["job", "tail", &id])
        );
        (job.state, attempts)
    }

    /// Its answer, where it is done.
    #[track_caller]
    fn answer(&self, job: JobId) -> String {
        let (state, attempts) = self.wait(job);
        assert_eq!(state, JobState::Done, "{}: {attempts:?}", self.name);
        self.orc(&["job", "result", &job.to_string()])
    }

    fn pause(&self, case: &str) -> Option<BackendPause> {
        self.bench.store.engine_state().unwrap().pauses.remove(&self.called(case)).map(|(pause, _)| pause)
    }

    #[track_caller]
    fn pauses(&self, case: &str) -> BackendPause {
        self.bench.within(|| self.pause(case))
    }

    /// It was refused, once or several times in a row, and then done; none of it used up an attempt.
    #[track_caller]
    fn went_on(&self, job: JobId) {
        let attempts: Vec<_> = self.bench.attempts(job).into_iter().map(|a| (a.outcome, a.message)).collect();
        let (last, refused) = attempts.split_last().unwrap();
        assert!(last.0 == Some(Outcome::Ok) && !refused.is_empty(), "{}: {attempts:?}", self.name);
        // A session that was refused before its first answer is not one that gemini knows.
        let excused = |a: &(Option<Outcome>, Option<String>)| {
            a.0 == Some(Outcome::RateLimited) || a.1.as_ref().is_some_and(|m| m.starts_with("session unknown"))
        };
        assert!(refused.iter().all(excused), "{}: {attempts:?}", self.name);
        assert_eq!(self.bench.job(job).attempts, 1, "the one that answered");
    }

    #[track_caller]
    fn nothing_is_left(&self, job: JobId) {
        for attempt in self.bench.attempts(job) {
            // Its job process reports first and leaves then.
            let shim = attempt.shim.map(|shim| shim.pid);
            let left: Vec<_> = self.bench.marked(attempt.id).into_iter().filter(|stat| Some(stat.pid) != shim).collect();
            assert!(left.is_empty(), "{}: {left:?}", self.name);
            self.bench.within(|| self.bench.marked(attempt.id).is_empty().then_some(()));
        }
    }
}

/// Seconds from now until a pause is over.
fn seconds_left(pause: &BackendPause) -> Option<u64> {
    pause.until.map(|until| until.since(clock::now()).as_secs())
}

/// Processes whose command line has this word.
fn with_word(word: &str) -> usize {
    let is_it = |entry: std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.split(|b| *b == 0).any(|arg| arg == word.as_bytes())
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter(|e| e.path().join("cmdline").exists()).map(is_it).filter(|it| *it).count()
}

/// Answers, tools, sessions, refusals of every kind, a broken stream, a CLI that stays, a kill.
fn works_through_the_product(name: &'static str) {
    let Some(mut p) = Product::new(name, &["max_running=5", "exit_grace=5s"]) else { return };
    for case in ["steady", "throttle", "overload", "refused", "broken", "killed"] {
        p.backend(case, |text| text);
    }
    // Claude tells a plan's limit to a login only.
    p.backend("window", |text| match name {
        "claude" => {
            text.replacen("env = { ", "env_remove = [\"ANTHROPIC_API_KEY\"]\nenv = { CLAUDE_CODE_OAUTH_TOKEN = \"test-token\", ", 1)
        }
        _ => text,
    });
    let program = installed(name).unwrap();
    let stays = p.bench.path("stays");
    std::fs::write(&stays, format!("#!/bin/sh\n'{}' \"$@\"\nexec tail -f /dev/null\n", program.display())).unwrap();
    std::fs::set_permissions(&stays, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    p.backend("stays", |text| text.replacen(&format!("program = \"{name}\""), &format!("program = \"{}\"", stays.display()), 1));
    p.rule("throttle", Some(json!({"error": "rate_limit", "retry_after": 1})));
    p.rule("window", Some(json!({"error": "usage_limit", "retry_after": 3600})));
    p.rule("overload", Some(json!({"error": "overloaded"})));
    p.rule("refused", Some(json!({"error": "auth"})));

    p.bench.start();
    let file = p.bench.path("tailed");
    std::fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    if name == "opencode" {
        // Several that make their database at the same time get in each other's way ("Failed query"): the first alone.
        p.answer(p.add("steady", "hello", &[]));
    }
    let killed = p.add("killed", &format!("MOCK:sh=setsid tail -f {file} & tail -f {file}"), &[]);
    let throttled = p.add("throttle", "go on later", &[]);
    let window = p.add("window", "go on much later", &[]);
    let overloaded = p.add("overload", "go on later", &[]);
    let refused = p.add("refused", "who are you", &[]);
    p.orc(&["worker", "add", "--name", "anna", "--type", &p.called("steady"), "--model", model(name)]);
    let first = p.add("steady", "MOCK:sh=echo made-by-42 > made.txt && cat made.txt\nMOCK:tokens=100,20", &["--worker", "anna"]);
    let second = p.add("steady", "And again\nMOCK:tokens=100,20", &["--worker", "anna", "--depends-on", &first.to_string()]);
    let stays = p.add("stays", "just answer", &[]);
    let broken = p.add("broken", if name == "opencode" { "MOCK:empty" } else { "MOCK:truncate" }, &["--max-attempts", "1"]);

    // A kill takes the CLI's tools along, also the one that left its group and session.
    p.bench.within(|| (with_word(file) >= 2).then_some(()));
    p.orc(&["job", "kill", &killed.to_string()]);
    assert_eq!(p.wait(killed).0, JobState::Killed);
    let ended: Vec<_> = p.bench.attempts(killed).into_iter().map(|a| (a.outcome, a.message)).collect();
    assert!(ended.len() == 1 && ended[0].0 == Some(Outcome::Killed), "{name}: {ended:?}");
    assert_eq!(with_word(file), 0);
    p.nothing_is_left(killed);

    // Answer, tool, and the same session for the worker's next job.
    let answer = p.answer(first);
    assert!(answer.contains("turns=1"), "{answer}");
    let transcript = p.orc(&["job", "tail", &first.to_string()]);
    assert!(transcript.contains("made-by-42"), "{transcript}");
    let answer = p.answer(second);
    assert!(answer.contains("turns=2"), "it remembers: {answer}");
    let (a, b) = (&p.bench.attempts(first)[0], &p.bench.attempts(second)[0]);
    assert_eq!(std::fs::read_to_string(Path::new(&a.directory).join("made.txt")).unwrap(), "made-by-42\n");
    assert!(a.session.is_some() && a.session == b.session && a.directory == b.directory, "{a:?}\n{b:?}");
    assert!(b.usage_known && (b.usage.input, b.usage.output) == (100, 20), "its own tokens, not the session's: {b:?}");

    // Some CLIs tell of a refusal and try on: nothing is healed before each has given up.
    p.bench.within(|| [throttled, window, overloaded].iter().all(|job| p.bench.attempts(*job)[0].outcome.is_some()).then_some(()));

    // A throttle: the backend rests, the job goes on by itself and has used up no attempt.
    let pause = p.pauses("throttle");
    assert_eq!(pause.limit.kind, LimitKind::Throttle, "{pause:?}");
    p.rule("throttle", None);
    p.answer(throttled);
    p.went_on(throttled);

    // A plan's limit: paused until the reset that was told, the job waits for it and says so; the operator may know better.
    let pause = p.pauses("window");
    assert_eq!(pause.limit.kind, LimitKind::Window, "{pause:?}");
    // Codex tells the minute. Where nothing is told it is a guess, and says so.
    let told = matches!(name, "claude" | "codex");
    let expected = if told { 3400..=3670 } else { 600..=1000 };
    assert!(seconds_left(&pause).is_some_and(|s| expected.contains(&s)) && pause.guessed != told, "{pause:?}");
    assert_eq!(p.bench.job(window).state, JobState::Queued);
    let why = p.orc(&["why", &window.to_string()]);
    assert!(why.contains("is paused (window)") && why.contains(&format!("orc backend resume {}", p.called("window"))), "{why}");
    p.rule("window", None);
    p.orc(&["backend", "resume", &p.called("window")]);
    p.answer(window);
    p.went_on(window);

    // Overload.
    let pause = p.pauses("overload");
    assert_eq!(pause.limit.kind, LimitKind::Overload, "{pause:?}");
    p.rule("overload", None);
    // Its pause may be over by now.
    p.try_orc(&["backend", "resume", &p.called("overload")]);
    p.answer(overloaded);
    p.went_on(overloaded);

    // A refused key: no retry heals it. The job says what to do, the others wait until it is done.
    assert_eq!(p.wait(refused).0, JobState::Failed);
    let fix = match name {
        "claude" => "sign in with /login, or set ANTHROPIC_API_KEY",
        "codex" => "codex login",
        "gemini" => "GEMINI_API_KEY",
        _ => "opencode auth login",
    };
    let shown = p.orc(&["job", "show", &refused.to_string(), "--json"]);
    assert!(shown.contains(fix), "{shown}");
    let pause = p.pauses("refused");
    assert_eq!((pause.limit.kind, pause.until), (LimitKind::Auth, None));
    let ls = p.orc(&["backend", "ls"]);
    assert!(ls.lines().any(|line| line.starts_with(&p.called("refused")) && line.contains("paused")), "{ls}");
    p.orc(&["job", "retry", &refused.to_string()]);
    let why = p.orc(&["why", &refused.to_string()]);
    assert!(why.contains("is paused (auth)") && why.contains(fix), "{why}");
    p.rule("refused", None);
    p.orc(&["backend", "resume", &p.called("refused")]);
    p.answer(refused);

    // A CLI that gives its result and does not leave: the result counts.
    let answer = p.answer(stays);
    assert!(answer.contains("mock-answer"), "{answer}");
    let message = p.bench.attempts(stays)[0].message.clone().unwrap_or_default();
    assert!(message.contains("did not exit within 5s of its result"), "{message}");
    p.nothing_is_left(stays);

    // A stream that breaks is an error of this job alone.
    let (state, attempts) = p.wait(broken);
    assert_eq!((state, attempts[0].outcome, p.pause("broken")), (JobState::Failed, Some(Outcome::Error), None), "{attempts:?}");
    for job in [first, second, throttled, window, overloaded, refused, broken] {
        p.nothing_is_left(job);
    }
}

/// A server that never answers, and one that stops in the middle.
fn hangs_are_ended(name: &'static str) {
    let watch = ["heartbeat=1s", "stall_after=10s", "stall_kill=true"];
    let Some(mut p) = Product::new(name, &watch) else { return };
    p.backend("mute", |text| text);
    p.backend("stuck", |text| text);

    p.bench.start();
    let once = ["--max-attempts", "1"];
    // One after the other: a CLI that makes its database meanwhile gets in the way of a second one.
    for (called, prompt) in [("mute", "MOCK:hang"), ("stuck", "MOCK:hang_mid")] {
        let job = p.add(called, prompt, &once);
        let (state, attempts) = p.wait(job);
        assert_eq!((state, attempts[0].outcome), (JobState::Failed, Some(Outcome::Stalled)), "{attempts:?}");
        assert!(attempts[0].message.as_deref().unwrap_or_default().starts_with("ended by the watchdog: "), "{attempts:?}");
        let transcript: Vec<Value> = serde_json::from_str(&p.orc(&["job", "tail", &job.to_string(), "--json"])).unwrap();
        assert!(transcript.iter().any(|line| line["event"]["type"] == "hanging"), "the verdict came first: {transcript:?}");
        p.nothing_is_left(job);
    }
}

#[test]
fn claude_through_the_product() {
    works_through_the_product("claude");
}

#[test]
fn codex_through_the_product() {
    works_through_the_product("codex");
}

#[test]
fn gemini_through_the_product() {
    works_through_the_product("gemini");
}

#[test]
fn opencode_through_the_product() {
    works_through_the_product("opencode");
}

#[test]
fn a_claude_that_hangs() {
    hangs_are_ended("claude");
}

#[test]
fn a_codex_that_hangs() {
    hangs_are_ended("codex");
}

#[test]
fn a_gemini_that_hangs() {
    hangs_are_ended("gemini");
}

#[test]
fn an_opencode_that_hangs() {
    hangs_are_ended("opencode");
}
