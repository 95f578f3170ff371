//! What has had its time: which attempts and jobs are over for so long that nothing needs them, and the nightly copy of the database.

use super::row;
use super::{Store, StoreError, Tx};
use crate::domain::{AttemptId, JobId, Timestamp};
use rusqlite::params;
use std::collections::BTreeSet;
use std::path::Path;

/// Rows that one transaction deletes: others want to write too.
const CHUNK: i64 = 2000;

/// A job that is over since before `?1`, and that nothing that is not over looks at: no job depends on it, no round of review.
const OVER: &str = "j.finished_at IS NOT NULL AND j.finished_at < ?1
    AND NOT EXISTS (SELECT 1 FROM dependencies d JOIN jobs o ON o.id = d.job_id WHERE d.depends_on = j.id AND o.finished_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM reviews r JOIN jobs o ON o.id = r.job_id
                    WHERE (r.test_job_id = j.id OR r.review_job_id = j.id) AND (r.ended_at IS NULL OR o.finished_at IS NULL))
    AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.job_id = j.id AND (a.ended_at IS NULL OR a.ended_at >= ?1))";

impl Store {
    /// The jobs that were over before an instant, and that nothing that is not over needs.
    ///
    /// # Errors
    /// The database.
    pub fn jobs_over_before(&self, at: Timestamp) -> Result<BTreeSet<JobId>, StoreError> {
        let sql = format!("SELECT j.id FROM jobs j WHERE {OVER}");
        Ok(row::all(self, &sql, [at.0], row::job_ids)?.into_iter().collect())
    }

    /// Their attempts.
    ///
    /// # Errors
    /// The database.
    pub fn attempts_over_before(&self, at: Timestamp) -> Result<BTreeSet<AttemptId>, StoreError> {
        let sql = format!("SELECT t.id FROM attempts t JOIN jobs j ON j.id = t.job_id WHERE {OVER}");
        Ok(row::all(self, &sql, [at.0], |r| r.get(0).map(AttemptId))?.into_iter().collect())
    }

    /// How many events are older than an instant and belong to no job that is not over since then.
    ///
    /// # Errors
    /// The database.
    pub fn events_before(&self, at: Timestamp) -> Result<u64, StoreError> {
        row::one(self, &format!("SELECT count(*) AS n FROM events e WHERE {OLD_EVENT}"), [at.0], |r| row::count(r, "n"))
    }

    /// Deletes those events, a part at a time; how many.
    ///
    /// # Errors
    /// The database.
    pub fn forget_events_before(&mut self, at: Timestamp) -> Result<u64, StoreError> {
        let mut gone = 0;
        loop {
            let sql = format!("DELETE FROM events WHERE id IN (SELECT e.id FROM events e WHERE {OLD_EVENT} LIMIT ?2)");
            let n = self.write(|tx: &Tx<'_>| tx.run(&sql, params![at.0, CHUNK]))?;
            gone += n as u64;
            if n < CHUNK as usize {
                return Ok(gone);
            }
        }
    }

    /// Deletes the tokens' record from before an instant, but for what runs: only the rolling window reads it.
    ///
    /// # Errors
    /// The database.
    pub fn forget_spending_before(&mut self, at: Timestamp) -> Result<u64, StoreError> {
        let mut gone = 0;
        loop {
            let n = self.write(|tx: &Tx<'_>| {
                tx.run(
                    "DELETE FROM spending WHERE id IN (SELECT s.id FROM spending s JOIN attempts a ON a.id = s.attempt_id
                     WHERE s.at < ?1 AND a.ended_at IS NOT NULL LIMIT ?2)",
                    params![at.0, CHUNK],
                )
            })?;
            gone += n as u64;
            if n < CHUNK as usize {
                return Ok(gone);
            }
        }
    }

    /// Deletes fires of schedules that were recorded before an instant and are settled; the newest of each entry stays, since the next
    /// ones follow from it. How many.
    ///
    /// # Errors
    /// The database.
    pub fn forget_fires_before(&mut self, at: Timestamp) -> Result<u64, StoreError> {
        self.write(|tx: &Tx<'_>| tx.run(&format!("DELETE FROM cron_fires WHERE {OLD_FIRE}"), [at.0])).map(|n| n as u64)
    }

    /// How many those are.
    ///
    /// # Errors
    /// The database.
    pub fn fires_before(&self, at: Timestamp) -> Result<u64, StoreError> {
        row::one(self, &format!("SELECT count(*) AS n FROM cron_fires WHERE {OLD_FIRE}"), [at.0], |r| row::count(r, "n"))
    }

    /// Writes a whole copy of the database to a file that must not exist, while others go on writing; what is wrong with the
    /// copy, nothing if it is whole.
    ///
    /// # Errors
    /// The disk is full, the file is there.
    pub fn copy_to(&self, to: &Path) -> Result<Vec<String>, StoreError> {
        self.conn.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map_err(|e| self.error(e))?;
        super::owner_only(to);
        Store::open_reader(to)?.check()
    }
}

/// The newest event stays whatever its age: processes follow the log from it.
const OLD_EVENT: &str = "e.at < ?1 AND e.id < (SELECT max(id) FROM events)
    AND (e.job_id IS NULL OR NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = e.job_id AND (j.finished_at IS NULL OR j.finished_at >= ?1)))";

const OLD_FIRE: &str =
    "recorded_at < ?1 AND settled_at IS NOT NULL AND id NOT IN (SELECT max(id) FROM cron_fires WHERE manual = 0 GROUP BY name)";
