//! `orc rule add|ls|rm|from-job`: the critical rules, each the lesson of an incident.

use super::args;
use super::context::Context;
use super::error::{CliError, Kind, Result};
use super::output::{Cell, Table, Tone};
use crate::config::rules::{self, Rule, Rules};
use crate::domain::{Act, Job, JobId, Outcome, Timestamp, fingerprint};
use crate::os::files::{Durable, write_atomic};
use crate::store::RuleOrigin;
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Verb {
    /// Add a rule; every job has it from now on
    Add(Add),
    /// List the rules, with how often their incident has come back
    Ls,
    /// Take a rule out
    Rm(Rm),
    /// Make a rule from a failed job in one step
    FromJob(FromJob),
}

#[derive(Args)]
pub struct Add {
    /// What to do or to leave, in one line
    text: String,
    /// What happened
    #[arg(long, value_name = "NAME")]
    incident: String,
    /// When [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<NaiveDate>,
}

#[derive(Args)]
pub struct Rm {
    /// Its number in `rule ls`
    number: usize,
}

#[derive(Args)]
pub struct FromJob {
    /// The failed job
    #[arg(value_name = "ID", value_parser = args::id::<JobId>)]
    id: JobId,
    /// What to do or to leave [default: a draft from how the job failed]
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// The incident's name [default: the job's number and title]
    #[arg(long, value_name = "NAME")]
    incident: Option<String>,
}

/// Runs a verb.
///
/// # Errors
/// As each verb says.
pub fn run(cx: &mut Context, verb: Verb) -> Result {
    match verb {
        Verb::Add(a) => {
            let date = a.date.map_or_else(|| day(cx, cx.now()), Ok)?;
            add(cx, &a.text, &a.incident, date, None)
        }
        Verb::Ls => ls(cx),
        Verb::Rm(r) => rm(cx, r.number),
        Verb::FromJob(f) => from_job(cx, &f),
    }
}

/// The operating file itself, where it is a link, and its text.
fn file(cx: &Context) -> Result<(PathBuf, String)> {
    let path = cx.workspace()?.operating_file();
    let path = std::fs::canonicalize(&path).unwrap_or(path);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok((path, String::new())),
        Err(e) => Err(CliError::workspace(format!("cannot read the operating file {}: {e}", path.display()))),
    }
}

fn save(path: &std::path::Path, text: &str) -> Result {
    write_atomic(path, text.as_bytes(), Durable::Yes).map_err(|e| CliError::workspace(e.to_string()))
}

fn add(cx: &mut Context, text: &str, incident: &str, date: NaiveDate, origin: Option<(&Job, String)>) -> Result {
    let mut store = cx.writer()?;
    cx.permit(&mut store, &Act::Steer("changing the rules"))?;
    let one = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
    let (text, incident) = (one(text), one(incident));
    if text.is_empty() || incident.is_empty() {
        return Err(CliError::usage("a rule has a text and an incident"));
    }
    if text.contains("<!--") || incident.contains("<!--") {
        return Err(CliError::usage("`<!--` begins a comment in the operating file, and agents do not get those"));
    }
    let rule = Rule { line: 0, text, incident, date };
    let line = rule.to_string();
    let (path, before) = file(cx)?;
    if rules::parse(&before).rules.iter().any(|r| r.text == rule.text && r.incident == rule.incident) {
        return Err(CliError::refused("this rule is there already").hint("`orc rule ls` shows it"));
    }
    let after = rules::with(&before, &line);
    if !rules::parse(&after).rules.iter().any(|r| r.to_string() == line) {
        return Err(CliError::usage("the text does not read back as a rule").hint("leave `(incident` and a leading dash out of it"));
    }
    save(&path, &after)?;
    let now = cx.now();
    let who = cx.who(&store)?.to_string();
    store.write::<_, crate::store::StoreError>(|tx| {
        if let Some((job, fingerprint)) = &origin {
            tx.keep_rule_origin(&RuleOrigin { rule: line.clone(), job: job.id, fingerprint: fingerprint.clone(), at: now })?;
        }
        let text = format!("added: {}", line.trim_start_matches("- "));
        let job = origin.as_ref().map(|(j, _)| j.id);
        tx.event(&crate::store::Event { job, ..crate::store::Event::new(now, &who, "rule", &text) })
    })?;
    cx.wake()?;
    if cx.out.json {
        return cx.out.value(&json!({ "text": rule.text, "incident": rule.incident, "date": rule.date, "file": path }));
    }
    cx.out.done(&line)?;
    cx.out.done("every job that starts from now on has it")
}

fn from_job(cx: &mut Context, f: &FromJob) -> Result {
    let store = cx.reader()?;
    let job = cx.job(&store, f.id)?;
    let attempts = store.attempts(f.id)?;
    let bad = |o: Outcome| !matches!(o, Outcome::Ok | Outcome::Interrupted | Outcome::RateLimited);
    let failed = attempts.iter().rev().find(|a| a.outcome.is_some_and(bad));
    let note = job.note.clone().unwrap_or_default();
    let Some((outcome, message)) = failed
        .and_then(|a| Some((a.outcome?, a.message.clone().unwrap_or_else(|| note.clone()))))
        .or_else(|| job.outcome.filter(|o| bad(*o)).map(|o| (o, note.clone())))
    else {
        return Err(CliError::refused(format!("job {} did not fail", job.id)).hint("`orc rule add` takes a rule from anything else"));
    };
    let text = f.text.clone().unwrap_or_else(|| draft(&job, outcome, &message));
    let incident = f.incident.clone().unwrap_or_else(|| incident(&job));
    let at = failed.and_then(|a| a.ended_at).or(job.finished_at).unwrap_or_else(|| cx.now());
    let date = day(cx, at)?;
    add(cx, &text, &incident, date, Some((&job, fingerprint(outcome, &message))))
}

/// The job as an incident's name: without what would end a rule's own form.
fn incident(job: &Job) -> String {
    let title: String = job.spec.title.chars().filter(|c| !matches!(c, '(' | ')' | ',')).collect();
    format!("job {} {}", job.id, title.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A first wording, for the operator to sharpen.
fn draft(job: &Job, outcome: Outcome, message: &str) -> String {
    let said: String = message.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or("no reason given").chars().take(160).collect();
    let kind = job.spec.kind;
    match outcome {
        Outcome::Timeout => {
            format!("Cut {kind} work so that it ends within its time limit, and report what is done before it is up: {said}.")
        }
        Outcome::Stalled => format!("In {kind} work start nothing that waits without end; give every command a time limit: {said}."),
        Outcome::Lost => format!("In {kind} work leave the machine enough memory and end no process that is not your own: {said}."),
        _ => format!("Before {kind} work like this begins, check that this cannot happen again: {said}."),
    }
}

/// The operator's day: in the workspace's time zone.
fn day(cx: &Context, at: Timestamp) -> Result<NaiveDate> {
    Ok(cx.settings()?.local(at).date())
}

/// A rule as it is listed.
struct Row<'a> {
    rule: &'a Rule,
    origin: Option<&'a RuleOrigin>,
    /// Attempts that have failed in the same way since.
    again: Option<usize>,
    last: Option<(Timestamp, JobId)>,
}

fn ls(cx: &mut Context) -> Result {
    let (path, text) = file(cx)?;
    let Rules { rules, problems } = rules::parse(&text);
    let store = cx.reader()?;
    let origins = store.rule_origins()?;
    let failures = match origins.first() {
        Some(first) => store.failures_since(first.at)?,
        None => Vec::new(),
    };
    let prints: Vec<String> = failures.iter().map(|(_, _, outcome, message)| fingerprint(*outcome, message)).collect();
    let rows: Vec<Row<'_>> = rules
        .iter()
        .map(|rule| {
            let origin = origins.iter().find(|o| o.rule == rule.to_string());
            let same = origin.map(|o| {
                let same = failures.iter().zip(&prints).filter(|((at, ..), print)| *at > o.at && **print == o.fingerprint);
                same.map(|((at, job, ..), _)| (*at, *job)).collect::<Vec<_>>()
            });
            Row { rule, origin, again: same.as_ref().map(Vec::len), last: same.and_then(|s| s.last().copied()) }
        })
        .collect();
    if cx.out.json {
        let rows: Vec<_> = rows
            .iter()
            .enumerate()
            .map(|(i, r)| {
                json!({
                    "number": i + 1, "text": r.rule.text, "incident": r.rule.incident, "date": r.rule.date, "line": r.rule.line,
                    "job": r.origin.map(|o| o.job), "recurrences": r.again, "last_recurrence": r.last.map(|(at, _)| at),
                    "last_job": r.last.map(|(_, job)| job),
                })
            })
            .collect();
        return cx.out.value(&rows);
    }
    let now = cx.now();
    let mut table = Table::new(&[">#", "DATE", "INCIDENT", ">AGAIN", "RULE"], "RULE");
    for (i, r) in rows.iter().enumerate() {
        let again = match (r.again, r.last) {
            (None, _) => Cell::toned(Tone::Dim, "-"),
            (Some(0), _) | (_, None) => Cell::toned(Tone::Good, "0"),
            (Some(n), Some((at, job))) => Cell::toned(Tone::Bad, format!("{n}, last #{job} {}", super::ages::ago(at, now))),
        };
        table.row(vec![(i + 1).into(), r.rule.date.to_string().into(), (&r.rule.incident).into(), again, (&r.rule.text).into()]);
    }
    cx.out.table(&table, "no rules: nothing has gone wrong yet, or nobody wrote it down (`orc rule from-job ID`)")?;
    for p in &problems {
        cx.out.toned(Tone::Warn, &format!("{}:{}: {}", path.display(), p.line, p.what))?;
    }
    Ok(())
}

fn rm(cx: &mut Context, number: usize) -> Result {
    let mut store = cx.writer()?;
    cx.permit(&mut store, &Act::Steer("changing the rules"))?;
    let (path, text) = file(cx)?;
    let found = rules::parse(&text);
    let Some(rule) = number.checked_sub(1).and_then(|i| found.rules.get(i)) else {
        return Err(CliError::new(Kind::NotFound, format!("there is no rule {number}")).hint("`orc rule ls` numbers them"));
    };
    save(&path, &rules::without(&text, rule.line))?;
    let (now, who, line) = (cx.now(), cx.who(&store)?.to_string(), rule.to_string());
    store.write::<_, crate::store::StoreError>(|tx| {
        tx.drop_rule_origin(&line)?;
        tx.event(&crate::store::Event::new(now, &who, "rule", &format!("taken out: {}", line.trim_start_matches("- "))))
    })?;
    cx.wake()?;
    if cx.out.json {
        return cx.out.value(&json!({ "text": rule.text, "incident": rule.incident, "date": rule.date }));
    }
    cx.out.done(&format!("taken out: {}", line.trim_start_matches("- ")))
}
