//! The job that plans, and what it delivers.

use super::super::state::State;
use crate::config::{self, Backend, Persona, Workspace};
use crate::domain::{
    AttemptId, ExitReport, Fix, Job, JobSpec, Kind, Origin, Outcome, Plan, PlanDocument, PlanState, Priority, ReviewOutcome, Timestamp,
    fill, one_line, plan_of,
};
use crate::engine::learn::read_head;
use crate::store::{StoreError, Tx};
use std::collections::BTreeMap;

const TEMPLATE: &str = include_str!("../../../config/templates/plan.md");
/// The longest answer that is read, in bytes.
const LONGEST: u64 = 4 << 20;
/// How often what is no plan goes back to its planner before the operator is asked.
const RETURNS: u32 = 1;

/// What a planner has delivered: the plan that it was to make, and what was read, or why it is none.
pub(in crate::engine) struct Delivered {
    pub plan: Plan,
    pub read: Result<PlanDocument, String>,
}

/// Names in a plan that nobody knows: of backends, skills, personas.
///
/// # Errors
/// The first, with those that there are.
pub fn check_names(document: &PlanDocument, backends: &BTreeMap<String, Backend>, workspace: &Workspace) -> Result<(), String> {
    let skills = config::skill_names(&workspace.skills_dir());
    for t in &document.tasks {
        if let Some(name) = t.backend.as_ref().filter(|name| !backends.contains_key(*name)) {
            let known = backends.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(format!("task `{}` names the type `{name}`, which is none of {known}", t.key));
        }
        if let Some(name) = t.skills.iter().find(|name| !skills.contains(name)) {
            return Err(format!("task `{}` names the skill `{name}`, which is none of {}", t.key, skills.join(", ")));
        }
        if let Some(name) = &t.persona
            && let Err(e) = Persona::find(workspace, name)
        {
            return Err(format!("task `{}`: {e}", t.key));
        }
    }
    Ok(())
}

impl State {
    /// Adds the job that makes a plan.
    pub(super) fn call_planner(&mut self, tx: &Tx<'_>, plan: &Plan, now: Timestamp) -> Result<bool, StoreError> {
        let backend = match self.agent("work_backend", &self.settings.work_backend) {
            Ok(backend) => backend,
            Err(why) => {
                tx.note_plan(plan.id, &format!("waits: {why}"), now)?;
                self.look_again_soon(now);
                return Ok(false);
            }
        };
        let external = match plan.message.map(|m| tx.message(m)).transpose()?.flatten() {
            Some(m) if m.is_external() => super::super::converse::outside(&m.sender),
            _ => String::new(),
        };
        let agents: Vec<&str> = self.backends.values().filter(|b| !b.uses_model() || (self.usable)(b)).map(|b| b.name.as_str()).collect();
        let prompt = fill(
            TEMPLATE,
            &[
                ("most", &self.settings.plan_max_tasks.to_string()),
                ("backends", &agents.join(", ")),
                ("skills", &config::skill_names(&self.workspace.skills_dir()).join(", ")),
                ("outside", &external),
                ("request", &plan.request),
            ],
        );
        let spec = JobSpec {
            kind: Kind::Plan,
            // Somebody who has just written waits for it.
            priority: if plan.message.is_some() { Priority::new(1).unwrap_or(plan.priority).min(plan.priority) } else { plan.priority },
            project_id: plan.project,
            skills: vec!["planning".to_owned()],
            max_attempts: self.settings.max_attempts,
            origin: Origin::Plan,
            tags: tags(plan, !external.is_empty()),
            ..JobSpec::new(format!("Plan: {}", one_line(&plan.request, 60)), &backend, prompt)
        };
        match self.add(tx, &spec, now)? {
            Ok(job) => tx.set_planner(plan.id, job),
            Err(why) => tx.plan_failed(plan.id, &why, now),
        }
    }

    /// What a planner has delivered, read: `None` for every other job.
    pub(in crate::engine) fn planned(&self, tx: &Tx<'_>, job: &Job, report: &ExitReport) -> Result<Option<Delivered>, StoreError> {
        if report.outcome != Outcome::Ok || job.spec.kind != Kind::Plan {
            return Ok(None);
        }
        // What the operator has decided on is made no more.
        let made = |p: &Plan| p.state == PlanState::Draft || p.state == PlanState::Rejected && p.decided_by.as_deref() == Some("engine");
        let Some(plan) = tx.plan_by(job.id)?.filter(made) else { return Ok(None) };
        let text = read_head(report.result_file.as_deref(), LONGEST).unwrap_or_default();
        let read = plan_of(&text, self.settings.plan_max_tasks as usize).map_err(|e| e.to_string());
        let read = read.and_then(|d| check_names(&d, &self.backends, &self.workspace).map(|()| d));
        Ok(Some(Delivered { plan, read }))
    }

    /// What was delivered is no plan: back into the planner's session with the reason, or, where that was tried, before the operator.
    /// It goes the way of a review's fixes, so a round of review stands for it.
    pub(in crate::engine) fn send_back(
        &mut self,
        tx: &Tx<'_>,
        plan: &Plan,
        job: &Job,
        attempt: AttemptId,
        why: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(job) = tx.job(job.id)? else { return Ok(()) };
        let id = tx.open_review(&job, attempt, 0, self.settings.review_threshold, now)?;
        let text = format!(
            "What you delivered cannot be used as a plan: {why}. Give the whole plan anew, as one JSON object of the asked form and nothing else."
        );
        tx.set_fixes(id, &[Fix { number: 1, text, criterion: None, closed: false, evidence: None }])?;
        tx.plan_returned(plan.id, &one_line(&format!("no plan yet: {why}"), 300))?;
        if plan.returned < RETURNS {
            let note = one_line(&format!("sent back: {why}"), 300);
            tx.end_review(id, ReviewOutcome::Fixes, &note, now)?;
            return tx.review_fixes(&job, id, &note, now).map(drop);
        }
        let Some(review) = tx.review(id)? else { return Ok(()) };
        self.ask_operator(tx, &review, &job, &one_line(&format!("what it delivers is no plan: {why}"), 400), now)
    }
}

/// Tags of what comes of a plan: which one, and whether it rests on somebody else's words.
pub(super) fn tags(plan: &Plan, external: bool) -> Vec<String> {
    let mut tags = vec![format!("plan:{}", plan.id)];
    if external {
        tags.push(super::super::converse::OUTSIDE.to_owned());
    }
    tags
}
