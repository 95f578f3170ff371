//! `orc tui`

use super::context::Context;
use super::error::{CliError, Result};
use crate::config::Workspace;
use clap::Args;
use std::io::IsTerminal;
use std::process::ExitCode;

/// `tui`
#[derive(Args)]
pub struct Tui {
    /// Show a believable day in a throw-away workspace
    #[arg(long, conflicts_with = "watch")]
    demo: bool,
    /// Only look: attach to the engine that runs, and change nothing
    #[arg(long)]
    watch: bool,
}

/// What the console is started with.
#[derive(Debug)]
pub struct TuiOptions {
    /// `None` for the demo, which makes its own.
    pub workspace: Option<Workspace>,
    pub demo: bool,
    pub watch: bool,
    /// Overrides of settings, as given with --set.
    pub set: Vec<String>,
    /// False: --color never, or NO_COLOR.
    pub color: bool,
}

/// Opens the console.
///
/// # Errors
/// No terminal, no workspace, or what the console says.
pub fn run(cx: &mut Context, verb: &Tui, host: fn(TuiOptions) -> Result<ExitCode>) -> Result<ExitCode> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(CliError::usage("the console needs a terminal for input and output")
            .hint("without one: `orc engine` runs the engine, `orc job ls` and `orc log tail -f` show what it does"));
    }
    let workspace = if verb.demo { None } else { Some(cx.workspace()?.clone()) };
    // A database that this version cannot read is said here, in full, and not on a screen that can show nothing else.
    if workspace.as_ref().is_some_and(|w| w.database().exists()) {
        cx.reader()?;
    }
    let color = cx.out.colors();
    host(TuiOptions { workspace, demo: verb.demo, watch: verb.watch, set: cx.globals.set.clone(), color })
}
