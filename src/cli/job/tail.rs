//! `orc job tail`: what agents say and do, from the spools on disk; it needs no engine.

use super::list;
use crate::cli::args::{self, Jobs};
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::cli::follow::{Changes, Spool, tell_if_no_engine};
use crate::cli::output::Tone;
use crate::cli::transcript;
use crate::config::Workspace;
use crate::domain::{AttemptId, Job, JobId};
use crate::store::Store;
use crate::wire::SpooledEvent;
use clap::Args;
use serde::Serialize;

/// Bytes at the end of a spool in which the last events are looked for, for each event that is wanted.
const BYTES_PER_EVENT: u64 = 4096;

#[derive(Args)]
pub struct Tail {
    #[command(flatten)]
    jobs: Jobs,
    /// Follow until the jobs have ended, through all their attempts
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

/// An event as a program gets it.
#[derive(Serialize)]
struct Line<'a> {
    job: JobId,
    attempt: AttemptId,
    #[serde(flatten)]
    event: &'a SpooledEvent,
}

/// Prints transcripts, and follows them if that is wanted. With --json: one array, or one value a line while following.
///
/// # Errors
/// A job does not exist or has never run; a spool cannot be read.
pub fn run(cx: &mut Context, tail: &Tail) -> Result {
    let store = cx.reader()?;
    let jobs = tail.jobs.ids.iter().map(|&id| cx.job(&store, id)).collect::<Result<Vec<Job>>>()?;
    if tail.follow { follow(cx, tail, &store, jobs) } else { show(cx, tail, &store, &jobs) }
}

fn show(cx: &mut Context, tail: &Tail, store: &Store, jobs: &[Job]) -> Result {
    if tail.attempt.is_some() && jobs.len() > 1 {
        return Err(CliError::usage("--attempt is for one job"));
    }
    let mut values = Vec::new();
    for job in jobs {
        let attempt = attempt_of(store, job, tail.attempt)?;
        let events = last(cx.workspace()?, attempt, tail.lines)?;
        if cx.out.json {
            for event in &events {
                values.push(serde_json::to_value(Line { job: job.id, attempt, event }).map_err(std::io::Error::other)?);
            }
            continue;
        }
        if jobs.len() > 1 {
            cx.out.toned(Tone::Head, &format!("= job {}: {}", job.id, job.spec.title))?;
        }
        if events.is_empty() {
            cx.out.done("nothing was said, or its transcript has been swept away")?;
        }
        for event in &events {
            transcript::print(&mut cx.out, event)?;
        }
    }
    if cx.out.json { cx.out.value(&values) } else { Ok(()) }
}

fn attempt_of(store: &Store, job: &Job, wanted: Option<AttemptId>) -> Result<AttemptId> {
    let id = job.id;
    match wanted {
        Some(wanted) if store.attempts(id)?.iter().any(|a| a.id == wanted) => Ok(wanted),
        Some(wanted) => {
            Err(CliError::not_found(format!("job {id} has no attempt {wanted}")).hint(format!("`orc job show {id}` lists them")))
        }
        None => job.attempt.ok_or_else(|| {
            CliError::refused(format!("job {id} has not run yet; it is {}", job.state))
                .hint(format!("`orc why {id}` says what it waits for; `orc job tail -f {id}` waits for its start"))
        }),
    }
}

fn last(workspace: &Workspace, attempt: AttemptId, lines: HowMany) -> Result<Vec<SpooledEvent>> {
    let mut events = rest(&mut Spool::of(&workspace.attempt_dir(attempt)), lines)?;
    if let HowMany::Last(n) = lines
        && events.len() < n
    {
        // Long events: the window held fewer than that.
        events = rest(&mut Spool::of(&workspace.attempt_dir(attempt)), HowMany::All)?;
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
            return Ok(events);
        }
        events.extend(next);
        if let HowMany::Last(n) = lines {
            events.drain(..events.len().saturating_sub(n));
        }
    }
}

/// One job that is followed.
struct Followed {
    job: Job,
    open: Option<(AttemptId, Spool)>,
    /// Its spool's folder is watched.
    watched: bool,
    /// How much of what is there already is shown.
    lines: HowMany,
    /// What was last said of its state.
    said: String,
}

fn follow(cx: &mut Context, tail: &Tail, store: &Store, jobs: Vec<Job>) -> Result {
    let mut changes = Changes::of(cx.workspace()?)?;
    let mut followed: Vec<Followed> =
        jobs.into_iter().map(|job| Followed { job, open: None, watched: false, lines: tail.lines, said: String::new() }).collect();
    // Whose words come, where several are followed.
    let mut speaker = (followed.len() == 1).then(|| followed[0].job.id);
    let mut told = false;
    loop {
        for f in &mut followed {
            f.look(cx, &mut changes, &mut speaker)?;
        }
        cx.out.flush()?;
        if followed.iter().all(|f| f.job.state.is_final()) {
            return Ok(());
        }
        if !std::mem::replace(&mut told, true) {
            tell_if_no_engine(cx)?;
        }
        changes.wait(None)?;
        // The state is read before the spool: an attempt that is over has said everything by then.
        for f in &mut followed {
            f.job = cx.job(store, f.job.id)?;
        }
    }
}

impl Followed {
    fn look(&mut self, cx: &mut Context, changes: &mut Changes, speaker: &mut Option<JobId>) -> Result {
        if let Some(attempt) = self.job.attempt
            && self.open.as_ref().is_none_or(|(a, _)| *a != attempt)
        {
            // The last words of the attempt before.
            self.print(cx, speaker)?;
            self.open = Some((attempt, Spool::of(&cx.workspace()?.attempt_dir(attempt))));
            self.watched = false;
        }
        if let Some((attempt, _)) = &self.open
            && !self.watched
        {
            self.watched = changes.add_spool(&cx.workspace()?.attempt_dir(*attempt))?;
        }
        self.print(cx, speaker)?;
        let job = &self.job;
        let standing = format!("job {} is {}{}", job.id, job.state, job.note.as_deref().map(|n| format!(": {n}")).unwrap_or_default());
        if self.said != standing && !cx.out.json {
            cx.out.toned(list::tone(job.state), &format!("= {standing}"))?;
            self.said = standing;
        }
        Ok(())
    }

    fn print(&mut self, cx: &mut Context, speaker: &mut Option<JobId>) -> Result {
        let Some((attempt, spool)) = &mut self.open else { return Ok(()) };
        for event in &rest(spool, std::mem::replace(&mut self.lines, HowMany::All))? {
            if cx.out.json {
                cx.out.event(&Line { job: self.job.id, attempt: *attempt, event })?;
                continue;
            }
            if *speaker != Some(self.job.id) {
                cx.out.toned(Tone::Head, &format!("= job {}: {}", self.job.id, self.job.spec.title))?;
                *speaker = Some(self.job.id);
            }
            transcript::print(&mut cx.out, event)?;
        }
        Ok(())
    }
}
