//! `orc job files`

use crate::cli::ages;
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind, Result};
use crate::cli::output::Table;
use crate::domain::{Deliverable, FileForm, HEAD, JobId, form_of, kind_of, picture};
use crate::engine::deliverables::{self, DeliverableError};
use clap::Args;
use serde_json::json;

#[derive(Args)]
pub struct Files {
    /// The job's number
    #[arg(value_parser = args::id::<JobId>)]
    id: JobId,
    /// Print this one instead: a name from the list
    name: Option<String>,
    /// The bytes exactly as they are; not to a terminal, which they could drive
    #[arg(long, requires = "name")]
    raw: bool,
}

fn failed(e: DeliverableError) -> CliError {
    match e {
        DeliverableError::Store(e) => e.into(),
        DeliverableError::Undeclared { .. } | DeliverableError::NotThere { .. } | DeliverableError::Read { .. } => {
            CliError::not_found(e.to_string())
        }
        DeliverableError::Git(_) => CliError::new(Kind::Failure, e.to_string()),
    }
}

/// Lists what a job delivers, or prints one of it.
///
/// # Errors
/// There is no such job, or no such file of it; the database.
pub fn run(cx: &mut Context, f: &Files) -> Result {
    match &f.name {
        None => list(cx, f.id),
        Some(name) => print(cx, f, name),
    }
}

fn list(cx: &mut Context, id: JobId) -> Result {
    let store = cx.reader()?;
    let job = cx.job(&store, id)?;
    let all = deliverables::list(&store, &job, &store.attempts(id)?)?;
    if cx.out.json {
        return cx.out.value(&all);
    }
    let now = cx.now();
    let mut table = Table::new(&["NAME", "FORM", ">SIZE", ">CHANGED", "NOTE"], "NOTE");
    for Deliverable { name, form, bytes, changed_at, note } in &all {
        table.row(vec![
            name.into(),
            form.as_str().into(),
            bytes.map_or_else(|| "-".to_owned(), ages::bytes).into(),
            changed_at.map_or_else(|| "-".to_owned(), |at| ages::ago(at, now)).into(),
            note.into(),
        ]);
    }
    cx.out.table(&table, "it declares no files and has no branch: `orc job add --artefact PATH` names what a job has to deliver")
}

fn print(cx: &mut Context, f: &Files, name: &str) -> Result {
    if f.raw && cx.out.is_terminal() {
        return Err(CliError::usage("--raw is not for a terminal: what an agent wrote could drive it")
            .hint("send it to a file or a pipe, or leave --raw out"));
    }
    let store = cx.reader()?;
    cx.job(&store, f.id)?;
    let (bytes, whole, from) = deliverables::read(&store, f.id, name, u64::MAX).map_err(failed)?;
    if f.raw {
        return cx.out.bytes(&bytes);
    }
    let head = &bytes[..bytes.len().min(HEAD)];
    let form = if store.branch(f.id)?.is_some_and(|b| b.name == *name) { FileForm::Diff } else { form_of(name, head) };
    let text = form.is_text().then(|| String::from_utf8_lossy(&bytes));
    if cx.out.json {
        return cx.out.value(&json!({
            "job": f.id, "name": name, "form": form, "bytes": whole, "file": from, "picture": picture(head), "text": text,
        }));
    }
    match (text, picture(head)) {
        (Some(text), _) => cx.out.block(&text),
        (None, Some(p)) => cx.out.line(&format!("{} image, {} × {}, {}: {from}", p.format, p.width, p.height, ages::bytes(whole))),
        (None, None) => cx.out.line(&format!("{}, {}: {from}", kind_of(head), ages::bytes(whole))),
    }
}
