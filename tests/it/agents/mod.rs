//! The real CLIs, called as the backends' descriptions say, against a model server on loopback. They are installed by `.ci/agents`;
//! where one is missing its test says so and passes. Nothing leaves this machine: every address is 127.0.0.1, every HOME new.

mod product;

use crate::dialects::spec;
use orc::config::{Backend, RenderInput, built_in, version_on_disk};
use orc::domain::{AgentEvent, LimitKind, Outcome, Usage};
use orc::os::clock;
use orc::shim::backend::{AgentExit, Parser, Verdict};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// No single run may take longer: opencode needs six seconds of CPU for a word, and the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(120);

/// Where an agent's program is, or why its test cannot run.
pub fn installed(name: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("ORC_AGENTS_DIR").map(PathBuf::from).or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cache")));
        Some(cache?.join("orc-agents"))
    })?;
    let program = dir.join("bin").join(name);
    let python = Command::new("python3").arg("--version").stdout(Stdio::null()).status().is_ok_and(|s| s.success());
    match (program.exists(), python) {
        (true, true) => Some(program),
        (false, _) => {
            println!("skipped: {} is not there; install the agents with .ci/agents", program.display());
            None
        }
        (_, false) => {
            println!("skipped: python3 is not there, which the model server needs");
            None
        }
    }
}

/// The model server.
pub struct Mock {
    child: Child,
    pub port: u16,
}

impl Mock {
    pub fn start() -> Mock {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mock_llm.py");
        let mut command = Command::new("python3");
        command.arg(script).args(["--record-bodies", "--die-with-parent", "--max-seconds", "900"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = serde_json::from_str::<Value>(&line).unwrap()["port"].as_u64().unwrap() as u16;
        Mock { child, port }
    }

    fn http(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "{method} {path} HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// What it answers to which prompts.
    pub fn scenario(&self, rules: &Value) {
        self.http("POST", "/__mock/scenario", &rules.to_string());
    }

    /// The requests since the last call, as texts.
    pub fn requests(&self) -> Vec<String> {
        let all: Vec<Value> = serde_json::from_str(&self.http("GET", "/__mock/requests", "")).unwrap();
        self.http("POST", "/__mock/reset", "");
        all.iter().map(Value::to_string).collect()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The model, as this CLI spells it.
pub fn model(name: &str) -> &'static str {
    if name == "opencode" { "mock/mock-model" } else { "mock-model" }
}

/// What makes a CLI talk to the model server: files in its HOME, and its variables.
pub fn signed_in(name: &str, port: u16, home: &Path) -> BTreeMap<&'static str, String> {
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let (file, text, env) = match name {
        "claude" => return BTreeMap::from([("ANTHROPIC_BASE_URL", url("")), ("ANTHROPIC_API_KEY", "test-key".to_owned())]),
        "codex" => {
            let provider = format!(
                "model_provider = \"mock\"\n[model_providers.mock]\nname = \"mock\"\nbase_url = \"{}\"\nenv_key = \"MOCK_KEY\"\n\
                 wire_api = \"responses\"\nrequest_max_retries = 1\nstream_max_retries = 1\nstream_idle_timeout_ms = 60000\n",
                url("/v1")
            );
            (".codex/config.toml", provider, BTreeMap::from([("MOCK_KEY", "test-key".to_owned())]))
        }
        "gemini" => {
            let settings = json!({
                "security": {"auth": {"selectedType": "gemini-api-key"}},
                "privacy": {"usageStatisticsEnabled": false},
                "telemetry": {"enabled": false},
                "general": {"enableAutoUpdate": false, "enableAutoUpdateNotification": false, "maxAttempts": 2},
            });
            let env = BTreeMap::from([("GOOGLE_GEMINI_BASE_URL", url("")), ("GEMINI_API_KEY", "test-key".to_owned())]);
            (".gemini/settings.json", settings.to_string(), env)
        }
        "opencode" => {
            let config = json!({
                "autoupdate": false, "share": "disabled",
                "provider": {"mock": {
                    "npm": "@ai-sdk/openai-compatible",
                    "options": {"baseURL": url("/v1"), "apiKey": "{env:MOCK_KEY}"},
                    "models": {"mock-model": {"limit": {"context": 128_000, "output": 8000}, "cost": {"input": 3, "output": 15}}},
                }},
            });
            (".config/opencode/opencode.json", config.to_string(), BTreeMap::from([("MOCK_KEY", "test-key".to_owned())]))
        }
        other => panic!("{other} is no CLI of these tests"),
    };
    let file = home.join(file);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
    env
}

/// One CLI with a HOME, a workspace and a model server of its own.
struct Bench {
    backend: Backend,
    program: PathBuf,
    mock: Mock,
    dir: tempfile::TempDir,
    env: BTreeMap<&'static str, String>,
    model: &'static str,
    attempt: u32,
}

/// What one run came to.
struct Run {
    verdict: Verdict,
    events: Vec<AgentEvent>,
    /// The parser had it ended.
    stopped: bool,
    requests: Vec<String>,
    stderr: String,
}

#[derive(Default)]
struct Ask<'a> {
    prompt: &'a str,
    system: &'a str,
    /// The session to go on with, and what it had used.
    resume: Option<(&'a str, Usage, f64)>,
    /// Where, below the workspace's folder; `drafts` where nothing is said.
    place: &'a str,
}

impl Bench {
    /// `program` may be another version of what the description `name` calls.
    fn new(name: &str, program: &str) -> Option<Bench> {
        let program = installed(program)?;
        let backend = built_in().remove(name).unwrap();
        let mut bench = Bench {
            backend,
            program,
            mock: Mock::start(),
            dir: tempfile::tempdir().unwrap(),
            env: BTreeMap::new(),
            model: model(name),
            attempt: 0,
        };
        bench.env = signed_in(name, bench.mock.port, &bench.dir.path().join("home"));
        for place in ["ws/drafts", "ws/repo/.git/objects", "ws/repo/.git/refs/heads", "home"] {
            std::fs::create_dir_all(bench.dir.path().join(place)).unwrap();
        }
        for file in ["CLAUDE.md", "AGENTS.md", "GEMINI.md"] {
            bench.write(&format!("ws/{file}"), "THE-OPERATING-FILE");
            bench.write(&format!("ws/repo/{file}"), "THE-REPOSITORY-S-OWN");
        }
        bench.write("ws/repo/.git/HEAD", "ref: refs/heads/main\n");
        Some(bench)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn say(&mut self, prompt: &str) -> Run {
        self.ask(&Ask { prompt, ..Ask::default() })
    }

    fn ask(&mut self, ask: &Ask<'_>) -> Run {
        self.attempt += 1;
        let attempt_dir = self.dir.path().join(format!("run/spool/{}", self.attempt));
        let workspace = self.dir.path().join("ws");
        let cwd = workspace.join(if ask.place.is_empty() { "drafts" } else { ask.place });
        std::fs::create_dir_all(attempt_dir.join("tmp")).unwrap();
        let session = ask.resume.map(|(id, ..)| id.to_owned()).or_else(|| self.backend.chosen_session());
        let rendered = self.backend.render(&RenderInput {
            model: Some(self.model),
            session: session.as_deref(),
            resume: ask.resume.is_some(),
            title: "a test's job",
            attempt_dir: &attempt_dir,
            system_file: &attempt_dir.join("system.md"),
            prompt_file: &attempt_dir.join("prompt.md"),
            cwd: &cwd,
            workspace: &workspace,
            in_repository: orc::config::in_repository(&cwd, &workspace),
            version: version_on_disk(&self.program),
            system: ask.system,
            prompt: ask.prompt,
            inside_workspace: true,
            root: orc::os::process::is_root(),
            shim: Path::new("orc-shim"),
        });
        std::fs::write(attempt_dir.join("system.md"), &rendered.system).unwrap();

        let mut spec = spec(self.backend.dialect, &self.backend.name);
        (spec.session, spec.resume) = (session, ask.resume.is_some());
        if let Some((_, usage, cost)) = ask.resume {
            (spec.usage_base, spec.cost_base) = (usage, cost);
        }
        let mut command = Command::new(&self.program);
        command.args(&rendered.argv[1..]).current_dir(&cwd).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.dir.path().join("home"));
        command.env("TMPDIR", attempt_dir.join("tmp")).envs(&rendered.env).envs(&self.env);
        let child = command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (events, verdict, stopped, stderr) = follow(child, &rendered.prompt, Parser::new(&spec));
        Run { verdict, events, stopped, requests: self.mock.requests(), stderr }
    }
}

enum Said {
    Out(Vec<u8>),
    Err(Vec<u8>),
}

/// Feeds the prompt, and reads both streams to their end, as the job process does; ends what must be ended.
fn follow(mut child: Child, prompt: &str, mut parser: Parser) -> (Vec<AgentEvent>, Verdict, bool, String) {
    let (tell, told) = mpsc::channel();
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let tell_err = tell.clone();
    std::thread::spawn(move || BufReader::new(out).split(b'\n').flatten().try_for_each(|l| tell.send(Said::Out(l))));
    std::thread::spawn(move || BufReader::new(err).split(b'\n').flatten().try_for_each(|l| tell_err.send(Said::Err(l))));
    // A CLI that refuses at once does not read it.
    let _ = child.stdin.take().unwrap().write_all(prompt.as_bytes());
    let (mut events, mut stderr, mut stopped) = (Vec::new(), String::new(), false);
    let until = Instant::now() + DEADLINE;
    let group = rustix::process::Pid::from_child(&child);
    loop {
        match told.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Said::Out(line)) => events.extend(parser.line(&line, clock::now())),
            Ok(Said::Err(line)) => {
                events.extend(parser.stderr(&line, clock::now()));
                stderr += &String::from_utf8_lossy(&line);
                stderr.push('\n');
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
                panic!("it did not end in time; it said {events:?} and {stderr}");
            }
        }
        if parser.must_stop().is_some() && !std::mem::replace(&mut stopped, true) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
    let status = child.wait().unwrap();
    let from = stderr.ceil_char_boundary(stderr.len().saturating_sub(8 << 10));
    let verdict = parser.end(AgentExit { code: status.code(), signal: status.signal() }, &stderr[from..], clock::now());
    (events, verdict, stopped, stderr)
}

impl Run {
    #[track_caller]
    fn ok(&self) -> &str {
        assert_eq!(self.verdict.outcome, Outcome::Ok, "{}\n{:?}\n{}", self.verdict.message, self.events, self.stderr);
        self.verdict.result.as_deref().expect("an answer")
    }

    #[track_caller]
    fn refused(&self, kind: LimitKind) {
        let expected = if kind == LimitKind::Auth { Outcome::Error } else { Outcome::RateLimited };
        let got = (self.verdict.outcome, self.verdict.limit.as_ref().map(|l| l.kind));
        assert_eq!(got, (expected, Some(kind)), "{}\n{:?}\n{}", self.verdict.message, self.events, self.stderr);
        assert!(self.verdict.result.is_none());
    }

    #[track_caller]
    fn broken(&self) {
        assert!(self.stopped || self.verdict.outcome == Outcome::Error, "{:?}\n{:?}", self.verdict, self.events);
        assert_ne!(self.verdict.outcome, Outcome::Ok);
        assert_eq!(self.verdict.limit, None, "{}", self.verdict.message);
    }

    /// Minutes from now until the refusal ends.
    fn resets_in(&self) -> Option<u64> {
        Some(self.verdict.limit.as_ref()?.resets_at?.since(clock::now()).as_secs() / 60)
    }

    fn saw(&self, mark: &str) -> bool {
        self.requests.iter().any(|r| r.contains(mark))
    }
}

/// What every CLI has to do: answer, call a tool, and go on in the same session with its own tokens and what the job says now.
fn works(bench: &mut Bench) {
    let run = bench.ask(&Ask { prompt: "Say hello\nMOCK:tokens=100,20", system: "SYSTEM-ONE", ..Ask::default() });
    assert!(run.ok().contains("turns=1"), "{}", run.ok());
    assert_eq!((run.verdict.usage.input, run.verdict.usage.output, run.verdict.usage_known), (100, 20, true));
    assert!(run.saw("SYSTEM-ONE"), "the system text reached the model");
    assert!(!run.saw("THE-OPERATING-FILE"), "the workspace's own instructions are for the operator's conversation");
    assert_eq!(run.requests.len(), 1, "one question, one request");
    let session = run.verdict.session.clone().expect("a session");
    assert!(run.events.iter().any(|e| matches!(e, AgentEvent::Session { id, .. } if *id == session)));

    let base = (run.verdict.session_usage.unwrap_or_default(), run.verdict.session_cost_usd.unwrap_or(0.0));
    let again = Ask { prompt: "And again\nMOCK:tokens=100,20", system: "SYSTEM-TWO", resume: Some((&session, base.0, base.1)), place: "" };
    let next = bench.ask(&again);
    assert!(next.ok().contains("turns=2"), "it remembers: {}", next.ok());
    assert_eq!(next.verdict.session.as_deref(), Some(session.as_str()));
    assert_eq!((next.verdict.usage.input, next.verdict.usage.output), (100, 20), "its own tokens, not the session's");
    assert!(next.saw("SYSTEM-TWO"), "the system text of this job");
    if let (Some(first), Some(second)) = (run.verdict.cost_usd, next.verdict.cost_usd) {
        assert!((first - second).abs() < 1e-9 && first > 0.0, "its own cost: {first} and {second}");
    }

    let tool = bench.say("MOCK:sh=echo made-by-42 > made.txt && cat made.txt");
    tool.ok();
    let call = tool.events.iter().find_map(|e| if let AgentEvent::ToolCall { id, input, .. } = e { Some((id, input)) } else { None });
    let (id, input) = call.expect("a tool is called");
    assert!(input.contains("made-by-"), "{input}");
    let answered = |e: &AgentEvent| matches!(e, AgentEvent::ToolResult { id: of, output, is_error: false } if of == id && output.contains("made-by-42"));
    assert!(tool.events.iter().any(answered), "{:?}", tool.events);
    assert_eq!(std::fs::read_to_string(bench.dir.path().join("ws/drafts/made.txt")).unwrap(), "made-by-42\n");

    let gone = match bench.backend.name.as_str() {
        "opencode" => "ses_000000000ffe0000000000000000",
        _ => "0190a000-0000-7000-8000-000000000000",
    };
    let lost = bench.ask(&Ask { prompt: "hi", resume: Some((gone, Usage::default(), 0.0)), ..Ask::default() });
    assert!(lost.verdict.session_unknown && lost.verdict.message.starts_with("session unknown"), "{:?}", lost.verdict);
}

/// A repository inside the workspace keeps its own instructions.
fn keeps_the_repository_s_own(bench: &mut Bench) {
    let run = bench.ask(&Ask { prompt: "hi", system: "SYSTEM", place: "repo", ..Ask::default() });
    run.ok();
    assert!(run.saw("THE-REPOSITORY-S-OWN") && !run.saw("THE-OPERATING-FILE"));
}

fn claude_at(program: &str) {
    let Some(mut bench) = Bench::new("claude", program) else { return };
    works(&mut bench);
    keeps_the_repository_s_own(&mut bench);
    bench.say("MOCK:rate_limit=1").refused(LimitKind::Throttle);
    bench.say("MOCK:overloaded").refused(LimitKind::Overload);
    let run = bench.say("MOCK:auth");
    run.refused(LimitKind::Auth);
    assert!(run.verdict.message.contains("sign in with /login, or set ANTHROPIC_API_KEY"), "{}", run.verdict.message);
    bench.say("MOCK:truncate").broken();
    // A plan's limit is told to a login only.
    bench.env.remove("ANTHROPIC_API_KEY");
    bench.env.insert("CLAUDE_CODE_OAUTH_TOKEN", "test-token".to_owned());
    let run = bench.say("MOCK:usage_limit=3600");
    run.refused(LimitKind::Window);
    assert!(run.resets_in().is_some_and(|minutes| (55..=61).contains(&minutes)), "{:?}", run.verdict.limit);
    bench.env.remove("CLAUDE_CODE_OAUTH_TOKEN");
    bench.say("hi").refused(LimitKind::Auth);
}

#[test]
fn claude() {
    claude_at("claude");
}

#[test]
fn an_older_claude() {
    claude_at("claude-2.1.197");
}

#[test]
fn codex() {
    let Some(mut bench) = Bench::new("codex", "codex") else { return };
    works(&mut bench);
    keeps_the_repository_s_own(&mut bench);
    bench.say("MOCK:rate_limit=1").refused(LimitKind::Throttle);
    bench.say("MOCK:overloaded").refused(LimitKind::Overload);
    let run = bench.say("MOCK:auth");
    run.refused(LimitKind::Auth);
    assert!(run.verdict.message.contains("codex login"), "{}", run.verdict.message);
    bench.say("MOCK:truncate").broken();
    let run = bench.say("MOCK:usage_limit=3600");
    run.refused(LimitKind::Window);
    assert!(run.resets_in().is_some_and(|minutes| (58..=61).contains(&minutes)), "{:?}", run.verdict.limit);
    bench.env.remove("MOCK_KEY");
    bench.say("hi").refused(LimitKind::Auth);
}

#[test]
fn gemini() {
    let Some(mut bench) = Bench::new("gemini", "gemini") else { return };
    works(&mut bench);
    keeps_the_repository_s_own(&mut bench);
    let run = bench.say("MOCK:rate_limit=1");
    run.refused(LimitKind::Throttle);
    assert!(run.events.iter().any(|e| matches!(e, AgentEvent::Notice { text, .. } if text.starts_with("Attempt 1 failed"))));
    bench.say("MOCK:overloaded").refused(LimitKind::Overload);
    let run = bench.say("MOCK:auth");
    run.refused(LimitKind::Auth);
    assert!(run.verdict.message.contains("GEMINI_API_KEY"), "{}", run.verdict.message);
    bench.say("MOCK:truncate").broken();
    let run = bench.say("MOCK:usage_limit=3600");
    run.refused(LimitKind::Window);
    assert_eq!(run.resets_in(), None, "it does not tell, so nothing is made up");
    bench.env.remove("GEMINI_API_KEY");
    bench.say("hi").refused(LimitKind::Auth);
}

#[test]
fn opencode() {
    let Some(mut bench) = Bench::new("opencode", "opencode") else { return };
    works(&mut bench);
    keeps_the_repository_s_own(&mut bench);
    let run = bench.say("MOCK:auth");
    run.refused(LimitKind::Auth);
    assert!(run.verdict.message.contains("opencode auth login"), "{}", run.verdict.message);
    bench.say("MOCK:rate_limit=1").refused(LimitKind::Throttle);
    bench.say("MOCK:overloaded").refused(LimitKind::Overload);
    // It would sleep for the hour without a word: its log gives it away.
    let run = bench.say("MOCK:usage_limit=3600");
    assert!(run.stopped);
    run.refused(LimitKind::Window);
    assert!(run.events.iter().any(|e| matches!(e, AgentEvent::Limited { .. })), "the engine hears of it at once");
    // It would ask again for ever.
    let run = bench.say("MOCK:empty");
    assert!(run.stopped);
    run.broken();
}
