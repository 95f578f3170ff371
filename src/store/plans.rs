//! Plans: asked for, proposed, decided on, turned into jobs. Each step is guarded by the state that it leaves.

use super::events::Event;
use super::jobs::Move;
use super::row::to_json;
use super::{StoreError, Tx};
use crate::domain::{
    Applied, JobId, JobState, MOST_TASKS, MessageId, OnFailure, Plan, PlanDocument, PlanId, PlanState, Priority, Progress, ProjectId,
    TaskId, Timestamp, one_line,
};
use rusqlite::params;

/// What it takes to ask for a plan.
#[derive(Clone, Debug)]
pub struct NewPlan<'a> {
    pub request: &'a str,
    pub project: Option<ProjectId>,
    pub message: Option<MessageId>,
    pub priority: Priority,
    pub on_failure: Option<OnFailure>,
}

/// A plan that a planner may still deliver: one that nobody could make is taken up when the operator retries its planner.
const BEING_MADE: &str = "(state = 'draft' OR (state = 'rejected' AND decided_by = 'engine'))";
const AFRESH: &str = "state = 'draft', decided_by = NULL, decided_at = NULL";
/// The longest request, in bytes.
const LONGEST_REQUEST: usize = 1 << 20;

impl Tx<'_> {
    /// Asks for a plan. The engine has it made.
    ///
    /// # Errors
    /// Nothing is asked for; no such project; the database.
    pub fn add_plan(&self, new: &NewPlan<'_>, actor: &str, now: Timestamp) -> Result<PlanId, StoreError> {
        let request = new.request.trim();
        if request.is_empty() {
            return Err(StoreError::Invalid("nothing is asked for: say what the plan is to reach".into()));
        }
        if request.len() > LONGEST_REQUEST {
            return Err(StoreError::Invalid("the request is longer than 1 MiB: put the material in a file and name it".into()));
        }
        if let Some(id) = new.project {
            let missing = || StoreError::Unknown { what: "project", name: id.to_string() };
            let project = self.project(id)?.ok_or_else(missing)?;
            if project.state == crate::domain::ProjectState::Approved {
                return Err(StoreError::Invalid(format!(
                    "project {id} is approved and closed: `orc project reopen {id}` takes it up again"
                )));
            }
        }
        self.run(
            "INSERT INTO plans (request, project_id, message_id, priority, on_failure, made_by, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                request,
                new.project.map(|p| p.0),
                new.message.map(|m| m.0),
                new.priority.level(),
                new.on_failure.map(OnFailure::as_str),
                actor,
                now.0
            ],
        )?;
        let id = PlanId(self.last_id());
        self.say_of_plan(id, "info", &format!("asked for: {}", one_line(request, 80)), actor, now)?;
        Ok(id)
    }

    fn say_of_plan(&self, id: PlanId, severity: &'static str, text: &str, actor: &str, now: Timestamp) -> Result<(), StoreError> {
        let text = format!("plan {id} {text}");
        self.event(&Event { severity, ..Event::new(now, actor, "plan", &text) }).map(drop)
    }

    /// The job that makes a plan.
    ///
    /// # Errors
    /// The database.
    pub fn set_planner(&self, id: PlanId, job: JobId) -> Result<bool, StoreError> {
        Ok(self.run("UPDATE plans SET job_id = ?1 WHERE id = ?2 AND state = 'draft' AND job_id IS NULL", params![job.0, id.0])? > 0)
    }

    /// Why a plan stands where it stands; false, and nothing written, where it says so already.
    ///
    /// # Errors
    /// The database.
    pub fn note_plan(&self, id: PlanId, note: &str, now: Timestamp) -> Result<bool, StoreError> {
        if self.run("UPDATE plans SET note = ?1 WHERE id = ?2 AND note IS NOT ?1", params![note, id.0])? == 0 {
            return Ok(false);
        }
        self.say_of_plan(id, "warn", note, "engine", now)?;
        Ok(true)
    }

    /// Nothing holds a plan up any more.
    ///
    /// # Errors
    /// The database.
    pub fn clear_plan_note(&self, id: PlanId) -> Result<(), StoreError> {
        self.run("UPDATE plans SET note = NULL WHERE id = ?1", [id.0]).map(drop)
    }

    /// What the planner delivered, checked. It is proposed when its job is done.
    ///
    /// # Errors
    /// The database.
    pub fn keep_plan(&self, id: PlanId, document: &PlanDocument) -> Result<bool, StoreError> {
        let n = self.run(
            &format!("UPDATE plans SET {AFRESH}, document = ?1, revision = revision + 1, note = NULL WHERE id = ?2 AND {BEING_MADE}"),
            params![to_json(document), id.0],
        )?;
        Ok(n > 0)
    }

    /// What the planner delivered is no plan; it goes back.
    ///
    /// # Errors
    /// The database.
    pub fn plan_returned(&self, id: PlanId, why: &str) -> Result<(), StoreError> {
        self.run(
            &format!("UPDATE plans SET {AFRESH}, returned = returned + 1, document = NULL, note = ?1 WHERE id = ?2 AND {BEING_MADE}"),
            params![why, id.0],
        )
        .map(drop)
    }

    /// Puts a plan before the operator. False if it is not there to be put.
    ///
    /// # Errors
    /// The database.
    pub fn propose_plan(&self, id: PlanId, now: Timestamp) -> Result<bool, StoreError> {
        let n = self.run(
            "UPDATE plans SET state = 'proposed', proposed_at = ?1, note = NULL WHERE id = ?2 AND document IS NOT NULL AND state = 'draft'",
            params![now.0, id.0],
        )?;
        if n > 0 {
            self.say_of_plan(id, "warn", &format!("waits for a yes or no: `orc plan show {id}`"), "engine", now)?;
        }
        Ok(n > 0)
    }

    /// Nobody could make the plan.
    ///
    /// # Errors
    /// The database.
    pub fn plan_failed(&self, id: PlanId, why: &str, now: Timestamp) -> Result<bool, StoreError> {
        let n = self.run(
            "UPDATE plans SET state = 'rejected', decided_by = 'engine', decided_at = ?1, note = ?2 WHERE id = ?3 AND state = 'draft'",
            params![now.0, why, id.0],
        )?;
        if n > 0 {
            self.say_of_plan(id, "fail", &format!("could not be made: {why}"), "engine", now)?;
        }
        Ok(n > 0)
    }

    pub(super) fn approve_plan(&self, id: PlanId, revision: Option<u32>, actor: &str, now: Timestamp) -> Result<Applied, StoreError> {
        let Some(plan) = self.plan(id)? else { return Ok(unknown(id)) };
        if let Some(seen) = revision
            && seen != plan.revision
        {
            return Ok(Applied::Stale { message: format!("plan {id} was changed since it was shown: look at it again") });
        }
        let (PlanState::Proposed, Some(document)) = (plan.state, &plan.document) else {
            return Ok(Applied::Refused { message: format!("plan {id} is {}: {}", plan.state, next_step(&plan)) });
        };
        self.run(
            "UPDATE plans SET state = 'approved', decided_by = ?1, decided_at = ?2, note = NULL WHERE id = ?3 AND state = 'proposed' AND revision = ?4",
            params![actor, now.0, id.0, plan.revision],
        )?;
        let jobs = document.tasks.len();
        self.say_of_plan(id, "info", &format!("approved: {jobs} job(s)"), actor, now)?;
        Ok(Applied::Done { message: format!("plan {id} approved: the engine makes its {jobs} job(s)"), undo: None })
    }

    pub(super) fn reject_plan(&self, id: PlanId, reason: &str, actor: &str, now: Timestamp) -> Result<Applied, StoreError> {
        let Some(plan) = self.plan(id)? else { return Ok(unknown(id)) };
        if reason.trim().is_empty() {
            return Ok(Applied::Refused { message: format!("plan {id} needs a reason to be rejected with: it stays with the plan") });
        }
        if !matches!(plan.state, PlanState::Draft | PlanState::Proposed) {
            return Ok(Applied::Refused { message: format!("plan {id} is {}: {}", plan.state, next_step(&plan)) });
        }
        self.run(
            "UPDATE plans SET state = 'rejected', decided_by = ?1, decided_at = ?2, remark = ?3, note = NULL WHERE id = ?4 AND state IN ('draft', 'proposed')",
            params![actor, now.0, reason.trim(), id.0],
        )?;
        // Nobody needs what its planner is still at.
        if let Some(job) = plan.job.map(|j| self.job(j)).transpose()?.flatten()
            && !job.state.is_final()
            && !job.kill_requested
        {
            super::apply(self, &crate::domain::Command::Kill { job: job.id, seen: None }, &crate::domain::Actor::Engine, now)?;
        }
        let message = format!("plan {id} rejected: {}", one_line(reason, 120));
        self.say_of_plan(id, "info", &format!("rejected: {}", one_line(reason, 120)), actor, now)?;
        Ok(Applied::Done { message, undo: None })
    }

    pub(super) fn edit_plan(
        &self,
        id: PlanId,
        document: &PlanDocument,
        revision: Option<u32>,
        actor: &str,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let Some(plan) = self.plan(id)? else { return Ok(unknown(id)) };
        if let Some(seen) = revision
            && seen != plan.revision
        {
            return Ok(Applied::Stale { message: format!("plan {id} was changed meanwhile: look at it again") });
        }
        let being_made = plan.state == PlanState::Draft && plan.job.is_some();
        if being_made || matches!(plan.state, PlanState::Approved | PlanState::Dispatched) {
            return Ok(Applied::Refused { message: format!("plan {id} is {}: {}", plan.state, next_step(&plan)) });
        }
        if let Err(e) = document.check(MOST_TASKS) {
            return Ok(Applied::Refused { message: format!("that is no plan: {e}") });
        }
        self.run(
            "UPDATE plans SET state = 'proposed', document = ?1, revision = revision + 1, proposed_at = ?2, decided_by = NULL, decided_at = NULL,
                    note = NULL WHERE id = ?3 AND revision = ?4",
            params![to_json(document), now.0, id.0, plan.revision],
        )?;
        self.say_of_plan(id, "info", &format!("changed: {} task(s)", document.tasks.len()), actor, now)?;
        Ok(Applied::Done { message: format!("plan {id} changed: it waits for your yes"), undo: None })
    }

    /// The jobs of an approved plan cannot be made: it is before the operator again.
    ///
    /// # Errors
    /// The database.
    pub fn plan_sent_back(&self, id: PlanId, why: &str, now: Timestamp) -> Result<bool, StoreError> {
        let n = self.run(
            "UPDATE plans SET state = 'proposed', note = ?1, proposed_at = ?2, decided_by = NULL, decided_at = NULL WHERE id = ?3 AND state = 'approved'",
            params![why, now.0, id.0],
        )?;
        if n > 0 {
            self.say_of_plan(id, "warn", why, "engine", now)?;
        }
        Ok(n > 0)
    }

    /// Ends a job of a plan that waits for one that will not be done.
    ///
    /// # Errors
    /// The database.
    pub fn cancel_planned(&self, id: JobId, why: &str, now: Timestamp) -> Result<bool, StoreError> {
        let Some(job) = self.job(id)?.filter(|j| j.state == JobState::Waiting) else { return Ok(false) };
        let mv = Move { note: Some(why), severity: "warn", ..Move::to(JobState::Killed, why) };
        self.move_job(id, JobState::Waiting, job.attempt, &mv, "engine", now)
    }

    /// The jobs of an approved plan are made: it is dispatched. False, and nothing written, if it is not approved.
    ///
    /// # Errors
    /// The database.
    pub fn plan_dispatched(&self, id: PlanId, project: ProjectId, policy: OnFailure, now: Timestamp) -> Result<bool, StoreError> {
        let n = self.run(
            "UPDATE plans SET state = 'dispatched', project_id = ?1, on_failure = ?2, dispatched_at = ?3 WHERE id = ?4 AND state = 'approved'",
            params![project.0, policy.as_str(), now.0, id.0],
        )?;
        if n > 0 {
            self.say_of_plan(id, "info", &format!("dispatched in project {project}; what needs a failed task: {policy}"), "engine", now)?;
        }
        Ok(n > 0)
    }

    /// What was made of a planned task.
    ///
    /// # Errors
    /// It was made before; the database.
    pub fn add_plan_job(&self, plan: PlanId, key: &str, task: TaskId, job: JobId) -> Result<(), StoreError> {
        self.run("INSERT INTO plan_jobs (plan_id, key, task_id, job_id) VALUES (?1, ?2, ?3, ?4)", params![plan.0, key, task.0, job.0])
            .map(drop)
    }

    /// The last job of a plan is over. False if that was known.
    ///
    /// # Errors
    /// The database.
    pub fn plan_finished(&self, id: PlanId, progress: Progress, now: Timestamp) -> Result<bool, StoreError> {
        let n = self.run(
            "UPDATE plans SET finished_at = ?1 WHERE id = ?2 AND state = 'dispatched' AND finished_at IS NULL",
            params![now.0, id.0],
        )?;
        if n > 0 {
            let severity = if progress.failed > 0 { "warn" } else { "info" };
            self.say_of_plan(id, severity, &format!("is over: {}", progress.says()), "engine", now)?;
        }
        Ok(n > 0)
    }

    /// A planned task is done exactly while its job is, and nobody waits for an answer about it.
    ///
    /// # Errors
    /// The database.
    pub fn settle_plan_tasks(&self, id: PlanId) -> Result<(), StoreError> {
        self.run(
            "UPDATE tasks SET state = CASE WHEN state = 'done' THEN 'open' ELSE 'done' END
             WHERE id IN (SELECT p.task_id FROM plan_jobs p JOIN jobs j ON j.id = p.job_id JOIN tasks t ON t.id = p.task_id
                          WHERE p.plan_id = ?1 AND t.state <> 'waiting' AND (t.state = 'done') <> (j.state = 'done'))",
            [id.0],
        )
        .map(drop)
    }

    /// A dependency that failed is done without.
    ///
    /// # Errors
    /// The database.
    pub fn waive_dependency(&self, job: JobId, on: JobId, now: Timestamp) -> Result<(), StoreError> {
        self.run("UPDATE dependencies SET waived = 1 WHERE job_id = ?1 AND depends_on = ?2", params![job.0, on.0])?;
        self.release(job, &format!("goes on without job {on}, which failed"), now)
    }
}

fn unknown(id: PlanId) -> Applied {
    Applied::Refused { message: format!("there is no plan {id}: `orc plan ls` lists them") }
}

/// What can be done with a plan as it stands.
fn next_step(plan: &Plan) -> String {
    let id = plan.id;
    match (plan.state, plan.job) {
        (PlanState::Draft, Some(job)) => format!("job {job} is making it; `orc job kill {job}` ends that"),
        (PlanState::Draft, None) => "the engine has not taken it up yet".into(),
        (PlanState::Proposed, _) => format!("`orc plan approve {id}`, `orc plan edit {id}` or `orc plan reject {id} --reason R`"),
        (PlanState::Approved, _) => "its jobs are made as soon as an engine runs".into(),
        (PlanState::Rejected, _) => format!("`orc plan edit {id}` puts it right and proposes it again"),
        (PlanState::Dispatched, _) => format!("its jobs are made: `orc plan show {id}`"),
    }
}
