//! What the console knows: the newest snapshot, where the operator is, and what was fetched for them.

use super::keymap::Keymap;
use super::theme::Theme;
use crate::domain::{ProjectId, Timestamp};
use crate::wire::Snapshot;
use std::sync::Arc;

/// Names that forms and the palette complete. Read once at start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choices {
    pub backends: Vec<String>,
    pub models: Vec<String>,
    pub skills: Vec<String>,
    pub personas: Vec<String>,
    pub projects: Vec<(ProjectId, String)>,
}

/// What a console is started with.
#[derive(Clone, Debug)]
pub struct Options {
    pub theme: Theme,
    pub keymap: Keymap,
    /// This process hosts the engine: leaving asks what becomes of it.
    pub hosting: bool,
    /// Look, but send no command.
    pub read_only: bool,
    /// Columns and rows.
    pub size: (u16, u16),
    /// The local time zone's offset from UTC, in seconds.
    pub utc_offset: i32,
    pub choices: Choices,
}

/// The console's state. `update` changes it, `view` draws it.
pub struct Model {
    pub(super) options: Options,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) now: Timestamp,
    pub(super) dirty: bool,
}

impl Model {
    /// A console that shows `snapshot` (`Snapshot::starting` before there is an engine).
    pub fn new(options: Options, snapshot: Arc<Snapshot>) -> Model {
        Model { now: snapshot.at, options, snapshot, dirty: true }
    }

    /// True when what `view` would draw may differ from what it drew before the last `drawn`.
    pub fn dirty(&self) -> bool {
        self.dirty
    }

    /// A frame of the present state has been handed to the terminal.
    pub fn drawn(&mut self) {
        self.dirty = false;
    }

    /// When the next `Msg::Tick` would change the screen by itself: within a second while jobs run, a countdown shows or a message
    /// is up; else at the next full minute. Send one tick then, none before.
    pub fn wake_at(&self) -> Timestamp {
        let step = if self.needs_clock() { 1_000 } else { 60_000 };
        Timestamp((self.now.millis().div_euclid(step) + 1) * step)
    }

    /// True while something on the screen changes by the second.
    pub fn needs_clock(&self) -> bool {
        self.snapshot.slots.running > 0
    }
}
