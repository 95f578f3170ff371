//! One attempt at a job: one agent process, how it ended, and what it used.

use super::agent::Limit;
use super::cost::CostSource;
use super::ids::{AttemptId, JobId, WorkerId};
use super::time::Timestamp;
use super::words::words;
use serde::{Deserialize, Serialize};
use std::ops::{Add, AddAssign};

words!(
    /// How an attempt ended.
    Outcome {
        /// The agent said that it succeeded, and its exit agrees.
        Ok = "ok",
        /// The agent failed.
        Error = "error",
        /// Past its wall-clock limit.
        Timeout = "timeout",
        /// Alive, but no progress (or a result and no exit); ended by the watchdog.
        Stalled = "stalled",
        /// The backend refused for want of quota or capacity.
        RateLimited = "rate_limited",
        /// The engine's doing (it never started, or was superseded): uses up no attempt.
        Interrupted = "interrupted",
        /// Its process is gone and left no report: needs proof, never age alone.
        Lost = "lost",
        /// Ended by the operator.
        Killed = "killed",
    }
);

/// Tokens, as the backends count them. `input` excludes what was read from or written to a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
}

impl Usage {
    /// What counts against the token budget: input, output and cache writes in full; cache reads by `cache_read_weight`
    /// (0 by default: a resumed session would otherwise hold the gate shut for ever).
    pub fn budgeted(self, cache_read_weight: f64) -> u64 {
        self.input + self.output + self.cache_write + (self.cache_read as f64 * cache_read_weight) as u64
    }

    /// Every token, whatever its price.
    pub fn total(self) -> u64 {
        self.input + self.output + self.cache_read + self.cache_write
    }

    /// `self` less `base`, floored at zero: for backends whose figures are cumulative over a session.
    pub fn less(self, base: Usage) -> Usage {
        Usage {
            input: self.input.saturating_sub(base.input),
            output: self.output.saturating_sub(base.output),
            cache_read: self.cache_read.saturating_sub(base.cache_read),
            cache_write: self.cache_write.saturating_sub(base.cache_write),
        }
    }
}

impl Add for Usage {
    type Output = Usage;
    fn add(self, o: Usage) -> Usage {
        Usage {
            input: self.input + o.input,
            output: self.output + o.output,
            cache_read: self.cache_read + o.cache_read,
            cache_write: self.cache_write + o.cache_write,
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, o: Usage) {
        *self = *self + o;
    }
}

/// Who a process is, beyond a number that the kernel reuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`: clock ticks since boot.
    pub start_time: u64,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
}

/// How an attempt ended, as the shim reports it: the content of `exit.json` and of the `exit` frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExitReport {
    pub attempt: AttemptId,
    pub outcome: Outcome,
    /// The agent's exit code, if it exited.
    pub exit_code: Option<i32>,
    /// The signal that ended the agent, if one did.
    pub signal: Option<i32>,
    /// One line for people: what happened and what to do.
    pub message: String,
    /// This attempt's own tokens (never cumulative over a session).
    pub usage: Usage,
    /// True when `usage` came from the backend; false when it never told (a killed run).
    pub usage_known: bool,
    /// This attempt's own cost in USD, if the backend gave one.
    pub cost_usd: Option<f64>,
    /// The cumulative figures of the session as the backend last told them, for backends that count that way.
    pub session_usage: Option<Usage>,
    pub session_cost_usd: Option<f64>,
    /// The session that the agent ran in.
    pub session: Option<String>,
    /// The backend did not know the session that it was to resume: the next attempt starts a new one.
    #[serde(default)]
    pub session_unknown: bool,
    /// Absolute path of the result text, if there is one.
    pub result_file: Option<String>,
    pub result_bytes: u64,
    /// The limit that stopped it, if one did.
    pub limit: Option<Limit>,
    /// Processes that were still there after the agent's end and had to be killed.
    pub strays: u32,
    pub ended_at: Timestamp,
}

/// An attempt as the database holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub id: AttemptId,
    pub job_id: JobId,
    /// 1 for the job's first.
    pub number: u32,
    pub worker_id: Option<WorkerId>,
    /// The worker's name then.
    pub worker: String,
    pub backend: String,
    pub model: Option<String>,
    /// The engine's epoch that claimed it.
    pub epoch: u64,
    pub host: String,
    pub shim: Option<ProcessIdentity>,
    pub session: Option<String>,
    pub directory: String,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub outcome: Option<Outcome>,
    pub exit_code: Option<i32>,
    pub message: Option<String>,
    #[serde(flatten)]
    pub usage: Usage,
    /// False: the figures are the estimate, since the backend never told.
    pub usage_known: bool,
    pub cost_usd: Option<f64>,
    /// Who says so; `None` until it is told or over.
    #[serde(default)]
    pub cost_source: Option<CostSource>,
    /// Tokens that stand in for what the backend never told.
    #[serde(default)]
    pub estimated: u64,
    /// Tokens reserved at claim: the estimate.
    pub estimate: u64,
    pub result_file: Option<String>,
    /// The last frame that the engine took.
    pub acked_seq: u64,
}
