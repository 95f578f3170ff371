//! How long a backend rests after it refused.

use super::agent::{Limit, LimitKind};
use super::rows::BackendPause;
use super::time::Timestamp;
use std::time::Duration;

/// A reset time further away than this is not believed: no plan's window is longer than a week.
const BELIEVED: Duration = Duration::from_secs(8 * 24 * 3600);

/// The guessed rests, in seconds: the first, and the longest. Each refusal in a row doubles.
const THROTTLE: (u64, u64) = (10, 300);
const OVERLOAD: (u64, u64) = (15, 600);
const WINDOW: (u64, u64) = (900, 3600);

/// Past a reset that was told: clocks differ, and everybody else comes back on the dot.
const STAGGER_MS: f64 = 5000.0;

/// The pause that follows from a refusal; `streak` refusals in a row led here (1 = the first), `jitter` is in 0..1.
///
/// A reset time that the backend told is kept, unless it has passed or is absurd; then, and where none was told, the engine
/// guesses and says so. What only the operator can heal has no end.
pub fn pause(limit: &Limit, streak: u32, jitter: f64, now: Timestamp) -> BackendPause {
    let jitter = jitter.clamp(0.0, 1.0);
    let told = limit.resets_at.filter(|t| *t > now && t.since(now) <= BELIEVED);
    let doubled = |(first, longest): (u64, u64)| {
        let secs = first.saturating_mul(1 << streak.saturating_sub(1).min(16)).min(longest);
        now + Duration::from_secs(secs).mul_f64(1.0 + jitter / 10.0)
    };
    let guess = match limit.kind {
        LimitKind::Auth | LimitKind::Operator => None,
        LimitKind::Throttle => Some(doubled(THROTTLE)),
        LimitKind::Overload => Some(doubled(OVERLOAD)),
        LimitKind::Window => Some(doubled(WINDOW)),
    };
    let until = guess.map(|guess| told.map_or(guess, |t| t + Duration::from_millis((jitter * STAGGER_MS) as u64)));
    BackendPause { limit: Limit { resets_at: told, ..limit.clone() }, since: now, until, guessed: told.is_none() && until.is_some() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn limit(kind: LimitKind, resets_in: Option<i64>) -> Limit {
        Limit { kind, resets_at: resets_in.map(|s| Timestamp(NOW.0 + s * 1000)), message: "no".into() }
    }

    /// Seconds of rest, and whether they are guessed.
    fn rest(kind: LimitKind, resets_in: Option<i64>, streak: u32) -> (Option<u64>, bool) {
        let p = pause(&limit(kind, resets_in), streak, 0.0, NOW);
        (p.until.map(|t| t.since(NOW).as_secs()), p.guessed)
    }

    #[test]
    fn each_kind_rests_in_its_own_way() {
        use LimitKind::*;
        assert_eq!([1, 2, 3, 6, 99].map(|n| rest(Throttle, None, n)), [10, 20, 40, 300, 300].map(|s| (Some(s), true)));
        assert_eq!([1, 2, 7, 99].map(|n| rest(Overload, None, n)), [15, 30, 600, 600].map(|s| (Some(s), true)));
        assert_eq!([1, 2, 3, 9].map(|n| rest(Window, None, n)), [900, 1800, 3600, 3600].map(|s| (Some(s), true)));
        assert_eq!(rest(Window, Some(5 * 3600), 4), (Some(5 * 3600), false));
        assert_eq!(rest(Throttle, Some(7), 1), (Some(7), false));
        assert_eq!([Auth, Operator].map(|k| rest(k, Some(60), 1)), [(None, false); 2]);
    }

    #[test]
    fn a_reset_that_has_passed_or_is_absurd_is_not_believed_nor_shown() {
        for resets_in in [-1, 0, 8 * 86_400 + 1, 98 * 365 * 86_400] {
            let p = pause(&limit(LimitKind::Window, Some(resets_in)), 1, 0.0, NOW);
            assert_eq!((p.limit.resets_at, p.guessed, p.until), (None, true, Some(NOW + Duration::from_secs(900))), "{resets_in}");
        }
        assert_eq!(rest(LimitKind::Window, Some(8 * 86_400), 1), (Some(8 * 86_400), false));
    }

    proptest! {
        #![proptest_config(crate::domain::cases())]

        #[test]
        fn never_before_the_reset_and_never_for_ever(
            kind in prop::sample::select(vec![LimitKind::Throttle, LimitKind::Window, LimitKind::Overload]),
            resets_in in prop::option::of(-100_000i64..2_000_000), streak in 0u32..200, jitter in 0.0f64..1.0,
        ) {
            let p = pause(&limit(kind, resets_in), streak, jitter, NOW);
            let until = p.until.expect("time heals it");
            prop_assert!(until > NOW && until.since(NOW) <= BELIEVED + Duration::from_secs(5));
            prop_assert_eq!(p.guessed, p.limit.resets_at.is_none());
            prop_assert!(p.limit.resets_at.is_none_or(|t| until >= t));
        }
    }
}
