//! A page of lines to read: job overview, prompt, result, worker.

use super::cursor::Cursor;
use super::pen::Pen;
use crate::domain::{AttemptId, JobId, MemoryId};
use crate::tui::text;
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Where `Enter` leads from a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jump {
    Job(JobId),
    Attempt(AttemptId),
    Memory(MemoryId),
    /// A task of the plan on the screen, by its place: it unfolds.
    Task(usize),
    /// A deliverable, by its place in what the job lists.
    File(JobId, usize),
    /// What the job's branch changes.
    Diff(JobId),
}

/// One line, already wrapped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DocLine {
    pub line: Line<'static>,
    pub jump: Option<Jump>,
}

/// Lines and where the reader is in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Doc {
    pub lines: Vec<DocLine>,
    pub cursor: Cursor<usize>,
}

impl Doc {
    /// Shows new lines at the same place.
    pub fn set(&mut self, lines: Vec<DocLine>, height: usize) {
        self.lines = lines;
        self.sync(height);
    }

    /// Brings the position up to date with lines and height.
    pub fn sync(&mut self, height: usize) {
        let keys: Vec<usize> = (0..self.lines.len()).collect();
        self.cursor.sync(&keys, height);
    }

    /// Moves by lines.
    pub fn step(&mut self, by: isize) {
        let keys: Vec<usize> = (0..self.lines.len()).collect();
        self.cursor.step(by, &keys);
    }

    /// Moves to a line.
    pub fn go(&mut self, line: usize) {
        let keys: Vec<usize> = (0..self.lines.len()).collect();
        self.cursor.go(line, &keys);
    }

    /// Where `Enter` leads.
    pub fn jump(&self) -> Option<Jump> {
        self.lines.get(self.cursor.index)?.jump
    }

    /// Draws the visible lines; `focused` marks the current one.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, focused: bool, theme: &Theme) {
        for (row, index) in self.cursor.visible().enumerate() {
            let row = row as u16;
            let doc = &self.lines[index];
            let current = focused && index == self.cursor.index;
            let mut pen = Pen::new(buf, area, row);
            pen.put(if current { "▌" } else { " " }, theme.accent).line(&doc.line);
            if current && row < area.height {
                buf.set_style(Rect { y: area.y + row, height: 1, ..area }.intersection(buf.area), theme.selected);
            }
        }
    }
}

impl DocLine {
    /// A line of plain text.
    pub fn of(line: impl Into<Line<'static>>) -> DocLine {
        DocLine { line: line.into(), jump: None }
    }

    /// Text from anywhere, cleaned and wrapped.
    pub fn wrapped(content: &str, width: usize, style: ratatui::style::Style) -> Vec<DocLine> {
        text::clean(content).lines().flat_map(|l| text::wrap(Line::styled(l.to_owned(), style), width, 0)).map(DocLine::of).collect()
    }
}
