//! What comes into the console, and what it wants done in return.

use crate::domain::{Command, Timestamp};
use crate::wire::{Answer, Query, Severity, Snapshot, Step};
use crossterm::event::KeyEvent;
use std::sync::Arc;

/// Everything that can happen to a console.
#[derive(Clone, Debug)]
pub enum Msg {
    /// A key. Only presses and repeats: releases are ignored.
    Key(KeyEvent),
    /// Text by bracketed paste.
    Paste(String),
    /// The terminal has this many columns and rows now.
    Resize(u16, u16),
    /// The live part changed.
    Snapshot(Arc<Snapshot>),
    /// An answer to an `Effect::Ask`. Each question gets exactly one, `Answer::Failed` included.
    Answer(Box<Answer>),
    /// The clock: now, and the local time zone's offset from UTC in seconds (so that summer time may begin while it runs).
    Tick { now: Timestamp, utc_offset: i32 },
    /// The external editor has ended: the text, or why there is none (shown as it is).
    EditorDone(Result<String, String>),
    /// The operator has come back from a worker's session: what gives the worker back, and why there was no visit, or how it ended.
    SteppedOut { name: String, release: Option<Command>, outcome: Result<(), String> },
    /// A line for the operator from the terminal runtime ("copied to run/clipboard").
    Say(Severity, String),
}

/// What the console wants done. `update` returns these; it does none of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Put this to the desk; the answer comes back as `Msg::Answer`. Commands are questions too (`Query::Command`).
    Ask(Query),
    /// Leave; the engine is another process and goes on.
    Quit,
    /// Leave; a headless engine takes over from the one hosted here.
    HandOverAndQuit,
    /// Leave and end the hosted engine; running jobs go on, nothing new starts.
    EndEngineAndQuit,
    /// Ctrl-Z.
    Suspend,
    /// Step aside for `$EDITOR` with this text; the outcome comes back as `Msg::EditorDone`.
    OpenEditor { text: String },
    /// Step aside for a worker's session on this terminal; its end comes back as `Msg::SteppedOut`.
    StepInto(Box<Step>),
    /// To the operator's own clipboard (OSC 52).
    Copy(String),
    /// Ring the terminal's bell, and show this where the terminal can: something new needs the operator.
    Bell { says: String },
    /// Keep what was written, and could not be taken, in a file of this name among the drafts.
    Keep { name: String, text: String },
    /// Forget what is on the terminal and draw everything (Ctrl-L).
    Redraw,
}
