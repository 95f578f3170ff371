//! Writes one row of a buffer from left to right. Everything that reaches the screen goes through it, cleaned and cut.

use crate::tui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;

/// A position in one row, and where the row ends.
pub struct Pen<'a> {
    buf: &'a mut Buffer,
    x: u16,
    y: u16,
    end: u16,
}

impl<'a> Pen<'a> {
    /// A pen at the start of `area`'s row `row`. Outside of the buffer it writes nothing.
    pub fn new(buf: &'a mut Buffer, area: Rect, row: u16) -> Pen<'a> {
        let y = area.y.saturating_add(row);
        let clip = area.intersection(buf.area);
        let inside = row < area.height && y < clip.bottom() && y >= clip.y;
        Pen { x: clip.x, y, end: if inside { clip.right() } else { clip.x }, buf }
    }

    /// Columns left.
    pub fn left(&self) -> u16 {
        self.end.saturating_sub(self.x)
    }

    /// Where the next character goes.
    pub fn x(&self) -> u16 {
        self.x
    }

    /// Writes text; what does not fit is cut with an ellipsis.
    pub fn put(&mut self, content: &str, style: Style) -> &mut Self {
        let room = self.left();
        self.write(content, room, style);
        self
    }

    /// Writes text into a column of exactly `width`, on the left.
    pub fn cell(&mut self, content: &str, width: u16, style: Style) -> &mut Self {
        let width = width.min(self.left());
        let to = self.x + width;
        self.write(content, width, style);
        self.x = to;
        self
    }

    /// Writes text into a column of exactly `width`, on the right.
    pub fn right_cell(&mut self, content: &str, width: u16, style: Style) -> &mut Self {
        let width = width.min(self.left());
        let to = self.x + width;
        let used = (text::width(&text::clean_line(content)) as u16).min(width);
        self.x = to - used;
        self.write(content, used, style);
        self.x = to;
        self
    }

    /// Leaves columns blank.
    pub fn gap(&mut self, columns: u16) -> &mut Self {
        self.x = (self.x + columns).min(self.end);
        self
    }

    /// Moves to `columns` before the end, or stays if it is past that.
    pub fn skip_to_right(&mut self, columns: u16) -> &mut Self {
        self.x = self.x.max(self.end.saturating_sub(columns));
        self
    }

    /// Writes a styled line.
    pub fn line(&mut self, line: &Line<'_>) -> &mut Self {
        for span in &line.spans {
            self.put(&span.content, line.style.patch(span.style));
        }
        self
    }

    fn write(&mut self, content: &str, room: u16, style: Style) {
        if room == 0 {
            return;
        }
        let clean = text::clean_line(content);
        let cut = text::fit(&clean, usize::from(room));
        // what was drawn here before must not shine through; the ground stays
        let style = Style { fg: Some(Color::Reset), sub_modifier: Modifier::all(), ..Style::new() }.patch(style);
        self.x = self.buf.set_stringn(self.x, self.y, cut, usize::from(room), style).0;
    }
}
