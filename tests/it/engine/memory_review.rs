//! The review of what happened, end to end: what it looks at, what it changes, and that nothing is left out or looked at twice.

use super::Bench;
use super::gate::bench;
use orc::domain::{FireOutcome, JobId, JobState, MemoryId};
use orc::os::clock;
use orc::store::{Event, StoreError};
use std::time::Duration;

const ANSWER: &str = r#"{"memories": [{"text": "The staging host is fly-2.", "category": "fact", "importance": 0.6, "supersedes": [1]}],
"forget": [], "report": "One has changed."}"#;

/// A judge whose answer is in a file.
fn judged(settings: &[&str]) -> Bench {
    let b = bench("say ok", "cat \"$(dirname \"$0\")/answer.json\"", &[&["memory_backend=judge", "reviewer=none"], settings].concat());
    std::fs::write(b.path("answer.json"), ANSWER).unwrap();
    b.remember("The staging host is fly-1.");
    b
}

fn save(b: &Bench, schedule: &str) {
    let job = "[cron.job]\ntitle = \"End of day\"\ntype = \"claude\"\nkind = \"consolidate\"\nprompt = \"Review.\"\n";
    let text = format!("[[cron]]\nname = \"end-of-day\"\n{schedule}\ntimezone = \"UTC\"\ncatch_up = \"once\"\n{job}");
    std::fs::write(b.workspace.cron_file(), text).unwrap();
}

fn orc(b: &Bench, args: &[&str]) -> serde_json::Value {
    let out = b.command("orc").env("ORC_MEMORY_BACKEND", "judge").args(args).arg("--json").output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// Something that happened so long ago.
fn happened(b: &mut Bench, text: &str, ago: Duration) {
    b.store.write::<_, StoreError>(|tx| tx.event(&Event::new(clock::now() - ago, "operator", "memory", text))).unwrap();
}

fn reviewed(b: &Bench) -> Option<i64> {
    b.store.meta("memory_reviewed_until").unwrap().map(|ms| ms.parse().unwrap())
}

#[test]
fn a_schedule_fired_by_hand_reviews_and_its_answer_changes_what_is_remembered() {
    let mut b = judged(&[]);
    save(&b, "schedule = \"0 3 * * *\"");
    b.start();
    let job = b.run("true");
    assert_eq!(b.ends(job), JobState::Done);
    orc(&b, &["cron", "run", "end-of-day"]);
    let fire = b.within(|| b.store.fires(None, 9).unwrap().pop().filter(|f| f.job_state == Some(JobState::Done)));
    assert!(fire.manual && fire.outcome == FireOutcome::Fired);
    let told = b.told("judge", 1);
    assert!(told.contains("- id 1: [lesson") && told.contains("fly-1") && told.contains(&format!("job {job} \"job\" done")), "{told}");
    let old = b.within(|| b.memory().get(MemoryId(1)).unwrap().filter(|m| m.superseded_by.is_some()));
    assert_eq!((old.superseded_by, old.disputed), (Some(MemoryId(2)), true));
    assert_eq!(reviewed(&b), Some(fire.at.0));
    // Until the operator has judged it is on their list.
    let pairs = orc(&b, &["memory", "conflicts"]);
    assert_eq!((pairs[0]["old"]["id"].as_i64(), pairs[0]["new"]["id"].as_i64()), (Some(1), Some(2)));
    orc(&b, &["memory", "settle", "1", "older"]);
    let of = |id| b.memory().get(MemoryId(id)).unwrap().unwrap();
    assert!(of(1).holds() && of(2).forgotten_at.is_some());
    assert_eq!(orc(&b, &["memory", "conflicts"]).as_array().unwrap().len(), 0);
    let log = b.store.log_after(0, usize::MAX >> 1).unwrap();
    for says in ["1 kept, 1 superseded", "One has changed.", "settled: memory 1 holds again"] {
        assert!(log.iter().any(|l| l.what == "memory" && l.text.contains(says)), "{says}");
    }
}

#[test]
fn a_night_off_is_made_up_for_and_nothing_is_left_out() {
    let mut b = judged(&["cron_late=1s"]);
    let at = chrono::DateTime::from_timestamp_millis(clock::now().0 - 10 * 60_000).unwrap();
    save(&b, &format!("schedule = \"{}\"", at.format("%M %H * * *")));
    b.start();
    b.within(|| b.store.log_after(0, 999).unwrap().into_iter().find(|l| l.what == "cron"));
    b.crash();
    rusqlite::Connection::open(b.workspace.database()).unwrap().execute("UPDATE cron_entries SET since = since - 43200000", []).unwrap();
    happened(&mut b, "News before the evening", Duration::from_secs(2 * 3600));
    happened(&mut b, "News after the evening", Duration::from_secs(5 * 60));
    b.start();
    let fire = b.within(|| b.store.fires(None, 9).unwrap().pop().filter(|f| f.job_state == Some(JobState::Done)));
    let told = b.told("judge", 1);
    assert!(told.contains("News before the evening") && !told.contains("News after the evening"), "{told}");
    assert_eq!(reviewed(&b), Some(fire.at.0), "not what came after it");
    orc(&b, &["cron", "run", "end-of-day"]);
    b.within(|| b.store.fires(None, 9).unwrap().into_iter().find(|f| f.manual && f.job_state == Some(JobState::Done)));
    let told = b.told("judge", 2);
    assert!(told.contains("News after the evening") && !told.contains("News before the evening"), "{told}");
}

#[test]
fn an_evening_that_no_engine_saw_is_reviewed_at_the_next_start_and_a_review_that_fails_is_none() {
    let at = chrono::DateTime::from_timestamp_millis(clock::now().0 - 10 * 60_000).unwrap();
    let mut b = judged(&[&format!("consolidate_at={}", at.format("%H:%M")), "timezone=UTC", "retry_base=0s"]);
    let days_ago = (clock::now() - Duration::from_secs(3 * 86_400)).0;
    b.store.write::<_, StoreError>(|tx| tx.set_meta("memory_reviewed_until", &days_ago.to_string())).unwrap();
    happened(&mut b, "News of the day before", Duration::from_secs(30 * 3600));
    std::fs::write(b.path("answer.json"), "Nothing to change.").unwrap();
    b.start();
    let job = |b: &Bench| {
        let rows = b.store.jobs(&Default::default(), orc::domain::Page { before: None, limit: 9 }).unwrap();
        rows.iter().map(|r| r.id).filter(|id| b.job(*id).spec.kind == orc::domain::Kind::Consolidate).max()
    };
    let first: JobId = b.within(|| job(&b));
    assert_eq!(b.ends(first), JobState::Failed);
    assert_eq!(reviewed(&b), Some(days_ago));
    b.crash();
    std::fs::write(b.path("answer.json"), ANSWER).unwrap();
    b.start();
    let second = b.within(|| job(&b).filter(|id| *id != first));
    assert_eq!(b.ends(second), JobState::Done);
    assert!(b.told("judge", 3).contains("News of the day before"));
    assert!(reviewed(&b).unwrap() > days_ago);
}
