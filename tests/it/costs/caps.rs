//! Spending caps with a real engine: what would pass one waits, says why, asks, and goes on with the answer.

use crate::engine::Bench;
use orc::domain::{Command, DecisionState, JobSpec, JobState};

/// A backend that tells its tokens as codex does; with `FAIL` in its prompt it says something and ends before it has told any.
pub fn modelled(b: &Bench) {
    let told = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/codex/success.jsonl");
    let script = format!("if grep -q FAIL; then head -4 {told}; exit 3; fi; cat {told}");
    let text =
        format!("name = \"agent\"\ndialect = \"codex\"\nprogram = \"sh\"\nsystem_args = [\"-c\", \"{script}\", \"{{system_file}}\"]\n");
    std::fs::write(b.workspace.backends_dir().join("agent.toml"), text).unwrap();
}

fn job(b: &mut Bench) -> orc::domain::JobId {
    b.add(JobSpec::new("job", "agent", "true"))
}

#[test]
fn a_job_past_the_days_cap_waits_for_the_operator_and_goes_on_with_the_answer() {
    let mut b = Bench::new(&["memory=false", "token_budget=1000000"]);
    std::fs::write(b.workspace.settings_file(), "cap_day_tokens = 4000\n").unwrap();
    modelled(&b);
    let first = b.add(JobSpec { max_attempts: 1, ..JobSpec::new("job", "agent", "FAIL") });
    b.start();
    assert_eq!(b.ends(first), JobState::Failed);
    let spent = b.attempts(first)[0].estimated;
    assert!((2000..4000).contains(&spent), "what was never told counts as estimated: {spent}");

    let second = job(&mut b);
    let card = b.within(|| b.store.decisions(false).unwrap().pop());
    assert!(card.asked.question.starts_with("Today's cap is reached"), "{}", card.asked.question);
    assert_eq!(b.job(second).state, JobState::Queued);
    let free = b.run("true");
    assert_eq!(b.ends(free), JobState::Done, "what costs nothing is not held");

    let why = b.command("orc").args(["why", &second.to_string()]).output().unwrap();
    let why = String::from_utf8(why.stdout).unwrap();
    assert!(
        why.contains("HOLD  cap") && why.contains("spending hold") && why.contains(&format!("orc decision answer {}", card.id)),
        "{why}"
    );

    b.apply(Command::Answer { decision: card.id, key: "double".into(), remark: None });
    assert_eq!(b.ends(second), JobState::Done);
    let used = b.attempts(second)[0].usage;
    assert!(used.total() > 0, "{used:?}");

    // What was allowed is used up: the next one asks again, and no means no.
    let third = b.add(JobSpec::new("job", "agent", "long ".repeat(8000)));
    let again = b.within(|| b.store.decisions(false).unwrap().pop());
    b.apply(Command::Answer { decision: again.id, key: "hold".into(), remark: None });
    let free = b.run("true");
    assert_eq!(b.ends(free), JobState::Done);
    assert_eq!(b.job(third).state, JobState::Queued);
    assert_eq!(b.store.decisions(false).unwrap().len(), 0, "it is not asked again today");
    assert_eq!(b.store.decision(again.id).unwrap().unwrap().state, DecisionState::Answered);
    // A new engine sees the same figures.
    b.stop();
    b.start();
    let free = b.run("true");
    assert_eq!((b.ends(free), b.job(third).state), (JobState::Done, JobState::Queued));
}

#[test]
fn a_project_is_held_by_its_own_cap_and_nobody_else_is() {
    let mut b = Bench::new(&["memory=false"]);
    std::fs::write(b.workspace.settings_file(), "cap_project_usd = 0.05\n").unwrap();
    modelled(&b);
    let now = orc::os::clock::now();
    let project = b.store.write(|tx| tx.add_project("web", None, "operator", now)).unwrap();
    // Nobody knows what its model costs: it counts as the dearest, which one estimate of it passes.
    let held = b.add(JobSpec { project_id: Some(project), ..JobSpec::new("held", "agent", "true") });
    let other = job(&mut b);
    b.start();
    assert_eq!(b.ends(other), JobState::Done);
    let card = b.within(|| b.store.decisions(false).unwrap().pop());
    assert_eq!((card.asked.project, b.job(held).state), (Some(project), JobState::Queued));
    assert_eq!(b.store.decisions(true).unwrap().len(), 1);
    let cost: serde_json::Value = serde_json::from_slice(&b.command("orc").args(["cost", "--json"]).output().unwrap().stdout).unwrap();
    assert!(cost["today"]["unpriced"].as_u64().unwrap() > 0, "{cost}");
}
