//! The parsers against what the real CLIs wrote: every captured run comes to the right outcome, tokens, cost and session; and
//! nothing that an agent can write makes a parser panic or grow.

use chrono::FixedOffset;
use orc::domain::{AgentEvent, AttemptId, JobId, Timestamp, Usage};
use orc::shim::backend::{AgentExit, Parser, Verdict};
use orc::wire::{AttemptLimits, AttemptSpec, Dialect, PROTOCOL};
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The captures are of this morning, in UTC.
const AT: &str = "2026-11-22T06:19:00Z";

/// How a captured run ended, besides its stream.
#[derive(Deserialize)]
struct Case {
    exit: Option<i32>,
    signal: Option<i32>,
    stderr: String,
    args: Vec<String>,
}

pub fn spec(dialect: Dialect, backend: &str) -> AttemptSpec {
    AttemptSpec {
        protocol: PROTOCOL,
        attempt: AttemptId(1),
        job: JobId(1),
        workspace_id: "test".into(),
        socket: PathBuf::new(),
        backend: backend.into(),
        dialect,
        argv: vec!["agent".into()],
        cwd: PathBuf::new(),
        env: BTreeMap::new(),
        env_remove: Vec::new(),
        path_prefix: Vec::new(),
        prompt_file: PathBuf::new(),
        result_file: PathBuf::new(),
        session: None,
        resume: false,
        usage_base: Usage::default(),
        cost_base: 0.0,
        limits: AttemptLimits {
            timeout_ms: 0,
            stall_after_ms: 0,
            stall_kill: false,
            exit_grace_ms: 0,
            kill_grace_ms: 0,
            heartbeat_ms: 0,
            max_unknown_steps: 5,
            max_output_bytes: 0,
            memory_max_bytes: 0,
        },
    }
}

/// Runs a stream through its parser: the events, whether it had to be stopped, the verdict.
pub fn play(spec: &AttemptSpec, stream: &[u8], exit: AgentExit, stderr: &str) -> (Vec<AgentEvent>, Option<String>, Verdict) {
    let at = Timestamp::parse(AT).unwrap();
    let mut parser = Parser::new(spec).in_zone(FixedOffset::east_opt(0).unwrap());
    let mut events = Vec::new();
    for line in stream.split(|b| *b == b'\n') {
        events.extend(parser.line(line, at));
    }
    let stop = parser.must_stop();
    let live = parser.usage();
    let verdict = parser.end(exit, stderr, at);
    assert_eq!(live, (verdict.usage, verdict.cost_usd), "the heartbeat and the report tell the same");
    (events, stop, verdict)
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// One row: what a captured run has to come to. Tokens: input/output/cache read/cache write; `?` = the backend never told.
fn row(folder: &str, name: &str, case: &Case) -> String {
    let dialect: Dialect = serde_json::from_value(folder.split('-').next().unwrap().into()).unwrap();
    let mut spec = spec(dialect, folder.split('-').next().unwrap());
    let resumed = case.args.iter().position(|a| a == "--resume" || a == "-s" || a == "resume");
    if let Some(at) = resumed.filter(|_| !name.contains("workspace")) {
        // Codex names the thread after its flags.
        let id = if dialect == Dialect::Codex { &case.args[case.args.len() - 2] } else { &case.args[at + 1] };
        (spec.session, spec.resume) = (Some(id.clone()), true);
        // What `session_new` had used.
        (spec.usage_base, spec.cost_base) =
            (Usage { input: 100, output: 20, ..Usage::default() }, if folder == "claude" { 0.0008 } else { 0.001 });
    }
    let stream = std::fs::read(fixtures().join(folder).join(format!("{name}.jsonl"))).unwrap();
    let (events, stop, v) = play(&spec, &stream, AgentExit { code: case.exit, signal: case.signal }, &case.stderr);
    assert!(events.len() <= stream.split(|b| *b == b'\n').count() * 3, "{name}: more events than lines account for");
    let limit = v.limit.as_ref().map_or("-".to_owned(), |l| match l.resets_at {
        Some(t) => format!("{}@{}", l.kind, t.rfc3339().get(11..19).unwrap()),
        None => l.kind.to_string(),
    });
    let u = v.usage;
    let usage = format!("{}/{}/{}/{}{}", u.input, u.output, u.cache_read, u.cache_write, if v.usage_known { "" } else { "?" });
    let cost = v.cost_usd.map_or("-".to_owned(), |c| format!("{c:.6}"));
    let mut session = v.session.clone().unwrap_or_else(|| "-".into());
    if v.session_unknown {
        session = "unknown".into();
    }
    let calls = events.iter().filter(|e| matches!(e, AgentEvent::ToolCall { .. })).count();
    let text = v.result.clone().unwrap_or(stop.unwrap_or(v.message)).replace('\n', " ");
    let text: String = text.chars().take(110).collect();
    let mut session: String = session.chars().take(15).collect();
    session.truncate(session.len());
    format!("{folder}/{name} | {} | {limit} | {usage} | {cost} | {session} | {calls} | {text}", v.outcome)
}

#[test]
fn every_captured_run_comes_to_what_it_was() {
    let mut found = Vec::new();
    for folder in ["claude", "claude-2.1.197", "codex", "gemini", "opencode"] {
        let cases = std::fs::read_to_string(fixtures().join(folder).join("cases.json")).unwrap();
        let cases: BTreeMap<String, Case> = serde_json::from_str(&cases).unwrap();
        let streams = std::fs::read_dir(fixtures().join(folder))
            .unwrap()
            .flatten()
            .filter(|f| f.path().extension().is_some_and(|e| e == "jsonl"))
            .count();
        assert_eq!(streams, cases.len(), "{folder}: a stream without its end, or an end without its stream");
        found.extend(cases.iter().map(|(name, case)| row(folder, name, case)));
    }
    let expected: Vec<&str> = include_str!("../fixtures/expected.txt").lines().filter(|l| !l.starts_with('#')).collect();
    if std::env::var_os("SHOW").is_some() {
        println!("{}", found.join("\n"));
    }
    let wrong: Vec<String> = (0..found.len().max(expected.len()))
        .filter(|i| found.get(*i).map(String::as_str) != expected.get(*i).copied())
        .map(|i| format!("expected {}\n   found {}", expected.get(i).unwrap_or(&"nothing"), found.get(i).map_or("nothing", String::as_str)))
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), found.len(), wrong.join("\n"));
}
