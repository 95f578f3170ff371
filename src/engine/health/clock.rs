//! Whether the clock is right, as far as that can be proven on this machine: against what has happened, against the kernel's own
//! count, and by whoever keeps it in step. Dates, retries, schedules, the day's caps and what is old enough to go all hang on it.

use super::Site;
use crate::domain::{CLOCK_TOLERANCE, ClockStep, Component, Finding, Timestamp};
use crate::engine::clockwork::{last_mark, last_step};
use crate::os::clock;
use crate::store::{Store, StoreError};
use std::path::Path;
use std::time::Duration;

const C: Component = Component::Scheduler;
/// So long a step of the clock is worth a word.
const RECENT: Duration = Duration::from_secs(86_400);
/// How a clock is put right.
const SET: &str = "`timedatectl set-ntp true`, or `chronyc makestep`";

/// What is known of the clock.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    /// The date of the newest event, and the latest date of any.
    newest: Option<Timestamp>,
    latest: Option<Timestamp>,
    /// When it was set last.
    step: Option<ClockStep>,
    /// Whether something keeps it in step with others' clocks; `None` where nobody can tell.
    synchronized: Option<bool>,
}

/// The clock.
pub fn clock(store: &Store, site: &Site<'_>) -> Finding {
    let zone = site.settings.as_ref().map_or_else(|_| String::new(), |s| format!("; days begin at midnight in {}", s.zone().name()));
    match look(store, site.now) {
        Ok(known) => judge(&known, site.now, &zone),
        Err(e) => Finding::warn(C, "clock", e.to_string(), "see database"),
    }
}

fn look(store: &Store, now: Timestamp) -> Result<Known, StoreError> {
    // What no engine has noticed yet, for none runs, counts as found now.
    let unseen = last_mark(store)?.zip(clock::mark()).and_then(|(then, here)| then.set_by(&here)).map(|by| ClockStep { at: now, by });
    Ok(Known {
        newest: store.newest_event_at()?,
        latest: store.latest_event_at()?,
        step: unseen.or(last_step(store)?),
        synchronized: synchronized(),
    })
}

/// What systemd says of the clock.
fn synchronized() -> Option<bool> {
    if !Path::new("/run/systemd/system").exists() {
        return None;
    }
    let out = std::process::Command::new("timedatectl").args(["show", "--property=NTPSynchronized", "--value"]).output().ok()?;
    match String::from_utf8_lossy(&out.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn judge(k: &Known, now: Timestamp, zone: &str) -> Finding {
    let beyond = |t: Option<Timestamp>| t.map(|t| t.since(now)).filter(|ahead| *ahead > CLOCK_TOLERANCE);
    let shows = format!("the clock shows {now}");
    if let (Some(ahead), Some(newest)) = (beyond(k.newest), k.newest) {
        let says = format!("{shows}, but the newest event is of {newest}: it was set back by {} s, or was ahead before", ahead.as_secs());
        let fix = format!(
            "look at `date`. If the clock is wrong: {SET}. If it is right, it was ahead before, and nothing is to be set: only what was \
             put off then comes up to {} s late (`orc why ID` says when)",
            ahead.as_secs()
        );
        return match k.synchronized {
            Some(true) => Finding::warn(C, "clock", says + "; it is kept in step now", fix),
            _ => Finding::fail(C, "clock", says, fix),
        };
    }
    if let Some(step) = k.step.filter(|s| now.since(s.at) < RECENT) {
        let says = format!("{shows}: it was {} (found at {}), which no time that passed accounts for", step.says(), step.at);
        let follows = if step.by > 0 {
            "what was due in between has come due at once, and housekeeping waits a day"
        } else {
            "dates and delays from before come late"
        };
        return Finding::warn(
            C,
            "clock",
            says,
            format!("look at `date`. If it is wrong now: {SET}. If it was put right by that, nothing is to be done; {follows}"),
        );
    }
    if k.synchronized == Some(false) {
        return Finding::warn(C, "clock", format!("{shows}; nothing keeps it in step with other clocks (NTP){zone}"), SET);
    }
    let kept = if k.synchronized == Some(true) { ", kept in step by NTP" } else { "" };
    let before = beyond(k.latest)
        .map_or_else(String::new, |ahead| format!("; events dated up to {} s ahead are from before it was put right", ahead.as_secs()));
    Finding::ok(C, "clock", format!("it agrees with what has happened{kept}{before}{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Health;

    #[test]
    fn what_can_be_proven_of_the_clock_is_said_and_no_more() {
        let now = Timestamp(1_763_994_725_000);
        let at = |s: i64| Some(Timestamp(now.0 + s * 1000));
        let well = Known { newest: at(-5), latest: at(-5), step: None, synchronized: None };
        let of = |k: &Known| {
            let f = judge(k, now, "; Z");
            (f.status, f.says, f.fix)
        };
        assert_eq!(of(&well), (Health::Ok, "it agrees with what has happened; Z".into(), String::new()));
        // Behind, or put right a moment ago: that cannot be told apart, unless something keeps it right.
        let behind = Known { newest: at(7200), latest: at(7200), ..well.clone() };
        let (status, says, fix) = of(&behind);
        assert!(status == Health::Fail && says.contains("set back by 7200 s, or was ahead before"), "{says}");
        assert!(fix.contains("set-ntp") && fix.contains("nothing is to be set"), "{fix}");
        assert_eq!(of(&Known { synchronized: Some(true), ..behind }).0, Health::Warn);
        // Put right, and something has happened since.
        let (status, says, _) = of(&Known { latest: at(7200), ..well.clone() });
        assert!(status == Health::Ok && says.contains("7200 s ahead are from before"), "{says}");
        // Ahead: the kernel has not counted what the clock has passed.
        let ahead = Known { step: Some(ClockStep { at: at(-60).unwrap(), by: 3_600_000 }), ..well.clone() };
        let (status, says, fix) = of(&ahead);
        assert!(status == Health::Warn && says.contains("set ahead by 3600 s") && fix.contains("housekeeping waits"), "{says}");
        assert_eq!(of(&Known { step: Some(ClockStep { at: at(-90_000).unwrap(), by: 3_600_000 }), ..well.clone() }).0, Health::Ok);
        let (status, _, fix) = of(&Known { synchronized: Some(false), ..well });
        assert!(status == Health::Warn && fix.contains("set-ntp"));
    }
}
