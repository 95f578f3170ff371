//! `orc engine [stop|drain|pause|resume|status]`

use super::ages;
use super::args;
use super::context::{Context, Engine as Reached};
use super::error::{CliError, Kind, Result};
use super::lane::switch;
use super::output::Table;
use super::wake::{Talk, ask, no_engine};
use crate::config::Workspace;
use crate::domain::{Act, Command};
use crate::os::clock;
use crate::wire::{ControlFrame, ControlReply, Snapshot};
use clap::{Args, Subcommand};
use serde_json::json;
use std::time::Duration;

/// How long an engine may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// What an engine is started with.
#[derive(Debug)]
pub struct EngineOptions {
    pub workspace: Workspace,
    /// Overrides of settings, as given with --set.
    pub set: Vec<String>,
    /// It is to leave the session and terminal of whoever started it.
    pub detached: bool,
}

/// Runs an engine in this process until it ends.
pub type HostEngine = fn(EngineOptions) -> Result;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Engine {
    /// Leave the caller's session and terminal: how a console hands its engine over
    #[arg(long, hide = true)]
    detached: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
pub enum Verb {
    /// End the engine; running jobs go on, and the next engine adopts them
    Stop {
        /// How long to wait for its end
        #[arg(long, value_name = "DUR", value_parser = args::duration, default_value = "30s")]
        timeout: Duration,
    },
    /// Start nothing new, and end when the last running job has
    Drain {
        /// Call it off
        #[arg(long)]
        off: bool,
    },
    /// Start nothing new until `resume`
    Pause,
    /// Start jobs again
    Resume,
    /// What the engine does now
    Status,
}

/// Hosts an engine, or steers the one that runs.
///
/// # Errors
/// No engine answers; another one holds the workspace; what the engine says.
pub fn run(cx: &mut Context, engine: Engine, host: Option<HostEngine>) -> Result {
    match engine.verb {
        None => {
            let host = host.ok_or_else(|| {
                CliError::usage("pm hosts no engine").hint("`orc engine` runs one; here: stop, drain, pause, resume, status")
            })?;
            host(EngineOptions { workspace: cx.workspace()?.clone(), set: cx.globals.set.clone(), detached: engine.detached })
        }
        Some(Verb::Stop { timeout }) => stop(cx, timeout),
        Some(Verb::Drain { off }) => {
            // An engine that starts begins undrained, so without one there is nothing to drain.
            if cx.wake()? == Reached::Absent {
                return Err(no_engine());
            }
            switch(cx, &Command::Drain { on: !off })
        }
        Some(Verb::Pause) => switch(cx, &Command::PauseEngine { paused: true }),
        Some(Verb::Resume) => switch(cx, &Command::PauseEngine { paused: false }),
        Some(Verb::Status) => status(cx),
    }
}

fn stop(cx: &mut Context, timeout: Duration) -> Result {
    // The engine asks too, of whoever connects; where the database cannot be opened it is the only one who can.
    if let Ok(mut store) = cx.writer() {
        cx.permit(&mut store, &Act::Steer("ending the engine"))?;
    }
    let mut talk = Talk::begin(&cx.workspace()?.socket(), ControlFrame::Stop, ANSWER)?;
    let ControlReply::Stopping { pid, running } = talk.reply()? else {
        return Err(CliError::new(Kind::Failure, "the engine did not say that it ends"));
    };
    talk.until_closed(timeout).map_err(|e| e.hint(format!("it is process {pid}; `orc engine status` shows what it does")))?;
    if cx.out.json {
        return cx.out.value(&json!({ "pid": pid, "running": running }));
    }
    cx.out.done(&match running {
        0 => format!("engine {pid} has ended"),
        1 => format!("engine {pid} has ended; 1 job runs on and is adopted by the next engine"),
        n => format!("engine {pid} has ended; {n} jobs run on and are adopted by the next engine"),
    })
}

/// The live view of the engine.
///
/// # Errors
/// None answers.
pub fn snapshot(cx: &Context) -> Result<Snapshot> {
    match ask(&cx.workspace()?.socket(), ControlFrame::Status, ANSWER)? {
        ControlReply::Snapshot { snapshot } => Ok(*snapshot),
        _ => Err(no_engine()),
    }
}

fn status(cx: &mut Context) -> Result {
    let s = snapshot(cx)?;
    if cx.out.json {
        return cx.out.value(&s);
    }
    let e = &s.engine;
    let mode = serde_json::to_value(e.mode).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    let mut fields = vec![
        (
            "engine",
            format!("{mode}, process {}, version {}, epoch {}, up {}", e.pid, e.version, e.epoch, ages::ago(e.started_at, clock::now())),
        ),
        ("workspace", s.workspace.clone()),
        (
            "slots",
            format!("{} of {} running, {} reserved for P0", s.slots.running, s.slots.max_running + s.slots.reserved, s.slots.reserved),
        ),
        (
            "tokens",
            format!(
                "{} used + {} reserved of {} in {}",
                ages::count(s.budget.used),
                ages::count(s.budget.reserved),
                ages::count(s.budget.budget),
                ages::span(Duration::from_millis(s.budget.window_ms))
            ),
        ),
        ("host", format!("{} memory, {} disk available", ages::bytes(s.host.memory_available), ages::bytes(s.host.disk_available))),
        (
            "today",
            format!(
                "{} jobs, {} done, {} failed, {} tokens, {}",
                s.today.created,
                s.today.done,
                s.today.failed,
                ages::count(s.today.tokens),
                ages::money(s.today.cost_usd)
            ),
        ),
    ];
    for (name, held) in [("held", &e.backpressure), ("host held", &s.host.held)] {
        if let Some(why) = held {
            fields.push((name, why.clone()));
        }
    }
    for pause in s.backends.iter().filter_map(|b| b.pause.as_ref().map(|p| (b, p))) {
        let until = pause.1.until.map_or_else(|| "until resumed by hand".to_owned(), |t| format!("until {t}"));
        fields.push(("paused", format!("{} {until}: {}", pause.0.name, pause.1.limit.message)));
    }
    for a in &s.attention {
        fields.push(("look at", format!("{} ({})", a.says, a.remedy)));
    }
    cx.out.fields(&fields)?;
    cx.out.line("")?;
    let mut table = Table::new(&["LANE", ">RUNNING", ">QUEUED", ">WAITING", "STATE"], "LANE");
    for l in &s.lanes {
        let name = format!("{} {}", l.lane.number(), l.lane.name());
        table.row(vec![
            name.into(),
            l.running.into(),
            l.queued.into(),
            l.waiting.into(),
            (if l.paused { "paused" } else { "open" }).into(),
        ]);
    }
    cx.out.table(&table, "")
}
