//! How long a backend rests after it refused.

use super::agent::{Limit, LimitKind};
use super::rows::BackendPause;
use super::time::Timestamp;
use std::time::Duration;

/// A reset time further away than this is not believed: no plan's window is longer than a week.
const BELIEVED: Duration = Duration::from_secs(8 * 24 * 3600);

/// The pause that follows from a refusal; `streak` refusals in a row led here (1 = the first).
pub fn pause(limit: &Limit, streak: u32, jitter: f64, now: Timestamp) -> BackendPause {
    let told = limit.resets_at.filter(|t| *t > now && t.since(now) <= BELIEVED);
    let doubled = |base: u64, max: u64| {
        let secs = base.saturating_mul(1 << streak.saturating_sub(1).min(16)).min(max);
        now + Duration::from_secs(secs).mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 10.0)
    };
    let guess = match limit.kind {
        LimitKind::Auth | LimitKind::Operator => None,
        LimitKind::Throttle => Some(doubled(10, 300)),
        LimitKind::Overload => Some(doubled(15, 600)),
        LimitKind::Window => Some(doubled(900, 3600)),
    };
    let until = match limit.kind {
        LimitKind::Auth | LimitKind::Operator => None,
        // A few seconds past the reset: clocks differ, and everybody else comes back on the dot.
        _ => told.map(|t| t + Duration::from_millis((jitter.clamp(0.0, 1.0) * 5000.0) as u64)).or(guess),
    };
    BackendPause { limit: Limit { resets_at: told, ..limit.clone() }, since: now, until, guessed: told.is_none() && until.is_some() }
}
