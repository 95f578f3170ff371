//! What a worn-out session leaves to the next: the last results of its worker, without asking a model.

use crate::config::Workspace;
use crate::domain::WorkerId;
use crate::store::{Store, StoreError};
use std::fmt::Write;

/// How many of the last jobs are told of, and how much of each result.
const JOBS: usize = 5;
const CUT: usize = 1500;

/// A summary of a worker's last jobs, newest first.
///
/// # Errors
/// The database.
pub fn summary(store: &Store, workspace: &Workspace, worker: WorkerId) -> Result<String, StoreError> {
    let _ = workspace;
    let mut text = String::from("Your session was renewed. What you did last, newest first:\n");
    for attempt in store.worker_attempts(worker, JOBS)? {
        let Some(job) = store.job(attempt.job_id)? else { continue };
        let outcome = attempt.outcome.map_or("still open", |o| o.as_str());
        let _ = write!(text, "\n### Job {}: {} ({outcome})\n", job.id, job.spec.title);
        let result = attempt.result_file.as_ref().and_then(|f| std::fs::read_to_string(f).ok()).unwrap_or_default();
        let cut = result.floor_char_boundary(CUT.min(result.len()));
        text.push_str(result[..cut].trim());
        if cut < result.len() {
            text.push_str(" …");
        }
        text.push('\n');
    }
    Ok(text)
}
