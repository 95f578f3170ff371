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
    /// The loss of this number ends the job: what keeps losing its process is poisonous. At least 1.
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
    /// It ended well, and somebody else judges the result.
    Reviewing,
    /// Back in the queue. `counts`: it used up an attempt; `lost`: it adds to the losses.
    Queued {
        ready_at: Option<Timestamp>,
        counts: bool,
        lost: bool,
        note: String,
    },
    /// It asked the operator and waits for the answer. `counts`, `lost` as for `Queued`.
    Waiting {
        counts: bool,
        lost: bool,
        note: String,
    },
    Failed {
        note: String,
    },
    Killed {
        note: String,
    },
}

/// Decides from how the attempt ended. `attempts` and `losses` are the job's counts before this one; `jitter` is in 0..1.
///
/// Only what can heal is tried again: an error, a timeout and a stall use up an attempt and wait their backoff; a limit and an
/// interruption and a session that the backend no longer knows are not the job's fault and use up none (the backend's pause holds it back, it needs no delay of its own);
/// a loss has a count of its own. A refused key or login heals by nobody but the operator: the job fails at once, with the fix
/// in its note, while the backend's pause keeps the others in the queue.
pub fn after(
    report: &ExitReport,
    attempts: u32,
    max_attempts: u32,
    losses: u32,
    policy: &RetryPolicy,
    jitter: f64,
    now: Timestamp,
) -> Next {
    let message = &report.message;
    let again = |lost| Next::Queued { ready_at: None, counts: false, lost, note: message.clone() };
    let refused = report.limit.as_ref().is_some_and(|l| l.kind == LimitKind::Auth);
    match report.outcome {
        Outcome::Ok => Next::Done,
        Outcome::Killed => Next::Killed { note: message.clone() },
        Outcome::Interrupted => again(false),
        Outcome::Lost if losses + 1 >= policy.max_losses => {
            Next::Failed { note: format!("lost {} times: {message}. It may be what ends its own processes; see its spool", losses + 1) }
        }
        Outcome::Lost => again(true),
        // A session that was refused before its first answer may never have come to be. The next attempt begins a new one, and a
        // new one cannot be unknown, so this does not repeat by itself.
        Outcome::Error if report.session_unknown => again(false),
        Outcome::Error | Outcome::RateLimited if refused => Next::Failed { note: message.clone() },
        Outcome::RateLimited => again(false),
        Outcome::Error | Outcome::Timeout | Outcome::Stalled => {
            let used = attempts + 1;
            let note = format!("{message} (attempt {used} of {max_attempts})");
            if used >= max_attempts {
                return Next::Failed { note };
            }
            Next::Queued { ready_at: Some(now + backoff(used, policy, jitter)), counts: true, lost: false, note }
        }
    }
}

/// What follows where the job asked the operator: `open` cards still wait, `answered` ones were settled while the attempt ran,
/// too late for it to know. A job with an open card waits, whatever else would follow but its end; one whose attempt went well
/// goes on with the answer, at no cost in attempts.
pub fn with_questions(next: Next, open: usize, answered: usize) -> Next {
    match next {
        Next::Done if open > 0 => Next::Waiting { counts: false, lost: false, note: "it asked the operator".into() },
        Next::Done if answered > 0 => {
            Next::Queued { ready_at: None, counts: false, lost: false, note: "it goes on with the operator's answer".into() }
        }
        Next::Queued { counts, lost, note, .. } if open > 0 => {
            Next::Waiting { counts, lost, note: format!("it asked the operator; {note}") }
        }
        other => other,
    }
}

/// The delay after the n-th attempt that counted: `base * 2^(n-1)`, at most `max`, times 0.5 to 1 ("equal jitter": Brooker,
/// "Exponential Backoff And Jitter", 2015).
pub fn backoff(n: u32, policy: &RetryPolicy, jitter: f64) -> Duration {
    let full = policy.base.saturating_mul(1u32.checked_shl(n.saturating_sub(1)).unwrap_or(u32::MAX)).min(policy.max);
    full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::super::agent::Limit;
    use super::super::attempt::Usage;
    use super::super::ids::AttemptId;
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn report(outcome: Outcome, limit: Option<LimitKind>) -> ExitReport {
        serde_json::from_value(serde_json::json!({
            "attempt": AttemptId(1), "outcome": outcome, "exit_code": 1, "signal": null, "message": "broke", "usage": Usage::default(),
            "usage_known": true, "cost_usd": null, "session_usage": null, "session_cost_usd": null, "session": null,
            "session_unknown": false, "result_file": null, "result_bytes": 0, "strays": 0, "ended_at": NOW,
            "limit": limit.map(|kind| Limit { kind, resets_at: None, message: "no".into() }),
        }))
        .unwrap()
    }

    fn next(outcome: Outcome, limit: Option<LimitKind>, attempts: u32, losses: u32) -> Next {
        after(&report(outcome, limit), attempts, 3, losses, &RetryPolicy::default(), 1.0, NOW)
    }

    #[test]
    fn whoever_asked_waits_for_the_answer_and_then_goes_on() {
        let waits = |next: &Next| matches!(next, Next::Waiting { counts: false, lost: false, .. });
        assert!(waits(&with_questions(Next::Done, 1, 0)));
        assert!(waits(&with_questions(Next::Done, 1, 1)));
        assert!(matches!(with_questions(Next::Done, 0, 1), Next::Queued { counts: false, lost: false, ready_at: None, .. }));
        assert_eq!(with_questions(Next::Done, 0, 0), Next::Done);
        let again = next(Outcome::Error, None, 0, 0);
        assert!(matches!(with_questions(again.clone(), 1, 0), Next::Waiting { counts: true, .. }));
        assert_eq!(with_questions(again.clone(), 0, 1), again, "the delay of a retry stays");
        let failed = Next::Failed { note: "x".into() };
        assert_eq!(with_questions(failed.clone(), 1, 0), failed);
    }

    #[test]
    fn every_outcome_has_its_consequence() {
        let mut table = String::new();
        for outcome in Outcome::ALL {
            table += &match next(*outcome, None, 0, 0) {
                Next::Queued { ready_at, counts, lost, .. } => {
                    format!("{outcome}: queued after {:?}, counts {counts}, lost {lost}\n", ready_at.unwrap_or(NOW).since(NOW))
                }
                other => format!("{outcome}: {other:?}\n"),
            };
        }
        insta::assert_snapshot!(table, @r#"
        ok: Done
        error: queued after 5s, counts true, lost false
        timeout: queued after 5s, counts true, lost false
        stalled: queued after 5s, counts true, lost false
        rate_limited: queued after 0ns, counts false, lost false
        interrupted: queued after 0ns, counts false, lost false
        lost: queued after 0ns, counts false, lost true
        killed: Killed { note: "broke" }
        "#);
    }

    #[test]
    fn the_last_attempt_and_the_last_loss_fail() {
        let failed = |n: Next| matches!(n, Next::Failed { .. });
        assert!(!failed(next(Outcome::Error, None, 1, 9)));
        assert_eq!(next(Outcome::Error, None, 2, 0), Next::Failed { note: "broke (attempt 3 of 3)".into() });
        assert!(!failed(next(Outcome::Lost, None, 9, 1)), "attempts do not count against losses");
        assert!(failed(next(Outcome::Lost, None, 0, 2)));
        assert!(!failed(next(Outcome::RateLimited, Some(LimitKind::Window), 9, 9)));
    }

    #[test]
    fn a_session_that_is_gone_costs_no_attempt() {
        let gone = ExitReport { session_unknown: true, ..report(Outcome::Error, None) };
        let next = after(&gone, 2, 3, 0, &RetryPolicy::default(), 1.0, NOW);
        assert_eq!(next, Next::Queued { ready_at: None, counts: false, lost: false, note: "broke".into() });
    }

    #[test]
    fn a_refused_key_fails_at_once_whatever_the_outcome_is_called() {
        for outcome in [Outcome::Error, Outcome::RateLimited] {
            assert_eq!(next(outcome, Some(LimitKind::Auth), 0, 0), Next::Failed { note: "broke".into() });
        }
    }

    proptest! {
        #![proptest_config(crate::domain::cases())]

        #[test]
        fn backoff_doubles_within_its_bounds(n in 1u32..80, jitter in -1.0f64..2.0) {
            let p = RetryPolicy::default();
            let d = backoff(n, &p, jitter);
            prop_assert!(d >= p.base / 2 && d <= p.max);
            prop_assert!(backoff(n + 1, &p, jitter) >= d);
            // To the nanosecond, which is where a delay is rounded.
            prop_assert!(n > 6 || backoff(n + 1, &p, jitter).abs_diff(d * 2) <= Duration::from_nanos(1));
        }

        /// Whatever happens to a job, it ends: each way back into the queue that can repeat by itself has a count.
        #[test]
        fn what_is_the_job_s_own_fault_comes_to_an_end(outcomes in prop::collection::vec(0usize..4, 6)) {
            let (mut attempts, mut losses) = (0, 0);
            for o in outcomes {
                let outcome = [Outcome::Error, Outcome::Timeout, Outcome::Stalled, Outcome::Lost][o];
                match next(outcome, None, attempts, losses) {
                    Next::Queued { counts, lost, .. } => {
                        prop_assert!(counts != lost);
                        attempts += u32::from(counts);
                        losses += u32::from(lost);
                    }
                    _ => return Ok(()),
                }
            }
            prop_assert!(false, "still retrying after {attempts} attempts and {losses} losses");
        }
    }
}
