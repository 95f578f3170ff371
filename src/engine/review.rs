//! Consolidation: once a day, at the operator's time, a job reviews what happened and puts memory in order.

use super::learn::ATTEMPTS;
use super::memories::MemoryRequest;
use super::state::{Effect, State};
use crate::config::Backend;
use crate::domain::{JobSpec, Kind, Origin, Priority, Timestamp};
use crate::store::{Event, Store, StoreError, Tx};

/// Where the database keeps the last day that was reviewed.
pub const REVIEWED: &str = "memory_reviewed";

impl State {
    pub(super) fn reviews(&self) -> bool {
        let s = &self.settings;
        self.remembers && s.memory && self.backends.get(&s.memory_backend).is_some_and(Backend::uses_model)
    }

    /// When the first review of this engine is due: at once, where today's time has passed without one.
    pub(super) fn first_review(&self, store: &Store, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        if !self.reviews() {
            return Ok(None);
        }
        let reviewed = store.meta(REVIEWED)?;
        let today = self.settings.day(now);
        let next = self.settings.next_review(now);
        let passed = next.is_some_and(|t| self.settings.day(t) > today);
        // A workspace that never had one begins with the next, not with a day of which it saw the end only.
        let missed = passed && reviewed.is_some_and(|day| day < today);
        Ok(if missed { Some(now) } else { next })
    }

    /// Asks for the day's review when it is due.
    pub(super) fn review(&mut self, tx: &Tx<'_>, now: Timestamp, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        let _ = tx;
        if self.review_at.is_none_or(|t| t > now) {
            return Ok(());
        }
        self.review_at = self.settings.next_review(now);
        if self.reviews() && !self.cron.consolidates() {
            out.push(Effect::Memory(MemoryRequest::Digest { day: self.settings.day(now), now }));
        }
        Ok(())
    }

    /// The review's prompt is made: its job goes into the queue.
    pub(super) fn on_digest(
        &mut self,
        tx: &Tx<'_>,
        day: &str,
        prompt: Result<Option<String>, String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // A schedule and the setting may both have asked.
        if tx.meta(REVIEWED)?.is_some_and(|reviewed| reviewed == day) {
            return self.reviewed(tx, None, now);
        }
        let mut job = None;
        match prompt {
            Ok(Some(prompt)) => job = Some(tx.add_job(&review_job(&self.settings.memory_backend, day, prompt), "engine", now)?.job),
            Ok(None) => {}
            Err(message) => {
                let text = format!("no review of {day}: {message}");
                tx.event(&Event { severity: "warn", ..Event::new(now, "engine", "memory", &text) })?;
            }
        }
        tx.set_meta(REVIEWED, day)?;
        self.reviewed(tx, job, now)
    }
}

/// The job that reviews a day.
pub fn review_job(backend: &str, day: &str, prompt: String) -> JobSpec {
    JobSpec {
        kind: Kind::Consolidate,
        priority: Priority::P5,
        max_attempts: ATTEMPTS,
        dedup_key: Some(format!("consolidate:{day}")),
        origin: Origin::Engine,
        ..JobSpec::new(format!("Memory: review of {day}"), backend, prompt)
    }
}
