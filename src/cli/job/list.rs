//! `orc job ls`

use crate::cli::ages;
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::output::{Cell, Table, Tone};
use crate::domain::{JobFilter, JobRow, JobState, Lane, Page, ProjectId, Timestamp};
use crate::store::Store;
use clap::Args;

/// The states of jobs that have not ended.
pub const OPEN: [JobState; 4] = [JobState::Waiting, JobState::Queued, JobState::Running, JobState::Reviewing];

/// Rows read from the database at a time.
const PAGE: usize = 1000;

#[derive(Args)]
pub struct Ls {
    /// Ended jobs too
    #[arg(long, conflicts_with = "state")]
    all: bool,
    /// Only jobs in these states
    #[arg(long, value_name = "S", value_delimiter = ',', value_parser = args::word(JobState::ALL, JobState::as_str))]
    state: Vec<JobState>,
    /// Only a lane: 0 urgent, 1 normal, 2 background
    #[arg(long, value_name = "N", value_parser = args::lane())]
    lane: Option<Lane>,
    /// Only a project's
    #[arg(long, value_name = "N", value_parser = args::id::<ProjectId>)]
    project_id: Option<ProjectId>,
    /// Only jobs with this text in title, backend, worker or tags
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// At most this many, the newest
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,
}

/// Lists jobs, newest first.
///
/// # Errors
/// The database.
pub fn run(cx: &mut Context, ls: &Ls) -> Result {
    let states = match (ls.all, ls.state.is_empty()) {
        (true, _) => Vec::new(),
        (false, true) => OPEN.to_vec(),
        (false, false) => ls.state.clone(),
    };
    let filter = JobFilter {
        states,
        lane: ls.lane,
        project_id: ls.project_id.map(|p| p.0),
        text: ls.grep.clone().unwrap_or_default(),
        ..JobFilter::default()
    };
    let store = cx.reader()?;
    let rows = select(&store, &filter, ls.limit.unwrap_or(usize::MAX))?;
    if cx.out.json {
        return cx.out.value(&rows);
    }
    let now = cx.now();
    let any = ls.all || !ls.state.is_empty() || ls.lane.is_some() || ls.project_id.is_some() || ls.grep.is_some();
    cx.out.table(&table(&rows, now), if any { "no such jobs" } else { "no open jobs; `--all` lists the ended ones too" })
}

/// The newest jobs that match, up to `limit`.
///
/// # Errors
/// The database.
pub fn select(store: &Store, filter: &JobFilter, limit: usize) -> Result<Vec<JobRow>> {
    let mut rows: Vec<JobRow> = Vec::new();
    while rows.len() < limit {
        let page = Page { before: rows.last().map(|r| r.id.0), limit: PAGE.min(limit - rows.len()) };
        let mut next = store.jobs(filter, page)?;
        let end = next.len() < page.limit;
        rows.append(&mut next);
        if end {
            break;
        }
    }
    Ok(rows)
}

/// Jobs as a table.
pub fn table(rows: &[JobRow], now: Timestamp) -> Table {
    let mut table = Table::new(&[">ID", "PRI", "STATE", "TYPE", "KIND", "WORKER", ">TRY", ">AGE", "TITLE"], "TITLE");
    for r in rows {
        let state = match r.wait_reason {
            Some(why) => format!("{} ({why})", r.state),
            None => r.state.to_string(),
        };
        let age = match (r.finished_at, r.started_at) {
            (Some(t), _) => ages::ago(t, now),
            (None, Some(t)) if r.state == JobState::Running => ages::ago(t, now),
            _ => ages::ago(r.created_at, now),
        };
        table.row(vec![
            r.id.into(),
            r.priority.into(),
            Cell::toned(tone(r.state), state),
            (&r.backend).into(),
            r.kind.into(),
            r.worker.as_deref().unwrap_or("-").into(),
            format!("{}/{}", r.attempts, r.max_attempts).into(),
            age.into(),
            (&r.title).into(),
        ]);
    }
    table
}

/// How a state is coloured.
pub fn tone(state: JobState) -> Tone {
    match state {
        JobState::Running => Tone::Busy,
        JobState::Done => Tone::Good,
        JobState::Failed => Tone::Bad,
        JobState::Waiting | JobState::Reviewing => Tone::Warn,
        JobState::Killed => Tone::Dim,
        JobState::Queued => Tone::Plain,
    }
}
