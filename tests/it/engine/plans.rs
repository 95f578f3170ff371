//! Plans with real engines and job processes: the agents are scripts.

use super::{Bench, gate};
use orc::domain::{
    Applied, Command, Job, JobId, JobSpec, JobState, OnFailure, Origin, Page, Plan, PlanDocument, PlanId, PlanState, Priority,
    ProjectState, ReviewOutcome, WaitReason,
};
use serde_json::json;

/// An agent that plans, sorts and converses as files in the bench's folder say, and writes down which jobs it does.
pub fn agent(settings: &[&str]) -> Bench {
    let author = r#"
d=$(dirname "$0"); me="$0".$n
answer() { say "$(sed 's/\\/\\\\/g; s/"/\\"/g' $d/$1 | tr -d '\n')"; }
next() { k=$(cat $d/$1.count 2>/dev/null || echo 0); k=$((k + 1)); echo $k > $d/$1.count; answer $1.$k; }
if grep -q -e '^Make a plan' -e 'cannot be used as a plan' $me; then next plan
elif grep -q '^Sort one message' $me; then test -e $d/mute && sleep 60; next triage
elif grep -q '^The operator speaks' $me; then say 'You are welcome.'
elif grep -q '^The operator has sent' $me; then test -e $d/down && exit 1; say 'The site is up.'
else echo $ORC_JOB >> $d/ran; test -e $d/fail.$ORC_JOB && { printf '{"type":"result","ok":false,"message":"no luck"}\n'; exit 1; }; say Done; fi"#;
    gate::bench(author, "judge 1.0 ''", &[&["reviewer=none"], settings].concat())
}

/// A plan's JSON, from keys and what each needs.
pub fn plan(goal: &str, tasks: &[(&str, &[&str])]) -> PlanDocument {
    let task = |(key, on): &(&str, &[&str])| json!({"key": key, "title": format!("The {key}"), "kind": "writing", "prompt": format!("Make the {key}."), "depends_on": on});
    let tasks: Vec<_> = tasks.iter().map(task).collect();
    serde_json::from_value(json!({"goal": goal, "tasks": tasks})).unwrap()
}

const DIAMOND: &[(&str, &[&str])] = &[("left", &["top"]), ("right", &["top"]), ("end", &["left", "right"]), ("top", &[])];

impl Bench {
    pub fn puts(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn orc(&self, args: &[&str]) -> (bool, String) {
        let out = self.command("orc").args(args).output().unwrap();
        (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
    }

    pub fn plan(&self, id: PlanId) -> Plan {
        self.store.plan(id).unwrap().unwrap()
    }

    #[track_caller]
    pub fn reaches(&self, id: PlanId, state: PlanState) -> Plan {
        self.within(|| self.store.plan(id).unwrap().filter(|p| p.state == state))
    }

    pub fn made(&self, id: PlanId) -> Vec<(String, Job)> {
        self.store.plan_jobs(id).unwrap().into_iter().map(|j| (j.key, self.job(j.job))).collect()
    }

    /// Puts a plan of one's own before the operator.
    fn proposed(&mut self, document: &PlanDocument, on_failure: Option<OnFailure>) -> PlanId {
        let new = Command::NewPlan { request: "a diamond".into(), project: None, priority: Priority::P2, on_failure };
        let document = Box::new(document.clone());
        self.store
            .write(|tx| {
                let who = orc::domain::Actor::Operator;
                let now = orc::os::clock::now();
                let Applied::Planned { plan } = orc::store::apply(tx, &new, &who, now)? else { panic!() };
                orc::store::apply(tx, &Command::EditPlan { plan, document, revision: None }, &who, now)?;
                Ok::<_, orc::store::StoreError>(plan)
            })
            .unwrap()
    }

    fn ran(&self) -> Vec<JobId> {
        let text = std::fs::read_to_string(self.path("ran")).unwrap_or_default();
        text.lines().map(|l| l.parse().unwrap()).collect()
    }
}

#[test]
fn a_plan_is_made_shown_approved_and_its_jobs_run_in_order() {
    let mut b = agent(&[]);
    let json = serde_json::to_string(&plan("The shop sells tea", DIAMOND)).unwrap();
    b.puts("plan.1", &format!("Here it is:\n{json}"));
    b.start();
    let (ok, said) = b.orc(&["plan", "new", "Let the shop sell tea"]);
    assert!(ok && said == "plan 1\n", "{said}");
    let id = PlanId(1);
    let proposed = b.reaches(id, PlanState::Proposed);
    let planner = b.job(proposed.job.unwrap());
    assert!(b.told("author", 1).contains("Let the shop sell tea") && planner.spec.origin == Origin::Plan);
    assert!(b.made(id).is_empty() && b.store.projects().unwrap().is_empty(), "nothing is made before the operator has said yes");
    let (_, shown) = b.orc(&["plan", "show", "1"]);
    let graph: Vec<&str> = shown.lines().filter(|l| l.contains("The ")).map(|l| l.split("The ").next().unwrap().trim_end()).collect();
    assert_eq!(graph, ["goal", "top", "├─ left", "└─ right", "   └─ end"], "{shown}");
    assert!(shown.contains("in all 16000 tokens") || shown.contains("in all 16k tokens"), "{shown}");

    // A process inside a job is not the operator.
    let inside = b.run(&format!("{} --workspace {} plan approve 1", env!("CARGO_BIN_EXE_orc"), b.path("ws").display()));
    assert_eq!(b.ends(inside), JobState::Failed);
    let log = b.store.log_after(0, 10_000).unwrap();
    assert!(log.iter().any(|l| l.what == "refused" && l.text.contains("operator-only")), "{log:?}");
    assert_eq!(b.plan(id).state, PlanState::Proposed);

    let (ok, said) = b.orc(&["plan", "approve", "1", "--revision", "7"]);
    assert!(!ok && said.contains("was changed since it was shown"), "{said}");
    let (ok, said) = b.orc(&["plan", "approve", "1"]);
    assert!(ok, "{said}");
    let plan = b.within(|| Some(b.plan(id)).filter(|p| p.finished_at.is_some()));
    let made = b.made(id);
    assert_eq!(made.iter().map(|(key, j)| (key.as_str(), j.state)).collect::<Vec<_>>().len(), 4);
    assert!(made.iter().all(|(_, j)| j.state == JobState::Done && j.spec.origin == Origin::Plan && j.spec.project_id == plan.project));
    assert_eq!(made[0].0, "top");
    let ran = b.ran();
    assert_eq!((ran.len(), ran[0], ran[3]), (4, made[0].1.id, made[3].1.id));
    let end = std::fs::read_to_string(b.workspace.attempt_dir(b.attempts(made[3].1.id)[0].id).join(orc::wire::files::PROMPT)).unwrap();
    assert!(end.contains("Make the end.") && end.contains(&format!("pm job result {}", made[1].1.id)), "{end}");
    let project = b.store.project(plan.project.unwrap()).unwrap().unwrap();
    assert_eq!(project.title, "The shop sells tea");
    // What is carried out is put before the operator, who alone can finish it; and once.
    assert_eq!(project.state, ProjectState::PendingApproval);
    let (_, log) = b.orc(&["message", "log"]);
    assert_eq!(log.matches("waits for your approval: every task of plan 1 is done").count(), 1, "{log}");
    let (ok, said) = b.orc(&["project", "reject", &project.id.to_string(), "--reason", "no price"]);
    assert!(ok, "{said}");
    let more = b.add(JobSpec { project_id: Some(project.id), ..b.spec("true") });
    assert_eq!(b.ends(more), JobState::Done);
    assert_eq!(b.store.project(project.id).unwrap().unwrap().state, ProjectState::Rejected, "the same plan is no new reason");
    assert!(std::path::Path::new(project.dir.as_deref().unwrap()).is_dir());
    assert!(b.store.tasks(plan.project).unwrap().iter().all(|t| t.state == "done"));
    let (_, rows) = b.orc(&["plan", "ls", "--all", "--json"]);
    let rows: serde_json::Value = serde_json::from_str(&rows).unwrap();
    assert_eq!((rows[0]["state"].as_str(), rows[0]["progress"]["done"].as_i64()), (Some("dispatched"), Some(4)));
    assert!(b.store.plans(Page { before: Some(1), limit: 9 }).unwrap().is_empty());
}

#[test]
fn what_is_no_plan_goes_back_to_the_same_session_once_and_then_to_the_operator() {
    let mut b = agent(&[]);
    let circle = plan("A circle", &[("a", &["b"]), ("b", &["a"])]);
    b.puts("plan.1", "I would begin with the till.");
    b.puts("plan.2", &serde_json::to_string(&circle).unwrap());
    b.puts("plan.3", &serde_json::to_string(&plan("Tea", &[("a", &[])])).unwrap());
    b.start();
    let (_, said) = b.orc(&["plan", "new", "Sell tea"]);
    assert_eq!(said, "plan 1\n");
    let job = b.within(|| b.plan(PlanId(1)).job);
    let card = b.within(|| b.store.decisions(false).unwrap().into_iter().next());
    assert!(b.told("author", 2).contains("it holds no JSON object"), "{}", b.told("author", 2));
    assert!(card.asked.question.contains("the tasks wait for one another in a circle: a -> b -> a"), "{}", card.asked.question);
    assert_eq!(card.asked.choices.iter().map(|c| c.key.as_str()).collect::<Vec<_>>(), ["again", "fail"], "it cannot be taken as it is");
    assert_eq!((b.job(job).state, b.job(job).wait_reason), (JobState::Waiting, Some(WaitReason::Deadlock)));
    let rounds = b.store.reviews(job).unwrap();
    assert_eq!(rounds[0].outcome, Some(ReviewOutcome::Fixes));
    assert!(rounds[0].review_job.is_none(), "no reviewer is paid for what is no plan");
    // Crash in between: nothing is sent back a second time.
    b.crash();
    b.start();
    b.apply(Command::Answer { decision: card.id, key: "again".into(), remark: Some("Two tasks, please.".into()) });
    let plan = b.reaches(PlanId(1), PlanState::Proposed);
    assert_eq!((plan.returned, plan.document.unwrap().goal.as_str(), b.runs("author")), (2, "Tea", 3));
    assert!(b.told("author", 3).contains("Two tasks, please."));
    let sessions = std::fs::read_to_string(b.path("author.sessions")).unwrap();
    assert_eq!(sessions.lines().collect::<std::collections::BTreeSet<_>>().len(), 1, "one session throughout");
}

#[test]
fn a_planner_that_is_given_up_leaves_a_rejected_plan_that_can_be_taken_up_again() {
    let mut b = agent(&[]);
    b.puts("plan.1", "no");
    b.puts("plan.2", "no");
    b.puts("plan.3", &serde_json::to_string(&plan("Tea", &[("a", &[])])).unwrap());
    b.start();
    b.orc(&["plan", "new", "Sell tea"]);
    let card = b.within(|| b.store.decisions(false).unwrap().into_iter().next());
    b.apply(Command::Answer { decision: card.id, key: "fail".into(), remark: None });
    let given_up = b.reaches(PlanId(1), PlanState::Rejected);
    assert_eq!(given_up.decided_by.as_deref(), Some("engine"));
    assert!(given_up.note.unwrap().contains("given up by the operator"));
    b.apply(Command::Retry { job: given_up.job.unwrap(), seen: None });
    assert_eq!(b.reaches(PlanId(1), PlanState::Proposed).document.unwrap().goal, "Tea");
    let (ok, _) = b.orc(&["plan", "reject", "1", "--reason", "too dear"]);
    assert!(ok);
    let rejected = b.plan(PlanId(1));
    assert_eq!((rejected.state, rejected.remark.as_deref()), (PlanState::Rejected, Some("too dear")));
    let (ok, said) = b.orc(&["plan", "approve", "1"]);
    assert!(!ok && said.contains("is rejected"), "{said}");
}

#[test]
fn a_plan_is_reviewed_before_it_is_proposed() {
    let mut b = agent(&["reviewer=judge"]);
    b.puts("plan.1", &serde_json::to_string(&plan("Tea", &[("a", &[])])).unwrap());
    b.start();
    b.orc(&["plan", "new", "Sell tea"]);
    let plan = b.reaches(PlanId(1), PlanState::Proposed);
    let rounds = b.store.reviews(plan.job.unwrap()).unwrap();
    assert_eq!(rounds.iter().map(|r| r.outcome).collect::<Vec<_>>(), [Some(ReviewOutcome::Passed)]);
    assert!(b.told("judge", 1).contains("reaches-it"), "by the rubric for plans");
    assert!(plan.proposed_at.unwrap() >= rounds[0].ended_at.unwrap());
}

#[test]
fn approval_makes_each_job_once_whenever_the_engine_dies() {
    let mut b = agent(&["max_running=1"]);
    let document = plan("A diamond", DIAMOND);
    let plans: Vec<PlanId> = (0..6).map(|_| b.proposed(&document, None)).collect();
    for (n, plan) in plans.iter().enumerate() {
        let before = b.store.engine_state().unwrap().epoch;
        b.start();
        // The engine is there, or on its way; it dies while it makes them, before, or after.
        if n % 2 == 0 {
            b.within(|| (b.store.engine_state().unwrap().epoch > before).then_some(()));
        }
        assert!(matches!(b.apply(Command::ApprovePlan { plan: *plan, revision: Some(1) }), Applied::Done { .. }));
        if n % 3 != 0 {
            b.reaches(*plan, PlanState::Dispatched);
        }
        b.crash();
    }
    b.start();
    for plan in &plans {
        b.within(|| b.plan(*plan).finished_at);
        let made = b.made(*plan);
        assert_eq!(made.len(), 4);
        assert!(made.iter().all(|(_, j)| j.state == JobState::Done), "{made:?}");
        assert_eq!(b.store.tasks(b.plan(*plan).project).unwrap().len(), 4);
    }
    let total = b.store.job(JobId(25)).unwrap();
    assert!(total.is_none(), "24 jobs, and no more: {total:?}");
    assert!(matches!(b.apply(Command::ApprovePlan { plan: plans[0], revision: None }), Applied::Refused { .. }));
}

#[test]
fn a_failed_task_holds_skips_or_cancels_what_needs_it() {
    let mut b = agent(&["max_attempts=1", "retry_base=0s"]);
    let document = plan("A diamond", DIAMOND);
    let ids: Vec<PlanId> = [OnFailure::Hold, OnFailure::Skip, OnFailure::Cancel].map(|policy| b.proposed(&document, Some(policy))).to_vec();
    // The jobs of each are made in the order top, left, right, end: `left` fails.
    for left in [2, 6, 10] {
        b.touch(&format!("fail.{left}"));
    }
    b.start();
    for id in &ids {
        b.apply(Command::ApprovePlan { plan: *id, revision: None });
        b.reaches(*id, PlanState::Dispatched);
    }
    let states = |b: &Bench, id: PlanId| b.made(id).into_iter().map(|(_, j)| j.state).collect::<Vec<_>>();
    use JobState::{Done, Failed, Killed, Waiting};
    b.within(|| (states(&b, ids[0]) == [Done, Failed, Done, Waiting]).then_some(()));
    let held = b.within(|| b.plan(ids[0]).note);
    assert!(held.contains("1 task waits for job 2") && b.plan(ids[0]).finished_at.is_none(), "{held}");
    b.within(|| (states(&b, ids[1]) == [Done, Failed, Done, Done]).then_some(()));
    b.within(|| (states(&b, ids[2]) == [Done, Failed, Done, Killed]).then_some(()));
    assert!(b.job(JobId(12)).note.unwrap().contains("it needs job 10"));
    b.within(|| (b.plan(ids[1]).finished_at.is_some() && b.plan(ids[2]).finished_at.is_some()).then_some(()));
    // What was held goes on when the operator retries.
    std::fs::remove_file(b.path("fail.2")).unwrap();
    b.apply(Command::Retry { job: JobId(2), seen: None });
    b.within(|| b.plan(ids[0]).finished_at);
    assert_eq!(states(&b, ids[0]), [Done, Done, Done, Done]);
    assert_eq!(b.plan(ids[0]).note, None);
}

#[test]
fn a_plan_waits_for_an_agent_and_a_closed_project_gives_it_back() {
    let mut b = Bench::new(&["work_backend=none"]);
    let now = orc::os::clock::now();
    let project = b.store.write(|tx| tx.add_project("Shop", None, "operator", now)).unwrap();
    b.start();
    let (_, _) = b.orc(&["plan", "new", "Sell tea", "--project-id", "1"]);
    let note = b.within(|| b.plan(PlanId(1)).note);
    assert!(note.contains("work_backend is none"), "{note}");
    b.apply(Command::RejectPlan { plan: PlanId(1), reason: "later".into() });
    // One of one's own, with a backend for each task.
    let mut document = plan("Tea", &[("a", &[])]);
    document.tasks[0].backend = Some("shell".into());
    document.tasks[0].prompt = "true".into();
    b.puts("plan.json", &serde_json::to_string(&document).unwrap());
    let file = b.path("plan.json");
    let (ok, said) = b.orc(&["plan", "new", "Sell tea", "--project-id", "1", "--file", file.to_str().unwrap()]);
    assert!(ok, "{said}");
    b.apply(Command::SubmitProject { project });
    b.apply(Command::ApproveProject { project, remark: None });
    b.apply(Command::ApprovePlan { plan: PlanId(2), revision: None });
    let note = b.within(|| b.plan(PlanId(2)).note);
    assert!(note.contains("project 1 is approved and closed"), "{note}");
    assert_eq!(b.plan(PlanId(2)).state, PlanState::Proposed);
    assert!(b.store.tasks(None).unwrap().is_empty(), "all or nothing");
    b.apply(Command::ReopenProject { project });
    b.apply(Command::ApprovePlan { plan: PlanId(2), revision: None });
    b.within(|| b.plan(PlanId(2)).finished_at);
    assert_eq!(b.made(PlanId(2))[0].1.state, JobState::Done);
    let prompt = JobSpec { prompt: "true".into(), ..b.made(PlanId(2))[0].1.spec.clone() };
    assert_eq!(prompt, b.made(PlanId(2))[0].1.spec, "a script is run as it stands");
}
