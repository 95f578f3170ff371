//! Projects and their tasks.

use super::events::Event;
use super::row;
use super::{Store, StoreError, Tx};
use crate::domain::{ProjectId, TaskId, Timestamp};
use rusqlite::{Row, params};
use serde::Serialize;

/// A project: jobs that belong together, and the folder that they work in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Project {
    pub id: ProjectId,
    pub title: String,
    pub dir: Option<String>,
    pub state: String,
    pub created_at: Timestamp,
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

impl Store {
    /// Every project, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn projects(&self) -> Result<Vec<Project>, StoreError> {
        row::all(self, "SELECT * FROM projects ORDER BY id", [], read_project)
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
        state: r.get("state")?,
        created_at: row::time(r, "created_at")?,
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
