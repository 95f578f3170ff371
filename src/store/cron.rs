//! Schedules: what is known of each entry, and its fires. A fire is a row before it is a job, unique by entry and time.

use super::events::Event;
use super::jobs::Added;
use super::row;
use super::{Store, StoreError, Tx};
use crate::domain::{Applied, Command, CronEntry, Fire, FireOutcome, JobId, JobSpec, JobState, ProjectId, Quiet, Timestamp};
use rusqlite::{Row, params};
use std::collections::BTreeMap;
use std::time::Duration;

/// The text of the last `cron.toml` that was whole.
pub const CRON_GOOD: &str = "cron_good";

/// How long fires are kept. The newest of each entry stays.
const KEPT: Duration = Duration::from_secs(90 * 86_400);

/// A fire that was recorded further ahead than this was so by a clock that was wrong, or that has been set back since: it holds nothing
/// back. One that is nearer does: a clock that is corrected by a little is not to make up for anything twice.
const AHEAD: Duration = Duration::from_secs(3 * 3600);

/// How many of an entry's last jobs say what the next will use.
const SAMPLES: u32 = 5;

/// What is known of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CronState {
    pub since: Timestamp,
    /// What the operator said, if they did.
    pub enabled: Option<bool>,
    pub quiet: Quiet,
    /// The last fire that is accounted for.
    pub last: Option<Timestamp>,
    /// The job of an earlier fire that is still open.
    pub open: Option<JobId>,
}

impl CronState {
    /// Fires up to here are accounted for. A clock that was set back leaves `since` ahead: fires begin anew with now.
    pub fn after(&self, now: Timestamp) -> Timestamp {
        self.since.min(now).max(self.last.unwrap_or_default())
    }
}

/// A fire that is about to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewFire<'a> {
    pub name: &'a str,
    pub at: Timestamp,
    pub missed: u32,
    pub manual: bool,
    /// The project that its job is for, where the entry makes one for each.
    pub project: Option<ProjectId>,
}

impl Tx<'_> {
    /// Takes over what the file says: an entry that is new, that is switched on, or whose times have changed, begins now. Fires of long
    /// ago are forgotten. The names of those that are new or changed.
    ///
    /// # Errors
    /// The database.
    pub fn take_cron(&self, entries: &[CronEntry], now: Timestamp) -> Result<Vec<String>, StoreError> {
        let mut changed = Vec::new();
        let known: BTreeMap<String, String> =
            row::all(self, "SELECT name, times FROM cron_entries", [], |r| Ok((r.get(0)?, r.get(1)?)))?.into_iter().collect();
        for e in entries.iter().filter(|e| known.get(&e.name) != Some(&e.times())) {
            self.run(
                "INSERT INTO cron_entries (name, times, since) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET times = ?2, since = ?3, quiet = 0, skip = 0",
                params![e.name, e.times(), now.0],
            )?;
            changed.push(e.name.clone());
        }
        for e in entries {
            self.run(
                "UPDATE cron_entries SET listed = ?2,
                    since = CASE WHEN coalesce(enabled, listed) = 0 AND coalesce(enabled, ?2) = 1 THEN ?3 ELSE since END
                 WHERE name = ?1 AND listed IS NOT ?2",
                params![e.name, e.enabled, now.0],
            )?;
        }
        for (name, _) in known.iter().filter(|(name, times)| !times.is_empty() && !entries.iter().any(|e| e.name == **name)) {
            self.run("UPDATE cron_entries SET times = '' WHERE name = ?1", [name])?;
        }
        self.run(
            "DELETE FROM cron_fires WHERE recorded_at < ?1 AND id NOT IN (SELECT max(id) FROM cron_fires WHERE manual = 0 GROUP BY name)",
            [(now - KEPT).0],
        )?;
        Ok(changed)
    }

    /// Looks whether the clock was set back by hours since the last fires: then those that lie ahead of it hold nothing back. That none
    /// happens twice is the rows' own doing. True where it was.
    ///
    /// # Errors
    /// The database.
    pub fn cron_set_back(&self, now: Timestamp) -> Result<bool, StoreError> {
        const NEWEST: &str = "FROM cron_fires f WHERE f.name = cron_entries.name AND f.manual = 0 ORDER BY f.id DESC LIMIT 1";
        let n = self.run(
            &format!("UPDATE cron_entries SET anew = (SELECT f.id {NEWEST}) WHERE (SELECT f.recorded_at > ?1 AND f.id > anew {NEWEST})"),
            [(now + AHEAD).0],
        )?;
        Ok(n > 0)
    }

    /// Writes a fire that makes no job. False: it is written already.
    ///
    /// # Errors
    /// The database.
    pub fn pass_fire(&self, fire: &NewFire<'_>, outcome: FireOutcome, note: Option<&str>, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.write_fire(fire, outcome, note, now)?.is_some())
    }

    /// Writes a fire for which an open job serves already. False: it is written already.
    ///
    /// # Errors
    /// The database.
    pub fn duplicate_fire(&self, fire: &NewFire<'_>, job: JobId, now: Timestamp) -> Result<bool, StoreError> {
        let Some(id) = self.write_fire(fire, FireOutcome::Duplicate, Some(&format!("job {job} is open")), now)? else { return Ok(false) };
        self.run("UPDATE cron_fires SET job_id = ?1 WHERE id = ?2", [job.0, id]).map(|_| true)
    }

    pub(super) fn write_fire(
        &self,
        f: &NewFire<'_>,
        outcome: FireOutcome,
        note: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        // A job settles its fire later; the others are settled as they are.
        let settled = (outcome != FireOutcome::Fired).then_some(now.0);
        let n = self.run(
            "INSERT OR IGNORE INTO cron_fires (name, at, recorded_at, outcome, missed, manual, settled_at, note, project_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![f.name, f.at.0, now.0, outcome.as_str(), f.missed, f.manual, settled, note, f.project.map(|p| p.0)],
        )?;
        Ok((n == 1).then(|| self.last_id()))
    }

    /// Writes a fire, then makes its job, whose dedup key `spec` carries. `None`: it is written already. A job that cannot be made
    /// is the fire's outcome, not an error.
    ///
    /// # Errors
    /// The database.
    pub fn fire(&self, f: &NewFire<'_>, spec: &JobSpec, actor: &str, now: Timestamp) -> Result<Option<FireOutcome>, StoreError> {
        let Some(id) = self.write_fire(f, FireOutcome::Fired, None, now)? else { return Ok(None) };
        let end = |outcome: FireOutcome, note: Option<&str>, job: Option<JobId>| {
            self.run(
                "UPDATE cron_fires SET outcome = ?1, note = ?2, job_id = ?3, settled_at = CASE WHEN ?1 <> 'fired' THEN ?4 END WHERE id = ?5",
                params![outcome.as_str(), note, job.map(|j| j.0), now.0, id],
            )?;
            Ok(Some(outcome))
        };
        match self.add_job(spec, actor, now) {
            Ok(Added { job, existing: true }) => end(FireOutcome::Duplicate, Some(&format!("job {job} is open")), Some(job)),
            Ok(Added { job, existing: false }) => {
                self.run("UPDATE jobs SET cron = ?1 WHERE id = ?2", params![f.name, job.0])?;
                end(FireOutcome::Fired, None, Some(job))
            }
            Err(e @ (StoreError::NoJob(_) | StoreError::Unknown { .. } | StoreError::Invalid(_))) => {
                let text = format!("{}: {e}", f.name);
                self.event(&Event { severity: "warn", ..Event::new(now, actor, "cron", &text) })?;
                end(FireOutcome::Refused, Some(&e.to_string()), None)
            }
            Err(e) => Err(e),
        }
    }

    /// Gives the newest fire of an entry that has no job yet the job that was made for it elsewhere.
    ///
    /// # Errors
    /// The database.
    pub fn link_fire(&self, name: &str, job: JobId) -> Result<(), StoreError> {
        self.run("UPDATE jobs SET cron = ?1 WHERE id = ?2 AND cron IS NULL", params![name, job.0])?;
        self.run(
            "UPDATE cron_fires SET job_id = ?2 WHERE id =
             (SELECT max(id) FROM cron_fires WHERE name = ?1 AND job_id IS NULL AND outcome = 'fired' AND settled_at IS NULL)",
            params![name, job.0],
        )
        .map(drop)
    }

    /// A fire's job is over, or none came of it. `found`: whether it found something to do, where somebody looked.
    ///
    /// # Errors
    /// The database.
    pub fn settle_fire(&self, fire: i64, found: Option<bool>, now: Timestamp) -> Result<(), StoreError> {
        self.run("UPDATE cron_fires SET found = ?1, settled_at = ?2 WHERE id = ?3", params![found, now.0, fire]).map(drop)
    }

    /// How far an entry has slowed down, or its part for one project: `key` as `CronEntry::quiet_key`.
    ///
    /// # Errors
    /// The database.
    pub fn set_quiet(&self, key: &str, quiet: Quiet) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO cron_entries (name, times, since, quiet, skip) VALUES (?3, '', 0, ?1, ?2)
             ON CONFLICT (name) DO UPDATE SET quiet = ?1, skip = ?2",
            params![quiet.streak, quiet.skip, key],
        )
        .map(drop)
    }

    /// Wakes an entry that has slowed down, and its parts.
    fn wake_cron(&self, name: &str) -> Result<(), StoreError> {
        self.run("UPDATE cron_entries SET quiet = 0, skip = 0 WHERE name = ?1 OR name GLOB ?1 || ':*'", [name]).map(drop)
    }

    /// Switches an entry on or off, or leaves that to the file again. What it had missed while it was off is none of its own.
    pub(super) fn set_cron(&self, name: &str, enabled: Option<bool>, actor: &str, now: Timestamp) -> Result<Applied, StoreError> {
        let old = row::optional(self, "SELECT enabled FROM cron_entries WHERE name = ?1", [name], |r| r.get::<_, Option<bool>>(0))?;
        self.run(
            "INSERT INTO cron_entries (name, times, since, enabled) VALUES (?1, '', ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET enabled = ?3,
                 since = CASE WHEN coalesce(enabled, listed, 0) = 0 AND coalesce(?3, listed, 0) = 1 THEN ?2 ELSE since END",
            params![name, now.0, enabled],
        )?;
        if enabled == Some(true) {
            self.wake_cron(name)?;
        }
        let message = match enabled {
            Some(true) => format!("schedule {name} enabled"),
            Some(false) => format!("schedule {name} disabled"),
            None => format!("schedule {name} as cron.toml says"),
        };
        self.event(&Event::new(now, actor, "cron", &message))?;
        Ok(Applied::Done { message, undo: Some(Command::SetCron { name: name.to_owned(), enabled: old.flatten() }) })
    }

    /// A fire that the operator asks for. It wakes an entry that has slowed down.
    pub(super) fn run_cron(&self, name: &str, spec: &JobSpec, each: bool, actor: &str, now: Timestamp) -> Result<Applied, StoreError> {
        let f = NewFire { name, at: now, missed: 0, manual: true, project: None };
        self.wake_cron(name)?;
        if each {
            return self.run_each(&f, spec, actor, now);
        }
        let outcome = self.fire(&f, spec, actor, now)?;
        let made = row::optional(
            self,
            "SELECT job_id, note FROM cron_fires WHERE name = ?1 AND manual = 1 ORDER BY id DESC LIMIT 1",
            [name],
            |r| Ok((r.get::<_, Option<i64>>(0)?.map(JobId), r.get::<_, Option<String>>(1)?)),
        )?;
        Ok(match (outcome, made) {
            (Some(outcome), Some((Some(job), _))) => Applied::Added { job, existing: outcome == FireOutcome::Duplicate },
            (_, made) => Applied::Refused { message: made.and_then(|(_, note)| note).unwrap_or_else(|| "it was fired just now".into()) },
        })
    }
}

const FIRES: &str = "SELECT f.*, j.state AS job_state,
    (SELECT coalesce(sum(t.input + t.output + t.cache_write), 0) FROM attempts t WHERE t.job_id = f.job_id) AS tokens
    FROM cron_fires f LEFT JOIN jobs j ON j.id = f.job_id";

impl Store {
    /// What is known of each entry, by name; and of the parts of entries, by their key.
    ///
    /// # Errors
    /// The database.
    pub fn cron_states(&self, now: Timestamp) -> Result<BTreeMap<String, CronState>, StoreError> {
        let all = row::all(
            self,
            "SELECT e.*,
                (SELECT max(at) FROM cron_fires f WHERE f.name = e.name AND f.manual = 0
                    AND (f.at <= ?2 OR f.at <= ?1 AND f.id > e.anew)) AS last,
                (SELECT min(id) FROM jobs j WHERE j.cron = e.name AND j.state IN ('waiting', 'queued', 'running', 'reviewing')) AS open
             FROM cron_entries e",
            [(now + AHEAD).0, now.0],
            |r| {
                let state = CronState {
                    since: row::time(r, "since")?,
                    enabled: r.get("enabled")?,
                    quiet: Quiet { streak: r.get("quiet")?, skip: r.get("skip")? },
                    last: row::opt_time(r, "last")?,
                    open: r.get::<_, Option<i64>>("open")?.map(JobId),
                };
                Ok((r.get("name")?, state))
            },
        )?;
        Ok(all.into_iter().collect())
    }

    /// Fires, newest first; of one entry, or of all.
    ///
    /// # Errors
    /// The database.
    pub fn fires(&self, name: Option<&str>, limit: usize) -> Result<Vec<Fire>, StoreError> {
        let sql = format!("{FIRES} WHERE ?1 IS NULL OR f.name = ?1 ORDER BY f.id DESC LIMIT ?2");
        row::all(self, &sql, params![name, i64::try_from(limit).unwrap_or(i64::MAX)], read)
    }

    /// Fires whose jobs were open when somebody last looked.
    ///
    /// # Errors
    /// The database.
    pub fn unsettled_fires(&self) -> Result<Vec<Fire>, StoreError> {
        row::all(self, &format!("{FIRES} WHERE f.settled_at IS NULL AND f.job_id IS NOT NULL ORDER BY f.id"), [], read)
    }

    /// Fires of an entry that still wait for a job that is made elsewhere, by id.
    ///
    /// # Errors
    /// The database.
    pub fn jobless_fires(&self, name: &str) -> Result<Vec<i64>, StoreError> {
        row::all(
            self,
            "SELECT id FROM cron_fires WHERE name = ?1 AND job_id IS NULL AND outcome = 'fired' AND settled_at IS NULL",
            [name],
            |r| r.get(0),
        )
    }

    /// The entry that a job came from, if from one.
    ///
    /// # Errors
    /// The database.
    pub fn cron_of(&self, job: JobId) -> Result<Option<String>, StoreError> {
        row::optional(self, "SELECT cron FROM jobs WHERE id = ?1", [job.0], |r| r.get(0)).map(Option::flatten)
    }

    /// Where a job's last result is.
    ///
    /// # Errors
    /// The database.
    pub fn result_path(&self, job: JobId) -> Result<Option<String>, StoreError> {
        row::optional(
            self,
            "SELECT result_file FROM attempts WHERE job_id = ?1 AND result_file IS NOT NULL ORDER BY id DESC LIMIT 1",
            [job.0],
            |r| r.get(0),
        )
    }

    /// What a job of each entry uses, from its last ones that are done: input, output and cache writes.
    ///
    /// # Errors
    /// The database.
    pub fn cron_tokens(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let all = row::all(
            self,
            "SELECT e.name, (SELECT avg(tokens) FROM (
                SELECT (SELECT coalesce(sum(t.input + t.output + t.cache_write), 0) FROM attempts t WHERE t.job_id = j.id) AS tokens
                FROM jobs j WHERE j.cron = e.name AND j.state = 'done' ORDER BY j.id DESC LIMIT ?1)) AS tokens
             FROM cron_entries e",
            [SAMPLES],
            |r| Ok((r.get(0)?, r.get::<_, Option<f64>>(1)?)),
        )?;
        Ok(all.into_iter().filter_map(|(name, tokens)| Some((name, tokens? as u64))).collect())
    }
}

fn read(r: &Row<'_>) -> rusqlite::Result<Fire> {
    Ok(Fire {
        id: r.get("id")?,
        name: r.get("name")?,
        at: row::time(r, "at")?,
        recorded_at: row::time(r, "recorded_at")?,
        outcome: row::word(r, "outcome")?,
        missed: r.get("missed")?,
        project: r.get::<_, Option<i64>>("project_id")?.map(ProjectId),
        job: r.get::<_, Option<i64>>("job_id")?.map(JobId),
        job_state: row::opt_word::<JobState>(r, "job_state")?,
        manual: r.get("manual")?,
        found: r.get("found")?,
        note: r.get("note")?,
        tokens: row::count(r, "tokens")?,
    })
}
