//! `orc job kill`

use crate::cli::context::{Context, Engine};
use crate::cli::error::Result;
use crate::cli::follow;
use crate::domain::{Command, JobId, JobState};

/// Ends jobs. The wish is in the database first; with an engine it acts on it, without one the running shim is told directly.
///
/// # Errors
/// A job that does not exist or has ended; the database.
pub fn run(cx: &mut Context, ids: &[JobId]) -> Result {
    let mut store = cx.writer()?;
    cx.each(ids, |cx, id| {
        let job = cx.job(&store, id)?;
        // Asked for before, and still there: without an engine its process is told once more.
        let again = job.state == JobState::Running && job.kill_requested && cx.wake()? == Engine::Absent;
        let message = if again { String::new() } else { cx.apply(&mut store, &Command::Kill { job: id, seen: None })? };
        let attempt = match job.attempt {
            Some(attempt) if job.state == JobState::Running && cx.wake()? == Engine::Absent => attempt,
            _ => return Ok(message),
        };
        let told = if follow::end_shim(cx.workspace()?, attempt) { "its process was told to end directly" } else { "its process is gone" };
        Ok(format!("job {id}: no engine runs, {told}; it is booked as killed when an engine starts"))
    })
}
