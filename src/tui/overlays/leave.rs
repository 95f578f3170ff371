//! Leaving the console that hosts the engine while there is work.

use super::{Outcome, Run, clear};
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::msg::Effect;
use crate::tui::text;
use crate::tui::widgets::{Frame, Pen, center, pane};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The dialog.
#[derive(Clone, Copy, Debug)]
pub struct Leave;

impl Leave {
    /// Enter hands over, `e` ends the engine, Esc stays.
    pub fn key(&self, key: KeyEvent, action: Option<Action>) -> Outcome {
        match (key.code, action) {
            (KeyCode::Enter, _) => Outcome::Run(Run::Effect(Effect::HandOverAndQuit)),
            (KeyCode::Char('e'), _) if key.modifiers.is_empty() => Outcome::Run(Run::Effect(Effect::EndEngineAndQuit)),
            (KeyCode::Esc, _) | (_, Some(Action::Back)) => Outcome::Close,
            _ => Outcome::Stay,
        }
    }

    /// Draws the dialog.
    pub fn draw(&self, model: &Model, area: Rect, buf: &mut Buffer) {
        let t = model.theme();
        let s = &model.snapshot;
        let queued: u32 = s.lanes.iter().map(|l| l.queued).sum();
        let head = format!("This console hosts the engine: {} running, {queued} queued.", text::plural(u64::from(s.slots.running), "job"));
        let rows = [
            ("enter", "leave; a headless engine takes over", "everything goes on; `orc tui` comes back to it"),
            ("e", "end the engine and leave", "running jobs go on, nothing new starts"),
            ("esc", "stay", ""),
        ];
        let outer = center(area, 62, 11);
        clear(outer, buf, t.field);
        let inner = pane(outer, buf, &Frame { title: "Leave", focused: true, ..Frame::default() }, t);
        Pen::new(buf, inner, 0).gap(1).put(&head, t.text);
        let mut at = 2;
        for (key, what, then) in rows {
            Pen::new(buf, inner, at).gap(2).cell(key, 7, t.accent).put(what, t.text);
            Pen::new(buf, inner, at + 1).gap(9).put(then, t.dim);
            at += if inner.height >= 9 { 3 } else { 2 };
        }
    }
}
