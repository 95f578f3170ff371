//! `orc job tail`: what the agent says and does, from the spool on disk; it needs no engine.

use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::cli::follow::{Changes, Spool};
use crate::cli::transcript;
use crate::config::Workspace;
use crate::domain::{AttemptId, Job, JobId};
use crate::wire::SpooledEvent;
use clap::Args;

/// Bytes at the end of a spool in which the last events are looked for, for each event that is wanted.
const BYTES_PER_EVENT: u64 = 4096;

#[derive(Args)]
pub struct Tail {
    /// The job
    #[arg(value_parser = args::id::<JobId>)]
    id: JobId,
    /// Follow until the job has ended, through all its attempts
    #[arg(short, long)]
    follow: bool,
    /// The last N events of the newest attempt, or `all`
    #[arg(short = 'n', long, value_name = "N", default_value = "40", value_parser = how_many)]
    lines: HowMany,
    /// Another attempt than the newest (the ATTEMPT column of `job show`)
    #[arg(long, value_name = "ID", conflicts_with = "follow", value_parser = args::id::<AttemptId>)]
    attempt: Option<AttemptId>,
}

#[derive(Clone, Copy, Debug)]
enum HowMany {
    All,
    Last(usize),
}

fn how_many(text: &str) -> std::result::Result<HowMany, String> {
    match text {
        "all" => Ok(HowMany::All),
        n => n.parse().map(HowMany::Last).map_err(|_| "give a number or `all`".to_owned()),
    }
}

/// Prints the transcript, and follows it if that is wanted. With --json: one array, or one value a line while following.
///
/// # Errors
/// The job does not exist or has never run; the spool cannot be read.
pub fn run(cx: &mut Context, tail: &Tail) -> Result {
    let store = cx.reader()?;
    let job = cx.job(&store, tail.id)?;
    let attempt = match tail.attempt {
        Some(wanted) if !store.attempts(tail.id)?.iter().any(|a| a.id == wanted) => {
            return Err(CliError::not_found(format!("job {} has no attempt {wanted}", tail.id))
                .hint(format!("`orc job show {}` lists them", tail.id)));
        }
        Some(wanted) => Some(wanted),
        None => job.attempt,
    };
    if tail.follow {
        return follow(cx, tail, &store, job);
    }
    let Some(attempt) = attempt else { return Err(never_ran(&job)) };
    let events = last(cx.workspace()?, attempt, tail.lines)?;
    if cx.out.json {
        return cx.out.value(&events);
    }
    if events.is_empty() {
        return cx.out.done("nothing was said, or its transcript has been swept away");
    }
    for event in &events {
        transcript::print(&mut cx.out, event)?;
    }
    Ok(())
}

fn never_ran(job: &Job) -> CliError {
    CliError::refused(format!("job {} has not run yet; it is {}", job.id, job.state))
        .hint(format!("`orc why {}` says what it waits for; `orc job tail -f {}` waits for its start", job.id, job.id))
}

fn last(workspace: &Workspace, attempt: AttemptId, lines: HowMany) -> Result<Vec<SpooledEvent>> {
    let mut spool = Spool::of(&workspace.attempt_dir(attempt));
    let mut events = rest(&mut spool, lines)?;
    if let HowMany::Last(n) = lines
        && events.len() < n
    {
        // Long events: the window held fewer than that.
        spool = Spool::of(&workspace.attempt_dir(attempt));
        events = rest(&mut spool, HowMany::All)?;
        events.drain(..events.len().saturating_sub(n));
    }
    Ok(events)
}

/// What is in the spool now, less what goes before the last `lines`.
fn rest(spool: &mut Spool, lines: HowMany) -> Result<Vec<SpooledEvent>> {
    if let HowMany::Last(n) = lines {
        spool.skip_to_last((n as u64).saturating_mul(BYTES_PER_EVENT))?;
    }
    let mut events = Vec::new();
    loop {
        let next = spool.next()?;
        if next.is_empty() {
            break;
        }
        events.extend(next);
        if let HowMany::Last(n) = lines {
            events.drain(..events.len().saturating_sub(n));
        }
    }
    Ok(events)
}

fn follow(cx: &mut Context, tail: &Tail, store: &crate::store::Store, mut job: Job) -> Result {
    let mut changes = Changes::of(cx.workspace()?)?;
    let mut open: Option<(AttemptId, Spool)> = None;
    let mut watched = false;
    let mut lines = tail.lines;
    let mut said = None;
    loop {
        // The state is read before the spool: an attempt that is over has said everything by then.
        if let Some(attempt) = job.attempt
            && open.as_ref().is_none_or(|(a, _)| *a != attempt)
        {
            if let Some((_, old)) = &mut open {
                show(cx, old, HowMany::All)?;
            }
            open = Some((attempt, Spool::of(&cx.workspace()?.attempt_dir(attempt))));
            watched = false;
        }
        if let Some((attempt, spool)) = &mut open {
            if !watched {
                watched = changes.add_spool(&cx.workspace()?.attempt_dir(*attempt))?;
            }
            show(cx, spool, std::mem::replace(&mut lines, HowMany::All))?;
        }
        let standing = format!("job {} is {}{}", job.id, job.state, job.note.as_deref().map(|n| format!(": {n}")).unwrap_or_default());
        if said.as_ref() != Some(&standing) {
            if !cx.out.json {
                cx.out.toned(super::list::tone(job.state), &format!("= {standing}"))?;
            }
            said = Some(standing);
        }
        cx.out.flush()?;
        if job.state.is_final() {
            return Ok(());
        }
        changes.wait(None)?;
        job = cx.job(store, job.id)?;
    }
}

fn show(cx: &mut Context, spool: &mut Spool, lines: HowMany) -> Result {
    for event in rest(spool, lines)? {
        if cx.out.json {
            cx.out.event(&event)?;
        } else {
            transcript::print(&mut cx.out, &event)?;
        }
    }
    Ok(())
}
