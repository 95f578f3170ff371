//! The agents that `orc-shim` itself is: a scripted session, and one chat completion over HTTP.

use crate::dialects::{play, spec};
use orc::domain::{AgentEvent, LimitKind, Outcome};
use orc::shim::backend::{AgentExit, Verdict};
use orc::wire::Dialect;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SHIM: &str = env!("CARGO_BIN_EXE_orc-shim");
const DEADLINE: Duration = Duration::from_secs(60);

fn shim(args: &[&str], env: &[(&str, &str)], prompt: &str) -> Child {
    let mut command = Command::new(SHIM);
    command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap()).envs(env.iter().copied());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    match child.stdin.take().unwrap().write_all(prompt.as_bytes()) {
        // It may have found a fault in its arguments, and left, before it read.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => {}
        written => written.unwrap(),
    }
    child
}

/// Waits for the end and reads it as the job process would.
fn verdict(child: Child) -> (Vec<AgentEvent>, Verdict, String) {
    let out = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    let exit = AgentExit { code: out.status.code(), signal: out.status.signal() };
    let (events, _, verdict) = play(&spec(Dialect::Native, "test"), &out.stdout, exit, &stderr);
    (events, verdict, stderr)
}

fn demo() -> String {
    format!("{}/assets/demo", env!("CARGO_MANIFEST_DIR"))
}

fn replay(prompt: &str) -> (Vec<AgentEvent>, Verdict, String) {
    verdict(shim(&["--replay", "--session", "s-1"], &[("ORC_REPLAY_SPEED", "0"), ("ORC_REPLAY_DIR", &demo())], prompt))
}

#[test]
fn a_script_is_played_to_its_result() {
    let (_, v, _) = replay("Something before it.\n\nreplay: email-triage\n\nSort the night's mail");
    assert_eq!((v.outcome, v.session.as_deref()), (Outcome::Ok, Some("s-1")));
    assert!(v.result.unwrap().starts_with("**11 unread"));
    assert!(v.usage.output > 0 && v.usage_known && v.cost_usd.unwrap() > 0.0);

    let (_, v, _) =
        replay("replay:\n{\"repeat\":{\"times\":3,\"lines\":[{\"event\":{\"type\":\"text\",\"text\":\"a\"}}]}}\n{\"exit\":7}\nThe rest");
    assert_eq!(v.message, "test: it left with exit code 7 without a result");
    let (_, v, _) = replay(
        "replay:\n{\"repeat\":{\"times\":3,\"lines\":[{\"event\":{\"type\":\"text\",\"text\":\"a\"}}]}}\n{\"event\":{\"type\":\"result\",\"ok\":true}}\n{\"exit\":0}",
    );
    assert_eq!(v.result.as_deref(), Some("aaa"));

    for (prompt, says) in [
        ("replay: no-such-script", "no-such-script.jsonl: No such file"),
        ("no script here", "no line of the prompt is `replay: NAME`"),
        ("replay:\n{\"dance\":1}", "the prompt:1: unknown field `dance`"),
    ] {
        let (_, v, _) = replay(prompt);
        assert!(v.outcome == Outcome::Error && v.message.contains(says), "{}", v.message);
    }
}

#[test]
fn a_script_can_be_an_agent_that_does_not_want_to_end() {
    let script = |first: &str| {
        let said = r#"{"event":{"type":"text","text":"still here"}}"#.to_owned() + "\n" + r#"{"event":{"type":"result","ok":true}}"#;
        format!("replay:\n{first}{{\"run\":\"kill -TERM $PPID\"}}\n{said}\n")
    };
    let (_, v, _) = replay(&script("{\"ignore_term\":true}\n"));
    assert_eq!(v.result.as_deref(), Some("still here"));
    let (_, v, _) = replay(&script(""));
    assert_eq!(v.message, "test: it was ended by SIGTERM without a result");
}

/// Answers one request with these bytes, and gives the request.
fn endpoint(response: impl Into<Vec<u8>>) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/v1/", listener.local_addr().unwrap());
    let response = response.into();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let n = stream.read(&mut buffer).unwrap();
            request.extend_from_slice(&buffer[..n]);
            let text = String::from_utf8_lossy(&request);
            let length: usize = text.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            if n == 0 || text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length) {
                break;
            }
        }
        // A client that has heard enough may be gone before the end.
        let _ = stream.write_all(&response);
        String::from_utf8_lossy(&request).into_owned()
    });
    (base, served)
}

fn sse(chunks: &[&str]) -> String {
    let body: String = chunks.iter().map(|c| format!("data: {c}\n\n")).collect();
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}")
}

fn status(line: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {line}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn ask(response: impl Into<Vec<u8>>) -> (Vec<AgentEvent>, Verdict, String) {
    let (base, served) = endpoint(response);
    let began = Instant::now();
    let child = shim(&["--http", "--model", "m1"], &[("ORC_HTTP_BASE_URL", &base), ("ORC_HTTP_KEY", "secret-key")], "Hello?");
    let (events, verdict, _) = verdict(child);
    assert!(began.elapsed() < DEADLINE);
    (events, verdict, served.join().unwrap())
}

#[test]
fn a_completion_is_streamed_with_its_tokens() {
    let (events, v, request) = ask(sse(&[
        r#"{"choices":[{"delta":{"role":"assistant","reasoning_content":"hm"}}]}"#,
        r#"{"choices":[{"delta":{"content":"First.\n\nSec"}}]}"#,
        r#"{"choices":[{"delta":{"content":"ond."}}]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":120,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":100}}}"#,
        "[DONE]",
    ]));
    assert_eq!((v.outcome, v.result.as_deref()), (Outcome::Ok, Some("First.\n\nSecond.")));
    assert_eq!((v.usage.input, v.usage.output, v.usage.cache_read, v.usage_known), (20, 7, 100, true));
    let texts: Vec<&AgentEvent> = events.iter().filter(|e| matches!(e, AgentEvent::Text { .. } | AgentEvent::Thinking { .. })).collect();
    assert_eq!(texts.len(), 3, "a thought and two paragraphs: {texts:?}");
    assert!(request.starts_with("POST /v1/chat/completions ") && request.to_lowercase().contains("authorization: bearer secret-key"));
    assert!(request.contains(r#""stream":true"#) && request.contains("Hello?"));
}

#[test]
fn a_server_that_does_not_stream_is_understood() {
    let body =
        r#"{"choices":[{"message":{"content":"All at once"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
    let (_, v, _) = ask(status("200 OK", "content-type: application/json\r\n", body));
    assert_eq!((v.outcome, v.result.as_deref(), v.usage.output), (Outcome::Ok, Some("All at once"), 4));
}

#[test]
fn refusals_are_told_by_their_status() {
    let error = r#"{"error":{"message":"no"}}"#;
    let refused = |line: &str, headers: &str, body: &str| {
        let (_, v, _) = ask(status(line, headers, body));
        let limit = v.limit.as_ref().map(|l| (l.kind, l.resets_at.is_some()));
        (v.outcome, limit, v.message)
    };
    let (outcome, limit, _) = refused("429 Too Many Requests", "retry-after: 30\r\n", error);
    assert_eq!((outcome, limit), (Outcome::RateLimited, Some((LimitKind::Throttle, true))));
    let (outcome, limit, _) = refused("429 Too Many Requests", "", r#"{"error":{"message":"You reached your usage limit for today."}}"#);
    assert_eq!((outcome, limit), (Outcome::RateLimited, Some((LimitKind::Window, false))));
    let (outcome, limit, message) = refused("401 Unauthorized", "", error);
    assert_eq!((outcome, limit), (Outcome::Error, Some((LimitKind::Auth, false))));
    assert!(message.contains("401 Unauthorized: no") && message.contains("check the key") && !message.contains("secret-key"), "{message}");
    let (outcome, limit, _) = refused("503 Service Unavailable", "", "busy");
    assert_eq!((outcome, limit), (Outcome::RateLimited, Some((LimitKind::Overload, false))));
    let (outcome, limit, message) = refused("404 Not Found", "", r#"{"error":"model 'm1' not found"}"#);
    assert_eq!((outcome, limit), (Outcome::Error, None));
    assert!(message.contains("is the model `m1` there?"), "{message}");
}

#[test]
fn an_answer_that_breaks_off_is_no_answer() {
    let says = |response: String| {
        let (_, v, _) = ask(response);
        assert_eq!((v.outcome, &v.result), (Outcome::Error, &None));
        v.message
    };
    let half = r#"{"choices":[{"delta":{"content":"half"}}]}"#;
    assert!(says(sse(&[half])).contains("broke off"));
    assert!(says(sse(&[half, r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#])).contains("limit of output tokens"));
    assert!(says(sse(&["{broken"])).contains("makes no sense"));
    assert!(says(sse(&[r#"{"error":{"message":"the model crashed"}}"#])).contains("the model crashed"));
    assert!(says(status("200 OK", "", "")).contains("empty answer"));
    assert!(says(status("200 OK", "content-type: text/html\r\n", "<html>hello</html>")).contains("is the address right"));
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\ndata: ".to_owned();
    assert!(says(announced).contains("broke off"));
}

#[test]
fn what_is_missing_is_named_with_its_remedy() {
    let says = |args: &[&str], env: &[(&str, &str)]| {
        let (_, v, _) = verdict(shim(args, env, "hi"));
        assert_eq!(v.outcome, Outcome::Error);
        v.message
    };
    assert!(says(&["--http", "--model", "m"], &[]).contains("set ORC_HTTP_BASE_URL"));
    assert!(says(&["--http"], &[("ORC_HTTP_BASE_URL", "http://127.0.0.1:1/v1")]).contains("no model"));
    // Bound and dropped: nobody listens there.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let message = says(&["--http", "--model", "m"], &[("ORC_HTTP_BASE_URL", &format!("http://{gone}/v1"))]);
    assert!(message.contains("cannot be reached") && message.contains("refused"), "{message}");
}
