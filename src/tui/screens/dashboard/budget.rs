//! What the fleet may use: tokens, slots, the host, and which backends take work.

use super::Pane;
use crate::tui::model::Model;
use crate::tui::screens::look;
use crate::tui::text;
use crate::tui::widgets::{Frame, Pen, gauge, pane, position, sparkline};
use crate::wire::{BackendRow, Snapshot};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A backend by name.
pub type BackendKey = String;

/// Rows of the pane that are not backends.
fn around(snapshot: &Snapshot) -> u16 {
    // frame 2, figures, gauge, spark, slots, host, rule above the backends
    8 + u16::from(trouble(snapshot).is_some())
}

/// Backends that fit in a pane of this area.
pub fn backend_rows(snapshot: &Snapshot, area: Rect) -> usize {
    usize::from(area.height.saturating_sub(around(snapshot))).max(1)
}

/// Why nothing starts, if something holds it.
fn trouble(snapshot: &Snapshot) -> Option<String> {
    if let Some(why) = &snapshot.host.held {
        return Some(format!("new starts held: {why}"));
    }
    snapshot.engine.backpressure.as_ref().map(|why| format!("backpressure: {why}"))
}

/// Shares of the budget: used, reserved.
fn shares(snapshot: &Snapshot) -> (f64, f64) {
    let b = &snapshot.budget;
    if b.budget == 0 {
        return (0.0, 0.0);
    }
    (b.used as f64 / b.budget as f64, b.reserved as f64 / b.budget as f64)
}

/// Draws the pane.
pub fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let s = &model.snapshot;
    let b = &s.budget;
    let (used, reserved) = shares(s);
    let percent = ((used + reserved) * 100.0).round() as u64;
    let percent_style = match used + reserved {
        x if x >= 1.0 => t.fail,
        x if b.high > 0.0 && x >= b.high => t.warn,
        _ => t.text,
    };
    let focused = model.focus(Pane::Budget);
    let mut facts = Vec::new();
    if b.budget > 0 {
        facts.push((format!("{percent} %"), percent_style));
        facts.push((format!("{} window", text::duration(b.window_ms).trim_end_matches("00s")), t.dim));
    }
    let foot = position(&model.dash.backends.visible(), s.backends.len(), false);
    let inner = pane(area, buf, &Frame { title: "Token budget", facts, foot, focused }, t);
    let width = inner.width.saturating_sub(2);
    let inset = Rect { x: inner.x + 1, width, ..inner };
    let mut row = 0;
    let mut pen = Pen::new(buf, inset, row);
    if b.budget == 0 {
        pen.put("waiting for the engine's figures", t.dim);
    } else {
        pen.put(&text::count(b.used), t.title).put(" used", t.dim);
        pen.put(" + ", t.dim).put(&text::count(b.reserved), t.title).put(" reserved of ", t.dim).put(&text::count(b.budget), t.title);
        let mark = format!("│ {:.0} %", b.high * 100.0);
        if b.high > 0.0 && pen.left() > text::width(&mark) as u16 {
            pen.skip_to_right(text::width(&mark) as u16).put(&mark, t.dim);
        }
    }
    row += 1;
    gauge(&mut Pen::new(buf, inset, row), width, used, reserved, (b.high > 0.0).then_some(b.high), t);
    row += 1;
    if let Some(why) = trouble(s) {
        Pen::new(buf, inset, row).put("▲ ", t.warn).put(&why, t.warn);
        row += 1;
    }
    let mut pen = Pen::new(buf, inset, row);
    pen.cell("30 min", 8, t.dim);
    let rate = b.history.last().copied().unwrap_or(0);
    let rate = format!(" {}/min", text::count(rate));
    let room = pen.left().saturating_sub(rate.len() as u16 + 1).min(b.history.len().max(30) as u16);
    sparkline(&mut pen, room, &b.history, t);
    pen.put(&rate, t.text);
    row += 1;
    slots(model, Pen::new(buf, inset, row));
    row += 1;
    host(model, Pen::new(buf, inset, row));
    row += 1;
    if row < inset.height {
        Pen::new(buf, inset, row).put(&"─".repeat(usize::from(width)), t.border);
        row += 1;
    }
    for (i, index) in model.dash.backends.visible().enumerate() {
        let Some(backend) = s.backends.get(index) else { continue };
        let at = row + i as u16;
        if at >= inner.height {
            break;
        }
        let current = focused && index == model.dash.backends.index;
        let mut pen = Pen::new(buf, inner, at);
        pen.put(if current { "▌" } else { " " }, t.accent);
        backend_line(model, backend, &mut pen);
        if current {
            buf.set_style(Rect { y: inner.y + at, height: 1, ..inner }.intersection(buf.area), t.selected);
        }
    }
}

fn slots(model: &Model, mut pen: Pen<'_>) {
    let t = model.theme();
    let s = &model.snapshot.slots;
    let all = s.max_running + s.reserved;
    pen.cell("slots", 8, t.dim);
    let says = format!(" {} of {}", s.running, s.max_running);
    let kept = if s.reserved > 0 { format!(" + {} kept for P0", s.reserved) } else { String::new() };
    let room = pen.left().saturating_sub((text::width(&says) + text::width(&kept)) as u16);
    if all > 0 && u32::from(room) > all {
        for i in 0..all {
            let (full, empty) = if i < s.max_running { ("■", "□") } else { ("◆", "◇") };
            if i < s.running {
                pen.put(full, t.accent)
            } else {
                pen.put(empty, t.gauge_empty)
            };
        }
    }
    pen.put(&says, t.text).put(&kept, t.dim);
}

fn host(model: &Model, mut pen: Pen<'_>) {
    let t = model.theme();
    let h = &model.snapshot.host;
    pen.cell("host", 8, t.dim);
    if h.memory_available == 0 && h.disk_available == 0 {
        pen.put("–", t.dim);
        return;
    }
    for (i, (name, have, low)) in
        [("memory", h.memory_available, h.memory_low_water), ("disk", h.disk_available, h.disk_low_water)].into_iter().enumerate()
    {
        if i > 0 {
            pen.put(" · ", t.dim);
        }
        let short = have < low;
        pen.put(name, t.dim).put(" ", t.dim).put(&text::bytes(have), if short { t.fail } else { t.text });
        pen.put(if short { " ▲ low" } else { "" }, t.fail);
    }
    if pen.left() > 6 {
        pen.put(" free", t.dim);
    }
}

/// `claude  4 running`, or why it takes no work and until when.
fn backend_line(model: &Model, backend: &BackendRow, pen: &mut Pen<'_>) {
    let t = model.theme();
    let Some(pause) = &backend.pause else {
        pen.put("● ", t.ok).cell(&backend.name, 10, t.text);
        let of = if backend.max_running > 0 {
            format!("{} of {} running", backend.running, backend.max_running)
        } else {
            format!("{} running", backend.running)
        };
        pen.put(&of, if backend.running > 0 { t.text } else { t.dim });
        return;
    };
    pen.put("‖ ", t.warn).cell(&backend.name, 10, t.text);
    let word = look::limit(pause.limit.kind);
    let long = pause_end(model, backend, false);
    if usize::from(pen.left()) >= text::width(word) + 2 + text::width(&long) {
        pen.put(word, t.warn).put(", ", t.dim).put(&long, t.text);
    } else {
        pen.put(look::limit_short(pause.limit.kind), t.warn).put(", ", t.dim).put(&pause_end(model, backend, true), t.text);
    }
}

/// When a paused backend comes back, as honestly as it is known.
fn pause_end(model: &Model, backend: &BackendRow, short: bool) -> String {
    let Some(pause) = &backend.pause else { return String::new() };
    match pause.until {
        None if short => "you resume it".to_owned(),
        None => "until you resume it".to_owned(),
        Some(until) => {
            let left = text::duration(until.since(model.now).as_millis() as u64);
            let at = text::moment(until, model.now, model.utc_offset);
            match (pause.guessed, short) {
                (true, false) => format!("reset unknown, next try in {left}"),
                (true, true) => format!("reset unknown, try {left}"),
                (false, false) => format!("back in {left}, at {at}"),
                (false, true) => format!("back {at}, in {left}"),
            }
        }
    }
}

/// The pane as one line.
pub fn strip(model: &Model, area: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let s = &model.snapshot;
    let b = &s.budget;
    let (used, reserved) = shares(s);
    let mut pen = Pen::new(buf, area, 0);
    pen.gap(1).put("tokens ", t.dim);
    let bar = (area.width / 4).clamp(8, 24);
    gauge(&mut pen, bar, used, reserved, (b.high > 0.0).then_some(b.high), t);
    let over = b.high > 0.0 && used + reserved >= b.high;
    pen.put(&format!(" {:.0} %", (used + reserved) * 100.0), if over { t.warn } else { t.text });
    pen.put(&format!(" of {}", text::count(b.budget)), t.dim);
    let slots = format!("  slots {}/{}", s.slots.running, s.slots.max_running);
    if pen.left() > slots.len() as u16 {
        pen.put(&slots, t.text);
    }
    if let Some(why) = trouble(s) {
        pen.put("  ▲ ", t.warn).put(&why, t.warn);
        return;
    }
    let paused: Vec<&BackendRow> = s.backends.iter().filter(|b| b.pause.is_some()).collect();
    if let Some(first) = paused.first() {
        let left =
            first.pause.as_ref().and_then(|p| p.until).map(|u| format!(" {}", text::duration(u.since(model.now).as_millis() as u64)));
        let more = if paused.len() > 1 { format!(" and {} more", paused.len() - 1) } else { String::new() };
        pen.put(&format!("  ‖ {}{}{more}", first.name, left.unwrap_or_default()), t.warn);
    }
}
