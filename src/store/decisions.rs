//! Questions to the operator: asked, answered, expired, taken back; and what resumes then.

use super::events::Event;
use super::row::{self, to_json};
use super::{Store, StoreError, Tx};
use crate::domain::{Applied, AttemptId, Decision, DecisionId, DecisionState, JobId, ProjectId, Question, TaskId, Timestamp};
use rusqlite::{Row, params};

/// How many questions one job may ask in its life: one that asks for ever would never end.
const MOST_QUESTIONS: i64 = 20;

impl Tx<'_> {
    /// Puts a card before the operator. Its task waits from now on; its job does when its attempt ends.
    ///
    /// # Errors
    /// A card that nobody could answer; a task or job that is not there or is over; too many cards of one job; the database.
    pub fn ask(&self, q: &Question, actor: &str, now: Timestamp) -> Result<DecisionId, StoreError> {
        q.check(now).map_err(|e| StoreError::Invalid(e.to_string()))?;
        let mut project = q.project;
        if let Some(id) = q.task {
            let task = self.task(id)?.ok_or(StoreError::Unknown { what: "task", name: id.to_string() })?;
            if task.state == "done" {
                return Err(StoreError::Invalid(format!("task {id} is done: nobody waits for an answer")));
            }
            project = project.or(Some(task.project_id));
        }
        if let Some(id) = q.job {
            let job = self.job(id)?.ok_or(StoreError::NoJob(id))?;
            if job.state.is_final() {
                return Err(StoreError::Invalid(format!("job {id} is {}: nobody waits for an answer", job.state)));
            }
            let asked: i64 = row::one(self, "SELECT count(*) FROM decisions WHERE job_id = ?1", [id.0], |r| r.get(0))?;
            if asked >= MOST_QUESTIONS {
                return Err(StoreError::Invalid(format!(
                    "job {id} has asked {asked} questions; that is the limit: take the most sensible reading"
                )));
            }
            project = project.or(job.spec.project_id);
        }
        self.run(
            "INSERT INTO decisions (question, choices, deadline, default_key, task_id, project_id, job_id, attempt_id, asked_by, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                q.question.trim(),
                to_json(&q.choices),
                q.deadline.map(|t| t.0),
                q.default,
                q.task.map(|t| t.0),
                project.map(|p| p.0),
                q.job.map(|j| j.0),
                q.attempt.map(|a| a.0),
                actor,
                now.0
            ],
        )?;
        let id = DecisionId(self.last_id());
        self.mark_task(q.task)?;
        self.tell_queued(q.task, &format!("held: its task waits for the answer to decision {id}"), now)?;
        let text = format!("decision {id} asked: {}", q.question.trim());
        self.event(&Event { job: q.job, attempt: q.attempt, severity: "warn", ..Event::new(now, actor, "asked", &text) })?;
        Ok(id)
    }

    /// Answers an open card with one of its options.
    ///
    /// # Errors
    /// The database.
    pub fn answer(&self, id: DecisionId, key: &str, remark: Option<&str>, actor: &str, now: Timestamp) -> Result<Applied, StoreError> {
        let Some(card) = self.decision(id)? else { return Ok(unknown(id)) };
        if card.state != DecisionState::Open {
            return Ok(Applied::Stale { message: format!("decision {id} is {} already", card.state) });
        }
        let Some(choice) = card.asked.choice(key) else {
            return Ok(Applied::Refused { message: format!("`{key}` is no option of decision {id}: {}", card.asked.keys()) });
        };
        self.settle(&card, DecisionState::Answered, Some(&choice.key), remark, actor, now)?;
        Ok(Applied::Done { message: format!("decision {id}: {}", choice.label), undo: None })
    }

    /// Takes an open card back; whoever asked goes on without an answer.
    ///
    /// # Errors
    /// The database.
    pub fn cancel_decision(&self, id: DecisionId, actor: &str, now: Timestamp) -> Result<Applied, StoreError> {
        let Some(card) = self.decision(id)? else { return Ok(unknown(id)) };
        if card.state != DecisionState::Open {
            return Ok(Applied::Stale { message: format!("decision {id} is {} already", card.state) });
        }
        if self.is_review_card(id)? {
            let keys = card.asked.keys();
            return Ok(Applied::Refused {
                message: format!("decision {id} settles a review, which cannot go on without it: answer {keys}"),
            });
        }
        self.settle(&card, DecisionState::Cancelled, None, None, actor, now)?;
        Ok(Applied::Done { message: format!("decision {id} taken back"), undo: None })
    }

    /// Takes the default of each card whose deadline has passed; how many.
    ///
    /// # Errors
    /// The database.
    pub fn expire_decisions(&self, now: Timestamp) -> Result<usize, StoreError> {
        let due = row::all(
            self,
            "SELECT * FROM decisions WHERE state = 'open' AND deadline <= ?1 AND default_key IS NOT NULL ORDER BY id",
            [now.0],
            read,
        )?;
        for card in &due {
            self.settle(card, DecisionState::Expired, card.asked.default.as_deref(), None, "engine", now)?;
        }
        Ok(due.len())
    }

    /// A job is over: what it asked interests nobody any more.
    pub(super) fn drop_questions(&self, job: JobId, now: Timestamp) -> Result<(), StoreError> {
        for card in row::all(self, "SELECT * FROM decisions WHERE job_id = ?1 AND state = 'open'", [job.0], read)? {
            self.settle(&card, DecisionState::Cancelled, None, None, "engine", now)?;
        }
        Ok(())
    }

    fn settle(
        &self,
        card: &Decision,
        state: DecisionState,
        answer: Option<&str>,
        remark: Option<&str>,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run(
            "UPDATE decisions SET state = ?1, answer = ?2, remark = ?3, answered_at = ?4 WHERE id = ?5 AND state = 'open'",
            params![state.as_str(), answer, remark, now.0, card.id.0],
        )?;
        let text = match (state, answer.and_then(|key| card.asked.choice(key))) {
            (DecisionState::Expired, Some(c)) => format!("decision {}: nobody answered in time, so {}", card.id, c.label),
            (_, Some(c)) => format!("decision {}: {}", card.id, c.label),
            (_, None) => format!("decision {} taken back", card.id),
        };
        let asked = &card.asked;
        self.event(&Event { job: asked.job, attempt: asked.attempt, ..Event::new(now, actor, state.as_str(), &text) })?;
        self.mark_task(asked.task)?;
        if asked.task.map(|t| self.task_waits(t)).transpose()? == Some(false) {
            self.tell_queued(asked.task, &format!("goes on: {text}"), now)?;
        }
        self.resume(asked.job, asked.task, &text, now)
    }

    /// A task waits exactly while a card of it is open.
    fn mark_task(&self, task: Option<TaskId>) -> Result<(), StoreError> {
        let Some(task) = task else { return Ok(()) };
        self.run(
            "UPDATE tasks SET state = CASE WHEN EXISTS (SELECT 1 FROM decisions WHERE task_id = ?1 AND state = 'open') THEN 'waiting' ELSE 'open' END
             WHERE id = ?1 AND state <> 'done'",
            [task.0],
        )?;
        Ok(())
    }

    /// A task's jobs that are queued already are left out of the queue while a card of it is open, and are back in it afterwards:
    /// whoever keeps the queue in memory hears of each.
    fn tell_queued(&self, task: Option<TaskId>, text: &str, now: Timestamp) -> Result<(), StoreError> {
        let Some(task) = task else { return Ok(()) };
        for id in row::all(self, "SELECT id FROM jobs WHERE task_id = ?1 AND state = 'queued'", [task.0], row::job_ids)? {
            self.event(&Event { job: Some(id), ..Event::new(now, "engine", "task", text) })?;
        }
        Ok(())
    }

    /// Queues what waited for nothing but this answer.
    fn resume(&self, job: Option<JobId>, task: Option<TaskId>, text: &str, now: Timestamp) -> Result<(), StoreError> {
        let ready = row::all(
            self,
            "SELECT id FROM jobs WHERE state = 'waiting' AND wait_reason = 'decision' AND (id = ?1 OR task_id = ?2)",
            params![job.map(|j| j.0), task.map(|t| t.0)],
            row::job_ids,
        )?;
        ready.into_iter().try_for_each(|id| self.release(id, text, now))
    }
}

impl Store {
    /// One card.
    ///
    /// # Errors
    /// The database.
    pub fn decision(&self, id: DecisionId) -> Result<Option<Decision>, StoreError> {
        row::optional(self, "SELECT * FROM decisions WHERE id = ?1", [id.0], read)
    }

    /// The cards that wait for the operator, those with the nearest deadline first; or all, newest first.
    ///
    /// # Errors
    /// The database.
    pub fn decisions(&self, all: bool) -> Result<Vec<Decision>, StoreError> {
        let sql = if all {
            "SELECT * FROM decisions ORDER BY id DESC"
        } else {
            "SELECT * FROM decisions WHERE state = 'open' ORDER BY deadline IS NULL, deadline, id"
        };
        row::all(self, sql, [], read)
    }

    /// The cards of a job, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn decisions_of(&self, job: JobId) -> Result<Vec<Decision>, StoreError> {
        row::all(self, "SELECT * FROM decisions WHERE job_id = ?1 ORDER BY id", [job.0], read)
    }

    /// True where a task waits for an answer.
    pub(super) fn task_waits(&self, task: TaskId) -> Result<bool, StoreError> {
        let waits = row::optional(self, "SELECT 1 FROM decisions WHERE task_id = ?1 AND state = 'open' LIMIT 1", [task.0], |_| Ok(()))?;
        Ok(waits.is_some())
    }

    /// True where a job, or its task, waits for an answer.
    pub(super) fn awaits_answer(&self, job: JobId, task: Option<TaskId>) -> Result<bool, StoreError> {
        let own = row::optional(self, "SELECT 1 FROM decisions WHERE job_id = ?1 AND state = 'open' LIMIT 1", [job.0], |_| Ok(()))?;
        Ok(own.is_some() || task.map(|t| self.task_waits(t)).transpose()?.unwrap_or(false))
    }

    /// The next deadline at which a default is taken.
    ///
    /// # Errors
    /// The database.
    pub fn next_deadline(&self) -> Result<Option<Timestamp>, StoreError> {
        row::one(self, "SELECT min(deadline) FROM decisions WHERE state = 'open' AND default_key IS NOT NULL", [], |r| {
            Ok(r.get::<_, Option<i64>>(0)?.map(Timestamp))
        })
    }
}

fn unknown(id: DecisionId) -> Applied {
    Applied::Refused { message: format!("there is no decision {id}: `orc decision ls` lists them") }
}

fn read(r: &Row<'_>) -> rusqlite::Result<Decision> {
    Ok(Decision {
        id: DecisionId(r.get("id")?),
        asked: Question {
            question: r.get("question")?,
            choices: row::json(r, "choices")?,
            deadline: row::opt_time(r, "deadline")?,
            default: r.get("default_key")?,
            task: r.get::<_, Option<i64>>("task_id")?.map(TaskId),
            project: r.get::<_, Option<i64>>("project_id")?.map(ProjectId),
            job: r.get::<_, Option<i64>>("job_id")?.map(JobId),
            attempt: r.get::<_, Option<i64>>("attempt_id")?.map(AttemptId),
        },
        asked_by: r.get("asked_by")?,
        state: row::word(r, "state")?,
        answer: r.get("answer")?,
        remark: r.get("remark")?,
        created_at: row::time(r, "created_at")?,
        answered_at: row::opt_time(r, "answered_at")?,
    })
}
