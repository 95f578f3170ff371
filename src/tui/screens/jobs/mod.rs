//! The list of jobs: pages from the database, live rows from the snapshot, one filter over both.

mod view;

pub use view::{AROUND, Look, draw, draw_row};

use crate::domain::{JobId, JobState};
use crate::tui::keymap::Action;
use crate::tui::text;
use crate::tui::widgets::Cursor;
use crate::wire::{JobFilter, JobRow, Page, Query, Snapshot, StateCounts};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use std::collections::{BTreeMap, BTreeSet};

/// Rows that are fetched at once, at least.
const PAGE: usize = 200;
/// Rows that are fetched at once on the way to the very end.
const BIG_PAGE: usize = 5_000;
/// Rows that stay in memory when the operator leaves the list.
const KEEP: usize = 500;

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
    /// Every row that is known, at its newest.
    pool: BTreeMap<JobId, JobRow>,
    /// The rows of the database for this tab and filter, newest first, without a gap.
    ids: Vec<JobId>,
    /// There are older ones.
    pub more: bool,
    /// A first page has come.
    pub loaded: bool,
    pub counts: StateCounts,
    pub rows: Vec<JobId>,
    pub cursor: Cursor<JobId>,
    pub marks: BTreeSet<JobId>,
    /// Something changed in the database that the pages do not show yet.
    stale: bool,
    to_end: bool,
    live: BTreeSet<JobId>,
    newest_event: i64,
}

impl Jobs {
    /// The question's filter for this tab and text.
    fn query_filter(&self) -> JobFilter {
        JobFilter { states: TABS[self.tab].1.to_vec(), text: self.filter.clone(), ..JobFilter::default() }
    }

    /// A row at its newest.
    pub fn row(&self, id: JobId) -> Option<&JobRow> {
        self.pool.get(&id)
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
            } else {
                self.stale = true;
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
            row.finished_at = job.finished_at;
        }
    }

    /// Brings rows and place up to date.
    pub fn sync(&mut self, height: usize) {
        let states = TABS[self.tab].1;
        let fits = |row: &JobRow| states.is_empty() || states.contains(&row.state);
        let mut rows: Vec<JobId> = self.ids.iter().copied().filter(|id| self.pool.get(id).is_some_and(fits)).collect();
        let newest = self.ids.first().copied();
        let floor = if self.more { self.ids.last().copied() } else { None };
        let fresh = self.live.iter().copied().filter(|id| newest.is_none_or(|n| *id > n));
        if self.filter.is_empty() {
            rows.extend(fresh.filter(|id| self.pool.get(id).is_some_and(fits)));
        } else {
            rows.extend(fuzzy(&self.filter, self.pool.values().filter(|r| fits(r) && floor.is_none_or(|f| r.id >= f))));
        }
        rows.sort_unstable_by(|a, b| b.cmp(a));
        rows.dedup();
        self.rows = rows;
        self.cursor.sync(&self.rows, height);
        let known: BTreeSet<JobId> = self.marks.iter().copied().filter(|id| self.pool.contains_key(id)).collect();
        self.marks = known;
    }

    /// What to ask for: the first page, what changed in sight, or the next page.
    pub fn wants(&self) -> Option<Query> {
        let limit = PAGE.max(self.cursor.height * 2);
        let ask = |before, limit| Some(Query::Jobs { filter: self.query_filter(), page: Page { before, limit } });
        if !self.loaded {
            return ask(None, limit);
        }
        if self.more && (self.to_end || self.cursor.top + self.cursor.height * 2 > self.ids.len()) {
            let limit = if self.to_end { BIG_PAGE } else { limit };
            return ask(self.ids.last().map(|id| id.0), limit);
        }
        if self.stale {
            let before = if self.cursor.top == 0 { None } else { self.rows.get(self.cursor.top).map(|id| id.0 + 1) };
            return ask(before, limit);
        }
        None
    }

    /// A question has gone out: what it asks for is no longer stale.
    pub fn asked(&mut self) {
        self.stale = false;
    }

    /// Takes a page. It replaces what was known of its range.
    pub fn take(&mut self, filter: &JobFilter, page: &Page, rows: Vec<JobRow>, counts: StateCounts, more: bool) {
        if *filter != self.query_filter() {
            return;
        }
        let more = more && !rows.is_empty();
        let was_loaded = std::mem::replace(&mut self.loaded, true);
        self.counts = counts;
        let lo = if more { rows.last().map(|r| r.id) } else { None };
        let hi = page.before.map(JobId);
        let gap = page.before.is_none() && lo.is_some_and(|lo| self.ids.first().is_some_and(|first| lo > *first));
        let covers_end = !was_loaded || gap || lo.is_none_or(|lo| self.ids.last().is_none_or(|last| lo <= *last));
        if gap {
            self.ids.clear();
        }
        self.ids.retain(|id| hi.is_some_and(|hi| *id >= hi) || lo.is_some_and(|lo| *id < lo));
        for row in rows {
            self.ids.push(row.id);
            // what runs is newer in the snapshot
            if !(row.state == JobState::Running && self.live.contains(&row.id) && self.pool.contains_key(&row.id)) {
                self.pool.insert(row.id, row);
            }
        }
        self.ids.sort_unstable_by(|a, b| b.cmp(a));
        self.ids.dedup();
        if covers_end {
            self.more = more;
        }
        if self.to_end {
            self.to_end = self.more;
            let ids = self.ids.clone();
            self.cursor.end(&ids);
        }
    }

    /// The page could not be had: what is there stays, nothing more is asked until something changes.
    pub fn give_up(&mut self) {
        self.loaded = true;
        self.more = false;
        self.to_end = false;
    }

    /// Shows another tab or filter.
    pub fn narrow(&mut self, tab: usize, filter: &str) {
        if (tab, filter) != (self.tab, self.filter.as_str()) {
            self.tab = tab.min(TABS.len() - 1);
            self.filter = filter.to_owned();
            self.ids.clear();
            self.more = false;
            self.loaded = false;
            self.to_end = false;
        }
    }

    /// Asks for everything anew (after a reconnection).
    pub fn touch(&mut self) {
        self.stale = true;
    }

    /// The operator went elsewhere: give memory back.
    pub fn left(&mut self) {
        self.to_end = false;
        if self.ids.len() > KEEP {
            self.ids.truncate(KEEP);
            self.more = true;
            self.cursor = Cursor::default();
        }
        if self.pool.len() > KEEP * 2 {
            let keep: BTreeSet<JobId> = self.ids.iter().chain(&self.live).copied().collect();
            self.pool.retain(|id, _| keep.contains(id));
        }
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
                self.cursor.go(0, &self.rows);
                self.to_end = false;
                return true;
            }
            Action::Bottom => {
                self.to_end = self.more;
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
        self.to_end = false;
        self.cursor.step(by, &self.rows);
        true
    }

    /// Marks or unmarks the selected row and goes on to the next.
    pub fn mark(&mut self) {
        let Some(&id) = self.cursor.key() else { return };
        if !self.marks.remove(&id) {
            self.marks.insert(id);
        }
        self.cursor.step(1, &self.rows);
    }

    /// How many jobs a tab has, once it is known.
    pub fn count(&self, tab: usize) -> Option<u64> {
        if self.counts.is_empty() {
            return None;
        }
        let states = TABS[tab].1;
        Some(
            self.counts
                .iter()
                .filter(|(word, _)| states.is_empty() || states.iter().any(|s| s.as_str() == word.as_str()))
                .map(|(_, n)| n)
                .sum(),
        )
    }
}

/// The rows that match a fuzzy pattern.
fn fuzzy<'a>(pattern: &str, rows: impl Iterator<Item = &'a JobRow>) -> Vec<JobId> {
    let pattern = Pattern::parse(pattern, CaseMatching::Smart, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut chars = Vec::new();
    rows.filter(|row| {
        let hay = haystack(row);
        pattern.score(Utf32Str::new(&hay, &mut chars), &mut matcher).is_some()
    })
    .map(|row| row.id)
    .collect()
}

fn haystack(row: &JobRow) -> String {
    let worker = row.worker.as_deref().unwrap_or("");
    let note = row.note.as_deref().unwrap_or("");
    text::clean_line(&format!("#{} {} {} {} {} {worker} {} {note}", row.id, row.title, row.state, row.backend, row.kind, row.priority))
        .into_owned()
}

