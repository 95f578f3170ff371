//! Plans as they are read, one by one and in lists.

use super::row;
use super::{Store, StoreError};
use crate::domain::{
    JobId, JobState, Kind, KindHistory, MessageId, Page, Plan, PlanId, PlanJob, PlanRow, PlanState, Priority, Progress, ProjectId, TaskId,
};
use rusqlite::{Row, params};
use std::collections::BTreeMap;

/// How many finished jobs of a kind an estimate rests on at most, and how many of all kinds are looked at.
const HISTORY: usize = 50;
const LOOKED_AT: usize = 2000;

impl Store {
    /// One plan.
    ///
    /// # Errors
    /// The database.
    pub fn plan(&self, id: PlanId) -> Result<Option<Plan>, StoreError> {
        row::optional(self, "SELECT * FROM plans WHERE id = ?1", [id.0], read)
    }

    /// The plan that a job makes.
    ///
    /// # Errors
    /// The database.
    pub fn plan_by(&self, job: JobId) -> Result<Option<Plan>, StoreError> {
        row::optional(self, "SELECT * FROM plans WHERE job_id = ?1 ORDER BY id DESC LIMIT 1", [job.0], read)
    }

    /// The plans in a state, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn plans_in(&self, state: PlanState) -> Result<Vec<Plan>, StoreError> {
        // The words of the index, so that no plan of the past is looked at.
        let sql = match state {
            PlanState::Draft | PlanState::Proposed | PlanState::Approved => {
                "SELECT * FROM plans WHERE state = ?1 AND state IN ('draft', 'proposed', 'approved') ORDER BY id"
            }
            PlanState::Rejected | PlanState::Dispatched => "SELECT * FROM plans WHERE state = ?1 ORDER BY id",
        };
        row::all(self, sql, [state.as_str()], read)
    }

    /// Dispatched plans whose jobs are not all over, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn plans_under_way(&self) -> Result<Vec<Plan>, StoreError> {
        row::all(self, "SELECT * FROM plans WHERE state = 'dispatched' AND finished_at IS NULL ORDER BY id", [], read)
    }

    /// A page of plans, newest first.
    ///
    /// # Errors
    /// The database.
    pub fn plans(&self, page: Page) -> Result<Vec<PlanRow>, StoreError> {
        let plans = row::all(
            self,
            "SELECT * FROM plans WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2",
            params![page.before, page.limit as i64],
            read,
        )?;
        plans.iter().map(|p| self.plan_row(p)).collect()
    }

    /// A plan as lists show it.
    ///
    /// # Errors
    /// The database.
    pub fn plan_row(&self, p: &Plan) -> Result<PlanRow, StoreError> {
        Ok(PlanRow {
            id: p.id,
            title: p.title(),
            state: p.state,
            revision: p.revision,
            project: p.project,
            job: p.job,
            note: p.note.clone(),
            progress: self.plan_progress(p)?,
            created_at: p.created_at,
            proposed_at: p.proposed_at,
        })
    }

    /// How far a plan has come, counted from its jobs.
    ///
    /// # Errors
    /// The database.
    pub fn plan_progress(&self, p: &Plan) -> Result<Progress, StoreError> {
        let mut progress = Progress { tasks: p.document.as_ref().map_or(0, |d| d.tasks.len() as u32), ..Progress::default() };
        for job in self.plan_jobs(p.id)? {
            match job.state {
                JobState::Done => progress.done += 1,
                JobState::Running | JobState::Reviewing => progress.running += 1,
                JobState::Failed | JobState::Killed => progress.failed += 1,
                JobState::Waiting | JobState::Queued => {}
            }
        }
        Ok(progress)
    }

    /// What was made of a plan's tasks, in the order in which the jobs were made.
    ///
    /// # Errors
    /// The database.
    pub fn plan_jobs(&self, id: PlanId) -> Result<Vec<PlanJob>, StoreError> {
        row::all(
            self,
            "SELECT p.key, p.task_id, p.job_id, j.state FROM plan_jobs p JOIN jobs j ON j.id = p.job_id WHERE p.plan_id = ?1 ORDER BY p.job_id",
            [id.0],
            |r| {
                Ok(PlanJob {
                    key: r.get("key")?,
                    task: TaskId(r.get("task_id")?),
                    job: JobId(r.get("job_id")?),
                    state: row::word(r, "state")?,
                })
            },
        )
    }

    /// Jobs of a plan that wait for one that failed or was ended: which, and for which.
    ///
    /// # Errors
    /// The database.
    pub fn plan_stuck(&self, id: PlanId) -> Result<Vec<(JobId, JobId)>, StoreError> {
        row::all(
            self,
            "SELECT d.job_id, d.depends_on FROM plan_jobs p JOIN jobs j ON j.id = p.job_id JOIN dependencies d ON d.job_id = j.id
             JOIN jobs o ON o.id = d.depends_on
             WHERE p.plan_id = ?1 AND j.state = 'waiting' AND j.wait_reason = 'dependency' AND d.waived = 0 AND o.state IN ('failed', 'killed')
             ORDER BY d.job_id, d.depends_on",
            [id.0],
            |r| Ok((JobId(r.get(0)?), JobId(r.get(1)?))),
        )
    }

    /// Dependencies of a job that are done without.
    ///
    /// # Errors
    /// The database.
    pub fn waived(&self, job: JobId) -> Result<Vec<JobId>, StoreError> {
        row::all(self, "SELECT depends_on FROM dependencies WHERE job_id = ?1 AND waived = 1", [job.0], row::job_ids)
    }

    /// What the newest finished jobs of each kind used, with all their attempts.
    ///
    /// # Errors
    /// The database.
    pub fn kind_history(&self) -> Result<BTreeMap<Kind, KindHistory>, StoreError> {
        let rows = row::all(
            self,
            "SELECT j.kind, sum(a.input + a.output + a.cache_write) AS tokens, sum(a.cost_usd) AS cost
             FROM (SELECT id, kind FROM jobs WHERE finished_at IS NOT NULL AND state = 'done' ORDER BY finished_at DESC LIMIT ?1) j
             JOIN attempts a ON a.job_id = j.id GROUP BY j.id HAVING min(a.usage_known) = 1 AND tokens > 0 ORDER BY j.id DESC",
            [LOOKED_AT as i64],
            |r| Ok((row::word::<Kind>(r, "kind")?, row::count(r, "tokens")?, r.get::<_, Option<f64>>("cost")?)),
        )?;
        let mut all = BTreeMap::<Kind, KindHistory>::new();
        for (kind, tokens, cost) in rows {
            let history = all.entry(kind).or_default();
            if history.jobs.len() < HISTORY {
                history.jobs.push((tokens, cost));
            }
        }
        Ok(all)
    }
}

fn read(r: &Row<'_>) -> rusqlite::Result<Plan> {
    let document = r.get::<_, Option<String>>("document")?;
    Ok(Plan {
        id: PlanId(r.get("id")?),
        request: r.get("request")?,
        project: r.get::<_, Option<i64>>("project_id")?.map(ProjectId),
        message: r.get::<_, Option<i64>>("message_id")?.map(MessageId),
        priority: Priority::new(r.get("priority")?).unwrap_or(Priority::P2),
        state: row::word(r, "state")?,
        job: r.get::<_, Option<i64>>("job_id")?.map(JobId),
        returned: r.get("returned")?,
        document: if document.is_some() { Some(row::json(r, "document")?) } else { None },
        revision: r.get("revision")?,
        on_failure: row::opt_word(r, "on_failure")?,
        remark: r.get("remark")?,
        note: r.get("note")?,
        made_by: r.get("made_by")?,
        decided_by: r.get("decided_by")?,
        created_at: row::time(r, "created_at")?,
        proposed_at: row::opt_time(r, "proposed_at")?,
        decided_at: row::opt_time(r, "decided_at")?,
        dispatched_at: row::opt_time(r, "dispatched_at")?,
        finished_at: row::opt_time(r, "finished_at")?,
    })
}
