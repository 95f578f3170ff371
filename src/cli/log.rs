//! `orc log tail|show|grep`

use super::args;
use super::context::Context;
use super::error::Result;
use super::follow::Changes;
use super::output::Tone;
use crate::domain::{JobId, LogFilter, LogLine, Page, Severity, Timestamp};
use crate::store::Store;
use clap::{Args, Subcommand};

/// Rows read from the database at a time.
const PAGE: usize = 1000;

#[derive(Subcommand)]
pub enum Verb {
    /// The newest lines; with -f also those to come
    Tail(Tail),
    /// The log, oldest first
    Show(Show),
    /// Lines that hold a text, whatever its case
    Grep(Grep),
}

#[derive(Args)]
pub struct Tail {
    /// Follow
    #[arg(short, long)]
    follow: bool,
    /// How many lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    lines: usize,
    /// Nothing older: RFC 3339 or local time, or an age such as 2h
    #[arg(long, value_name = "TIME", value_parser = args::past)]
    since: Option<Timestamp>,
    /// Only a job's
    #[arg(long, value_name = "ID", value_parser = args::id::<JobId>)]
    job: Option<JobId>,
}

#[derive(Args)]
pub struct Show {
    #[command(flatten)]
    span: Span,
    /// Only a job's
    #[arg(long, value_name = "ID", value_parser = args::id::<JobId>)]
    job: Option<JobId>,
}

#[derive(Args)]
pub struct Grep {
    /// What to look for in text, actor and word
    text: String,
    #[command(flatten)]
    span: Span,
    /// Only a job's
    #[arg(long, value_name = "ID", value_parser = args::id::<JobId>)]
    job: Option<JobId>,
}

#[derive(Args)]
pub struct Span {
    /// Nothing older: RFC 3339 or local time, or an age such as 2h
    #[arg(long, value_name = "TIME", value_parser = args::past)]
    since: Option<Timestamp>,
    /// At most this many, the newest
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<usize>,
}

/// Runs a verb.
///
/// # Errors
/// The database.
pub fn run(cx: &mut Context, verb: Verb) -> Result {
    let store = cx.reader()?;
    match verb {
        Verb::Tail(t) => tail(cx, &store, &t),
        Verb::Show(s) => show(cx, &store, &LogFilter { job: s.job, text: String::new() }, &s.span),
        Verb::Grep(g) => show(cx, &store, &LogFilter { job: g.job, text: g.text }, &g.span),
    }
}

fn show(cx: &mut Context, store: &Store, filter: &LogFilter, span: &Span) -> Result {
    let lines = newest(store, filter, span.lines.unwrap_or(usize::MAX), span.since)?;
    if cx.out.json {
        return cx.out.value(&lines);
    }
    if lines.is_empty() {
        return cx.out.done("no such lines");
    }
    lines.iter().try_for_each(|line| print(cx, line))
}

fn tail(cx: &mut Context, store: &Store, tail: &Tail) -> Result {
    // Before the first read, so that nothing falls between the two.
    let mut changes = if tail.follow { Some(Changes::of(cx.workspace()?)?) } else { None };
    let mut last = store.last_event()?;
    let filter = LogFilter { job: tail.job, text: String::new() };
    let lines: Vec<LogLine> =
        newest(store, &filter, tail.lines, tail.since)?.into_iter().filter(|l| l.id <= last || !tail.follow).collect();
    let Some(changes) = &mut changes else {
        return if cx.out.json { cx.out.value(&lines) } else { lines.iter().try_for_each(|line| print(cx, line)) };
    };
    lines.iter().try_for_each(|line| emit(cx, line))?;
    loop {
        loop {
            let more = store.log_after(last, PAGE)?;
            let full = more.len() == PAGE;
            for line in &more {
                last = line.id;
                if tail.job.is_none() || line.job == tail.job {
                    emit(cx, line)?;
                }
            }
            if !full {
                break;
            }
        }
        cx.out.flush()?;
        changes.wait(None)?;
    }
}

fn emit(cx: &mut Context, line: &LogLine) -> Result {
    if cx.out.json { cx.out.event(line) } else { print(cx, line) }
}

/// The newest lines, oldest first.
fn newest(store: &Store, filter: &LogFilter, limit: usize, since: Option<Timestamp>) -> Result<Vec<LogLine>> {
    let mut lines: Vec<LogLine> = Vec::new();
    while lines.len() < limit {
        let page = Page { before: lines.last().map(|l| l.id), limit: PAGE.min(limit - lines.len()) };
        let next = store.log(filter, page)?;
        let read = next.len();
        lines.extend(next.into_iter().take_while(|l| since.is_none_or(|t| l.at >= t)));
        if read < page.limit || since.is_some_and(|t| lines.last().is_none_or(|l| l.at < t)) {
            break;
        }
    }
    lines.reverse();
    Ok(lines)
}

/// Prints a line of the log.
///
/// # Errors
/// The output cannot be written.
pub fn print(cx: &mut Context, line: &LogLine) -> Result {
    let tone = match line.severity {
        Severity::Info => Tone::Plain,
        Severity::Warn => Tone::Warn,
        Severity::Fail => Tone::Bad,
    };
    // Some texts name their job themselves.
    let job = line.job.map(|j| format!("job {j} ")).filter(|j| !line.text.starts_with(j.as_str())).unwrap_or_default();
    let at = line.at.rfc3339();
    let at = at.get(..19).unwrap_or(&at);
    cx.out.toned(tone, &format!("{at}Z  {:<8} {job}{} ({})", line.what, line.text, line.actor))
}
