//! `orc job priority`

use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::domain::{self, Command, JobId};
use clap::Args;
use serde_json::json;

#[derive(Args)]
pub struct Priority {
    /// The job
    #[arg(value_parser = args::id::<JobId>)]
    id: JobId,
    /// P0 (a human waits) to P5 (whenever)
    #[arg(value_name = "P0..P5")]
    priority: domain::Priority,
}

/// Changes a job's priority.
///
/// # Errors
/// A job that does not exist or has ended; the database.
pub fn run(cx: &mut Context, verb: &Priority) -> Result {
    let mut store = cx.writer()?;
    cx.job(&store, verb.id)?;
    let message = cx.apply(&mut store, &Command::SetPriority { job: verb.id, priority: verb.priority, seen: None })?;
    cx.wake()?;
    if cx.out.json {
        return cx.out.value(&json!({ "id": verb.id, "priority": verb.priority, "message": message }));
    }
    cx.out.done(&message)
}
