//! `orc cron ls|next|run|enable|disable|reset|history`

use super::ages;
use super::context::{Context, Engine};
use super::error::{CliError, Kind, Result};
use super::output::Table;
use crate::domain::{Applied, Command, CronView, Fire, FireOutcome, JobState, Timestamp, Upcoming};
use crate::engine::cron_view;
use crate::store;
use clap::{Args, Subcommand};
use serde_json::json;
use std::time::Duration;

/// The most rows of one fire that are looked at.
const FIRES: usize = 10_000;
/// How far `next` looks when it is not told how many.
const DAY: Duration = Duration::from_secs(86_400);
/// The longest time that `next -n` looks ahead: a leap day comes at least every eighth year.
const FAR: Duration = Duration::from_secs(9 * 366 * 86_400);

#[derive(Subcommand)]
pub enum Verb {
    /// List the schedules of cron.toml: when each fires next, what became of its last fire
    Ls,
    /// Show what is to come: the next 24 hours with expected tokens and collisions, or an entry's next fires
    Next(Next),
    /// Fire one now, whether or not it is enabled
    Run(Which),
    /// Switch one on, whatever the file says
    Enable(Which),
    /// Switch one off, whatever the file says
    Disable(Which),
    /// Leave it to cron.toml again whether one is on, after `enable` or `disable`
    Reset(Which),
    /// Show past fires, newest first: made, missed, left out, refused
    History(History),
}

#[derive(Args)]
pub struct Which {
    /// The schedule's name in cron.toml
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(Args)]
pub struct Next {
    /// Only this one
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// This many fires [default: those of the next 24 hours; with a name 10]
    #[arg(short = 'n', long = "count", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: Option<u32>,
}

#[derive(Args)]
pub struct History {
    /// Only of this one
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// This many at most
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
}

/// Runs a verb.
///
/// # Errors
/// No such schedule; `cron.toml` is broken; the database.
pub fn run(cx: &mut Context, verb: Verb) -> Result {
    match verb {
        Verb::Ls => ls(cx),
        Verb::Next(next) => coming(cx, &next),
        Verb::Run(which) => fire(cx, &which.name),
        Verb::Enable(which) => switch(cx, which.name, Some(true)),
        Verb::Disable(which) => switch(cx, which.name, Some(false)),
        Verb::Reset(which) => switch(cx, which.name, None),
        Verb::History(history) => past(cx, &history),
    }
}

fn view(cx: &Context, ahead: Duration) -> Result<CronView> {
    let (store, settings) = (cx.reader()?, cx.settings()?);
    let (backends, _) = cx.backends()?;
    Ok(cron_view(&store, cx.workspace()?, &settings, &backends, ahead, cx.now())?)
}

/// A broken file: what is in force is shown, and then the exit code says that it is not what the file says.
fn broken(cx: &Context, view: &CronView) -> Result {
    let Some(problem) = &view.problem else { return Ok(()) };
    let file = cx.workspace()?.cron_file();
    Err(CliError::new(Kind::Workspace, problem.clone())
        .hint(format!("mend {}; until then the schedules that were last read without a mistake stay in force", file.display())))
}

fn known<'v>(cx: &Context, view: &'v CronView, name: &str) -> Result<&'v crate::domain::CronRow> {
    if let Some(row) = view.rows.iter().find(|r| r.name == name) {
        return Ok(row);
    }
    broken(cx, view)?;
    let names: Vec<&str> = view.rows.iter().map(|r| r.name.as_str()).collect();
    let hint = if names.is_empty() {
        "cron.toml has none: `orc init` brings the shipped ones".to_owned()
    } else {
        format!("known: {}", names.join(", "))
    };
    Err(CliError::not_found(format!("there is no schedule {name}")).hint(hint))
}

fn ls(cx: &mut Context) -> Result {
    let view = view(cx, Duration::ZERO)?;
    if cx.out.json {
        cx.out.value(&view.rows)?;
        return broken(cx, &view);
    }
    let now = cx.now();
    let mut table = Table::new(&["NAME", "SCHEDULE", "TIMEZONE", "STATE", "NEXT", "LAST"], "LAST");
    for r in &view.rows {
        let by = if r.enabled_by == "operator" { ", by you" } else { "" };
        let state = match (r.enabled, r.every) {
            (false, _) => format!("off{by}"),
            (true, 1) => format!("on{by}"),
            (true, n) => format!("every {n}{by}"),
        };
        let last = r.last.as_ref().map_or_else(|| "-".to_owned(), |f| format!("{} ago: {}", ages::ago(f.at.min(now), now), outcome(f)));
        table.row(vec![
            (&r.name).into(),
            (&r.schedule).into(),
            (&r.timezone).into(),
            state.into(),
            r.next.map_or_else(|| "-".to_owned(), |t| format!("in {}", ages::ago(now, t))).into(),
            last.into(),
        ]);
    }
    cx.out.table(&table, "no schedules: cron.toml is missing or empty; `orc init` brings the shipped ones")?;
    for r in view.rows.iter().filter(|r| r.enabled) {
        if let Some(problem) = &r.problem {
            cx.out.done(&format!("{}: {problem}", r.name))?;
        }
    }
    broken(cx, &view)
}

fn coming(cx: &mut Context, next: &Next) -> Result {
    let count = next.count.or(next.name.is_some().then_some(10));
    let (view, fires) = match (&next.name, count) {
        (None, None) => {
            let view = view(cx, DAY)?;
            let fires = view.upcoming.clone();
            (view, fires)
        }
        (name, count) => {
            let count = count.unwrap_or(10) as usize;
            // Far enough for so many, and not further: a schedule of every minute has many fires in a year.
            let mut ahead = DAY;
            loop {
                let view = view(cx, ahead)?;
                if let Some(name) = name {
                    known(cx, &view, name)?;
                }
                let wanted = |u: &&Upcoming| name.as_ref().is_none_or(|n| *n == u.name);
                let fires: Vec<Upcoming> = view.upcoming.iter().filter(wanted).take(count).cloned().collect();
                if fires.len() >= count || ahead >= FAR {
                    break (view, fires);
                }
                ahead = (ahead * 8).min(FAR);
            }
        }
    };
    if cx.out.json {
        cx.out.value(&fires)?;
        return broken(cx, &view);
    }
    let settings = cx.settings()?;
    let mut table = Table::new(&["AT", "NAME", ">TOKENS", "TOGETHER WITH"], "TOGETHER WITH");
    for u in &fires {
        let tokens = if u.backed_off {
            "left out".to_owned()
        } else if u.tokens == 0 {
            "-".to_owned()
        } else {
            format!("~{}", u.tokens)
        };
        table.row(vec![local(&settings, u.at).into(), (&u.name).into(), tokens.into(), u.collides.join(", ").into()]);
    }
    let off = next.name.as_ref().is_some_and(|n| view.rows.iter().any(|r| r.name == *n && !r.enabled));
    cx.out.table(&table, if off { "it is switched off: `orc cron enable NAME`" } else { "nothing is to come" })?;
    if next.name.is_none() && count.is_none() {
        let sum: u64 = fires.iter().map(|u| u.tokens).sum();
        let jobs = fires.iter().filter(|u| !u.backed_off).count();
        let together = fires.iter().filter(|u| !u.collides.is_empty()).count();
        cx.out.done(&format!("next 24 hours: {jobs} jobs, about {sum} tokens, {together} of them within a minute of another"))?;
    }
    broken(cx, &view)
}

/// In the workspace's time zone, with its offset.
fn local(settings: &crate::config::Settings, at: Timestamp) -> String {
    use chrono::TimeZone;
    settings.zone().timestamp_millis_opt(at.0).single().map_or_else(|| at.to_string(), |t| t.format("%a %Y-%m-%d %H:%M:%S %z").to_string())
}

fn fire(cx: &mut Context, name: &str) -> Result {
    let view = view(cx, Duration::ZERO)?;
    known(cx, &view, name)?;
    let Some((spec, each_project)) = view.jobs.get(name).cloned() else { return broken(cx, &view) };
    if let Some(problem) = view.rows.iter().find(|r| r.name == name).and_then(|r| r.problem.clone()) {
        return Err(CliError::not_found(problem));
    }
    cx.knock()?;
    let mut store = cx.writer()?;
    let actor = cx.who(&store)?;
    let command = Command::RunCron { name: name.to_owned(), spec: Box::new(spec), each_project };
    let now = cx.now();
    let applied = store.write(|tx| store::apply(tx, &command, &actor, now))?;
    cx.wake_or_tidy(&store)?;
    if each_project && matches!(applied, Applied::Added { .. } | Applied::Done { .. }) {
        let mut jobs: Vec<_> = store.fires(Some(name), FIRES)?.iter().filter(|f| f.manual && f.at == now).filter_map(|f| f.job).collect();
        jobs.sort();
        if cx.out.json {
            return cx.out.value(&json!({ "ids": jobs }));
        }
        return jobs.iter().try_for_each(|job| cx.out.line(&format!("job {job}")));
    }
    match applied {
        Applied::Added { job, existing } if cx.out.json => cx.out.value(&json!({ "id": job, "existing": existing })),
        Applied::Added { job, existing: false } => cx.out.line(&format!("job {job}")),
        Applied::Added { job, existing: true } => cx.out.line(&format!("job {job} (open already, from an earlier fire)")),
        Applied::Done { message, .. } if cx.out.json => cx.out.value(&json!({ "ok": true, "message": message })),
        Applied::Done { message, .. } => cx.out.done(&message),
        Applied::Refused { message } | Applied::Stale { message } => Err(CliError::refused(message)),
        _ => Err(CliError::refused(format!("{name} made no job"))),
    }
}

fn switch(cx: &mut Context, name: String, enabled: Option<bool>) -> Result {
    let view = view(cx, Duration::ZERO)?;
    known(cx, &view, &name)?;
    let mut store = cx.writer()?;
    let message = cx.apply(&mut store, &Command::SetCron { name, enabled })?;
    let there = cx.wake()? == Engine::There;
    if cx.out.json {
        return cx.out.value(&json!({ "ok": true, "message": message, "engine": there }));
    }
    cx.out.done(&if there { message } else { format!("{message} (no engine runs; it holds when one starts)") })
}

fn past(cx: &mut Context, history: &History) -> Result {
    let store = cx.reader()?;
    let fires = store.fires(history.name.as_deref(), history.count as usize)?;
    if fires.is_empty()
        && let Some(name) = &history.name
    {
        known(cx, &view(cx, Duration::ZERO)?, name)?;
    }
    if cx.out.json {
        return cx.out.value(&fires);
    }
    let settings = cx.settings()?;
    let mut table = Table::new(&["AT", "NAME", "OUTCOME", ">JOB", ">TOKENS", "NOTE"], "NOTE");
    for f in &fires {
        let mut note = f.note.clone().unwrap_or_default();
        if let Some(project) = f.project {
            note = format!("project {project}{}{note}", if note.is_empty() { "" } else { "; " });
        }
        if f.missed > 0 {
            note = format!("{} older left out{}{note}", f.missed, if note.is_empty() { "" } else { "; " });
        }
        table.row(vec![
            local(&settings, f.at).into(),
            (&f.name).into(),
            outcome(f).into(),
            f.job.map_or_else(|| "-".to_owned(), |j| j.to_string()).into(),
            if f.tokens == 0 { "-".to_owned() } else { f.tokens.to_string() }.into(),
            note.into(),
        ]);
    }
    cx.out.table(&table, "nothing has fired yet: `orc cron next` shows what is to come")
}

/// What became of a fire, in a word or two.
fn outcome(f: &Fire) -> String {
    let by = if f.manual { " (by hand)" } else { "" };
    let what = match (f.outcome, f.job_state, f.found) {
        (FireOutcome::Fired, Some(JobState::Done), Some(false)) => "nothing to do".to_owned(),
        (FireOutcome::Fired, Some(state), _) => state.to_string(),
        (FireOutcome::Fired, None, Some(false)) => "nothing to do".to_owned(),
        (FireOutcome::BackedOff, ..) => "backed off".to_owned(),
        (outcome, ..) => outcome.to_string(),
    };
    format!("{what}{by}")
}
