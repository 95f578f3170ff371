//! Whether the clock was set: what it shows against what the kernel has counted since the machine started.

use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// So far a clock may be corrected without a word.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// The clock and the kernel's count at one moment. The kernel's count goes on while the machine sleeps, and nobody can set it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockMark {
    /// `/proc/sys/kernel/random/boot_id`: counts of different starts of the machine do not compare.
    pub boot: String,
    pub clock: Timestamp,
    /// Since the machine started, in milliseconds.
    pub up_ms: i64,
}

impl ClockMark {
    /// By how many milliseconds the clock was set between this mark and a later one: ahead, or back where it is negative. `None`
    /// where it was not, or where nobody can tell.
    pub fn set_by(&self, later: &ClockMark) -> Option<i64> {
        let by = (later.clock.0 - self.clock.0) - (later.up_ms - self.up_ms);
        (self.boot == later.boot && by.unsigned_abs() > CLOCK_TOLERANCE.as_millis() as u64).then_some(by)
    }
}

/// A clock that was set, as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockStep {
    /// When that was found, by the new time.
    pub at: Timestamp,
    /// In milliseconds; negative: back.
    pub by: i64,
}

impl ClockStep {
    /// In words: `set ahead by 7200 s`.
    pub fn says(&self) -> String {
        format!("set {} by {} s", if self.by > 0 { "ahead" } else { "back" }, self.by.unsigned_abs() / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_what_the_kernel_did_not_count() {
        let mark = |boot: &str, clock: i64, up_ms| ClockMark { boot: boot.to_owned(), clock: Timestamp(clock), up_ms };
        let first = mark("a", 1_000_000, 5_000);
        assert_eq!(first.set_by(&mark("a", 4_600_000, 3_605_000)), None, "an hour has passed, asleep or not");
        assert_eq!(first.set_by(&mark("a", 1_030_000, 6_000)), None, "29 s are a correction");
        assert_eq!(first.set_by(&mark("a", 8_201_000, 6_000)), Some(7_200_000));
        assert_eq!(first.set_by(&mark("a", 1_000_000 - 3_600_000, 6_000)), Some(-3_601_000));
        assert_eq!(first.set_by(&mark("b", 8_201_000, 6_000)), None, "another start of the machine");
        assert_eq!(ClockStep { at: Timestamp(0), by: -3_601_000 }.says(), "set back by 3601 s");
    }
}
