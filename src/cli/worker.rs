//! `orc worker ls|show|add|pause|resume|retire|step`

use super::ages;
use super::args;
use super::context::Context;
use super::error::{CliError, Result};
use super::lane::switch;
use super::names;
use super::output::{Cell, Table, Tone};
use super::step;
use crate::domain::{Act, Command, ProjectId, Worker, WorkerStatus};
use crate::store::NewWorker;
use clap::{Args, Subcommand, ValueHint};
use serde_json::json;
use std::path::PathBuf;

/// Attempts shown for a worker.
const ATTEMPTS: usize = 20;

#[derive(Subcommand)]
pub enum Verb {
    /// List the workers
    Ls,
    /// Show one with its newest attempts
    Show(Named),
    /// Make a persistent worker: it keeps its session from job to job
    Add(Add),
    /// Give a worker no more jobs; the one that it runs goes on
    Pause(Named),
    /// Give it jobs again
    Resume(Named),
    /// Let a worker go; its history stays
    Retire(Named),
    /// Go on with its session yourself, in the backend's own console; it takes no job meanwhile
    Step(Named),
}

#[derive(Args)]
pub struct Named {
    /// Name or number
    worker: String,
}

#[derive(Args)]
pub struct Add {
    /// What it is called
    #[arg(long)]
    name: String,
    /// The backend that it is a session of
    #[arg(long = "type", value_name = "BACKEND")]
    backend: String,
    /// The model [default: by kind, as configured]
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// Who it is
    #[arg(long, value_name = "X")]
    persona: Option<String>,
    /// Skills to inject into each of its jobs
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    skill: Vec<String>,
    /// It takes jobs of this project only
    #[arg(long, value_name = "N", value_parser = args::id::<ProjectId>)]
    project_id: Option<ProjectId>,
    /// Where its agents run [default: the project's folder, else a folder of its own in the workspace]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

/// Runs a verb.
///
/// # Errors
/// As each verb says.
pub fn run(cx: &mut Context, verb: Verb) -> Result {
    match verb {
        Verb::Ls => ls(cx),
        Verb::Show(n) => show(cx, &n.worker),
        Verb::Add(a) => add(cx, a),
        Verb::Pause(n) => by_id(cx, &n.worker, |worker| Command::PauseWorker { worker, paused: true }),
        Verb::Resume(n) => by_id(cx, &n.worker, |worker| Command::PauseWorker { worker, paused: false }),
        Verb::Step(n) => step::run(cx, &n.worker),
        Verb::Retire(n) => by_id(cx, &n.worker, |worker| Command::RetireWorker { worker }),
    }
}

fn by_id(cx: &mut Context, name: &str, command: impl FnOnce(crate::domain::WorkerId) -> Command) -> Result {
    let worker = names::worker(&cx.reader()?, name)?;
    switch(cx, &command(worker.id))
}

fn ls(cx: &mut Context) -> Result {
    let workers = cx.reader()?.workers()?;
    if cx.out.json {
        return cx.out.value(&workers);
    }
    let now = cx.now();
    let mut table = Table::new(&[">ID", "NAME", "STATUS", "BACKEND", "MODEL", "PERSONA", "KIND", ">JOBS", ">TOKENS", ">USED"], "NAME");
    for w in &workers {
        table.row(vec![
            w.id.into(),
            (&w.name).into(),
            Cell::toned(tone(w.status), w.status.as_str()),
            (&w.backend).into(),
            w.model.as_deref().unwrap_or("-").into(),
            w.persona.as_deref().unwrap_or("-").into(),
            (if w.persistent { "persistent" } else { "ephemeral" }).into(),
            w.total_jobs.into(),
            ages::count(w.total_tokens).into(),
            w.last_used_at.map_or_else(|| "-".to_owned(), |t| ages::ago(t, now)).into(),
        ]);
    }
    cx.out.table(&table, "no workers yet; the engine makes ephemeral ones, `orc worker add` a persistent one")
}

fn show(cx: &mut Context, name: &str) -> Result {
    let store = cx.reader()?;
    let w: Worker = names::worker(&store, name)?;
    let attempts = store.worker_attempts(w.id, ATTEMPTS)?;
    if cx.out.json {
        let mut value = serde_json::to_value(&w).map_err(std::io::Error::other)?;
        value["history"] = json!(attempts);
        return cx.out.value(&value);
    }
    let or_none = |t: Option<String>| t.unwrap_or_else(|| "-".into());
    cx.out.fields(&[
        ("worker", format!("{} {}", w.id, w.name)),
        ("status", w.status.to_string()),
        ("backend", w.backend),
        ("model", or_none(w.model)),
        ("persona", or_none(w.persona)),
        ("skills", or_none(Some(w.skills.join(", ")).filter(|s| !s.is_empty()))),
        ("kind", (if w.persistent { "persistent" } else { "ephemeral" }).into()),
        ("project", or_none(w.project_id.map(|p| p.to_string()))),
        ("folder", w.directory),
        ("session", or_none(w.session)),
        ("in session", format!("{} jobs, {} tokens", w.session_jobs, ages::count(w.session_tokens))),
        ("in all", format!("{} jobs, {} tokens, {}", w.total_jobs, ages::count(w.total_tokens), ages::money(w.total_cost_usd))),
        ("made", w.created_at.to_string()),
    ])?;
    cx.out.line("")?;
    let now = cx.now();
    let mut table = Table::new(&[">ATTEMPT", ">JOB", "OUTCOME", ">TIME", ">TOKENS", "MESSAGE"], "MESSAGE");
    for a in &attempts {
        table.row(vec![
            a.id.into(),
            a.job_id.into(),
            a.outcome.map_or("running", |o| o.as_str()).into(),
            ages::ago(a.started_at, a.ended_at.unwrap_or(now)).into(),
            ages::count(a.usage.total()).into(),
            a.message.as_deref().unwrap_or("").into(),
        ]);
    }
    cx.out.table(&table, "no attempts yet")
}

fn add(cx: &mut Context, a: Add) -> Result {
    if a.name.trim().is_empty()
        || a.name.contains(['/', '\0'])
        || a.name.starts_with(['.', '-', '#'])
        || a.name.chars().all(|c| c.is_ascii_digit())
    {
        return Err(
            CliError::usage(format!("`{}` cannot be a worker's name", a.name)).hint("take letters, digits and dashes, such as docs-writer")
        );
    }
    names::backend(cx, &a.backend)?;
    for skill in &a.skill {
        names::skill(cx, skill)?;
    }
    if let Some(persona) = &a.persona {
        names::persona(cx, persona)?;
    }
    let mut store = cx.writer()?;
    if store.worker_named(&a.name)?.is_some() {
        return Err(CliError::refused(format!("there is a worker named {} already", a.name))
            .hint(format!("`orc worker show {}`; or take another name", a.name)));
    }
    let project = a.project_id.map(|id| super::project::known(&store, id)).transpose()?;
    let folder = match (a.dir, project.and_then(|p| p.dir)) {
        (Some(dir), _) => dir.canonicalize().map_err(|e| {
            CliError::not_found(format!("the folder {} cannot be used: {e}", dir.display())).hint("make it first, or leave --dir out")
        })?,
        (None, Some(dir)) => dir.into(),
        (None, None) => cx.workspace()?.worker_dir(&a.name),
    };
    let directory = folder.to_str().ok_or_else(|| CliError::usage(format!("{} is not valid UTF-8", folder.display())))?.to_owned();
    let worker = NewWorker {
        name: a.name,
        backend: a.backend,
        model: a.model,
        persona: a.persona,
        skills: a.skill,
        persistent: true,
        project_id: a.project_id,
        directory,
    };
    let (actor, now) = (cx.permit(&mut store, &Act::Steer("making a worker"))?.to_string(), cx.now());
    let id = store.write(|tx| tx.add_worker(&worker, &actor, now))?;
    cx.wake()?;
    if cx.out.json { cx.out.value(&json!({ "id": id, "name": worker.name })) } else { cx.out.line(&format!("worker {id} {}", worker.name)) }
}

fn tone(status: WorkerStatus) -> Tone {
    match status {
        WorkerStatus::Idle => Tone::Plain,
        WorkerStatus::Working => Tone::Busy,
        WorkerStatus::Paused => Tone::Warn,
        WorkerStatus::Unhealthy => Tone::Bad,
        WorkerStatus::Retired => Tone::Dim,
    }
}
