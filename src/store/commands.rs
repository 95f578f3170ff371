//! What the operator may ask for, applied to the database: by the console, the command line and the engine alike, with or
//! without an engine running.

use super::events::Event;
use super::jobs::Move;
use super::plans::NewPlan;
use super::{StoreError, Tx};
use crate::domain::{
    Act, Actor, Applied, BackendPause, Command, Job, JobId, JobState, Limit, LimitKind, Origin, Priority, ProjectState, Refusal, Seen,
    Target, Timestamp, WorkerId, WorkerStatus, act_of,
};
use rusqlite::params;

/// Applies one command. What cannot be done is an answer, not an error.
///
/// # Errors
/// The database.
pub fn apply(tx: &Tx<'_>, command: &Command, who: &Actor, now: Timestamp) -> Result<Applied, StoreError> {
    let target = |job| tx.target(job, who).unwrap_or_default();
    if let Err(refusal) = tx.permit(who, &act_of(command, target), now)? {
        return Ok(refused(refusal));
    }
    let actor = &who.to_string();
    match command {
        Command::AddJob { spec } => match tx.add_job(spec, actor, now) {
            Ok(added) => Ok(Applied::Added { job: added.job, existing: added.existing }),
            Err(e @ (StoreError::NoJob(_) | StoreError::Unknown { .. } | StoreError::Invalid(_))) => Ok(refused(e)),
            Err(e) => Err(e),
        },
        Command::Kill { job, seen } => tx.on_job(*job, *seen, |j| tx.kill(j, actor, now)),
        Command::Retry { job, seen } => tx.on_job(*job, *seen, |j| tx.retry(j, actor, now)),
        Command::SetPriority { job, priority, seen } => tx.on_job(*job, *seen, |j| tx.reprioritise(j, *priority, actor, now)),
        Command::PauseLane { lane, paused } => {
            tx.run("UPDATE lanes SET paused = ?1 WHERE lane = ?2", params![paused, lane.number()])?;
            let message = format!("lane {} ({}) {}", lane.number(), lane.name(), word(*paused));
            tx.event(&Event::new(now, actor, "lane", &message))?;
            done(message, Command::PauseLane { lane: *lane, paused: !paused })
        }
        Command::PauseWorker { worker, paused } => tx.pause_worker(*worker, *paused, actor, now),
        Command::RetireWorker { worker } => tx.retire_worker(*worker, actor, now),
        Command::PauseEngine { paused } => {
            tx.run("UPDATE engine SET paused = ?1 WHERE id = 1", params![paused])?;
            let message = format!("dispatching {}", word(*paused));
            tx.event(&Event::new(now, actor, "engine", &message))?;
            done(message, Command::PauseEngine { paused: !paused })
        }
        Command::Drain { on } => {
            tx.run("UPDATE engine SET draining = ?1 WHERE id = 1", params![on])?;
            let message = if *on { "draining: no new starts; the engine ends with the last job" } else { "draining called off" };
            tx.event(&Event::new(now, actor, "engine", message))?;
            done(message.to_owned(), Command::Drain { on: !on })
        }
        Command::PauseBackend { backend, paused } => tx.hold_backend(backend, *paused, actor, now),
        Command::Answer { decision, key, remark } => tx.answer(*decision, key, remark.as_deref(), actor, now),
        Command::CancelDecision { decision } => tx.cancel_decision(*decision, actor, now),
        Command::SubmitProject { project } => tx.move_project(*project, ProjectState::PendingApproval, None, actor, now),
        Command::ApproveProject { project, remark } => tx.move_project(*project, ProjectState::Approved, remark.as_deref(), actor, now),
        Command::RejectProject { project, reason } if reason.trim().is_empty() => {
            Ok(refused(format!("project {project} needs a reason to be sent back with: whoever works on it reads it")))
        }
        Command::RejectProject { project, reason } => tx.move_project(*project, ProjectState::Rejected, Some(reason), actor, now),
        Command::ReopenProject { project } => tx.move_project(*project, ProjectState::Active, None, actor, now),
        Command::NewPlan { request, project, priority, on_failure } => {
            let new = NewPlan { request, project: *project, message: None, priority: *priority, on_failure: *on_failure };
            match tx.add_plan(&new, actor, now) {
                Ok(plan) => Ok(Applied::Planned { plan }),
                Err(e @ (StoreError::Unknown { .. } | StoreError::Invalid(_))) => Ok(refused(e)),
                Err(e) => Err(e),
            }
        }
        Command::ApprovePlan { plan, revision } => tx.approve_plan(*plan, *revision, actor, now),
        Command::RejectPlan { plan, reason } => tx.reject_plan(*plan, reason, actor, now),
        Command::EditPlan { plan, document, revision } => tx.edit_plan(*plan, document, *revision, actor, now),
        Command::SendMessage { text, channel, from, project } => {
            match tx.add_message(text, channel, from.as_deref(), *project, actor, now) {
                Ok(message) => Ok(Applied::Sent { message }),
                Err(e @ (StoreError::Unknown { .. } | StoreError::Invalid(_))) => Ok(refused(e)),
                Err(e) => Err(e),
            }
        }
        Command::ReadConversation { up_to } => {
            let new = tx.read_up_to(*up_to, now)?;
            if new > 0 {
                tx.event(&Event::new(now, actor, "conversation", &format!("read up to {up_to}")))?;
            }
            Ok(Applied::Done { message: format!("{new} read"), undo: None })
        }
        Command::SetCron { name, enabled } => tx.set_cron(name, *enabled, actor, now),
        Command::RunCron { name, spec, each_project } => tx.run_cron(name, spec, *each_project, actor, now),
        Command::VetoMemory { job, memory, on } => tx.veto(*job, *memory, *on, actor, now),
        Command::AddMemory { .. }
        | Command::ForgetMemory { .. }
        | Command::RestoreMemory { .. }
        | Command::EditMemory { .. }
        | Command::SettleMemory { .. } => Ok(refused("memories are not in the database: this command is for the memory store")),
        Command::PinSkill { skill, hash } => tx.pin_skill(skill, hash.as_deref(), actor, now),
        Command::CanarySkill { skill, base, percent } => tx.canary_skill(skill, base, *percent, actor, now),
    }
}

fn done(message: String, undo: Command) -> Result<Applied, StoreError> {
    Ok(Applied::Done { message, undo: Some(undo) })
}

fn refused(why: impl ToString) -> Applied {
    Applied::Refused { message: why.to_string() }
}

fn word(paused: bool) -> &'static str {
    if paused { "paused" } else { "resumed" }
}

impl Tx<'_> {
    /// Whether somebody may do something; a refusal goes into the audit log.
    ///
    /// # Errors
    /// The database.
    pub fn permit(&self, who: &Actor, act: &Act<'_>, now: Timestamp) -> Result<Result<(), Refusal>, StoreError> {
        let allowed = who.may(act);
        if let (Err(refusal), Actor::Worker(inside)) = (&allowed, who) {
            let text = refusal.to_string();
            self.event(&Event {
                severity: "warn",
                job: Some(inside.job),
                attempt: Some(inside.attempt),
                ..Event::new(now, &who.to_string(), "refused", &text)
            })?;
        }
        Ok(allowed)
    }

    /// A job as the rules see it when somebody wants to change it.
    fn target(&self, id: JobId, who: &Actor) -> Result<Target, StoreError> {
        let (Actor::Worker(inside), Some(job)) = (who, self.job(id)?) else { return Ok(Target::default()) };
        let mut maker = self.made_by(id)?;
        while let Some(above) = maker.filter(|m| *m != inside.job) {
            maker = self.made_by(above)?;
        }
        Ok(Target { project: job.spec.project_id, judges: job.spec.origin == Origin::Review, made_here: maker.is_some() })
    }

    /// The job whose process submitted this one, if one did: its worker stands at the submission, and had one attempt open then.
    fn made_by(&self, id: JobId) -> Result<Option<JobId>, StoreError> {
        // An older number each time, so that a walk upwards ends.
        super::row::optional(
            self,
            "SELECT a.job_id FROM events e JOIN attempts a ON e.actor = 'worker:' || a.worker
             WHERE e.id = (SELECT min(id) FROM events WHERE job_id = ?1) AND a.job_id < ?1
               AND a.started_at <= e.at AND (a.ended_at IS NULL OR a.ended_at >= e.at)
             ORDER BY a.id DESC LIMIT 1",
            [id.0],
            super::row::job_ids,
        )
    }

    fn on_job(&self, id: JobId, seen: Option<Seen>, f: impl FnOnce(&Job) -> Result<Applied, StoreError>) -> Result<Applied, StoreError> {
        let Some(job) = self.job(id)? else { return Ok(refused(StoreError::NoJob(id))) };
        if let Some(seen) = seen
            && (seen.state != job.state || seen.attempt != job.attempt)
        {
            return Ok(Applied::Stale { message: format!("job {id} is {} now (it was {} on screen)", job.state, seen.state) });
        }
        f(&job)
    }

    fn kill(&self, job: &Job, actor: &str, now: Timestamp) -> Result<Applied, StoreError> {
        let id = job.id;
        match job.state {
            s if s.is_final() => Ok(refused(format!("job {id} is {s} already"))),
            JobState::Running => {
                if job.kill_requested {
                    return Ok(refused(format!("job {id} is being ended already")));
                }
                self.run("UPDATE jobs SET kill_requested = 1 WHERE id = ?1 AND state = 'running'", [id.0])?;
                let text = format!("{actor} asked for its end");
                self.event(&Event { job: Some(id), attempt: job.attempt, severity: "warn", ..Event::new(now, actor, "kill", &text) })?;
                Ok(Applied::Done { message: format!("job {id} is being ended"), undo: None })
            }
            from => {
                let note = format!("killed by {actor}");
                let mv = Move { note: Some(&note), severity: "warn", ..Move::to(JobState::Killed, &note) };
                self.move_job(id, from, job.attempt, &mv, actor, now)?;
                Ok(Applied::Done { message: format!("job {id} killed"), undo: Some(Command::Retry { job: id, seen: None }) })
            }
        }
    }

    fn retry(&self, job: &Job, actor: &str, now: Timestamp) -> Result<Applied, StoreError> {
        let id = job.id;
        if job.state == JobState::Queued && job.ready_at.is_some() {
            self.run("UPDATE jobs SET ready_at = NULL WHERE id = ?1", [id.0])?;
            self.event(&Event { job: Some(id), ..Event::new(now, actor, "retry", "retried at once instead of after its delay") })?;
            return Ok(Applied::Done { message: format!("job {id} goes next"), undo: None });
        }
        if !job.state.is_final() {
            return Ok(refused(format!("job {id} is {}: only a job that ended can be retried", job.state)));
        }
        if let Some(key) = &job.spec.dedup_key {
            let open: Option<i64> = super::row::optional(
                self,
                "SELECT id FROM jobs WHERE dedup_key = ?1 AND state IN ('waiting', 'queued', 'running', 'reviewing')",
                [key],
                |r| r.get(0),
            )?;
            if let Some(open) = open {
                return Ok(refused(format!("job {id} has the same dedup key as job {open}, which is open")));
            }
        }
        self.run("UPDATE jobs SET attempts = 0, losses = 0, outcome = NULL, rounds = 0, guide = NULL WHERE id = ?1", [id.0])?;
        self.move_job(id, job.state, job.attempt, &Move::to(JobState::Queued, &format!("retried by {actor}")), actor, now)?;
        self.follow_again(id)?;
        Ok(Applied::Done { message: format!("job {id} queued again"), undo: Some(Command::Kill { job: id, seen: None }) })
    }

    /// What a retried job serves is not over after all: its plan, and the message that has no reply yet.
    fn follow_again(&self, job: JobId) -> Result<(), StoreError> {
        self.run("UPDATE plans SET finished_at = NULL WHERE id IN (SELECT plan_id FROM plan_jobs WHERE job_id = ?1)", [job.0])?;
        self.run(
            "UPDATE messages SET stage = 'work', ended_at = NULL WHERE job_id = ?1 AND stage = 'over'
             AND NOT EXISTS (SELECT 1 FROM conversation c WHERE c.message_id = messages.id AND c.says = 'reply')",
            [job.0],
        )
        .map(drop)
    }

    fn reprioritise(&self, job: &Job, priority: Priority, actor: &str, now: Timestamp) -> Result<Applied, StoreError> {
        let id = job.id;
        if job.state.is_final() {
            return Ok(refused(format!("job {id} is {}: its priority has no effect any more", job.state)));
        }
        let old = job.spec.priority;
        self.run("UPDATE jobs SET priority = ?1 WHERE id = ?2", params![priority.level(), id.0])?;
        let message = format!("job {id} {old} -> {priority}");
        self.event(&Event { job: Some(id), attempt: job.attempt, ..Event::new(now, actor, "priority", &message) })?;
        done(message, Command::SetPriority { job: id, priority: old, seen: None })
    }

    fn pause_worker(&self, id: WorkerId, paused: bool, actor: &str, now: Timestamp) -> Result<Applied, StoreError> {
        let Some(w) = self.worker(id)? else { return Ok(refused(format!("there is no worker {id}: `orc worker ls` lists them"))) };
        if w.status == WorkerStatus::Retired {
            return Ok(refused(format!("worker {} has retired", w.name)));
        }
        let status = match (paused, w.attempt) {
            (true, _) => WorkerStatus::Paused,
            (false, Some(_)) => WorkerStatus::Working,
            (false, None) => WorkerStatus::Idle,
        };
        let message = format!("worker {} {}", w.name, word(paused));
        self.set_worker_status(id, status, &message, actor, now)?;
        done(message, Command::PauseWorker { worker: id, paused: !paused })
    }

    fn retire_worker(&self, id: WorkerId, actor: &str, now: Timestamp) -> Result<Applied, StoreError> {
        let Some(w) = self.worker(id)? else { return Ok(refused(format!("there is no worker {id}: `orc worker ls` lists them"))) };
        if w.attempt.is_some() {
            return Ok(refused(format!("worker {} is working: kill its job first, or pause it and retire it later", w.name)));
        }
        let message = format!("worker {} retired", w.name);
        self.set_worker_status(id, WorkerStatus::Retired, &message, actor, now)?;
        Ok(Applied::Done { message, undo: None })
    }

    fn hold_backend(&self, backend: &str, paused: bool, actor: &str, now: Timestamp) -> Result<Applied, StoreError> {
        if paused {
            let limit = Limit { kind: LimitKind::Operator, resets_at: None, message: format!("held by {actor}") };
            self.pause_backend(backend, &BackendPause { limit, since: now, until: None, guessed: false }, 0, actor, now)?;
        } else if !self.resume_backend(backend, &format!("by {actor}"), actor, now)? {
            return Ok(refused(format!("backend {backend} is not paused")));
        }
        done(format!("backend {backend} {}", word(paused)), Command::PauseBackend { backend: backend.to_owned(), paused: !paused })
    }
}
