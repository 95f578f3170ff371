//! `orc project add|ls|show|set|diff|merge|disk|clean|submit|approve|reject|reopen`

mod trees;

use crate::cli::ages;
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::cli::job::list;
use crate::cli::output::Table;
use crate::config::Workspace;
use crate::domain::{Act, Command, JobFilter, ProjectId};
use crate::os::git::{is_checkout, top_of};
use crate::store::Project;
use clap::{Args, Subcommand, ValueHint};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub enum Verb {
    /// Make a project
    Add(Add),
    /// List the projects
    Ls,
    /// Show one with its tasks and open jobs
    Show(Show),
    /// Change one: the command that tests its code
    Set(Set),
    /// Show what a job changed in its own work tree
    Diff(trees::Diff),
    /// Merge a job's branch into what the project's folder is on
    Merge(trees::Merge),
    /// Show what work trees take on the disk, and what a clean-up would free
    Disk(trees::Disk),
    /// Put away work trees that are merged, clean and nobody's
    Clean(trees::Clean),
    /// Put one before the operator: its work is done
    Submit(Show),
    /// Close one that waits for approval
    Approve(Approve),
    /// Send one back with what is missing
    Reject(Reject),
    /// Take up an approved or rejected one again
    Reopen(Show),
}

#[derive(Args)]
pub struct Approve {
    /// The project's number
    #[arg(value_parser = args::id::<ProjectId>)]
    id: ProjectId,
    /// A word that stays with it
    #[arg(long, value_name = "TEXT")]
    remark: Option<String>,
}

#[derive(Args)]
pub struct Reject {
    /// The project's number
    #[arg(value_parser = args::id::<ProjectId>)]
    id: ProjectId,
    /// What is missing; whoever works on it reads it
    #[arg(long, value_name = "R")]
    reason: String,
}

#[derive(Args)]
pub struct Add {
    /// What it is called
    #[arg(long)]
    title: String,
    /// The folder that its jobs work in, such as a git repository
    #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,
    /// A shell command that has to pass, in the job's own tree, before a code job is done
    #[arg(long, value_name = "COMMAND")]
    test: Option<String>,
}

#[derive(Args)]
pub struct Set {
    /// The project's number
    #[arg(value_parser = args::id::<ProjectId>)]
    id: ProjectId,
    /// A shell command that has to pass, in the job's own tree, before a code job is done; empty = none
    #[arg(long, value_name = "COMMAND")]
    test: String,
}

#[derive(Args)]
pub struct Show {
    /// The project's number
    #[arg(value_parser = args::id::<ProjectId>)]
    id: ProjectId,
}

/// Runs a verb.
///
/// # Errors
/// As each verb says.
pub fn run(cx: &mut Context, verb: Verb) -> Result {
    match verb {
        Verb::Add(a) => add(cx, &a),
        Verb::Ls => ls(cx),
        Verb::Show(s) => show(cx, s.id),
        Verb::Set(s) => set(cx, &s),
        Verb::Diff(d) => trees::diff(cx, &d),
        Verb::Merge(m) => trees::merge(cx, &m),
        Verb::Disk(d) => trees::disk(cx, &d),
        Verb::Clean(c) => trees::clean(cx, &c),
        Verb::Submit(s) => close(cx, s.id, &Command::SubmitProject { project: s.id }),
        Verb::Approve(a) => close(cx, a.id, &Command::ApproveProject { project: a.id, remark: a.remark }),
        Verb::Reject(r) => close(cx, r.id, &Command::RejectProject { project: r.id, reason: r.reason }),
        Verb::Reopen(s) => close(cx, s.id, &Command::ReopenProject { project: s.id }),
    }
}

fn close(cx: &mut Context, id: ProjectId, command: &Command) -> Result {
    let mut store = cx.writer()?;
    known(&store, id)?;
    let message = cx.apply(&mut store, command)?;
    cx.wake()?;
    if cx.out.json { cx.out.value(&known(&store, id)?) } else { cx.out.done(&message) }
}

fn add(cx: &mut Context, a: &Add) -> Result {
    let dir = match &a.dir {
        None => own_folder(cx.workspace()?, &a.title)?,
        Some(dir) => {
            let whole = dir.canonicalize().map_err(|e| {
                CliError::not_found(format!("the project's folder {} cannot be used: {e}", dir.display()))
                    .hint("make it first, or leave --dir out")
            })?;
            if !whole.is_dir() {
                return Err(CliError::usage(format!("{} is no folder", whole.display())));
            }
            whole
        }
    };
    let dir = dir.to_str().ok_or_else(|| CliError::usage(format!("{} is not valid UTF-8", dir.display())))?.to_owned();
    let mut store = cx.writer()?;
    let (actor, now) = (cx.permit(&mut store, &Act::Steer("making a project"))?.to_string(), cx.now());
    let test = a.test.as_deref().map(str::trim).filter(|t| !t.is_empty());
    let id = store.write(|tx| {
        let id = tx.add_project(&a.title, Some(&dir), &actor, now)?;
        if test.is_some() {
            tx.set_test_command(id, test, &actor, now)?;
        }
        Ok::<_, crate::store::StoreError>(id)
    })?;
    cx.wake()?;
    if cx.out.json {
        return cx.out.value(&json!({ "id": id }));
    }
    cx.out.line(&format!("project {id}"))?;
    no_trees(Path::new(&dir)).map_or(Ok(()), |why| cx.out.aside(&why))
}

/// Why code jobs of a project get no work trees, where somebody could expect them.
fn no_trees(dir: &Path) -> Option<String> {
    let top = top_of(dir).filter(|top| *top != dir)?;
    Some(format!(
        "no work trees: the folder lies in the repository {}, not at its top, so code jobs work in the folder itself (--dir {0} gives each a \
         branch)",
        top.display()
    ))
}

fn set(cx: &mut Context, s: &Set) -> Result {
    let mut store = cx.writer()?;
    let (actor, now) = (cx.permit(&mut store, &Act::Steer("changing a project"))?.to_string(), cx.now());
    known(&store, s.id)?;
    let test = Some(s.test.trim()).filter(|t| !t.is_empty());
    store.write(|tx| tx.set_test_command(s.id, test, &actor, now))?;
    cx.wake()?;
    if cx.out.json { cx.out.value(&known(&store, s.id)?) } else { cx.out.done(&format!("project {} changed", s.id)) }
}

fn own_folder(workspace: &Workspace, title: &str) -> Result<PathBuf> {
    workspace.make_project_dir(title).map_err(|(folder, e)| {
        CliError::workspace(format!("cannot make the project's folder {}: {e}", folder.display()))
            .hint("`orc init` completes a workspace that lacks folders")
    })
}

fn ls(cx: &mut Context) -> Result {
    let projects = cx.reader()?.projects()?;
    if cx.out.json {
        return cx.out.value(&projects);
    }
    let now = cx.now();
    let mut table = Table::new(&[">ID", "TITLE", "STATE", ">AGE", "FOLDER"], "TITLE");
    for p in &projects {
        table.row(vec![
            p.id.into(),
            (&p.title).into(),
            p.state.as_str().into(),
            ages::ago(p.created_at, now).into(),
            p.dir.as_deref().unwrap_or("-").into(),
        ]);
    }
    cx.out.table(&table, "no projects yet: `orc project add --title T`")
}

fn show(cx: &mut Context, id: ProjectId) -> Result {
    let store = cx.reader()?;
    let project: Project = known(&store, id)?;
    let tasks = store.tasks(Some(id))?;
    let jobs =
        list::select(&store, &JobFilter { project_id: Some(id.0), states: list::OPEN.to_vec(), ..JobFilter::default() }, usize::MAX)?;
    if cx.out.json {
        let mut value = serde_json::to_value(&project).map_err(std::io::Error::other)?;
        value["tasks"] = json!(tasks);
        value["jobs"] = json!(jobs);
        return cx.out.value(&value);
    }
    let dir = project.dir.as_deref().map(Path::new);
    let trees = dir
        .and_then(no_trees)
        .unwrap_or_else(|| (if dir.is_some_and(is_checkout) { "a branch and a work tree for each code job" } else { "-" }).to_owned());
    cx.out.fields(&[
        ("project", project.id.to_string()),
        ("title", project.title),
        ("state", project.state.to_string()),
        ("folder", project.dir.unwrap_or_else(|| "-".into())),
        ("tests", project.test_command.unwrap_or_else(|| "-".into())),
        ("made", project.created_at.to_string()),
        ("trees", trees),
        ("remark", project.remark.unwrap_or_else(|| "-".into())),
    ])?;
    if !tasks.is_empty() {
        cx.out.line("")?;
        let mut table = Table::new(&[">TASK", "TITLE", "STATE"], "TITLE");
        for t in &tasks {
            table.row(vec![t.id.into(), (&t.title).into(), (&t.state).into()]);
        }
        cx.out.table(&table, "")?;
    }
    cx.out.line("")?;
    let now = cx.now();
    cx.out.table(&list::table(&jobs, now), "no open jobs")
}

/// A project that has to exist.
///
/// # Errors
/// It does not.
pub fn known(store: &crate::store::Store, id: ProjectId) -> Result<Project> {
    store.project(id)?.ok_or_else(|| CliError::not_found(format!("there is no project {id}")).hint("`orc project ls` lists them"))
}
