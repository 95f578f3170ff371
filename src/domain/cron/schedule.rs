//! A schedule with the meaning that crontab gives it, computed by the crate `cron` on wall-clock times.
//!
//! That crate alone means something else: it wants seconds, counts weekdays from Sunday = 1, joins the two day fields by "and",
//! and passes over what falls into a gap of the clocks. So a schedule is up to two of its schedules over local times without an
//! offset (days of the month, days of the week), and the way from there to instants is ours:
//!
//! - Where the clocks skip a time, a schedule at fixed times fires at the first instant after the gap, once.
//! - Where the clocks show a time twice, it fires at the first.
//! - A schedule whose minute or hour begins with `*` runs every so often: it follows the clocks, so it fires in both passes and
//!   has nothing to make up for after a gap. Both as cron(8).

use super::field::{self, BadSchedule, Field};
use crate::domain::Timestamp;
use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The most fires that are listed or counted at once.
pub const MOST_FIRES: usize = 10_000;

/// The widest fold of the clocks that is looked for, in hours (Antarctica/Troll: two).
const FOLD: i64 = 3;
/// The widest gap, in minutes (a change of the date line: a day).
const GAP: i64 = 26 * 60;

/// When something is due, in the five fields of crontab(5) or a nickname such as `@daily`.
#[derive(Clone)]
pub struct Schedule {
    source: String,
    parts: Vec<cron::Schedule>,
    fixed: bool,
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Schedule) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({})", self.source)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl FromStr for Schedule {
    type Err = BadSchedule;

    fn from_str(text: &str) -> Result<Schedule, BadSchedule> {
        let source = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = match source.to_ascii_lowercase().as_str() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            "@reboot" => return Err(BadSchedule("`@reboot` is no time: only the clock fires schedules".into())),
            nick if nick.starts_with('@') => {
                return Err(BadSchedule(format!("`{nick}` is not known: @hourly, @daily, @weekly, @monthly, @yearly are")));
            }
            _ => source.as_str(),
        };
        let fields: Vec<&str> = line.split(' ').collect();
        let &[minute, hour, day, month, weekday] = fields.as_slice() else {
            let n = if source.is_empty() { 0 } else { fields.len() };
            let more = if n == 6 { " (no seconds, no year)" } else { "" };
            return Err(BadSchedule(format!("it has {n} fields, and crontab has five: minute hour day month weekday{more}")));
        };
        let minute = Field::read(&field::MINUTE, minute)?;
        let hour = Field::read(&field::HOUR, hour)?;
        let day = Field::read(&field::DAY, day)?;
        let month = Field::read(&field::MONTH, month)?;
        let weekday = Field::read(&field::WEEKDAY, weekday)?;

        let longest = month.numbers().map(longest).max().unwrap_or(31);
        let possible = day.numbers().any(|d| d <= longest);
        let part = |days: &str, weekdays: &str| {
            let text = format!("0 {} {} {days} {} {weekdays} *", minute.list(), hour.list(), month.list());
            cron::Schedule::from_str(&text).map_err(|e| BadSchedule(format!("`{source}` cannot be used: {e}")))
        };
        let parts = match (day.star, weekday.star) {
            (false, false) if possible => vec![part(&day.list(), "*")?, part("*", &weekday.weekdays())?],
            // The day of the month never comes; the weekday does.
            (false, false) => vec![part("*", &weekday.weekdays())?],
            _ if !possible => {
                return Err(BadSchedule(format!("`{source}` never comes: the longest of these months has {longest} days")));
            }
            _ => vec![part(&day.list(), &weekday.weekdays())?],
        };
        Ok(Schedule { source, parts, fixed: !minute.star && !hour.star })
    }
}

fn longest(month: u32) -> u32 {
    match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Schedule {
    /// True where minute and hour are both named, so that a change of the clocks neither drops nor doubles a fire.
    pub fn is_fixed(&self) -> bool {
        self.fixed
    }

    /// The first fire after an instant. `None` after the year 2100, where the crate `cron` ends.
    pub fn next(&self, zone: Tz, after: Timestamp) -> Option<Timestamp> {
        let here = zone.timestamp_millis_opt(after.0).single()?;
        let later = zone.timestamp_millis_opt(after.0 + FOLD * 3_600_000).single()?;
        let folds = later.offset().fix().local_minus_utc() < here.offset().fix().local_minus_utc();
        let mut local = here.naive_local() - if folds { TimeDelta::hours(FOLD) } else { TimeDelta::zero() };
        let mut best: Option<i64> = None;
        loop {
            let Some(next) = self.next_local(local) else { return best.map(Timestamp) };
            local = next;
            let (earliest, fires) = self.instants(zone, local);
            if best.is_some_and(|b| earliest >= b) {
                return best.map(Timestamp);
            }
            let first = fires.into_iter().flatten().filter(|t| *t > after.0).min();
            best = [best, first].into_iter().flatten().min();
            if best.is_some_and(|b| b <= earliest) {
                return best.map(Timestamp);
            }
        }
    }

    /// The fires after `from` up to and with `until`, oldest first, at most `most`.
    pub fn between(&self, zone: Tz, from: Timestamp, until: Timestamp, most: usize) -> Vec<Timestamp> {
        std::iter::successors(self.next(zone, from), |t| self.next(zone, *t)).take_while(|t| *t <= until).take(most).collect()
    }

    /// The shortest time between two fires, as far as it is below a day. The times of day are the same on each day that matches, so
    /// the first fires show them, and two days in a row the pair around midnight.
    pub fn shortest(&self) -> Duration {
        const LOOKED_AT: usize = 400;
        let from = Timestamp(1_735_689_600_000);
        let fires = self.between(Tz::UTC, from, from + Duration::from_secs(5 * 366 * 86_400), LOOKED_AT);
        let day = Duration::from_secs(86_400);
        fires.windows(2).map(|pair| pair[1].since(pair[0])).min().map_or(day, |gap| gap.min(day))
    }

    /// The next wall-clock time that matches.
    fn next_local(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        // As UTC, where every wall-clock time exists once.
        let after: DateTime<Utc> = after.and_utc();
        self.parts.iter().filter_map(|s| s.after(&after).next()).min().map(|t| t.naive_utc())
    }

    /// The instants at which a matching wall-clock time fires; and one before which neither it nor a later one does.
    fn instants(&self, zone: Tz, local: NaiveDateTime) -> (i64, [Option<i64>; 2]) {
        use chrono::LocalResult::{Ambiguous, None as Skipped, Single};
        let millis = |t: DateTime<Tz>| t.timestamp_millis();
        match zone.from_local_datetime(&local) {
            Single(t) => (millis(t), [Some(millis(t)), None]),
            Ambiguous(a, b) => (millis(a), [Some(millis(a)), (!self.fixed).then(|| millis(b))]),
            Skipped => {
                let after = (1..GAP).find_map(|m| zone.from_local_datetime(&(local + TimeDelta::minutes(m))).earliest());
                // The gap's end: the minutes after it may be many, the instant is the same.
                match after.map(millis) {
                    Some(end) => (end, [self.fixed.then_some(end), None]),
                    None => (i64::MIN, [None, None]),
                }
            }
        }
    }
}
