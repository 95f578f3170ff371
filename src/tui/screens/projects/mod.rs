//! Projects: the list with how far each has come, and the selected one in full.

mod page;
mod view;

pub use view::{areas, draw};

use super::dashboard::movement;
use super::job::overview::Page as Sheet;
use crate::domain::{Command, JobId, JobRow, ProjectId, ProjectState};
use crate::tui::keymap::Action;
use crate::tui::widgets::{Cursor, Doc, Jump};
use crate::wire::{ProjectDetail, ProjectDisk, ProjectRow, Query};
use std::collections::BTreeMap;

/// What is known of the disk that a project's work trees take.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    Running,
    Known(ProjectDisk),
    Failed(String),
}

/// Where the operator is among the projects.
#[derive(Default)]
pub struct Projects {
    pub filter: String,
    all: Vec<ProjectRow>,
    /// Those that the filter leaves.
    pub rows: Vec<ProjectRow>,
    ids: Vec<ProjectId>,
    pub loaded: bool,
    /// Why there is nothing.
    pub failed: Option<String>,
    stale: bool,
    pub cursor: Cursor<ProjectId>,
    detail: Option<Box<ProjectDetail>>,
    /// Which one was asked for last, so that one that cannot be had is not asked for again and again.
    asked_for: Option<ProjectId>,
    detail_stale: bool,
    disk: BTreeMap<ProjectId, Measure>,
    pub doc: Doc,
    /// The one in full has the focus.
    pub reading: bool,
    /// It was opened from what waits for the operator: Esc leads there again.
    pub from_approvals: bool,
}

impl Projects {
    /// The project under the cursor.
    pub fn selected(&self) -> Option<&ProjectRow> {
        let id = self.cursor.key()?;
        self.rows.iter().find(|r| r.id == *id)
    }

    /// The selected project in full, once it is here.
    pub fn shown(&self) -> Option<&ProjectDetail> {
        let id = *self.cursor.key()?;
        self.detail.as_deref().filter(|d| d.row.id == id)
    }

    /// Opens a project by its number.
    pub fn open(&mut self, id: ProjectId) {
        self.filter.clear();
        self.cursor.select(id);
        self.reading = true;
        self.doc = Doc::default();
        self.touch();
    }

    /// What to ask for: the list, else the selected project in full.
    pub fn wants(&self) -> Option<Query> {
        if !self.loaded || self.stale {
            return Some(Query::Projects);
        }
        let id = self.selected()?.id;
        let new = self.shown().is_none() && self.asked_for != Some(id);
        (new || self.detail_stale).then_some(Query::Project { project: id })
    }

    /// What is to be measured: the shown project's work trees, once, one project at a time.
    pub fn wants_disk(&self) -> Option<Query> {
        let id = self.shown()?.row.id;
        let busy = self.disk.values().any(|m| *m == Measure::Running);
        (!busy && !self.disk.contains_key(&id)).then_some(Query::Disk { project: id })
    }

    /// Measures anew.
    pub fn measure(&mut self) {
        if let Some(id) = self.cursor.key()
            && self.disk.get(id) != Some(&Measure::Running)
        {
            self.disk.remove(id);
        }
    }

    /// A question has gone out.
    pub fn asked(&mut self, query: &Query) {
        match query {
            Query::Projects => self.stale = false,
            Query::Project { project } => {
                self.detail_stale = false;
                self.asked_for = Some(*project);
            }
            Query::Disk { project } => _ = self.disk.insert(*project, Measure::Running),
            _ => {}
        }
    }

    /// Takes the list.
    pub fn take(&mut self, rows: Vec<ProjectRow>) {
        self.all = rows;
        // What waits for the operator comes first, then what is worked on.
        self.all.sort_by_key(|r| (order(r.state), std::cmp::Reverse(r.id)));
        self.loaded = true;
        self.failed = None;
    }

    /// Takes one in full.
    pub fn take_detail(&mut self, detail: Box<ProjectDetail>) {
        self.failed = None;
        self.detail = Some(detail);
    }

    /// Takes what a project's work trees come to, or why that is not known.
    pub fn take_disk(&mut self, project: ProjectId, measured: Result<ProjectDisk, String>) {
        self.disk.insert(project, measured.map_or_else(Measure::Failed, Measure::Known));
    }

    /// It could not be had.
    pub fn give_up(&mut self, why: &str) {
        self.loaded = true;
        self.stale = false;
        self.detail_stale = false;
        self.failed = Some(why.to_owned());
    }

    /// Asks anew: something has changed.
    pub fn touch(&mut self) {
        self.stale = true;
        self.detail_stale = true;
    }

    /// The engine is another one: what was being measured comes from nobody.
    pub fn start_over(&mut self) {
        self.disk.retain(|_, m| *m != Measure::Running);
        self.touch();
    }

    /// Shows those whose title holds a text.
    pub fn set_filter(&mut self, filter: &str) {
        self.filter = filter.to_owned();
        self.reading = false;
    }

    /// Brings rows and place up to date.
    pub fn sync(&mut self, height: usize) {
        let wanted = self.filter.trim().to_lowercase();
        let has = |r: &&ProjectRow| wanted.is_empty() || r.title.to_lowercase().contains(&wanted);
        self.rows = self.all.iter().filter(has).cloned().collect();
        self.ids = self.rows.iter().map(|r| r.id).collect();
        // Opened before the list has come: the place is kept for it.
        if self.loaded && !(self.stale && self.reading) {
            self.cursor.sync(&self.ids, height);
        }
    }

    /// Lays the selected project out.
    pub fn lay_out(&mut self, sheet: &Sheet<'_>, height: usize) {
        let lines = match (self.shown(), self.cursor.key()) {
            (Some(d), _) => page::lines(d, self.disk.get(&d.row.id), sheet),
            (None, Some(_)) => page::waits(self.failed.as_deref(), sheet),
            (None, None) => Vec::new(),
        };
        self.doc.set(lines, height);
    }

    /// Moves, if the action is a movement.
    pub fn moved(&mut self, action: Action) -> bool {
        match action {
            Action::NextPane | Action::PreviousPane | Action::Left | Action::Right => {
                self.reading = !self.reading && !self.rows.is_empty();
            }
            _ if !self.reading => {
                let before = self.cursor.key().copied();
                let moved = movement(&mut self.cursor, &self.ids, action);
                if self.cursor.key() != before.as_ref() {
                    self.doc = Doc::default();
                }
                return moved;
            }
            Action::Up => self.doc.step(-1),
            Action::Down => self.doc.step(1),
            Action::PageUp => self.doc.step(-(self.doc.cursor.height as isize)),
            Action::PageDown => self.doc.step(self.doc.cursor.height as isize),
            Action::Top => self.doc.go(0),
            Action::Bottom => self.doc.go(usize::MAX),
            _ => return false,
        }
        true
    }

    /// Where Enter leads from the line that is read.
    pub fn jump(&self) -> Option<Jump> {
        self.doc.jump().filter(|_| self.reading)
    }

    /// The job of the line that is read.
    pub fn job(&self) -> Option<JobId> {
        match self.jump()? {
            Jump::Job(id) | Jump::File(id, _) | Jump::Diff(id) => Some(id),
            Jump::Attempt(_) | Jump::Memory(_) | Jump::Task(_) => None,
        }
    }

    /// The name under which a job lists what the line leads to.
    pub fn file(&self) -> Option<String> {
        let d = self.shown()?;
        match self.jump()? {
            Jump::File(id, at) => Some(d.files.iter().find(|(job, _)| *job == id)?.1.get(at)?.name.clone()),
            Jump::Diff(id) => Some(d.branches.iter().find(|b| b.job == id)?.name.clone()),
            _ => None,
        }
    }

    /// A job that is on the page, as far as it is shown there.
    pub fn row(&self, id: JobId) -> Option<&JobRow> {
        let d = self.shown()?;
        d.failed.iter().chain(&d.open).find(|r| r.id == id)
    }

    /// What else can be done with the projects, for the palette: words, help and command.
    pub fn commands(&self) -> Vec<(String, String, Command)> {
        let one = |r: &ProjectRow| {
            let (verb, command) = match r.state {
                ProjectState::Active => ("submit", Command::SubmitProject { project: r.id }),
                ProjectState::Approved | ProjectState::Rejected => ("reopen", Command::ReopenProject { project: r.id }),
                ProjectState::PendingApproval => return None,
            };
            Some((format!("{verb} project {}", r.id), r.title.clone(), command))
        };
        let again = |r: &ProjectRow| {
            let command = Command::SubmitProject { project: r.id };
            (r.state == ProjectState::Rejected).then(|| (format!("submit project {}", r.id), r.title.clone(), command))
        };
        self.all.iter().flat_map(|r| one(r).into_iter().chain(again(r))).collect()
    }
}

fn order(state: ProjectState) -> u8 {
    match state {
        ProjectState::PendingApproval => 0,
        ProjectState::Active | ProjectState::Rejected => 1,
        ProjectState::Approved => 2,
    }
}
