//! Projects for whoever looks at them: how far each has come, and one in full.

use super::{deliverables, plans};
use crate::config::Settings;
use crate::domain::{FileForm, JobId, JobState, ProjectId};
use crate::store::{Project, ProjectSums, Store, StoreError};
use crate::wire::{BranchRow, ProjectDetail, ProjectRow, TaskRow};
use std::collections::BTreeSet;

/// Of failed and of open jobs, and of plans, at most so many are told of; and of the jobs whose files are looked at.
const MOST_JOBS: usize = 30;
const MOST_PLANS: usize = 8;
const MOST_DELIVERERS: usize = 12;

/// Every project, the newest first.
///
/// # Errors
/// The database.
pub fn rows(store: &Store) -> Result<Vec<ProjectRow>, StoreError> {
    Ok(store.projects_with_sums()?.into_iter().map(|(p, sums)| row(&p, sums)).collect())
}

fn row(p: &Project, s: ProjectSums) -> ProjectRow {
    ProjectRow {
        id: p.id,
        title: p.title.clone(),
        state: p.state,
        created_at: p.created_at,
        submitted_at: p.submitted_at,
        closed_at: p.closed_at,
        remark: p.remark.clone(),
        jobs: s.jobs,
        done: s.done,
        running: s.running,
        failed: s.failed,
        tasks: s.tasks,
        tasks_done: s.tasks_done,
        tokens: s.tokens,
        cost_usd: s.cost_usd,
    }
}

/// One project in full.
///
/// # Errors
/// There is no such project; the database.
pub fn detail(store: &Store, settings: &Settings, id: ProjectId) -> Result<ProjectDetail, StoreError> {
    let project = store.project(id)?.ok_or(StoreError::Unknown { what: "project", name: id.to_string() })?;
    let sums = store.project_sums(Some(id))?.remove(&id).unwrap_or_default();
    let of_tasks = store.task_jobs(id)?;
    let tasks = store.tasks(Some(id))?.into_iter().map(|t| {
        let (jobs, done, failed) = of_tasks.get(&t.id).copied().unwrap_or_default();
        TaskRow { id: t.id, title: t.title, state: t.state, jobs, done, failed }
    });
    let plans: Vec<_> =
        store.project_plans(id, MOST_PLANS)?.into_iter().map(|plan| plans::detail(store, settings, plan)).collect::<Result<_, _>>()?;
    let planned: BTreeSet<JobId> = plans.iter().flat_map(|p| &p.jobs).map(|j| j.job).collect();
    let failed = store.project_jobs_in(id, &[JobState::Failed, JobState::Killed], MOST_JOBS)?;
    let open = [JobState::Running, JobState::Reviewing, JobState::Queued, JobState::Waiting];
    let mut open = store.project_jobs_in(id, &open, MOST_JOBS)?;
    open.retain(|job| !planned.contains(job));
    let mut branches = Vec::new();
    for b in store.branches(id)?.into_iter().filter(|b| b.merged_at.is_none()) {
        if let Some(job) = store.job(b.job)? {
            branches.push(BranchRow { job: b.job, name: b.name, title: job.spec.title, state: job.state });
        }
    }
    let mut files = Vec::new();
    for job in store.project_deliverers(id, MOST_DELIVERERS)? {
        let Some(job) = store.job(job)? else { continue };
        let mut all = deliverables::list(store, &job, &store.attempts(job.id)?)?;
        // Branches have a place of their own, and what has not begun delivers nothing yet.
        let branch = store.branch(job.id)?.map(|b| b.name);
        all.retain(|d| branch.as_ref() != Some(&d.name));
        if matches!(job.state, JobState::Waiting | JobState::Queued) && all.iter().all(|d| d.form == FileForm::Missing) {
            continue;
        }
        if !all.is_empty() {
            files.push((job.id, all));
        }
    }
    Ok(ProjectDetail {
        row: row(&project, sums),
        folder: project.dir,
        test_command: project.test_command,
        tasks: tasks.collect(),
        plans,
        failed: store.job_rows(&failed)?,
        open: store.job_rows(&open)?,
        branches,
        files,
    })
}
