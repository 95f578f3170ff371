//! A question, opened: 1 to 9 answer it, and the next one opens.

use super::{Outcome, Run, clear};
use crate::domain::{Command, Decision};
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::widgets::{Frame, Pen, center, pane};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The opened card, as it was when it was opened.
#[derive(Clone, Debug)]
pub struct Question {
    pub card: Decision,
    /// How many wait behind it.
    pub behind: usize,
}

impl Question {
    /// 1 to 9 answer; Esc leaves it open.
    pub fn key(&self, key: KeyEvent) -> Outcome {
        let digit = match key.code {
            KeyCode::Char(c @ '1'..='9') => c as usize - '1' as usize,
            KeyCode::Esc => return Outcome::Close,
            _ => return Outcome::Stay,
        };
        match self.card.asked.choices.get(digit) {
            Some(choice) => {
                let command = Command::Answer { decision: self.card.id, key: choice.key.clone(), remark: None };
                Outcome::Run(Run::Answer { decision: self.card.id, command })
            }
            None => Outcome::Say(format!("there are {} options", self.card.asked.choices.len())),
        }
    }

    /// Draws it.
    pub fn draw(&self, model: &Model, area: Rect, buf: &mut Buffer) {
        let t = model.theme();
        let width = area.width.saturating_sub(4).clamp(20, 84);
        let room = usize::from(width.saturating_sub(6)).max(10);
        let mut lines: Vec<(String, ratatui::text::Line<'static>)> = Vec::new();
        let plain = |says: &str, style| text::wrap(ratatui::text::Line::styled(text::clean_line(says).into_owned(), style), room, 0);
        lines.extend(plain(&self.card.asked.question, t.title).into_iter().map(|l| (String::new(), l)));
        lines.push((String::new(), "".into()));
        for (n, choice) in self.card.asked.choices.iter().enumerate() {
            for (i, l) in plain(&choice.label, t.text).into_iter().enumerate() {
                lines.push((if i == 0 { (n + 1).to_string() } else { String::new() }, l));
            }
            if !choice.detail.is_empty() {
                lines.extend(plain(&choice.detail, t.dim).into_iter().map(|l| (String::new(), l)));
            }
        }
        let outer = center(area, width, lines.len() as u16 + 3);
        clear(outer, buf, t.field);
        let facts = if self.behind > 0 { vec![(format!("{} more after this", self.behind), t.dim)] } else { Vec::new() };
        let title = format!("Question {}", self.card.id);
        let inner = pane(outer, buf, &Frame { title: &title, facts, focused: true, ..Frame::default() }, t);
        for (row, (key, line)) in lines.iter().enumerate().take(usize::from(inner.height)) {
            let mut pen = Pen::new(buf, inner, row as u16);
            pen.gap(1).cell(key, 3, t.accent).line(line);
        }
    }
}
