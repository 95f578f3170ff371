//! Is the same job open already? Two tiers. The first is quick and may be wrong: in this process, or in Redis where `redis_url` is
//! set. The second is the database, whose unique index makes a duplicate impossible. So the first one's failure, its silence and
//! its lies cost time at most: never a fire, never a duplicate.

mod redis;

pub use redis::{RedisTier, ping};

use super::state::{Effect, State};
use crate::domain::{JobId, Timestamp};
use crate::store::{Event, StoreError, Tx};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// How long the first tier may take to answer; then the second decides alone.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// One wish to a first tier outside this process. The loop never waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DedupRequest {
    /// Which job holds a key? Answered by `Input::Looked`.
    Look { key: String },
    /// A job holds it from now on.
    Hold { key: String, job: JobId },
    /// That job holds it no more.
    Forget { key: String, job: JobId },
}

/// A first tier outside this process. Two implementations: Redis, and the simulation's.
pub trait FirstTier {
    /// Takes a request and returns at once.
    fn ask(&mut self, request: DedupRequest);
}

/// What the first tier says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    /// Nothing, or it cannot be asked.
    Free,
    /// This job holds it.
    Held(JobId),
    /// It has been asked; not later than then it counts as free.
    Asked { until: Timestamp },
}

/// The engine's view of the first tier.
#[derive(Default)]
pub(super) struct Dedup {
    /// It is outside this process.
    outside: bool,
    held: HashMap<String, JobId>,
    asked: BTreeMap<String, Timestamp>,
    answers: BTreeMap<String, Option<JobId>>,
    /// Why it is not in use, while it is not.
    pub trouble: Option<String>,
}

impl Dedup {
    /// With a first tier in this process, or outside.
    pub fn new(outside: bool) -> Dedup {
        Dedup { outside, ..Dedup::default() }
    }

    /// Forgets what is not in the database.
    pub fn clear(&mut self) {
        self.held.clear();
        self.asked.clear();
        self.answers.clear();
    }

    pub fn look(&mut self, key: &str, now: Timestamp, out: &mut Vec<Effect>) -> Tier {
        if !self.outside {
            return self.held.get(key).map_or(Tier::Free, |job| Tier::Held(*job));
        }
        if let Some(answer) = self.answers.remove(key) {
            self.asked.remove(key);
            return answer.map_or(Tier::Free, Tier::Held);
        }
        match self.asked.get(key) {
            // Set back clocks make nobody wait for longer.
            Some(until) if *until > now && *until <= now + PATIENCE => Tier::Asked { until: *until },
            Some(_) => {
                self.asked.remove(key);
                Tier::Free
            }
            None => {
                let until = now + PATIENCE;
                self.asked.insert(key.to_owned(), until);
                out.push(Effect::Dedup(DedupRequest::Look { key: key.to_owned() }));
                Tier::Asked { until }
            }
        }
    }

    pub fn hold(&mut self, key: &str, job: JobId, out: &mut Vec<Effect>) {
        if self.outside {
            out.push(Effect::Dedup(DedupRequest::Hold { key: key.to_owned(), job }));
        } else {
            self.held.insert(key.to_owned(), job);
        }
    }

    pub fn forget(&mut self, key: &str, job: JobId, out: &mut Vec<Effect>) {
        if self.outside {
            out.push(Effect::Dedup(DedupRequest::Forget { key: key.to_owned(), job }));
        } else if self.held.get(key) == Some(&job) {
            self.held.remove(key);
        }
    }
}

impl State {
    /// The first tier has answered, or says why it cannot.
    pub(super) fn on_looked(
        &mut self,
        tx: &Tx<'_>,
        key: Option<String>,
        found: Result<Option<JobId>, String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let trouble = found.as_ref().err().cloned();
        if trouble != self.dedup.trouble {
            let (severity, says) = match &trouble {
                Some(why) => ("warn", format!("Redis is not in use, the database alone keeps duplicates out: {why}")),
                None => ("info", "Redis answers again".to_owned()),
            };
            tx.event(&Event { severity, ..Event::new(now, "engine", "dedup", &says) })?;
            self.dedup.trouble = trouble;
        }
        // A late answer is of no use: the question has been decided.
        if let Some(key) = key.filter(|k| self.dedup.asked.contains_key(k)) {
            self.dedup.answers.insert(key, found.unwrap_or_default());
            self.cron.look = true;
        }
        Ok(())
    }
}
