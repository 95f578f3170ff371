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
    let session: String = session.chars().take(15).collect();
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
    let wrong: Vec<String> = (0..found.len().max(expected.len()))
        .filter(|i| found.get(*i).map(String::as_str) != expected.get(*i).copied())
        .map(|i| format!("expected {}\n   found {}", expected.get(i).unwrap_or(&"nothing"), found.get(i).map_or("nothing", String::as_str)))
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), found.len(), wrong.join("\n"));
}

/// Whatever an agent writes, a parser takes it, in bounded memory, and comes to a verdict.
fn survives(dialect: Dialect, stream: &[u8], exit: AgentExit, stderr: &str) {
    let mut spec = spec(dialect, "any");
    spec.usage_base = Usage { input: 7, ..Usage::default() };
    for resume in [false, true] {
        spec.resume = resume;
        let (_, _, verdict) = play(&spec, stream, exit, stderr);
        assert!(!verdict.message.is_empty());
        assert!(verdict.message.len() < 2000, "a message is one line for people");
        if exit.code != Some(0) {
            assert_ne!(verdict.outcome, orc::domain::Outcome::Ok);
        }
    }
}

const DIALECTS: [Dialect; 6] = [Dialect::Claude, Dialect::Codex, Dialect::Gemini, Dialect::Opencode, Dialect::Text, Dialect::Native];

/// Every captured stream, with its dialect.
fn streams() -> Vec<(Dialect, Vec<u8>)> {
    let mut all = Vec::new();
    for (folder, dialect) in
        [("claude", Dialect::Claude), ("codex", Dialect::Codex), ("gemini", Dialect::Gemini), ("opencode", Dialect::Opencode)]
    {
        let files = std::fs::read_dir(fixtures().join(folder)).unwrap().flatten().map(|f| f.path());
        let mut files: Vec<PathBuf> = files.filter(|p| p.extension().is_some_and(|e| e == "jsonl")).collect();
        files.sort();
        all.extend(files.iter().map(|p| (dialect, std::fs::read(p).unwrap())));
    }
    all
}

/// JSON of any shape that uses the keys that the parsers look for, so that each meets a value of another type than it expects.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let keys: Vec<&str> = "type subtype session_id thread_id sessionID message content usage id item part state tokens cache error data status stats \
        result modelUsage model_usage_since_last_result errors rate_limit_info resetsAt total_cost_usd text name input output reason cost role delta \
        input_tokens output_tokens inputTokens statusCode responseHeaders retry-after"
        .split_whitespace()
        .collect();
    let words: Vec<&str> = "system assistant user result rate_limit_event init api_retry rejected turn.completed turn.failed item.started item.completed \
        error thread.started message tool_use tool_result step_start step_finish text stop unknown success agent_message command_execution usage \
        limited session"
        .split_whitespace()
        .collect();
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(|f| serde_json::json!(f)),
        prop::sample::select(words).prop_map(Into::into),
        "\\PC{0,12}".prop_map(Into::into),
    ];
    let value = leaf.prop_recursive(4, 48, 8, move |inner| {
        let key = prop::sample::select(keys.clone());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec((key, inner), 0..8)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    });
    value.boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(
        dialect in prop::sample::select(DIALECTS.to_vec()), stream in prop::collection::vec(any::<u8>(), 0..400),
        code in prop::option::of(0i32..256), stderr in "\\PC{0,60}",
    ) {
        survives(dialect, &stream, AgentExit { code, signal: code.is_none().then_some(9) }, &stderr);
    }

    #[test]
    fn json_of_any_shape_never_panics(
        dialect in prop::sample::select(DIALECTS.to_vec()), lines in prop::collection::vec(any_json(), 0..12), code in 0i32..2,
    ) {
        let stream = lines.iter().map(|l| l.to_string()).collect::<Vec<_>>().join("\n");
        survives(dialect, stream.as_bytes(), AgentExit { code: Some(code), signal: None }, "");
    }

    #[test]
    fn a_captured_stream_may_break_off_anywhere(which in 0usize..200, cut in 0.0f64..1.0, swap in any::<u8>()) {
        let all = streams();
        let (dialect, stream) = &all[which % all.len()];
        let at = (stream.len() as f64 * cut) as usize;
        survives(*dialect, &stream[..at], AgentExit { code: None, signal: Some(9) }, "");
        let mut broken = stream.clone();
        if let Some(byte) = broken.get_mut(at) {
            *byte = swap;
        }
        survives(*dialect, &broken, AgentExit { code: Some(1), signal: None }, "");
    }
}

#[test]
fn deep_and_long_json_is_a_line_that_makes_no_sense() {
    let deep = [b"{\"type\":".repeat(100_000), b"1".to_vec()].concat();
    let long =
        format!("{{\"type\":\"assistant\",\"message\":{{\"content\":[{{\"type\":\"text\",\"text\":\"{}\"}}]}}}}", "x".repeat(3 << 20));
    for dialect in DIALECTS {
        survives(dialect, &deep, AgentExit { code: Some(1), signal: None }, "");
        survives(dialect, long.as_bytes(), AgentExit { code: Some(1), signal: None }, "");
    }
}

#[test]
fn nonsense_is_shown_a_few_times_and_then_counted_no_more() {
    let stream = b"not json\n".repeat(5000);
    let (events, _, _) = play(&spec(Dialect::Claude, "claude"), &stream, AgentExit { code: Some(1), signal: None }, "");
    assert_eq!(events.len(), 10);
    assert!(matches!(events.last(), Some(AgentEvent::Notice { text, .. }) if text.contains("stdout.log")));
}

#[test]
fn a_retried_refusal_is_loud_from_its_second_time_on_and_over_once_the_model_answers() {
    let retry = |n: u32, status: u32| {
        format!(r#"{{"type":"system","subtype":"api_retry","attempt":{n},"max_retries":9,"error_status":{status},"error":"overloaded"}}"#)
            + "\n"
    };
    let limited = |events: &[AgentEvent]| events.iter().filter(|e| matches!(e, AgentEvent::Limited { .. })).count();
    let spec = spec(Dialect::Claude, "claude");
    let killed = AgentExit { code: None, signal: Some(9) };
    let (events, _, v) = play(&spec, retry(1, 529).as_bytes(), killed, "");
    assert_eq!((limited(&events), v.outcome.as_str()), (0, "rate_limited"));
    let twice = retry(1, 529) + &retry(2, 529);
    assert_eq!(limited(&play(&spec, twice.as_bytes(), killed, "").0), 1);
    // A refused key may yet be accepted: only the end makes it certain, and pauses the backend for the operator.
    assert_eq!(limited(&play(&spec, (retry(1, 401) + &retry(2, 401)).as_bytes(), killed, "").0), 0);
    let answered = twice + r#"{"type":"assistant","message":{"id":"m","content":[{"type":"text","text":"hi"}]}}"#;
    let (_, _, v) = play(&spec, answered.as_bytes(), killed, "");
    assert_eq!((v.outcome.as_str(), v.limit), ("error", None));
}

#[test]
fn a_message_of_claude_is_counted_once_however_many_blocks_it_has() {
    let block = |id: &str, text: &str, output: u32| {
        let usage = format!(r#"{{"input_tokens":100,"output_tokens":{output},"cache_read_input_tokens":5}}"#);
        format!(r#"{{"type":"assistant","message":{{"id":"{id}","content":[{{"type":"text","text":"{text}"}}],"usage":{usage}}}}}"#) + "\n"
    };
    let stream = block("a", "1", 1) + &block("b", "2", 1) + &block("a", "3", 4) + &block("b", "4", 1);
    let (events, _, v) = play(&spec(Dialect::Claude, "claude"), stream.as_bytes(), AgentExit { code: None, signal: Some(9) }, "");
    assert_eq!(v.usage, Usage { input: 200, output: 5, cache_read: 10, cache_write: 0 });
    assert_eq!(events.iter().filter(|e| matches!(e, AgentEvent::Usage { .. })).count(), 3);
}

#[test]
fn a_native_agent_cannot_speak_for_the_shim_and_its_refusal_is_its_end() {
    let stream = concat!(
        r#"{"type":"started","pid":1,"start_time":1}"#,
        "\n",
        r#"{"type":"moving"}"#,
        "\n",
        r#"{"type":"text","text":"first"}"#,
        "\n",
        r#"{"type":"tool_call","id":"1","name":"t","input":"{}"}"#,
        "\n",
        r#"{"type":"text","text":"the "}"#,
        "\n",
        r#"{"type":"text","text":"answer"}"#,
        "\n",
        r#"{"type":"result","ok":true}"#,
    );
    let spec = spec(Dialect::Native, "replay");
    let (events, _, v) = play(&spec, stream.as_bytes(), AgentExit { code: Some(0), signal: None }, "");
    assert_eq!((events.len(), v.result.as_deref()), (5, Some("the answer")));
    let refused = concat!(
        r#"{"type":"limited","limit":{"kind":"window","resets_at":"2026-11-22T09:00:00Z","message":"used up"}}"#,
        "\n",
        r#"{"type":"result","ok":false}"#,
    );
    let (_, _, v) = play(&spec, refused.as_bytes(), AgentExit { code: Some(1), signal: None }, "");
    assert_eq!((v.outcome.as_str(), v.message.as_str()), ("rate_limited", "replay: used up"));
    assert_eq!(v.limit.unwrap().resets_at, Some(Timestamp::parse("2026-11-22T09:00:00Z").unwrap()));
}

#[test]
fn a_long_output_keeps_its_beginning_and_its_end() {
    let stream: Vec<u8> = (0..100_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
    let (_, _, v) = play(&spec(Dialect::Text, "shell"), &stream, AgentExit { code: Some(0), signal: None }, "");
    let result = v.result.unwrap();
    assert!(result.starts_with("line 0\n") && result.trim_end().ends_with("line 99999") && result.contains("bytes left out"));
    assert!(result.len() < 300 << 10);
}
