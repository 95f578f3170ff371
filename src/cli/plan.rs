//! `orc plan new|ls|show|edit|approve|reject`

use super::ages;
use super::args;
use super::context::Context;
use super::error::{CliError, Kind as Failure, Result};
use super::job;
use super::output::{Cell, Table, Tone};
use super::project;
use crate::domain::{
    Act, Actor, Applied, Command, Decision, MOST_TASKS, OnFailure, Page, Plan, PlanDocument, PlanId, PlanState, Priority, ProjectId,
    plan_of,
};
use crate::engine::plans;
use crate::os::Editor;
use crate::store::{Store, apply};
use crate::wire::PlanDetail;
use clap::{Args, Subcommand, ValueHint};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub enum Verb {
    /// Have a plan made, or propose one of your own
    New(New),
    /// List the plans that are not over
    Ls(Ls),
    /// Show one: its graph, what it would cost, what has come of it
    Show(Show),
    /// Change one in your editor, or from a file
    Edit(Edit),
    /// Say yes: its jobs are made
    Approve(Approve),
    /// Say no
    Reject(Reject),
}

#[derive(Args)]
pub struct New {
    /// What is to be reached; `-` reads it from standard input
    #[arg(value_name = "TEXT")]
    text: String,
    /// The project that it belongs to [default: a new one, made when it is approved]
    #[arg(long, value_name = "N", value_parser = args::id::<ProjectId>)]
    project_id: Option<ProjectId>,
    /// How urgent its jobs are: P0 (a human waits) to P5 (whenever)
    #[arg(long, default_value = "P2")]
    priority: Priority,
    /// What becomes of the tasks that need one that failed [default: as the plan says, else plan_on_failure in orc.toml]
    #[arg(long, value_name = "POLICY", value_parser = args::word(OnFailure::ALL, OnFailure::as_str))]
    on_failure: Option<OnFailure>,
    /// Propose the plan in this file (JSON, `-` for standard input) instead of having one made
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
}

#[derive(Args)]
pub struct Ls {
    /// Those that are over too
    #[arg(long)]
    all: bool,
}

#[derive(Args)]
pub struct Show {
    /// The plan's number
    #[arg(value_parser = args::id::<PlanId>)]
    id: PlanId,
    /// One of its tasks in full
    #[arg(long, value_name = "KEY")]
    task: Option<String>,
}

#[derive(Args)]
pub struct Edit {
    /// The plan's number
    #[arg(value_parser = args::id::<PlanId>)]
    id: PlanId,
    /// Take the plan from this file (JSON, `-` for standard input)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
}

#[derive(Args)]
pub struct Approve {
    /// The plan's number
    #[arg(value_parser = args::id::<PlanId>)]
    id: PlanId,
    /// Only if it still stands as in this revision (`orc plan show`)
    #[arg(long, value_name = "N")]
    revision: Option<u32>,
}

#[derive(Args)]
pub struct Reject {
    /// The plan's number
    #[arg(value_parser = args::id::<PlanId>)]
    id: PlanId,
    /// Why; it stays with the plan
    #[arg(long, value_name = "R")]
    reason: String,
}

/// Runs a verb.
///
/// # Errors
/// As each verb says.
pub fn run(cx: &mut Context, verb: Verb) -> Result {
    match verb {
        Verb::New(n) => new(cx, n),
        Verb::Ls(l) => ls(cx, l.all),
        Verb::Show(s) => show(cx, &s),
        Verb::Edit(e) => edit(cx, &e),
        Verb::Approve(a) => settle(cx, a.id, &Command::ApprovePlan { plan: a.id, revision: a.revision }),
        Verb::Reject(r) => settle(cx, r.id, &Command::RejectPlan { plan: r.id, reason: r.reason }),
    }
}

fn new(cx: &mut Context, n: New) -> Result {
    let request = if n.text == "-" { job::read(std::io::stdin().lock(), "standard input", "request")? } else { n.text };
    let document = n.file.as_deref().map(|file| read_document(cx, file)).transpose()?;
    cx.knock()?;
    let mut store = cx.writer()?;
    if let Some(id) = n.project_id {
        project::known(&store, id)?;
    }
    // A document is the operator's own plan, which nobody else puts in place of a planner's. Asked before the transaction, which a
    // refusal inside it would take back together with its line in the audit log.
    let who = match &document {
        Some(_) => cx.permit(&mut store, &Act::Steer("deciding on a plan"))?,
        None => cx.who(&store)?,
    };
    // What a job asks for belongs to its own project, and is no more urgent than it is.
    let (project, priority) = match (&who, n.project_id) {
        (Actor::Worker(inside), None) => (inside.project, n.priority.max(inside.priority)),
        (_, project) => (project, n.priority),
    };
    let now = cx.now();
    let ask = Command::NewPlan { request, project, priority, on_failure: n.on_failure };
    let applied = store.write(|tx| {
        let asked = apply(tx, &ask, &who, now)?;
        match (asked, document) {
            (Applied::Planned { plan }, Some(document)) => {
                let put = Command::EditPlan { plan, document: Box::new(document), revision: None };
                Ok::<_, CliError>(match apply(tx, &put, &who, now)? {
                    Applied::Refused { message } | Applied::Stale { message } => return Err(CliError::refused(message)),
                    _ => Applied::Planned { plan },
                })
            }
            (asked, _) => Ok(asked),
        }
    })?;
    let plan = match applied {
        Applied::Planned { plan } => plan,
        Applied::Refused { message } | Applied::Stale { message } => return Err(CliError::refused(message)),
        Applied::Done { .. } | Applied::Added { .. } | Applied::Sent { .. } => {
            return Err(CliError::new(Failure::Failure, "the plan was not taken"));
        }
    };
    cx.wake_or_tidy(&store)?;
    if cx.out.json { cx.out.value(&json!({ "id": plan })) } else { cx.out.line(&format!("plan {plan}")) }
}

fn settle(cx: &mut Context, id: PlanId, command: &Command) -> Result {
    let mut store = cx.writer()?;
    known(&store, id)?;
    let message = cx.apply(&mut store, command)?;
    cx.wake()?;
    if cx.out.json { cx.out.value(&known(&store, id)?) } else { cx.out.done(&message) }
}

fn ls(cx: &mut Context, all: bool) -> Result {
    let store = cx.reader()?;
    let mut rows = store.plans(Page { before: None, limit: if all { usize::MAX >> 1 } else { 1000 } })?;
    if !all {
        let ended = |p: &crate::domain::PlanRow| p.progress.tasks > 0 && p.progress.done + p.progress.failed >= p.progress.tasks;
        rows.retain(|p| p.state != PlanState::Rejected && !(p.state == PlanState::Dispatched && ended(p)));
    }
    if cx.out.json {
        return cx.out.value(&rows);
    }
    let now = cx.now();
    let mut table = Table::new(&[">ID", "GOAL", "STATE", "PROGRESS", ">AGE", "NOTE"], "GOAL");
    for p in &rows {
        let progress = match p.state {
            PlanState::Dispatched => p.progress.says(),
            _ if p.progress.tasks == 0 => "-".to_owned(),
            _ => ages::many(p.progress.tasks as usize, "task"),
        };
        table.row(vec![
            p.id.into(),
            (&p.title).into(),
            Cell::toned(tone(p.state), p.state.as_str()),
            progress.into(),
            ages::ago(p.created_at, now).into(),
            p.note.as_deref().unwrap_or("").into(),
        ]);
    }
    cx.out.table(
        &table,
        if all { "no plans yet: `orc plan new TEXT`" } else { "no plan is open: `orc plan new TEXT`, or `orc plan ls --all`" },
    )
}

fn tone(state: PlanState) -> Tone {
    match state {
        PlanState::Proposed => Tone::Warn,
        PlanState::Rejected => Tone::Dim,
        _ => Tone::Plain,
    }
}

fn show(cx: &mut Context, s: &Show) -> Result {
    let store = cx.reader()?;
    known(&store, s.id)?;
    let detail = plans::detail(&store, &cx.settings()?, s.id)?;
    if let Some(key) = &s.task {
        return show_task(cx, &detail, key);
    }
    if cx.out.json {
        return cx.out.value(&detail);
    }
    let cards: Vec<Decision> = match detail.plan.job {
        Some(job) => store.decisions_of(job)?.into_iter().filter(|c| c.state == crate::domain::DecisionState::Open).collect(),
        None => Vec::new(),
    };
    let PlanDetail { plan, preview, jobs, progress } = &detail;
    let document = plan.document.as_ref();
    let or = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let policy = plan.on_failure.or(document.and_then(|d| d.on_failure)).map(|p| p.to_string());
    let standing = match plan.state {
        PlanState::Dispatched => format!("dispatched: {}", progress.says()),
        state => state.to_string(),
    };
    let mut fields = vec![
        ("plan", format!("{} (revision {})", plan.id, plan.revision)),
        ("goal", document.map_or_else(|| "not known yet".to_owned(), |d| d.goal.clone())),
        ("asked for", plan.request.clone()),
        ("state", standing),
        ("project", or(plan.project.map(|p| p.to_string()))),
        ("planner", or(plan.job.map(|j| format!("job {j}")))),
        (
            "on failure",
            policy.unwrap_or_else(|| format!("{} (plan_on_failure)", cx.settings().map_or("hold".into(), |s| s.plan_on_failure))),
        ),
    ];
    fields.extend(document.filter(|d| !d.check.is_empty()).map(|d| ("check", d.check.clone())));
    for (name, list) in document.map(|d| [("assumes", &d.assumptions), ("risks", &d.risks)]).into_iter().flatten() {
        if !list.is_empty() {
            fields.push((name, list.join("\n")));
        }
    }
    fields.extend(plan.note.clone().map(|n| ("note", n)));
    fields.extend(plan.remark.clone().map(|r| ("remark", r)));
    cx.out.fields(&fields)?;
    if let Some(preview) = preview {
        cx.out.line("")?;
        let mut table = Table::new(&["TASK", "TITLE", "KIND", "ALSO NEEDS", ">TOKENS", "LOW TO HIGH", ">COST", "JOB"], "TITLE");
        for b in preview.tree(false) {
            let t = b.task;
            let made = jobs.iter().find(|j| j.key == t.key).map_or_else(String::new, |j| format!("{} {}", j.job, j.state));
            let basis = match t.basis {
                crate::domain::Basis::History => ages::many(t.jobs, "job"),
                basis => basis.to_string(),
            };
            table.row(vec![
                format!("{}{}", b.rails, t.key).into(),
                (&t.title).into(),
                t.kind.as_str().into(),
                b.also.join(", ").into(),
                ages::count(t.tokens).into(),
                format!("{} to {} ({basis})", ages::count(t.low), ages::count(t.high)).into(),
                t.cost_usd.map_or("-".into(), money).into(),
                made.into(),
            ]);
        }
        cx.out.table(&table, "")?;
        let total = &preview.total;
        let cost = total.cost_usd.map_or_else(|| "cost not known: no finished job tells what a token costs".into(), money);
        let (low, high) = (ages::count(total.low), ages::count(total.high));
        cx.out.line("")?;
        cx.out.line(&format!("in all {} tokens ({low} to {high}), {cost}", ages::count(total.tokens)))?;
    }
    for card in cards {
        cx.out.line("")?;
        cx.out.line(&format!("it waits for you: `orc decision show {}`", card.id))?;
    }
    match plan.state {
        PlanState::Proposed => {
            cx.out.line("")?;
            cx.out.line(&format!(
                "`orc plan approve {0}` starts it; `orc plan show {0} --task KEY` shows a task, `orc plan edit {0}` changes it",
                plan.id
            ))
        }
        _ => Ok(()),
    }
}

fn show_task(cx: &mut Context, detail: &PlanDetail, key: &str) -> Result {
    let document = detail.plan.document.as_ref();
    let Some(task) = document.and_then(|d| d.task(key)) else {
        let known = document.map(|d| d.tasks.iter().map(|t| t.key.as_str()).collect::<Vec<_>>().join(", ")).unwrap_or_default();
        return Err(CliError::not_found(format!("plan {} has no task {key}: {known}", detail.plan.id)));
    };
    if cx.out.json {
        return cx.out.value(task);
    }
    let or = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let list = |all: &[String]| if all.is_empty() { "-".to_owned() } else { all.join(", ") };
    cx.out.fields(&[
        ("task", task.key.clone()),
        ("title", task.title.clone()),
        ("kind", task.kind.to_string()),
        ("type", or(task.backend.as_deref())),
        ("model", or(task.model.as_deref())),
        ("persona", or(task.persona.as_deref())),
        ("needs", list(&task.depends_on)),
        ("deliverable", if task.deliverable.is_empty() { "-".into() } else { task.deliverable.clone() }),
        ("artefacts", list(&task.artefacts)),
        ("skills", list(&task.skills)),
    ])?;
    cx.out.block(&format!("\n{}\n", task.prompt.trim()))
}

fn money(usd: f64) -> String {
    if usd < 0.01 { format!("${usd:.4}") } else { format!("${usd:.2}") }
}

fn edit(cx: &mut Context, e: &Edit) -> Result {
    let mut store = cx.writer()?;
    let plan = known(&store, e.id)?;
    let document = match &e.file {
        Some(file) => read_document(cx, file)?,
        None => {
            let Some(document) = &plan.document else {
                return Err(CliError::refused(format!("plan {} has no document yet", e.id)).hint("give one with --file FILE"));
            };
            let before = serde_json::to_string_pretty(document).map_err(std::io::Error::other)?;
            let after = in_editor(cx, &before)?;
            if after.trim() == before.trim() {
                return cx.out.done(&format!("plan {} is as it was", e.id));
            }
            checked(cx, &after).map_err(|wrong| keep(cx, e.id, &after, wrong))?
        }
    };
    let command = Command::EditPlan { plan: e.id, document: Box::new(document), revision: Some(plan.revision) };
    let message = cx.apply(&mut store, &command)?;
    cx.wake()?;
    if cx.out.json { cx.out.value(&known(&store, e.id)?) } else { cx.out.done(&message) }
}

/// What was typed is not lost with the mistake in it.
fn keep(cx: &Context, id: PlanId, text: &str, wrong: CliError) -> CliError {
    let Ok(workspace) = cx.workspace() else { return wrong };
    let path = workspace.root().join("drafts").join(format!("plan-{id}.json"));
    match std::fs::write(&path, text) {
        Ok(()) => {
            let again = format!("your text is in {0}: put it right, then `orc plan edit {id} --file {0}`", path.display());
            CliError { hint: Some(again), ..wrong }
        }
        Err(_) => wrong,
    }
}

fn in_editor(cx: &Context, text: &str) -> Result<String> {
    let failed = |e: &dyn std::fmt::Display| CliError::new(Failure::Failure, e.to_string());
    let dir = cx.workspace()?.root().join("drafts");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Ctrl-C is the editor's.
        let _keys = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
        let mut editor = Editor::start_as(text, &dir, "json").map_err(|e| failed(&e))?;
        let status = editor.guest.wait().await?;
        editor.finish(status).map_err(|e| failed(&e))
    })
}

fn read_document(cx: &Context, file: &Path) -> Result<PlanDocument> {
    let text = if file == Path::new("-") {
        job::read(std::io::stdin().lock(), "standard input", "plan")?
    } else {
        let cannot = |e| CliError::not_found(format!("cannot read the plan from {}: {e}", file.display()));
        job::read(std::fs::File::open(file).map_err(cannot)?, &file.display().to_string(), "plan")?
    };
    checked(cx, &text)
}

/// A text as a plan, checked as a planner's is.
fn checked(cx: &Context, text: &str) -> Result<PlanDocument> {
    let most = (cx.settings()?.plan_max_tasks as usize).min(MOST_TASKS);
    let wrong = |e: String| CliError::refused(format!("that is no plan: {e}"));
    let document = plan_of(text, most).map_err(|e| wrong(e.to_string()))?;
    plans::check_names(&document, &cx.backends()?.0, cx.workspace()?).map_err(wrong)?;
    Ok(document)
}

fn known(store: &Store, id: PlanId) -> Result<Plan> {
    store.plan(id)?.ok_or_else(|| CliError::not_found(format!("there is no plan {id}")).hint("`orc plan ls --all` lists them"))
}
