use super::Bench;
use serde_json::Value;

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn submitting_answers_with_the_number_alone() {
    let b = Bench::new();
    assert_eq!(b.json("pm job add --type shell --prompt true --json").to_string(), r#"{"id":1}"#);
    assert_eq!(b.json("pm project add --title P --json").to_string(), r#"{"id":1}"#);
    assert_eq!(b.json("pm task add --title T --project-id 1 --json").to_string(), r#"{"id":1}"#);
}

#[test]
fn lists_are_arrays_and_empty_ones_too() {
    let b = Bench::new();
    for line in [
        "job ls",
        "job ls --all",
        "worker ls",
        "project ls",
        "task ls",
        "log show",
        "log tail",
        "log grep nothing",
        "backend ls",
        "plan ls",
        "plan ls --all",
        "message ls",
        "message ls --all",
        "message log",
    ] {
        let value = b.json(&format!("orc {line} --json"));
        assert!(value.is_array(), "{line}: {value}");
    }
    assert_eq!(b.json("orc job ls --json"), serde_json::json!([]));
}

#[test]
fn a_job_has_the_promised_fields_in_their_types() {
    let b = Bench::new();
    b.do_all(&[
        "pm job add --type shell --prompt true --title T --priority P1",
        "pm job add --type shell --prompt true --depends-on 1 --timeout 90s",
    ]);
    let rows = b.json("pm job ls --json");
    assert_eq!(rows.as_array().map(Vec::len), Some(2));
    let job = &rows[1];
    for key in ["id", "title", "state", "priority", "lane", "type", "kind", "worker", "attempts", "created_at"] {
        assert!(job.get(key).is_some(), "{key} is missing: {job}");
    }
    assert_eq!((job["id"].as_i64(), job["lane"].as_i64(), job["attempts"].as_i64()), (Some(1), Some(0), Some(0)));
    assert_eq!((job["priority"].as_str(), job["type"].as_str(), job["kind"].as_str()), (Some("P1"), Some("shell"), Some("maintenance")));
    let made = job["created_at"].as_str().unwrap();
    assert!(made.ends_with('Z') && orc::domain::Timestamp::parse(made).is_ok(), "{made}");

    let shown = b.json("pm job show 2 --json");
    let missing: Vec<&str> = keys(&rows[0]).into_iter().filter(|k| shown.get(k).is_none() && *k != "open_dependencies").collect();
    assert!(missing.is_empty(), "`show` lacks what `ls` has: {missing:?}");
    assert_eq!((shown["depends_on"].clone(), shown["timeout_ms"].as_i64()), (serde_json::json!([1]), Some(90_000)));
    assert!(shown["history"].is_array() && shown["events"].is_array());
    assert_eq!(b.json("pm job show 1 2 --json").as_array().map(Vec::len), Some(2));
}

#[test]
fn commands_for_several_jobs_say_what_each_came_to() {
    let b = Bench::new();
    b.do_all(&["pm job add --type shell --prompt true"]);
    let out = b.command("pm").args(["job", "kill", "1", "9", "--json"]).output().unwrap();
    assert_eq!(out.status.code(), Some(3));
    let rows: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((rows[0]["ok"].as_bool(), rows[1]["ok"].as_bool(), rows[1]["id"].as_i64()), (Some(true), Some(false), Some(9)));
}
