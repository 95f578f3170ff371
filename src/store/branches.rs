//! The branches of jobs that work in a git repository.

use super::row;
use super::{Store, StoreError, Tx};
use crate::domain::{JobId, ProjectId, Timestamp, WorkerId};
use rusqlite::{Row, params};
use serde::Serialize;

/// A job's branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Branch {
    pub job: JobId,
    pub project: ProjectId,
    /// The project's own checkout.
    pub repository: String,
    /// The work tree that it lives in.
    pub tree: String,
    pub name: String,
    /// The commit that it began from.
    pub base: String,
    pub made_at: Timestamp,
    pub merged_at: Option<Timestamp>,
}

impl Tx<'_> {
    /// Notes a job's branch; one that is known stays as it is, but for the tree that it is in now.
    ///
    /// # Errors
    /// The database.
    pub fn set_branch(&self, b: &Branch) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO branches (job_id, project_id, repository, tree, name, base, made_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (job_id) DO UPDATE SET tree = excluded.tree",
            params![b.job.0, b.project.0, b.repository, b.tree, b.name, b.base, b.made_at.0],
        )
        .map(drop)
    }

    /// Notes that a job's branch has gone into the project's own.
    ///
    /// # Errors
    /// The database.
    pub fn set_merged(&self, job: JobId, now: Timestamp) -> Result<(), StoreError> {
        self.run("UPDATE branches SET merged_at = ?1 WHERE job_id = ?2", params![now.0, job.0]).map(drop)
    }

    /// Gives a worker another folder. Its session stays behind, since it belongs to the old one.
    ///
    /// # Errors
    /// The database.
    pub fn set_directory(&self, worker: WorkerId, directory: &str) -> Result<(), StoreError> {
        self.run("UPDATE workers SET directory = ?1 WHERE id = ?2", params![directory, worker.0]).map(drop)
    }

    /// What has to pass before a code job of a project is done; `None` = nothing.
    ///
    /// # Errors
    /// The database.
    pub fn set_test_command(&self, project: ProjectId, command: Option<&str>, actor: &str, now: Timestamp) -> Result<(), StoreError> {
        self.run("UPDATE projects SET test_command = ?1 WHERE id = ?2", params![command, project.0])?;
        let text = match command {
            Some(c) => format!("project {project}: tests are `{c}`"),
            None => format!("project {project}: no tests"),
        };
        self.event(&super::Event::new(now, actor, "project", &text)).map(drop)
    }
}

impl Store {
    /// A job's branch, if it has one.
    ///
    /// # Errors
    /// The database.
    pub fn branch(&self, job: JobId) -> Result<Option<Branch>, StoreError> {
        row::optional(self, "SELECT * FROM branches WHERE job_id = ?1", [job.0], read)
    }

    /// The branches of a project, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn branches(&self, project: ProjectId) -> Result<Vec<Branch>, StoreError> {
        row::all(self, "SELECT * FROM branches WHERE project_id = ?1 ORDER BY job_id", [project.0], read)
    }

    /// True while a worker that has not retired works, or may work again, in a folder.
    ///
    /// # Errors
    /// The database.
    pub fn tree_in_use(&self, tree: &str) -> Result<bool, StoreError> {
        let used = "SELECT 1 FROM workers WHERE directory = ?1 AND status <> 'retired' LIMIT 1";
        Ok(row::optional(self, used, [tree], |_| Ok(()))?.is_some())
    }
}

fn read(r: &Row<'_>) -> rusqlite::Result<Branch> {
    Ok(Branch {
        job: JobId(r.get("job_id")?),
        project: ProjectId(r.get("project_id")?),
        repository: r.get("repository")?,
        tree: r.get("tree")?,
        name: r.get("name")?,
        base: r.get("base")?,
        made_at: row::time(r, "made_at")?,
        merged_at: row::opt_time(r, "merged_at")?,
    })
}
