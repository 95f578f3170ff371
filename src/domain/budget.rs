//! The rolling token window: actual tokens in it, open reservations, and backpressure with hysteresis.

use super::ids::AttemptId;
use super::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The budget's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetLimits {
    /// Tokens per window.
    pub tokens: u64,
    pub window: Duration,
    /// Backpressure begins above this share with a deep queue, and ends below `low`.
    pub high: f64,
    pub low: f64,
    /// How many queued jobs are deep.
    pub depth: usize,
}

impl Default for BudgetLimits {
    fn default() -> Self {
        BudgetLimits { tokens: 400_000, window: Duration::from_secs(300), high: 0.8, low: 0.7, depth: 5 }
    }
}

/// How far back the history reaches.
const HISTORY: Duration = Duration::from_secs(30 * 60);

/// Tokens over time. What was spent within one second is kept as one sum, under the second's end: it leaves the window up to
/// a second late, never early, and half an hour is some 1800 sums however busy it was.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    /// Second and the total up to its end, oldest first.
    spent: VecDeque<(Timestamp, u64)>,
    /// The total that has left `spent`.
    gone: u64,
    open: BTreeMap<AttemptId, Reservation>,
    /// The sum of what `open` has left.
    reserved: u64,
    pressed: bool,
    queued: usize,
}

#[derive(Clone, Copy, Debug)]
struct Reservation {
    estimate: u64,
    actual: u64,
}

impl Reservation {
    /// max(0, estimate - actual so far)
    fn left(&self) -> u64 {
        self.estimate.saturating_sub(self.actual)
    }
}

impl Budget {
    /// Reserves an attempt's estimate.
    pub fn reserve(&mut self, attempt: AttemptId, estimate: u64) {
        self.release(attempt);
        self.reserved = self.reserved.saturating_add(estimate);
        self.open.insert(attempt, Reservation { estimate, actual: 0 });
    }

    /// Actual tokens of an attempt: they leave its reservation and enter the window.
    pub fn spend(&mut self, attempt: Option<AttemptId>, tokens: u64, at: Timestamp) {
        if tokens == 0 {
            return;
        }
        if let Some(r) = attempt.and_then(|a| self.open.get_mut(&a)) {
            let before = r.left();
            r.actual = r.actual.saturating_add(tokens);
            self.reserved = self.reserved.saturating_sub(before - r.left());
        }
        let total = self.total().saturating_add(tokens);
        let second = second_end(at);
        match self.spent.back_mut() {
            // A clock that steps back does not reorder what was spent.
            Some(last) if last.0 >= second => last.1 = total,
            _ => self.spent.push_back((second, total)),
        }
        while let Some((_, sum)) = self.spent.front().copied().filter(|(t, _)| at.since(*t) > HISTORY) {
            self.gone = sum;
            self.spent.pop_front();
        }
    }

    /// The attempt is over: what is left of its reservation is free again.
    pub fn release(&mut self, attempt: AttemptId) {
        if let Some(r) = self.open.remove(&attempt) {
            self.reserved = self.reserved.saturating_sub(r.left());
        }
    }

    /// Actual tokens in the window.
    pub fn used(&self, limits: &BudgetLimits, now: Timestamp) -> u64 {
        self.total() - self.before(self.first_in_window(limits, now))
    }

    /// Open reservations: of each running attempt what its estimate has left.
    pub fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Looks whether backpressure begins or ends; the share in use.
    pub fn press(&mut self, limits: &BudgetLimits, queued: usize, now: Timestamp) -> f64 {
        self.queued = queued;
        let share = self.used(limits, now).saturating_add(self.reserved()) as f64 / limits.tokens.max(1) as f64;
        self.pressed = if self.pressed { share >= limits.low } else { share > limits.high && queued >= limits.depth };
        share
    }

    /// `press` after a job has left the queue.
    pub(super) fn press_after_start(&mut self, limits: &BudgetLimits, now: Timestamp) {
        self.press(limits, self.queued.saturating_sub(1), now);
    }

    /// True while backpressure holds.
    pub fn pressed(&self) -> bool {
        self.pressed
    }

    /// When the window next loses something: nothing changes before.
    pub fn next_change(&self, limits: &BudgetLimits, now: Timestamp) -> Option<Timestamp> {
        self.spent.get(self.first_in_window(limits, now)).map(|(t, _)| *t + limits.window)
    }

    /// When the window will have lost `tokens`, if nothing more is spent. `None`: there is not so much in it.
    pub fn frees(&self, limits: &BudgetLimits, tokens: u64, now: Timestamp) -> Option<Timestamp> {
        if tokens == 0 {
            return Some(now);
        }
        let first = self.first_in_window(limits, now);
        let goal = self.before(first).saturating_add(tokens);
        self.spent.get(self.spent.partition_point(|(_, sum)| *sum < goal).max(first)).map(|(t, _)| *t + limits.window)
    }

    /// Tokens of each of the last `minutes` minutes of the clock, oldest first; the last is the one that runs.
    pub fn history(&self, minutes: usize, now: Timestamp) -> Vec<u64> {
        let minute = |t: Timestamp| t.0.div_euclid(60_000);
        let mut buckets = vec![0; minutes];
        let mut before = self.gone;
        for (end, sum) in &self.spent {
            // The second's last instant: its end belongs to the next one.
            let age = minute(now).saturating_sub(minute(Timestamp(end.0 - 1))).max(0) as usize;
            if age < minutes {
                buckets[minutes - 1 - age] += sum - before;
            }
            before = *sum;
        }
        buckets
    }

    fn total(&self) -> u64 {
        self.spent.back().map_or(self.gone, |(_, sum)| *sum)
    }

    /// The total before an entry.
    fn before(&self, index: usize) -> u64 {
        index.checked_sub(1).and_then(|i| self.spent.get(i)).map_or(self.gone, |(_, sum)| *sum)
    }

    fn first_in_window(&self, limits: &BudgetLimits, now: Timestamp) -> usize {
        self.spent.partition_point(|(t, _)| now.since(*t) >= limits.window)
    }
}

/// The first whole second after an instant.
fn second_end(at: Timestamp) -> Timestamp {
    Timestamp((at.0.div_euclid(1000) + 1).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const L: BudgetLimits = BudgetLimits { tokens: 1000, window: Duration::from_secs(300), high: 0.8, low: 0.7, depth: 5 };

    fn at(secs: i64) -> Timestamp {
        Timestamp(secs * 1000)
    }

    #[test]
    fn a_reservation_shrinks_by_what_is_spent_and_is_never_negative() {
        let mut b = Budget::default();
        b.reserve(AttemptId(1), 100);
        b.reserve(AttemptId(2), 50);
        b.spend(Some(AttemptId(1)), 30, at(1));
        assert_eq!((b.used(&L, at(2)), b.reserved()), (30, 120));
        b.spend(Some(AttemptId(1)), 200, at(3));
        assert_eq!((b.used(&L, at(4)), b.reserved()), (230, 50), "past its estimate it reserves nothing more");
        b.release(AttemptId(2));
        b.release(AttemptId(2));
        b.release(AttemptId(1));
        assert_eq!(b.reserved(), 0);
        b.spend(Some(AttemptId(1)), 5, at(5));
        assert_eq!((b.used(&L, at(6)), b.reserved()), (235, 0), "what comes late still counts");
    }

    #[test]
    fn the_window_forgets_and_says_when() {
        let mut b = Budget::default();
        assert_eq!((b.used(&L, at(0)), b.next_change(&L, at(0)), b.frees(&L, 1, at(0))), (0, None, None));
        b.spend(None, 10, at(0));
        b.spend(None, 20, at(100));
        assert_eq!(b.next_change(&L, at(100)), Some(at(301)));
        assert_eq!(b.frees(&L, 10, at(100)), Some(at(301)));
        assert_eq!(b.frees(&L, 11, at(100)), Some(at(401)));
        assert_eq!(b.frees(&L, 31, at(100)), None);
        assert_eq!((b.used(&L, at(300)), b.used(&L, at(301)), b.used(&L, at(401))), (30, 20, 0));
        assert_eq!(b.frees(&L, 20, at(310)), Some(at(401)));
    }

    #[test]
    fn backpressure_begins_above_high_with_a_deep_queue_and_ends_below_low() {
        let mut b = Budget::default();
        b.reserve(AttemptId(1), 800);
        b.press(&L, 5, at(0));
        assert!(!b.pressed(), "80 % is not above 80 %");
        b.reserve(AttemptId(1), 801);
        b.press(&L, 4, at(0));
        assert!(!b.pressed(), "four are not deep");
        b.press(&L, 5, at(0));
        assert!(b.pressed());
        b.reserve(AttemptId(1), 700);
        b.press(&L, 0, at(0));
        assert!(b.pressed(), "70 % is not below 70 %, and the depth no longer matters");
        b.reserve(AttemptId(1), 699);
        b.press(&L, 9, at(0));
        assert!(!b.pressed());
    }

    #[test]
    fn history_goes_by_the_minutes_of_the_clock() {
        let mut b = Budget::default();
        for (secs, n) in [(0, 1), (59, 2), (60, 4), (125, 8)] {
            b.spend(None, n, at(secs));
        }
        assert_eq!(b.history(4, at(130)), [0, 3, 4, 8]);
        assert_eq!(b.history(2, at(179)), [4, 8]);
        assert_eq!(b.history(2, at(180)), [8, 0]);
    }

    #[test]
    fn what_is_older_than_the_history_is_dropped() {
        let mut b = Budget::default();
        for s in 0..10_000 {
            b.spend(None, 1, at(s));
        }
        assert!(b.spent.len() <= 1802, "{}", b.spent.len());
        assert_eq!(b.used(&L, at(10_000)), 300);
        assert_eq!(b.history(30, at(10_019)).iter().sum::<u64>(), 1780);
    }

    proptest! {
        #![proptest_config(crate::domain::cases())]

        /// Against the definition: never less than the tokens of the window, and nothing in it that is more than a second too old.
        #[test]
        fn used_is_the_sum_of_the_window(mut spends in prop::collection::vec((0i64..1_500_000, 0u64..1000), 0..60), later in 0i64..400_000) {
            spends.sort();
            let now = Timestamp(spends.last().map_or(0, |s| s.0) + later);
            let mut b = Budget::default();
            for (t, n) in &spends {
                b.spend(None, *n, Timestamp(*t));
            }
            let younger = |ms: i64| spends.iter().filter(|(t, _)| now.0 - t < ms).map(|(_, n)| n).sum::<u64>();
            let used = b.used(&L, now);
            prop_assert!(younger(300_000) <= used && used <= younger(301_001), "{} {} {}", younger(300_000), used, younger(301_001));
            if let Some(t) = b.frees(&L, used, now) {
                prop_assert_eq!(b.used(&L, t), 0);
            }
        }

        #[test]
        fn reserved_is_the_sum_over_open_attempts(steps in prop::collection::vec((0u8..3, 0i64..6, 0u64..500), 0..80)) {
            let mut b = Budget::default();
            let mut model = BTreeMap::<i64, (u64, u64)>::new();
            for (i, (what, id, n)) in steps.into_iter().enumerate() {
                match what {
                    0 => { b.reserve(AttemptId(id), n); model.insert(id, (n, 0)); }
                    1 => { b.spend(Some(AttemptId(id)), n, at(i as i64)); if let Some(m) = model.get_mut(&id) { m.1 += n } }
                    _ => { b.release(AttemptId(id)); model.remove(&id); }
                }
                prop_assert_eq!(b.reserved(), model.values().map(|(e, a)| e.saturating_sub(*a)).sum::<u64>());
            }
        }
    }
}
