//! Workers.

use super::events::Event;
use super::row;
use super::{Store, StoreError, Tx};
use crate::domain::{AttemptId, ProjectId, Timestamp, Usage, Worker, WorkerId, WorkerStatus};
use rusqlite::{Row, params};

/// What it takes to make a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct NewWorker {
    pub name: String,
    pub backend: String,
    pub model: Option<String>,
    pub persona: Option<String>,
    pub skills: Vec<String>,
    pub persistent: bool,
    pub project_id: Option<ProjectId>,
    /// Where its agents run. A session belongs to it.
    pub directory: String,
}

const READ: &str = "SELECT w.*, (SELECT a.id FROM attempts a WHERE a.worker_id = w.id AND a.ended_at IS NULL) AS attempt_id FROM workers w";

impl Store {
    /// Every worker that has not retired, by name.
    ///
    /// # Errors
    /// The database.
    pub fn workers(&self) -> Result<Vec<Worker>, StoreError> {
        row::all(self, &format!("{READ} WHERE w.status <> 'retired' ORDER BY w.name"), [], read)
    }

    /// One worker, retired or not.
    ///
    /// # Errors
    /// The database.
    pub fn worker(&self, id: WorkerId) -> Result<Option<Worker>, StoreError> {
        row::optional(self, &format!("{READ} WHERE w.id = ?1"), [id.0], read)
    }

    /// The living worker of this name.
    ///
    /// # Errors
    /// The database.
    pub fn worker_named(&self, name: &str) -> Result<Option<Worker>, StoreError> {
        row::optional(self, &format!("{READ} WHERE w.name = ?1 AND w.status <> 'retired'"), [name], read)
    }
}

impl Tx<'_> {
    /// Makes a worker. A `#` in its name becomes its row's number: `claude-#` is `claude-5302`.
    ///
    /// # Errors
    /// A living worker has the name; the database.
    pub fn add_worker(&self, w: &NewWorker, actor: &str, now: Timestamp) -> Result<WorkerId, StoreError> {
        if w.name.trim().is_empty() {
            return Err(StoreError::Invalid("a worker needs a name".into()));
        }
        if self.worker_named(&w.name)?.is_some() {
            return Err(StoreError::Invalid(format!("there is a worker named {} already: `orc worker show {}`", w.name, w.name)));
        }
        self.run(
            "INSERT INTO workers (name, backend, model, persona, skills, persistent, project_id, status, directory, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'idle', ?8, ?9)",
            params![
                w.name,
                w.backend,
                w.model,
                w.persona,
                row::to_json(&w.skills),
                w.persistent,
                w.project_id.map(|p| p.0),
                w.directory,
                now.0
            ],
        )?;
        let id = WorkerId(self.last_id());
        let name = w.name.replace('#', &id.to_string());
        if name != w.name {
            self.run("UPDATE workers SET name = ?1 WHERE id = ?2", params![name, id.0])?;
        }
        let text = format!("worker {name} made ({}, {})", w.backend, if w.persistent { "persistent" } else { "ephemeral" });
        self.event(&Event { worker: Some(id), ..Event::new(now, actor, "worker", &text) })?;
        Ok(id)
    }

    /// Starts a new session on a worker: its counters go to zero.
    ///
    /// # Errors
    /// The database.
    pub fn reset_session(&self, id: WorkerId, handover: Option<&str>, why: &str, now: Timestamp) -> Result<(), StoreError> {
        self.run(
            "UPDATE workers SET session = NULL, session_jobs = 0, session_tokens = 0, session_cost_usd = 0, handover = ?2,
                    session_usage = '{\"input\":0,\"output\":0,\"cache_read\":0,\"cache_write\":0}' WHERE id = ?1",
            params![id.0, handover],
        )?;
        self.event(&Event { worker: Some(id), ..Event::new(now, "engine", "session", why) })?;
        Ok(())
    }

    /// Changes what a worker is ready for. `Working` is not to be set: a claim does.
    ///
    /// # Errors
    /// The database.
    pub fn set_worker_status(&self, id: WorkerId, status: WorkerStatus, why: &str, actor: &str, now: Timestamp) -> Result<(), StoreError> {
        self.run("UPDATE workers SET status = ?1 WHERE id = ?2", params![status.as_str(), id.0])?;
        self.event(&Event { worker: Some(id), ..Event::new(now, actor, "worker", why) })?;
        Ok(())
    }
}

fn read(r: &Row<'_>) -> rusqlite::Result<Worker> {
    Ok(Worker {
        id: WorkerId(r.get("id")?),
        name: r.get("name")?,
        backend: r.get("backend")?,
        model: r.get("model")?,
        persona: r.get("persona")?,
        skills: row::json(r, "skills")?,
        persistent: r.get("persistent")?,
        project_id: r.get::<_, Option<i64>>("project_id")?.map(ProjectId),
        status: row::word(r, "status")?,
        session: r.get("session")?,
        directory: r.get("directory")?,
        session_jobs: r.get("session_jobs")?,
        session_tokens: row::count(r, "session_tokens")?,
        session_usage: row::json::<Usage>(r, "session_usage")?,
        session_cost_usd: r.get("session_cost_usd")?,
        handover: r.get("handover")?,
        attempt: r.get::<_, Option<i64>>("attempt_id")?.map(AttemptId),
        total_jobs: row::count(r, "total_jobs")?,
        total_tokens: row::count(r, "total_tokens")?,
        total_cost_usd: r.get("total_cost_usd")?,
        created_at: row::time(r, "created_at")?,
        last_used_at: row::opt_time(r, "last_used_at")?,
    })
}
