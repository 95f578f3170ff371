//! The fleet at a glance.

mod budget;
mod lanes;
mod layout;
mod recall;

pub use budget::{BackendKey, strip};
pub use lanes::LaneItem;
pub use layout::{Areas, areas};
pub use recall::{Recall, about};

use super::logs::{LogLook, LogView};
use super::worker_table::{self, Columns};
use crate::domain::WorkerId;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::widgets::{Cursor, Frame, Pen, empty, pane, position};
use crate::wire::{Severity, Snapshot};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The panes that can have the focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Pane {
    #[default]
    Lanes,
    Workers,
    Budget,
    Log,
    Recall,
}

/// Where the operator is on the dashboard.
#[derive(Default)]
pub struct Dashboard {
    pub pane: Pane,
    pub lanes: Cursor<LaneItem>,
    pub lane_items: Vec<LaneItem>,
    pub workers: Cursor<WorkerId>,
    pub worker_ids: Vec<WorkerId>,
    pub backends: Cursor<BackendKey>,
    pub log: LogView,
    pub recall: Recall,
}

impl Dashboard {
    /// Brings rows and places up to date with the snapshot and the room there is. (The log is synced by its owner.)
    pub fn sync(&mut self, snapshot: &Snapshot, areas: &Areas) {
        if !areas.panes().contains(&self.pane) {
            self.pane = Pane::Lanes;
        }
        let lanes = inside(areas.lanes);
        self.lane_items = lanes::items(snapshot, lanes);
        self.lanes.sync(&self.lane_items, lanes);
        self.worker_ids = worker_table::order(snapshot.workers.iter());
        if self.pane != Pane::Workers {
            // nobody has chosen a row: what matters is at the top
            self.workers = Cursor::default();
        }
        self.workers.sync(&self.worker_ids, inside(areas.workers).saturating_sub(1));
        let backends: Vec<BackendKey> = snapshot.backends.iter().map(|b| b.name.clone()).collect();
        self.recall.place(areas.recall.map_or(1, inside));
        self.backends.sync(&backends, areas.budget.map_or(1, |b| budget::backend_rows(snapshot, b)));
    }

    /// Moves within the focused pane or between panes, if the action is a movement.
    pub fn moved(&mut self, action: Action, snapshot: &Snapshot, areas: &Areas) -> bool {
        let panes = areas.panes();
        let at = panes.iter().position(|p| *p == self.pane).unwrap_or(0);
        match action {
            Action::NextPane | Action::Right => self.pane = panes[(at + 1) % panes.len()],
            Action::PreviousPane | Action::Left => self.pane = panes[(at + panes.len() - 1) % panes.len()],
            _ => {
                return match self.pane {
                    Pane::Lanes => movement(&mut self.lanes, &self.lane_items, action),
                    Pane::Workers => movement(&mut self.workers, &self.worker_ids, action),
                    Pane::Budget => {
                        let keys: Vec<BackendKey> = snapshot.backends.iter().map(|b| b.name.clone()).collect();
                        movement(&mut self.backends, &keys, action)
                    }
                    Pane::Log => self.log.moved(action),
                    Pane::Recall => self.recall.moved(action),
                };
            }
        }
        true
    }
}

/// Rows inside of a frame.
pub fn inside(area: Rect) -> usize {
    usize::from(area.height.saturating_sub(2))
}

/// The usual movements over a list.
pub fn movement<K: PartialEq + Clone>(cursor: &mut Cursor<K>, keys: &[K], action: Action) -> bool {
    let page = cursor.height.saturating_sub(1).max(1) as isize;
    match action {
        Action::Up => cursor.step(-1, keys),
        Action::Down => cursor.step(1, keys),
        Action::PageUp => cursor.step(-page, keys),
        Action::PageDown => cursor.step(page, keys),
        Action::Top => cursor.go(0, keys),
        Action::Bottom => cursor.end(keys),
        _ => return false,
    }
    true
}

/// Draws the dashboard.
pub fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let areas = areas(area, &model.snapshot);
    lanes::draw(model, areas.lanes, buf);
    if let Some(a) = areas.strip {
        strip(model, a, buf);
    }
    if let Some(a) = areas.budget {
        budget::draw(model, a, buf);
    }
    if let Some(a) = areas.needs {
        needs(model, a, buf);
    }
    workers(model, areas.workers, buf);
    if let Some(a) = areas.log {
        log(model, a, buf);
    }
    if let Some(a) = areas.recall {
        recall::draw(model, a, buf);
    }
}

fn workers(model: &Model, area: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let s = &model.snapshot;
    let d = &model.dash;
    let working = s.workers.iter().filter(|w| w.live.is_some()).count();
    let hanging = s.workers.iter().filter(|w| w.live.as_ref().is_some_and(|l| l.hang.is_some())).count();
    let mut facts = Vec::new();
    if hanging > 0 {
        facts.push((format!("▲ {hanging} hanging"), t.warn));
    }
    facts.push((format!("{working} working"), t.text));
    facts.push((format!("{} in all", s.workers.len()), t.dim));
    let focused = model.focus(Pane::Workers);
    let foot = position(&d.workers.visible(), s.workers.len(), false);
    let inner = pane(area, buf, &Frame { title: "Workers", facts, foot, focused }, t);
    if s.workers.is_empty() {
        empty(inner, buf, &["No workers now: each job makes one, or takes an idle one.", "`orc worker add` makes one that stays."], t);
        return;
    }
    let columns = Columns::of(inner.width);
    columns.titles(Pen::new(buf, inner, 0), t.dim);
    let body = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    for (row, index) in d.workers.visible().enumerate() {
        if let Some(w) = d.worker_ids.get(index).and_then(|id| s.workers.iter().find(|w| w.id == *id)) {
            columns.row(w, body, row as u16, buf, &model.look(focused && index == d.workers.index));
        }
    }
}

fn needs(model: &Model, area: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let s = &model.snapshot;
    let inner = pane(area, buf, &Frame { title: "Needs you", ..Frame::default() }, t);
    if s.attention.is_empty() {
        empty(inner, buf, &["✓ Nothing waits for you."], t);
        return;
    }
    let mut row = 0;
    for (i, a) in s.attention.iter().enumerate() {
        if row >= inner.height {
            break;
        }
        let left = s.attention.len() - i;
        if row + 1 == inner.height && left > 1 {
            Pen::new(buf, inner, row).gap(1).put(&format!("… and {left} more"), t.dim);
            break;
        }
        let (mark, style) = super::logs::severity(a.severity, t);
        let says = text::local_times(&a.says, model.now, model.utc_offset);
        let room = usize::from(inner.width.saturating_sub(4)).max(8);
        let both = usize::from(inner.height) >= s.attention.len() * 3;
        // the first line says the most; more of it shows where there is room
        for (i, line) in text::wrap(text::clean_line(&says).into_owned().into(), room, 0).iter().take(if both { 2 } else { 1 }).enumerate()
        {
            let mut pen = Pen::new(buf, inner, row);
            if i == 0 {
                pen.gap(1).put(mark, style).gap(1);
            } else {
                pen.gap(3);
            }
            pen.put(if both { line.to_string() } else { says.to_string() }.as_str(), t.text);
            row += 1;
        }
        if !a.remedy.is_empty()
            && row < inner.height
            && usize::from(inner.height) >= s.attention.len() * 2
            && text::width(&a.remedy) <= room - 2
        {
            Pen::new(buf, inner, row).gap(3).put("→ ", t.accent).put(&a.remedy, t.dim);
            row += 1;
        }
    }
}

fn log(model: &Model, area: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let view = &model.dash.log;
    let focused = model.focus(Pane::Log);
    let inner = pane(area, buf, &log_frame(model, view, "Log", focused), t);
    if view.len() == 0 {
        let lines: [&str; 2] = if view.filter.is_empty() {
            ["Nothing has happened yet.", "Each event of each job appears here as it happens."]
        } else {
            ["No line matches the filter.", "esc clears it."]
        };
        empty(inner, buf, &lines, t);
        return;
    }
    view.draw(&model.book, inner, buf, &LogLook { theme: t, utc_offset: model.utc_offset, focused });
}

/// The frame of a log pane: filter, whether it follows, what came meanwhile.
pub fn log_frame<'a>(model: &Model, view: &LogView, title: &'a str, focused: bool) -> Frame<'a> {
    let t = model.theme();
    let mut facts = Vec::new();
    if view.follow {
        facts.push(("following".to_owned(), t.dim));
    } else {
        let newer = view.newer(&model.book);
        let key = model.options.keymap.key(Action::Follow);
        let came = if newer > 0 {
            format!("frozen, {} newer ({key} follows)", text::thousands(newer as u64))
        } else {
            format!("frozen ({key} follows)")
        };
        facts.push((came, t.warn));
    }
    if !view.filter.is_empty() {
        facts.push((format!("/{}", view.filter), t.accent));
    }
    let foot = if view.follow { String::new() } else { position(&view.cursor.visible(), view.len(), view.more()) };
    Frame { title, facts, foot, focused }
}

/// The worst of what needs the operator.
pub fn worst(snapshot: &Snapshot) -> Option<Severity> {
    snapshot.attention.iter().map(|a| a.severity).max()
}
