//! Against another library, against crontab minute by minute, and by hand.

use super::*;
use crate::domain::Timestamp;
use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};
use proptest::prelude::*;
use std::time::Duration;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn fires(line: &str, zone: Tz, from: &str, until: &str) -> Vec<String> {
    let schedule: Schedule = line.parse().unwrap();
    let seen = schedule.between(zone, at(from), at(until), 1000).into_iter();
    seen.map(|t| zone.timestamp_millis_opt(t.0).unwrap().format("%d %H:%M%z").to_string()).collect()
}

#[test]
fn weekdays_days_and_months_mean_what_crontab_says() {
    let days = |line: &str| {
        let schedule: Schedule = line.parse().unwrap();
        let all = schedule.between(Tz::UTC, at("2026-03-01T00:00:00Z"), at("2026-03-31T23:59:00Z"), 100).into_iter();
        all.map(|t| t.rfc3339()[8..10].parse::<u32>().unwrap()).collect::<Vec<_>>()
    };
    // 2026-03-01 is a Sunday; its own midnight is before the first instant looked at.
    assert_eq!(days("0 9 * * 1-5")[..6], [2, 3, 4, 5, 6, 9], "Monday to Friday");
    assert_eq!(days("0 9 * * 0"), [1, 8, 15, 22, 29]);
    assert_eq!(days("0 9 * * 7"), days("0 9 * * sun"));
    assert_eq!(days("0 9 * * 5-7"), days("0 9 * * Fri-Sun"));
    assert_eq!(days("0 9 * * 1-5/2"), days("0 9 * * mon,wed,fri"));
    assert_eq!(days("0 9 13 * 5"), [6, 13, 20, 27], "the 13th or a Friday");
    assert_eq!(days("0 9 10 * 5"), [6, 10, 13, 20, 27]);
    assert_eq!(days("0 9 */10 * 1"), Vec::<u32>::new(), "a day field that begins with * is joined by and: the 1st, 11th, 21st, 31st");
    assert_eq!(days("0 9 */2 * 1"), [9, 23]);
    assert_eq!(days("0 9 31 2 2"), Vec::<u32>::new(), "Tuesdays in February");
    assert_eq!(days("@weekly"), [8, 15, 22, 29]);
    assert_eq!(days("0 9 1-7,20 mar *"), [1, 2, 3, 4, 5, 6, 7, 20]);
}

#[test]
fn what_no_crontab_is_is_refused_and_the_remedy_told() {
    let wrong = |line: &str| line.parse::<Schedule>().unwrap_err().to_string();
    for (line, says) in [
        ("0 0 30 2 *", "`0 0 30 2 *` never comes: the longest of these months has 29 days"),
        ("0 0 31 4,6 *", "never comes"),
        ("0 0 0 * * *", "it has 6 fields, and crontab has five: minute hour day month weekday (no seconds, no year)"),
        ("", "it has 0 fields"),
        ("60 * * * *", "minute `60`: `60` has to be 0 to 59"),
        ("* * * * mon-funday", "`funday` has to be 0 to 7 or sun to sat"),
        ("5/10 * * * *", "a step needs a range or `*`; write `5-59/10`"),
        ("*/0 * * * *", "the step `0` has to be a number from 1 to 60"),
        ("0 22-6 * * *", "the range `22-6` runs backwards; write `22-23,0-6`"),
        ("0 0 L * *", "`L` is no crontab"),
        ("0 0 ? * 1", "`?` is no crontab"),
        ("0 0 1,,2 * *", "a comma without a number"),
        ("@reboot", "only the clock fires schedules"),
        ("@fortnightly", "`@fortnightly` is not known"),
        ("-1 * * * *", "minute `-1`"),
    ] {
        assert!(wrong(line).contains(says), "{line}: {}", wrong(line));
    }
    "0 0 29 2 *".parse::<Schedule>().unwrap();
}

#[test]
fn a_change_of_the_clocks_neither_drops_nor_doubles_a_fixed_time() {
    let london = Tz::Europe__London;
    // 29 March 2026: 01:00 to 02:00 do not exist.
    let gap = |line: &str| fires(line, london, "2026-03-28T23:00:00Z", "2026-03-29T03:00:00Z");
    assert_eq!(gap("30 1 * * *"), ["29 02:00+0100"]);
    assert_eq!(gap("15,45 1 * * *"), ["29 02:00+0100"], "both at the gap's end, once");
    assert_eq!(gap("30 1,2 * * *"), ["29 02:00+0100", "29 02:30+0100"]);
    assert_eq!(gap("0 0-4 * * *"), ["29 00:00+0000", "29 02:00+0100", "29 03:00+0100", "29 04:00+0100"]);
    // What runs every so often has nothing to make up for.
    assert_eq!(gap("30 * * * *"), ["28 23:30+0000", "29 00:30+0000", "29 02:30+0100", "29 03:30+0100"]);
    // 25 October 2026: 01:00 to 02:00 come twice.
    let fold = |line: &str| fires(line, london, "2026-10-24T23:30:00Z", "2026-10-25T03:00:00Z");
    assert_eq!(fold("30 1 * * *"), ["25 01:30+0100"]);
    assert_eq!(fold("0 1-3 * * *"), ["25 01:00+0100", "25 02:00+0000", "25 03:00+0000"]);
    assert_eq!(fold("30 * * * *"), ["25 01:30+0100", "25 01:30+0000", "25 02:30+0000"]);
    // Half an hour, in the south.
    let howe = fires("45 1 * * *", Tz::Australia__Lord_Howe, "2026-04-04T10:00:00Z", "2026-04-05T10:00:00Z");
    assert_eq!(howe, ["05 01:45+1100"]);
    // The next one is found from within either pass.
    let half: Schedule = "30 * * * *".parse().unwrap();
    assert_eq!(half.next(london, at("2026-10-25T00:59:00Z")), Some(at("2026-10-25T01:30:00Z")));
    assert_eq!(half.next(london, at("2026-10-25T00:30:00Z")), Some(at("2026-10-25T01:30:00Z")));
}

/// A field: what it may look like, within its numbers.
fn field(min: u32, max: u32) -> impl Strategy<Value = String> {
    let one = (min..=max).prop_map(|n| n.to_string());
    let range = (min..=max, min..=max).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b)));
    let stepped = (min..=max, min..=max, 1..=max - min).prop_map(|(a, b, n)| format!("{}-{}/{n}", a.min(b), a.max(b)));
    let every = (1..=max - min).prop_map(|n| format!("*/{n}"));
    let list = prop::collection::vec(prop_oneof![one.clone(), range.clone(), stepped.clone()], 1..4).prop_map(|l| l.join(","));
    prop_oneof![3 => Just("*".to_owned()), 3 => one, 2 => range, 1 => stepped, 1 => every, 2 => list]
}

/// A line of crontab. No step of a whole day field beside another day field: crontab joins those by "and", croner by "or".
fn line() -> impl Strategy<Value = String> {
    (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7))
        .prop_filter("documented difference", |(_, _, d, _, w)| !(d.starts_with("*/") && w != "*" || w.starts_with("*/") && d != "*"))
        .prop_map(|(mi, h, d, mo, w)| format!("{mi} {h} {d} {mo} {w}"))
}

fn croner(line: &str) -> croner::Cron {
    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build().parse(line).unwrap()
}

/// What crontab does, minute by minute: croner says whether a time on the wall matches, and the rules for changes of the clocks
/// are written out.
fn by_the_minute(line: &str, fixed: bool, zone: Tz, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let cron = croner(line);
    let matches = |wall: NaiveDateTime| cron.is_time_matching(&wall.and_utc()).unwrap();
    let minute = TimeDelta::minutes(1);
    let mut t: DateTime<Utc> = Utc.timestamp_millis_opt(from.0).unwrap() + minute;
    let mut all = Vec::new();
    while t.timestamp_millis() <= until.0 {
        let wall = |t: DateTime<Utc>| t.with_timezone(&zone).naive_local();
        let mut fire = matches(wall(t));
        if fixed {
            fire &= zone.from_local_datetime(&wall(t)).earliest() == Some(t.with_timezone(&zone));
            // The first minute after a gap answers for those that were skipped.
            let mut skipped = wall(t - minute) + minute;
            while skipped < wall(t) {
                fire |= matches(skipped);
                skipped += minute;
            }
        }
        if fire {
            all.push(Timestamp(t.timestamp_millis()));
        }
        t += minute;
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_utc_it_is_what_another_library_computes(line in line(), start in 1_750_000_000i64..1_900_000_000) {
        let from = Timestamp(start / 60 * 60_000);
        let ours = line.parse::<Schedule>();
        let other = croner(&line);
        let first = other.find_next_occurrence(&Utc.timestamp_millis_opt(from.0).unwrap(), false);
        let Ok(ours) = ours else {
            // Refused, as a date that never comes.
            prop_assert!(first.is_err(), "{} is refused, and croner finds {:?}", line, first);
            return Ok(());
        };
        let mut t = from;
        for _ in 0..8 {
            let theirs = other.find_next_occurrence(&Utc.timestamp_millis_opt(t.0).unwrap(), false).unwrap();
            let next = ours.next(Tz::UTC, t).unwrap();
            prop_assert_eq!(next.0, theirs.timestamp_millis(), "{} after {}", line, t);
            t = next;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn across_changes_of_the_clocks_it_is_crontab_minute_by_minute(
        minute in field(0, 59), hour in field(0, 4),
        change in prop::sample::select(vec![
            (Tz::Europe__London, "2026-03-28T22:00:00Z"), (Tz::Europe__London, "2026-10-24T22:00:00Z"),
            (Tz::America__New_York, "2026-03-08T04:00:00Z"), (Tz::America__New_York, "2026-11-01T03:00:00Z"),
            (Tz::Australia__Lord_Howe, "2026-04-04T12:00:00Z"), (Tz::Australia__Lord_Howe, "2026-10-03T12:00:00Z"),
            (Tz::Asia__Kolkata, "2026-03-28T22:00:00Z"),
        ]),
    ) {
        let line = format!("{minute} {hour} * * *");
        let schedule: Schedule = line.parse().unwrap();
        let (zone, from) = (change.0, at(change.1));
        let until = from + Duration::from_secs(10 * 3600);
        let expected = by_the_minute(&line, schedule.is_fixed(), zone, from, until);
        prop_assert_eq!(schedule.between(zone, from, until, 1000), expected, "{} in {}", line, zone);
    }
}

fn due_of<'a>(schedule: &'a Schedule, catch_up: Catch) -> Due<'a> {
    Due {
        name: "x",
        schedule,
        zone: Tz::UTC,
        catch_up,
        overlap: Overlap::Skip,
        jitter: Duration::ZERO,
        late: Duration::from_secs(120),
        most: 3,
    }
}

#[test]
fn what_becomes_of_missed_fires_is_the_policys() {
    let quarter: Schedule = "*/15 * * * *".parse().unwrap();
    let last = at("2026-03-01T10:00:00Z");
    let look = |catch_up, open, now: &str| due(&due_of(&quarter, catch_up), last, open, at(now));
    for policy in Catch::ALL {
        assert_eq!(look(*policy, false, "2026-03-01T10:14:59Z"), CronStep::Wait(Some(at("2026-03-01T10:15:00Z"))));
        assert_eq!(look(*policy, false, "2026-03-01T10:15:30Z"), CronStep::Fire { at: at("2026-03-01T10:15:00Z"), missed: 0 });
    }
    // Asleep until ten minutes after the fifth.
    let (late, fifth) = ("2026-03-01T11:25:00Z", at("2026-03-01T11:15:00Z"));
    assert_eq!(look(Catch::Skip, false, late), CronStep::Missed { at: fifth, missed: 4 });
    assert_eq!(look(Catch::Once, false, late), CronStep::Fire { at: fifth, missed: 4 });
    assert_eq!(look(Catch::All, false, late), CronStep::Fire { at: at("2026-03-01T10:45:00Z"), missed: 2 }, "the newest three");
    // An earlier job is still at it.
    assert_eq!(look(Catch::Skip, true, late), CronStep::Overlap { at: fifth, missed: 4 });
    assert_eq!(look(Catch::All, true, late), CronStep::Hold);
    // Back on time within the fifth's grace.
    assert_eq!(look(Catch::Skip, false, "2026-03-01T11:16:00Z"), CronStep::Fire { at: fifth, missed: 4 });
}

#[test]
fn of_many_missed_fires_it_is_the_newest_that_count() {
    let minutes: Schedule = "* * * * *".parse().unwrap();
    let (last, now) = (at("2026-03-01T00:00:00Z"), at("2026-04-10T00:00:30Z"));
    let look = |schedule: &Schedule, catch_up, most| due(&Due { most, ..due_of(schedule, catch_up) }, last, false, now);
    let CronStep::Fire { at: oldest, missed } = look(&minutes, Catch::All, 24) else { panic!() };
    assert_eq!(oldest, at("2026-04-09T23:37:00Z"), "the newest 24 of 57,600");
    assert!(missed as usize >= MOST_FIRES, "the others are counted as far as anybody counts: {missed}");
    assert_eq!(look(&minutes, Catch::All, 500), CronStep::Fire { at: at("2026-04-09T15:41:00Z"), missed: 13_341 });
    assert!(matches!(look(&minutes, Catch::Once, 24), CronStep::Fire { at: newest, .. } if newest == at("2026-04-10T00:00:00Z")));
    // Few fires in a long time: all of them.
    let weekly: Schedule = "@weekly".parse().unwrap();
    assert_eq!(look(&weekly, Catch::All, 24), CronStep::Fire { at: at("2026-03-08T00:00:00Z"), missed: 0 });
    assert_eq!(look(&weekly, Catch::All, 3), CronStep::Fire { at: at("2026-03-22T00:00:00Z"), missed: 2 });
}

#[test]
fn the_shortest_time_between_two_fires_is_known() {
    let minutes = |line: &str| line.parse::<Schedule>().unwrap().shortest().as_secs() / 60;
    for (line, shortest) in [
        ("* * * * *", 1),
        ("*/15 8-23 * * *", 15),
        ("5,35 * * * *", 30),
        ("0 9-22 * * *", 60),
        ("@weekly", 1440),
        ("0 3 * * *", 1440),
        ("0,59 0,23 * * 1-5", 1),
        ("10,13 4 29 2 *", 3),
    ] {
        assert_eq!(minutes(line), shortest, "{line}");
    }
}

#[test]
fn jitter_is_the_entrys_own_and_does_not_move() {
    let most = Duration::from_secs(30);
    let of = |name: &str, minute: i64| jitter(name, Timestamp(minute * 60_000), most);
    assert_eq!(of("a", 1), of("a", 1));
    let spread: std::collections::BTreeSet<_> = (0..50).map(|m| of("a", m)).collect();
    assert!(spread.len() > 40 && spread.iter().all(|d| *d <= most));
    assert_ne!((0..9).map(|m| of("a", m)).collect::<Vec<_>>(), (0..9).map(|m| of("b", m)).collect::<Vec<_>>());
    assert_eq!(jitter("a", Timestamp(5), Duration::ZERO), Duration::ZERO);
}

#[test]
fn an_entry_that_finds_nothing_slows_down_and_wakes_at_once() {
    let mut quiet = Quiet::default();
    let mut skips = Vec::new();
    for _ in 0..5 {
        quiet = quiet.after(true, 8);
        skips.push(quiet.skip);
    }
    assert_eq!(skips, [1, 3, 7, 7, 7]);
    assert_eq!(quiet.after(false, 8), Quiet::default());
    assert_eq!(Quiet::default().after(true, 1).skip, 0, "1 switches it off");
    for nothing in [
        "",
        " \n",
        "NOTHING TO DO",
        "\n**Nothing to do**: all is well",
        "# Nothing to do\nReally.",
        "`NOTHING TO DO`",
        "\"NOTHING TO DO.\"",
        "> **Nothing to do**",
        "```\nNOTHING TO DO\n```",
        "- _nothing to do_",
        "(NOTHING TO DO)",
    ] {
        assert!(found_nothing(nothing), "{nothing:?}");
    }
    for something in ["Swept 3 files", "There was nothing to do", "NOTHING T\u{d6} DO", "```\nls\n```", "`ls` ran"] {
        assert!(!found_nothing(something), "{something:?}");
    }
    // Silence is no word: of a gated kind it is an error of the attempt.
    assert!(!says_nothing("") && !says_nothing("```\n```") && says_nothing("`nothing to do`"));
}
