//! What waits for the operator, as values: cards of each kind, a plan, a project, a conversation.

use super::world::{NOW, ago, busy, card, empty, over};
use orc::domain::{
    Choice, Decision, Entry, EntryId, JobId, JobState, MessageId, OnFailure, Outcome, Plan, PlanDocument, PlanId, PlanRow, PlanState,
    Priority, Progress, ProjectId, Question, Says, Timestamp, preview,
};
use orc::wire::{PendingProject, PlanDetail, Snapshot};
use std::collections::BTreeMap;

fn choice(key: &str, label: &str, detail: &str) -> Choice {
    Choice { key: key.to_owned(), label: label.to_owned(), detail: detail.to_owned() }
}

fn by_engine(id: i64, question: &str, job: Option<i64>, choices: Vec<Choice>) -> Decision {
    let asked = Question { question: question.to_owned(), choices, job: job.map(JobId), ..card(id).asked };
    Decision { asked, asked_by: "engine".to_owned(), ..card(id) }
}

/// A result that is not through its review, with so many fixes.
pub fn deadlock(id: i64, fixes: usize) -> Decision {
    let mut question =
        "Job 1468 (Make the rate limiter configurable per tenant) is not through its review: after 3 rounds of review 0.62 is below 0.80."
            .to_owned();
    for n in 1..=fixes {
        question += &format!("\n{n}. Refuse a window of zero where plan {n} is read, with a message that names the tenant and the file");
    }
    let choices = vec![
        choice("accept", "Accept as is", "the job is done"),
        choice("again", "Another round", "its worker gets these fixes, and it is reviewed once more"),
        choice("fail", "Fail the job", "its result stays, but it does not count"),
    ];
    by_engine(id, &question, Some(1468), choices)
}

/// A cap that holds the next job.
pub fn spending(id: i64) -> Decision {
    let choices = vec![
        choice("quarter", "A quarter more", "$10.00 on top, for today"),
        choice("double", "As much again", "$40.00 on top, for today"),
        choice("hold", "Hold", "Nothing that costs starts until tomorrow"),
    ];
    let text = "Today's cap is reached: $39.20 spent, $1.10 taken by what runs, $0.40 for the next job, of $40.00. Spend more?";
    let mut held = by_engine(id, text, None, choices);
    held.asked.deadline = Some(ago(-30_000));
    held.asked.default = Some("hold".to_owned());
    held
}

/// A message that says too little, to be answered in words.
pub fn unclear(id: i64) -> Decision {
    let text = "Which of the two reports do you mean?\n(about your message 12: \"send the report\")";
    let choices = vec![choice("go", "Go on", "your answer stands in the remark"), choice("drop", "Never mind", "nothing is done")];
    by_engine(id, text, None, choices)
}

/// A plan of four tasks as its planner wrote it.
pub fn document() -> PlanDocument {
    let task = |key: &str, title: &str, kind: &str, after: &[&str]| {
        serde_json::json!({ "key": key, "title": title, "kind": kind, "depends_on": after,
            "prompt": format!("Work on: {title}.\nNothing else is known to you; read docs/limits.md first.") })
    };
    let mut tasks = vec![
        task("measure", "Measure how often tenants hit the limit", "research", &[]),
        task("design", "Write down how limits are set per tenant", "writing", &["measure"]),
        task("build", "Make the limiter read the tenant's own figure 日本", "code", &["design"]),
        task("tell", "Tell the support team what changes", "writing", &["design", "build"]),
    ];
    tasks[0]["deliverable"] = "a table of tenants and hits".into();
    tasks[0]["artefacts"] = serde_json::json!(["reports/hits.md"]);
    tasks[0]["type"] = "codex".into();
    tasks[0]["model"] = "gpt-5-codex".into();
    tasks[0]["persona"] = "researcher".into();
    serde_json::from_value(serde_json::json!({
        "goal": "Every tenant has a limit of its own, and support knows.", "check": "tests/limits.rs covers a tenant without a plan.",
        "assumptions": ["The billing table knows each tenant's plan."], "risks": ["A tenant without a plan gets no limit at all."],
        "on_failure": "hold", "tasks": tasks
    }))
    .unwrap()
}

/// The plan as the desk gives it; `note` is why it came back.
pub fn plan(id: i64, note: Option<&str>) -> PlanDetail {
    let document = document();
    let expected = orc::domain::Kind::ALL.iter().map(|k| (*k, 40_000)).collect();
    PlanDetail {
        preview: Some(preview(&document, &BTreeMap::new(), &expected)),
        jobs: Vec::new(),
        progress: Progress { tasks: 4, ..Progress::default() },
        plan: Plan {
            id: PlanId(id),
            request: "limits per tenant, please".to_owned(),
            project: Some(ProjectId(1)),
            message: Some(MessageId(9)),
            priority: Priority::P2,
            state: PlanState::Proposed,
            job: Some(JobId(1490)),
            returned: 0,
            document: Some(document),
            revision: 2,
            on_failure: Some(OnFailure::Hold),
            remark: None,
            note: note.map(str::to_owned),
            made_by: "engine".to_owned(),
            decided_by: None,
            created_at: ago(400),
            proposed_at: Some(ago(60)),
            decided_at: None,
            dispatched_at: None,
            finished_at: None,
        },
    }
}

/// The plan in the list.
pub fn row(d: &PlanDetail) -> PlanRow {
    let p = &d.plan;
    PlanRow {
        id: p.id,
        title: p.title(),
        state: p.state,
        revision: p.revision,
        project: p.project,
        job: p.job,
        note: p.note.clone(),
        progress: d.progress,
        created_at: p.created_at,
        proposed_at: p.proposed_at,
    }
}

/// A project that says it is done.
pub fn project() -> PendingProject {
    PendingProject {
        id: ProjectId(2),
        title: "website".to_owned(),
        submitted_at: Some(ago(900)),
        remark: Some("the old pages redirect now".to_owned()),
        jobs: 9,
        done: 7,
        failed: 1,
        tasks: 4,
        tasks_done: 4,
        tokens: 812_000,
        cost_usd: 6.4,
        newest: vec![
            over(1450, JobState::Done, Outcome::Ok, "Redirect the old pages"),
            over(1444, JobState::Failed, Outcome::Error, "Load test"),
        ],
    }
}

/// Something that was said.
pub fn entry(id: i64, says: Says, text: &str, read: bool) -> Entry {
    let operator = says == Says::Message;
    Entry {
        id: EntryId(id),
        at: Timestamp(NOW.0 - 10_000 + id),
        message: Some(MessageId(id)),
        says,
        author: if operator { "operator" } else { "orc" }.to_owned(),
        external: false,
        text: text.to_owned(),
        job: (says == Says::Reply).then_some(JobId(1493)),
        plan: None,
        decision: None,
        read,
    }
}

/// A morning's conversation.
pub fn said() -> Vec<Entry> {
    vec![
        entry(1, Says::Message, "Is the disk alert on db-3 real?", true),
        entry(2, Says::Acknowledgement, "On it. (job 1493)", true),
        entry(3, Says::Reply, "Yes: /var is at 96 %.\nThe old WAL files are 41 GiB of it; nothing else grows.", false),
        entry(4, Says::Message, "日本語のレポートも送ってください", true),
        entry(5, Says::Reminder, "It is time (9:00): call the bank", false),
    ]
}

/// A snapshot in which everything waits.
pub fn all() -> Snapshot {
    let mut s = busy();
    s.cards = vec![card(7), deadlock(8, 20), spending(9), unclear(10)];
    s.plans = vec![row(&plan(3, None))];
    s.pending = vec![project()];
    let unread: Vec<Entry> = said().into_iter().filter(|e| !e.read).collect();
    s.unread = unread.len() as u64;
    s.said = unread;
    s
}

/// Nothing waits, and nothing was said.
pub fn none() -> Snapshot {
    empty()
}
