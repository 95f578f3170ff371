//! Consolidation: once a day, at the operator's time, a job reviews what happened since the last review and puts memory in order.

use super::learn::ATTEMPTS;
use super::memories::MemoryRequest;
use super::state::{Effect, State};
use crate::config::{Backend, Settings};
use crate::domain::{AttemptId, JobSpec, Kind, LimitKind, Origin, Priority, Timestamp};
use crate::store::{Event, Store, StoreError, Tx};
use std::time::Duration;

/// Where the database keeps up to when has been reviewed, in milliseconds.
const REVIEWED: &str = "memory_reviewed_until";
/// Tag of a review: up to when it goes. Once its answer is kept, that is what has been reviewed.
const UNTIL: &str = "until:";
/// What the first review of a workspace looks back on.
const FIRST: Duration = Duration::from_secs(86_400);

/// What a review is about: what happened after `from`, up to `until`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The operator's day of its end: what it is called by.
    pub day: String,
    pub from: Timestamp,
    pub until: Timestamp,
    /// It goes on where the last review ended, so that the next one goes on where it ends.
    pub follows: bool,
}

impl Span {
    /// From the last review until an instant.
    ///
    /// # Errors
    /// The database.
    pub fn since_last(store: &Store, settings: &Settings, until: Timestamp) -> Result<Span, StoreError> {
        let from = reviewed_until(store)?.unwrap_or(until - FIRST);
        Ok(Span { day: settings.day(until), from, until, follows: true })
    }

    /// One whole day of the operator's, `YYYY-MM-DD`; `None` where there is no such day.
    pub fn of_day(settings: &Settings, day: &str) -> Option<Span> {
        let date = chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
        let begins = |date: chrono::NaiveDate| settings.instant(date.and_time(chrono::NaiveTime::MIN));
        let before = |at: Timestamp| Timestamp(at.0 - 1);
        Some(Span { day: date.to_string(), from: before(begins(date)), until: before(begins(date.succ_opt()?)), follows: false })
    }

    /// The days that it touches, by the operator's clock.
    pub fn days(&self, settings: &Settings) -> Vec<String> {
        let date = |at| settings.local(at).date();
        date(self.from).iter_days().take_while(|d| *d <= date(self.until)).map(|d| d.to_string()).collect()
    }
}

/// Up to when what happened has been reviewed, if ever.
///
/// # Errors
/// The database.
pub fn reviewed_until(store: &Store) -> Result<Option<Timestamp>, StoreError> {
    Ok(store.meta(REVIEWED)?.and_then(|ms| ms.parse().ok()).map(Timestamp))
}

impl State {
    /// The backend that judges what is worth remembering, or why there is none.
    pub(super) fn memory_judge(&self) -> Result<&Backend, String> {
        if !self.remembers || !self.settings.memory {
            return Err("memory is switched off".to_owned());
        }
        let held = |name: &str| self.switches.pauses.get(name).is_some_and(|(p, _)| p.limit.kind == LimitKind::Operator);
        self.settings.judge(&self.backends, |b| !held(&b.name) && (self.usable)(b))
    }

    /// When the first review of this engine is due: at once, where a time for it has passed without one.
    pub(super) fn first_review(&self, store: &Store, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let last = self.settings.next_review(now - FIRST).filter(|t| *t <= now);
        // A workspace that never had one begins with the next, not with a day of which it saw the end only.
        let missed = reviewed_until(store)?.is_some_and(|until| last.is_some_and(|last| until < last));
        Ok(if missed { last } else { self.settings.next_review(now) })
    }

    /// Asks for the review when it is due.
    pub(super) fn review(&mut self, tx: &Tx<'_>, now: Timestamp, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        let Some(due) = self.review_at.filter(|t| *t <= now) else { return Ok(()) };
        self.review_at = self.settings.next_review(now);
        if self.memory_judge().is_ok() && !self.cron.consolidates() {
            let span = Span::since_last(tx, &self.settings, due)?;
            out.push(Effect::Memory(MemoryRequest::Digest { span, now }));
        }
        Ok(())
    }

    /// The review's prompt is made: its job goes into the queue.
    pub(super) fn on_digest(
        &mut self,
        tx: &Tx<'_>,
        span: &Span,
        prompt: Result<Option<String>, String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let backend = self.memory_judge().map(|b| b.name.clone());
        let made = match prompt.and_then(|prompt| Ok((prompt, backend?))) {
            Ok((Some(prompt), backend)) => Ok(Some(tx.add_job(&review_job(&backend, span, prompt), "engine", now)?.job)),
            Ok((None, _)) => Ok(None),
            Err(message) => {
                // What was to be reviewed is still before the next one.
                let text = format!("no review of {}: {message}", span.day);
                tx.event(&Event { severity: "warn", ..Event::new(now, "engine", "memory", &text) })?;
                Err(message)
            }
        };
        self.reviewed(tx, made, now)
    }

    /// A review's answer is kept: the next one goes on where it ended.
    pub(super) fn review_kept(&self, tx: &Tx<'_>, attempt: AttemptId) -> Result<(), StoreError> {
        let job = tx.attempt_job(attempt)?.map(|job| tx.job(job)).transpose()?.flatten();
        let until = job.and_then(|j| j.spec.tags.iter().find_map(|t| t.strip_prefix(UNTIL)?.parse().ok())).map(Timestamp);
        match until {
            Some(until) if reviewed_until(tx)?.is_none_or(|known| known < until) => tx.set_meta(REVIEWED, &until.0.to_string()),
            _ => Ok(()),
        }
    }
}

/// The job that reviews what happened in a span.
pub fn review_job(backend: &str, span: &Span, prompt: String) -> JobSpec {
    JobSpec {
        kind: Kind::Consolidate,
        priority: Priority::P5,
        max_attempts: ATTEMPTS,
        dedup_key: Some(format!("consolidate:{}", span.day)),
        origin: Origin::Engine,
        tags: if span.follows { vec![format!("{UNTIL}{}", span.until.0)] } else { Vec::new() },
        ..JobSpec::new(format!("Memory: review of {}", span.day), backend, prompt)
    }
}
