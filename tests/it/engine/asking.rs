//! Jobs that ask the operator, and what a process inside a job may not do.

use super::Bench;
use orc::domain::{Applied, Command, DecisionId, JobState, LogFilter, Page, ProjectState, WaitReason};
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
fn a_task_that_waits_holds_what_is_submitted_to_it() {
    let mut b = Bench::new(&[]);
    let now = clock::now();
    let task = b
        .store
        .write(|tx| {
            let project = tx.add_project("site", None, "operator", now)?;
            tx.add_task(project, "front page", "operator", now)
        })
        .unwrap();
    let asked =
        b.command("orc").args(["task", "ask", "1", "--question", "Blue?", "--option", "y:Yes", "--option", "n:No"]).output().unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    assert_eq!(b.store.task(task).unwrap().unwrap().state, "waiting");
    let mut spec = b.spec("true");
    spec.task_id = Some(task);
    spec.not_before = Some(b.later(Duration::from_secs(3600)));
    let job = b.add(spec);
    assert_eq!(b.job(job).wait_reason, Some(WaitReason::Decision));
    b.apply(Command::CancelDecision { decision: FIRST });
    assert_eq!(b.job(job).wait_reason, Some(WaitReason::Date), "the date is still to come");
    assert_eq!(b.store.task(task).unwrap().unwrap().state, "open");
}

#[test]
fn a_process_inside_a_job_cannot_do_what_is_the_operators() {
    let mut b = Bench::new(&[]);
    let now = clock::now();
    let mut project = |title: &str| b.store.write(|tx| tx.add_project(title, None, "operator", now)).unwrap();
    let (own, other) = (project("own"), project("other"));
    b.apply(Command::SubmitProject { project: other });
    let held =
        b.add(orc::domain::JobSpec { project_id: Some(other), not_before: Some(b.later(Duration::from_secs(3600))), ..b.spec("true") });
    let d = b.dir.path().display();
    // Each as itself, and once more with the environment emptied and out of the process group.
    let forbidden = [
        format!("pm project approve {other}"),
        "pm project add --title x".into(),
        format!("pm job kill {held}"),
        format!("pm job priority {held} P5"),
        "pm job priority $ORC_JOB P0".into(),
        format!("pm job add --type shell --prompt true --project-id {other}"),
        "pm job add --type shell --prompt true --priority P0".into(),
        format!("pm task add --title x --project-id {other}"),
        "pm engine drain".into(),
        "pm engine pause".into(),
        "pm lane pause 0".into(),
        "pm worker add --name x --type claude".into(),
        "pm decision answer 1 a".into(),
        "env -i PATH=\"$PATH\" ORC_WORKSPACE=\"$ORC_WORKSPACE\" setsid -w pm engine pause".into(),
    ];
    let mut script = "pm decision ask --question 'May I?' --option a:Yes --option b:No\n".to_owned();
    for act in &forbidden {
        script += &format!("{act} >> {d}/said 2>&1; echo $? >> {d}/codes\n");
    }
    script += &format!("pm job add --type shell --prompt true --title allowed && pm decision cancel 1; echo > {d}/over");
    let job = b.add(orc::domain::JobSpec { project_id: Some(own), ..b.spec(&script) });
    b.start();
    b.appears("over");
    let codes = std::fs::read_to_string(b.path("codes")).unwrap();
    let said = std::fs::read_to_string(b.path("said")).unwrap();
    assert_eq!(codes, "4\n".repeat(forbidden.len()), "{said}");
    for rule in ["operator-only", "own-project", "own-priority", "not-itself"] {
        assert!(said.contains(&format!("refused by the rule {rule}")), "{said}");
    }
    assert_eq!(b.store.project(other).unwrap().unwrap().state, ProjectState::PendingApproval);
    assert!(!b.store.engine_state().unwrap().paused);
    let log = b.store.log(&LogFilter { job: Some(job), text: String::new() }, Page { before: None, limit: 500 }).unwrap();
    assert_eq!(log.iter().filter(|l| l.what == "refused").count(), forbidden.len() + 1, "each is in the audit log");
    let allowed =
        b.store.jobs(&orc::domain::JobFilter { text: "allowed".into(), ..Default::default() }, Page { before: None, limit: 9 }).unwrap();
    assert_eq!(allowed[0].project_id, Some(own), "what a job submits belongs to its project");
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
