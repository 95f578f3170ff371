//! The whole screen from the model: pure.

use super::keymap::Action;
use super::model::{Model, View};
use super::overlays::{Overlay, clear};
use super::screens::dashboard::{self, Pane};
use super::screens::job::Tab;
use super::screens::{job, jobs, logs, workers};
use super::text;
use super::update::focused_worker;
use super::widgets::{Pen, empty, fold, pane};
use crate::domain::WorkerStatus;
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
        (None, View::Logs) => log(model, room, buf),
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
    let tabs: Vec<(String, bool)> = [
        (Action::Dashboard, "Dashboard", View::Dashboard),
        (Action::Jobs, "Jobs", View::Jobs),
        (Action::Workers, "Workers", View::Workers),
        (Action::Logs, "Logs", View::Logs),
    ]
    .into_iter()
    .map(|(action, name, view)| (format!(" {} {name} ", model.options.keymap.key(action)), model.view == view))
    .collect();
    let width: u16 = tabs.iter().map(|(l, _)| text::width(l) as u16).sum::<u16>() + 7;
    if pen.left() > width {
        pen.skip_to_right(width);
        for (label, current) in &tabs {
            pen.put(label, if *current { t.badge } else { t.dim });
        }
    } else if let Some((label, _)) = tabs.iter().find(|(_, current)| *current) {
        let width = text::width(label) as u16 + 7;
        if pen.left() > width {
            pen.skip_to_right(width).put(label, t.badge);
        }
    }
    if pen.left() > 5 {
        pen.skip_to_right(6).put(&clock, t.title);
    }
    if head(area.height) == 2 {
        second(model, Pen::new(buf, area, 1));
    }
}

/// Today's figures, and what needs the operator.
fn second(model: &Model, mut pen: Pen<'_>) {
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

/// The keys that matter on the screen as it is, most useful first, with words that say what they do here.
pub(super) fn here(model: &Model) -> Vec<(Action, &'static str)> {
    use Action::*;
    if let Some(open) = model.job() {
        let over = open.detail.as_ref().is_some_and(|d| d.job.state.is_final());
        let mut keys = match open.tab {
            Tab::Transcript => {
                vec![(Open, "unfold"), (Follow, if open.transcript.follow { "freeze" } else { "follow" }), (FoldAll, "unfold all")]
            }
            Tab::Overview => vec![(Open, "open")],
            _ => Vec::new(),
        };
        keys.push((NextPane, "next part"));
        if over {
            keys.push((Retry, "retry"));
        } else {
            keys.extend([(Kill, "kill"), (Raise, "raise"), (Lower, "lower")]);
        }
        keys.extend([(Copy, "copy"), (Back, "back")]);
        return keys;
    }
    match model.view {
        View::Dashboard => {
            let mut keys = match model.dash.pane {
                Pane::Lanes => {
                    vec![(Open, "open"), (Dispatch, "dispatch"), (Pause, "pause lane"), (Kill, "kill"), (Raise, "raise"), (Lower, "lower")]
                }
                Pane::Workers => worker_keys(model, "open"),
                Pane::Budget => vec![(Dispatch, "dispatch"), (Pause, "pause backend")],
                Pane::Log => vec![
                    (Open, "open job"),
                    (Follow, if model.dash.log.follow { "freeze" } else { "follow" }),
                    (Filter, "filter"),
                    (Copy, "copy"),
                    (Dispatch, "dispatch"),
                ],
            };
            keys.extend([(NextPane, "next pane"), (PauseEngine, "pause all"), (Undo, "undo")]);
            keys
        }
        View::Jobs => vec![
            (Open, "open"),
            (Dispatch, "dispatch"),
            (Kill, "kill"),
            (Filter, "filter"),
            (Mark, "mark"),
            (Retry, "retry"),
            (Right, "next tab"),
            (Raise, "raise"),
            (Lower, "lower"),
            (Undo, "undo"),
            (Copy, "copy id"),
        ],
        View::Workers if model.workers.reading => vec![(Open, "open job"), (NextPane, "list"), (Pause, "pause worker"), (Back, "list")],
        View::Workers => {
            let mut keys = worker_keys(model, "detail");
            keys.extend([(NextPane, "detail"), (Filter, "filter"), (Copy, "copy name")]);
            keys
        }
        View::Logs => vec![
            (Open, "open job"),
            (Follow, if model.logs.follow { "freeze" } else { "follow" }),
            (Filter, "filter"),
            (Top, "older"),
            (Bottom, "newest"),
            (Copy, "copy line"),
        ],
    }
}

/// What can be done with the worker that has the focus.
fn worker_keys(model: &Model, idle: &'static str) -> Vec<(Action, &'static str)> {
    use Action::*;
    let Some(w) = focused_worker(model) else { return vec![(Dispatch, "dispatch")] };
    let hold = if w.status == WorkerStatus::Paused { "resume worker" } else { "pause worker" };
    match (&w.live, &w.session) {
        (Some(_), _) => vec![(Open, "open job"), (Pause, hold), (Kill, "kill job"), (Dispatch, "dispatch")],
        (None, Some(_)) => vec![(Open, idle), (Pause, hold), (Step, "step into its session"), (Dispatch, "dispatch")],
        (None, None) => vec![(Open, idle), (Pause, hold), (Dispatch, "dispatch")],
    }
}

/// The bottom line: the keys that matter, or the field that is being typed into.
fn key_line(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let t = model.theme();
    let keys = &model.options.keymap;
    let mut pen = Pen::new(buf, area, 0);
    pen.gap(1);
    let fixed: &[(&str, &str)] = match model.overlays.last() {
        Some(Overlay::Filter { input, .. }) => {
            pen.put("/", t.accent);
            let hint = "enter keeps · esc undoes · ↑↓ move ";
            let wide = area.width >= 70;
            let room = pen.left().saturating_sub(if wide { text::width(hint) as u16 + 2 } else { 1 });
            let x = input.draw(&mut pen, room, t.text);
            if wide {
                pen.skip_to_right(text::width(hint) as u16).put(hint, t.dim);
            }
            return Some(Position { x, y: area.y });
        }
        Some(Overlay::Help(_)) => &[("↑↓", "scroll"), ("esc", "close")],
        Some(Overlay::Palette(_)) => &[("enter", "run"), ("tab", "complete"), ("↑↓", "choose"), ("esc", "close")],
        Some(Overlay::Confirm(_)) => &[("enter", "yes"), ("esc", "no")],
        Some(Overlay::Form(_)) => {
            &[("ctrl-s", "dispatch"), ("tab", "next field"), ("↑↓", "choose"), ("ctrl-o", "editor"), ("esc", "close, keep the draft")]
        }
        Some(Overlay::Leave(_)) => &[("enter", "hand over"), ("e", "end the engine"), ("esc", "stay")],
        None => &[],
    };
    let mut hint = |key: &str, label: &str, reserve: u16| {
        let width = (text::width(key) + text::width(label)) as u16 + 1;
        if key.is_empty() || pen.left() < width + reserve {
            return;
        }
        pen.put(key, t.accent).put(" ", t.dim).put(label, t.dim).gap(2);
    };
    for (key, label) in fixed {
        hint(key, label, 0);
    }
    if fixed.is_empty() {
        let last = [(Action::Palette, "commands"), (Action::Help, "help"), (Action::Quit, "leave")];
        let width = |a: Action, label: &str| (text::width(&keys.key(a)) + text::width(label)) as u16 + 3;
        let reserve: u16 = last.iter().map(|(a, l)| width(*a, l)).sum();
        for (action, label) in here(model) {
            hint(&keys.key(action), label, reserve);
        }
        for (action, label) in last {
            hint(&keys.key(action), label, 0);
        }
    }
    None
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
