//! The episodic log: the newest lines come with each snapshot, older ones by the page.

use crate::tui::keymap::Action;
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widgets::{Cursor, Pen};
use crate::wire::{LogFilter, LogLine, Page, Query, Severity};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::VecDeque;

/// Lines that are kept of the live tail.
const TAIL: usize = 2_000;
/// Lines that are kept while somebody reads further up.
const TAIL_HELD: usize = 20_000;
/// Lines that are fetched at once.
const PAGE: usize = 200;

/// The live tail. Each line has a number that counts up for as long as the console runs.
#[derive(Clone, Debug, Default)]
pub struct Book {
    lines: VecDeque<LogLine>,
    first: i64,
}

impl Book {
    /// Takes the tail of a snapshot; true if there was something new.
    pub fn take(&mut self, tail: &[LogLine], held: bool) -> bool {
        let known = self.lines.back().and_then(|last| tail.iter().rposition(|l| l == last)).map_or(0, |i| i + 1);
        self.lines.extend(tail[known..].iter().cloned());
        let keep = if held { TAIL_HELD } else { TAIL };
        let drop = self.lines.len().saturating_sub(keep);
        self.lines.drain(..drop);
        self.first += drop as i64;
        known < tail.len()
    }

    fn get(&self, number: i64) -> Option<&LogLine> {
        self.lines.get(usize::try_from(number - self.first).ok()?)
    }

    /// The row id of the oldest line that has one.
    fn oldest(&self) -> Option<i64> {
        self.lines.iter().map(|l| l.id).find(|&id| id > 0)
    }
}

/// One reader of the log: filter, place, and the older pages fetched for it.
#[derive(Clone, Debug)]
pub struct LogView {
    pub filter: String,
    /// The newest line stays in sight.
    pub follow: bool,
    /// Older than the book, newest first.
    old: Vec<LogLine>,
    /// The book's oldest line when `old` began.
    joint: i64,
    more: bool,
    rows: Vec<i64>,
    pub cursor: Cursor<i64>,
    /// The last line that was there when the reader stopped following.
    seen: i64,
}

impl Default for LogView {
    fn default() -> LogView {
        LogView {
            filter: String::new(),
            follow: true,
            old: Vec::new(),
            joint: 0,
            more: true,
            rows: Vec::new(),
            cursor: Cursor::default(),
            seen: 0,
        }
    }
}

impl LogView {
    /// Brings rows and place up to date.
    pub fn sync(&mut self, book: &Book, height: usize) {
        if !self.old.is_empty() && book.first > self.joint {
            // lines between the pages and the tail have gone: the pages no longer join
            self.old.clear();
            self.more = true;
        }
        let needle = self.filter.to_lowercase();
        self.rows.clear();
        self.rows.extend((1..=self.old.len() as i64).rev().map(|n| -n));
        let last = book.first + book.lines.len() as i64;
        self.rows.extend((book.first..last).filter(|&n| book.get(n).is_some_and(|l| matches(l, &needle))));
        if self.follow {
            self.cursor.end(&self.rows);
            self.seen = last;
        }
        self.cursor.sync(&self.rows, height);
        if self.follow {
            self.cursor.end(&self.rows);
        }
    }

    fn line<'a>(&'a self, book: &'a Book, key: i64) -> Option<&'a LogLine> {
        // the tail's numbers start at 0; -1 is the newest line of the pages
        if key >= 0 { book.get(key) } else { self.old.get(usize::try_from(-key - 1).ok()?) }
    }

    /// The line under the cursor.
    pub fn selected<'a>(&'a self, book: &'a Book) -> Option<&'a LogLine> {
        self.line(book, *self.cursor.key()?)
    }

    /// Lines that came while the reader was further up.
    pub fn newer(&self, book: &Book) -> usize {
        let last = book.first + book.lines.len() as i64;
        if self.follow { 0 } else { usize::try_from(last - self.seen).unwrap_or(0) }
    }

    /// What to ask for, if the reader is near the upper end of what is there.
    pub fn wants(&self, book: &Book) -> Option<Query> {
        let short = self.rows.len() < self.cursor.height;
        let near = !self.follow && self.cursor.top < self.cursor.height;
        (self.more && (short || near)).then(|| Query::Log {
            filter: LogFilter { job: None, text: self.filter.clone() },
            page: Page { before: self.before(book), limit: PAGE },
        })
    }

    fn before(&self, book: &Book) -> Option<i64> {
        self.old.last().map(|l| l.id).or_else(|| book.oldest())
    }

    /// Takes a page, if it is the next one for this reader.
    pub fn take(&mut self, book: &Book, filter: &LogFilter, page: &Page, mut lines: Vec<LogLine>, more: bool) {
        if filter.job.is_some() || filter.text != self.filter || page.before != self.before(book) {
            return;
        }
        lines.sort_by_key(|l| std::cmp::Reverse(l.id));
        if self.old.is_empty() {
            self.joint = book.first;
        }
        self.more = more && !lines.is_empty();
        self.old.append(&mut lines);
    }

    /// The page could not be had: do not ask for it again until the operator moves.
    pub fn give_up(&mut self) {
        self.more = false;
    }

    /// There may be older lines after all: the engine is there again.
    pub fn retry(&mut self) {
        self.more = true;
    }

    /// Filters anew.
    pub fn set_filter(&mut self, filter: &str) {
        if self.filter != filter {
            self.filter = filter.to_owned();
            self.old.clear();
            self.more = true;
        }
    }

    /// Follows or freezes.
    pub fn toggle_follow(&mut self) {
        self.follow = !self.follow;
    }

    /// Moves, if the action is a movement.
    pub fn moved(&mut self, action: Action) -> bool {
        let page = self.cursor.height.saturating_sub(1).max(1) as isize;
        let by = match action {
            Action::Up => -1,
            Action::Down => 1,
            Action::PageUp => -page,
            Action::PageDown => page,
            Action::Top => -(self.rows.len() as isize),
            Action::Bottom => {
                self.follow = true;
                self.cursor.end(&self.rows);
                return true;
            }
            _ => return false,
        };
        self.follow = by > 0 && self.follow;
        self.cursor.step(by, &self.rows);
        true
    }

    /// How many lines there are to scroll through.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether older lines are in the database.
    pub fn more(&self) -> bool {
        self.more
    }

    /// Draws the visible lines.
    pub fn draw(&self, book: &Book, area: Rect, buf: &mut Buffer, look: &LogLook<'_>) {
        for (row, index) in self.cursor.visible().enumerate() {
            let row = row as u16;
            let Some(line) = self.rows.get(index).and_then(|&k| self.line(book, k)) else { continue };
            let current = look.focused && index == self.cursor.index;
            draw_line(line, area, row, buf, look, current);
        }
    }
}

/// How log lines are drawn.
pub struct LogLook<'a> {
    pub theme: &'a Theme,
    pub utc_offset: i32,
    pub focused: bool,
}

/// One line: time, severity, what, job, text, and who where there is room.
pub fn draw_line(line: &LogLine, area: Rect, row: u16, buf: &mut Buffer, look: &LogLook<'_>, current: bool) {
    let t = look.theme;
    let (mark, style) = severity(line.severity, t);
    let wide = area.width >= 100;
    let mut pen = Pen::new(buf, area, row);
    pen.put(if current { "▌" } else { " " }, t.accent);
    pen.put(&text::clock(line.at, look.utc_offset, area.width >= 56), t.dim).gap(1);
    pen.put(mark, style).gap(1);
    pen.cell(&line.what, if area.width >= 72 { 10 } else { 8 }, style);
    match line.job {
        Some(job) => pen.right_cell(&format!("#{job}"), 7, t.accent),
        None => pen.gap(7),
    };
    pen.gap(1);
    let actor = if wide { 14 } else { 0 };
    let room = pen.left().saturating_sub(actor + u16::from(wide));
    let says = text::local_times(&line.text, line.at, look.utc_offset);
    let from = pen.left();
    match &line.title {
        // its word has said it already
        Some(title) if *says == *line.what => pen.cell(title, room, t.text),
        Some(title) if !says.contains(title.as_str()) => {
            // both show: the title gives way to what happened
            let wide = |s: &str| text::width(&text::clean_line(s)) as u16;
            let keep = wide(&says).min(room / 2);
            pen.cell(title, wide(title).min(room.saturating_sub(keep + 3)), t.text).put(" · ", t.dim);
            let left = room.saturating_sub(from - pen.left());
            pen.cell(&says, left, t.dim)
        }
        _ => pen.cell(&says, room, t.text),
    };
    pen.gap((room + pen.left()).saturating_sub(from));
    if wide {
        pen.gap(1).right_cell(&line.actor, actor - 1, t.dim);
    }
    if current {
        buf.set_style(Rect { y: area.y + row, height: 1, ..area }.intersection(buf.area), t.selected);
    }
}

/// A mark and a style for a severity.
pub fn severity(severity: Severity, theme: &Theme) -> (&'static str, ratatui::style::Style) {
    match severity {
        Severity::Info => ("·", theme.dim),
        Severity::Warn => ("▲", theme.warn),
        Severity::Fail => ("✗", theme.fail),
    }
}

fn matches(line: &LogLine, needle: &str) -> bool {
    needle.is_empty()
        || line.text.to_lowercase().contains(needle)
        || line.title.as_ref().is_some_and(|t| t.to_lowercase().contains(needle))
        || line.actor.to_lowercase().contains(needle)
        || line.what.to_lowercase().contains(needle)
        || line.job.is_some_and(|j| needle.strip_prefix('#').is_some_and(|n| n == j.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn line(id: i64) -> LogLine {
        LogLine {
            id,
            at: Timestamp(id * 1000),
            severity: Severity::Info,
            actor: "engine".into(),
            what: "queued".into(),
            job: None,
            title: None,
            attempt: None,
            text: format!("line {id}"),
        }
    }

    #[test]
    fn snapshots_overlap_and_no_line_is_lost_or_doubled() {
        let mut book = Book::default();
        book.take(&(1..=5).map(line).collect::<Vec<_>>(), false);
        book.take(&(3..=8).map(line).collect::<Vec<_>>(), false);
        assert!(!book.take(&(3..=8).map(line).collect::<Vec<_>>(), false));
        assert_eq!(book.lines.iter().map(|l| l.id).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
    }

    #[test]
    fn a_reader_further_up_does_not_move_when_lines_come_or_pages_arrive() {
        let mut book = Book::default();
        let mut view = LogView::default();
        book.take(&(100..200).map(line).collect::<Vec<_>>(), false);
        view.sync(&book, 10);
        assert_eq!(view.selected(&book).unwrap().id, 199);
        view.moved(Action::PageUp);
        view.moved(Action::PageUp);
        view.sync(&book, 10);
        let first = |v: &LogView, b: &Book| v.line(b, v.rows[v.cursor.top]).unwrap().id;
        let before = first(&view, &book);
        book.take(&(150..260).map(line).collect::<Vec<_>>(), true);
        view.sync(&book, 10);
        assert_eq!((first(&view, &book), view.newer(&book)), (before, 60));
        view.moved(Action::Top);
        view.sync(&book, 10);
        let Some(Query::Log { filter, page }) = view.wants(&book) else { panic!("no page wanted") };
        assert_eq!(page.before, Some(100));
        view.take(&book, &filter, &page, (50..100).map(line).collect(), true);
        view.sync(&book, 10);
        assert_eq!(first(&view, &book), 100, "the page arrived above the reader");
        view.moved(Action::Up);
        view.sync(&book, 10);
        assert_eq!(view.selected(&book).unwrap().id, 99);
    }

    #[test]
    fn a_filter_narrows_and_following_comes_back_with_the_end() {
        let mut book = Book::default();
        let mut view = LogView::default();
        book.take(&(1..=50).map(line).collect::<Vec<_>>(), false);
        view.set_filter("LINE 4");
        view.sync(&book, 10);
        assert_eq!(view.len(), 11);
        view.moved(Action::Up);
        assert!(!view.follow);
        view.moved(Action::Bottom);
        assert!(view.follow);
    }
}
