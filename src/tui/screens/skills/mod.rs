//! Skills: the list with what came of each; one in full: text, versions, what changed, what it made.

mod view;

pub use view::{areas, draw};

use super::dashboard::movement;
use super::job::overview::Page as Sheet;
use crate::domain::{Command, JobId};
use crate::tui::keymap::Action;
use crate::tui::widgets::{Cursor, Doc, Jump};
use crate::wire::{Query, SkillDetail, SkillRow};

/// The parts of a skill in full.
pub const PARTS: [&str; 4] = ["text", "versions", "diff", "outputs"];

/// Where the operator is among the skills.
#[derive(Default)]
pub struct SkillList {
    pub filter: String,
    all: Vec<SkillRow>,
    /// Those that the filter leaves, by name.
    pub rows: Vec<SkillRow>,
    names: Vec<String>,
    pub loaded: bool,
    /// Why there is nothing.
    pub failed: Option<String>,
    stale: bool,
    pub cursor: Cursor<String>,
    pub detail: Option<Box<SkillDetail>>,
    detail_stale: bool,
    pub part: usize,
    pub doc: Doc,
    /// The skill in full has the focus.
    pub reading: bool,
}

impl SkillList {
    /// The skill under the cursor.
    pub fn selected(&self) -> Option<&SkillRow> {
        let name = self.cursor.key()?;
        self.rows.iter().find(|r| r.name == *name)
    }

    /// The selected skill in full, once it is here.
    pub fn shown(&self) -> Option<&SkillDetail> {
        let row = self.selected()?;
        self.detail.as_deref().filter(|d| d.row.name == row.name)
    }

    /// What to ask for: the list, else the selected skill in full.
    pub fn wants(&self) -> Option<Query> {
        if !self.loaded || self.stale {
            return Some(Query::Skills);
        }
        let name = self.cursor.key()?;
        (self.shown().is_none() || self.detail_stale).then(|| Query::Skill { name: name.clone() })
    }

    /// A question has gone out.
    pub fn asked(&mut self, query: &Query) {
        match query {
            Query::Skills => self.stale = false,
            _ => self.detail_stale = false,
        }
    }

    /// Takes the list.
    pub fn take(&mut self, rows: Vec<SkillRow>) {
        self.all = rows;
        self.loaded = true;
        self.failed = None;
    }

    /// Takes one in full.
    pub fn take_detail(&mut self, detail: Box<SkillDetail>) {
        self.detail = Some(detail);
    }

    /// The list could not be had.
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

    /// Shows those that hold a text in name, description or problems.
    pub fn set_filter(&mut self, filter: &str) {
        self.filter = filter.to_owned();
        self.reading = false;
    }

    /// Brings rows and place up to date.
    pub fn sync(&mut self, height: usize) {
        let wanted = self.filter.trim().to_lowercase();
        let has = |r: &&SkillRow| {
            wanted.is_empty()
                || r.name.to_lowercase().contains(&wanted)
                || r.description.to_lowercase().contains(&wanted)
                || r.problems.iter().any(|p| p.to_lowercase().contains(&wanted))
        };
        self.rows = self.all.iter().filter(has).cloned().collect();
        // what does not work comes first
        self.rows.sort_by_key(|r| (r.usable(), r.name.clone()));
        self.names = self.rows.iter().map(|r| r.name.clone()).collect();
        self.cursor.sync(&self.names, height);
    }

    /// Lays the selected skill out.
    pub fn lay_out(&mut self, sheet: &Sheet<'_>, height: usize) {
        let lines = match self.selected() {
            Some(row) => view::lines(row, self.shown(), self.part, sheet),
            None => Vec::new(),
        };
        self.doc.set(lines, height);
    }

    /// Moves, if the action is a movement.
    pub fn moved(&mut self, action: Action) -> bool {
        match action {
            Action::NextPane | Action::PreviousPane => self.reading = !self.reading,
            Action::Left | Action::Right => {
                let step = if action == Action::Left { PARTS.len() - 1 } else { 1 };
                self.part = (self.part + step) % PARTS.len();
                self.doc.go(0);
            }
            _ if !self.reading => {
                let before = self.cursor.key().cloned();
                let moved = movement(&mut self.cursor, &self.names, action);
                if self.cursor.key() != before.as_ref() {
                    self.doc.go(0);
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

    /// The job of the line that is read.
    pub fn job(&self) -> Option<JobId> {
        match self.doc.jump().filter(|_| self.reading)? {
            Jump::Job(id) => Some(id),
            _ => None,
        }
    }

    /// What the pin key does: always the version in place, or no longer one.
    pub fn pin(&self) -> Option<Command> {
        let row = self.selected()?;
        let hash = match &row.hold.pin {
            Some(_) => None,
            None => Some(row.hash.clone().or_else(|| Some(self.shown()?.versions.first()?.hash.clone()))?),
        };
        Some(Command::PinSkill { skill: row.name.clone(), hash })
    }

    /// What takes the skill back by one version.
    pub fn rollback(&self) -> Option<Command> {
        let d = self.shown()?;
        let at = d.row.hold.pin.as_ref().and_then(|pin| d.versions.iter().position(|v| v.hash == *pin)).unwrap_or(0);
        let hash = Some(d.versions.get(at + 1)?.hash.clone());
        Some(Command::PinSkill { skill: d.row.name.clone(), hash })
    }
}
