//! The list of jobs: pages from the database, live rows from the snapshot, one filter over both.

mod fuzzy;
mod view;

pub use view::{AROUND, draw, draw_row};

use crate::domain::{JobId, JobState};
use crate::tui::keymap::Action;
use crate::tui::widgets::Cursor;
use crate::wire::{JobFilter, JobRow, Page, Query, Snapshot, StateCounts};
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
    /// The operator chose a row.
    moved: bool,
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
        let mut rows: Vec<JobId> = if states.is_empty() {
            self.ids.clone()
        } else {
            self.ids.iter().copied().filter(|id| self.pool.get(id).is_some_and(fits)).collect()
        };
        let newest = self.ids.first().copied();
        let floor = if self.more { self.ids.last().copied() } else { None };
        let fresh = self.live.iter().copied().filter(|id| newest.is_none_or(|n| *id > n));
        if self.filter.is_empty() {
            rows.extend(fresh.filter(|id| self.pool.get(id).is_some_and(fits)));
        } else {
            rows.extend(fuzzy::find(&self.filter, self.pool.values().filter(|r| fits(r) && floor.is_none_or(|f| r.id >= f))));
        }
        rows.sort_unstable_by(|a, b| b.cmp(a));
        rows.dedup();
        self.rows = rows;
        // whoever looks at the newest sees new ones come
        let newest_shown = self.cursor.top == 0;
        self.cursor.sync(&self.rows, height);
        if newest_shown {
            self.cursor.show_top();
        }
        self.marks.retain(|id| self.pool.contains_key(id));
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
        if !was_loaded && !self.moved {
            self.cursor = Cursor::default();
        }
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
            self.moved = false;
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
                self.moved = false;
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

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::domain::{Kind, Lane, Priority, Timestamp};

    pub fn row(id: i64, title: &str) -> JobRow {
        JobRow {
            id: JobId(id),
            title: title.to_owned(),
            state: JobState::Queued,
            wait_reason: None,
            priority: Priority::P2,
            lane: Lane::Normal,
            backend: "claude".to_owned(),
            kind: Kind::Other,
            model: None,
            worker: None,
            project_id: None,
            attempts: 0,
            max_attempts: 3,
            attempt: None,
            outcome: None,
            note: None,
            open_dependencies: 0,
            created_at: Timestamp(0),
            queued_at: None,
            ready_at: None,
            started_at: None,
            finished_at: None,
            tokens: 0,
            cost_usd: 0.0,
        }
    }

    /// Answers the list's question from ids `1..=newest`.
    fn serve(jobs: &mut Jobs, newest: i64) -> bool {
        let Some(Query::Jobs { filter, page }) = jobs.wants() else { return false };
        jobs.asked();
        let top = page.before.map_or(newest, |b| (b - 1).min(newest));
        let rows: Vec<JobRow> = (1..=top).rev().take(page.limit).map(|id| row(id, "work")).collect();
        let more = rows.last().is_some_and(|r| r.id.0 > 1);
        jobs.take(&filter, &page, rows, StateCounts::new(), more);
        jobs.sync(20);
        true
    }

    #[test]
    fn pages_come_on_demand_and_the_end_is_reached() {
        let mut jobs = Jobs::default();
        jobs.sync(20);
        assert!(serve(&mut jobs, 100_000));
        assert_eq!(jobs.rows.len(), PAGE);
        assert!(!serve(&mut jobs, 100_000), "nothing more is asked for until the reader gets near");
        jobs.moved(Action::Bottom);
        jobs.sync(20);
        let mut pages = 0;
        while serve(&mut jobs, 100_000) {
            pages += 1;
        }
        assert_eq!((jobs.rows.len(), jobs.cursor.key()), (100_000, Some(&JobId(1))));
        assert!(pages <= 100_000 / BIG_PAGE + 1);
        jobs.left();
        assert!(jobs.ids.len() <= KEEP && jobs.pool.len() <= KEEP * 2, "memory comes back");
    }

    #[test]
    fn new_jobs_appear_at_the_top_and_the_selection_stays_with_its_job() {
        let mut jobs = Jobs::default();
        jobs.sync(20);
        serve(&mut jobs, 500);
        assert_eq!(jobs.cursor.key(), Some(&JobId(500)));
        jobs.moved(Action::Down);
        jobs.touch();
        serve(&mut jobs, 503);
        assert_eq!((jobs.rows[0], jobs.cursor.key(), jobs.cursor.top), (JobId(503), Some(&JobId(499)), 0));
        for _ in 0..3 {
            jobs.moved(Action::PageDown);
            jobs.sync(20);
        }
        let line = jobs.cursor.index - jobs.cursor.top;
        let key = jobs.cursor.key().copied();
        jobs.touch();
        serve(&mut jobs, 600);
        assert_eq!((jobs.cursor.key().copied(), jobs.cursor.index - jobs.cursor.top), (key, line));
    }

    #[test]
    fn a_row_that_left_the_page_leaves_the_list() {
        let mut jobs = Jobs::default();
        jobs.sync(20);
        serve(&mut jobs, 50);
        jobs.touch();
        let Some(Query::Jobs { filter, page }) = jobs.wants() else { panic!() };
        jobs.take(&filter, &page, (1..=50).rev().filter(|id| id % 2 == 0).map(|id| row(id, "work")).collect(), StateCounts::new(), false);
        jobs.sync(20);
        assert_eq!(jobs.rows.len(), 25);
    }

    #[test]
    fn an_answer_to_an_old_filter_is_ignored() {
        let mut jobs = Jobs::default();
        jobs.sync(20);
        let Some(Query::Jobs { filter, page }) = jobs.wants() else { panic!() };
        jobs.narrow(0, "billing");
        jobs.take(&filter, &page, vec![row(1, "other")], StateCounts::new(), false);
        jobs.sync(20);
        assert!(jobs.rows.is_empty() && !jobs.loaded);
    }
}
