//! Flags and values that several verbs share.

use super::output::Color;
use crate::domain::{JobId, Lane, Timestamp};
use crate::os::clock;
use chrono::{Local, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// The workspace [default: $ORC_WORKSPACE, else the nearest folder upwards with an orc.toml, else the data directory]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub workspace: Option<PathBuf>,
    /// Override a setting of orc.toml for this command
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<String>,
    /// Print JSON: an array for a list, an object for one thing
    #[arg(long, global = true)]
    pub json: bool,
    /// Print errors and answers only, no confirmations
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// When to colour; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    pub color: Color,
}

/// The jobs that a verb is about.
#[derive(Args, Debug)]
pub struct Jobs {
    /// Job numbers
    #[arg(required = true, value_name = "ID", value_parser = id::<JobId>)]
    pub ids: Vec<JobId>,
}

/// The number of a job, a project and so on; `#12` is as good as `12`.
pub fn id<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "give a number, such as 12".to_owned())
}

/// Accepts exactly the words of a vocabulary, so that help and completions list them.
pub fn word<T: Copy + Send + Sync + 'static>(all: &'static [T], spelling: fn(T) -> &'static str) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(all.iter().map(|w| spelling(*w)))
        .try_map(move |s| all.iter().copied().find(|w| spelling(*w) == s).ok_or("unknown word"))
}

/// A lane by its number.
pub fn lane() -> impl TypedValueParser<Value = Lane> {
    word(&Lane::ALL, |lane| match lane {
        Lane::Urgent => "0",
        Lane::Normal => "1",
        Lane::Background => "2",
    })
}

/// `90s`, `15m`, `1h30m`, `2days`.
pub fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text.trim()) {
        Ok(d) if d.is_zero() => Err("it is zero; give a time such as 90s, 15m or 2h".into()),
        Ok(d) => Ok(d),
        Err(e) => Err(format!("{e}; give a number with a unit, such as 90s, 15m, 1h30m")),
    }
}

/// An instant: RFC 3339, `YYYY-MM-DD HH:MM` or `HH:MM` in local time (the next one), or a time from now such as `2h`.
pub fn instant(text: &str) -> Result<Timestamp, String> {
    let now = clock::now();
    instant_from(text.trim(), now, &Local)
}

/// An instant in the past: as `instant`, but a bare length of time is an age, and `HH:MM` is the last one.
pub fn past(text: &str) -> Result<Timestamp, String> {
    let now = clock::now();
    match humantime::parse_duration(text.trim()) {
        Ok(age) => Ok(now - age),
        Err(_) => {
            let t = instant_from(text.trim(), now, &Local)?;
            Ok(if t > now && !text.contains('-') { t - Duration::from_secs(86_400) } else { t })
        }
    }
}

fn instant_from<Z: TimeZone>(text: &str, now: Timestamp, zone: &Z) -> Result<Timestamp, String> {
    if let Ok(t) = Timestamp::parse(text) {
        return Ok(t);
    }
    if let Ok(d) = humantime::parse_duration(text.trim_start_matches('+')) {
        return Ok(now + d);
    }
    let at = |local: NaiveDateTime| {
        // A time that the clocks skip is taken as the first one after the gap.
        zone.from_local_datetime(&local)
            .earliest()
            .or_else(|| zone.from_local_datetime(&(local + TimeDelta::hours(1))).earliest())
            .map(|t| Timestamp(t.timestamp_millis()))
            .ok_or_else(|| format!("there is no such local time as {local}"))
    };
    for format in ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"] {
        if let Ok(local) = NaiveDateTime::parse_from_str(text, format) {
            return at(local);
        }
    }
    if let Ok(time) = NaiveTime::parse_from_str(text, "%H:%M") {
        let here = zone.timestamp_millis_opt(now.0).single().ok_or("the clock is out of range")?;
        let today = here.date_naive().and_time(time);
        let first = at(today)?;
        return if first > now { Ok(first) } else { at(today + TimeDelta::days(1)) };
    }
    Err("give an instant such as 2026-03-01T09:00:00Z, \"2026-03-01 09:00\" or 09:00 (local time), or a time from now such as 2h".into())
}

fn key_value(text: &str) -> Result<String, String> {
    // Most commands read no settings: a slip of the pen would go unnoticed there.
    match text.split_once('=') {
        Some((key, _)) if !key.trim().is_empty() => {
            crate::config::check_assignment(text).map(|()| text.to_owned()).map_err(|p| format!("{}. {}", p.what, p.fix))
        }
        _ => Err("give a setting and a value, such as max_running=4".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::FixedOffset;

    fn at(text: &str) -> String {
        let now = Timestamp::parse("2026-03-01T12:30:00Z").unwrap();
        let zone = FixedOffset::east_opt(3600).unwrap();
        instant_from(text, now, &zone).map_or_else(|e| e, |t| t.rfc3339())
    }

    #[test]
    fn instants_in_all_their_spellings() {
        assert_eq!(at("2026-03-01T09:00:00+02:00"), "2026-03-01T07:00:00.000Z");
        assert_eq!(at("2h"), "2026-03-01T14:30:00.000Z");
        assert_eq!(at("+90s"), "2026-03-01T12:31:30.000Z");
        assert_eq!(at("2026-03-02 08:15"), "2026-03-02T07:15:00.000Z");
        assert_eq!(at("14:00"), "2026-03-01T13:00:00.000Z");
        assert_eq!(at("13:30"), "2026-03-02T12:30:00.000Z", "now is no longer ahead");
        assert!(at("soon").starts_with("give an instant"));
    }

    #[test]
    fn durations_need_a_unit_and_are_not_zero() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert!(duration("15").unwrap_err().contains("unit"));
        assert!(duration("0s").unwrap_err().contains("zero"));
    }
}
