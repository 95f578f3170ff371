//! `orc task add|ls|show|ask`

use super::ages;
use super::args;
use super::context::Context;
use super::decision;
use super::error::{CliError, Result};
use super::output::Table;
use super::project;
use crate::domain::{Act, ProjectId, TaskId};
use clap::{Args, Subcommand};
use serde_json::json;

#[derive(Subcommand)]
pub enum Verb {
    /// Make a task
    Add(Add),
    /// List the tasks
    Ls(Ls),
    /// Show one
    Show(Show),
    /// Ask the operator; the task waits, and goes on with the answer
    Ask(Ask),
}

#[derive(Args)]
pub struct Ask {
    /// The task's number
    #[arg(value_parser = args::id::<TaskId>)]
    id: TaskId,
    #[command(flatten)]
    card: decision::Card,
}

#[derive(Args)]
pub struct Add {
    /// What is to be done
    #[arg(long)]
    title: String,
    /// The project that it belongs to
    #[arg(long, value_name = "N", value_parser = args::id::<ProjectId>)]
    project_id: ProjectId,
}

#[derive(Args)]
pub struct Ls {
    /// Only those of a project
    #[arg(long, value_name = "N", value_parser = args::id::<ProjectId>)]
    project_id: Option<ProjectId>,
}

#[derive(Args)]
pub struct Show {
    /// The task's number
    #[arg(value_parser = args::id::<TaskId>)]
    id: TaskId,
}

/// Runs a verb.
///
/// # Errors
/// As each verb says.
pub fn run(cx: &mut Context, verb: Verb) -> Result {
    match verb {
        Verb::Add(a) => {
            let mut store = cx.writer()?;
            project::known(&store, a.project_id)?;
            let (actor, now) = (cx.permit(&mut store, &Act::AddTask(a.project_id))?.to_string(), cx.now());
            let id = store.write(|tx| tx.add_task(a.project_id, &a.title, &actor, now))?;
            cx.wake()?;
            if cx.out.json { cx.out.value(&json!({ "id": id })) } else { cx.out.line(&format!("task {id}")) }
        }
        Verb::Ls(l) => {
            let store = cx.reader()?;
            if let Some(id) = l.project_id {
                project::known(&store, id)?;
            }
            let tasks = store.tasks(l.project_id)?;
            if cx.out.json {
                return cx.out.value(&tasks);
            }
            let now = cx.now();
            let mut table = Table::new(&[">ID", ">PROJECT", "TITLE", "STATE", ">AGE"], "TITLE");
            for t in &tasks {
                table.row(vec![
                    t.id.into(),
                    t.project_id.into(),
                    (&t.title).into(),
                    (&t.state).into(),
                    ages::ago(t.created_at, now).into(),
                ]);
            }
            cx.out.table(&table, "no tasks: `orc task add --title T --project-id N`")
        }
        Verb::Ask(a) => decision::ask(cx, a.card, Some(a.id)),
        Verb::Show(s) => {
            let store = cx.reader()?;
            let t = store
                .task(s.id)?
                .ok_or_else(|| CliError::not_found(format!("there is no task {}", s.id)).hint("`orc task ls` lists them"))?;
            if cx.out.json {
                return cx.out.value(&t);
            }
            let project = project::known(&store, t.project_id)?;
            cx.out.fields(&[
                ("task", t.id.to_string()),
                ("title", t.title),
                ("state", t.state),
                ("project", format!("{} {}", project.id, project.title)),
                ("made", t.created_at.to_string()),
            ])
        }
    }
}
