//! The list over long and changing databases.

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
        project: None,
        attempts: 0,
        max_attempts: 3,
        attempt: None,
        outcome: None,
        note: None,
        open_dependencies: 0,
        not_before: None,
        created_at: Timestamp(0),
        queued_at: None,
        ready_at: None,
        started_at: None,
        finished_at: None,
        tokens: 0,
        cost_usd: 0.0,
    }
}

/// A database with jobs `1..=newest`: the newest ones queued, the rest done, in the order of their ids.
struct Shelf {
    rows: Vec<JobRow>,
    pages: usize,
}

impl Shelf {
    fn new(newest: i64, queued: i64) -> Shelf {
        let mut rows: Vec<JobRow> = (1..=newest)
            .map(|id| {
                let mut r = row(id, "work");
                r.queued_at = Some(Timestamp(id));
                if id <= newest - queued {
                    r.state = JobState::Done;
                    r.finished_at = Some(Timestamp(id));
                }
                r
            })
            .collect();
        rows.sort_by_key(JobRow::place);
        Shelf { rows, pages: 0 }
    }

    /// Answers the list's question, as the store does.
    fn serve(&mut self, jobs: &mut Jobs) -> bool {
        let Some(Query::Jobs { filter, page }) = jobs.wants() else { return false };
        jobs.asked();
        self.pages += 1;
        let all: Vec<&JobRow> = self.rows.iter().filter(|r| filter.states.is_empty() || filter.states.contains(&r.state)).collect();
        let (part, backwards): (Vec<&JobRow>, bool) = match page.from {
            JobsFrom::Top => (all, false),
            JobsFrom::After(p) => (all.into_iter().filter(|r| r.place() > p).collect(), false),
            JobsFrom::Before(p) => (all.into_iter().filter(|r| r.place() < p).collect(), true),
            JobsFrom::End => (all, true),
        };
        let more = part.len() > page.limit;
        let skip = if backwards { part.len().saturating_sub(page.limit) } else { 0 };
        let rows = part.into_iter().skip(skip).take(page.limit).cloned().collect();
        let mut counts = StateCounts::new();
        for r in &self.rows {
            *counts.entry(r.state.to_string()).or_default() += 1;
        }
        jobs.take(&filter, &page, rows, counts, more);
        jobs.sync(20);
        true
    }

    fn settle(&mut self, jobs: &mut Jobs) {
        jobs.sync(20);
        while self.serve(jobs) {}
    }
}

#[test]
fn open_jobs_come_first_and_pages_come_on_demand() {
    let mut shelf = Shelf::new(1_000, 3);
    let mut jobs = Jobs::default();
    shelf.settle(&mut jobs);
    assert_eq!((shelf.pages, jobs.rows.len(), jobs.total()), (1, PAGE, Some(1_000)));
    assert_eq!(jobs.rows[..5], [998, 999, 1000, 997, 996].map(JobId), "the queue by age, then what is over, the newest first");
}

#[test]
fn the_end_of_a_long_list_is_one_page_away_and_the_way_back_as_well() {
    let mut shelf = Shelf::new(100_000, 10);
    let mut jobs = Jobs::default();
    shelf.settle(&mut jobs);
    jobs.moved(Action::Bottom);
    shelf.settle(&mut jobs);
    assert_eq!((jobs.cursor.key(), jobs.cursor.visible().len(), shelf.pages), (Some(&JobId(1)), 20, 2));
    assert_eq!(jobs.offset + jobs.rows.len(), 100_000);
    for _ in 0..100 {
        jobs.moved(Action::PageUp);
        shelf.settle(&mut jobs);
    }
    assert_eq!(jobs.cursor.key(), Some(&JobId(1 + 100 * 19)));
    assert_eq!(jobs.offset + jobs.cursor.index, 99_999 - 100 * 19);
    for _ in 0..400 {
        jobs.moved(Action::PageUp);
        shelf.settle(&mut jobs);
    }
    assert!(jobs.rows.len() <= KEEP * 3 + PAGE, "what is far away is forgotten: {}", jobs.rows.len());
    assert_eq!(jobs.cursor.key(), Some(&JobId(1 + 500 * 19)));
    jobs.moved(Action::Top);
    shelf.settle(&mut jobs);
    assert_eq!((jobs.cursor.key(), jobs.offset), (Some(&JobId(99_991)), 0));
}

#[test]
fn the_selection_stays_with_its_job_when_others_come_and_when_it_moves() {
    let mut shelf = Shelf::new(50, 10);
    let mut jobs = Jobs::default();
    shelf.settle(&mut jobs);
    jobs.moved(Action::Down);
    assert_eq!(jobs.cursor.key(), Some(&JobId(42)));
    let done = shelf.rows.iter_mut().find(|r| r.id == JobId(42)).unwrap();
    done.state = JobState::Done;
    done.finished_at = Some(Timestamp(1_000));
    shelf.rows.sort_by_key(JobRow::place);
    jobs.touch();
    shelf.settle(&mut jobs);
    assert_eq!((jobs.cursor.key(), jobs.cursor.index), (Some(&JobId(42)), 9), "first of those that are over");
}

#[test]
fn a_row_that_is_gone_leaves_the_list() {
    let mut shelf = Shelf::new(50, 0);
    let mut jobs = Jobs::default();
    shelf.settle(&mut jobs);
    shelf.rows.retain(|r| r.id.0 % 2 == 0);
    jobs.touch();
    shelf.settle(&mut jobs);
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
