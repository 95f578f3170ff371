//! What consoles and lists read: keyset pages of jobs and of the log, newest first, and the figures of a day.

use super::row;
use super::{Store, StoreError};
use crate::domain::{AttemptId, JobFilter, JobId, JobRow, Lane, LogFilter, LogLine, Page, Priority, ProjectId, StateCounts, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

pub(super) const ROW: &str = "SELECT j.id, j.title, j.state, j.wait_reason, j.priority, j.lane, j.backend, j.kind, j.model, coalesce(a.worker, j.worker) AS worker_name,
    j.project_id, (SELECT p.title FROM projects p WHERE p.id = j.project_id) AS project, j.attempts, j.max_attempts, j.attempt_id, j.outcome, j.note, j.not_before, j.created_at, j.queued_at, j.ready_at, j.started_at, j.finished_at,
    (SELECT count(*) FROM dependencies d JOIN jobs p ON p.id = d.depends_on WHERE d.job_id = j.id AND p.state <> 'done' AND d.waived = 0) AS open_dependencies,
    (SELECT coalesce(sum(t.input + t.output + t.cache_write + t.estimated), 0) FROM attempts t WHERE t.job_id = j.id) AS tokens,
    (SELECT coalesce(sum(t.cost_usd), 0.0) FROM attempts t WHERE t.job_id = j.id) AS cost_usd
    FROM jobs j LEFT JOIN attempts a ON a.id = j.attempt_id";

const LOG: &str =
    "SELECT id, at, severity, actor, what, job_id, attempt_id, text, (SELECT j.title FROM jobs j WHERE j.id = job_id) AS title FROM events";

/// Figures since an instant (the operator's midnight).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Day {
    pub created: u64,
    pub done: u64,
    pub failed: u64,
    pub tokens: u64,
    pub cost_usd: f64,
}

impl Store {
    /// A page of jobs, newest first.
    ///
    /// # Errors
    /// The database.
    pub fn jobs(&self, filter: &JobFilter, page: Page) -> Result<Vec<JobRow>, StoreError> {
        let (mut clauses, mut values) = conditions(filter);
        if let Some(before) = page.before {
            clauses.push("j.id < ?".into());
            values.push(before.into());
        }
        let sql = format!("{ROW} {} ORDER BY j.id DESC LIMIT {}", wher(&clauses), page.limit);
        row::all(self, &sql, params_from_iter(values), read_row)
    }

    /// How many jobs there are in each state, whatever the filter's own states.
    ///
    /// # Errors
    /// The database.
    pub fn job_counts(&self, filter: &JobFilter) -> Result<StateCounts, StoreError> {
        let (clauses, values) = conditions(&JobFilter { states: Vec::new(), ..filter.clone() });
        let sql = format!("SELECT j.state, count(*) AS n FROM jobs j {} GROUP BY j.state", wher(&clauses));
        Ok(row::all(self, &sql, params_from_iter(values), |r| Ok((r.get::<_, String>(0)?, row::count(r, "n")?)))?.into_iter().collect())
    }

    /// Rows of the given jobs, in the given order; those that are gone are left out.
    ///
    /// # Errors
    /// The database.
    pub fn job_rows(&self, ids: &[JobId]) -> Result<Vec<JobRow>, StoreError> {
        let sql = format!("{ROW} WHERE j.id = ?1");
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            rows.extend(row::optional(self, &sql, [id.0], read_row)?);
        }
        Ok(rows)
    }

    /// The jobs that `job` depends on.
    ///
    /// # Errors
    /// The database.
    pub fn dependencies(&self, job: JobId) -> Result<Vec<JobRow>, StoreError> {
        let sql = format!("{ROW} JOIN dependencies x ON x.depends_on = j.id WHERE x.job_id = ?1 ORDER BY j.id");
        row::all(self, &sql, [job.0], read_row)
    }

    /// The jobs that depend on `job`.
    ///
    /// # Errors
    /// The database.
    pub fn dependents(&self, job: JobId) -> Result<Vec<JobRow>, StoreError> {
        let sql = format!("{ROW} JOIN dependencies x ON x.job_id = j.id WHERE x.depends_on = ?1 ORDER BY j.id");
        row::all(self, &sql, [job.0], read_row)
    }

    /// A page of the audit log, newest first.
    ///
    /// # Errors
    /// The database.
    pub fn log(&self, filter: &LogFilter, page: Page) -> Result<Vec<LogLine>, StoreError> {
        let mut clauses = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        if let Some(job) = filter.job {
            clauses.push("job_id = ?".to_owned());
            values.push(job.0.into());
        }
        if !filter.text.is_empty() {
            clauses.push(
                "(text LIKE ? ESCAPE '\\' OR actor LIKE ? ESCAPE '\\' OR what LIKE ? ESCAPE '\\' OR title LIKE ? ESCAPE '\\')".to_owned(),
            );
            values.extend(std::iter::repeat_n(Value::from(like(&filter.text)), 4));
        }
        if let Some(before) = page.before {
            clauses.push("id < ?".to_owned());
            values.push(before.into());
        }
        let sql = format!("{LOG} {} ORDER BY id DESC LIMIT {}", wher(&clauses), page.limit);
        row::all(self, &sql, params_from_iter(values), read_log)
    }

    /// The log after an event, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn log_after(&self, after: i64, limit: usize) -> Result<Vec<LogLine>, StoreError> {
        row::all(self, &format!("{LOG} WHERE id > ?1 ORDER BY id LIMIT ?2"), [after, limit as i64], read_log)
    }

    /// The figures since an instant; those who review or test others count for what they cost only.
    ///
    /// # Errors
    /// The database.
    pub fn day(&self, since: Timestamp) -> Result<Day, StoreError> {
        let created = row::one(self, "SELECT count(*) AS n FROM jobs WHERE created_at >= ?1 AND origin <> 'review'", [since.0], |r| {
            row::count(r, "n")
        })?;
        let (done, failed) = row::one(
            self,
            "SELECT coalesce(sum(state = 'done'), 0) AS done, coalesce(sum(state = 'failed'), 0) AS failed FROM jobs
             WHERE finished_at IS NOT NULL AND finished_at >= ?1 AND origin <> 'review'",
            [since.0],
            |r| Ok((row::count(r, "done")?, row::count(r, "failed")?)),
        )?;
        let (tokens, cost_usd) = row::one(
            self,
            "SELECT coalesce(sum(input + output + cache_write + estimated), 0) AS tokens, coalesce(sum(cost_usd), 0.0) FROM attempts
             WHERE id IN (SELECT id FROM attempts WHERE ended_at >= ?1 UNION SELECT id FROM attempts WHERE ended_at IS NULL)",
            [since.0],
            |r| Ok((row::count(r, "tokens")?, r.get(1)?)),
        )?;
        Ok(Day { created, done, failed, tokens, cost_usd })
    }
}

pub(super) fn conditions(f: &JobFilter) -> (Vec<String>, Vec<Value>) {
    let mut clauses = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    if !f.states.is_empty() {
        clauses.push(format!("j.state IN ({})", vec!["?"; f.states.len()].join(", ")));
        values.extend(f.states.iter().map(|s| Value::from(s.as_str().to_owned())));
    }
    if let Some(lane) = f.lane {
        clauses.push("j.lane = ?".into());
        values.push(i64::from(lane.number()).into());
    }
    if let Some(p) = f.project_id {
        clauses.push("j.project_id = ?".into());
        values.push(p.into());
    }
    if let Some(p) = &f.project {
        clauses.push("j.project_id IN (SELECT p.id FROM projects p WHERE p.title LIKE ? ESCAPE '\\' OR p.id = ?)".into());
        values.extend([Value::from(like(p)), Value::from(p.trim_start_matches('#').parse::<i64>().unwrap_or(0))]);
    }
    if let Some(b) = &f.backend {
        clauses.push("j.backend LIKE ? ESCAPE '\\'".into());
        values.push(like(b).into());
    }
    if let Some(id) = f.text.strip_prefix('#').and_then(|n| n.parse::<i64>().ok()) {
        clauses.push("j.id = ?".into());
        values.push(id.into());
    } else if !f.text.is_empty() {
        clauses.push(
            "(j.title LIKE ? ESCAPE '\\' OR j.backend LIKE ? ESCAPE '\\' OR j.tags LIKE ? ESCAPE '\\'
              OR EXISTS (SELECT 1 FROM attempts w WHERE w.job_id = j.id AND w.worker LIKE ? ESCAPE '\\'))"
                .into(),
        );
        values.extend(std::iter::repeat_n(Value::from(like(&f.text)), 4));
    }
    (clauses, values)
}

pub(super) fn wher(clauses: &[String]) -> String {
    if clauses.is_empty() { String::new() } else { format!("WHERE {}", clauses.join(" AND ")) }
}

/// A LIKE pattern that finds `text` anywhere.
fn like(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

pub(super) fn read_row(r: &Row<'_>) -> rusqlite::Result<JobRow> {
    Ok(JobRow {
        id: JobId(r.get("id")?),
        title: r.get("title")?,
        state: row::word(r, "state")?,
        wait_reason: row::opt_word(r, "wait_reason")?,
        priority: Priority::new(r.get("priority")?).unwrap_or(Priority::P5),
        lane: Lane::try_from(r.get::<_, u8>("lane")?).unwrap_or(Lane::Background),
        backend: r.get("backend")?,
        kind: row::word(r, "kind")?,
        model: r.get("model")?,
        worker: r.get("worker_name")?,
        project_id: r.get::<_, Option<i64>>("project_id")?.map(ProjectId),
        project: r.get("project")?,
        attempts: r.get("attempts")?,
        max_attempts: r.get("max_attempts")?,
        attempt: r.get::<_, Option<i64>>("attempt_id")?.map(AttemptId),
        outcome: row::opt_word(r, "outcome")?,
        note: r.get("note")?,
        open_dependencies: r.get("open_dependencies")?,
        not_before: row::opt_time(r, "not_before")?,
        created_at: row::time(r, "created_at")?,
        queued_at: row::opt_time(r, "queued_at")?,
        ready_at: row::opt_time(r, "ready_at")?,
        started_at: row::opt_time(r, "started_at")?,
        finished_at: row::opt_time(r, "finished_at")?,
        tokens: row::count(r, "tokens")?,
        cost_usd: r.get("cost_usd")?,
    })
}

fn read_log(r: &Row<'_>) -> rusqlite::Result<LogLine> {
    Ok(LogLine {
        id: r.get("id")?,
        at: row::time(r, "at")?,
        severity: row::word(r, "severity")?,
        actor: r.get("actor")?,
        what: r.get("what")?,
        job: r.get::<_, Option<i64>>("job_id")?.map(JobId),
        title: r.get("title")?,
        attempt: r.get::<_, Option<i64>>("attempt_id")?.map(AttemptId),
        text: r.get("text")?,
    })
}
