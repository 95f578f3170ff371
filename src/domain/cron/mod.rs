//! Schedules: what a crontab line means, which fires are due, what becomes of those that were missed, and how an entry that finds
//! nothing to do slows down.

mod due;
mod entry;
mod field;
mod quiet;
mod schedule;
#[cfg(test)]
mod tests;

pub use due::{Catch, CronStep, Due, Overlap, due, jitter, next_due};
pub use entry::{CronEntry, CronRow, CronView, Fire, FireOutcome, Upcoming, for_project};
pub use field::BadSchedule;
pub use quiet::{NOTHING, Quiet, found_nothing, says_nothing};
pub use schedule::{MOST_FIRES, Schedule};
