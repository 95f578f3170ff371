//! A message becomes a plan, the plan is approved, and its jobs run: with the real claude against a model server on loopback.

use super::Bench;
use super::plans::plan;
use crate::agents::{Mock, installed};
use orc::domain::{Class, JobState, MessageId, MessageStage, PlanId, PlanState, ReviewOutcome, Says, WaitReason};
use serde_json::json;

fn claude(mock: &Mock) -> Option<Bench> {
    let program = installed("claude")?;
    let mut b = Bench::new(&["timeout.triage=60s", &format!("backend.claude.program={}", program.display())]);
    b.env.insert("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{}", mock.port));
    b.env.insert("ANTHROPIC_API_KEY", "test-key".to_owned());
    Some(b)
}

#[test]
fn claude_makes_a_plan_of_a_message_and_its_jobs_run_in_order() {
    let mock = Mock::start();
    let Some(mut b) = claude(&mock) else { return };
    let triage = json!({"class": "big", "confidence": 0.9, "title": "Sell tea", "reply": "A tea shop it is."}).to_string();
    let good = serde_json::to_string(&plan("The shop sells tea", &[("top", &[]), ("left", &["top"]), ("end", &["left"])])).unwrap();
    mock.scenario(&json!({"rules": [
        {"match": {"prompt": "cannot be used as a plan"}, "turns": [{"text": format!("Here:\n```json\n{good}\n```")}]},
        {"match": {"prompt": "Make a plan for what is asked"}, "turns": [{"text": "I would begin with the till, and go on from there."}]},
        {"match": {"prompt": "Sort one message"}, "turns": [{"text": triage}]},
        {"match": {"prompt": "Make the top."}, "turns": [{"text": "The top is made."}]},
        {"match": {"prompt": "Make the left."}, "turns": [{"text": "The left is made."}]},
        {"match": {"prompt": "Make the end."}, "turns": [{"text": "The end is made."}]},
    ]}));
    b.start();
    b.within(|| std::os::unix::net::UnixStream::connect(b.workspace.socket()).ok());
    let (ok, said) = b.orc(&["message", "--wait", "--timeout", "110s", "Let our shop sell tea, online too"]);
    assert!(ok && said.contains("A tea shop it is.") && said.contains("Plan 1 is ready: The shop sells tea (3 tasks)"), "{said}");
    let m = b.store.message(MessageId(1)).unwrap().unwrap();
    assert_eq!((m.triage.as_ref().unwrap().class, m.triaged_by.as_deref()), (Class::Big, Some("claude")), "{m:?}");
    let proposed = b.reaches(PlanId(1), PlanState::Proposed);
    let planner = proposed.job.unwrap();
    let attempts = b.attempts(planner);
    assert_eq!(attempts.len(), 2, "sent back once: {attempts:?}");
    assert!(attempts[0].session.is_some() && attempts[0].session == attempts[1].session, "into the same session: {attempts:?}");
    assert!(b.made(PlanId(1)).is_empty());
    let (ok, said) = b.orc(&["plan", "approve", "1"]);
    assert!(ok, "{said}");
    b.within(|| b.plan(PlanId(1)).finished_at);
    let made = b.made(PlanId(1));
    assert!(made.iter().all(|(_, j)| j.state == JobState::Done), "{made:?}");
    let (starts, ends): (Vec<_>, Vec<_>) = made.iter().map(|(_, j)| (j.started_at.unwrap(), j.finished_at.unwrap())).unzip();
    assert!(ends[0] <= starts[1] && ends[1] <= starts[2], "each begins when what it needs is done");
    let (_, result) = b.orc(&["job", "result", &made[2].1.id.to_string()]);
    assert!(result.contains("The end is made."), "{result}");
    b.within(|| Some(b.store.message(MessageId(1)).unwrap().unwrap()).filter(|m| m.stage == MessageStage::Over));
    let said = b.store.said_to(MessageId(1)).unwrap();
    assert!(said.last().is_some_and(|e| e.says == Says::Notice && e.text.contains("3 of 3 done")), "{said:?}");
    // The session knew what it had said, and was told what was wrong with it.
    let asked = mock.requests();
    assert!(asked.iter().any(|r| r.contains("it holds no JSON object") && r.contains("I would begin with the till")));
}

#[test]
fn a_claude_that_plans_rubbish_twice_ends_in_a_card() {
    let mock = Mock::start();
    let Some(mut b) = claude(&mock) else { return };
    let circle = serde_json::to_string(&plan("A circle", &[("a", &["b"]), ("b", &["a"])])).unwrap();
    mock.scenario(&json!({"rules": [
        {"match": {"prompt": "cannot be used as a plan"}, "turns": [{"text": circle}]},
        {"match": {"prompt": "Make a plan for what is asked"}, "turns": [{"text": "{\"goal\": \"Tea\", \"tasks\": []}"}]},
    ]}));
    b.start();
    b.orc(&["plan", "new", "Sell tea"]);
    let card = b.within(|| b.store.decisions(false).unwrap().into_iter().next());
    assert!(card.asked.question.contains("wait for one another in a circle: a -> b -> a"), "{}", card.asked.question);
    let job = b.job(b.plan(PlanId(1)).job.unwrap());
    assert_eq!((job.state, job.wait_reason), (JobState::Waiting, Some(WaitReason::Deadlock)));
    let attempts = b.attempts(job.id);
    assert!(attempts.len() == 2 && attempts[0].session == attempts[1].session, "{attempts:?}");
    let rounds = b.store.reviews(job.id).unwrap();
    assert_eq!(rounds.iter().map(|r| r.outcome).collect::<Vec<_>>(), [Some(ReviewOutcome::Fixes), None]);
    assert!(rounds[0].fixes[0].text.contains("it has no tasks"), "{rounds:?}");
    let (ok, said) = b.orc(&["decision", "answer", &card.id.to_string(), "fail"]);
    assert!(ok, "{said}");
    assert_eq!(b.reaches(PlanId(1), PlanState::Rejected).decided_by.as_deref(), Some("engine"));
}
