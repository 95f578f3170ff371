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
    pub attempts: u32,
    pub max_attempts: u32,
    pub attempt: Option<AttemptId>,
    pub outcome: Option<Outcome>,
    pub note: Option<String>,
    /// Dependencies that are not done yet.
    pub open_dependencies: u32,
    pub created_at: Timestamp,
    pub queued_at: Option<Timestamp>,
    pub ready_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub tokens: u64,
    pub cost_usd: f64,
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
