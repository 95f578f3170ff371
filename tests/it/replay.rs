//! `orc-shim --replay`: what a script can do.

use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn replay(dir: &Path, job: Option<&str>, prompt: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orc-shim"));
    command.args(["--replay", "--session", "s-1", "--model", "haiku"]).env("ORC_REPLAY_DIR", dir).env_remove("ORC_JOB");
    if let Some(job) = job {
        command.env("ORC_JOB", job);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(prompt.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn events(out: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&out.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const TWO_TAKES: &str = r#"// fails first
{"event":{"type":"text","text":"one"}}
{"limit":{"kind":"window","resets_in_s":3600,"message":"used up"}}
{"stderr":"gone"}
{"exit":3}
{"take":true}

{"event":{"type":"text","text":"two"}}
{"event":{"type":"result","ok":true}}
"#;

#[test]
fn each_attempt_of_a_job_plays_its_take_and_the_last_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.jsonl"), TWO_TAKES).unwrap();
    let prompt = "# Rules\nnothing\n\n# Job 1\n\nreplay: a\nreplay: b\n";
    let first = replay(dir.path(), Some("1"), prompt);
    assert_eq!(first.status.code(), Some(3));
    assert_eq!(String::from_utf8_lossy(&first.stderr), "gone\n");
    let said = events(&first);
    assert_eq!(
        (said[0]["type"].as_str(), said[0]["id"].as_str(), said[0]["model"].as_str()),
        (Some("session"), Some("s-1"), Some("haiku"))
    );
    assert_eq!(said[1]["text"], "one");
    assert!(said[2]["limit"]["resets_at"].is_string(), "the reset counts from when it is played: {}", said[2]);
    for _ in 0..2 {
        let again = replay(dir.path(), Some("1"), prompt);
        assert!(again.status.success());
        assert_eq!(events(&again)[1]["text"], "two");
    }
    assert_eq!(replay(dir.path(), Some("2"), prompt).status.code(), Some(3), "another job begins with the first take");
}

#[test]
fn what_is_wrong_is_named_by_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.jsonl"), "{\"exit\":0,\"exlt\":1}\n").unwrap();
    let complaint = |prompt: &str| {
        let out = replay(dir.path(), None, prompt);
        assert_eq!(out.status.code(), Some(2));
        String::from_utf8(out.stderr).unwrap()
    };
    assert!(complaint("replay: bad\n").contains("bad.jsonl:1: unknown field `exlt`"));
    assert!(complaint("replay: none\n").contains("none.jsonl: No such file"));
    assert!(complaint("hello\n").contains("no line of the prompt is `replay: NAME`"));
}
