//! What the console knows: the newest snapshot, where the operator is, and what was fetched for them.

use super::keymap::Keymap;
use super::overlays::{Form, Overlay};
use super::screens::approvals::Approvals;
use super::screens::costs::Costs;
use super::screens::cron::Clockwork;
use super::screens::dashboard::{Dashboard, Pane};
use super::screens::health::HealthView;
use super::screens::job::JobScreen;
use super::screens::jobs::Jobs;
use super::screens::logs::{Book, LogView};
use super::screens::look::Look;
use super::screens::memory::Memories;
use super::screens::projects::Projects;
use super::screens::skills::SkillList;
use super::screens::workers::Workers;
use super::theme::Theme;
use crate::domain::{Command, ProjectId, Timestamp};
use crate::wire::{Query, Severity, Snapshot};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names that forms and the palette complete. Read once at start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choices {
    pub backends: Vec<String>,
    pub models: Vec<String>,
    pub skills: Vec<String>,
    pub projects: Vec<(ProjectId, String)>,
    /// Backends whose program is not on this machine, and what to do about it.
    pub missing: BTreeMap<String, String>,
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

/// The views, by number key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Dashboard,
    Jobs,
    Workers,
    Approvals,
    Memory,
    Logs,
    Costs,
    Cron,
    Health,
    Skills,
    Projects,
}

/// A line for the operator that goes away by itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Toast {
    pub severity: Severity,
    pub text: String,
    /// The first tick since it is up: its time counts from there, since the clock may have slept before.
    pub since: Option<Timestamp>,
}

impl Toast {
    /// True when it has been up long enough to be read.
    pub fn over(&self, now: Timestamp) -> bool {
        let seconds = match self.severity {
            Severity::Info => 4,
            Severity::Warn => 7,
            Severity::Fail => 12,
        };
        self.since.is_some_and(|t| now.since(t).as_secs() >= seconds)
    }
}

/// Commands that were sent together, and what has become of them.
#[derive(Debug)]
pub(super) struct Batch {
    pub label: String,
    /// Not answered yet.
    pub open: Vec<Command>,
    pub done: usize,
    pub message: String,
    pub undo: Vec<Command>,
    pub problems: Vec<String>,
    /// It takes an earlier one back.
    pub undoing: bool,
}

/// What `u` takes back.
#[derive(Debug)]
pub(super) struct Undo {
    pub label: String,
    pub commands: Vec<Command>,
}

/// The console's state. `update` changes it, `view` draws it.
pub struct Model {
    pub(super) options: Options,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) now: Timestamp,
    pub(super) utc_offset: i32,
    pub(super) size: (u16, u16),
    pub(super) view: View,
    pub(super) dash: Dashboard,
    pub(super) jobs: Jobs,
    pub(super) workers: Workers,
    pub(super) approvals: Approvals,
    pub(super) memories: Memories,
    pub(super) cron: Clockwork,
    pub(super) skills: SkillList,
    pub(super) projects: Projects,
    pub(super) costs: Costs,
    pub(super) health: HealthView,
    pub(super) book: Book,
    pub(super) logs: LogView,
    /// Opened jobs, each over the one it was opened from.
    pub(super) open: Vec<JobScreen>,
    pub(super) overlays: Vec<Overlay>,
    pub(super) draft: Option<Box<Form>>,
    /// Messages that were sent or dropped here, oldest first: ↑ brings them back.
    pub(super) written: Vec<String>,
    pub(super) toast: Option<Toast>,
    pub(super) batches: Vec<Batch>,
    pub(super) undo: Vec<Undo>,
    /// Questions without an answer yet.
    pub(super) asked: Vec<Query>,
    dirty: bool,
}

impl Model {
    /// A console that shows `snapshot` (`Snapshot::starting` before there is an engine).
    pub fn new(options: Options, snapshot: Arc<Snapshot>) -> Model {
        let mut model = Model {
            now: snapshot.at,
            utc_offset: options.utc_offset,
            size: options.size,
            view: View::Dashboard,
            dash: Dashboard::default(),
            jobs: Jobs::default(),
            workers: Workers::default(),
            approvals: Approvals::default(),
            memories: Memories::default(),
            cron: Clockwork::default(),
            skills: SkillList::default(),
            projects: Projects::default(),
            costs: Costs::default(),
            health: HealthView::default(),
            book: Book::default(),
            logs: LogView::default(),
            open: Vec::new(),
            overlays: Vec::new(),
            draft: None,
            written: Vec::new(),
            toast: None,
            batches: Vec::new(),
            undo: Vec::new(),
            asked: Vec::new(),
            dirty: true,
            options,
            snapshot,
        };
        model.book.take(&model.snapshot.log, false);
        model.jobs.take_snapshot(&model.snapshot);
        super::update::settle(&mut model);
        model
    }

    /// True when what `view` would draw may differ from what it drew before the last `drawn`.
    pub fn dirty(&self) -> bool {
        self.dirty
    }

    /// A frame of the present state has been handed to the terminal.
    pub fn drawn(&mut self) {
        self.dirty = false;
    }

    /// What was drawn last has gone out to the terminal. A card is only answered after that.
    pub fn shown(&mut self) {
        if !self.dirty
            && let Some(Overlay::Question(question)) = self.overlays.last_mut()
        {
            question.seen = true;
        }
    }

    /// The ending of the file that is given to the external editor, so that it is coloured as what it is.
    pub(super) fn edits(&self) -> &'static str {
        if self.approvals.editing.is_some() { "json" } else { "md" }
    }

    pub(super) fn touch(&mut self) {
        self.dirty = true;
    }

    /// When the next `Msg::Tick` would change the screen by itself: within a second while jobs run, a countdown shows or a message
    /// is up; else at the next full minute. Send one tick then, none before.
    pub fn wake_at(&self) -> Timestamp {
        let step = if self.needs_clock() { 1_000 } else { 60_000 };
        Timestamp((self.now.millis().div_euclid(step) + 1) * step)
    }

    /// True while something on the screen changes by the second: running jobs, a backend's countdown, a message that will go.
    pub fn needs_clock(&self) -> bool {
        self.toast.is_some()
            || self.snapshot.workers.iter().any(|w| w.live.is_some())
            || self.snapshot.backends.iter().any(|b| b.pause.as_ref().is_some_and(|p| p.until.is_some_and(|u| u > self.now)))
    }

    /// The colours in force.
    pub fn theme(&self) -> &Theme {
        &self.options.theme
    }

    /// How a row is drawn; `current` = the cursor is on it.
    pub(super) fn look(&self, current: bool) -> Look<'_> {
        Look {
            marked: false,
            current,
            now: self.now,
            utc_offset: self.utc_offset,
            theme: self.theme(),
            snapshot: &self.snapshot,
            projects: &self.options.choices.projects,
        }
    }

    /// Tells the operator something for a few seconds.
    pub(super) fn say(&mut self, severity: Severity, text: impl Into<String>) {
        self.toast = Some(Toast { severity, text: text.into(), since: None });
    }

    /// True when this pane of the dashboard has the focus.
    pub(super) fn focus(&self, pane: Pane) -> bool {
        self.dash.pane == pane
    }

    /// The job that is open on top.
    pub(super) fn job(&self) -> Option<&JobScreen> {
        self.open.last()
    }
}
