//! Which fire is due, and what becomes of it.

use super::schedule::{MOST_FIRES, Schedule};
use crate::domain::words::words;
use crate::domain::{Timestamp, sha256_hex};
use chrono_tz::Tz;
use std::time::Duration;

words!(
    /// What becomes of fires whose time passed while nobody was there to fire them.
    Catch {
        /// They are left out.
        Skip = "skip",
        /// One job for all of them.
        Once = "once",
        /// A job for each, one after the other.
        All = "all",
    }
);

words!(
    /// What becomes of a fire while the job of an earlier one is still open.
    Overlap {
        /// It is left out: at most one open job for an entry. (With `catch_up = "all"` it waits instead.)
        Skip = "skip",
        /// It gets its job all the same.
        Allow = "allow",
    }
);

/// How far back the newest fires are looked for at first.
const NEAR: Duration = Duration::from_secs(3600);

/// What is due of an entry.
pub struct Due<'a> {
    pub name: &'a str,
    pub schedule: &'a Schedule,
    pub zone: Tz,
    pub catch_up: Catch,
    pub overlap: Overlap,
    pub jitter: Duration,
    /// A fire that comes later than this was missed.
    pub late: Duration,
    /// The most missed fires that `Catch::All` makes up for.
    pub most: usize,
}

/// What to do with an entry now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CronStep {
    /// Nothing before this instant; `None`: never.
    Wait(Option<Timestamp>),
    /// Nothing before its open job has ended.
    Hold,
    /// Make the job of the fire at `at`; `missed` older ones are left out.
    Fire { at: Timestamp, missed: u32 },
    /// Leave the fire at `at` out, and `missed` older ones, since an earlier job is still open.
    Overlap { at: Timestamp, missed: u32 },
    /// Leave the fire at `at` out, and `missed` older ones: nobody was there.
    Missed { at: Timestamp, missed: u32 },
}

/// A fire's delay: always the same for one entry and time, so that a restart neither moves nor repeats it. Evenly spread over
/// 0 to `most`.
pub fn jitter(name: &str, at: Timestamp, most: Duration) -> Duration {
    let most = most.as_millis() as u64;
    let hash = sha256_hex(format!("{name}\n{}", at.0).as_bytes());
    let number = u64::from_str_radix(&hash[..16], 16).unwrap_or_default();
    Duration::from_millis(number % (most + 1))
}

/// The next fire after `after`: its time in the schedule, and the instant at which its job is made.
pub fn next_due(d: &Due<'_>, after: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let at = d.schedule.next(d.zone, after)?;
    Some((at, at + jitter(d.name, at, d.jitter)))
}

/// The newest fires that are due, from `first` on, in the schedule's order: as many as any policy asks for, if there are; and how many
/// there are before them, counted up to `MOST_FIRES`.
fn newest_due(d: &Due<'_>, first: Timestamp, now: Timestamp) -> (Vec<Timestamp>, usize) {
    let mut back = NEAR;
    loop {
        let from = Timestamp(now.0.saturating_sub(i64::try_from(back.as_millis()).unwrap_or(i64::MAX))).max(first);
        let mut all = if from == first { vec![first] } else { Vec::new() };
        all.extend(
            d.schedule.between(d.zone, from, now, MOST_FIRES).into_iter().take_while(|at| *at + jitter(d.name, *at, d.jitter) <= now),
        );
        if from == first || all.len() > d.most {
            let before = if from == first { 0 } else { 1 + d.schedule.between(d.zone, first, from, MOST_FIRES).len() };
            return (all, before);
        }
        back *= 8;
    }
}

/// Decides, given the last fire that is accounted for and whether an earlier job is still open.
pub fn due(d: &Due<'_>, last: Timestamp, open: bool, now: Timestamp) -> CronStep {
    let Some((first, when)) = next_due(d, last) else { return CronStep::Wait(None) };
    if when > now {
        return CronStep::Wait(Some(when));
    }
    let hold = open && d.overlap == Overlap::Skip;
    if hold && d.catch_up == Catch::All {
        return CronStep::Hold;
    }
    let (all, before) = newest_due(d, first, now);
    let missed = |n: usize| u32::try_from(before + n).unwrap_or(u32::MAX);
    let newest = all[all.len() - 1];
    let older = missed(all.len() - 1);
    if hold {
        return CronStep::Overlap { at: newest, missed: older };
    }
    let on_time = now.since(newest + jitter(d.name, newest, d.jitter)) <= d.late;
    match d.catch_up {
        Catch::Skip if !on_time => CronStep::Missed { at: newest, missed: older },
        Catch::Skip | Catch::Once => CronStep::Fire { at: newest, missed: older },
        Catch::All => {
            let left_out = all.len().saturating_sub(d.most.max(1));
            CronStep::Fire { at: all[left_out], missed: missed(left_out) }
        }
    }
}
