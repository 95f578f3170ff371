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

/// One of the operator's days, as `settings.day` spells it.
pub fn of_day(settings: &Settings, day: &str, now: Timestamp) -> Period {
    // Ten in the morning of Greenwich is on that day in every zone from -10 to +13 hours.
    let within = Timestamp::parse(&format!("{day}T10:00:00Z")).unwrap_or(now);
    let since = settings.midnight(within);
    let until = settings.midnight(since + Duration::from_secs(36 * 3600));
    Period { since, until, running: until > now }
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
