//! `orc job wait`

use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind, Result};
use crate::cli::follow::{Changes, tell_if_no_engine};
use crate::domain::{JobId, JobState};
use clap::Args;
use serde_json::json;
use std::time::{Duration, Instant};

#[derive(Args)]
pub struct Wait {
    /// Job numbers
    #[arg(required = true, value_name = "ID", value_parser = args::id::<JobId>)]
    ids: Vec<JobId>,
    /// Until one of them has ended, not all
    #[arg(long)]
    any: bool,
    /// Give up after this long, such as 10m (exit code 7)
    #[arg(long, value_name = "DUR", value_parser = args::duration)]
    timeout: Option<Duration>,
}

/// Waits until jobs have ended.
///
/// # Errors
/// `Failure` if one did not end well, `TimedOut` past the limit.
pub fn run(cx: &mut Context, wait: &Wait) -> Result {
    let store = cx.reader()?;
    let mut changes = Changes::of(cx.workspace()?)?;
    let deadline = wait.timeout.map(|t| Instant::now() + t);
    let mut told = false;
    let mut ended: Vec<Option<JobState>> = vec![None; wait.ids.len()];
    loop {
        for (&id, end) in wait.ids.iter().zip(&mut ended).filter(|(_, end)| end.is_none()) {
            let job = cx.job(&store, id)?;
            if job.state.is_final() {
                *end = Some(job.state);
                let note = job.note.map(|n| format!(": {n}")).unwrap_or_default();
                cx.out.done(&format!("job {id} {}{note}", job.state))?;
                cx.out.flush()?;
            }
        }
        let over = ended.iter().filter(|e| e.is_some()).count();
        if over == ended.len() || (wait.any && over > 0) {
            break;
        }
        if deadline.is_some_and(|d| Instant::now() >= d) {
            answer(cx, wait, &ended)?;
            return Err(CliError::new(Kind::TimedOut, format!("{} of {} jobs have not ended", ended.len() - over, ended.len())));
        }
        if !std::mem::replace(&mut told, true) {
            tell_if_no_engine(cx)?;
        }
        changes.wait(deadline)?;
    }
    answer(cx, wait, &ended)?;
    if ended.iter().flatten().all(|s| *s == JobState::Done) { Ok(()) } else { Err(CliError::told(Kind::Failure)) }
}

fn answer(cx: &mut Context, wait: &Wait, ended: &[Option<JobState>]) -> Result {
    if cx.out.json {
        let rows: Vec<_> =
            wait.ids.iter().zip(ended).map(|(id, state)| json!({ "id": id, "ended": state.is_some(), "state": state })).collect();
        cx.out.value(&rows)?;
    }
    Ok(())
}
