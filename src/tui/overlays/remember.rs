//! A memory on the operator's desk: its text to be changed, or a contradiction to be settled.

use super::{Outcome, Run, clear};
use crate::domain::{Category, Command, LONGEST_MEMORY, Memory, Settle};
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::widgets::{Frame, Input, Pen, center, pane};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::Widget;
use ratatui_textarea::{TextArea, WrapMode};

/// The form for one memory.
pub struct Remember {
    /// What was there when the form was opened, and its text as it was shown.
    before: Memory,
    shown: String,
    text: TextArea<'static>,
    category: Category,
    importance: Input,
    /// 0 the text, 1 the kind, 2 the importance.
    focus: usize,
    error: Option<String>,
}

impl Remember {
    /// The form with what is there.
    pub fn new(m: &Memory) -> Remember {
        let mut area = TextArea::new(text::clean(&m.text).split('\n').map(str::to_owned).collect());
        area.set_wrap_mode(WrapMode::WordOrGlyph);
        area.set_cursor_line_style(Style::new());
        area.move_cursor(ratatui_textarea::CursorMove::Bottom);
        area.move_cursor(ratatui_textarea::CursorMove::End);
        Remember {
            shown: area.lines().join("\n").trim().to_owned(),
            before: m.clone(),
            text: area,
            category: m.category,
            importance: Input::new(format!("{:.2}", m.importance)),
            focus: 0,
            error: None,
        }
    }

    /// Takes pasted text.
    pub fn paste(&mut self, pasted: &str) {
        match self.focus {
            0 => _ = self.text.insert_str(text::clean(pasted)),
            2 => self.importance.insert(pasted),
            _ => {}
        }
    }

    /// Takes a key. `Outcome::Run` carries the change.
    pub fn key(&mut self, key: KeyEvent) -> Outcome {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return Outcome::Close,
            KeyCode::Char('c') if ctrl => return Outcome::Close,
            KeyCode::Char('s') if ctrl => return self.submit(),
            KeyCode::Enter if self.focus > 0 => return self.submit(),
            KeyCode::Tab => self.focus = (self.focus + 1) % 3,
            KeyCode::BackTab => self.focus = (self.focus + 2) % 3,
            _ if self.focus == 0 => _ = self.text.input(key),
            KeyCode::Down | KeyCode::Right if self.focus == 1 => self.choose(1),
            KeyCode::Up | KeyCode::Left if self.focus == 1 => self.choose(Category::ALL.len() - 1),
            _ if self.focus == 2 => _ = self.importance.key(key),
            _ => {}
        }
        self.error = None;
        Outcome::Stay
    }

    fn choose(&mut self, by: usize) {
        let at = Category::ALL.iter().position(|c| *c == self.category).unwrap_or(0);
        self.category = Category::ALL[(at + by) % Category::ALL.len()];
    }

    fn submit(&mut self) -> Outcome {
        let text = self.text.lines().join("\n").trim().to_owned();
        let importance = self.importance.text().trim().replace(',', ".").parse::<f64>();
        self.error = match &importance {
            _ if text.is_empty() => Some("a memory needs a text; x forgets it".to_owned()),
            _ if text.len() > LONGEST_MEMORY => Some(format!("{} bytes, and {LONGEST_MEMORY} is the most", text.len())),
            Ok(i) if (0.0..=1.0).contains(i) => None,
            _ => Some("importance is a number from 0 to 1".to_owned()),
        };
        match (self.error.is_some(), importance) {
            (false, Ok(importance)) => {
                // What was not changed here may have been changed elsewhere meanwhile.
                let command = Command::EditMemory {
                    memory: self.before.id,
                    text: Some(text).filter(|t| *t != self.shown),
                    category: Some(self.category).filter(|c| *c != self.before.category),
                    importance: Some(importance).filter(|i| (i - self.before.importance).abs() >= 0.005),
                    external: None,
                    seen: Some(self.before.text.clone()),
                };
                Outcome::Run(Run::Send { commands: vec![command], label: "edit".to_owned() })
            }
            _ => Outcome::Stay,
        }
    }

    /// Draws the form.
    pub fn draw(&self, model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let t = model.theme();
        let outer = center(area, 84, area.height.saturating_sub(2).clamp(8, 14));
        clear(outer, buf, t.field);
        let title = format!("Memory m{}", self.before.id);
        let facts = vec![("ctrl-s saves".to_owned(), t.accent), ("esc leaves it as it was".to_owned(), t.dim)];
        let inner = pane(outer, buf, &Frame { title: &title, facts, focused: true, ..Frame::default() }, t);
        let inset = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        let rows = inset.height.saturating_sub(4).max(1);
        let text_area = Rect { height: rows, ..inset }.intersection(buf.area);
        if text_area.area() > 0 {
            if self.focus == 0 {
                (&self.text).render(text_area, buf);
            } else {
                let mut still = self.text.clone();
                still.set_cursor_style(t.text);
                (&still).render(text_area, buf);
            }
        }
        Pen::new(buf, inset, rows).put(&"─".repeat(usize::from(inset.width)), t.border);
        let mark = |on: bool| if on { "▌" } else { " " };
        let mut pen = Pen::new(buf, inset, rows + 1);
        pen.put(mark(self.focus == 1), t.accent).cell("kind", 12, t.dim).put(self.category.as_str(), t.text);
        if self.focus == 1 {
            pen.gap(2).put("↑↓ choose", t.dim);
        }
        let mut pen = Pen::new(buf, inset, rows + 2);
        pen.put(mark(self.focus == 2), t.accent).cell("importance", 12, t.dim);
        let x = self.importance.draw(&mut pen, 8, t.text);
        if let Some(error) = &self.error {
            pen.gap(1).put("✗ ", t.fail).put(error, t.fail);
        }
        (self.focus == 2 && rows + 2 < inset.height).then_some(Position { x, y: inset.y + rows + 2 })
    }
}

/// Two memories of which a newer one contradicts an older one.
pub struct Card {
    pub older: Memory,
    /// Until it has been read.
    pub newer: Option<Memory>,
}

impl Card {
    /// Takes a memory that was asked for.
    pub fn take(&mut self, m: &Memory) {
        if self.older.superseded_by == Some(m.id) {
            self.newer = Some(m.clone());
        }
    }

    /// 1 to 3 answer; Esc leaves it open.
    pub fn key(&self, key: KeyEvent) -> Outcome {
        let keep = match key.code {
            KeyCode::Char('1') => Settle::Newer,
            KeyCode::Char('2') => Settle::Older,
            KeyCode::Char('3') => Settle::Both,
            KeyCode::Esc => return Outcome::Close,
            _ => return Outcome::Stay,
        };
        let command = Command::SettleMemory { memory: self.older.id, keep };
        Outcome::Run(Run::Send { commands: vec![command], label: "settle".to_owned() })
    }

    /// Draws the card.
    pub fn draw(&self, model: &Model, area: Rect, buf: &mut Buffer) {
        let t = model.theme();
        let outer = center(area, 84, area.height.saturating_sub(2).clamp(9, 16));
        clear(outer, buf, t.field);
        let inner = pane(outer, buf, &Frame { title: "Which one holds?", focused: true, ..Frame::default() }, t);
        let newer = self.newer.as_ref().map_or("Reading the newer one …", |m| m.text.as_str());
        let rows = [
            ("1", "the newer one holds", newer),
            ("2", "the older one holds; the newer is forgotten", self.older.text.as_str()),
            ("3", "both hold: they do not contradict each other", ""),
        ];
        let room = usize::from(inner.width.saturating_sub(8)).max(8);
        let each = usize::from(inner.height.saturating_sub(4) / 2).max(1);
        let mut row = 0;
        for (key, says, memory) in rows {
            Pen::new(buf, inner, row).gap(2).put(key, t.accent).gap(2).put(says, t.title);
            row += 1;
            let clean = text::clean_line(memory).into_owned();
            for line in text::wrap(clean.into(), room, 0).iter().take(each).filter(|l| l.width() > 0) {
                Pen::new(buf, inner, row).gap(5).put(&line.to_string(), t.dim);
                row += 1;
            }
        }
    }
}
