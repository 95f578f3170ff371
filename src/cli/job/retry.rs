//! `orc job retry`

use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::domain::{Command, JobId};

/// Queues ended jobs again.
///
/// # Errors
/// A job that does not exist or has not ended; the database.
pub fn run(cx: &mut Context, ids: &[JobId]) -> Result {
    let mut store = cx.writer()?;
    cx.each(ids, |cx, id| {
        cx.job(&store, id)?;
        let message = cx.apply(&mut store, &Command::Retry { job: id, seen: None })?;
        cx.wake()?;
        Ok(message)
    })
}
