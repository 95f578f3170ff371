//! Schedules: what the clock starts, what is to come within a day, and what became of past fires.

mod view;

pub use view::{areas, draw};

use super::dashboard::movement;
use super::job::overview::Page as Sheet;
use crate::domain::{Command, CronRow, CronView, Fire, JobId, Timestamp};
use crate::tui::keymap::Action;
use crate::tui::widgets::{Cursor, Doc, Jump};
use crate::wire::Query;
use std::time::Duration;

/// What is to come is worked out anew when it is older than this.
const OLD: Duration = Duration::from_secs(60);

/// Where the operator is among the schedules.
#[derive(Default)]
pub struct Clockwork {
    pub view: CronView,
    pub filter: String,
    /// Past fires of `past`, newest first.
    fires: Vec<Fire>,
    past: Option<String>,
    pub loaded: bool,
    /// Why there is nothing.
    pub failed: Option<String>,
    stale: bool,
    taken: Timestamp,
    names: Vec<String>,
    pub cursor: Cursor<String>,
    pub doc: Doc,
    /// The lower pane has the focus.
    pub reading: bool,
}

impl Clockwork {
    /// The schedule under the cursor.
    pub fn selected(&self) -> Option<&CronRow> {
        let name = self.cursor.key()?;
        self.view.rows.iter().find(|r| r.name == *name)
    }

    /// What is shown, in the list's order.
    pub fn rows(&self) -> impl Iterator<Item = &CronRow> {
        self.names.iter().filter_map(|n| self.view.rows.iter().find(|r| r.name == *n))
    }

    /// Its past fires, once they have come.
    fn past(&self) -> Option<&[Fire]> {
        (self.past.as_deref() == self.selected().map(|r| r.name.as_str())).then_some(self.fires.as_slice())
    }

    /// The job that `Enter` opens: that of the line which is read, else the selected schedule's last one.
    pub fn job(&self) -> Option<JobId> {
        if self.reading {
            return match self.doc.jump()? {
                Jump::Job(id) => Some(id),
                _ => None,
            };
        }
        let last = self.selected()?.last.as_ref().and_then(|f| f.job);
        last.or_else(|| self.past()?.iter().find_map(|f| f.job))
    }

    /// What to ask for, if anything.
    pub fn wants(&self, now: Timestamp) -> Option<Query> {
        let name = self.selected().map(|r| r.name.clone());
        let old = !self.loaded || self.stale || now.since(self.taken) > OLD;
        (old || (self.failed.is_none() && name.is_some() && name != self.past)).then_some(Query::Cron { past: name })
    }

    /// A question has gone out.
    pub fn asked(&mut self) {
        self.stale = false;
    }

    /// Takes an answer.
    pub fn take(&mut self, view: CronView, past: Option<&str>, fires: Vec<Fire>, now: Timestamp) {
        // Without a name it was the first one's.
        self.past = past.map(str::to_owned).or_else(|| view.rows.first().map(|r| r.name.clone()));
        (self.view, self.fires, self.taken) = (view, fires, now);
        (self.loaded, self.failed) = (true, None);
    }

    /// It could not be had.
    pub fn give_up(&mut self, why: &str) {
        (self.loaded, self.stale) = (true, false);
        self.failed = Some(why.to_owned());
    }

    /// Asks anew: something has changed.
    pub fn touch(&mut self) {
        self.stale = true;
    }

    /// Brings rows and place up to date.
    pub fn sync(&mut self, height: usize) {
        let needle = self.filter.to_lowercase();
        let wanted =
            |r: &&CronRow| needle.is_empty() || format!("{} {} {}", r.name, r.schedule, r.backend).to_lowercase().contains(&needle);
        self.names = self.view.rows.iter().filter(wanted).map(|r| r.name.clone()).collect();
        self.cursor.sync(&self.names, height);
    }

    /// Lays the lower pane out.
    pub fn lay_out(&mut self, sheet: &Sheet<'_>, height: usize) {
        let lines = view::lines(self, sheet);
        self.doc.set(lines, height);
    }

    /// Moves, if the action is a movement.
    pub fn moved(&mut self, action: Action) -> bool {
        match action {
            Action::NextPane | Action::PreviousPane | Action::Left | Action::Right => self.reading = !self.reading,
            _ if !self.reading => return movement(&mut self.cursor, &self.names, action),
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

    /// What fires a schedule now.
    pub fn run(&self, name: &str) -> Option<Command> {
        let (spec, each_project) = self.view.jobs.get(name)?.clone();
        Some(Command::RunCron { name: name.to_owned(), spec: Box::new(spec), each_project })
    }
}
