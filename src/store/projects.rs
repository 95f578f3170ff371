//! Projects and their tasks.

use super::events::Event;
use super::row;
use super::{Store, StoreError, Tx};
use crate::domain::{Applied, JobId, PlanId, ProjectId, ProjectState, TaskId, Timestamp};
use rusqlite::{Row, params};
use serde::Serialize;

/// A project: jobs that belong together, and the folder that they work in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Project {
    pub id: ProjectId,
    pub title: String,
    pub dir: Option<String>,
    /// What has to pass, in the job's tree, before a code job of it is done: a shell command.
    pub test_command: Option<String>,
    pub state: ProjectState,
    /// What the operator said of it last.
    pub remark: Option<String>,
    pub created_at: Timestamp,
    /// When it was put before the operator.
    pub submitted_at: Option<Timestamp>,
    /// When the operator approved it.
    pub closed_at: Option<Timestamp>,
}

/// A task of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Task {
    pub id: TaskId,
    pub project_id: ProjectId,
    pub title: String,
    pub state: String,
    pub created_at: Timestamp,
}

impl Tx<'_> {
    /// Makes a project.
    ///
    /// # Errors
    /// An empty title; the database.
    pub fn add_project(&self, title: &str, dir: Option<&str>, actor: &str, now: Timestamp) -> Result<ProjectId, StoreError> {
        if title.trim().is_empty() {
            return Err(StoreError::Invalid("a project needs a title: --title TEXT".into()));
        }
        self.run("INSERT INTO projects (title, dir, created_at) VALUES (?1, ?2, ?3)", params![title, dir, now.0])?;
        let id = ProjectId(self.last_id());
        let text = format!("project {id} made: {title}");
        self.event(&Event::new(now, actor, "project", &text))?;
        Ok(id)
    }

    /// Makes a task.
    ///
    /// # Errors
    /// An empty title; no such project; the database.
    pub fn add_task(&self, project: ProjectId, title: &str, actor: &str, now: Timestamp) -> Result<TaskId, StoreError> {
        if title.trim().is_empty() {
            return Err(StoreError::Invalid("a task needs a title: --title TEXT".into()));
        }
        if self.project(project)?.is_none() {
            return Err(StoreError::Unknown { what: "project", name: project.to_string() });
        }
        self.run("INSERT INTO tasks (project_id, title, created_at) VALUES (?1, ?2, ?3)", params![project.0, title, now.0])?;
        let id = TaskId(self.last_id());
        let text = format!("task {id} made in project {project}: {title}");
        self.event(&Event::new(now, actor, "task", &text))?;
        Ok(id)
    }
}

impl Tx<'_> {
    /// Moves a project on; what the operator is told.
    ///
    /// # Errors
    /// The database.
    pub(super) fn move_project(
        &self,
        id: ProjectId,
        to: ProjectState,
        remark: Option<&str>,
        actor: &str,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let refused = |message: String| Ok(Applied::Refused { message });
        let Some(project) = self.project(id)? else { return refused(format!("there is no project {id}: `orc project ls` lists them")) };
        if !project.state.allows(to) {
            return refused(format!("project {id} is {}: {}", project.state, project.state.next_step(id)));
        }
        if to == ProjectState::PendingApproval {
            let open: i64 = row::one(
                self,
                "SELECT count(*) FROM jobs WHERE project_id = ?1 AND state IN ('waiting', 'queued', 'running', 'reviewing')
                   AND id IS NOT (SELECT job_id FROM attempts WHERE worker = ?2 AND ended_at IS NULL)",
                params![id.0, actor.strip_prefix("worker:")],
                |r| r.get(0),
            )?;
            if open > 0 {
                return refused(format!("project {id} has {open} open job(s): they end first, or are killed"));
            }
        }
        self.run(
            "UPDATE projects SET state = ?1, remark = coalesce(?2, remark),
                    submitted_at = CASE WHEN ?1 = 'pending_approval' THEN ?3 ELSE submitted_at END,
                    closed_at = CASE WHEN ?1 = 'approved' THEN ?3 END
             WHERE id = ?4 AND state = ?5",
            params![to.as_str(), remark, now.0, id.0, project.state.as_str()],
        )?;
        let said = remark.map(|r| format!(": {r}")).unwrap_or_default();
        let message = format!("project {id} {}{said}", to.told());
        let severity = if to == ProjectState::PendingApproval { "warn" } else { "info" };
        self.event(&Event { severity, ..Event::new(now, actor, "project", &message) })?;
        Ok(Applied::Done { message, undo: None })
    }
}

impl Store {
    /// Every project, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn projects(&self) -> Result<Vec<Project>, StoreError> {
        row::all(self, "SELECT * FROM projects ORDER BY id", [], read_project)
    }

    /// The projects in a state, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn projects_in(&self, state: ProjectState) -> Result<Vec<Project>, StoreError> {
        row::all(self, "SELECT * FROM projects WHERE state = ?1 ORDER BY id", [state.as_str()], read_project)
    }

    /// The projects whose plans are carried out, each with the last one: nothing of them is open, a plan has ended since they were put
    /// before the operator last, and no job of such a plan failed.
    ///
    /// # Errors
    /// The database.
    pub fn projects_carried_out(&self) -> Result<Vec<(ProjectId, PlanId)>, StoreError> {
        let sql = "SELECT p.id, max(l.id) FROM projects p JOIN plans l ON l.project_id = p.id AND l.finished_at > coalesce(p.submitted_at, -1)
                   WHERE p.state IN ('active', 'rejected')
                     AND NOT EXISTS (SELECT 1 FROM plans o WHERE o.project_id = p.id AND o.finished_at IS NULL AND o.state <> 'rejected')
                     AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.project_id = p.id AND j.state IN ('waiting', 'queued', 'running', 'reviewing'))
                     AND NOT EXISTS (SELECT 1 FROM plans o JOIN plan_jobs pj ON pj.plan_id = o.id JOIN jobs j ON j.id = pj.job_id
                                     WHERE o.project_id = p.id AND o.finished_at > coalesce(p.submitted_at, -1) AND j.state <> 'done')
                   GROUP BY p.id";
        row::all(self, sql, [], |r| Ok((ProjectId(r.get(0)?), PlanId(r.get(1)?))))
    }

    /// The newest jobs of a project, newest first, without those that review or test others.
    ///
    /// # Errors
    /// The database.
    pub fn project_jobs(&self, id: ProjectId, limit: usize) -> Result<Vec<JobId>, StoreError> {
        let sql = "SELECT id FROM jobs WHERE project_id = ?1 AND origin <> 'review' ORDER BY id DESC LIMIT ?2";
        row::all(self, sql, params![id.0, limit as i64], row::job_ids)
    }

    /// One project.
    ///
    /// # Errors
    /// The database.
    pub fn project(&self, id: ProjectId) -> Result<Option<Project>, StoreError> {
        row::optional(self, "SELECT * FROM projects WHERE id = ?1", [id.0], read_project)
    }

    /// The tasks of a project, or all, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn tasks(&self, project: Option<ProjectId>) -> Result<Vec<Task>, StoreError> {
        row::all(self, "SELECT * FROM tasks WHERE ?1 IS NULL OR project_id = ?1 ORDER BY id", [project.map(|p| p.0)], read_task)
    }

    /// One task.
    ///
    /// # Errors
    /// The database.
    pub fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        row::optional(self, "SELECT * FROM tasks WHERE id = ?1", [id.0], read_task)
    }
}

fn read_project(r: &Row<'_>) -> rusqlite::Result<Project> {
    Ok(Project {
        id: ProjectId(r.get("id")?),
        title: r.get("title")?,
        dir: r.get("dir")?,
        test_command: r.get("test_command")?,
        state: row::word(r, "state")?,
        remark: r.get("remark")?,
        created_at: row::time(r, "created_at")?,
        submitted_at: row::opt_time(r, "submitted_at")?,
        closed_at: row::opt_time(r, "closed_at")?,
    })
}

fn read_task(r: &Row<'_>) -> rusqlite::Result<Task> {
    Ok(Task {
        id: TaskId(r.get("id")?),
        project_id: ProjectId(r.get("project_id")?),
        title: r.get("title")?,
        state: r.get("state")?,
        created_at: row::time(r, "created_at")?,
    })
}
