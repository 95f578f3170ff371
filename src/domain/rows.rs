//! Rows as lists show them, and which rows a list wants. Made by the store, carried by the wire, shown by console and command line.

use super::agent::Limit;
use super::attempt::Outcome;
use super::ids::{AttemptId, JobId, ProjectId};
use super::job::{JobState, Kind, Lane, Priority, WaitReason};
use super::time::Timestamp;
use super::words::words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

words!(
    /// How much a line matters.
    Severity { Info = "info", Warn = "warn", Fail = "fail" }
);

/// A job in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRow {
    pub id: JobId,
    pub title: String,
    pub state: JobState,
    pub wait_reason: Option<WaitReason>,
    pub priority: Priority,
    pub lane: Lane,
    #[serde(rename = "type")]
    pub backend: String,
    pub kind: Kind,
    pub model: Option<String>,
    /// The worker of its newest attempt, or the one asked for.
    pub worker: Option<String>,
    pub project_id: Option<ProjectId>,
    /// The project's title.
    pub project: Option<String>,
    pub attempts: u32,
    pub max_attempts: u32,
    pub attempt: Option<AttemptId>,
    pub outcome: Option<Outcome>,
    pub note: Option<String>,
    /// Dependencies that are not done yet.
    pub open_dependencies: u32,
    /// Not to be queued before.
    pub not_before: Option<Timestamp>,
    pub created_at: Timestamp,
    pub queued_at: Option<Timestamp>,
    pub ready_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub tokens: u64,
    pub cost_usd: f64,
}

/// Where a job stands in the list of all jobs: what runs, the longest first; the queue by priority and age; what waits, first for
/// the operator, then by its date; what is over, the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobPlace {
    pub group: JobGroup,
    /// Within the group: what is compared first, and second.
    pub keys: [i64; 2],
    pub id: i64,
}

/// The parts of that list, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobGroup {
    Running,
    Queued,
    Waiting,
    Over,
}

impl JobGroup {
    /// Every part, in the list's order.
    pub const ALL: [JobGroup; 4] = [JobGroup::Running, JobGroup::Queued, JobGroup::Waiting, JobGroup::Over];

    /// The part that a state belongs to.
    pub fn of(state: JobState) -> JobGroup {
        match state {
            JobState::Running | JobState::Reviewing => JobGroup::Running,
            JobState::Queued => JobGroup::Queued,
            JobState::Waiting => JobGroup::Waiting,
            JobState::Done | JobState::Failed | JobState::Killed => JobGroup::Over,
        }
    }
}

impl JobRow {
    /// Where it stands in the list of all jobs.
    pub fn place(&self) -> JobPlace {
        let at = |t: Option<Timestamp>| t.map_or(0, Timestamp::millis);
        let group = JobGroup::of(self.state);
        let (keys, id) = match group {
            JobGroup::Running => ([0, at(self.started_at)], self.id.0),
            JobGroup::Queued => ([i64::from(self.priority.level()), at(self.queued_at)], self.id.0),
            JobGroup::Waiting => {
                let asks = matches!(self.wait_reason, Some(WaitReason::Decision | WaitReason::Cap | WaitReason::Deadlock));
                ([i64::from(!asks), at(self.not_before)], self.id.0)
            }
            JobGroup::Over => ([0, -at(self.finished_at)], -self.id.0),
        };
        JobPlace { group, keys, id }
    }
}

/// A stretch of the list of all jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobPage {
    pub from: JobsFrom,
    pub limit: usize,
}

/// Where a stretch of that list begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobsFrom {
    /// Its first jobs.
    Top,
    /// Those after a place.
    After(JobPlace),
    /// The last ones before a place.
    Before(JobPlace),
    /// Its last jobs.
    End,
}

/// A backend that takes no new attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackendPause {
    pub limit: Limit,
    pub since: Timestamp,
    /// When the engine tries again; `None` = only the operator lifts it.
    pub until: Option<Timestamp>,
    /// `until` is the engine's own guess: the backend did not say when it resets.
    pub guessed: bool,
}

/// One line of the episodic log: an event of the audit log, or something that an agent did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// The row of `events`; 0 for what is not there.
    pub id: i64,
    pub at: Timestamp,
    pub severity: Severity,
    pub actor: String,
    /// What happened, a short word: `queued`, `running`, `done`, `worker`, `engine` …
    pub what: String,
    pub job: Option<JobId>,
    /// The job's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub attempt: Option<AttemptId>,
    /// One line for people.
    pub text: String,
}

/// Which jobs. An empty filter is every job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFilter {
    /// Any of these; empty = any.
    pub states: Vec<JobState>,
    pub lane: Option<Lane>,
    pub project_id: Option<i64>,
    /// Part of the project's title, or its number.
    pub project: Option<String>,
    /// Part of the backend's name.
    pub backend: Option<String>,
    /// In title, backend, worker or tags; case does not matter. `#12` is the id.
    pub text: String,
}

/// A keyset page: rows beyond the key, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Rows older than this id; `None` = from the newest.
    pub before: Option<i64>,
    pub limit: usize,
}

/// Which lines of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    pub job: Option<JobId>,
    /// In text, actor or word; case does not matter.
    pub text: String,
}

/// Counts of jobs by state, for headers and filters.
pub type StateCounts = BTreeMap<String, u64>;
