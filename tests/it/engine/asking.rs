//! Jobs that ask the operator, and how a process is told from the operator.

use super::Bench;
use orc::domain::{Applied, Command, DecisionId, JobState, WaitReason};
use orc::os::clock;
use std::time::Duration;

const FIRST: DecisionId = DecisionId(1);

/// A script that asks once, and the next time writes down what it is told.
fn asks(b: &Bench, more: &str) -> String {
    let d = b.dir.path().display();
    format!(
        "if test -e {d}/asked; then pm --json decision show 1 | tr -d '\\n' > {d}/told.new; echo >> {d}/told.new; mv {d}/told.new {d}/told
         else pm decision ask --question 'Which host?' --option 'fly:Fly.io:5 $ a month' --option 'own:Own server' {more} && echo > {d}/asked; fi"
    )
}

#[test]
fn whoever_asks_waits_and_goes_on_with_the_answer_across_a_crash() {
    let mut b = Bench::new(&[]);
    let job = b.run(&asks(&b, ""));
    b.start();
    b.appears("asked");
    b.within(|| (b.job(job).wait_reason == Some(WaitReason::Decision)).then_some(()));
    assert_eq!(b.job(job).attempts, 0, "asking uses up no attempt");
    let why = b.command("pm").args(["why", &job.to_string()]).output().unwrap();
    let why = String::from_utf8(why.stdout).unwrap();
    assert!(
        why.contains("asked: Which host?") && why.contains("`orc decision answer 1 KEY`, with fly (Fly.io) or own (Own server)"),
        "{why}"
    );
    b.crash();
    b.start();
    let unknown = b.apply(Command::Answer { decision: FIRST, key: "aws".into(), remark: None });
    assert!(matches!(unknown, Applied::Refused { message } if message.contains("fly, own")));
    b.apply(Command::Answer { decision: FIRST, key: "OWN".into(), remark: Some("the old one".into()) });
    assert_eq!(b.ends(job), JobState::Done);
    let told: serde_json::Value = serde_json::from_str(&b.appears("told")).unwrap();
    assert_eq!((&told["state"], &told["answer"], &told["remark"]), (&"answered".into(), &"own".into(), &"the old one".into()));
    assert_eq!(b.attempts(job).len(), 2);
    let again = b.apply(Command::Answer { decision: FIRST, key: "fly".into(), remark: None });
    assert!(matches!(again, Applied::Stale { .. }), "{again:?}");
}

#[test]
fn without_an_answer_in_time_the_default_holds_and_a_kill_takes_the_question_back() {
    let mut b = Bench::new(&[]);
    let job = b.run(&asks(&b, "--deadline 1s --default fly"));
    b.start();
    assert_eq!(b.ends(job), JobState::Done);
    assert!(b.appears("told").contains("expired"));

    std::fs::remove_file(b.path("asked")).unwrap();
    let second = b.run(&asks(&b, ""));
    b.within(|| (b.job(second).wait_reason == Some(WaitReason::Decision)).then_some(()));
    assert_eq!(b.store.decisions(false).unwrap().len(), 1);
    b.apply(Command::Kill { job: second, seen: None });
    assert_eq!(b.job(second).state, JobState::Killed);
    assert!(b.store.decisions(false).unwrap().is_empty());
}

#[test]
fn a_task_that_waits_holds_what_is_submitted_to_it_before_and_after() {
    let mut b = Bench::new(&[]);
    let now = clock::now();
    let task = b
        .store
        .write(|tx| {
            let project = tx.add_project("site", None, "operator", now)?;
            tx.add_task(project, "front page", "operator", now)
        })
        .unwrap();
    let before = b.add(orc::domain::JobSpec { task_id: Some(task), ..b.spec("true") });
    let asked =
        b.command("orc").args(["task", "ask", "1", "--question", "Blue?", "--option", "y:Yes", "--option", "n:No"]).output().unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    assert_eq!(b.store.task(task).unwrap().unwrap().state, "waiting");
    let mut spec = b.spec("true");
    spec.task_id = Some(task);
    spec.not_before = Some(b.later(Duration::from_secs(3600)));
    let job = b.add(spec);
    assert_eq!(b.job(job).wait_reason, Some(WaitReason::Decision));
    // What was queued before stays queued, and does not start.
    assert_eq!(b.job(before).state, JobState::Queued);
    assert!(b.store.queued().unwrap().is_empty());
    let why = b.command("pm").args(["why", &before.to_string()]).output().unwrap();
    let why = String::from_utf8(why.stdout).unwrap();
    assert!(why.contains("asked: Blue?"), "{why}");
    b.start();
    let free = b.run("true");
    assert_eq!(b.ends(free), JobState::Done);
    assert_eq!(b.job(before).state, JobState::Queued);
    b.apply(Command::CancelDecision { decision: FIRST });
    assert_eq!(b.ends(before), JobState::Done);
    assert_eq!(b.job(job).wait_reason, Some(WaitReason::Date), "the date is still to come");
    assert_eq!(b.store.task(task).unwrap().unwrap().state, "open");
}

#[test]
fn an_agent_that_is_quicker_than_its_shims_hello_is_not_the_operator() {
    let mut b = Bench::new(&[]);
    let job = b.run("true");
    let now = clock::now();
    let claimed = b.store.write(|tx| {
        let new = orc::store::NewWorker {
            name: "w".into(),
            backend: "shell".into(),
            model: None,
            persona: None,
            skills: Vec::new(),
            persistent: true,
            project_id: None,
            directory: "/".into(),
        };
        let claim = orc::store::Claim {
            job,
            worker: tx.add_worker(&new, "engine", now)?,
            worker_name: "w".into(),
            backend: "shell".into(),
            model: None,
            epoch: 1,
            host: "here".into(),
            token_hash: String::new(),
            session: None,
            directory: "/".into(),
            estimate: 0,
        };
        tx.claim(&claim, now)
    });
    let dir = b.workspace.attempt_dir(claimed.unwrap().unwrap());
    // With an environment that says nothing, below this process.
    let pause = || b.command("pm").args(["engine", "pause"]).output().unwrap().status.code();
    let shim = |identity: &orc::domain::ProcessIdentity| {
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("shim.json"), serde_json::to_vec(identity).unwrap()).unwrap();
    };
    assert_eq!(pause(), Some(0), "nobody's child");
    // As a shim puts itself down before its agent can start; no engine has heard of it.
    let me = orc::os::process::this().unwrap();
    shim(&me);
    assert_eq!(pause(), Some(4));
    shim(&orc::domain::ProcessIdentity { start_time: me.start_time + 1, ..me.clone() });
    assert_eq!(pause(), Some(0), "another process of that number");
    shim(&orc::domain::ProcessIdentity { boot_id: "before".into(), ..me });
    assert_eq!(pause(), Some(0), "and one from before the reboot");
}
