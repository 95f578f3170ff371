//! What the settings mean to the domain.

use super::settings::Settings;
use crate::domain::{Amount, BudgetLimits, CapLimits, CapacityLimits, Kind, RetryPolicy, SessionLimits, Timestamp};
use chrono::{Local, NaiveDateTime, TimeZone, Utc};
use std::collections::BTreeMap;

impl Settings {
    /// What the scheduler asks for.
    pub fn capacity(&self) -> CapacityLimits {
        CapacityLimits {
            max_running: self.max_running,
            reserved_slots: self.reserved_slots,
            budget: BudgetLimits {
                tokens: self.token_budget,
                window: self.token_window,
                high: self.backpressure_high,
                low: self.backpressure_low,
                depth: self.backpressure_queue_depth as usize,
            },
            starvation_after: self.starvation_after,
            ..CapacityLimits::default()
        }
    }

    /// What may be spent.
    pub fn caps(&self) -> CapLimits {
        CapLimits {
            soft_day: Amount { tokens: self.warn_day_tokens, usd: self.warn_day_usd },
            hard_day: Amount { tokens: self.cap_day_tokens, usd: self.cap_day_usd },
            soft_project: Amount { tokens: self.warn_project_tokens, usd: self.warn_project_usd },
            hard_project: Amount { tokens: self.cap_project_tokens, usd: self.cap_project_usd },
        }
    }

    /// How retries are spaced and bounded.
    pub fn retry(&self) -> RetryPolicy {
        RetryPolicy { base: self.retry_base, max: self.retry_max, max_losses: self.max_losses }
    }

    /// When a session is old.
    pub fn session(&self) -> SessionLimits {
        SessionLimits { max_jobs: self.max_session_jobs, max_tokens: self.max_session_tokens }
    }

    /// What a job is expected to use beyond prompt and context, before there is history.
    pub fn expected(&self) -> BTreeMap<Kind, u64> {
        Kind::ALL.iter().map(|kind| (*kind, self.expected_output[*kind])).collect()
    }

    /// What `new` sets otherwise, as `key = value` in its words.
    pub fn differences(&self, new: &Settings) -> Vec<String> {
        let mut all: Vec<String> = super::keys::keys()
            .iter()
            .map(|k| (k, k.show(self), k.show(new)))
            .filter(|(_, old, new)| old != new)
            .map(|(k, _, new)| format!("{} = {new}", k.name))
            .collect();
        if self.backend != new.backend {
            all.push("[backend]".to_owned());
        }
        if self.keys != new.keys {
            all.push("[keys] (from the next start of the console on)".to_owned());
        }
        all
    }

    /// The beginning of the operator's day: midnight in `timezone`.
    pub fn midnight(&self, now: Timestamp) -> Timestamp {
        match self.timezone.parse::<chrono_tz::Tz>() {
            Ok(zone) => midnight(&zone, now),
            Err(_) => midnight(&Local, now),
        }
    }

    /// When the day is reviewed next: the first `consolidate_at` after now; `None` where that is off.
    pub fn next_review(&self, now: Timestamp) -> Option<Timestamp> {
        let time = chrono::NaiveTime::parse_from_str(&self.consolidate_at, "%H:%M").ok()?;
        match self.timezone.parse::<chrono_tz::Tz>() {
            Ok(zone) => next_at(&zone, time, now),
            Err(_) => next_at(&Local, time, now),
        }
    }

    /// The operator's clock at an instant.
    pub fn local(&self, at: Timestamp) -> NaiveDateTime {
        let utc = Utc.timestamp_millis_opt(at.0).single().unwrap_or_default();
        match self.timezone.parse::<chrono_tz::Tz>() {
            Ok(zone) => utc.with_timezone(&zone).naive_local(),
            Err(_) => utc.with_timezone(&Local).naive_local(),
        }
    }

    /// The instant at which the operator's clock shows `local`; where it skips that time, the first one after the gap.
    pub fn instant(&self, local: NaiveDateTime) -> Timestamp {
        match self.timezone.parse::<chrono_tz::Tz>() {
            Ok(zone) => instant_in(&zone, local),
            Err(_) => instant_in(&Local, local),
        }
    }

    /// An instant as the operator reads it: `Thu 26 Feb 2026, 09:00 (+01:00)`.
    pub fn local_text(&self, at: Timestamp) -> String {
        const FORM: &str = "%a %d %b %Y, %H:%M (%:z)";
        let utc = Utc.timestamp_millis_opt(at.0).single().unwrap_or_default();
        match self.timezone.parse::<chrono_tz::Tz>() {
            Ok(zone) => utc.with_timezone(&zone).format(FORM).to_string(),
            Err(_) => utc.with_timezone(&Local).format(FORM).to_string(),
        }
    }

    /// When a day that began at `midnight` is tidied up; `None` where that is off.
    pub fn next_tidy(&self, midnight: Timestamp) -> Option<Timestamp> {
        let time = chrono::NaiveTime::parse_from_str(&self.tidy_at, "%H:%M").ok()?;
        let before = Timestamp(midnight.0 - 1);
        match self.timezone.parse::<chrono_tz::Tz>() {
            Ok(zone) => next_at(&zone, time, before),
            Err(_) => next_at(&Local, time, before),
        }
    }

    /// The operator's day, as `YYYY-MM-DD`.
    pub fn day(&self, at: Timestamp) -> String {
        let Some(utc) = Utc.timestamp_millis_opt(at.0).single() else { return "unknown".to_owned() };
        match self.timezone.parse::<chrono_tz::Tz>() {
            Ok(zone) => utc.with_timezone(&zone).date_naive().to_string(),
            Err(_) => utc.with_timezone(&Local).date_naive().to_string(),
        }
    }
}

fn instant_in<Z: TimeZone>(zone: &Z, local: NaiveDateTime) -> Timestamp {
    let skipped = || zone.from_local_datetime(&(local + chrono::TimeDelta::hours(1))).earliest();
    let at = zone.from_local_datetime(&local).earliest().or_else(skipped);
    Timestamp(at.map_or_else(|| local.and_utc().timestamp_millis(), |t| t.timestamp_millis()))
}

/// The next instant at which the clocks show `time`; where they skip it, the first one after the gap.
fn next_at<Z: TimeZone>(zone: &Z, time: chrono::NaiveTime, now: Timestamp) -> Option<Timestamp> {
    let today = zone.timestamp_millis_opt(now.0).single()?.date_naive();
    let at = |days: i64| {
        let local = today.checked_add_signed(chrono::TimeDelta::days(days))?.and_time(time);
        let skipped = || zone.from_local_datetime(&(local + chrono::TimeDelta::hours(1))).earliest();
        zone.from_local_datetime(&local).earliest().or_else(skipped).map(|t| Timestamp(t.timestamp_millis()))
    };
    (0..3).filter_map(at).find(|t| *t > now)
}

fn midnight<Z: TimeZone>(zone: &Z, now: Timestamp) -> Timestamp {
    let Some(utc) = Utc.timestamp_millis_opt(now.0).single() else { return now };
    let local = utc.with_timezone(zone);
    let start = local.date_naive().and_time(chrono::NaiveTime::MIN);
    // Where midnight falls into a gap of the clocks, the day begins after it.
    instant_in(zone, start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_begins_at_the_operators_midnight() {
        let now = Timestamp::parse("2026-03-29T12:00:00Z").unwrap();
        let at = |zone: &str| Settings { timezone: zone.into(), ..Settings::default() }.midnight(now).rfc3339();
        assert_eq!(at("UTC"), "2026-03-29T00:00:00.000Z");
        // The clocks went forward that night.
        assert_eq!(at("Europe/Berlin"), "2026-03-28T23:00:00.000Z");
        assert_eq!(at("Asia/Kolkata"), "2026-03-28T18:30:00.000Z");
    }

    #[test]
    fn the_operators_clock_goes_there_and_back() {
        let settings = Settings { timezone: "Europe/Berlin".into(), ..Settings::default() };
        let at = Timestamp::parse("2026-03-28T08:00:00Z").unwrap();
        assert_eq!(settings.local_text(at), "Sat 28 Mar 2026, 09:00 (+01:00)");
        assert_eq!(settings.instant(settings.local(at)), at);
        // The clocks skip half past two in that night.
        let skipped = chrono::NaiveDate::from_ymd_opt(2026, 3, 29).unwrap().and_hms_opt(2, 30, 0).unwrap();
        assert_eq!(settings.instant(skipped).rfc3339(), "2026-03-29T01:30:00.000Z");
    }

    #[test]
    fn the_day_is_reviewed_at_the_operators_time() {
        let next = |time: &str, zone: &str, now: &str| {
            let settings = Settings { timezone: zone.into(), consolidate_at: time.into(), ..Settings::default() };
            settings.next_review(Timestamp::parse(now).unwrap()).map(Timestamp::rfc3339)
        };
        assert_eq!(next("21:30", "UTC", "2026-03-01T12:00:00Z").as_deref(), Some("2026-03-01T21:30:00.000Z"));
        assert_eq!(next("21:30", "UTC", "2026-03-01T21:30:00Z").as_deref(), Some("2026-03-02T21:30:00.000Z"));
        // The clocks skip that time in that night.
        assert_eq!(next("02:30", "Europe/Berlin", "2026-03-29T00:00:00Z").as_deref(), Some("2026-03-29T01:30:00.000Z"));
        assert_eq!(next("off", "UTC", "2026-03-01T12:00:00Z"), None);
    }
}
