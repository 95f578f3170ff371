//! A plan: what is proposed, as tasks with dependencies. Nothing of it runs before the operator has approved it.

mod document;
mod preview;

pub use document::{BadPlan, MOST_TASKS, PlanDocument, PlanTask, plan_of};
pub use preview::{Basis, Branch, KindHistory, Preview, PreviewTask, Totals, preview};

use super::job::{JobState, Priority};
use super::words::words;
use super::{JobId, MessageId, PlanId, ProjectId, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

words!(
    /// Where a plan stands.
    PlanState {
        /// It is being made: asked for, planned, reviewed.
        Draft = "draft",
        /// It waits for the operator.
        Proposed = "proposed",
        /// The operator has said yes; its jobs are about to be made.
        Approved = "approved",
        /// The operator has said no, or nobody could make it.
        Rejected = "rejected",
        /// Its jobs are made.
        Dispatched = "dispatched",
    }
);

words!(
    /// What becomes of the tasks that need one that failed.
    OnFailure {
        /// They wait until that one is done after all: the operator retries it.
        Hold = "hold",
        /// They go on without it, and are told so.
        Skip = "skip",
        /// They are cancelled, and what needs them.
        Cancel = "cancel",
    }
);

/// A plan as the database holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub id: PlanId,
    /// What was asked for.
    pub request: String,
    /// `None`: one is made, named after the goal, when it is approved.
    pub project: Option<ProjectId>,
    /// The message that it answers.
    pub message: Option<MessageId>,
    /// How urgent its jobs are.
    pub priority: Priority,
    pub state: PlanState,
    /// The job that plans; `None` for one that was written by hand.
    pub job: Option<JobId>,
    /// How often what the planner delivered was sent back because it is no plan.
    pub returned: u32,
    /// What is proposed, checked.
    pub document: Option<PlanDocument>,
    /// Counted up with each change of the document: what is approved is what was seen.
    pub revision: u32,
    /// What holds instead of the document's own policy; once dispatched, what holds.
    pub on_failure: Option<OnFailure>,
    /// What the operator said of it last.
    pub remark: Option<String>,
    /// Why it stands where it stands, one line.
    pub note: Option<String>,
    /// Who asked for it, as in the audit log.
    pub made_by: String,
    pub decided_by: Option<String>,
    pub created_at: Timestamp,
    pub proposed_at: Option<Timestamp>,
    pub decided_at: Option<Timestamp>,
    pub dispatched_at: Option<Timestamp>,
    /// When the last of its jobs was over.
    pub finished_at: Option<Timestamp>,
}

impl Plan {
    /// What it is for, in a line.
    pub fn title(&self) -> String {
        let text = self.document.as_ref().map_or(self.request.as_str(), |d| d.goal.as_str());
        one_line(text, 100)
    }
}

/// A plan in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanRow {
    pub id: PlanId,
    pub title: String,
    pub state: PlanState,
    pub revision: u32,
    pub project: Option<ProjectId>,
    pub job: Option<JobId>,
    pub note: Option<String>,
    pub progress: Progress,
    pub created_at: Timestamp,
    pub proposed_at: Option<Timestamp>,
}

/// How far a dispatched plan has come: counted from its jobs, never kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Tasks of the plan, whether or not their jobs are made.
    pub tasks: u32,
    pub done: u32,
    pub running: u32,
    /// Failed or killed.
    pub failed: u32,
}

impl Progress {
    /// In words: `2 of 5 done, 1 runs, 1 failed`.
    pub fn says(&self) -> String {
        let mut text = format!("{} of {} done", self.done, self.tasks);
        for (n, what) in [(self.running, "running"), (self.failed, "failed")] {
            if n > 0 {
                text += &format!(", {n} {what}");
            }
        }
        text
    }
}

/// The task and the job that were made of a planned task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanJob {
    pub key: String,
    pub task: TaskId,
    pub job: JobId,
    pub state: JobState,
}

/// A text in one line, cut with an ellipsis after `most` characters.
pub fn one_line(text: &str, most: usize) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let line = words.join(" ");
    if line.chars().count() <= most { line } else { line.chars().take(most.saturating_sub(1)).chain(['…']).collect() }
}
