//! What follows for a job when an attempt ends.

use super::agent::LimitKind;
use super::attempt::{ExitReport, Outcome};
use super::time::Timestamp;
use std::time::Duration;

/// How retries are spaced and bounded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// The delay before the second attempt.
    pub base: Duration,
    /// No delay is longer.
    pub max: Duration,
    /// How often a job may lose its process before it fails as poisonous.
    pub max_losses: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy { base: Duration::from_secs(5), max: Duration::from_secs(600), max_losses: 3 }
    }
}

/// What follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    Done,
    /// Back in the queue. `counts`: it used up an attempt; `lost`: it adds to the losses.
    Queued { ready_at: Option<Timestamp>, counts: bool, lost: bool, note: String },
    Failed { note: String },
    Killed { note: String },
}

/// Decides from how the attempt ended. `attempts` and `losses` are the job's counts before this one; `jitter` is in 0..1.
///
/// The delay of the n-th retry is `base * 2^(n-1)`, at most `max`, times 0.5 to 1 ("equal jitter": Brooker, "Exponential
/// Backoff And Jitter", 2015).
pub fn after(report: &ExitReport, attempts: u32, max_attempts: u32, losses: u32, policy: &RetryPolicy, jitter: f64, now: Timestamp) -> Next {
    let message = &report.message;
    match report.outcome {
        Outcome::Ok => Next::Done,
        Outcome::Killed => Next::Killed { note: message.clone() },
        Outcome::Interrupted => Next::Queued { ready_at: None, counts: false, lost: false, note: message.clone() },
        Outcome::Lost if losses + 1 >= policy.max_losses => {
            Next::Failed { note: format!("lost {} times: {message}. It may be what ends its own processes; see its spool", losses + 1) }
        }
        Outcome::Lost => Next::Queued { ready_at: None, counts: false, lost: true, note: message.clone() },
        // The backend's pause holds it back; it needs no delay of its own.
        Outcome::RateLimited => Next::Queued { ready_at: None, counts: false, lost: false, note: message.clone() },
        Outcome::Error if report.limit.as_ref().is_some_and(|l| l.kind == LimitKind::Auth) => Next::Failed { note: message.clone() },
        Outcome::Error | Outcome::Timeout | Outcome::Stalled => {
            let used = attempts + 1;
            if used >= max_attempts {
                return Next::Failed { note: format!("{message} (attempt {used} of {max_attempts})") };
            }
            let delay = backoff(used, policy, jitter);
            Next::Queued { ready_at: Some(now + delay), counts: true, lost: false, note: format!("{message} (attempt {used} of {max_attempts})") }
        }
    }
}

/// The delay after the n-th attempt that counted.
pub fn backoff(n: u32, policy: &RetryPolicy, jitter: f64) -> Duration {
    let full = policy.base.saturating_mul(1u32.checked_shl(n.saturating_sub(1)).unwrap_or(u32::MAX)).min(policy.max);
    full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}
