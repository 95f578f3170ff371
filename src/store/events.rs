//! The audit log: written with every change, in the change's transaction. It is also the feed of changes (`board`).

use super::{Store, StoreError, Tx};
use crate::domain::{AttemptId, JobId, JobState, Timestamp, WorkerId};

/// One row of the audit log, before it has an id.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    pub at: Timestamp,
    /// Who: `operator`, `engine`, `worker:NAME`.
    pub actor: &'a str,
    /// What happened, one word.
    pub what: &'a str,
    pub severity: &'static str,
    pub job: Option<JobId>,
    pub attempt: Option<AttemptId>,
    pub worker: Option<WorkerId>,
    pub from: Option<JobState>,
    pub to: Option<JobState>,
    /// Why, one line for people.
    pub text: &'a str,
}

impl<'a> Event<'a> {
    /// An informational event about nothing in particular; fill in the rest.
    pub fn new(at: Timestamp, actor: &'a str, what: &'a str, text: &'a str) -> Event<'a> {
        Event { at, actor, what, severity: "info", job: None, attempt: None, worker: None, from: None, to: None, text }
    }
}

impl Store {
    /// When the newest event happened.
    ///
    /// # Errors
    /// The database.
    pub fn newest_event_at(&self) -> Result<Option<Timestamp>, StoreError> {
        super::row::optional(self, "SELECT at FROM events ORDER BY id DESC LIMIT 1", [], |r| super::row::time(r, "at"))
    }

    /// When the oldest event happened that is kept.
    ///
    /// # Errors
    /// The database.
    pub fn oldest_event_at(&self) -> Result<Option<Timestamp>, StoreError> {
        super::row::optional(self, "SELECT at FROM events ORDER BY id LIMIT 1", [], |r| super::row::time(r, "at"))
    }

    /// The latest date among the newest events: a clock that was ahead has left dates behind that are still to come.
    ///
    /// # Errors
    /// The database.
    pub fn latest_event_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT max(at) AS at FROM (SELECT at FROM events ORDER BY id DESC LIMIT 5000)";
        super::row::one(self, sql, [], |r| super::row::opt_time(r, "at"))
    }
}

impl Tx<'_> {
    /// Appends to the audit log; the new row's id.
    ///
    /// # Errors
    /// The database.
    pub fn event(&self, e: &Event<'_>) -> Result<i64, StoreError> {
        self.run(
            "INSERT INTO events (at, actor, what, severity, job_id, attempt_id, worker_id, state_from, state_to, text)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            rusqlite::params![
                e.at.0,
                e.actor,
                e.what,
                e.severity,
                e.job.map(|j| j.0),
                e.attempt.map(|a| a.0),
                e.worker.map(|w| w.0),
                e.from.map(JobState::as_str),
                e.to.map(JobState::as_str),
                e.text
            ],
        )?;
        Ok(self.last_id())
    }
}
