//! What was spent, put together for the command line and the console alike.

use super::caps;
use crate::config::{Backend, Settings};
use crate::domain::{CapStanding, CapUnit, Overview, Prices, Timestamp};
use crate::store::{Period, Store, StoreError};
use std::collections::BTreeMap;
use std::time::Duration;

/// How far back a forecast looks.
const RECENT: Duration = Duration::from_secs(3 * 3600);

/// Works the headline figures out.
///
/// # Errors
/// The database.
pub fn overview(
    store: &Store,
    settings: &Settings,
    backends: &BTreeMap<String, Backend>,
    prices: &Prices,
    period: Period,
    now: Timestamp,
) -> Result<Overview, StoreError> {
    let midnight = settings.midnight(now);
    let today = store.spend(Period::since(midnight))?;
    let spent = store.spend(period)?;
    let upkeep = store.upkeep(period)?;
    let kept: u64 = upkeep.iter().map(|u| u.spend.tokens()).sum();
    let share = (spent.tokens() > 0).then(|| kept as f64 / spent.tokens() as f64);
    let mut known = caps::read(store, settings, backends, prices, now)?;
    if known.limits.any() {
        for open in store.open_attempts()? {
            let a = &open.attempt;
            let takes = caps::of_running(&known, &a.backend, a.usage, a.cost_usd.unwrap_or(0.0), a.estimate);
            known.reserve(store.job(a.job_id)?.and_then(|j| j.spec.project_id), takes);
        }
    }
    let mut caps = known.standing();
    foresee(store, &mut caps, midnight, settings.midnight(midnight + Duration::from_secs(36 * 3600)), now)?;
    Ok(Overview { today, period: spent, caps, share, upkeep })
}

/// One of the operator's days, as `settings.day` spells it: from its midnight to the next one, in the zone of the settings.
pub fn of_day(settings: &Settings, day: &str, now: Timestamp) -> Period {
    let day = chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").unwrap_or_else(|_| settings.local(now).date());
    let begins = |day: chrono::NaiveDate| settings.instant(day.and_time(chrono::NaiveTime::MIN));
    let until = begins(day.succ_opt().unwrap_or(day));
    Period { since: begins(day), until, running: until > now }
}

/// Fills in when each cap will be reached, if it goes on as in the last hours of today.
fn foresee(store: &Store, caps: &mut [CapStanding], midnight: Timestamp, next: Timestamp, now: Timestamp) -> Result<(), StoreError> {
    if caps.is_empty() {
        return Ok(());
    }
    let since = midnight.max(now - RECENT);
    let hours = (now.since(since).as_secs_f64() / 3600.0).max(0.25);
    let left = next.since(now).as_secs_f64() / 3600.0;
    let recent = store.purses(Period { running: false, ..Period::since(since) })?;
    for cap in caps {
        let of = |p: &crate::store::Purse| if cap.unit == CapUnit::Usd { p.usd } else { p.tokens as f64 };
        let spent: f64 = recent.iter().filter(|p| cap.project.is_none() || p.project == cap.project).map(of).sum();
        cap.foresee(spent / hours, left, now);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_operators_in_every_zone() {
        let day = |zone: &str, day: &str| {
            let mut settings = Settings::default();
            settings.timezone = zone.into();
            let p = of_day(&settings, day, Timestamp(0));
            assert_eq!((settings.day(p.since), settings.day(Timestamp(p.until.0 - 1))), (day.to_owned(), day.to_owned()), "{zone}");
            assert_ne!(settings.day(Timestamp(p.since.0 - 1)), day, "{zone}");
            assert_eq!(settings.midnight(Timestamp(p.since.0 + 36_000_000)), p.since, "{zone}: the caps' day is the same");
            p.since.rfc3339()
        };
        for zone in ["Pacific/Kiritimati", "Pacific/Niue", "Etc/GMT+12", "Asia/Kolkata", "America/New_York"] {
            day(zone, "2026-03-08");
        }
        assert_eq!(day("Pacific/Kiritimati", "2026-07-01"), "2026-06-30T10:00:00.000Z");
        assert_eq!(day("Etc/GMT+12", "2026-07-01"), "2026-07-01T12:00:00.000Z");
        // The clocks of these skip midnight itself.
        assert_eq!(day("America/Santiago", "2025-09-07"), "2025-09-07T04:00:00.000Z");
        assert_eq!(day("Asia/Beirut", "2026-03-29"), "2026-03-28T22:00:00.000Z");
    }
}
