//! Tokens over time, and what estimates have learned.

use super::row;
use super::{Store, StoreError, Tx};
use crate::domain::{AttemptId, Kind, Timestamp};
use rusqlite::params;
use std::collections::BTreeMap;

/// Tokens that were recorded at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    pub at: Timestamp,
    pub attempt: AttemptId,
    pub tokens: u64,
}

impl Store {
    /// What was spent since an instant, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn spent_since(&self, since: Timestamp) -> Result<Vec<Spent>, StoreError> {
        row::all(self, "SELECT at, attempt_id, tokens FROM spending WHERE at >= ?1 ORDER BY at, id", [since.0], |r| {
            Ok(Spent { at: row::time(r, "at")?, attempt: AttemptId(r.get(1)?), tokens: row::count(r, "tokens")? })
        })
    }

    /// Budgeted tokens that an attempt has in `spending`.
    ///
    /// # Errors
    /// The database.
    pub fn spent_by(&self, attempt: AttemptId) -> Result<u64, StoreError> {
        row::one(self, "SELECT coalesce(sum(tokens), 0) AS n FROM spending WHERE attempt_id = ?1", [attempt.0], |r| row::count(r, "n"))
    }

    /// Tokens beyond prompt and context per kind, as learned from finished attempts, with the number of samples.
    ///
    /// # Errors
    /// The database.
    pub fn learned(&self) -> Result<BTreeMap<Kind, (f64, u32)>, StoreError> {
        let rows = row::all(self, "SELECT kind, output, samples FROM learned", [], |r| {
            Ok((row::word::<Kind>(r, "kind")?, (r.get(1)?, r.get(2)?)))
        })?;
        Ok(rows.into_iter().collect())
    }
}

impl Tx<'_> {
    /// Replaces what is expected of a kind.
    ///
    /// # Errors
    /// The database.
    pub fn learn(&self, kind: Kind, work: f64, samples: u32) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO learned (kind, output, samples) VALUES (?1, ?2, ?3)
             ON CONFLICT (kind) DO UPDATE SET output = excluded.output, samples = excluded.samples",
            params![kind.as_str(), work, samples],
        )?;
        Ok(())
    }
}
