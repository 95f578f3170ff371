//! Jobs: submission, and the one function through which every change of state goes.

use super::events::Event;
use super::row::{self, to_json};
use super::{Store, StoreError, Tx};
use crate::domain::{
    AttemptId, Job, JobId, JobSpec, JobState, Outcome, ProjectId, ProjectState, ReviewId, TaskId, Timestamp, WaitReason, name_below,
};
use rusqlite::{Row, params};
use std::time::Duration;

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    pub job: JobId,
    /// True: an open job with the same dedup key was there; nothing was added.
    pub existing: bool,
}

/// A change of state, for `Tx::move_job`.
pub(super) struct Move<'a> {
    pub to: JobState,
    pub wait_reason: Option<WaitReason>,
    pub ready_at: Option<Timestamp>,
    pub note: Option<&'a str>,
    pub severity: &'static str,
    pub text: &'a str,
}

impl<'a> Move<'a> {
    pub fn to(to: JobState, text: &'a str) -> Move<'a> {
        Move { to, wait_reason: None, ready_at: None, note: None, severity: "info", text }
    }
}

impl Tx<'_> {
    /// Adds a job. It is waiting, if it depends on jobs that are not done or on a date, else queued.
    ///
    /// # Errors
    /// A reference to a job, project, task or worker that is not there; a worker of another backend; a field out of range; the
    /// database.
    pub fn add_job(&self, spec: &JobSpec, actor: &str, now: Timestamp) -> Result<Added, StoreError> {
        self.attempt(|| {
            if let Some(key) = &spec.dedup_key
                && let Some(job) = self.open_job_with_key(key)?
            {
                return Ok(Added { job, existing: true });
            }
            self.check_references(spec)?;
            let blocked = self.count_not_done(&spec.depends_on)?;
            let wait = if blocked > 0 {
                Some(WaitReason::Dependency)
            } else if spec.task_id.map(|t| self.task_waits(t)).transpose()?.unwrap_or(false) {
                Some(WaitReason::Decision)
            } else if spec.not_before.is_some_and(|t| t > now) {
                Some(WaitReason::Date)
            } else {
                None
            };
            let state = if wait.is_some() { JobState::Waiting } else { JobState::Queued };
            self.run(
                "INSERT INTO jobs (title, prompt, backend, kind, priority, project_id, task_id, skills, persona, model, worker, not_before,
                                   timeout_ms, max_attempts, dedup_key, origin, tags, artefacts, state, wait_reason, created_at, queued_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
                params![
                    spec.title,
                    spec.prompt,
                    spec.backend,
                    spec.kind.as_str(),
                    spec.priority.level(),
                    spec.project_id.map(|p| p.0),
                    spec.task_id.map(|t| t.0),
                    to_json(&spec.skills),
                    spec.persona,
                    spec.model,
                    spec.worker,
                    spec.not_before.map(|t| t.0),
                    row::millis(spec.timeout),
                    spec.max_attempts,
                    spec.dedup_key,
                    spec.origin.as_str(),
                    to_json(&spec.tags),
                    to_json(&spec.artefacts),
                    state.as_str(),
                    wait.map(WaitReason::as_str),
                    now.0,
                    (state == JobState::Queued).then_some(now.0),
                ],
            )?;
            let job = JobId(self.last_id());
            for on in &spec.depends_on {
                self.run("INSERT OR IGNORE INTO dependencies (job_id, depends_on) VALUES (?1, ?2)", params![job.0, on.0])?;
            }
            let text = match wait {
                Some(WaitReason::Dependency) => {
                    format!("submitted by {}; waits for {blocked} job{}", spec.origin, if blocked == 1 { "" } else { "s" })
                }
                Some(WaitReason::Decision) => format!("submitted by {}; its task waits for an answer", spec.origin),
                Some(_) => format!("submitted by {}; not before {}", spec.origin, spec.not_before.unwrap_or(now)),
                None => format!("submitted by {}", spec.origin),
            };
            self.event(&Event { job: Some(job), to: Some(state), ..Event::new(now, actor, state.as_str(), &text) })?;
            Ok(Added { job, existing: false })
        })
    }

    fn check_references(&self, spec: &JobSpec) -> Result<(), StoreError> {
        if spec.title.trim().is_empty() {
            return Err(StoreError::Invalid("a job needs a title: --title TEXT".into()));
        }
        if spec.max_attempts == 0 {
            return Err(StoreError::Invalid("max attempts is 0: a job needs at least one".into()));
        }
        if let Some(wrong) = spec.artefacts.iter().find_map(|name| name_below(name).err()) {
            return Err(StoreError::Invalid(format!("an artefact cannot be declared so: {wrong}")));
        }
        for on in &spec.depends_on {
            if row::optional(self, "SELECT 1 FROM jobs WHERE id = ?1", [on.0], |_| Ok(()))?.is_none() {
                return Err(StoreError::NoJob(*on));
            }
        }
        if let Some(name) = &spec.worker {
            let Some(worker) = self.worker_named(name)? else {
                return Err(StoreError::Unknown { what: "worker", name: name.clone() });
            };
            if worker.backend != spec.backend {
                return Err(StoreError::Invalid(format!(
                    "worker {name} runs {}, the job is for {}: change its type, or choose another worker (`orc worker ls`)",
                    worker.backend, spec.backend
                )));
            }
        }
        let missing = |what, id: i64| StoreError::Unknown { what, name: id.to_string() };
        if let Some(p) = spec.project_id {
            let project = self.project(p)?.ok_or_else(|| missing("project", p.0))?;
            if project.state == ProjectState::Approved {
                return Err(StoreError::Invalid(format!("project {p} is approved and closed: `orc project reopen {p}` takes it up again")));
            }
        }
        if let Some(t) = spec.task_id
            && self.task(t)?.is_none()
        {
            return Err(missing("task", t.0));
        }
        Ok(())
    }

    fn open_job_with_key(&self, key: &str) -> Result<Option<JobId>, StoreError> {
        row::optional(
            self,
            "SELECT id FROM jobs WHERE dedup_key = ?1 AND state IN ('waiting', 'queued', 'running', 'reviewing')",
            [key],
            row::job_ids,
        )
    }

    fn count_not_done(&self, jobs: &[JobId]) -> Result<usize, StoreError> {
        let mut open = 0;
        for on in jobs {
            let done = row::optional(self, "SELECT 1 FROM jobs WHERE id = ?1 AND state = 'done'", [on.0], |_| Ok(()))?;
            open += usize::from(done.is_none());
        }
        Ok(open)
    }

    /// Changes a job's state if it still stands as `from` with `attempt`: false, and nothing written, if it does not.
    pub(super) fn move_job(
        &self,
        job: JobId,
        from: JobState,
        attempt: Option<AttemptId>,
        mv: &Move<'_>,
        actor: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        debug_assert!(crate::domain::allowed(from, mv.to), "{from} -> {} is no transition", mv.to);
        let changed = self.run(
            "UPDATE jobs SET state = ?1, wait_reason = ?2, ready_at = ?3, note = ?4,
                    queued_at = CASE WHEN ?1 = 'queued' THEN ?5 ELSE queued_at END,
                    finished_at = CASE WHEN ?1 IN ('done', 'failed', 'killed') THEN ?5 END,
                    kill_requested = 0
             WHERE id = ?6 AND state = ?7 AND attempt_id IS ?8",
            params![
                mv.to.as_str(),
                mv.wait_reason.map(WaitReason::as_str),
                mv.ready_at.map(|t| t.0),
                mv.note,
                now.0,
                job.0,
                from.as_str(),
                attempt.map(|a| a.0)
            ],
        )?;
        if changed == 0 {
            return Ok(false);
        }
        self.event(&Event {
            severity: mv.severity,
            job: Some(job),
            attempt,
            from: Some(from),
            to: Some(mv.to),
            ..Event::new(now, actor, mv.to.as_str(), mv.text)
        })?;
        if mv.to == JobState::Done {
            self.release_dependents(job, now)?;
        }
        if mv.to.is_final() {
            self.drop_questions(job, now)?;
            // An ephemeral worker lives as long as its job, so that a retry finds its session. A job that was on two backends has two.
            self.run(
                "UPDATE workers SET status = 'retired' WHERE persistent = 0 AND status = 'idle'
                 AND id IN (SELECT worker_id FROM attempts WHERE job_id = ?1)",
                [job.0],
            )?;
        }
        Ok(true)
    }

    /// Queues what waited for `job` alone.
    fn release_dependents(&self, job: JobId, now: Timestamp) -> Result<(), StoreError> {
        let ready = row::all(
            self,
            "SELECT j.id FROM dependencies d JOIN jobs j ON j.id = d.job_id
             WHERE d.depends_on = ?1 AND j.state = 'waiting' AND j.wait_reason = 'dependency'",
            [job.0],
            row::job_ids,
        )?;
        ready.into_iter().try_for_each(|id| self.release(id, "dependencies are done", now))
    }

    /// Something that a waiting job waited for has come: it waits for the next thing, in the order dependency, answer, date,
    /// or is queued.
    pub(super) fn release(&self, id: JobId, text: &str, now: Timestamp) -> Result<(), StoreError> {
        let Some(job) = self.job(id)?.filter(|j| j.state == JobState::Waiting) else { return Ok(()) };
        let open =
            "SELECT 1 FROM dependencies d JOIN jobs o ON o.id = d.depends_on WHERE d.job_id = ?1 AND o.state <> 'done' AND d.waived = 0";
        if row::optional(self, open, [id.0], |_| Ok(()))?.is_some() {
            return Ok(());
        }
        let (reason, more) = if self.awaits_answer(id, job.spec.task_id)? {
            (WaitReason::Decision, format!("{text}; an answer is awaited"))
        } else if let Some(date) = job.spec.not_before.filter(|t| *t > now) {
            (WaitReason::Date, format!("{text}; not before {date}"))
        } else {
            self.move_job(id, JobState::Waiting, job.attempt, &Move::to(JobState::Queued, text), "engine", now)?;
            return Ok(());
        };
        if job.wait_reason != Some(reason) {
            self.run("UPDATE jobs SET wait_reason = ?1 WHERE id = ?2", params![reason.as_str(), id.0])?;
            self.event(&Event { job: Some(id), ..Event::new(now, "engine", "waiting", &more) })?;
        }
        Ok(())
    }

    /// Queues every job whose date has come; how many.
    ///
    /// # Errors
    /// The database.
    pub fn release_dates(&self, now: Timestamp) -> Result<usize, StoreError> {
        let due = row::all(
            self,
            "SELECT id FROM jobs WHERE state = 'waiting' AND not_before IS NOT NULL AND not_before <= ?1 AND wait_reason = 'date'",
            [now.0],
            row::job_ids,
        )?;
        due.iter().try_for_each(|id| self.release(*id, "its time has come", now))?;
        Ok(due.len())
    }
}

impl Store {
    /// One job.
    ///
    /// # Errors
    /// The database.
    pub fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        let job = row::optional(self, "SELECT * FROM jobs WHERE id = ?1", [id.0], read)?;
        let Some(mut job) = job else { return Ok(None) };
        job.spec.depends_on = row::all(self, "SELECT depends_on FROM dependencies WHERE job_id = ?1", [id.0], row::job_ids)?;
        Ok(Some(job))
    }

    /// The earliest date for which a waiting job waits.
    ///
    /// # Errors
    /// The database.
    pub fn next_date(&self) -> Result<Option<Timestamp>, StoreError> {
        row::one(
            self,
            "SELECT min(not_before) FROM jobs WHERE state = 'waiting' AND not_before IS NOT NULL AND wait_reason = 'date'",
            [],
            |r| Ok(r.get::<_, Option<i64>>(0)?.map(Timestamp)),
        )
    }
}

/// Reads a row of `jobs`, all but its dependencies.
pub(super) fn read(r: &Row<'_>) -> rusqlite::Result<Job> {
    let level: u8 = r.get("priority")?;
    Ok(Job {
        id: JobId(r.get("id")?),
        spec: JobSpec {
            title: r.get("title")?,
            prompt: r.get("prompt")?,
            backend: r.get("backend")?,
            kind: row::word(r, "kind")?,
            priority: crate::domain::Priority::new(level).unwrap_or(crate::domain::Priority::P5),
            project_id: r.get::<_, Option<i64>>("project_id")?.map(ProjectId),
            task_id: r.get::<_, Option<i64>>("task_id")?.map(TaskId),
            skills: row::json(r, "skills")?,
            persona: r.get("persona")?,
            model: r.get("model")?,
            worker: r.get("worker")?,
            depends_on: Vec::new(),
            not_before: row::opt_time(r, "not_before")?,
            timeout: r.get::<_, Option<i64>>("timeout_ms")?.map(|ms| Duration::from_millis(ms as u64)),
            max_attempts: r.get("max_attempts")?,
            dedup_key: r.get("dedup_key")?,
            origin: row::word(r, "origin")?,
            tags: row::json(r, "tags")?,
            artefacts: row::json(r, "artefacts")?,
        },
        state: row::word(r, "state")?,
        wait_reason: row::opt_word(r, "wait_reason")?,
        attempts: r.get("attempts")?,
        losses: r.get("losses")?,
        attempt: r.get::<_, Option<i64>>("attempt_id")?.map(AttemptId),
        outcome: row::opt_word::<Outcome>(r, "outcome")?,
        note: r.get("note")?,
        ready_at: row::opt_time(r, "ready_at")?,
        created_at: row::time(r, "created_at")?,
        queued_at: row::opt_time(r, "queued_at")?,
        started_at: row::opt_time(r, "started_at")?,
        finished_at: row::opt_time(r, "finished_at")?,
        kill_requested: r.get("kill_requested")?,
        rounds: r.get("rounds")?,
        guide: r.get::<_, Option<i64>>("guide")?.map(ReviewId),
    })
}
