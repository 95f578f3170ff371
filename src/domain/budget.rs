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

/// Tokens over time.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    /// Newest last.
    spent: VecDeque<(Timestamp, u64)>,
    open: BTreeMap<AttemptId, Reservation>,
    pressed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Reservation {
    estimate: u64,
    actual: u64,
}

impl Budget {
    /// Reserves an attempt's estimate.
    pub fn reserve(&mut self, attempt: AttemptId, estimate: u64) {
        self.open.insert(attempt, Reservation { estimate, actual: 0 });
    }

    /// Actual tokens of an attempt: they leave its reservation and enter the window.
    pub fn spend(&mut self, attempt: Option<AttemptId>, tokens: u64, at: Timestamp) {
        if tokens == 0 {
            return;
        }
        if let Some(r) = attempt.and_then(|a| self.open.get_mut(&a)) {
            r.actual += tokens;
        }
        self.spent.push_back((at, tokens));
        while self.spent.front().is_some_and(|(t, _)| at.since(*t) > HISTORY) {
            self.spent.pop_front();
        }
    }

    /// The attempt is over: what is left of its reservation is free again.
    pub fn release(&mut self, attempt: AttemptId) {
        self.open.remove(&attempt);
    }

    /// Actual tokens in the window.
    pub fn used(&self, limits: &BudgetLimits, now: Timestamp) -> u64 {
        self.spent.iter().rev().take_while(|(t, _)| now.since(*t) < limits.window).map(|(_, n)| n).sum()
    }

    /// Open reservations: of each running attempt what its estimate has left.
    pub fn reserved(&self) -> u64 {
        self.open.values().map(|r| r.estimate.saturating_sub(r.actual)).sum()
    }

    /// Looks whether backpressure begins or ends; the share in use.
    pub fn press(&mut self, limits: &BudgetLimits, queued: usize, now: Timestamp) -> f64 {
        let share = (self.used(limits, now) + self.reserved()) as f64 / limits.tokens.max(1) as f64;
        if self.pressed {
            self.pressed = share >= limits.low;
        } else {
            self.pressed = share > limits.high && queued >= limits.depth;
        }
        share
    }

    /// True while backpressure holds.
    pub fn pressed(&self) -> bool {
        self.pressed
    }

    /// When the window next loses something: nothing changes before.
    pub fn next_change(&self, limits: &BudgetLimits, now: Timestamp) -> Option<Timestamp> {
        let oldest = self.spent.iter().rev().take_while(|(t, _)| now.since(*t) < limits.window).last()?;
        Some(oldest.0 + limits.window)
    }

    /// Tokens of each of the last `minutes` minutes, oldest first.
    pub fn history(&self, minutes: usize, now: Timestamp) -> Vec<u64> {
        let mut buckets = vec![0; minutes];
        for (at, tokens) in &self.spent {
            let age = (now.since(*at).as_secs() / 60) as usize;
            if age < minutes {
                buckets[minutes - 1 - age] += tokens;
            }
        }
        buckets
    }
}
