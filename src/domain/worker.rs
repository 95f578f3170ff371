//! Workers: agent sessions with state.

use super::attempt::Usage;
use super::ids::{AttemptId, ProjectId, WorkerId};
use super::time::Timestamp;
use super::words::words;
use serde::{Deserialize, Serialize};

words!(
    /// What a worker does now.
    WorkerStatus {
        Idle = "idle",
        Working = "working",
        /// Held by the operator: takes no job.
        Paused = "paused",
        /// Its last attempts failed in a way that is the worker's, not the job's.
        Unhealthy = "unhealthy",
        /// Gone; kept for history.
        Retired = "retired",
    }
);

/// A worker as the database holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    pub id: WorkerId,
    pub name: String,
    pub backend: String,
    pub model: Option<String>,
    pub persona: Option<String>,
    pub skills: Vec<String>,
    /// Survives its job; an ephemeral one retires with it.
    pub persistent: bool,
    pub project_id: Option<ProjectId>,
    pub status: WorkerStatus,
    /// The backend's session, once there is one. It belongs to (backend, account, directory).
    pub session: Option<String>,
    /// Where its agents run.
    pub directory: String,
    /// Jobs handled in this session.
    pub session_jobs: u32,
    /// Tokens used in this session (budgeted count).
    pub session_tokens: u64,
    /// Cumulative figures of the session, for backends that report that way.
    pub session_usage: Usage,
    pub session_cost_usd: f64,
    /// What the last session handed over, to be put into the next one.
    pub handover: Option<String>,
    /// The open attempt.
    pub attempt: Option<AttemptId>,
    /// Totals over its life.
    pub total_jobs: u64,
    pub total_tokens: u64,
    pub total_cost_usd: f64,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

words!(
    /// How fresh a worker's heartbeat is.
    Liveness {
        /// Within 1.5 intervals.
        Fresh = "fresh",
        /// Past 1.5 intervals.
        Late = "late",
        /// Past 3 intervals. Not lost: that needs proof.
        Silent = "silent",
    }
);

/// The liveness that follows from the last heartbeat's age.
pub fn liveness(age_ms: u64, interval_ms: u64) -> Liveness {
    if age_ms >= interval_ms * 3 {
        Liveness::Silent
    } else if age_ms * 2 >= interval_ms * 3 {
        Liveness::Late
    } else {
        Liveness::Fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn liveness_changes_at_one_and_a_half_and_at_three_intervals() {
        let of = |s: u64| liveness(s * 1000, 30_000);
        assert_eq!([of(0), of(44), of(45), of(89), of(90), of(900)], {
            use Liveness::*;
            [Fresh, Fresh, Late, Late, Silent, Silent]
        });
    }
}
