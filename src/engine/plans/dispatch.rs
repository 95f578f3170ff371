//! An approved plan becomes tasks and jobs, all in one transaction; and what follows when one of them fails.

use super::planner::tags;
use crate::domain::{JobId, JobSpec, OnFailure, Plan, PlanDocument, PlanTask, ProjectId, Timestamp, one_line};
use crate::engine::state::State;
use crate::store::{StoreError, Tx};
use std::collections::BTreeMap;

impl State {
    /// Makes the tasks and jobs of an approved plan. All of them and the plan's new state are one transaction: an engine that ends
    /// before it is on the disk has made none, and one that ends after it makes none again.
    pub(super) fn dispatch_plan(&mut self, tx: &Tx<'_>, plan: &Plan, now: Timestamp) -> Result<bool, StoreError> {
        let Some(document) = &plan.document else { return Ok(false) };
        let needs_one = document.tasks.iter().any(|t| t.backend.is_none());
        let backend = match self.agent("work_backend", &self.settings.work_backend) {
            Ok(backend) => backend,
            Err(_) if !needs_one => String::new(),
            Err(why) => {
                tx.note_plan(plan.id, &format!("waits: {why}"), now)?;
                self.look_again_soon(now);
                return Ok(false);
            }
        };
        match tx.attempt(|| self.make_jobs(tx, plan, document, &backend, now)) {
            Ok(()) => Ok(true),
            // Something that it names is gone or closed: it is the operator's again, with the reason.
            Err(e @ (StoreError::Invalid(_) | StoreError::Unknown { .. } | StoreError::NoJob(_))) => {
                tx.plan_sent_back(plan.id, &format!("its jobs cannot be made: {e}"), now)
            }
            Err(e) => Err(e),
        }
    }

    fn make_jobs(&self, tx: &Tx<'_>, plan: &Plan, document: &PlanDocument, backend: &str, now: Timestamp) -> Result<(), StoreError> {
        let project = match plan.project {
            Some(project) => project,
            None => {
                let title = one_line(&document.goal, 80);
                let cannot = |(folder, e): (std::path::PathBuf, std::io::Error)| {
                    StoreError::Invalid(format!("cannot make the folder {}: {e}", folder.display()))
                };
                let folder = self.workspace.make_project_dir(&title).map_err(cannot)?;
                tx.add_project(&title, folder.to_str(), "engine", now)?
            }
        };
        let policy = plan.on_failure.or(document.on_failure);
        let policy = policy.or_else(|| self.settings.plan_on_failure.parse().ok()).unwrap_or(OnFailure::Hold);
        if !tx.plan_dispatched(plan.id, project, policy, now)? {
            return Ok(());
        }
        let external = plan.message.map(|m| tx.message(m)).transpose()?.flatten().is_some_and(|m| m.is_external());
        let layers = document.layers().map_err(|e| StoreError::Invalid(e.to_string()))?;
        let mut made: BTreeMap<&str, JobId> = BTreeMap::new();
        for task in layers.iter().flatten().map(|&i| &document.tasks[i]) {
            let needs: Vec<(JobId, &PlanTask)> =
                task.depends_on.iter().filter_map(|key| Some((*made.get(key.as_str())?, document.task(key)?))).collect();
            let backend = task.backend.as_deref().unwrap_or(backend);
            let uses_model = self.backends.get(backend).is_none_or(|b| b.uses_model());
            let id = tx.add_task(project, &one_line(&task.title, 120), "engine", now)?;
            let spec = JobSpec {
                kind: task.kind,
                priority: plan.priority,
                project_id: Some(project),
                task_id: Some(id),
                skills: task.skills.clone(),
                persona: task.persona.clone(),
                model: task.model.clone(),
                depends_on: needs.iter().map(|(job, _)| *job).collect(),
                max_attempts: self.settings.max_attempts,
                origin: crate::domain::Origin::Plan,
                tags: tags(plan, external),
                artefacts: task.artefacts.clone(),
                // A script is run as it stands.
                ..JobSpec::new(
                    one_line(&task.title, 120),
                    backend,
                    if uses_model { told(plan, document, task, project, &needs) } else { task.prompt.clone() },
                )
            };
            let job = tx.add_job(&spec, "engine", now)?.job;
            tx.add_plan_job(plan.id, &task.key, id, job)?;
            made.insert(&task.key, job);
        }
        Ok(())
    }

    /// What follows from how the jobs of a plan stand.
    pub(super) fn follow_plan(&mut self, tx: &Tx<'_>, plan: &Plan, now: Timestamp) -> Result<bool, StoreError> {
        let mut moved = false;
        let mut held = Vec::new();
        for (job, on) in tx.plan_stuck(plan.id)? {
            match plan.on_failure {
                Some(OnFailure::Skip) => tx.waive_dependency(job, on, now)?,
                Some(OnFailure::Cancel) => {
                    if !tx.cancel_planned(job, &format!("cancelled: it needs job {on}, which is not done (plan {})", plan.id), now)? {
                        continue;
                    }
                }
                Some(OnFailure::Hold) | None => {
                    held.push(on);
                    continue;
                }
            }
            moved = true;
        }
        if let Some(on) = held.first() {
            let tasks = if held.len() == 1 { "1 task waits".to_owned() } else { format!("{} tasks wait", held.len()) };
            tx.note_plan(plan.id, &format!("{tasks} for job {on}, which is not done: `orc job retry {on}`"), now)?;
        } else if plan.note.is_some() {
            tx.clear_plan_note(plan.id)?;
        }
        tx.settle_plan_tasks(plan.id)?;
        let progress = tx.plan_progress(plan)?;
        if !moved && progress.done + progress.failed >= progress.tasks {
            moved = tx.plan_finished(plan.id, progress, now)?;
        }
        Ok(moved)
    }
}

/// A task's prompt, with what its agent cannot know of the rest.
fn told(plan: &Plan, document: &PlanDocument, task: &PlanTask, project: ProjectId, needs: &[(JobId, &PlanTask)]) -> String {
    let mut text = format!(
        "{}\n\n## Where this stands\n\nIt is the task `{}` of plan {} in project {project}. The plan's goal: {}",
        task.prompt.trim(),
        task.key,
        plan.id,
        document.goal.trim()
    );
    if !task.deliverable.trim().is_empty() {
        text += &format!("\n\nWhat the operator wants to see at the end: {}", task.deliverable.trim());
    }
    if !needs.is_empty() {
        let list: Vec<String> =
            needs.iter().map(|(job, t)| format!("- `{}`: {} (`pm job result {job}`)", t.key, one_line(&t.title, 120))).collect();
        text += &format!(
            "\n\nIt rests on the results of these:\n\n{}\n\nIf one of them is not done (`pm job show ID`), the plan goes on without it: do what \
             can be done, and say what is missing.",
            list.join("\n")
        );
    }
    text
}
