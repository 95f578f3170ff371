//! A console from its start to whatever ends it, and what becomes of the engine then.

use super::console::{Console, Ending};
use super::hangup::detach_stdio;
use super::keymap::Keymap;
use super::model::Choices;
use super::signals::{Signal, Signals};
use super::terminal::{Terminal, TerminalError};
use super::text::clean_line;
use super::theme::Ground;
use crate::engine::Seat;
use crate::wire::{EngineMode, Snapshot};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::runtime::Builder;

/// What the operator's configuration and the command line say about the console.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    pub keymap: Keymap,
    /// The ground that the operator set; `None` = as the terminal says, else dark.
    pub ground: Option<Ground>,
    /// No colour, whatever the terminal can show.
    pub monochrome: bool,
    /// Names for completion.
    pub choices: Choices,
    /// Look, but send no command.
    pub read_only: bool,
    /// Where copies are kept for terminals that drop OSC 52.
    pub clipboard: PathBuf,
    /// Where what was written and could not be taken is kept.
    pub drafts: PathBuf,
    /// The setting `notices`: whether the terminal's own notifications are used with the bell.
    pub notices: String,
    /// A private folder for the external editor's file.
    pub scratch: PathBuf,
    /// Takes what is printed on standard error while the console has the screen.
    pub stderr: Option<PathBuf>,
}

/// Why the console ended without being told to.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    #[error("the console cannot be started: {0}")]
    Start(#[source] io::Error),
    #[error("the console cannot go on: {0}")]
    Broken(#[source] io::Error),
    #[error("the console failed (the message is above); jobs go on, {engine}; `orc tui` opens a new console")]
    Panicked { engine: String },
}

/// Shows the console until the operator leaves, a signal says so, or the terminal goes away. Then, if this process hosts
/// the engine, it goes on as the engine, without a terminal, and returns when that ends.
///
/// Call it outside any runtime, after other panic hooks are installed.
///
/// # Errors
/// No terminal, or the console failed; the terminal is restored in any case.
pub fn run(mut seat: Seat, setup: Setup) -> Result<ExitCode, ConsoleError> {
    let stderr = setup.stderr.as_ref().map(|path| OpenOptions::new().append(true).create(true).mode(0o600).open(path));
    let mut terminal = Terminal::open(stderr.transpose().map_err(ConsoleError::Start)?)?;
    let runtime = Builder::new_current_thread().enable_all().build().map_err(ConsoleError::Start)?;
    // Before the terminal is touched: from here on no signal leaves it in raw mode.
    let mut signals = runtime.block_on(async { Signals::install() }).map_err(ConsoleError::Start)?;
    let ended = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut console = Console::new(&mut seat, &mut terminal, &mut signals, setup)?;
            let ending = console.run().await?;
            Ok::<_, ConsoleError>((ending, console.last_seen()))
        })
    }));
    match ended {
        Ok(Ok((Ending::HungUp, _))) => {
            // Somebody may have sent the signal by hand; on a terminal that is gone this does nothing.
            terminal.leave();
            detach_stdio().map_err(ConsoleError::Broken)?;
            let Some(over) = seat.over().filter(|_| !seat.throw_away()) else {
                seat.end_engine();
                return Ok(ended_by(rustix::process::Signal::HUP.as_raw()));
            };
            tracing::info!("the terminal hung up; going on as a headless engine");
            seat.say_headless();
            let told = runtime.block_on(async {
                tokio::select! {
                    number = told(&mut signals) => Some(number),
                    _ = tokio::task::spawn_blocking(move || over.wait()) => None,
                }
            });
            seat.end_engine();
            runtime.shutdown_background();
            Ok(told.map_or(ExitCode::SUCCESS, ended_by))
        }
        Ok(Ok((ending, last))) => {
            terminal.leave();
            if let Ending::Told(signal) = ending {
                seat.end_engine();
                return Ok(ended_by(signal));
            }
            println!("{}", farewell(ending, &last));
            Ok(ExitCode::SUCCESS)
        }
        Ok(Err(error)) => {
            terminal.leave();
            go_on_without(&seat);
            Err(error)
        }
        Err(_) => {
            terminal.leave();
            Err(ConsoleError::Panicked { engine: go_on_without(&seat) })
        }
    }
}

/// Waits for a signal that says to leave, and gives its number. Hang-ups are over: there is no terminal any more.
async fn told(signals: &mut Signals) -> i32 {
    loop {
        if let Signal::Leave(number) = signals.next().await {
            return number;
        }
    }
}

/// The console is broken, the engine in it is not: another process takes over. Says what came of it.
fn go_on_without(seat: &Seat) -> String {
    if !seat.hosting() {
        return "the engine is another process".to_owned();
    }
    match seat.hand_over() {
        Ok(()) => "a headless engine has taken over".to_owned(),
        Err(error) => format!("no engine took over ({error}), so nothing new starts"),
    }
}

/// The exit code of a process that a signal ended, as shells give it.
fn ended_by(signal: i32) -> ExitCode {
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX))
}

/// What the operator is told on leaving: what keeps running, and how to come back.
fn farewell(ending: Ending, last: &Snapshot) -> String {
    let jobs = match last.slots.running {
        0 => "No job is running.".to_owned(),
        1 => "1 job is running and goes on.".to_owned(),
        n => format!("{n} jobs are running and go on."),
    };
    match ending {
        Ending::EngineEnded => format!("The engine has ended. {jobs} Nothing new starts until `orc tui` or `orc engine`."),
        _ if last.engine.mode == EngineMode::Disconnected => {
            let why = last.attention.first().map(|a| format!(": {}", clean_line(&a.says))).unwrap_or_default();
            format!("No engine is running{why}. Nothing new starts until `orc tui` or `orc engine`; `orc doctor` says what is wrong.")
        }
        _ => format!("The engine goes on in the background. {jobs} `orc tui` comes back to it, `orc engine stop` ends it."),
    }
}
