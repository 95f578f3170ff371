//! What a process inside a job may not do: each act is refused with the rule's name, also with an emptied environment and out of the
//! process group, and stands in the audit log.

use super::Bench;
use orc::domain::{
    Applied, Command, JobFilter, JobId, JobSpec, JobState, Kind, LogFilter, Origin, Page, PlanId, PlanState, Priority, ProjectState,
};
use orc::os::clock;
use orc::store::NewWorker;
use std::time::Duration;

/// The same without anything in its environment that says whose it is, in a session of its own.
fn stripped(act: &str) -> String {
    format!("env -i PATH=\"$PATH\" ORC_WORKSPACE=\"$ORC_WORKSPACE\" setsid -w {act}")
}

/// Asks for the engine's end as the command line does, without being the command line.
const RAW: &str = r#"perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(Peer => "'$ORC_WORKSPACE'/run/engine.sock") or exit 9; print $s "{\"frame\":\"stop\"}\n"; $s->flush; $_ = <$s>; print; exit(/"refused"/ ? 4 : 0)'"#;

const PLAN: &str = r#"{"goal":"Tea is sold","tasks":[{"key":"a","title":"A","kind":"code","prompt":"p","type":"shell"}]}"#;

#[test]
fn a_process_inside_a_job_cannot_do_what_is_the_operators() {
    let mut b = Bench::new(&["work_backend=none"]);
    let now = clock::now();
    let mut project = |title: &str| b.store.write(|tx| tx.add_project(title, None, "operator", now)).unwrap();
    let (own, other) = (project("own"), project("other"));
    b.apply(Command::SubmitProject { project: other });
    let later = Some(b.later(Duration::from_secs(3600)));
    let held = b.add(JobSpec { project_id: Some(other), not_before: later, ..b.spec("true") });
    // Its own reviewer, and somebody else's job of no project.
    let judge = b.add(JobSpec { project_id: Some(own), not_before: later, origin: Origin::Review, kind: Kind::Review, ..b.spec("true") });
    let nobodys = b.add(JobSpec { not_before: later, ..b.spec("true") });
    let planned = |b: &mut Bench| {
        let ask = Command::NewPlan { request: "Sell tea".into(), project: Some(own), priority: Priority::P2, on_failure: None };
        let Applied::Planned { plan } = b.apply(ask) else { panic!("no plan") };
        let document = Box::new(orc::domain::plan_of(PLAN, 9).unwrap());
        b.apply(Command::EditPlan { plan, document, revision: None });
        plan
    };
    assert_eq!(planned(&mut b), PlanId(1));
    let spare = NewWorker {
        name: "spare".into(),
        backend: "shell".into(),
        model: None,
        persona: None,
        skills: Vec::new(),
        persistent: true,
        project_id: None,
        directory: "/".into(),
    };
    b.store.write(|tx| tx.add_worker(&spare, "operator", now)).unwrap();
    let cron = "[[cron]]\nname = \"nightly\"\nschedule = \"0 3 * * *\"\nenabled = false\n[cron.job]\ntitle = \"t\"\ntype = \"shell\"\nprompt = \"true\"\n";
    std::fs::write(b.workspace.root().join("cron.toml"), cron).unwrap();
    std::fs::write(b.path("plan.json"), PLAN).unwrap();
    let d = b.dir.path().display();
    let forbidden = [
        format!("pm project approve {other}"),
        format!("pm project reject {other} --reason no"),
        format!("pm project reopen {other}"),
        format!("pm project set {own} --test true"),
        format!("pm project merge {held}"),
        format!("pm project clean {own}"),
        "pm project add --title x".into(),
        format!("pm job kill {held}"),
        format!("pm job kill {judge}"),
        format!("pm job retry {judge}"),
        format!("pm job kill {nobodys}"),
        format!("pm job priority {held} P5"),
        "pm job priority $ORC_JOB P0".into(),
        format!("pm job add --type shell --prompt true --project-id {other}"),
        "pm job add --type shell --prompt true --priority P0".into(),
        format!("pm task add --title x --project-id {other}"),
        "pm engine stop".into(),
        RAW.into(),
        "pm engine drain".into(),
        "pm engine pause".into(),
        "pm engine resume".into(),
        "pm lane pause 0".into(),
        "pm backend pause shell".into(),
        "pm worker add --name x --type claude".into(),
        "pm worker pause spare".into(),
        "pm worker retire spare".into(),
        "pm decision answer 1 a".into(),
        "pm decision cancel 1".into(),
        "pm plan approve 1".into(),
        "pm plan reject 1 --reason no".into(),
        format!("pm plan edit 1 --file {d}/plan.json"),
        format!("pm plan new tea --file {d}/plan.json"),
        "pm message hello".into(),
        "pm rule add 'Never' --incident it".into(),
        "pm cron enable nightly".into(),
        "pm cron disable nightly".into(),
        "pm skill pin healthcheck".into(),
    ];
    let mut script = "pm decision ask --question 'May I?' --option a:Yes --option b:No\n".to_owned();
    let mut said = Vec::new();
    for (i, act) in forbidden.iter().enumerate() {
        for (how, act) in [("plain", act.clone()), ("stripped", stripped(&act.replace("$ORC_JOB", &format!("$(cat {d}/me)"))))] {
            // The raw one reads the workspace's place from its environment, and finds it there either way.
            script += &format!("{act} > {d}/said.{i}.{how} 2>&1; echo $? >> {d}/said.{i}.{how}\n");
            said.push((i, how));
        }
    }
    let script = format!("echo $ORC_JOB > {d}/me\n{script}echo > {d}/over\nwhile ! test -e {d}/go; do sleep 0.02; done");
    let job = b.add(JobSpec { project_id: Some(own), ..b.spec(&script) });
    b.start();
    b.appears("over");
    for (i, how) in said.iter().copied() {
        let text = std::fs::read_to_string(b.path(&format!("said.{i}.{how}"))).unwrap();
        assert!(text.ends_with("\n4\n") && text.contains("refused by the rule"), "{} ({how}): {text}", forbidden[i]);
    }
    let all: String = said.iter().map(|(i, how)| std::fs::read_to_string(b.path(&format!("said.{i}.{how}"))).unwrap()).collect();
    for rule in ["operator-only", "own-project", "own-priority", "not-itself"] {
        assert!(all.contains(&format!("refused by the rule {rule}")), "{rule}");
    }
    let log = b.store.log(&LogFilter { job: Some(job), text: String::new() }, Page { before: None, limit: 500 }).unwrap();
    assert_eq!(log.iter().filter(|l| l.what == "refused").count(), 2 * forbidden.len(), "each is in the audit log");
    // And nothing of it has happened.
    assert_eq!(b.store.project(other).unwrap().unwrap().state, ProjectState::PendingApproval);
    assert!(!b.store.engine_state().unwrap().paused && b.store.engine_state().unwrap().pauses.is_empty());
    assert_eq!(b.store.plan(PlanId(1)).unwrap().unwrap().state, PlanState::Proposed);
    assert!(b.store.plan(PlanId(2)).unwrap().is_none());
    assert!(b.store.workers().unwrap().iter().any(|w| w.name == "spare"));
    for waits in [held, judge, nobodys] {
        assert_eq!(b.job(waits).state, JobState::Waiting);
    }
    assert!(b.engine.as_mut().unwrap().try_wait().unwrap().is_none(), "the engine lives");
    b.touch("go");
}

#[test]
fn a_job_of_no_project_may_end_what_it_has_made_and_nothing_else() {
    let mut b = Bench::new(&[]);
    let other = b.add(JobSpec { not_before: Some(b.later(Duration::from_secs(3600))), ..b.spec("true") });
    let d = b.dir.path().display().to_string();
    let script = format!(
        "pm job add --type shell --prompt true --title made --after 1h > {d}/made; id=$(sed 's/job //' {d}/made)
         pm job kill $id > {d}/killed 2>&1; echo $? >> {d}/killed; pm job kill {other} > {d}/refused 2>&1; echo $? >> {d}/refused"
    );
    let job = b.run(&script);
    b.start();
    assert_eq!(b.ends(job), JobState::Done);
    let killed = b.appears("killed");
    assert!(killed.ends_with("0\n"), "{killed}");
    let refused = b.appears("refused");
    assert!(refused.contains("own-project") && refused.ends_with("4\n"), "{refused}");
    let made = b.store.jobs(&JobFilter { text: "made".into(), ..Default::default() }, Page { before: None, limit: 9 }).unwrap();
    assert_eq!(made.iter().map(|j| j.state).collect::<Vec<_>>(), [JobState::Killed]);
    assert_eq!(b.job(other).state, JobState::Waiting);
    let ended: Option<String> = b.store.ended_by(JobId(made[0].id.0)).unwrap();
    assert!(ended.is_some_and(|who| who.starts_with("worker:")), "the log names who it was");
}
