//! `orc job unstick`: for a job that runs but does not move. Its process is ended, and it is queued again.

use crate::cli::args;
use crate::cli::context::{Context, Engine};
use crate::cli::error::{CliError, Kind, Result};
use crate::cli::follow::{self, Changes};
use crate::cli::wake;
use crate::domain::{Command, JobId, JobState, Seen};
use clap::Args;
use serde_json::json;
use std::time::{Duration, Instant};

#[derive(Args)]
pub struct Unstick {
    /// The job
    #[arg(value_parser = args::id::<JobId>)]
    id: JobId,
    /// How long to wait for the end of its process
    #[arg(long, value_name = "DUR", value_parser = args::duration, default_value = "60s")]
    timeout: Duration,
}

/// Ends what is left of a running job and queues it again. A job that merely waits is retried at once, or left alone.
///
/// # Errors
/// The job has ended or does not run; no engine runs; its process does not end in time.
pub fn run(cx: &mut Context, verb: &Unstick) -> Result {
    let id = verb.id;
    let mut store = cx.writer()?;
    let job = cx.job(&store, id)?;
    match job.state {
        JobState::Running => {}
        // The delay before a retry is what holds it.
        JobState::Queued if job.ready_at.is_some() => {
            let message = cx.apply(&mut store, &Command::Retry { job: id, seen: None })?;
            cx.wake()?;
            return tell(cx, id, &message);
        }
        s if s.is_final() => {
            return Err(CliError::refused(format!("job {id} is {s}")).hint(format!("`orc job retry {id}` queues it again")));
        }
        s => {
            return Err(
                CliError::refused(format!("job {id} does not run; it is {s}")).hint(format!("`orc why {id}` says what it waits for"))
            );
        }
    }
    if cx.wake()? == Engine::Absent {
        return Err(wake::no_engine().hint(
            "an engine that starts looks after every running job by itself: `orc engine` or `orc tui`, then try again if it still hangs",
        ));
    }
    let mut changes = Changes::of(cx.workspace()?)?;
    if !job.kill_requested {
        cx.apply(&mut store, &Command::Kill { job: id, seen: Some(Seen { state: job.state, attempt: job.attempt }) })?;
    }
    cx.wake()?;
    let deadline = Instant::now() + verb.timeout;
    let ended = loop {
        let now = cx.job(&store, id)?;
        if now.attempt != job.attempt || now.state != JobState::Running {
            break now;
        }
        if Instant::now() >= deadline {
            let workspace = cx.workspace()?;
            let alive = job.attempt.is_some_and(|a| follow::shim(workspace, a).is_some());
            let what = if alive { "its process still lives" } else { "its process is gone, but the engine has not booked it" };
            return Err(CliError::new(Kind::TimedOut, format!("job {id} has not ended yet: {what}"))
                .hint(format!("`orc log tail --job {id}` and `orc engine status` tell more")));
        }
        changes.wait(Some(deadline))?;
    };
    if ended.state.is_final() {
        cx.apply(&mut store, &Command::Retry { job: id, seen: Some(Seen { state: ended.state, attempt: ended.attempt }) })?;
        cx.wake()?;
    }
    tell(cx, id, &format!("job {id}: the attempt was ended, and it is queued again"))
}

fn tell(cx: &mut Context, id: JobId, message: &str) -> Result {
    if cx.out.json { cx.out.value(&json!({ "id": id, "message": message })) } else { cx.out.done(message) }
}
