//! Figures and times for people.

use crate::domain::Timestamp;
use std::borrow::Cow;

/// A length of time in at most six columns: `0s`, `59s`, `4m05s`, `2h14m`, `3d04h`, `512d`.
pub fn duration(millis: u64) -> String {
    let s = millis / 1000;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        3600..86_400 => format!("{}h{:02}m", s / 3600, s / 60 % 60),
        86_400..8_640_000 => format!("{}d{:02}h", s / 86_400, s / 3600 % 24),
        _ => format!("{}d", s / 86_400),
    }
}

/// An age in at most four columns: `12s`, `59m`, `23h`, `99d`.
pub fn age(millis: u64) -> String {
    let s = millis / 1000;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m", s / 60),
        3600..86_400 => format!("{}h", s / 3600),
        _ => format!("{}d", s / 86_400),
    }
}

/// A count in at most five columns: `999`, `12.3k`, `123k`, `1.2M`, `3.4G`.
pub fn count(n: u64) -> String {
    let scaled = |unit: u64, suffix: &str| {
        let tenths = n / (unit / 10);
        if tenths < 1000 { format!("{}.{}{suffix}", tenths / 10, tenths % 10) } else { format!("{}{suffix}", n / unit) }
    };
    match n {
        0..1000 => n.to_string(),
        1000..1_000_000 => scaled(1000, "k"),
        1_000_000..1_000_000_000 => scaled(1_000_000, "M"),
        _ => scaled(1_000_000_000, "G"),
    }
}

/// Bytes in binary units: `512 B`, `3.2 GiB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 || value >= 10.0 { format!("{value:.0} {}", UNITS[unit]) } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Money: `$0.0042`, `$1.25`, `$1,204`.
pub fn money(usd: f64) -> String {
    match usd {
        u if !u.is_finite() || u <= 0.0 => "$0".to_owned(),
        u if u < 0.01 => format!("${u:.4}"),
        u if u < 1000.0 => format!("${u:.2}"),
        u => format!("${}", thousands(u.round() as u64)),
    }
}

/// Digits in groups of three.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Local wall-clock time: `14:32`, or `14:32:05` with seconds.
pub fn clock(at: Timestamp, utc_offset: i32, seconds: bool) -> String {
    let s = (at.millis().div_euclid(1000) + i64::from(utc_offset)).rem_euclid(86_400);
    if seconds { format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60) } else { format!("{:02}:{:02}", s / 3600, s / 60 % 60) }
}

/// Local date and time; only the time where it is the same day as `now`.
pub fn moment(at: Timestamp, now: Timestamp, utc_offset: i32) -> String {
    let day = |t: Timestamp| (t.millis().div_euclid(1000) + i64::from(utc_offset)).div_euclid(86_400);
    let time = clock(at, utc_offset, false);
    if day(at) == day(now) {
        return time;
    }
    match chrono::DateTime::from_timestamp_millis(at.millis() + i64::from(utc_offset) * 1000) {
        Some(t) => format!("{} {time}", t.format("%b %-d")),
        None => time,
    }
}

/// `1 job`, `2 jobs`.
pub fn plural(n: u64, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{} {word}s", thousands(n)) }
}

/// A text with every RFC 3339 time in it as a short local one. What others wrote down is in UTC; the operator reads a clock.
pub fn local_times(text: &str, now: Timestamp, utc_offset: i32) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    for (at, _) in text.match_indices('T') {
        // 2025-11-24T16:00:00, then a fraction and the zone
        let (Some(start), rest) = (at.checked_sub(10).filter(|s| *s >= done), &text[at..]) else { continue };
        let zone = rest.find(|c: char| !(c.is_ascii_digit() || "T:.".contains(c))).unwrap_or(rest.len());
        let len = match rest[zone..].chars().next() {
            Some('Z') => zone + 1,
            Some('+' | '-') => zone + 6,
            _ => continue,
        };
        let stamp = text.get(start..at + len).and_then(|t| Some((t, Timestamp::parse(t).ok()?)));
        if let Some((found, time)) = stamp {
            out.push_str(&text[done..start]);
            out.push_str(&moment(time, now, utc_offset));
            done = start + found.len();
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn figures_keep_to_their_columns() {
        assert_eq!([duration(0), duration(65_000), duration(8_040_000), duration(100 * 3_600_000)], ["0s", "1m05s", "2h14m", "4d04h"]);
        assert_eq!([count(999), count(1_000), count(12_345), count(123_456), count(1_234_567)], ["999", "1.0k", "12.3k", "123k", "1.2M"]);
        assert_eq!([money(0.0), money(0.004_2), money(1.254), money(1204.4)], ["$0", "$0.0042", "$1.25", "$1,204"]);
        assert_eq!([bytes(512), bytes(3 << 30), bytes(700 << 20)], ["512 B", "3.0 GiB", "700 MiB"]);
        for n in [0, 999, 9_999, 99_950, 999_999, 9_999_999, 999_999_999, u64::from(u32::MAX)] {
            assert!(count(n).len() <= 5, "{}", count(n));
        }
    }

    #[test]
    fn the_clock_is_local() {
        let t = Timestamp::parse("2025-11-24T23:30:05Z").unwrap();
        assert_eq!(clock(t, 3600, true), "00:30:05");
        assert_eq!(clock(t, -5 * 3600, false), "18:30");
        assert_eq!(moment(t, Timestamp(t.0 + 1000), 0), "23:30");
        assert_eq!(moment(t, Timestamp(t.0 + 1000), 3600), "00:30");
        assert_eq!(moment(t, Timestamp(t.0 + 86_400_000), 0), "Nov 24 23:30");
    }

    #[test]
    fn times_in_a_text_become_local_and_short() {
        let now = Timestamp::parse("2025-11-24T14:00:00Z").unwrap();
        for (text, want) in [
            ("it resets at 2025-11-24T14:20:18.710Z, or later", "it resets at 15:20, or later"),
            ("2025-11-24T14:20:18Z", "15:20"),
            ("from 2025-11-24T14:20:00+02:00 to 2025-11-26T00:30:00.000Z.", "from 13:20 to Nov 26 01:30."),
            ("The Total is 12T, é2025-11-24Tx", "The Total is 12T, é2025-11-24Tx"),
        ] {
            assert_eq!(local_times(text, now, 3600), want);
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[0-9T:.Z+é日 -]{0,60}") {
            local_times(&text, Timestamp(0), 0);
        }
    }
}
