//! Times as people write them, in their own clock. Pure: `now` is the operator's local time.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Weekday};

/// When a day without a time begins to matter.
const MORNING: NaiveTime = NaiveTime::from_hms_opt(9, 0, 0).expect("nine o'clock");

/// The first time in a text that lies ahead: "tomorrow at 9", "in 2 hours", "on friday", "next week", "at 17:30", "on 3 December",
/// "2026-03-01 08:15". `None` where it names none.
pub fn when(text: &str, now: NaiveDateTime) -> Option<NaiveDateTime> {
    let text = text.to_lowercase();
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '!' | '?' | '(' | ')' | '"'))
        .map(|w| w.trim_end_matches(['.', ':']))
        .filter(|w| !w.is_empty())
        .collect();
    // A span of time says it all by itself.
    if let Some(at) = (0..words.len()).find_map(|i| span(&words[i..], now)) {
        return Some(at);
    }
    let time = (0..words.len()).find_map(|i| time_of_day(&words[i..], i.checked_sub(1).map(|p| words[p])));
    let day = (0..words.len()).find_map(|i| day(&words[i..], i.checked_sub(1).map(|p| words[p]), now.date()));
    match (day, time) {
        (Some(day), time) => {
            let at = day.and_time(time.or(part_of_day(&words)).unwrap_or(MORNING));
            (at > now).then_some(at)
        }
        (None, Some(time)) => {
            let today = now.date().and_time(time);
            if today > now { Some(today) } else { Some(now.date().checked_add_days(Days::new(1))?.and_time(time)) }
        }
        (None, None) => {
            let time = ["tonight", "evening", "afternoon", "noon", "lunch"]
                .iter()
                .find(|w| words.contains(w))
                .and_then(|_| part_of_day(&words))?;
            let today = now.date().and_time(time);
            if today > now { Some(today) } else { Some(now.date().checked_add_days(Days::new(1))?.and_time(time)) }
        }
    }
}

/// `in 2 hours`, `in half an hour`, `in a week`, `in 1h30m`.
fn span(words: &[&str], now: NaiveDateTime) -> Option<NaiveDateTime> {
    if words.first() != Some(&"in") {
        return None;
    }
    let rest = words.get(1..)?;
    if rest.starts_with(&["half", "an", "hour"]) {
        return now.checked_add_signed(TimeDelta::minutes(30));
    }
    let (n, unit) = match (rest.first().copied()?, rest.get(1).copied()) {
        ("a", Some("few")) => (3, rest.get(2).copied()?),
        ("a", Some("couple")) => (2, *rest.iter().skip(2).find(|w| **w != "of")?),
        (n, Some(unit)) if number(n).is_some() => (number(n)?, unit),
        (short, _) => return humantime::parse_duration(short).ok().and_then(|d| now.checked_add_signed(TimeDelta::from_std(d).ok()?)),
    };
    let at = |d: TimeDelta| now.checked_add_signed(d);
    match unit {
        "second" | "seconds" | "secs" => at(TimeDelta::seconds(n)),
        "minute" | "minutes" | "min" | "mins" => at(TimeDelta::minutes(n)),
        "hour" | "hours" | "hrs" | "h" => at(TimeDelta::hours(n)),
        // After days it is a morning again, not this very minute; the hour of now is as good as any before nine.
        "day" | "days" => at(TimeDelta::days(n)),
        "week" | "weeks" => at(TimeDelta::weeks(n)),
        "month" | "months" => now.checked_add_months(Months::new(u32::try_from(n).ok()?)),
        "year" | "years" => now.checked_add_months(Months::new(u32::try_from(n).ok()?.checked_mul(12)?)),
        _ => None,
    }
}

fn number(word: &str) -> Option<i64> {
    const WORDS: &[&str] = &["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    match word {
        "a" | "an" => Some(1),
        _ => word.parse().ok().filter(|n| (1..=10_000).contains(n)).or_else(|| WORDS.iter().position(|w| *w == word).map(|n| n as i64)),
    }
}

/// `9am`, `9:30`, `17.45`, `at 9`, `at 9 pm`, `9 o'clock`, `14h`.
fn time_of_day(words: &[&str], before: Option<&str>) -> Option<NaiveTime> {
    let word = *words.first()?;
    let next = words.get(1).copied();
    let (figures, mark) = match word.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => (&word[..at], Some(&word[at..])),
        None => (word, next.filter(|n| matches!(*n, "am" | "pm" | "a.m" | "p.m" | "o'clock"))),
    };
    let clock = figures.split_once([':', '.']);
    let (hour, minute): (u32, u32) = match clock {
        Some((h, m)) if m.len() == 2 => (h.parse().ok()?, m.parse().ok()?),
        Some(_) => return None,
        None => (figures.parse().ok()?, 0),
    };
    let hour = match mark.map(|m| m.replace('.', "")).as_deref() {
        Some("pm") if hour <= 12 => hour % 12 + 12,
        Some("am") if hour <= 12 => hour % 12,
        Some("h" | "o'clock") => hour,
        Some(_) => return None,
        // A bare number is a time only where something says so.
        None if figures.contains(':') || matches!(before, Some("at" | "by" | "until" | "till" | "after" | "before" | "from")) => hour,
        None => return None,
    };
    NaiveTime::from_hms_opt(hour, minute, 0)
}

/// The time that a part of the day stands for.
fn part_of_day(words: &[&str]) -> Option<NaiveTime> {
    let hour = words.iter().find_map(|w| match *w {
        "morning" => Some(9),
        "noon" | "lunch" | "lunchtime" | "midday" => Some(12),
        "afternoon" => Some(14),
        "evening" => Some(18),
        "tonight" | "night" => Some(20),
        _ => None,
    })?;
    NaiveTime::from_hms_opt(hour, 0, 0)
}

/// `tomorrow`, `friday`, `next week`, `3 december`, `2026-03-01`.
fn day(words: &[&str], before: Option<&str>, today: NaiveDate) -> Option<NaiveDate> {
    let word = *words.first()?;
    let next = words.get(1).copied();
    let add = |days| today.checked_add_days(Days::new(days));
    let monday = || add(7 - u64::from(today.weekday().num_days_from_monday()));
    match (word, next) {
        ("today", _) => return Some(today),
        ("tomorrow" | "tomorow" | "tmrw", _) => return if before == Some("after") { add(2) } else { add(1) },
        ("next", Some("week")) => return monday(),
        ("next", Some("month")) => return today.with_day(1)?.checked_add_months(Months::new(1)),
        ("next", Some("year")) => return NaiveDate::from_ymd_opt(today.year() + 1, 1, 1),
        ("weekend", _) => return following(Weekday::Sat, today),
        _ => {}
    }
    if let Ok(date) = NaiveDate::parse_from_str(word, "%Y-%m-%d") {
        return Some(date);
    }
    if let Some(weekday) = weekday(word) {
        // "last friday", "every friday" and "since friday" are no dates ahead.
        return if matches!(before, Some("last" | "every" | "each" | "since")) { None } else { following(weekday, today) };
    }
    let of_month = |d: &str| d.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse::<u32>().ok().filter(|d| (1..=31).contains(d));
    let (month, date) = match (month(word), next.filter(|n| *n != "of").or(words.get(2).copied())) {
        (Some(m), Some(d)) => (m, of_month(d)?),
        _ => (next.filter(|n| *n != "of").or(words.get(2).copied()).and_then(month)?, of_month(word)?),
    };
    let this = NaiveDate::from_ymd_opt(today.year(), month, date);
    this.filter(|d| *d >= today).or_else(|| NaiveDate::from_ymd_opt(today.year() + 1, month, date))
}

/// The next such day after today.
fn following(weekday: Weekday, today: NaiveDate) -> Option<NaiveDate> {
    let ahead = (7 + u64::from(weekday.num_days_from_monday()) - u64::from(today.weekday().num_days_from_monday())) % 7;
    today.checked_add_days(Days::new(if ahead == 0 { 7 } else { ahead }))
}

fn weekday(word: &str) -> Option<Weekday> {
    // Not the short forms that are words of their own ("sun", "sat", "wed").
    const DAYS: &[&str] = &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let n = DAYS.iter().position(|d| *d == word.trim_end_matches("'s"))?;
    Weekday::try_from(n as u8).ok()
}

fn month(word: &str) -> Option<u32> {
    const MONTHS: &[&str] =
        &["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
    let fits = |m: &&str| word.len() >= 3 && m.starts_with(word);
    MONTHS.iter().position(fits).map(|n| n as u32 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Wednesday.
    fn at(text: &str) -> String {
        let now = NaiveDate::from_ymd_opt(2026, 2, 25).unwrap().and_hms_opt(14, 30, 0).unwrap();
        when(text, now).map_or("none".into(), |t| t.format("%a %d %b %Y %H:%M").to_string())
    }

    #[test]
    fn times_as_people_write_them() {
        for (text, expected) in [
            ("remind me tomorrow at 9", "Thu 26 Feb 2026 09:00"),
            ("tomorrow at 9 pm", "Thu 26 Feb 2026 21:00"),
            ("Tomorrow.", "Thu 26 Feb 2026 09:00"),
            ("the day after tomorrow", "Fri 27 Feb 2026 09:00"),
            ("tomorrow afternoon", "Thu 26 Feb 2026 14:00"),
            ("in 2 hours", "Wed 25 Feb 2026 16:30"),
            ("check it in half an hour", "Wed 25 Feb 2026 15:00"),
            ("in an hour", "Wed 25 Feb 2026 15:30"),
            ("in a couple of days", "Fri 27 Feb 2026 14:30"),
            ("in two weeks", "Wed 11 Mar 2026 14:30"),
            ("in 3 months", "Mon 25 May 2026 14:30"),
            ("in 90min", "Wed 25 Feb 2026 16:00"),
            ("on friday", "Fri 27 Feb 2026 09:00"),
            ("next monday at 8:15", "Mon 02 Mar 2026 08:15"),
            ("wednesday", "Wed 04 Mar 2026 09:00"),
            ("on Friday afternoon", "Fri 27 Feb 2026 14:00"),
            ("next week", "Mon 02 Mar 2026 09:00"),
            ("next month", "Sun 01 Mar 2026 09:00"),
            ("this evening", "Wed 25 Feb 2026 18:00"),
            ("tonight", "Wed 25 Feb 2026 20:00"),
            ("at 17:30", "Wed 25 Feb 2026 17:30"),
            ("at 9am", "Thu 26 Feb 2026 09:00"),
            ("after 5pm", "Wed 25 Feb 2026 17:00"),
            ("on 3 March", "Tue 03 Mar 2026 09:00"),
            ("on March 3rd at noon", "Tue 03 Mar 2026 12:00"),
            ("the 1st of january", "Fri 01 Jan 2027 09:00"),
            ("2026-12-24 18:00", "Thu 24 Dec 2026 18:00"),
            ("at the weekend", "Sat 28 Feb 2026 09:00"),
        ] {
            assert_eq!(at(text), expected, "{text}");
        }
    }

    #[test]
    fn what_names_no_time_ahead_is_none() {
        for text in [
            "fix the login",
            "version 2.0 is out",
            "in the folder",
            "it broke last friday",
            "we may need 3 of them",
            "call at 25:99",
            "today at 9",
            "2020-01-01",
            "every monday it fails",
        ] {
            assert_eq!(at(text), "none", "{text}");
        }
    }

    #[test]
    fn a_time_is_ahead_whatever_the_text() {
        let words = [
            "tomorrow", "in", "2", "hours", "at", "9", "friday", "next", "week", "march", "3rd", "noon", "31", "february", "99:99", "a",
            "years",
        ];
        for seed in 0..5_000 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let now = NaiveDate::from_ymd_opt(2024 + rng.i32(0..5), 1 + rng.u32(..12), 1 + rng.u32(..28)).unwrap();
            let now = now.and_hms_opt(rng.u32(..24), rng.u32(..60), 0).unwrap();
            let text = (0..rng.usize(1..6)).map(|_| words[rng.usize(..words.len())]).collect::<Vec<_>>().join(" ");
            assert!(when(&text, now).is_none_or(|t| t > now), "{seed}: {text} at {now}");
        }
    }
}
