//! The whole screen from the model: pure.

use super::keyline::key_line;
use super::keymap::Action;
use super::model::{Model, View};
use super::overlays::clear;
use super::screens::dashboard;
use super::screens::{approvals, costs, cron, health, job, jobs, logs, memory, projects, skills, workers};
use super::text;
use super::widgets::{Pen, empty, fold, pane};
use crate::wire::{EngineMode, Severity};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// The smallest terminal that anything useful fits in.
const SMALLEST: (u16, u16) = (40, 10);

/// Draws the console into `buf` and says where the cursor is to stand, if one is wanted.
pub fn view(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let area = area.intersection(buf.area);
    let t = model.theme();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(area, buf, t.text);
        return None;
    }
    header(model, area, buf);
    let room = Rect { x: area.x, y: area.y + head(area.height), ..body((area.width, area.height)) };
    match (model.job(), model.view) {
        (Some(open), _) => job::draw(model, open, room, buf),
        (None, View::Dashboard) => dashboard::draw(model, room, buf),
        (None, View::Jobs) => jobs::draw(model, room, buf),
        (None, View::Workers) => workers::draw(model, room, buf),
        (None, View::Approvals) => approvals::draw(model, room, buf),
        (None, View::Memory) => memory::draw(model, room, buf),
        (None, View::Cron) => cron::draw(model, room, buf),
        (None, View::Logs) => log(model, room, buf),
        (None, View::Skills) => skills::draw(model, room, buf),
        (None, View::Projects) => projects::draw(model, room, buf),
        (None, View::Costs) => costs::draw(model, room, buf),
        (None, View::Health) => health::draw(model, room, buf),
    }
    let last = Rect { y: area.bottom() - 1, height: 1, ..area };
    let mut cursor = key_line(model, last, buf);
    for overlay in &model.overlays {
        cursor = overlay.draw(model, room, buf).or(cursor);
    }
    toast(model, room, buf);
    if t.ascii {
        fold(buf);
    }
    cursor.filter(|c| area.contains(*c))
}

/// Rows of the header.
fn head(height: u16) -> u16 {
    if height >= 14 { 2 } else { 1 }
}

/// The part of the screen between header and key line.
pub(super) fn body(size: (u16, u16)) -> Rect {
    let head = head(size.1);
    Rect { x: 0, y: head, width: size.0, height: size.1.saturating_sub(head + 1) }
}

fn too_small(area: Rect, buf: &mut Buffer, style: Style) {
    let needs = format!("orc needs {}x{}", SMALLEST.0, SMALLEST.1);
    let has = format!("this is {}x{}", area.width, area.height);
    let lines: &[&str] = if area.height >= 2 { &[&needs, &has] } else { &[&needs] };
    let top = area.height.saturating_sub(lines.len() as u16) / 2;
    for (i, line) in lines.iter().enumerate() {
        let gap = area.width.saturating_sub(text::width(line) as u16) / 2;
        Pen::new(buf, area, top + i as u16).gap(gap).put(line, style);
    }
}

/// What the engine does: a mark, a word, a style.
fn engine(model: &Model) -> (&'static str, String, Style) {
    let t = model.theme();
    let e = &model.snapshot.engine;
    match e.mode {
        EngineMode::Starting => ("◌", "starting".to_owned(), t.dim),
        EngineMode::Disconnected => ("✗", "disconnected, what you see is old".to_owned(), t.fail),
        EngineMode::Paused => ("‖", "paused".to_owned(), t.warn),
        EngineMode::Draining => ("▼", "draining".to_owned(), t.warn),
        EngineMode::Running if model.snapshot.host.held.is_some() => ("▲", "held: host is short".to_owned(), t.warn),
        EngineMode::Running if e.backpressure.is_some() => ("▲", "backpressure".to_owned(), t.warn),
        EngineMode::Running => ("●", "running".to_owned(), t.ok),
    }
}

fn header(model: &Model, area: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let s = &model.snapshot;
    let mut pen = Pen::new(buf, area, 0);
    pen.put(" orc ", t.badge);
    if s.demo {
        pen.put(" DEMO ", t.badge_warn);
    }
    let (mark, word, style) = engine(model);
    pen.gap(1).put(mark, style).put(" ", style).put(&word, style);
    let attached = !model.options.hosting && s.engine.pid > 0 && s.engine.mode != EngineMode::Disconnected;
    if attached && area.width >= 96 {
        pen.put(&format!(", attached to pid {}", s.engine.pid), t.dim);
    }
    if model.options.read_only {
        pen.gap(1).put(" watching ", t.badge);
    }
    let clock = text::clock(model.now, model.utc_offset, false);
    let rooms = [Room::Wide, Room::Tight, Room::Keys, Room::Here].map(|room| {
        let tabs = tabs(model, room);
        let width: u16 = tabs.iter().map(|(l, _)| text::width(l) as u16).sum::<u16>() + 7;
        (tabs, width)
    });
    let pick = |left: u16| rooms.iter().position(|(_, width)| left > *width);
    // what was said is told here, unless it costs the views their names
    let unread = unread(model);
    let here = unread.as_ref().is_some_and(|u| {
        let rest = pen.left().saturating_sub(text::width(u) as u16 + 1);
        head(area.height) < 2 || pick(rest) == pick(pen.left())
    });
    if let Some(says) = unread.as_ref().filter(|_| here) {
        pen.gap(1).put(says, t.badge);
    }
    if let Some((tabs, width)) = pick(pen.left()).and_then(|room| rooms.get(room)) {
        pen.skip_to_right(*width);
        for (label, current) in tabs {
            pen.put(label, if *current { t.badge } else { t.dim });
        }
    }
    if pen.left() > 5 {
        pen.skip_to_right(6).put(&clock, t.title);
    }
    if head(area.height) == 2 {
        second(model, Pen::new(buf, area, 1), unread.filter(|_| !here));
    }
}

/// How much of the conversation is not read yet, if any.
fn unread(model: &Model) -> Option<String> {
    let n = model.snapshot.unread;
    (n > 0).then(|| format!(" {} unread ", text::thousands(n)))
}

/// How much of the views' names the header has room for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Wide,
    Tight,
    /// Keys, and the name of the current one.
    Keys,
    /// The current one, and the count of what waits.
    Here,
}

/// The views with their keys, and which one is on screen; Approvals with the count of what waits.
fn tabs(model: &Model, room: Room) -> Vec<(String, bool)> {
    [
        (Action::Dashboard, "Dashboard", View::Dashboard),
        (Action::Jobs, "Jobs", View::Jobs),
        (Action::Workers, "Workers", View::Workers),
        (Action::Approvals, "Approvals", View::Approvals),
        (Action::Memory, "Memory", View::Memory),
        (Action::Logs, "Logs", View::Logs),
        (Action::Cron, "Cron", View::Cron),
        (Action::Costs, "Costs", View::Costs),
        (Action::Skills, "Skills", View::Skills),
        (Action::Health, "Health", View::Health),
        (Action::Projects, "Projects", View::Projects),
    ]
    .into_iter()
    .filter_map(|(action, name, view)| {
        let badge = match (view, approvals::waiting(&model.snapshot)) {
            (View::Approvals, n) if n > 0 => format!("({n})"),
            _ => String::new(),
        };
        let key = model.options.keymap.key(action);
        let current = model.view == view;
        let label = match room {
            // It has no digit: where room is short the bottom line names its key.
            Room::Tight | Room::Keys | Room::Here if view == View::Projects && !current => return None,
            Room::Wide => format!(" {key} {name}{badge} "),
            Room::Tight => format!(" {key} {name}{badge}"),
            _ if current => format!(" {key} {name}{badge} "),
            Room::Keys => format!(" {key}{badge}"),
            Room::Here if !badge.is_empty() => format!(" {key}{badge}"),
            Room::Here => return None,
        };
        Some((label, current))
    })
    .collect()
}

/// Today's figures, and what needs the operator. `unread` is told here where the first line has no room for it.
fn second(model: &Model, mut pen: Pen<'_>, unread: Option<String>) {
    let t = model.theme();
    let s = &model.snapshot;
    let wide = pen.left() >= 140;
    pen.gap(1);
    // what needs the operator has the room first
    if s.demo && pen.left() > if s.attention.is_empty() { 100 } else { 150 } {
        pen.put("throw-away workspace with recorded agents", t.warn).put("  ", t.dim);
    } else if wide || (pen.left() >= 110 && s.attention.is_empty()) {
        let path = tail(&s.workspace, 40);
        pen.put(&path, t.dim).put("  ", t.dim);
    }
    let today = &s.today;
    pen.put("today ", t.dim).put(&text::thousands(today.created), t.title);
    pen.put(if today.created == 1 { " job" } else { " jobs" }, t.dim);
    if pen.left() > 70 || s.attention.is_empty() {
        pen.put(" · ", t.dim).put(&text::thousands(today.done), t.ok).put(" done", t.dim);
    }
    if today.failed > 0 {
        pen.put(" · ", t.dim).put(&text::thousands(today.failed), t.fail).put(" failed", t.dim);
    }
    if wide {
        pen.put(" · ", t.dim).put(&text::count(today.tokens), t.text).put(" tokens", t.dim);
    }
    pen.put(" · ", t.dim).put(&text::money(today.cost_usd), t.title);
    if let Some(says) = unread {
        pen.gap(1).put(&says, t.badge);
    }
    let needs = s.attention.len();
    let Some(first) = s.attention.first() else {
        if s.engine.mode != EngineMode::Starting && pen.left() > 24 {
            pen.skip_to_right(22).right_cell("✓ nothing needs you ", 22, t.dim);
        }
        return;
    };
    let (mark, style) = match dashboard::worst(s) {
        Some(Severity::Fail) => ("✗", t.badge_fail),
        Some(Severity::Warn) => ("▲", t.badge_warn),
        _ => ("·", t.badge),
    };
    // what it is comes before how many there are, and both before what helps
    let says = text::local_times(&text::clean_line(&first.says), model.now, model.utc_offset).into_owned();
    let remedy = if first.remedy.is_empty() { String::new() } else { format!(" → {}", text::clean_line(&first.remedy)) };
    let long = if needs == 1 { format!(" {mark} 1 needs you ") } else { format!(" {mark} {needs} need you ") };
    let short = format!(" {mark} {needs} ");
    let room = usize::from(pen.left().saturating_sub(2));
    let width = |badge: &str, remedy: &str| text::width(badge) + text::width(&says) + text::width(remedy) + 2;
    let (badge, remedy) = [(&long, remedy.as_str()), (&short, remedy.as_str()), (&long, ""), (&short, "")]
        .into_iter()
        .find(|(badge, remedy)| width(badge, remedy) <= room)
        .unwrap_or((&short, ""));
    pen.gap(2).skip_to_right(width(badge, remedy) as u16).put(badge, style).gap(1);
    let room = pen.left().saturating_sub(1);
    pen.cell(&format!("{says}{remedy}"), room, t.text);
}

/// The end of a path, cut at the front.
fn tail(path: &str, room: usize) -> String {
    let clean = text::clean_line(path);
    if text::width(&clean) <= room {
        return clean.into_owned();
    }
    let chars: Vec<char> = clean.chars().collect();
    let kept: String = chars[chars.len().saturating_sub(room - 1)..].iter().collect();
    let kept = kept.find('/').map_or(kept.as_str(), |i| &kept[i..]).to_owned();
    format!("…{kept}")
}

fn log(model: &Model, area: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let inner = pane(area, buf, &dashboard::log_frame(model, &model.logs, "Log", true), t);
    if model.logs.len() == 0 {
        let lines: [&str; 2] = if model.logs.filter.is_empty() {
            ["Nothing has happened yet.", "Each event of each job appears here as it happens."]
        } else {
            ["No line matches the filter.", "esc clears it."]
        };
        return empty(inner, buf, &lines, t);
    }
    model.logs.draw(&model.book, inner, buf, &logs::LogLook { theme: t, utc_offset: model.utc_offset, focused: true });
}

/// A message for the operator, over the lower edge of the body.
fn toast(model: &Model, area: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let Some(toast) = &model.toast else { return };
    let (mark, style) = match toast.severity {
        Severity::Info => ("✓", t.badge),
        Severity::Warn => ("▲", t.badge_warn),
        Severity::Fail => ("✗", t.badge_fail),
    };
    let room = usize::from(area.width.saturating_sub(8)).clamp(8, 100);
    let words = text::clean_line(&toast.text).into_owned();
    let mut lines = text::wrap(words.into(), room, 0);
    lines.truncate(4);
    let width = lines.iter().map(ratatui::text::Line::width).max().unwrap_or(0) as u16 + 4;
    let height = lines.len() as u16;
    let spot =
        Rect { x: area.right().saturating_sub(width + 2), y: area.bottom().saturating_sub(height), width, height }.intersection(area);
    clear(spot, buf, style);
    for (i, line) in lines.iter().enumerate() {
        Pen::new(buf, spot, i as u16)
            .put(if i == 0 { " " } else { "   " }, style)
            .put(if i == 0 { mark } else { "" }, style)
            .put(if i == 0 { " " } else { "" }, style)
            .put(&line.to_string(), style);
    }
}
