//! `orc worker step`: the operator goes on with a worker's session, in the backend's own console on this terminal.

use super::context::Context;
use super::error::{CliError, Kind, Result};
use super::names;
use crate::domain::Act;
use crate::engine::step::{self, StepError};
use crate::os::Guest;
use crate::wire::Step;
use std::io::{self, IsTerminal};
use std::process::ExitStatus;
use tokio::signal::unix::{SignalKind, signal};

/// Steps into a session, and gives the worker back when that ends.
///
/// # Errors
/// No terminal; the worker runs, has no session or no interactive form; the program fails.
pub fn run(cx: &mut Context, name: &str) -> Result {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(CliError::usage("`orc worker step` hands the terminal to the agent's own console, and there is none")
            .hint("`orc worker show` and `orc job tail` show what it did"));
    }
    let (workspace, settings) = (cx.workspace()?.clone(), cx.settings()?);
    let mut store = cx.writer()?;
    let worker = names::worker(&store, name)?;
    let actor = cx.permit(&mut store, &Act::Steer("stepping into a session"))?.to_string();
    let step = step::into(&mut store, &workspace, &settings, worker.id, &actor, cx.now()).map_err(told)?;
    cx.wake()?;
    let ended = visit(&step);
    let given_back = match &step.release {
        Some(command) => cx.apply(&mut store, command).map(drop),
        None => Ok(()),
    };
    cx.wake()?;
    let status = ended.map_err(|e| CliError::new(Kind::Failure, format!("`{}` cannot be started: {e}", step.argv[0])))?;
    given_back?;
    match status.success() {
        true => cx.out.done(&format!("back from the session of {}", step.name)),
        false => Err(CliError::new(Kind::Failure, format!("`{}` ended with {status}", step.argv[0]))),
    }
}

/// The visit itself. Ctrl-C and Ctrl-\\ are the program's; what ends this process ends the program first.
fn visit(step: &Step) -> io::Result<ExitStatus> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let _keys = (signal(SignalKind::interrupt())?, signal(SignalKind::quit())?);
        let (mut term, mut hang_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
        let mut guest = Guest::start_in(&step.argv, Some(&step.cwd), &step.env, &step.env_remove)?;
        tokio::select! {
            status = guest.wait() => return status,
            _ = term.recv() => {}
            _ = hang_up.recv() => {}
        }
        guest.end().await;
        guest.wait().await
    })
}

fn told(e: StepError) -> CliError {
    match e {
        StepError::Store(e) => e.into(),
        StepError::NoWorker(_) => CliError::not_found(e.to_string()),
        StepError::Backends { .. } => CliError::workspace(e.to_string()),
        _ => CliError::refused(e.to_string()),
    }
}
