//! The console at work: one thread, one loop, around the pure core.
//!
//! The terminal blocks on neither side, so this loop waits for everything at once: keys, signals, snapshots, answers, the
//! clock, and room for bytes on a slow link. A frame is composed only when the last one is out, so a link that takes
//! nothing holds up nothing, and what it gets next is the newest. Without a cause the loop sleeps.

use super::capability::Capability;
use super::draw::Screen;
use super::hangup::Link;
use super::input::{ESCAPE_PATIENCE, Input, Reader};
use super::model::{Model, Options};
use super::msg::{Effect, Msg};
use super::notice::Notices;
use super::run::{ConsoleError, Setup};
use super::signals::{Signal, Signals};
use super::terminal::{Line, Terminal};
use super::theme::{ColorLevel, Ground, Theme};
use super::{clipboard, update, view};
use crate::domain::Timestamp;
use crate::engine::{HostError, Seat};
use crate::wire::{Answer, Severity, Snapshot};
use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// The shortest time between two frames: at most 30 a second.
const FRAME: Duration = Duration::from_millis(34);
/// The shortest time between two ticks of the clock, whatever the model wishes.
const TICK: Duration = Duration::from_millis(250);
/// Bytes that are read before what they say is done.
const MOUTHFUL: usize = 64 * 1024;

/// How a console ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The operator left; an engine goes on elsewhere.
    Left,
    /// The operator ended the engine.
    EngineEnded,
    /// A signal said to leave.
    Told(i32),
    /// The terminal is gone.
    HungUp,
}

/// Everything that the loop holds.
pub struct Console<'a> {
    pub(super) seat: &'a mut Seat,
    pub(super) terminal: &'a mut Terminal,
    line: Line,
    pub(super) signals: &'a mut Signals,
    snapshots: Option<watch::Receiver<Arc<Snapshot>>>,
    answers: Option<mpsc::Receiver<Answer>>,
    pub(super) model: Model,
    pub(super) screen: Screen,
    reader: Reader,
    clipboard: PathBuf,
    pub(super) scratch: PathBuf,
    in_tmux: bool,
    notices: Notices,
    /// Where what was written and not taken is kept.
    drafts: PathBuf,
    /// The earliest time for the next frame.
    next_frame: Instant,
    ticked: Instant,
    /// When a held ESC becomes the key.
    escape: Option<Instant>,
}

/// What woke the loop.
// One at a time, and moved on at once: a box would cost more than the room.
#[allow(clippy::large_enum_variant)]
enum Woken {
    Signal(Signal),
    Readable,
    Writable,
    Snapshot(Option<Arc<Snapshot>>),
    Answer(Option<Box<Answer>>),
    Escape,
    Frame,
    Clock,
}

impl<'a> Console<'a> {
    /// Takes the terminal. The first frame is drawn by `run`, from what the seat has by now, which may be nothing.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn new(
        seat: &'a mut Seat,
        terminal: &'a mut Terminal,
        signals: &'a mut Signals,
        setup: Setup,
    ) -> Result<Console<'a>, ConsoleError> {
        let line = terminal.line()?;
        let mut snapshots = seat.snapshots();
        let answers = seat.answers();
        let snapshot = snapshots.borrow_and_update().clone();
        terminal.enter()?;
        let size = terminal.size();
        let capability = Capability::detect();
        let ground = setup.ground.or(capability.ground).unwrap_or(Ground::Dark);
        let colours = if setup.monochrome { ColorLevel::None } else { capability.colours };
        let options = Options {
            theme: Theme::new(ground, colours, !capability.utf8),
            keymap: setup.keymap,
            hosting: seat.hosting(),
            read_only: setup.read_only,
            size: (size.width, size.height),
            utc_offset: utc_offset(),
            choices: setup.choices,
        };
        let now = Instant::now();
        Ok(Console {
            seat,
            terminal,
            line,
            signals,
            snapshots: Some(snapshots),
            answers: Some(answers),
            model: Model::new(options, snapshot),
            screen: Screen::new(size),
            reader: Reader::default(),
            clipboard: setup.clipboard,
            scratch: setup.scratch,
            in_tmux: std::env::var_os("TMUX").is_some(),
            notices: Notices::detect(&setup.notices),
            drafts: setup.drafts,
            next_frame: now,
            ticked: now,
            escape: None,
        })
    }

    /// The newest snapshot that was shown.
    pub fn last_seen(&self) -> Arc<Snapshot> {
        self.model.snapshot.clone()
    }

    /// Runs until the console is to end.
    ///
    /// # Errors
    /// The terminal or the runtime fails in a way that is no hang-up.
    pub async fn run(&mut self) -> Result<Ending, ConsoleError> {
        loop {
            self.draw().map_err(ConsoleError::Broken)?;
            if self.flush() == Link::Gone {
                return Ok(Ending::HungUp);
            }
            if self.screen.is_drained() {
                self.model.shown();
            }
            let woken = self.woken().await.map_err(ConsoleError::Broken)?;
            if let Some(ending) = self.handle(woken).await? {
                // The last words, a copy say, still go out if the link takes them.
                self.flush();
                return Ok(ending);
            }
        }
    }

    /// Sleeps until something happens.
    async fn woken(&mut self) -> io::Result<Woken> {
        let drained = self.screen.is_drained();
        let frame = (drained && self.wants_frame()).then_some(self.next_frame);
        let clock = self.next_tick();
        Ok(tokio::select! {
            biased;
            signal = self.signals.next() => Woken::Signal(signal),
            ready = self.line.readable() => ready.map(|()| Woken::Readable)?,
            ready = self.line.writable(), if !drained => ready.map(|()| Woken::Writable)?,
            () = at(self.escape) => Woken::Escape,
            () = at(frame) => Woken::Frame,
            answer = next_answer(&mut self.answers) => Woken::Answer(answer.map(Box::new)),
            snapshot = next_snapshot(&mut self.snapshots) => Woken::Snapshot(snapshot),
            () = sleep_until(clock) => Woken::Clock,
        })
    }

    async fn handle(&mut self, woken: Woken) -> Result<Option<Ending>, ConsoleError> {
        match woken {
            Woken::Signal(signal) => self.signal(signal).await,
            Woken::Readable => self.read().await,
            Woken::Escape => {
                self.escape = None;
                let inputs = self.reader.flush();
                self.inputs(inputs).await
            }
            Woken::Snapshot(Some(snapshot)) => self.take(Msg::Snapshot(snapshot)).await,
            Woken::Answer(Some(answer)) => self.take(Msg::Answer(answer)).await,
            Woken::Clock => self.tick().await,
            // A closed channel is always ready: waiting for it again would spin.
            Woken::Snapshot(None) => {
                self.snapshots = None;
                Ok(None)
            }
            Woken::Answer(None) => {
                self.answers = None;
                Ok(None)
            }
            Woken::Writable | Woken::Frame => Ok(None),
        }
    }

    async fn signal(&mut self, signal: Signal) -> Result<Option<Ending>, ConsoleError> {
        match signal {
            Signal::HangUp => Ok(Some(Ending::HungUp)),
            Signal::Leave(number) => Ok(Some(Ending::Told(number))),
            Signal::Stop => match self.suspend().await? {
                Done::With(ending) => Ok(Some(ending)),
                Done::Says(msg) => self.take(msg).await,
                Done::Silently => Ok(None),
            },
            Signal::Continued => {
                // Somebody stopped this process without asking; the shell has had the terminal since.
                if let Some(ending) = self.foreground().await? {
                    return Ok(Some(ending));
                }
                self.terminal.enter()?;
                self.screen.forget();
                self.measure().await
            }
            Signal::Resized => self.measure().await,
        }
    }

    /// Takes the terminal's size over, if it has changed.
    pub(super) async fn measure(&mut self) -> Result<Option<Ending>, ConsoleError> {
        let size = self.terminal.size();
        if size == self.screen.area().as_size() {
            return Ok(None);
        }
        self.screen.resize(size);
        self.take(Msg::Resize(size.width, size.height)).await
    }

    async fn tick(&mut self) -> Result<Option<Ending>, ConsoleError> {
        self.ticked = Instant::now();
        self.take(Msg::Tick { now: now(), utc_offset: utc_offset() }).await
    }

    fn next_tick(&self) -> Instant {
        let wait = self.model.wake_at().since(now()) + Duration::from_millis(1);
        (Instant::now() + wait).max(self.ticked + TICK)
    }

    /// Reads what the terminal has; the kernel gives at most a few KiB at a time.
    async fn read(&mut self) -> Result<Option<Ending>, ConsoleError> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        let mut gone = false;
        while bytes.len() < MOUTHFUL && !gone {
            match self.line.read(&mut chunk) {
                Link::Moved(n) => bytes.extend_from_slice(&chunk[..n]),
                Link::Busy => break,
                Link::Gone => gone = true,
            }
        }
        if !bytes.is_empty() {
            let inputs = self.reader.feed(&bytes);
            self.escape = self.reader.holds_escape().then(|| Instant::now() + ESCAPE_PATIENCE);
            if let Some(ending) = self.inputs(inputs).await? {
                return Ok(Some(ending));
            }
        }
        Ok(gone.then_some(Ending::HungUp))
    }

    async fn inputs(&mut self, inputs: Vec<Input>) -> Result<Option<Ending>, ConsoleError> {
        for input in inputs {
            let msg = match input {
                Input::Key(key) => Msg::Key(key),
                Input::Paste(text) => Msg::Paste(text),
            };
            if let Some(ending) = self.take(msg).await? {
                return Ok(Some(ending));
            }
        }
        Ok(None)
    }

    /// Lets the core take one message in, and does what it wants done.
    async fn take(&mut self, msg: Msg) -> Result<Option<Ending>, ConsoleError> {
        // The engine may have come up, or gone to another process, since the last message.
        self.model.options.hosting = self.seat.hosting();
        let mut messages = vec![msg];
        while let Some(msg) = messages.pop() {
            for effect in update(&mut self.model, msg) {
                match Box::pin(self.perform(effect)).await? {
                    Done::Silently => {}
                    Done::Says(msg) => messages.push(msg),
                    Done::With(ending) => return Ok(Some(ending)),
                }
            }
        }
        Ok(None)
    }

    async fn perform(&mut self, effect: Effect) -> Result<Done, ConsoleError> {
        Ok(match effect {
            Effect::Ask(query) => {
                self.seat.ask(query);
                Done::Silently
            }
            Effect::Quit if !self.seat.hosting() => Done::With(Ending::Left),
            Effect::Quit | Effect::EndEngineAndQuit => {
                self.seat.end_engine();
                Done::With(Ending::EngineEnded)
            }
            Effect::HandOverAndQuit => match self.hand_over() {
                Ok(()) => Done::With(Ending::Left),
                Err(error) => Done::failed(&error),
            },
            Effect::Suspend => self.suspend().await?,
            Effect::OpenEditor { text } => self.edit(&text).await?,
            Effect::StepInto(step) => self.step(*step).await?,
            Effect::Copy(text) => Done::Says(self.copy(&text)),
            Effect::Bell { says } => {
                self.screen.send(&self.notices.bell(&says));
                Done::Silently
            }
            Effect::Keep { name, text } => {
                let file = self.drafts.join(name);
                match clipboard::keep(&text, &file) {
                    Ok(()) => Done::Silently,
                    Err(error) => {
                        let says = format!("what you wrote is kept here only, {} cannot be written: {error}", file.display());
                        Done::Says(Msg::Say(Severity::Fail, says))
                    }
                }
            }
            Effect::Redraw => {
                self.screen.redraw();
                Done::Silently
            }
        })
    }

    /// The engine goes to a process of its own, if it is in this one. That takes a moment, so the screen says it first.
    pub(super) fn hand_over(&mut self) -> Result<(), HostError> {
        if self.seat.hosting() {
            update(&mut self.model, Msg::Say(Severity::Info, "handing the engine over to a process of its own …".to_owned()));
            self.next_frame = Instant::now();
            if self.draw().is_ok() {
                self.flush();
            }
            self.seat.hand_over()?;
            self.model.options.hosting = self.seat.hosting();
        }
        Ok(())
    }

    fn copy(&mut self, text: &str) -> Msg {
        let sent = clipboard::osc52(text, self.in_tmux).map(|bytes| self.screen.send(&bytes)).is_some();
        let kept = clipboard::keep(text, &self.clipboard);
        let file = self.clipboard.display();
        match (sent, kept) {
            (true, Ok(())) => Msg::Say(Severity::Info, format!("sent to your clipboard; also in {file}")),
            (true, Err(_)) => Msg::Say(Severity::Info, "sent to your clipboard".to_owned()),
            (false, Ok(())) => Msg::Say(Severity::Warn, format!("too long for a terminal's clipboard: it is in {file}")),
            (false, Err(error)) => {
                Msg::Say(Severity::Fail, format!("too long for a terminal's clipboard, and {file} cannot be written: {error}"))
            }
        }
    }

    fn wants_frame(&self) -> bool {
        self.model.dirty() || self.screen.is_stale()
    }

    /// Composes a frame if one is wanted, due, and the last one is out.
    fn draw(&mut self) -> io::Result<()> {
        let now = Instant::now();
        if self.wants_frame() && self.screen.is_drained() && now >= self.next_frame {
            let model = &self.model;
            self.screen.compose(|area, buffer| view(model, area, buffer))?;
            self.model.drawn();
            self.next_frame = now + FRAME;
        }
        Ok(())
    }

    /// Writes as much as the link takes.
    fn flush(&mut self) -> Link {
        while !self.screen.is_drained() {
            match self.line.write(self.screen.unsent()) {
                Link::Moved(n) => self.screen.sent(n),
                other => return other,
            }
        }
        Link::Moved(0)
    }
}

// As above.
/// What came of an effect.
#[allow(clippy::large_enum_variant)]
pub enum Done {
    Silently,
    Says(Msg),
    With(Ending),
}

impl Done {
    fn failed(error: &HostError) -> Done {
        Done::Says(Msg::Say(Severity::Fail, error.to_string()))
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}

async fn next_answer(answers: &mut Option<mpsc::Receiver<Answer>>) -> Option<Answer> {
    match answers {
        Some(answers) => answers.recv().await,
        None => pending().await,
    }
}

async fn next_snapshot(snapshots: &mut Option<watch::Receiver<Arc<Snapshot>>>) -> Option<Arc<Snapshot>> {
    match snapshots {
        Some(snapshots) => match snapshots.changed().await {
            Ok(()) => Some(snapshots.borrow_and_update().clone()),
            Err(_) => None,
        },
        None => pending().await,
    }
}

fn now() -> Timestamp {
    Timestamp(chrono::Utc::now().timestamp_millis())
}

fn utc_offset() -> i32 {
    chrono::Local::now().offset().local_minus_utc()
}
