//! Words that the operator writes: as many lines as they like, wrapped, in the few rows that there are.

use crate::tui::text;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;
use ratatui_textarea::{CursorMove, TextArea, WrapMode};

/// Text and the place of the cursor in it.
#[derive(Clone, Debug)]
pub struct Prose {
    area: TextArea<'static>,
}

impl Prose {
    /// Text with the cursor at its end.
    pub fn new(content: &str) -> Prose {
        let clean = text::clean(content.trim_end_matches('\n'));
        let mut area = TextArea::new(clean.split('\n').map(str::to_owned).collect());
        area.set_wrap_mode(WrapMode::WordOrGlyph);
        area.set_cursor_line_style(Style::new());
        area.set_max_histories(100);
        area.move_cursor(CursorMove::Bottom);
        area.move_cursor(CursorMove::End);
        Prose { area }
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Takes an editing key. A key that ends a line in other fields breaks it here.
    pub fn key(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Char(c) if text::is_hidden(c) => {}
            KeyCode::Enter => self.area.insert_newline(),
            _ => _ = self.area.input(key),
        }
    }

    /// Takes pasted text, with its lines.
    pub fn paste(&mut self, pasted: &str) {
        self.area.insert_str(text::clean(pasted));
    }

    /// The cursor is in the first line.
    pub fn at_top(&self) -> bool {
        self.area.cursor().0 == 0
    }

    /// The cursor is in the last line.
    pub fn at_bottom(&self) -> bool {
        self.area.cursor().0 + 1 >= self.area.lines().len()
    }

    /// Rows that it takes in so many columns.
    pub fn rows(&self, width: u16) -> u16 {
        // one column more than the text: the cursor stands behind it
        let wrapped = |line: &String| text::wrap(format!("{line} ").into(), usize::from(width.max(1)), 0).len();
        u16::try_from(self.area.lines().iter().map(wrapped).sum::<usize>()).unwrap_or(u16::MAX)
    }

    /// Draws the part around the cursor, and the cursor.
    pub fn draw(&self, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        if area.area() > 0 {
            (&self.area).render(area, buf);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyModifiers;

    #[test]
    fn wide_characters_and_many_lines_are_kept() {
        let mut prose = Prose::new("");
        for c in "日本語 ok".chars() {
            prose.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        }
        assert!(prose.at_top() && prose.at_bottom());
        assert_eq!(prose.rows(20), 1);
        assert_eq!(prose.rows(8), 2);
        prose.paste("\n\u{1b}[31mzwei\u{200b}");
        assert_eq!(prose.text(), "日本語 ok\nzwei");
        assert!(!prose.at_top() && prose.at_bottom());
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 2));
        prose.draw(buf.area, &mut buf);
        assert_eq!(buf[(0, 0)].symbol(), "日");
        assert_eq!(buf[(0, 1)].symbol(), "z");
    }
}
