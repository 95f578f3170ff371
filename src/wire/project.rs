//! Projects as the console shows them: a list with how far each has come, and one in full.

use super::query::PlanDetail;
use crate::domain::{Deliverable, JobId, JobRow, JobState, ProjectId, ProjectState, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

/// A project in the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectRow {
    pub id: ProjectId,
    pub title: String,
    pub state: ProjectState,
    pub created_at: Timestamp,
    pub submitted_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
    /// What the operator said of it last.
    pub remark: Option<String>,
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

impl ProjectRow {
    /// Jobs that are not over.
    pub fn open(&self) -> u32 {
        self.jobs.saturating_sub(self.done + self.failed)
    }
}

/// A task, and what its jobs have come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskRow {
    pub id: TaskId,
    pub title: String,
    pub state: String,
    pub jobs: u32,
    pub done: u32,
    pub failed: u32,
}

/// The branch of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BranchRow {
    pub job: JobId,
    pub name: String,
    pub title: String,
    pub state: JobState,
}

/// One project in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectDetail {
    pub row: ProjectRow,
    pub folder: Option<String>,
    pub test_command: Option<String>,
    pub tasks: Vec<TaskRow>,
    /// Its plans that were not rejected, the newest first.
    pub plans: Vec<PlanDetail>,
    /// Jobs that failed or were killed, the newest first; bounded.
    pub failed: Vec<JobRow>,
    /// Jobs that are not over and belong to no plan; bounded.
    pub open: Vec<JobRow>,
    /// Branches that are not merged.
    pub branches: Vec<BranchRow>,
    /// What its newest jobs deliver, by job: as they list it, without branches.
    pub files: Vec<(JobId, Vec<Deliverable>)>,
}

/// What a project's work trees take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectDisk {
    pub project: ProjectId,
    pub trees: u32,
    pub bytes: u64,
    /// What a clean-up would free.
    pub frees: u64,
    /// Why the others stay.
    pub stays: Vec<String>,
}
