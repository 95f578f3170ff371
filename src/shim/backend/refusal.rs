//! Refusals: which kind, and until when. The CLIs tell in words, so these are words; a time that nobody told is not invented.

use crate::domain::{LimitKind, Timestamp};
use chrono::{DateTime, Datelike, FixedOffset, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use std::time::Duration;

/// A fixed zone in place of the machine's.
pub type Zone = Option<FixedOffset>;

/// A clock time that lies this little in the past was meant as it stands, not as tomorrow's.
const JUST_PASSED: TimeDelta = TimeDelta::minutes(30);

const AUTH: &[&str] = &[
    "not logged in",
    "please run /login",
    "invalid api key",
    "incorrect api key",
    "api key not valid",
    "api_key_invalid",
    "api key is missing",
    "api key not found",
    "unauthorized",
    "authentication",
    "invalid auth method",
    "missing environment variable",
    "must specify the gemini_api_key",
    "set an auth method",
    "oauth token has expired",
    "refresh token",
    "credit balance",
    "check your plan and billing",
    "insufficient_quota",
    "billing is disabled",
    "billing_error",
    "payment required",
];
const WINDOW: &[&str] = &[
    "usage limit",
    "session limit",
    "5-hour limit",
    "weekly limit",
    "daily limit",
    "monthly limit",
    "daily quota",
    "quota will reset",
    "exhausted your",
    "requests per day",
];
const OVERLOAD: &[&str] = &["overloaded", "at capacity", "high demand", "status 503", "status: 503", "status 529", "503 service"];
const THROTTLE: &[&str] = &[
    "rate limit",
    "rate_limit",
    "ratelimit",
    "too many requests",
    "resource has been exhausted",
    "resource_exhausted",
    "status 429",
    "status: 429",
    "(429)",
    "quota exceeded",
];

/// Which kind of refusal a message is, if it is one; with the HTTP status behind it where that is known.
pub fn classify(message: &str, status: Option<u64>) -> Option<LimitKind> {
    let text = message.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|w| text.contains(w));
    let window = any(WINDOW) || text.contains("hit your") && text.contains("limit");
    match status {
        Some(401 | 402) => return Some(LimitKind::Auth),
        Some(429) if any(AUTH) => return Some(LimitKind::Auth),
        Some(429) => return Some(if window { LimitKind::Window } else { LimitKind::Throttle }),
        Some(403) if !window && !any(THROTTLE) => return Some(LimitKind::Auth),
        Some(503 | 529) => return Some(LimitKind::Overload),
        _ => {}
    }
    if any(AUTH) {
        Some(LimitKind::Auth)
    } else if window {
        Some(LimitKind::Window)
    } else if any(OVERLOAD) {
        Some(LimitKind::Overload)
    } else if any(THROTTLE) {
        Some(LimitKind::Throttle)
    } else {
        None
    }
}

/// When a refusal ends, if its message says so: "try again at 7:19 AM", "resets 7:11am (UTC)", "in 6m0s", "after 3 hours 5
/// minutes", "limit reached|1749924000". `at` is when it was said.
///
/// A clock time stands for the end of its minute: the CLIs cut the seconds off, and who comes back on the minute is refused again.
pub fn reset(message: &str, at: Timestamp, zone: Zone) -> Option<Timestamp> {
    let words: Vec<&str> = message.split_whitespace().collect();
    epoch(message).or_else(|| words.iter().find_map(|w| instant(w))).or_else(|| span(&words, at)).or_else(|| clock(&words, at, zone))
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.
pub fn retry_after(value: &str, at: Timestamp) -> Option<Timestamp> {
    let value = value.trim();
    match value.parse::<f64>() {
        Ok(secs) if secs.is_finite() && (0.0..1e9).contains(&secs) => Some(at + Duration::from_secs_f64(secs)),
        Ok(_) => None,
        Err(_) => DateTime::parse_from_rfc2822(value).ok().map(|t| Timestamp(t.timestamp_millis())),
    }
}

/// Seconds since the epoch after a bar.
fn epoch(message: &str) -> Option<Timestamp> {
    let digits: String = message.split('|').nth(1)?.trim().chars().take_while(char::is_ascii_digit).collect();
    (digits.len() == 10).then(|| digits.parse::<i64>().ok()).flatten().map(|s| Timestamp(s * 1000))
}

fn trim(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_ascii_alphanumeric())
}

fn instant(word: &str) -> Option<Timestamp> {
    let word = trim(word);
    if word.len() < 16 || !word.as_bytes()[0].is_ascii_digit() { None } else { Timestamp::parse(word).ok() }
}

/// "in 2.0s", "after 1h2m3s", "in 3 days 4 hours".
fn span(words: &[&str], at: Timestamp) -> Option<Timestamp> {
    words.iter().enumerate().find_map(|(i, w)| {
        if !matches!(w.to_ascii_lowercase().as_str(), "in" | "after" | "within") {
            return None;
        }
        let mut total = None;
        let mut rest = words[i + 1..].iter().map(|w| trim(w).to_ascii_lowercase()).peekable();
        while let Some(word) = rest.next() {
            let secs = match word.parse::<f64>() {
                Ok(n) => rest.next_if(|next| unit(next).is_some()).and_then(|u| unit(&u)).map(|u| n * u),
                Err(_) if word == "and" && total.is_some() => continue,
                Err(_) => glued(&word),
            };
            let Some(secs) = secs else { break };
            total = Some(total.unwrap_or(0.0) + secs);
        }
        let secs: f64 = total?;
        (secs.is_finite() && (0.0..1e9).contains(&secs)).then(|| at + Duration::from_secs_f64(secs))
    })
}

/// "1h2m3.5s".
fn glued(word: &str) -> Option<f64> {
    let (mut total, mut rest) = (0.0, word);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let letters = rest[digits..].find(|c: char| !c.is_ascii_alphabetic()).map_or(rest.len(), |n| digits + n);
        total += rest[..digits].parse::<f64>().ok()? * unit(&rest[digits..letters])?;
        rest = &rest[letters..];
    }
    (!word.is_empty()).then_some(total)
}

fn unit(word: &str) -> Option<f64> {
    Some(match word {
        "ms" => 0.001,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        _ => return None,
    })
}

/// "resets 7:11am (UTC)", "try again at Nov 24th, 2026 7:19 AM".
fn clock(words: &[&str], at: Timestamp, zone: Zone) -> Option<Timestamp> {
    let trigger = |w: &&str| matches!(trim(w).to_ascii_lowercase().as_str(), "resets" | "reset" | "again" | "until" | "available");
    let from = words.iter().position(trigger)? + 1;
    let near = &words[from..words.len().min(from + 8)];
    let (i, time, used) = (0..near.len()).find_map(|i| half_day(near[i], near.get(i + 1)).map(|(t, used)| (i, t, used)))?;
    let date = day(&near[..i]);
    let named = near
        .get(i + used)
        .filter(|w| w.starts_with('('))
        .map(|w| w.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '/' && c != '_'));
    match (named, zone) {
        (Some(name), _) => match name.parse::<chrono_tz::Tz>() {
            Ok(tz) => next(&tz, at, date, time),
            // A zone that we do not know could be hours off.
            Err(_) => None,
        },
        (None, Some(zone)) => next(&zone, at, date, time),
        (None, None) => next(&Local, at, date, time),
    }
}

/// A time of the twelve-hour clock in one word or two, and how many.
fn half_day(word: &str, following: Option<&&str>) -> Option<(NaiveTime, usize)> {
    let word = trim(word).to_ascii_lowercase();
    let following = following.map(|w| trim(w).to_ascii_lowercase());
    let (digits, half, used) = match (word.strip_suffix("am"), word.strip_suffix("pm"), following.as_deref()) {
        (Some(digits), _, _) => (digits, 0, 1),
        (_, Some(digits), _) => (digits, 12, 1),
        (None, None, Some("am")) => (word.as_str(), 0, 2),
        (None, None, Some("pm")) => (word.as_str(), 12, 2),
        _ => return None,
    };
    let (hour, minute) = digits.split_once(':').unwrap_or((digits, "0"));
    let hour: u32 = hour.parse().ok().filter(|h| (1..=12).contains(h))?;
    NaiveTime::from_hms_opt(hour % 12 + half, minute.parse().ok()?, 0).map(|t| (t, used))
}

/// Month, day and perhaps year among a few words.
fn day(words: &[&str]) -> Option<(u32, u32, Option<i32>)> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    words.iter().enumerate().find_map(|(i, w)| {
        let month = MONTHS.iter().position(|m| trim(w).to_ascii_lowercase().starts_with(m))? as u32 + 1;
        let day: String = trim(words.get(i + 1)?).chars().take_while(char::is_ascii_digit).collect();
        let year = words.get(i + 2).and_then(|w| trim(w).parse().ok()).filter(|y| *y > 2000);
        Some((month, day.parse().ok()?, year))
    })
}

fn next<Z: TimeZone>(zone: &Z, at: Timestamp, date: Option<(u32, u32, Option<i32>)>, time: NaiveTime) -> Option<Timestamp> {
    let now = zone.timestamp_millis_opt(at.millis()).single()?.naive_local();
    let meant = |date: NaiveDate| NaiveDateTime::new(date, time) + TimeDelta::minutes(1);
    let past = |t: NaiveDateTime| t + JUST_PASSED < now;
    let local = match date {
        Some((m, d, Some(y))) => meant(NaiveDate::from_ymd_opt(y, m, d)?),
        Some((m, d, None)) => {
            let this = meant(NaiveDate::from_ymd_opt(now.year(), m, d)?);
            if past(this) { meant(NaiveDate::from_ymd_opt(now.year() + 1, m, d)?) } else { this }
        }
        None if past(meant(now.date())) => meant(now.date().succ_opt()?),
        None => meant(now.date()),
    };
    zone.from_local_datetime(&local).earliest().map(|t| Timestamp(t.timestamp_millis()))
}

/// A text on one line, without escape sequences, at most so many bytes.
pub fn one_line(text: &str, max: usize) -> String {
    let mut line = String::new();
    for word in plain(text).split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > max {
            line.truncate(line.floor_char_boundary(max));
            line.push('…');
            break;
        }
    }
    line
}

/// Without escape sequences (ECMA-48: ESC, perhaps `[`, parameters, a final letter) and other control characters.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            if chars.next() == Some('[') {
                chars.by_ref().find(|c| ('@'..='~').contains(c));
            }
        } else if !c.is_control() || c.is_whitespace() {
            out.push(c);
        }
    }
    out
}

/// Lines of standard error that explain nothing.
const NOISE: &[&str] = &[
    "WARNING: proceeding, even though",
    "Warning: 256-color",
    "Ripgrep is not available",
    "YOLO mode is enabled",
    "[STARTUP]",
    "[claude-code:",
    "Reading prompt from stdin",
    "at ",
    "tip:",
    "For more information",
];

/// What the CLI's standard error says about its end: the line that speaks of an error, or the first that says anything, and the one
/// after it.
pub fn last_words(stderr: &str) -> String {
    let stderr = plain(stderr);
    let said = |line: &&str| !line.is_empty() && !NOISE.iter().any(|n| line.starts_with(n));
    // A CLI that prints how it is used has said before it what it did not like.
    let lines: Vec<&str> = stderr.lines().map(str::trim).take_while(|l| !l.starts_with("Usage:")).filter(said).collect();
    let first = lines.iter().position(|l| l.to_ascii_lowercase().starts_with("error")).unwrap_or(0);
    one_line(&lines.iter().skip(first).take(2).copied().collect::<Vec<_>>().join(" "), 400)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 2026-11-23T06:00:00Z.
    const AT: Timestamp = Timestamp(1_795_413_600_000);

    fn told(message: &str) -> Option<String> {
        reset(message, AT, FixedOffset::east_opt(0)).map(|t| t.rfc3339())
    }

    #[test]
    fn resets_are_read_as_they_are_told() {
        let cases = [
            ("or try again at 7:19 AM.", "2026-11-23T07:20:00.000Z"),
            ("try again at 5:58 AM", "2026-11-23T05:59:00.000Z"),
            ("try again at 5:19 AM", "2026-11-24T05:20:00.000Z"),
            ("try again at Nov 25th, 2026 7:19 PM.", "2026-11-25T19:20:00.000Z"),
            ("resets 7:11am (UTC)", "2026-11-23T07:12:00.000Z"),
            ("resets 12am (UTC)", "2026-11-24T00:01:00.000Z"),
            ("limit · resets Nov 26, 9am (Europe/Berlin)", "2026-11-26T08:01:00.000Z"),
            ("limit · resets Jan 2 at 3pm (America/New_York)", "2027-01-02T20:01:00.000Z"),
            ("Please try again in 2.0s.", "2026-11-23T06:00:02.000Z"),
            ("Suggested retry after 34.5s.. Retrying after 5517ms...", "2026-11-23T06:00:34.500Z"),
            ("Your quota will reset after 1h2m3s.", "2026-11-23T07:02:03.000Z"),
            ("Try again in 3 days 2 hours and 5 minutes.", "2026-11-26T08:05:00.000Z"),
            ("Claude AI usage limit reached|1795417200", "2026-11-23T07:00:00.000Z"),
            ("Your limit resets at 2026-11-23T09:00:00Z.", "2026-11-23T09:00:00.000Z"),
        ];
        for (message, expected) in cases {
            assert_eq!(told(message).as_deref(), Some(expected), "{message}");
        }
    }

    #[test]
    fn what_was_not_told_is_not_known() {
        for message in [
            "",
            "Your limit resets at a later time",
            "try again in a moment",
            "resets 7:11am (Mars/Olympus)",
            "resets 27:11am",
            "in 5 of 6 cases after",
            "limit reached|soon",
            "in 99999999999999999999s",
            "Request rejected (429)",
        ] {
            assert_eq!(told(message), None, "{message}");
        }
    }

    #[test]
    fn the_clock_is_the_machine_s_where_no_zone_is_named() {
        let east = reset("try again at 7:19 AM", AT, FixedOffset::east_opt(3600)).unwrap();
        assert_eq!(east.rfc3339(), "2026-11-23T06:20:00.000Z");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_a_year() {
        assert_eq!(retry_after("120", AT), Some(AT + Duration::from_secs(120)));
        assert_eq!(retry_after("1.5", AT), Some(AT + Duration::from_millis(1500)));
        assert_eq!(retry_after("Mon, 23 Nov 2026 06:30:00 GMT", AT), Some(AT + Duration::from_secs(1800)));
        for bad in ["", "soon", "-1", "NaN", "inf", "1e300"] {
            assert_eq!(retry_after(bad, AT), None, "{bad}");
        }
    }

    #[test]
    fn each_refusal_has_its_kind() {
        use LimitKind::*;
        let cases: &[(&str, Option<u64>, Option<LimitKind>)] = &[
            (
                "API Error: Request rejected (429) · would exceed your organization's rate limit of 50 requests per minute.",
                Some(429),
                Some(Throttle),
            ),
            ("exceeded retry limit, last status: 429 Too Many Requests", None, Some(Throttle)),
            ("You've hit your 5-hour limit · resets 7:11am (UTC)", Some(429), Some(Window)),
            ("You’ve hit your usage limit. Upgrade to Pro", None, Some(Window)),
            ("You have exhausted your daily quota on this model.", None, Some(Window)),
            ("Resource has been exhausted (e.g. check quota).", None, Some(Throttle)),
            ("Selected model is at capacity.", None, Some(Overload)),
            ("anything", Some(529), Some(Overload)),
            ("Credit balance is too low", Some(400), Some(Auth)),
            ("Quota exceeded. Check your plan and billing details.", None, Some(Auth)),
            ("You exceeded your current quota, please check your plan and billing details.", Some(429), Some(Auth)),
            ("unexpected status 401 Unauthorized: Incorrect API key provided", None, Some(Auth)),
            ("Prompt is too long · the request is ~250000 tokens (limit 200000)", Some(400), None),
            ("Internal error encountered.", Some(500), None),
            ("Reached maximum number of turns (2)", None, None),
        ];
        for (message, status, kind) in cases {
            assert_eq!(classify(message, *status), *kind, "{message}");
        }
    }

    #[test]
    fn the_words_that_matter_are_found_in_standard_error() {
        assert_eq!(last_words(""), "");
        assert_eq!(last_words("Warning: 256-color support\n\u{1b}[91mError: \u{1b}[0mSession not found\n"), "Error: Session not found");
        assert_eq!(
            last_words("WARNING: proceeding, even though x\nerror: unexpected argument '--nope' found\n\n  tip: to pass\n\nUsage: codex"),
            "error: unexpected argument '--nope' found"
        );
        assert_eq!(last_words("first\n    at foo (x.js)\nsecond\nthird"), "first second");
    }
}
