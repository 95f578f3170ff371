//! Nothing that comes in breaks the console, and what is long costs no more than what is short.

use super::desk::{Console, event, options};
use super::world;
use orc::domain::{AgentEvent, AttemptId, JobId, JobState, Timestamp};
use orc::tui::{ColorLevel, Ground, Msg, Theme, view};
use orc::wire::{Attention, From, Query, Severity, Snapshot, SpooledEvent};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::sync::Arc;

const KEYS: &[&str] = &[
    "1",
    "2",
    "3",
    "4",
    "m",
    "M",
    "r",
    "5",
    "6",
    "v",
    "c",
    "tab",
    "shift-tab",
    "k",
    "j",
    "pgup",
    "pgdn",
    "g",
    "G",
    "h",
    "l",
    "enter",
    "enter",
    "esc",
    "esc",
    "n",
    "+",
    "-",
    "x",
    "R",
    "p",
    "P",
    "u",
    "space",
    "/",
    ":",
    "f",
    "o",
    "O",
    "y",
    "s",
    "?",
    "ctrl-l",
    "ctrl-s",
    "ctrl-o",
    "q",
    "e",
    "a",
    "1",
    "2",
    "backspace",
    "ctrl-w",
    "up",
    "down",
    "ctrl-c",
];

fn snapshots() -> Vec<Snapshot> {
    vec![world::empty(), super::waiting::all(), world::trouble(), Snapshot::starting(world::NOW, String::new())]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_key_at_no_size_breaks_it(
        size in (1u16..130, 1u16..50),
        mood in 0usize..4,
        steps in proptest::collection::vec((0usize..KEYS.len() + 4, 0u16..200, 0u16..60), 1..60),
    ) {
        let mut c = Console::new(size, snapshots()[mood].clone());
        for (i, w, h) in steps {
            match i.checked_sub(KEYS.len()) {
                None => { c.send(Msg::Key(event(KEYS[i]))); }
                Some(0) => {
                    c.size = (w, h);
                    c.send(Msg::Resize(w, h));
                }
                Some(1) => {
                    c.snapshot = snapshots()[usize::from(w) % 4].clone();
                    let s = Arc::new(c.snapshot.clone());
                    c.send(Msg::Snapshot(s));
                }
                Some(2) => { c.send(Msg::Tick { now: Timestamp(world::NOW.0 + i64::from(w) * 700), utc_offset: i32::from(h) * 60 }); }
                _ => { c.send(Msg::Paste("pasted\n\u{1b}[31mtext 日本".to_owned())); }
            }
            c.buffer();
        }
    }

    #[test]
    fn no_control_character_ever_reaches_the_screen(
        evil in "(\u{1b}\\[[0-9;]{0,5}[a-zA-Z]|\u{1b}\\][0-9];[a-z]{0,5}\u{7}|[\u{0}-\u{1f}\u{7f}-\u{9f}\u{202a}-\u{202e}\u{2066}-\u{2069}\u{200b}-\u{200f}\u{feff}]|[a-z 日👩é]){1,40}",
        view_at in 0usize..9,
    ) {
        let mut s = world::busy();
        s.workspace = evil.clone();
        s.engine.backpressure = Some(evil.clone());
        s.attention = vec![Attention { severity: Severity::Warn, says: evil.clone(), remedy: evil.clone(), job: None }];
        for lane in &mut s.lanes {
            for job in &mut lane.next {
                job.title = evil.clone();
                job.note = Some(evil.clone());
                job.backend = evil.clone();
            }
        }
        for w in &mut s.workers {
            w.name = evil.clone();
            w.model = Some(evil.clone());
            if let Some(l) = &mut w.live {
                l.title = evil.clone();
                l.last = evil.clone();
            }
        }
        for b in &mut s.backends {
            b.name = evil.clone();
        }
        for l in &mut s.log {
            l.text = evil.clone();
            l.actor = evil.clone();
            l.what = evil.clone();
        }
        let mut c = Console::new((150, 40), s);
        c.transcript = [
            AgentEvent::Text { text: evil.clone() },
            AgentEvent::Text { text: format!("# {evil}\n\n- {evil}\n\n```\n{evil}\n```\n\n| {evil} |\n|---|\n| {evil} |") },
            AgentEvent::Thinking { text: evil.clone() },
            AgentEvent::ToolCall { id: evil.clone(), name: evil.clone(), input: evil.clone() },
            AgentEvent::ToolResult { id: evil.clone(), output: evil.clone(), is_error: false },
            AgentEvent::Stderr { text: evil.clone() },
            AgentEvent::Session { id: evil.clone(), model: Some(evil.clone()), version: None },
        ]
        .into_iter()
        .enumerate()
        .map(|(i, event)| SpooledEvent { seq: i as u64 + 1, at: world::NOW, event })
        .collect();
        c.send(Msg::Paste(evil.clone()));
        c.keys(["", "2", "3", "6", "tab tab enter O", "tab tab enter tab", "n", ": 'p'", "tab tab x"][view_at]);
        c.send(Msg::Paste(evil.clone()));
        c.send(Msg::Say(Severity::Fail, evil));
        let buf = c.buffer();
        for cell in &buf.content {
            let bad = cell.symbol().chars().find(|c| {
                c.is_control() || matches!(c, '\u{200b}' | '\u{200d}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            });
            prop_assert!(bad.is_none(), "{:?} in {:?}", bad, cell.symbol());
        }
    }
}

#[test]
fn every_size_from_nothing_on_draws_in_every_view() {
    for w in (0..90).step_by(7).chain([1, 39, 40, 100, 160]) {
        for h in (0..40).step_by(3).chain([1, 10]) {
            for keys in ["", "2", "3", "6", "tab tab enter", "n", ":", "?", "q"] {
                let mut c = Console::new((w, h), world::trouble());
                c.keys(keys);
                c.buffer();
            }
        }
    }
}

#[test]
fn a_frame_may_be_drawn_for_another_size_than_the_last_resize_told() {
    let mut c = Console::new((120, 40), world::busy());
    c.keys("2 pgdn");
    for area in [Rect::new(0, 0, 80, 24), Rect::new(0, 0, 200, 60), Rect::new(0, 0, 41, 11)] {
        view(&c.model, area, &mut Buffer::empty(area));
    }
}

/// Counts how often texts of rows were drawn by looking for a marker that each row carries.
fn rows_with(screen: &str, marker: &str) -> usize {
    screen.lines().filter(|l| l.contains(marker)).count()
}

#[test]
fn five_hundred_workers_and_a_hundred_thousand_jobs_draw_only_what_fits() {
    let mut s = world::busy();
    let one = s.workers[0].clone();
    s.workers = (0..500)
        .map(|i| {
            let mut w = one.clone();
            w.id = orc::domain::WorkerId(i + 1);
            w.name = format!("w{i:03}");
            if let Some(l) = &mut w.live {
                l.job = JobId(200_000 + i);
                l.attempt = AttemptId(200_000 + i);
            }
            w
        })
        .collect();
    let mut c = Console::new((120, 40), s);
    c.rows = (1..=100_000).rev().map(|id| world::over(id, JobState::Done, orc::domain::Outcome::Ok, "marker")).collect();
    assert!(rows_with(&c.screen(), "Migrate") < 25);
    c.keys("2");
    let asked = |c: &Console| c.asked.iter().filter(|q| matches!(q, Query::Jobs { .. })).count();
    assert_eq!(asked(&c), 1, "one page is enough for the first screen");
    assert!(rows_with(&c.screen(), "marker") <= 34);
    for _ in 0..10 {
        c.keys("pgdn");
    }
    assert!(asked(&c) <= 4, "pages come as the reader gets near them: {}", asked(&c));
    c.keys("G");
    let screen = c.screen();
    assert!(screen.contains("#20 ") && !screen.contains("#100000"), "the end is shown: {screen}");
    assert!(asked(&c) <= 6, "the end is one page away: {}", asked(&c));
    for _ in 0..10 {
        c.keys("pgup");
    }
    assert!(asked(&c) <= 9, "{}", asked(&c));
    c.keys("g");
    assert!(c.screen().contains("1–33 of 100,000"), "{}", c.screen());
}

#[test]
fn an_idle_console_asks_nothing_and_draws_nothing() {
    let mut c = Console::new((120, 40), world::empty());
    c.keys("2");
    c.buffer();
    let asked = c.asked.len();
    let wake = c.model.wake_at();
    assert_eq!(wake.0 % 60_000, 0, "with nothing running the clock wakes once a minute");
    c.send(Msg::Tick { now: Timestamp(world::NOW.0 + 20_000), utc_offset: 0 });
    assert!(!c.model.dirty(), "a tick within the minute changes nothing");
    c.send(Msg::Tick { now: wake, utc_offset: 0 });
    assert!(c.model.dirty(), "the minute changed");
    assert_eq!(c.asked.len(), asked);
}

#[test]
fn with_jobs_running_it_draws_once_a_second() {
    let mut c = Console::new((120, 40), world::busy());
    c.buffer();
    assert_eq!(c.model.wake_at().0, world::NOW.0 + 1_000);
    c.send(Msg::Tick { now: Timestamp(world::NOW.0 + 400), utc_offset: 0 });
    assert!(!c.model.dirty());
    c.send(Msg::Tick { now: Timestamp(world::NOW.0 + 1_000), utc_offset: 0 });
    assert!(c.model.dirty());
    assert!(c.screen().contains("14m06s"), "{}", c.screen());
}

#[test]
fn a_desk_that_fails_is_not_asked_for_ever() {
    let mut c = Console::new((120, 40), world::busy());
    c.deaf = true;
    c.keys("2");
    let query = c.asked.last().cloned().unwrap();
    c.send(Msg::Answer(Box::new(orc::wire::Answer::Failed { query, message: "the database is locked: try again".to_owned() })));
    let asked = c.asked.len();
    for _ in 0..20 {
        c.keys("j k");
    }
    assert!(c.asked.len() <= asked + 1, "{:?}", c.asked);
    assert!(c.screen().contains("the database is locked"));
}

#[test]
fn an_answer_that_comes_late_changes_nothing() {
    let mut c = Console::new((120, 40), world::busy());
    c.keys("tab tab enter");
    let before = c.screen();
    c.send(Msg::Answer(Box::new(orc::wire::Answer::Transcript {
        attempt: AttemptId(999),
        from: From::After(3),
        events: vec![SpooledEvent { seq: 4, at: world::NOW, event: AgentEvent::Text { text: "of another job".to_owned() } }],
        more_before: false,
        more_after: false,
    })));
    assert_eq!(c.screen(), before);
}

#[test]
fn without_colour_nothing_is_coloured() {
    let mut o = options((120, 40));
    o.theme = Theme::new(Ground::Dark, ColorLevel::None, false);
    let mut c = Console::with(o, world::trouble());
    for keys in ["", "2", "3", "6", ":", "esc", "n"] {
        c.keys(keys);
        for cell in &c.buffer().content {
            assert!(cell.fg == ratatui::style::Color::Reset && cell.bg == ratatui::style::Color::Reset, "{cell:?} after {keys}");
        }
    }
}

#[test]
fn columns_stay_straight_whatever_the_width_of_characters() {
    let mut s = world::busy();
    for (i, title) in ["日本語日本語日本語日本語日本語日本語日本語日本語", "e\u{301}e\u{301}e\u{301}", "👩\u{200d}💻👩\u{200d}💻", "plain"]
        .iter()
        .enumerate()
    {
        s.lanes[1].next[i].title = (*title).to_owned();
    }
    let mut c = Console::new((100, 30), s);
    let buf = c.buffer();
    for y in 3..29 {
        let edge = buf[(99, y)].symbol();
        assert!("│╮╯".contains(edge), "row {y} ends with {edge:?}\n{}", super::desk::text(&buf));
    }
}
