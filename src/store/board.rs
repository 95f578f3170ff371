//! What the engine keeps in memory, and how it learns of changes: it follows the audit log past the last row that it knows.

use super::events::Event;
use super::row;
use super::{Store, StoreError, Tx};
use crate::domain::{AttemptId, BackendPause, JobId, JobState, Kind, Lane, Limit, LimitKind, Priority, ProjectId, Timestamp, WorkerId};
use rusqlite::{Row, params};
use std::collections::BTreeMap;

/// What changed since an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// The newest event.
    pub last: i64,
    /// Jobs with an event since, each once.
    pub jobs: Vec<JobId>,
    /// Workers that an event since names, or whose attempt it does, each once.
    pub workers: Vec<WorkerId>,
    /// What waits may have changed.
    pub waiting: bool,
    /// Something else changed: lanes, pauses, the engine's own switches.
    pub other: bool,
}

/// A queued job as the scheduler needs it: no prompt, only its length.
#[derive(Clone, Debug, PartialEq)]
pub struct QueuedRow {
    pub id: JobId,
    pub priority: Priority,
    pub queued_at: Timestamp,
    pub ready_at: Option<Timestamp>,
    pub backend: String,
    pub kind: Kind,
    pub model: Option<String>,
    pub persona: Option<String>,
    pub worker: Option<String>,
    /// The worker of its last attempt: a retry goes back to its session.
    pub last_worker: Option<WorkerId>,
    pub project_id: Option<ProjectId>,
    pub prompt_bytes: u64,
    pub skills: u32,
}

/// The engine's switches, as the operator set them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineState {
    pub epoch: u64,
    pub paused: bool,
    pub draining: bool,
    pub paused_lanes: Vec<Lane>,
    pub pauses: BTreeMap<String, (BackendPause, u32)>,
}

// A job with fixes to close belongs to the worker, and so to the session, that made what is to be fixed, while that one lives.
const QUEUED: &str =
    "SELECT j.id, j.priority, j.queued_at, j.ready_at, coalesce(w.backend, j.backend) AS backend, j.kind, j.model, j.persona,
    coalesce(w.name, j.worker) AS worker, j.project_id,
    length(CAST(j.prompt AS BLOB)) AS prompt_bytes, json_array_length(j.skills) AS skills, a.worker_id AS last_worker
    FROM jobs j LEFT JOIN attempts a ON a.id = j.attempt_id
    LEFT JOIN workers w ON w.id = a.worker_id AND j.guide IS NOT NULL AND w.status <> 'retired'
    WHERE j.state = 'queued' AND j.state IN ('waiting', 'queued', 'running', 'reviewing')
      AND (j.task_id IS NULL OR NOT EXISTS (SELECT 1 FROM decisions d WHERE d.state = 'open' AND d.task_id = j.task_id))";
// The second condition says nothing new, but it is the index's own: without it SQLite does not see that the index will do, and
// looks at every job there ever was.
const KILLS: &str = "SELECT id, attempt_id FROM jobs
    WHERE state = 'running' AND state IN ('waiting', 'queued', 'running', 'reviewing') AND kill_requested = 1";
const WAITING: &str = "SELECT lane, count(*) FROM jobs
    WHERE state = 'waiting' AND state IN ('waiting', 'queued', 'running', 'reviewing') GROUP BY lane";
const CHANGES: &str = "SELECT e.id, e.job_id, coalesce(e.worker_id, a.worker_id), e.state_from, e.state_to
    FROM events e LEFT JOIN attempts a ON a.id = e.attempt_id WHERE e.id > ?1 ORDER BY e.id";

impl Store {
    /// What changed after event `after`.
    ///
    /// # Errors
    /// The database.
    pub fn changes(&self, after: i64) -> Result<Changes, StoreError> {
        let mut changes = Changes { last: after, ..Changes::default() };
        row::all(self, CHANGES, [after], |r| {
            let (job, worker): (Option<i64>, Option<i64>) = (r.get(1)?, r.get(2)?);
            let (from, to): (Option<String>, Option<String>) = (r.get(3)?, r.get(4)?);
            changes.last = r.get(0)?;
            changes.jobs.extend(job.map(JobId));
            changes.workers.extend(worker.map(WorkerId));
            // One that says nothing of states may be about a waiting job's lane or date.
            let waiting = JobState::Waiting.as_str();
            changes.waiting |= [&from, &to].into_iter().flatten().any(|s| s == waiting) || (from.is_none() && to.is_none());
            changes.other |= job.is_none() && worker.is_none();
            Ok(())
        })?;
        changes.jobs.sort_unstable();
        changes.jobs.dedup();
        changes.workers.sort_unstable();
        changes.workers.dedup();
        Ok(changes)
    }

    /// The newest event's id; 0 if there is none.
    ///
    /// # Errors
    /// The database.
    pub fn last_event(&self) -> Result<i64, StoreError> {
        row::one(self, "SELECT coalesce(max(id), 0) FROM events", [], |r| r.get(0))
    }

    /// Every queued job, but for those whose task waits for an answer: they stay queued, and are not to be started.
    ///
    /// # Errors
    /// The database.
    pub fn queued(&self) -> Result<Vec<QueuedRow>, StoreError> {
        row::all(self, QUEUED, [], read_queued)
    }

    /// A job, if it is queued now and its task waits for no answer.
    ///
    /// # Errors
    /// The database.
    pub fn queued_job(&self, id: JobId) -> Result<Option<QueuedRow>, StoreError> {
        row::optional(self, &format!("{QUEUED} AND j.id = ?1"), [id.0], read_queued)
    }

    /// Jobs whose end the operator asked for while they run.
    ///
    /// # Errors
    /// The database.
    pub fn kill_requests(&self) -> Result<Vec<(JobId, AttemptId)>, StoreError> {
        row::all(self, KILLS, [], |r| Ok((JobId(r.get(0)?), AttemptId(r.get(1)?))))
    }

    /// Jobs that wait, by lane.
    ///
    /// # Errors
    /// The database.
    pub fn waiting_by_lane(&self) -> Result<[u32; 3], StoreError> {
        let mut counts = [0; 3];
        for (lane, n) in row::all(self, WAITING, [], |r| Ok((r.get::<_, u8>(0)? as usize, r.get::<_, u32>(1)?)))? {
            counts[lane.min(2)] += n;
        }
        Ok(counts)
    }

    /// The engine's switches and the pauses in force.
    ///
    /// # Errors
    /// The database.
    pub fn engine_state(&self) -> Result<EngineState, StoreError> {
        let (epoch, paused, draining) = row::one(self, "SELECT epoch, paused, draining FROM engine WHERE id = 1", [], |r| {
            Ok((row::count(r, "epoch")?, r.get(1)?, r.get(2)?))
        })?;
        let lanes = row::all(self, "SELECT lane FROM lanes WHERE paused = 1", [], |r| r.get::<_, u8>(0))?;
        let pauses = row::all(self, "SELECT * FROM backend_pauses", [], |r| {
            let limit = Limit { kind: row::word::<LimitKind>(r, "kind")?, resets_at: None, message: r.get("message")? };
            let until = row::opt_time(r, "until")?;
            let guessed: bool = r.get("guessed")?;
            let limit = Limit { resets_at: until.filter(|_| !guessed), ..limit };
            Ok((r.get::<_, String>("backend")?, (BackendPause { limit, since: row::time(r, "since")?, until, guessed }, r.get("streak")?)))
        })?;
        Ok(EngineState {
            epoch,
            paused,
            draining,
            paused_lanes: lanes.into_iter().filter_map(|n| Lane::try_from(n).ok()).collect(),
            pauses: pauses.into_iter().collect(),
        })
    }
}

impl Tx<'_> {
    /// Takes over as the engine: the new epoch. Rows written under an older one are fenced by it.
    ///
    /// # Errors
    /// The database.
    pub fn take_epoch(&self, actor: &str, now: Timestamp) -> Result<u64, StoreError> {
        self.run("UPDATE engine SET epoch = epoch + 1, draining = 0 WHERE id = 1", [])?;
        let epoch = self.engine_state()?.epoch;
        let text = format!("engine took over, epoch {epoch}");
        self.event(&Event::new(now, actor, "engine", &text))?;
        Ok(epoch)
    }

    /// Puts a pause on a backend, or replaces the one it has.
    ///
    /// # Errors
    /// The database.
    pub fn pause_backend(&self, backend: &str, pause: &BackendPause, streak: u32, actor: &str, now: Timestamp) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO backend_pauses (backend, kind, message, since, until, guessed, streak) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (backend) DO UPDATE SET kind = excluded.kind, message = excluded.message, since = excluded.since,
                until = excluded.until, guessed = excluded.guessed, streak = excluded.streak",
            params![
                backend,
                pause.limit.kind.as_str(),
                pause.limit.message,
                pause.since.0,
                pause.until.map(|t| t.0),
                pause.guessed,
                streak
            ],
        )?;
        let until = match (pause.until, pause.guessed) {
            (Some(t), false) => format!("until {t}"),
            (Some(t), true) => format!("reset unknown, next try {t}"),
            (None, _) => "until the operator lifts it".to_owned(),
        };
        let text = format!("{backend} paused {until}: {}", pause.limit.message);
        self.event(&Event { severity: "warn", ..Event::new(now, actor, "backend", &text) })?;
        Ok(())
    }

    /// Lifts a backend's pause; false if there was none.
    ///
    /// # Errors
    /// The database.
    pub fn resume_backend(&self, backend: &str, why: &str, actor: &str, now: Timestamp) -> Result<bool, StoreError> {
        let n = self.run("DELETE FROM backend_pauses WHERE backend = ?1", [backend])?;
        if n > 0 {
            let text = format!("{backend} resumed: {why}");
            self.event(&Event::new(now, actor, "backend", &text))?;
        }
        Ok(n > 0)
    }
}

fn read_queued(r: &Row<'_>) -> rusqlite::Result<QueuedRow> {
    Ok(QueuedRow {
        id: JobId(r.get("id")?),
        priority: Priority::new(r.get("priority")?).unwrap_or(Priority::P5),
        queued_at: row::time(r, "queued_at")?,
        ready_at: row::opt_time(r, "ready_at")?,
        backend: r.get("backend")?,
        kind: row::word(r, "kind")?,
        model: r.get("model")?,
        persona: r.get("persona")?,
        worker: r.get("worker")?,
        last_worker: r.get::<_, Option<i64>>("last_worker")?.map(WorkerId),
        project_id: r.get::<_, Option<i64>>("project_id")?.map(ProjectId),
        prompt_bytes: row::count(r, "prompt_bytes")?,
        skills: r.get("skills")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_asks_at_every_step_looks_at_no_job_that_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("pm.db")).unwrap();
        for sql in [QUEUED, &format!("{QUEUED} AND j.id = 1"), KILLS, WAITING, &CHANGES.replace("?1", "7")] {
            let plan = row::all(&store, &format!("EXPLAIN QUERY PLAN {sql}"), [], |r| r.get::<_, String>("detail")).unwrap();
            assert!(plan.iter().all(|step| !step.contains("SCAN")), "{sql}: {plan:?}");
        }
    }
}
