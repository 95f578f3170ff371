//! Attempts: claimed, connected, followed, finished. Every write names the attempt and is void once it is over.

use super::events::Event;
use super::jobs::Move;
use super::row;
use super::{Store, StoreError, Tx};
use crate::domain::{
    Attempt, AttemptId, Charge, ExitReport, Inside, JobId, JobState, Next, Outcome, Priority, ProcessIdentity, ProjectId, Timestamp, Usage,
    WaitReason, WorkerId,
};
use rusqlite::{Row, params};

/// What it takes to claim a job.
#[derive(Clone, Debug)]
pub struct Claim {
    pub job: JobId,
    pub worker: WorkerId,
    pub worker_name: String,
    pub backend: String,
    pub model: Option<String>,
    pub epoch: u64,
    pub host: String,
    /// SHA-256 of the attempt's secret.
    pub token_hash: String,
    /// The session, where it is known before the start.
    pub session: Option<String>,
    pub directory: String,
    /// Tokens reserved.
    pub estimate: u64,
}

/// How an attempt ended and what follows.
#[derive(Clone, Debug)]
pub struct Finish<'a> {
    pub report: &'a ExitReport,
    pub next: Next,
    /// What counts against the budget for this attempt, in tokens.
    pub budgeted: u64,
    /// What of it is in `spending` already.
    pub recorded: u64,
    /// What it has cost.
    pub charge: Charge,
    /// The session is of no further use (unknown to the backend, or it broke).
    pub drop_session: bool,
}

/// An attempt that has not ended, as adoption needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenAttempt {
    pub attempt: Attempt,
    pub token_hash: String,
    pub job_title: String,
    pub kill_requested: bool,
}

impl Tx<'_> {
    /// Turns a queued job into a running one with an open attempt. `None`, and nothing written, if the job is not queued any
    /// more or the worker is taken.
    ///
    /// # Errors
    /// The database.
    pub fn claim(&self, c: &Claim, now: Timestamp) -> Result<Option<AttemptId>, StoreError> {
        self.conn.execute_batch("SAVEPOINT claim").map_err(|e| self.error(e))?;
        let claimed = self.claim_inner(c, now);
        let end = if matches!(claimed, Ok(Some(_))) { "RELEASE claim" } else { "ROLLBACK TO claim; RELEASE claim" };
        self.conn.execute_batch(end).map_err(|e| self.error(e))?;
        match claimed {
            Err(e) if e.is_conflict() => Ok(None),
            other => other,
        }
    }

    fn claim_inner(&self, c: &Claim, now: Timestamp) -> Result<Option<AttemptId>, StoreError> {
        self.run(
            "INSERT INTO attempts (job_id, number, worker_id, worker, backend, model, epoch, host, token_hash, session, directory, started_at, estimate)
             SELECT ?1, 1 + coalesce((SELECT max(number) FROM attempts WHERE job_id = ?1), 0), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12",
            params![
                c.job.0,
                c.worker.0,
                c.worker_name,
                c.backend,
                c.model,
                c.epoch as i64,
                c.host,
                c.token_hash,
                c.session,
                c.directory,
                now.0,
                c.estimate as i64
            ],
        )?;
        let attempt = AttemptId(self.last_id());
        let job = self.run(
            "UPDATE jobs SET state = 'running', attempt_id = ?1, started_at = ?2, ready_at = NULL, note = NULL, outcome = NULL
             WHERE id = ?3 AND state = 'queued'",
            params![attempt.0, now.0, c.job.0],
        )?;
        let worker = self.run(
            "UPDATE workers SET status = 'working', last_used_at = ?1 WHERE id = ?2 AND status = 'idle'",
            params![now.0, c.worker.0],
        )?;
        if job == 0 || worker == 0 {
            return Ok(None);
        }
        let text = format!("started by {}", c.worker_name);
        self.event(&Event {
            job: Some(c.job),
            attempt: Some(attempt),
            worker: Some(c.worker),
            from: Some(JobState::Queued),
            to: Some(JobState::Running),
            ..Event::new(now, "engine", "running", &text)
        })?;
        Ok(Some(attempt))
    }

    /// Notes which process stands behind an open attempt.
    ///
    /// # Errors
    /// The database.
    pub fn set_shim(&self, attempt: AttemptId, shim: &ProcessIdentity) -> Result<bool, StoreError> {
        let n = self.run(
            "UPDATE attempts SET shim_pid = ?1, shim_start_time = ?2, shim_boot_id = ?3 WHERE id = ?4 AND ended_at IS NULL",
            params![shim.pid, shim.start_time as i64, shim.boot_id, attempt.0],
        )?;
        Ok(n > 0)
    }

    /// Notes the session that an open attempt runs in, on the attempt and on its worker.
    ///
    /// # Errors
    /// The database.
    pub fn set_session(&self, attempt: AttemptId, session: &str) -> Result<(), StoreError> {
        self.run("UPDATE attempts SET session = ?1 WHERE id = ?2 AND ended_at IS NULL", params![session, attempt.0])?;
        self.run(
            "UPDATE workers SET session = ?1 WHERE id = (SELECT worker_id FROM attempts WHERE id = ?2 AND ended_at IS NULL)",
            params![session, attempt.0],
        )?;
        Ok(())
    }

    /// Notes which model an open attempt turned out to use, where none was named for it.
    ///
    /// # Errors
    /// The database.
    pub fn set_model(&self, attempt: AttemptId, model: &str) -> Result<(), StoreError> {
        self.run("UPDATE attempts SET model = ?1 WHERE id = ?2 AND model IS NULL AND ended_at IS NULL", params![model, attempt.0])?;
        Ok(())
    }

    /// Notes what an open attempt has used so far; `delta` budgeted tokens are new since the last call.
    ///
    /// # Errors
    /// The database.
    pub fn set_usage(&self, attempt: AttemptId, usage: Usage, charge: &Charge, delta: u64, now: Timestamp) -> Result<(), StoreError> {
        self.run(
            "UPDATE attempts SET input = ?1, output = ?2, cache_read = ?3, cache_write = ?4, cost_usd = ?5, cost_source = ?6, usage_known = 1
             WHERE id = ?7 AND ended_at IS NULL",
            params![
                usage.input as i64,
                usage.output as i64,
                usage.cache_read as i64,
                usage.cache_write as i64,
                charge.usd,
                charge.source.as_str(),
                attempt.0
            ],
        )?;
        self.spend(attempt, delta, now)
    }

    pub(super) fn spend(&self, attempt: AttemptId, tokens: u64, now: Timestamp) -> Result<(), StoreError> {
        if tokens > 0 {
            self.run("INSERT INTO spending (at, attempt_id, tokens) VALUES (?1, ?2, ?3)", params![now.0, attempt.0, tokens as i64])?;
        }
        Ok(())
    }

    /// Notes that every frame up to `seq` has taken effect.
    ///
    /// # Errors
    /// The database.
    pub fn set_acked(&self, attempt: AttemptId, seq: u64) -> Result<(), StoreError> {
        self.run("UPDATE attempts SET acked_seq = max(acked_seq, ?1) WHERE id = ?2", params![seq as i64, attempt.0])?;
        Ok(())
    }

    /// Ends an open attempt and moves its job on. False, and nothing written, if the attempt is over already.
    ///
    /// # Errors
    /// The database.
    pub fn finish(&self, f: &Finish<'_>, now: Timestamp) -> Result<bool, StoreError> {
        self.attempt(|| {
            let r = f.report;
            let Some(a) = self.open_attempt(r.attempt)? else { return Ok(false) };
            let u = if r.usage_known { r.usage } else { a.attempt.usage };
            self.run(
                "UPDATE attempts SET ended_at = ?1, outcome = ?2, exit_code = ?3, message = ?4, input = ?5, output = ?6, cache_read = ?7,
                        cache_write = ?8, usage_known = ?9, cost_usd = ?10, result_file = ?11, session = coalesce(?12, session),
                        cost_source = ?13, estimated = ?14
                 WHERE id = ?15 AND ended_at IS NULL",
                params![
                    now.0,
                    r.outcome.as_str(),
                    r.exit_code,
                    r.message,
                    u.input as i64,
                    u.output as i64,
                    u.cache_read as i64,
                    u.cache_write as i64,
                    r.usage_known,
                    f.charge.usd,
                    r.result_file,
                    r.session,
                    f.charge.source.as_str(),
                    f.charge.estimated as i64,
                    r.attempt.0
                ],
            )?;
            self.spend(r.attempt, f.budgeted.saturating_sub(f.recorded), now)?;
            self.release_worker(&a, f, now)?;
            self.move_on(&a, f, now)?;
            Ok(true)
        })
    }

    fn move_on(&self, a: &OpenAttempt, f: &Finish<'_>, now: Timestamp) -> Result<(), StoreError> {
        let job = a.attempt.job_id;
        let (counts, lost) = match &f.next {
            Next::Done | Next::Failed { .. } => (true, f.report.outcome == Outcome::Lost),
            Next::Queued { counts, lost, .. } | Next::Waiting { counts, lost, .. } => (*counts, *lost),
            // A review counts when it has let the result pass.
            Next::Reviewing | Next::Killed { .. } => (false, false),
        };
        self.run(
            "UPDATE jobs SET outcome = ?1, attempts = attempts + ?2, losses = losses + ?3 WHERE id = ?4",
            params![f.report.outcome.as_str(), i64::from(counts), i64::from(lost), job.0],
        )?;
        let mv = match &f.next {
            Next::Done => Move { note: None, ..Move::to(JobState::Done, &f.report.message) },
            Next::Reviewing => Move::to(JobState::Reviewing, "delivered; a review decides whether that is it"),
            Next::Queued { ready_at, note, .. } => {
                Move { ready_at: *ready_at, note: Some(note), severity: "warn", ..Move::to(JobState::Queued, note) }
            }
            Next::Waiting { note, .. } => {
                Move { wait_reason: Some(WaitReason::Decision), note: Some(note), ..Move::to(JobState::Waiting, note) }
            }
            Next::Failed { note } => Move { note: Some(note), severity: "fail", ..Move::to(JobState::Failed, note) },
            Next::Killed { note } => Move { note: Some(note), severity: "warn", ..Move::to(JobState::Killed, note) },
        };
        self.move_job(job, JobState::Running, Some(a.attempt.id), &mv, "engine", now)?;
        Ok(())
    }

    /// The attempt's figures go onto its worker, which is free again (an ephemeral one retires when its job ends: `move_job`).
    fn release_worker(&self, a: &OpenAttempt, f: &Finish<'_>, now: Timestamp) -> Result<(), StoreError> {
        let Some(worker) = a.attempt.worker_id else { return Ok(()) };
        let r = f.report;
        // What never started has not touched the session.
        let ran = !matches!(r.outcome, Outcome::Interrupted);
        let base =
            row::one(self, "SELECT session_usage FROM workers WHERE id = ?1", [worker.0], |r| row::json::<Usage>(r, "session_usage"))?;
        let session_usage = r.session_usage.unwrap_or(base + r.usage);
        self.run(
            "UPDATE workers SET
                status = CASE WHEN status = 'working' THEN 'idle' ELSE status END,
                session = CASE WHEN ?1 THEN NULL ELSE coalesce(?2, session) END,
                session_jobs = CASE WHEN ?1 THEN 0 ELSE session_jobs + ?3 END,
                session_tokens = CASE WHEN ?1 THEN 0 ELSE session_tokens + ?4 END,
                session_usage = CASE WHEN ?1 THEN '{\"input\":0,\"output\":0,\"cache_read\":0,\"cache_write\":0}' ELSE ?5 END,
                session_cost_usd = CASE WHEN ?1 THEN 0 ELSE coalesce(?6, session_cost_usd + coalesce(?10, 0)) END,
                total_jobs = total_jobs + ?3, total_tokens = total_tokens + ?4, total_cost_usd = total_cost_usd + coalesce(?7, 0),
                last_used_at = ?8
             WHERE id = ?9",
            params![
                f.drop_session,
                r.session,
                i64::from(ran),
                f.budgeted as i64,
                row::to_json(&session_usage),
                r.session_cost_usd,
                f.charge.usd,
                now.0,
                worker.0,
                r.cost_usd
            ],
        )?;
        Ok(())
    }
}

const OPEN: &str = "SELECT a.*, j.title AS job_title, j.kill_requested AS kill_requested FROM attempts a JOIN jobs j ON j.id = a.job_id";

const INSIDE: &str = "SELECT a.id, a.worker, a.job_id, a.shim_pid, a.shim_start_time, j.project_id, j.priority FROM attempts a JOIN jobs j ON j.id = a.job_id
                      WHERE a.ended_at IS NULL";

impl Store {
    /// An attempt that has not ended.
    ///
    /// # Errors
    /// The database.
    pub fn open_attempt(&self, id: AttemptId) -> Result<Option<OpenAttempt>, StoreError> {
        row::optional(self, &format!("{OPEN} WHERE a.id = ?1 AND a.ended_at IS NULL"), [id.0], read_open)
    }

    /// The running jobs behind which one of these processes of this boot, each told by number and start time, stands as the shim:
    /// with its place among them; and those whose shim has not said hello yet, without.
    ///
    /// # Errors
    /// The database.
    pub fn behind_shims(&self, processes: &[(i32, u64)], boot_id: &str) -> Result<Vec<(Option<usize>, Inside)>, StoreError> {
        // One look at the open attempts, however many processes there are.
        let pids: Vec<i32> = processes.iter().map(|(pid, _)| *pid).collect();
        let sql = format!("{INSIDE} AND (a.shim_pid IS NULL OR (a.shim_boot_id = ?1 AND a.shim_pid IN (SELECT value FROM json_each(?2))))");
        let found = row::all(self, &sql, params![boot_id, row::to_json(&pids)], |r| {
            let shim = r.get::<_, Option<i32>>("shim_pid")?.zip(r.get::<_, Option<i64>>("shim_start_time")?.map(|t| t as u64));
            Ok((shim.map(|shim| processes.iter().position(|p| *p == shim)), read_inside(r)?))
        })?;
        // A shim of the same number that is another process is out.
        Ok(found.into_iter().filter(|(place, _)| *place != Some(None)).map(|(place, inside)| (place.flatten(), inside)).collect())
    }

    /// The running job of an attempt that has not ended.
    ///
    /// # Errors
    /// The database.
    pub fn inside_attempt(&self, id: AttemptId) -> Result<Option<Inside>, StoreError> {
        row::optional(self, &format!("{INSIDE} AND a.id = ?1"), [id.0], read_inside)
    }

    /// Every attempt that has not ended, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn open_attempts(&self) -> Result<Vec<OpenAttempt>, StoreError> {
        row::all(self, &format!("{OPEN} WHERE a.ended_at IS NULL ORDER BY +a.id"), [], read_open)
    }

    /// The attempts of a job, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn attempts(&self, job: JobId) -> Result<Vec<Attempt>, StoreError> {
        row::all(self, "SELECT * FROM attempts WHERE job_id = ?1 ORDER BY number", [job.0], read)
    }

    /// One attempt.
    ///
    /// # Errors
    /// The database.
    pub fn attempt_row(&self, id: AttemptId) -> Result<Option<Attempt>, StoreError> {
        row::optional(self, "SELECT * FROM attempts WHERE id = ?1", [id.0], read)
    }

    /// The newest attempts of a worker, newest first.
    ///
    /// # Errors
    /// The database.
    pub fn worker_attempts(&self, worker: WorkerId, limit: usize) -> Result<Vec<Attempt>, StoreError> {
        row::all(self, "SELECT * FROM attempts WHERE worker_id = ?1 ORDER BY id DESC LIMIT ?2", params![worker.0, limit as i64], read)
    }
}

fn read_open(r: &Row<'_>) -> rusqlite::Result<OpenAttempt> {
    Ok(OpenAttempt {
        attempt: read(r)?,
        token_hash: r.get("token_hash")?,
        job_title: r.get("job_title")?,
        kill_requested: r.get("kill_requested")?,
    })
}

fn read_inside(r: &Row<'_>) -> rusqlite::Result<Inside> {
    Ok(Inside {
        attempt: AttemptId(r.get("id")?),
        worker: r.get("worker")?,
        job: JobId(r.get("job_id")?),
        project: r.get::<_, Option<i64>>("project_id")?.map(ProjectId),
        priority: Priority::new(r.get("priority")?).unwrap_or(Priority::P5),
    })
}

fn read(r: &Row<'_>) -> rusqlite::Result<Attempt> {
    let shim = match (r.get::<_, Option<i32>>("shim_pid")?, r.get::<_, Option<i64>>("shim_start_time")?, r.get("shim_boot_id")?) {
        (Some(pid), Some(start), Some(boot_id)) => Some(ProcessIdentity { pid, start_time: start as u64, boot_id }),
        _ => None,
    };
    Ok(Attempt {
        id: AttemptId(r.get("id")?),
        job_id: JobId(r.get("job_id")?),
        number: r.get("number")?,
        worker_id: r.get::<_, Option<i64>>("worker_id")?.map(WorkerId),
        worker: r.get("worker")?,
        backend: r.get("backend")?,
        model: r.get("model")?,
        epoch: row::count(r, "epoch")?,
        host: r.get("host")?,
        shim,
        session: r.get("session")?,
        directory: r.get("directory")?,
        started_at: row::time(r, "started_at")?,
        ended_at: row::opt_time(r, "ended_at")?,
        outcome: row::opt_word(r, "outcome")?,
        exit_code: r.get("exit_code")?,
        message: r.get("message")?,
        usage: row::usage(r)?,
        usage_known: r.get("usage_known")?,
        cost_usd: r.get("cost_usd")?,
        cost_source: row::opt_word(r, "cost_source")?,
        estimated: row::count(r, "estimated")?,
        estimate: row::count(r, "estimate")?,
        result_file: r.get("result_file")?,
        acked_seq: row::count(r, "acked_seq")?,
    })
}
