//! What is remembered: a list by kind, a search with its scores, one memory in full.

mod view;

pub use view::{areas, draw};

use super::dashboard::movement;
use super::job::overview::Page as Sheet;
use crate::domain::{Category, Command, Memory, MemoryFilter, MemoryId, Page, Recalled, Standing, Terms};
use crate::tui::keymap::Action;
use crate::tui::widgets::{Cursor, Doc};
use crate::wire::Query;

/// Rows that are fetched at once.
const PAGE: usize = 200;
/// What a search shows.
const FOUND: usize = 60;

/// The tabs over the list: a name, a kind, where the memories stand.
pub const TABS: [(&str, Option<Category>, Standing); 10] = [
    ("all", None, Standing::Holding),
    ("preferences", Some(Category::Preference), Standing::Holding),
    ("decisions", Some(Category::Decision), Standing::Holding),
    ("lessons", Some(Category::Lesson), Standing::Holding),
    ("facts", Some(Category::Fact), Standing::Holding),
    ("people", Some(Category::Person), Standing::Holding),
    ("events", Some(Category::Event), Standing::Holding),
    ("context", Some(Category::Context), Standing::Holding),
    ("superseded", None, Standing::Superseded),
    ("forgotten", None, Standing::Forgotten),
];

/// Why a search found a memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    pub score: f64,
    pub terms: Terms,
    pub penalised: bool,
}

/// A memory in the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub memory: Memory,
    pub hit: Option<Hit>,
}

/// Where the operator is among the memories.
#[derive(Default)]
pub struct Memories {
    pub tab: usize,
    pub filter: String,
    pub rows: Vec<Row>,
    ids: Vec<MemoryId>,
    /// There are older ones.
    pub more: bool,
    pub loaded: bool,
    /// Why there is nothing.
    pub failed: Option<String>,
    stale: bool,
    pub cursor: Cursor<MemoryId>,
    pub doc: Doc,
    /// The memory in full has the focus.
    pub reading: bool,
}

impl Memories {
    /// The memory under the cursor.
    pub fn selected(&self) -> Option<&Row> {
        let key = self.cursor.key()?;
        self.rows.iter().find(|r| r.memory.id == *key)
    }

    /// True where the list is what a search found, best first.
    pub fn searching(&self) -> bool {
        !self.filter.trim().is_empty() && TABS[self.tab].2 == Standing::Holding
    }

    fn first(&self) -> Query {
        let (_, category, standing) = TABS[self.tab];
        let text = self.filter.trim().to_owned();
        if self.searching() {
            return Query::MemorySearch { text, category, limit: FOUND };
        }
        Query::Memories { filter: MemoryFilter { category, standing, text }, page: Page { before: None, limit: PAGE } }
    }

    /// What to ask for: the first rows, or the next ones.
    pub fn wants(&self) -> Option<Query> {
        if !self.loaded || self.stale {
            return Some(self.first());
        }
        match self.first() {
            Query::Memories { filter, .. } if self.more && self.cursor.top + self.cursor.height * 2 > self.rows.len() => {
                let before = self.rows.last().map(|r| r.memory.id.0);
                Some(Query::Memories { filter, page: Page { before, limit: PAGE } })
            }
            _ => None,
        }
    }

    /// A question has gone out.
    pub fn asked(&mut self) {
        self.stale = false;
    }

    /// Takes what a search found.
    pub fn take_found(&mut self, text: &str, category: Option<Category>, found: Vec<Recalled>) {
        if !self.searching() || text != self.filter.trim() || category != TABS[self.tab].1 {
            return;
        }
        let row = |r: Recalled| Row { hit: Some(Hit { score: r.score, terms: r.terms, penalised: r.penalised }), memory: r.memory };
        self.rows = found.into_iter().map(row).collect();
        // the best one is what was searched for
        self.cursor = Cursor::default();
        self.arrived(false);
    }

    /// Takes a page of the list.
    pub fn take(&mut self, filter: &MemoryFilter, page: &Page, rows: Vec<Memory>, more: bool) {
        let Query::Memories { filter: mine, .. } = self.first() else { return };
        if *filter != mine {
            return;
        }
        if page.before.is_none() {
            self.rows.clear();
        } else if page.before != self.rows.last().map(|r| r.memory.id.0) {
            return;
        }
        let more = more && !rows.is_empty();
        self.rows.extend(rows.into_iter().map(|memory| Row { memory, hit: None }));
        self.arrived(more);
    }

    fn arrived(&mut self, more: bool) {
        self.more = more;
        self.loaded = true;
        self.failed = None;
    }

    /// The list could not be had.
    pub fn give_up(&mut self, why: &str) {
        self.loaded = true;
        self.stale = false;
        self.more = false;
        self.failed = Some(why.to_owned());
    }

    /// Asks anew: something has changed.
    pub fn touch(&mut self) {
        self.stale = true;
    }

    /// Shows another tab or search.
    pub fn narrow(&mut self, tab: usize, filter: &str) {
        if (tab, filter) != (self.tab, self.filter.as_str()) {
            self.tab = tab.min(TABS.len() - 1);
            self.filter = filter.to_owned();
            self.stale = true;
            self.failed = None;
            self.reading = false;
        }
    }

    /// Brings rows and place up to date.
    pub fn sync(&mut self, height: usize) {
        // what waits for the operator is not to be looked for
        if TABS[self.tab].2 == Standing::Superseded {
            self.rows.sort_by_key(|r| (!r.memory.disputed, std::cmp::Reverse(r.memory.id)));
        }
        self.ids = self.rows.iter().map(|r| r.memory.id).collect();
        self.cursor.sync(&self.ids, height);
    }

    /// Lays the selected memory out.
    pub fn lay_out(&mut self, sheet: &Sheet<'_>, height: usize) {
        let lines = self.selected().map(|row| view::lines(row, sheet)).unwrap_or_default();
        self.doc.set(lines, height);
    }

    /// Moves, if the action is a movement.
    pub fn moved(&mut self, action: Action) -> bool {
        match action {
            Action::NextPane | Action::PreviousPane => self.reading = !self.reading,
            Action::Left | Action::Right => {
                let step = if action == Action::Left { TABS.len() - 1 } else { 1 };
                let filter = self.filter.clone();
                self.narrow((self.tab + step) % TABS.len(), &filter);
            }
            _ if !self.reading => return movement(&mut self.cursor, &self.ids, action),
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

    /// What `x` does to the selected memory: out of what is recalled, or back.
    pub fn forget(&self) -> Option<Command> {
        let m = &self.selected()?.memory;
        Some(match m.forgotten_at {
            None => Command::ForgetMemory { memory: m.id },
            Some(_) => Command::RestoreMemory { memory: m.id },
        })
    }
}
