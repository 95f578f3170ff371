//! The console steps aside: for the shell (Ctrl-Z), for the external editor, for an agent's own console.

use super::console::{Console, Done, Ending};
use super::msg::Msg;
use super::run::ConsoleError;
use super::signals::Signal;
use super::suspend;
use crate::os::{Editor, EditorError, Guest};
use crate::wire::{Query, Severity, Step};
use rustix::process::Signal as Number;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::time::timeout;

/// How far apart the two signals of one `kill` of a stopped process may be seen.
const SECOND_SIGNAL: Duration = Duration::from_millis(100);

impl Console<'_> {
    /// Ctrl-Z. A stopped process is no engine, so the engine goes to a process of its own first.
    pub(super) async fn suspend(&mut self) -> Result<Done, ConsoleError> {
        if !suspend::can_stop() {
            let why = "no shell to go back to: nothing could wake the console again".to_owned();
            return Ok(Done::Says(Msg::Say(Severity::Warn, why)));
        }
        if let Err(error) = self.hand_over() {
            return Ok(Done::Says(Msg::Say(Severity::Fail, format!("not suspended, the engine would stop too: {error}"))));
        }
        self.terminal.leave();
        if let Some(ending) = self.stopped().await? {
            return Ok(Done::With(ending));
        }
        self.come_back().await
    }

    /// Stops, and waits for the shell to continue this process. `Some` when it is to end instead.
    async fn stopped(&mut self) -> Result<Option<Ending>, ConsoleError> {
        self.signals.forget_keys();
        suspend::stop().map_err(ConsoleError::Broken)?;
        loop {
            match self.signals.next().await {
                Signal::Continued => return self.foreground().await,
                Signal::HangUp => return Ok(Some(Ending::HungUp)),
                Signal::Leave(number) => return Ok(Some(Ending::Told(number))),
                Signal::Stop | Signal::Resized => {}
            }
        }
    }

    /// Waits, after it was continued, until the terminal is this group's again. Continued in the background it either was
    /// `bg`, then it stops again as every full-screen program does, or `kill %1`, whose second signal is on its way: to
    /// touch the terminal at once would stop it for good, with that signal never seen.
    pub(super) async fn foreground(&mut self) -> Result<Option<Ending>, ConsoleError> {
        while !self.terminal.is_foreground() {
            match timeout(SECOND_SIGNAL, self.signals.next()).await {
                Ok(Signal::HangUp) => return Ok(Some(Ending::HungUp)),
                Ok(Signal::Leave(number)) => return Ok(Some(Ending::Told(number))),
                Ok(_) => {}
                Err(_) if self.terminal.is_foreground() => {}
                Err(_) => suspend::stop().map_err(ConsoleError::Broken)?,
            }
        }
        Ok(None)
    }

    /// The operator's editor on `text`.
    pub(super) async fn edit(&mut self, text: &str) -> Result<Done, ConsoleError> {
        self.terminal.leave();
        let outcome = match Editor::start_as(text, &self.scratch, self.model.edits()) {
            Ok(mut editor) => match self.beside(&mut editor.guest).await? {
                Ok(status) => status.map_err(EditorError::from).and_then(|status| editor.finish(status)),
                Err(ending) => return Ok(Done::With(ending)),
            },
            Err(error) => Err(error),
        };
        if let Done::With(ending) = self.come_back().await? {
            return Ok(Done::With(ending));
        }
        Ok(Done::Says(Msg::EditorDone(outcome.map_err(|error| error.to_string()))))
    }

    /// The operator in a worker's session. The worker is leased; it is given back whatever becomes of the visit.
    pub(super) async fn step(&mut self, step: Step) -> Result<Done, ConsoleError> {
        self.terminal.leave();
        let started = Guest::start_in(&step.argv, Some(&step.cwd), &step.env, &step.env_remove);
        let program = step.argv.first().cloned().unwrap_or_default();
        let outcome = match started {
            Ok(mut guest) => match self.beside(&mut guest).await? {
                Ok(Ok(status)) if status.success() => Ok(()),
                Ok(Ok(status)) => Err(format!("`{program}` ended with {status}")),
                Ok(Err(error)) => Err(format!("`{program}` was lost sight of: {error}")),
                Err(ending) => {
                    if let Some(release) = step.release {
                        self.seat.ask(Query::Command(release));
                    }
                    return Ok(Done::With(ending));
                }
            },
            Err(error) => Err(format!("`{program}` cannot be started: {error}")),
        };
        if let Done::With(ending) = self.come_back().await? {
            return Ok(Done::With(ending));
        }
        Ok(Done::Says(Msg::SteppedOut { name: step.name, release: step.release, outcome }))
    }

    /// Waits for a program that has the terminal; the inner error is an end of the console, and of that program. Its keys reach
    /// this process as well: an interrupt is the program's, and when it stops, so does this process, or the shell would wait for it.
    async fn beside(&mut self, guest: &mut Guest) -> Result<Result<std::io::Result<ExitStatus>, Ending>, ConsoleError> {
        loop {
            let signal = tokio::select! {
                biased;
                signal = self.signals.next() => signal,
                status = guest.wait() => return Ok(Ok(status)),
            };
            let ending = match signal {
                Signal::HangUp => Some(Ending::HungUp),
                Signal::Leave(number) if number == Number::TERM.as_raw() => Some(Ending::Told(number)),
                Signal::Stop if suspend::can_stop() => {
                    if let Err(error) = self.hand_over() {
                        tracing::warn!(%error, "stopped with the engine in this process");
                    }
                    self.stopped().await?
                }
                _ => None,
            };
            if let Some(ending) = ending {
                guest.end().await;
                return Ok(Err(ending));
            }
        }
    }

    /// Takes the terminal again, whatever was on it meanwhile.
    async fn come_back(&mut self) -> Result<Done, ConsoleError> {
        self.signals.forget_keys();
        self.terminal.enter()?;
        self.screen.forget();
        Ok(self.measure().await?.map_or(Done::Silently, Done::With))
    }
}
