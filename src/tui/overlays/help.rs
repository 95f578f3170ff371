//! Every key that does something here, and the marks in use.

use super::{Outcome, clear};
use crate::domain::JobState;
use crate::tui::keyline::here;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::screens::look;
use crate::tui::widgets::{Frame, Pen, center, pane};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The page, and how far it is scrolled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Help {
    top: usize,
}

enum Row {
    Head(&'static str),
    Key(Action, &'static str),
    Marks(&'static [JobState]),
    Blank,
}

impl Help {
    /// Scrolls or closes.
    pub fn key(&mut self, action: Option<Action>) -> Outcome {
        match action {
            Some(Action::Down) => self.top += 1,
            Some(Action::Up) => self.top = self.top.saturating_sub(1),
            Some(Action::PageDown) => self.top += 10,
            Some(Action::PageUp) => self.top = self.top.saturating_sub(10),
            Some(Action::Top) => self.top = 0,
            Some(Action::Back | Action::Help | Action::Open | Action::Quit) => return Outcome::Close,
            _ => {}
        }
        self.top = self.top.min(Action::ALL.len());
        Outcome::Stay
    }

    /// Draws the page.
    pub fn draw(&self, model: &Model, area: Rect, buf: &mut Buffer) {
        let t = model.theme();
        let mine = here(model);
        let mut rows = vec![Row::Head("Here")];
        rows.extend(mine.iter().map(|(a, says)| Row::Key(*a, says)));
        rows.push(Row::Blank);
        rows.push(Row::Head("Everywhere"));
        rows.extend(Action::ALL.iter().filter(|a| !mine.iter().any(|(m, _)| m == *a)).map(|a| Row::Key(*a, a.help())));
        rows.push(Row::Blank);
        rows.push(Row::Head("Marks"));
        rows.extend(JobState::ALL.chunks(4).map(Row::Marks));
        let columns = if area.width >= 120 { 2 } else { 1 };
        let per = rows.len().div_ceil(columns);
        let outer = center(area, if columns == 2 { 118 } else { 64 }, per as u16 + 2);
        clear(outer, buf, t.field);
        let room = usize::from(outer.height.saturating_sub(2)).max(1);
        let top = self.top.min(per.saturating_sub(room));
        let foot = if per > room { format!("{}–{} of {per}, ↓ for more", top + 1, (top + room).min(per)) } else { String::new() };
        let inner = pane(
            outer,
            buf,
            &Frame {
                title: "Help",
                facts: vec![("esc closes".to_owned(), t.accent), ("right: the name under [keys] in orc.toml".to_owned(), t.dim)],
                foot,
                focused: true,
            },
            t,
        );
        let width = inner.width / columns as u16;
        for column in 0..columns {
            let part = Rect { x: inner.x + width * column as u16, width, ..inner };
            for (row, item) in rows.iter().skip(column * per).take(per).skip(top).take(room).enumerate() {
                let mut pen = Pen::new(buf, part, row as u16);
                pen.gap(1);
                match item {
                    Row::Head(words) => {
                        pen.put(words, t.accent);
                    }
                    Row::Key(action, says) => {
                        pen.gap(1).cell(&model.options.keymap.keys(*action), 12, t.title).gap(1);
                        let names = if pen.left() >= 43 { 13 } else { 0 };
                        let room = pen.left().saturating_sub(names);
                        pen.cell(says, room.saturating_sub(1), t.text).gap(1).cell(action.name(), names, t.dim);
                    }
                    Row::Marks(states) => {
                        pen.gap(1);
                        for state in *states {
                            let (mark, style) = look::state(*state, t);
                            pen.put(&format!("{mark} "), style).put(state.as_str(), t.dim).gap(1);
                        }
                    }
                    Row::Blank => {}
                }
            }
        }
    }
}
