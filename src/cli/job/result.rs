//! `orc job result`

use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind, Result};
use crate::domain::{Job, JobId};
use crate::store::Store;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
pub struct ResultOf {
    /// Job numbers
    #[arg(required = true, value_name = "ID", value_parser = args::id::<JobId>)]
    ids: Vec<JobId>,
    /// The bytes exactly as the agent wrote them; not to a terminal, which they could drive
    #[arg(long)]
    raw: bool,
    /// Print only where the result is kept
    #[arg(long, conflicts_with = "raw")]
    path: bool,
}

/// Prints the results of jobs' newest attempts that left one.
///
/// # Errors
/// There is none (yet); it has been swept away.
pub fn run(cx: &mut Context, verb: &ResultOf) -> Result {
    if verb.raw && cx.out.is_terminal() {
        return Err(CliError::usage("--raw is not for a terminal: what an agent wrote could drive it")
            .hint("send it to a file or a pipe, or leave --raw out"));
    }
    let store = cx.reader()?;
    let mut values = Vec::new();
    for &id in &verb.ids {
        let job = cx.job(&store, id)?;
        let file = find(&store, &job)?;
        if verb.path && !cx.out.json {
            cx.out.line(&file.display().to_string())?;
            continue;
        }
        let bytes = std::fs::read(&file).map_err(|e| {
            CliError::not_found(format!("the result of job {id} cannot be read: {}: {e}", file.display()))
                .hint("results are kept for a time and then swept away")
        })?;
        if cx.out.json {
            values.push(
                json!({ "id": id, "state": job.state, "outcome": job.outcome, "file": file, "result": String::from_utf8_lossy(&bytes) }),
            );
        } else if verb.raw {
            cx.out.bytes(&bytes)?;
        } else {
            cx.out.block(&String::from_utf8_lossy(&bytes))?;
        }
    }
    match (cx.out.json, values.len()) {
        (false, _) => Ok(()),
        (true, 1) => cx.out.value(&values[0]),
        (true, _) => cx.out.value(&values),
    }
}

fn find(store: &Store, job: &Job) -> Result<PathBuf> {
    let newest = store.attempts(job.id)?.into_iter().filter(|a| a.result_file.is_some()).max_by_key(|a| a.number);
    if let Some(file) = newest.and_then(|a| a.result_file) {
        return Ok(file.into());
    }
    let id = job.id;
    Err(if job.state.is_final() {
        let why = job.note.as_deref().map(|n| format!(": {n}")).unwrap_or_default();
        CliError::new(Kind::NotFound, format!("job {id} left no result; it is {}{why}", job.state))
            .hint(format!("`orc job show {id}` tells how it went"))
    } else {
        CliError::refused(format!("job {id} has no result yet; it is {}", job.state)).hint(format!("`orc job wait {id}` waits for it"))
    })
}
