//! How far projects have come: counted from their jobs, never kept.

use super::row;
use super::{Project, Store, StoreError};
use crate::domain::{JobId, JobState, PlanId, ProjectId, TaskId};
use rusqlite::params;
use std::collections::BTreeMap;

/// What the jobs and tasks of a project have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProjectSums {
    pub jobs: u32,
    pub done: u32,
    /// Running, or under review.
    pub running: u32,
    /// Failed or killed.
    pub failed: u32,
    pub tasks: u32,
    pub tasks_done: u32,
    pub tokens: u64,
    pub cost_usd: f64,
}

/// How many jobs a task has, how many of them are done, how many failed or were killed.
pub type TaskJobs = BTreeMap<TaskId, (u32, u32, u32)>;

impl Store {
    /// What the jobs and tasks of one project have come to, or of each that has any. Jobs that review or test others count for what
    /// they cost only.
    ///
    /// # Errors
    /// The database.
    pub fn project_sums(&self, only: Option<ProjectId>) -> Result<BTreeMap<ProjectId, ProjectSums>, StoreError> {
        let mut all = BTreeMap::<ProjectId, ProjectSums>::new();
        let only = only.map(|p| p.0);
        let jobs = row::all(
            self,
            "SELECT project_id, count(*), sum(state = 'done'), sum(state IN ('running', 'reviewing')), sum(state IN ('failed', 'killed'))
             FROM jobs WHERE project_id IS NOT NULL AND origin <> 'review' AND (?1 IS NULL OR project_id = ?1) GROUP BY project_id",
            [only],
            |r| Ok((ProjectId(r.get(0)?), [r.get::<_, u32>(1)?, r.get(2)?, r.get(3)?, r.get(4)?])),
        )?;
        for (id, [jobs, done, running, failed]) in jobs {
            all.insert(id, ProjectSums { jobs, done, running, failed, ..ProjectSums::default() });
        }
        let tasks = row::all(
            self,
            "SELECT project_id, count(*), sum(state = 'done') FROM tasks WHERE ?1 IS NULL OR project_id = ?1 GROUP BY project_id",
            [only],
            |r| Ok((ProjectId(r.get(0)?), r.get::<_, u32>(1)?, r.get::<_, u32>(2)?)),
        )?;
        for (id, tasks, tasks_done) in tasks {
            let sums = all.entry(id).or_default();
            (sums.tasks, sums.tasks_done) = (tasks, tasks_done);
        }
        let spent = row::all(
            self,
            "SELECT j.project_id, sum(a.input + a.output + a.cache_write), coalesce(sum(a.cost_usd), 0.0)
             FROM jobs j JOIN attempts a ON a.job_id = j.id
             WHERE j.project_id IS NOT NULL AND (?1 IS NULL OR j.project_id = ?1) GROUP BY j.project_id",
            [only],
            |r| Ok((ProjectId(r.get(0)?), r.get::<_, i64>(1)?.max(0) as u64, r.get::<_, f64>(2)?)),
        )?;
        for (id, tokens, cost_usd) in spent {
            let sums = all.entry(id).or_default();
            (sums.tokens, sums.cost_usd) = (tokens, cost_usd);
        }
        Ok(all)
    }

    /// What the jobs of a project's tasks have come to.
    ///
    /// # Errors
    /// The database.
    pub fn task_jobs(&self, project: ProjectId) -> Result<TaskJobs, StoreError> {
        let rows = row::all(
            self,
            "SELECT task_id, count(*), sum(state = 'done'), sum(state IN ('failed', 'killed'))
             FROM jobs WHERE project_id = ?1 AND task_id IS NOT NULL AND origin <> 'review' GROUP BY task_id",
            [project.0],
            |r| Ok((TaskId(r.get(0)?), (r.get(1)?, r.get(2)?, r.get(3)?))),
        )?;
        Ok(rows.into_iter().collect())
    }

    /// The newest jobs of a project that are in one of these states, newest first.
    ///
    /// # Errors
    /// The database.
    pub fn project_jobs_in(&self, id: ProjectId, states: &[JobState], limit: usize) -> Result<Vec<JobId>, StoreError> {
        let states = row::to_json(&states.iter().map(|s| s.as_str()).collect::<Vec<_>>());
        row::all(
            self,
            "SELECT id FROM jobs WHERE project_id = ?1 AND state IN (SELECT value FROM json_each(?2)) ORDER BY id DESC LIMIT ?3",
            params![id.0, states, limit as i64],
            row::job_ids,
        )
    }

    /// The newest jobs of a project that declare files, newest first.
    ///
    /// # Errors
    /// The database.
    pub fn project_deliverers(&self, id: ProjectId, limit: usize) -> Result<Vec<JobId>, StoreError> {
        row::all(
            self,
            "SELECT id FROM jobs WHERE project_id = ?1 AND artefacts <> '[]' ORDER BY id DESC LIMIT ?2",
            params![id.0, limit as i64],
            row::job_ids,
        )
    }

    /// The newest plans of a project that were not rejected, newest first.
    ///
    /// # Errors
    /// The database.
    pub fn project_plans(&self, id: ProjectId, limit: usize) -> Result<Vec<PlanId>, StoreError> {
        row::all(
            self,
            "SELECT id FROM plans WHERE project_id = ?1 AND state <> 'rejected' ORDER BY id DESC LIMIT ?2",
            params![id.0, limit as i64],
            |r| r.get(0).map(PlanId),
        )
    }

    /// Every project, the newest first, with what it has come to.
    ///
    /// # Errors
    /// The database.
    pub fn projects_with_sums(&self) -> Result<Vec<(Project, ProjectSums)>, StoreError> {
        let sums = self.project_sums(None)?;
        let all = self.projects()?;
        Ok(all.into_iter().rev().map(|p| (sums.get(&p.id).copied().unwrap_or_default(), p)).map(|(s, p)| (p, s)).collect())
    }
}
