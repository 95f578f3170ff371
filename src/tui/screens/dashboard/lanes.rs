//! The three lanes: what runs, what comes next.

use super::Pane;
use crate::domain::{JobId, Lane};
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::screens::jobs;
use crate::tui::text;
use crate::tui::widgets::{Frame, Pen, empty, pane};
use crate::wire::{EngineMode, LaneView, Snapshot};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A row of the pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneItem {
    Lane(Lane),
    Job(JobId),
}

/// The rows: each lane's head, and as many of its next jobs as there is room for, shared out in claim order.
pub fn items(snapshot: &Snapshot, height: usize) -> Vec<LaneItem> {
    let mut room = height.saturating_sub(snapshot.lanes.len());
    let mut shares = vec![0; snapshot.lanes.len()];
    // one job in turn for each lane, so that no lane is out of sight because another is long
    loop {
        let before = room;
        for (share, lane) in shares.iter_mut().zip(&snapshot.lanes) {
            if room > 0 && *share < lane.next.len() {
                *share += 1;
                room -= 1;
            }
        }
        if room == before || room == 0 {
            break;
        }
    }
    let mut items = Vec::new();
    for (share, lane) in shares.iter().zip(&snapshot.lanes) {
        items.push(LaneItem::Lane(lane.lane));
        items.extend(lane.next.iter().take(*share).map(|j| LaneItem::Job(j.id)));
    }
    items
}

/// Draws the pane.
pub fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let s = &model.snapshot;
    let d = &model.dash;
    let sum = |f: fn(&LaneView) -> u32| s.lanes.iter().map(f).sum::<u32>();
    let (running, queued, waiting) = (sum(|l| l.running), sum(|l| l.queued), sum(|l| l.waiting));
    let mut facts = vec![(format!("{running} running"), t.accent), (format!("{queued} queued"), t.text)];
    if waiting > 0 {
        facts.push((format!("{waiting} waiting"), t.dim));
    }
    let focused = model.focus(Pane::Lanes);
    let inner = pane(area, buf, &Frame { title: "Lanes", facts, foot: String::new(), focused }, t);
    for (row, index) in d.lanes.visible().enumerate() {
        let row = row as u16;
        let current = focused && index == d.lanes.index;
        match d.lane_items.get(index) {
            Some(LaneItem::Lane(lane)) => {
                if let Some(view) = s.lanes.iter().find(|l| l.lane == *lane) {
                    head(model, view, Pen::new(buf, inner, row), current);
                }
            }
            Some(LaneItem::Job(id)) => {
                if let Some(job) = s.lanes.iter().flat_map(|l| &l.next).find(|j| j.id == *id) {
                    let look = model.look(current);
                    jobs::draw_row(job, Pen::new(buf, inner, row), &look);
                }
            }
            None => {}
        }
        if current {
            buf.set_style(Rect { y: inner.y + row, height: 1, ..inner }.intersection(buf.area), t.selected);
        }
    }
    let used = d.lanes.visible().len() as u16;
    if queued == 0 && inner.height > used + 2 {
        let rest = Rect { y: inner.y + used, height: inner.height - used, ..inner };
        let keys = &model.options.keymap;
        let new = format!("{} dispatches a job; so does `orc job add` in a shell.", keys.key(Action::Dispatch));
        let waits =
            format!("{} waiting for a date, another job or you: {} lists them.", text::thousands(waiting.into()), keys.key(Action::Jobs));
        let lines: [&str; 2] = match (s.engine.mode, running, waiting) {
            (EngineMode::Starting, ..) => ["The engine is starting …", ""],
            (_, 0, 0) => ["No work.", &new],
            (_, _, 0) => ["Nothing is queued.", &new],
            _ => ["Nothing is queued.", &waits],
        };
        empty(rest, buf, &lines, t);
    }
}

fn head(model: &Model, lane: &LaneView, mut pen: Pen<'_>, current: bool) {
    let t = model.theme();
    pen.put(if current { "▌" } else { " " }, t.accent);
    let range = match lane.lane {
        Lane::Urgent => "P0–P1",
        Lane::Normal => "P2",
        Lane::Background => "P3–P5",
    };
    pen.cell(&format!("{} {}", lane.lane.number(), lane.lane.name()), 13, t.title).cell(range, 7, t.dim);
    let running = if lane.running > 0 { t.accent } else { t.dim };
    pen.put(&format!("▶ {:<4}", lane.running), running);
    pen.put(&format!("○ {:<5}", lane.queued), if lane.queued > 0 { t.text } else { t.dim });
    if lane.waiting > 0 && pen.left() > 16 {
        pen.put(&format!("◌ {:<5}", lane.waiting), t.dim);
    }
    if lane.paused {
        pen.put(" ‖ paused ", t.badge_warn);
    }
}
