//! The list of jobs: pages from the database, live rows from the snapshot, one filter over both.

mod fuzzy;
mod stretch;
mod terms;
#[cfg(test)]
pub mod tests;
mod view;

pub use terms::NAMES;
pub use view::{AROUND, draw, draw_row};

use crate::domain::{JobId, JobPlace, JobState};
use crate::tui::keymap::Action;
use crate::tui::widgets::Cursor;
use crate::wire::{JobFilter, JobPage, JobRow, JobsFrom, Query, Snapshot, StateCounts};
use std::collections::{BTreeMap, BTreeSet};
use stretch::Stretch;
use terms::Terms;

/// Rows that are fetched at once, at least.
const PAGE: usize = 200;
/// Rows around the reader that stay known; beyond them the list is forgotten and fetched again.
const KEEP: usize = 1_000;

/// The tabs over the list: a name and the states that it shows.
pub const TABS: [(&str, &[JobState]); 7] = [
    ("all", &[]),
    ("open", &[JobState::Waiting, JobState::Queued, JobState::Running, JobState::Reviewing]),
    ("running", &[JobState::Running, JobState::Reviewing]),
    ("queued", &[JobState::Queued]),
    ("waiting", &[JobState::Waiting]),
    ("done", &[JobState::Done]),
    ("failed", &[JobState::Failed, JobState::Killed]),
];

/// The state of the list.
#[derive(Default)]
pub struct Jobs {
    pub tab: usize,
    pub filter: String,
    terms: Terms,
    /// Every row that is known, at its newest.
    pool: BTreeMap<JobId, JobRow>,
    stretch: Stretch,
    /// Jobs above the stretch, as far as that can be told without counting them.
    pub offset: usize,
    /// A first page has come.
    pub loaded: bool,
    pub counts: StateCounts,
    pub rows: Vec<JobId>,
    pub cursor: Cursor<JobId>,
    pub marks: BTreeSet<JobId>,
    /// Something changed in the database that the pages do not show yet.
    stale: bool,
    /// Where the operator wants to be, if that has still to be fetched: `Top` or `End`.
    bound_for: Option<JobsFrom>,
    /// The operator chose a row.
    moved: bool,
    live: BTreeSet<JobId>,
    newest_event: i64,
}

impl Jobs {
    /// The question's filter for this tab and text.
    fn query_filter(&self) -> JobFilter {
        self.terms.filter(TABS[self.tab].1)
    }

    /// A row at its newest.
    pub fn row(&self, id: JobId) -> Option<&JobRow> {
        self.pool.get(&id)
    }

    fn place(&self, index: usize) -> Option<JobPlace> {
        Some(self.row(*self.rows.get(index)?)?.place())
    }

    /// Takes the live rows of a snapshot.
    pub fn take_snapshot(&mut self, snapshot: &Snapshot) {
        let mut live = BTreeSet::new();
        for row in snapshot.lanes.iter().flat_map(|l| &l.next) {
            live.insert(row.id);
            self.pool.insert(row.id, row.clone());
        }
        for worker in &snapshot.workers {
            let Some(a) = &worker.live else { continue };
            live.insert(a.job);
            if let Some(row) = self.pool.get_mut(&a.job) {
                row.state = JobState::Running;
                row.wait_reason = None;
                row.attempt = Some(a.attempt);
                row.worker = Some(worker.name.clone());
                row.priority = a.priority;
                row.started_at = Some(a.started_at);
                row.tokens = a.tokens;
                row.cost_usd = a.cost_usd;
            }
        }
        let newest = snapshot.log.iter().map(|l| l.id).max().unwrap_or(0);
        if live != self.live || newest != self.newest_event {
            self.stale = true;
        }
        self.newest_event = newest;
        self.live = live;
    }

    /// One row in full detail has come by: keep the list at it.
    pub fn refresh_row(&mut self, job: &crate::domain::Job) {
        if let Some(row) = self.pool.get_mut(&job.id) {
            row.state = job.state;
            row.wait_reason = job.wait_reason;
            row.priority = job.spec.priority;
            row.attempt = job.attempt;
            row.attempts = job.attempts;
            row.outcome = job.outcome;
            row.note = job.note.clone();
            row.started_at = job.started_at;
            row.queued_at = job.queued_at;
            row.finished_at = job.finished_at;
        }
    }

    /// Brings rows and place up to date.
    pub fn sync(&mut self, height: usize) {
        let tab = TABS[self.tab].1;
        let shown = |row: &&JobRow| self.terms.fit(row, tab) && self.stretch.covers(row.place());
        let mut rows: Vec<(JobPlace, JobId)> =
            self.stretch.listed.iter().filter_map(|id| self.pool.get(id)).filter(shown).map(|r| (r.place(), r.id)).collect();
        if self.terms.words.is_empty() {
            rows.extend(self.live.iter().filter_map(|id| self.pool.get(id)).filter(shown).map(|r| (r.place(), r.id)));
        } else {
            let found = fuzzy::find(&self.terms.words, self.pool.values().filter(shown));
            rows.extend(found.into_iter().filter_map(|id| Some((self.pool.get(&id)?.place(), id))));
        }
        rows.sort_unstable();
        rows.dedup();
        self.rows = rows.into_iter().map(|(_, id)| id).collect();
        // whoever looks at the top and has chosen nothing sees new ones come; a chosen row is followed
        let at_top = self.cursor.top == 0 && self.stretch.from.is_none();
        self.cursor.sync(&self.rows, height);
        if at_top && self.cursor.index < height {
            self.cursor.show_top();
        } else if at_top && !self.moved {
            self.cursor.go(0, &self.rows);
        }
        self.forget_far();
        self.marks.retain(|id| self.pool.contains_key(id));
    }

    /// Forgets what is far from the reader, so that a list of any length costs the same.
    fn forget_far(&mut self) {
        if self.rows.len() > KEEP * 3 {
            let (first, last) = (self.cursor.top.saturating_sub(KEEP), (self.cursor.top + KEEP).min(self.rows.len() - 1));
            if first > 0 {
                self.stretch.from = self.place(first);
            }
            if last + 1 < self.rows.len() {
                self.stretch.to = self.place(last);
            }
            self.offset += first;
            self.rows = self.rows[first..=last].to_vec();
            self.stretch.listed = self.rows.iter().copied().collect();
            self.cursor.shift(first, &self.rows);
        }
        if self.pool.len() > KEEP * 6 {
            let (stretch, live, marks) = (&self.stretch.listed, &self.live, &self.marks);
            self.pool.retain(|id, _| stretch.contains(id) || live.contains(id) || marks.contains(id));
        }
    }

    /// What to ask for: where the reader is bound for, what changed in sight, or the next page in either direction.
    pub fn wants(&self) -> Option<Query> {
        let height = self.cursor.height;
        let limit = PAGE.max(height * 8);
        let ask = |from| Some(Query::Jobs { filter: self.query_filter(), page: JobPage { from, limit } });
        if !self.loaded {
            return ask(self.bound_for.unwrap_or(JobsFrom::Top));
        }
        if let Some(bound_for) = self.bound_for {
            return ask(bound_for);
        }
        if self.stale {
            return ask(self.refresh_from());
        }
        match (self.stretch.from, self.stretch.to) {
            (_, Some(to)) if self.cursor.top + height * 4 > self.rows.len() => ask(JobsFrom::After(to)),
            (Some(from), _) if self.cursor.top < height * 3 => ask(JobsFrom::Before(from)),
            _ => None,
        }
    }

    /// Where a page begins that shows what is in sight, with some rows above so that nothing is fetched twice.
    fn refresh_from(&self) -> JobsFrom {
        let first = self.cursor.top.saturating_sub(self.cursor.height * 4);
        match (first, self.stretch.from) {
            (0, None) => JobsFrom::Top,
            (0, Some(from)) => JobsFrom::After(from),
            (n, _) => self.place(n - 1).map_or(JobsFrom::Top, JobsFrom::After),
        }
    }

    /// A question has gone out: what it asks for is no longer stale.
    pub fn asked(&mut self) {
        self.stale = false;
    }

    /// Takes a page.
    pub fn take(&mut self, filter: &JobFilter, page: &JobPage, rows: Vec<JobRow>, counts: StateCounts, more: bool) {
        if *filter != self.query_filter() {
            return;
        }
        if !std::mem::replace(&mut self.loaded, true) && !self.moved {
            self.cursor = Cursor::default();
        }
        self.counts = counts;
        let began = match page.from {
            JobsFrom::After(place) => self.rows.iter().filter(|id| self.row(**id).is_some_and(|r| r.place() <= place)).count(),
            _ => 0,
        };
        let joined = self.stretch.take(page.from, &rows, more && !rows.is_empty());
        self.offset = match page.from {
            JobsFrom::Before(_) => self.offset.saturating_sub(rows.len()),
            _ if joined => self.offset,
            _ => self.offset + began,
        };
        for row in rows {
            // what runs is newer in the snapshot
            if !(row.state == JobState::Running && self.live.contains(&row.id) && self.pool.contains_key(&row.id)) {
                self.pool.insert(row.id, row);
            }
        }
        match (self.stretch.from, self.stretch.to, self.total()) {
            (None, ..) => self.offset = 0,
            (_, None, Some(total)) => self.offset = (total as usize).saturating_sub(self.stretch.listed.len()),
            _ => {}
        }
        if self.bound_for == Some(page.from) {
            self.bound_for = None;
            // the rows of the next sync: from the first, or to the last
            self.cursor = Cursor::default();
            if page.from == JobsFrom::End {
                self.cursor.select_end(self.stretch.listed.len());
            }
        }
    }

    /// The page could not be had: what is there stays, nothing more is asked until something changes.
    pub fn give_up(&mut self) {
        self.loaded = true;
        self.stretch.from = None;
        self.stretch.to = None;
        self.bound_for = None;
    }

    /// Shows another tab or filter.
    pub fn narrow(&mut self, tab: usize, filter: &str) {
        if (tab, filter) != (self.tab, self.filter.as_str()) {
            self.tab = tab.min(TABS.len() - 1);
            self.filter = filter.to_owned();
            self.terms = Terms::parse(filter);
            self.start_over();
        }
    }

    fn start_over(&mut self) {
        self.stretch = Stretch::default();
        self.offset = 0;
        self.loaded = false;
        self.bound_for = None;
    }

    /// Asks for everything anew (after a reconnection).
    pub fn touch(&mut self) {
        self.stale = true;
    }

    /// The operator went elsewhere: give memory back.
    pub fn left(&mut self) {
        if self.stretch.listed.len() > PAGE * 2 || self.stretch.from.is_some() {
            self.start_over();
            self.cursor = Cursor::default();
            self.moved = false;
        }
        let (listed, live, marks) = (&self.stretch.listed, &self.live, &self.marks);
        self.pool.retain(|id, _| listed.contains(id) || live.contains(id) || marks.contains(id));
    }

    /// Moves, if the action is a movement.
    pub fn moved(&mut self, action: Action) -> bool {
        let page = self.cursor.height.saturating_sub(1).max(1) as isize;
        let by = match action {
            Action::Up => -1,
            Action::Down => 1,
            Action::PageUp => -page,
            Action::PageDown => page,
            Action::Top => {
                self.moved = false;
                self.bound_for = self.stretch.from.map(|_| JobsFrom::Top);
                self.cursor.go(0, &self.rows);
                return true;
            }
            Action::Bottom => {
                self.moved = true;
                self.bound_for = self.stretch.to.map(|_| JobsFrom::End);
                self.cursor.end(&self.rows);
                return true;
            }
            Action::Left | Action::Right => {
                let step = if action == Action::Left { TABS.len() - 1 } else { 1 };
                let filter = self.filter.clone();
                self.narrow((self.tab + step) % TABS.len(), &filter);
                return true;
            }
            _ => return false,
        };
        self.bound_for = None;
        self.moved = true;
        self.cursor.step(by, &self.rows);
        true
    }

    /// Marks or unmarks the selected row and goes on to the next.
    pub fn mark(&mut self) {
        let Some(&id) = self.cursor.key() else { return };
        if !self.marks.remove(&id) {
            self.marks.insert(id);
        }
        self.moved = true;
        self.cursor.step(1, &self.rows);
    }

    /// How many jobs a tab has, once it is known.
    pub fn count(&self, tab: usize) -> Option<u64> {
        self.sum(TABS[tab].1)
    }

    /// How many jobs the list has, once it is known.
    pub fn total(&self) -> Option<u64> {
        self.sum(&self.query_filter().states)
    }

    fn sum(&self, states: &[JobState]) -> Option<u64> {
        let counted = |word: &str| states.is_empty() || states.iter().any(|s| s.as_str() == word);
        (self.loaded && !self.counts.is_empty()).then(|| self.counts.iter().filter(|(word, _)| counted(word)).map(|(_, n)| n).sum())
    }
}
