//! `orc lane pause|resume N`

use super::args;
use super::context::{Context, Engine};
use super::error::Result;
use crate::domain::{Command, Lane};
use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub enum Verb {
    /// Start no more jobs of a lane; those that run go on
    Pause(Which),
    /// Start its jobs again
    Resume(Which),
}

#[derive(Args)]
pub struct Which {
    /// 0 urgent (P0, P1), 1 normal (P2), 2 background (P3 to P5)
    #[arg(value_name = "N", value_parser = args::lane())]
    lane: Lane,
}

/// Holds or releases a lane.
///
/// # Errors
/// The database.
pub fn run(cx: &mut Context, verb: &Verb) -> Result {
    let (lane, paused) = match verb {
        Verb::Pause(w) => (w.lane, true),
        Verb::Resume(w) => (w.lane, false),
    };
    switch(cx, &Command::PauseLane { lane, paused })
}

/// Applies a switch of the workspace and tells what it came to.
///
/// # Errors
/// The database.
pub fn switch(cx: &mut Context, command: &Command) -> Result {
    let mut store = cx.writer()?;
    let message = cx.apply(&mut store, command)?;
    let there = cx.wake()? == Engine::There;
    if cx.out.json {
        return cx.out.value(&serde_json::json!({ "ok": true, "message": message, "engine": there }));
    }
    cx.out.done(&if there { message } else { format!("{message} (no engine runs; it holds when one starts)") })
}
