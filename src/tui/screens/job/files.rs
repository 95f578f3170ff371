//! What a job delivers: a list, and one of it opened.

use super::markdown;
use crate::domain::{Deliverable, FileForm};
use crate::tui::keymap::Action;
use crate::tui::screens::dashboard::movement;
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widgets::{Cursor, Doc, DocLine, Pen};
use crate::wire::FileContent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// The part of the screen.
#[derive(Default)]
pub struct Files {
    rows: Vec<Deliverable>,
    names: Vec<String>,
    pub cursor: Cursor<String>,
    /// Which one is open, by name.
    opened: Option<String>,
    content: Option<Box<FileContent>>,
    failed: Option<String>,
    stale: bool,
    pub doc: Doc,
    laid_out: Option<(usize, usize)>,
}

/// A mark and a style for a form.
pub fn form(form: FileForm, t: &Theme) -> (&'static str, Style) {
    match form {
        FileForm::Markdown | FileForm::Text => ("·", t.text),
        FileForm::Diff => ("±", t.info),
        FileForm::Image | FileForm::Binary => ("■", t.dim),
        FileForm::Missing => ("◌", t.warn),
        FileForm::Refused => ("✗", t.fail),
    }
}

impl Files {
    /// Takes the list anew. What is open is read again where it has changed.
    pub fn set(&mut self, rows: &[Deliverable]) {
        let old = self.row().cloned();
        self.rows = rows.to_vec();
        self.names = rows.iter().map(|d| d.name.clone()).collect();
        // A branch says nothing of when it changed.
        self.stale |= self.row() != old.as_ref() || old.is_some_and(|d| d.bytes.is_none());
    }

    fn row(&self) -> Option<&Deliverable> {
        self.rows.iter().find(|d| Some(&d.name) == self.opened.as_ref())
    }

    /// Nothing is delivered.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// One is open, not the list.
    pub fn reading(&self) -> bool {
        self.opened.is_some()
    }

    /// The text that is open, as far as it is here.
    pub fn text(&self) -> Option<&FileContent> {
        self.content.as_deref().filter(|c| c.form.is_text())
    }

    /// What is to be read.
    pub fn wants(&self) -> Option<&str> {
        self.opened.as_deref().filter(|_| self.stale)
    }

    /// It is being read.
    pub fn asked(&mut self) {
        self.stale = false;
    }

    /// What is open may have changed.
    pub fn touch(&mut self) {
        self.stale = self.opened.is_some();
    }

    /// Takes what was read.
    pub fn take(&mut self, content: FileContent) {
        if self.opened.as_deref() == Some(content.name.as_str()) {
            self.failed = None;
            self.content = Some(Box::new(content));
            self.laid_out = None;
        }
    }

    /// It cannot be read.
    pub fn give_up(&mut self, name: &str, why: &str) {
        if self.opened.as_deref() == Some(name) {
            self.content = None;
            self.failed = Some(why.to_owned());
            self.laid_out = None;
        }
    }

    /// Opens one by name.
    pub fn open_named(&mut self, name: &str) {
        self.cursor.select(name.to_owned());
        self.opened = Some(name.to_owned());
        self.content = None;
        self.failed = None;
        self.stale = true;
        self.laid_out = None;
        self.doc = Doc::default();
    }

    /// Opens one by its place in the list.
    pub fn open_at(&mut self, at: usize) {
        if let Some(name) = self.names.get(at).cloned() {
            self.open_named(&name);
        }
    }

    /// Opens the one under the cursor.
    pub fn open(&mut self) {
        if let Some(name) = self.cursor.key().cloned().filter(|_| self.opened.is_none()) {
            self.open_named(&name);
        }
    }

    /// Back to the list; false where that is what is shown.
    pub fn close(&mut self) -> bool {
        self.content = None;
        self.opened.take().is_some()
    }

    /// What `y` copies, and what to call it.
    pub fn copy(&self) -> Option<(String, &'static str)> {
        match (&self.opened, self.text()) {
            (Some(_), Some(content)) if content.cut => Some((content.text.clone(), "the file's beginning")),
            (Some(_), Some(content)) => Some((content.text.clone(), "the file")),
            _ => self.cursor.key().map(|name| (name.clone(), "the file's name")),
        }
    }

    /// Moves, if the action is a movement.
    pub fn moved(&mut self, action: Action) -> bool {
        if self.opened.is_none() {
            return movement(&mut self.cursor, &self.names, action);
        }
        let page = self.doc.cursor.height.saturating_sub(1).max(1) as isize;
        match action {
            Action::Up => self.doc.step(-1),
            Action::Down => self.doc.step(1),
            Action::PageUp => self.doc.step(-page),
            Action::PageDown => self.doc.step(page),
            Action::Top => self.doc.go(0),
            Action::Bottom => self.doc.go(usize::MAX),
            _ => return false,
        }
        true
    }

    /// Lays out what changed, below the line that says what it is.
    pub fn sync(&mut self, width: usize, height: usize, t: &Theme) {
        self.cursor.sync(&self.names, height.saturating_sub(1));
        if self.laid_out == Some((width, height)) {
            return;
        }
        let lines = match (&self.content, &self.failed) {
            (Some(content), _) => lines(content, width, t),
            (None, Some(why)) => DocLine::wrapped(why, width, t.fail),
            (None, None) => DocLine::wrapped("Reading …", width, t.dim),
        };
        self.doc.set(lines, height.saturating_sub(1));
        self.laid_out = self.opened.is_some().then_some((width, height));
    }

    /// Draws the list, or what is open.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, focused: bool, now: impl Fn(crate::domain::Timestamp) -> String, t: &Theme) {
        let rest = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        let mut pen = Pen::new(buf, area, 0);
        pen.gap(1);
        if let Some(name) = &self.opened {
            pen.put(&text::clean_line(name), t.title);
            if let Some(c) = &self.content {
                let more = if c.cut { ", only its beginning" } else { "" };
                pen.put(&format!("  {}, {}{more}", c.form, text::bytes(c.bytes)), t.dim);
                pen.put(&format!("  {}", text::clean_line(&c.from)), t.dim);
            }
            return self.doc.draw(rest, buf, focused, t);
        }
        let wide = area.width >= 60;
        let name = area.width.saturating_sub(if wide { 34 } else { 22 });
        pen.gap(2).cell("file", name.saturating_sub(2), t.dim).cell("form", 10, t.dim).right_cell("size", 9, t.dim);
        if wide {
            pen.gap(1).right_cell("changed", 12, t.dim);
        }
        for (row, index) in self.cursor.visible().enumerate() {
            let (row, d) = (row as u16, &self.rows[index]);
            let current = focused && index == self.cursor.index;
            let (mark, style) = form(d.form, t);
            let mut pen = Pen::new(buf, rest, row);
            pen.put(if current { "▌" } else { " " }, t.accent).put(mark, style).gap(1);
            let says = if d.note.is_empty() { d.name.clone() } else { format!("{}  {}", d.name, d.note) };
            pen.cell(&text::clean_line(&says), name.saturating_sub(2), t.text).cell(d.form.as_str(), 10, style);
            pen.right_cell(&d.bytes.map_or_else(|| "–".to_owned(), text::bytes), 9, t.text);
            if wide {
                pen.gap(1).right_cell(&d.changed_at.map_or_else(|| "–".to_owned(), &now), 12, t.dim);
            }
            if current && row < rest.height {
                buf.set_style(Rect { y: rest.y + row, height: 1, ..rest }.intersection(buf.area), t.selected);
            }
        }
    }
}

/// A deliverable as a page.
fn lines(c: &FileContent, width: usize, t: &Theme) -> Vec<DocLine> {
    let mut out = match c.form {
        FileForm::Markdown => markdown::lines(&c.text, width, t).into_iter().map(DocLine::of).collect(),
        FileForm::Diff => diff(&c.text, width, t),
        FileForm::Text => numbered(&c.text, width, t),
        FileForm::Image | FileForm::Binary | FileForm::Missing | FileForm::Refused => return facts(c, width, t),
    };
    if out.is_empty() {
        out = DocLine::wrapped(if c.form == FileForm::Diff { "Nothing was changed." } else { "The file is empty." }, width, t.dim);
    }
    if c.cut {
        let says = format!("… this is the beginning of {}: `orc job files {} {}` prints all", text::bytes(c.bytes), c.job, c.name);
        out.push(DocLine::default());
        out.extend(DocLine::wrapped(&says, width, t.warn));
    }
    out
}

/// A change: what comes and what goes begins with its sign, so colour only repeats it.
fn diff(source: &str, width: usize, t: &Theme) -> Vec<DocLine> {
    let style = |line: &str| match line.as_bytes() {
        [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => t.title,
        [b'+', ..] => t.ok,
        [b'-', ..] => t.fail,
        [b'@', ..] => t.accent,
        [b' ', ..] | [] => t.text,
        _ => t.title,
    };
    let clean = text::clean(source);
    clean.lines().flat_map(|l| text::wrap(Line::styled(l.to_owned(), style(l)), width, 1)).map(DocLine::of).collect()
}

/// Text with the numbers of its lines.
fn numbered(source: &str, width: usize, t: &Theme) -> Vec<DocLine> {
    let clean = text::clean(source);
    let digits = clean.lines().count().to_string().len().max(3);
    let line = |(i, l): (usize, &str)| {
        let spans = vec![Span::styled(format!("{:>digits$} ", i + 1), t.dim), Span::styled(l.to_owned(), t.text)];
        text::wrap(Line::from(spans), width, digits + 1)
    };
    clean.lines().enumerate().flat_map(line).map(DocLine::of).collect()
}

/// What can be told of what is no text.
fn facts(c: &FileContent, width: usize, t: &Theme) -> Vec<DocLine> {
    let mut out = Vec::new();
    let mut say = |name: &str, value: String| {
        let line = vec![Span::styled(format!("{name:<11}"), t.dim), Span::styled(text::clean_line(&value).into_owned(), t.text)];
        out.extend(text::wrap(Line::from(line), width, 11).into_iter().map(DocLine::of));
    };
    match &c.picture {
        Some(p) => {
            say("format", format!("{} image", p.format));
            say("size", format!("{} × {} pixels, {}", p.width, p.height, text::bytes(c.bytes)));
        }
        None => {
            say("type", c.kind.clone());
            say("size", text::bytes(c.bytes));
        }
    }
    say("file", c.from.clone());
    say("get it", format!("orc job files {} {} --raw > FILE", c.job, c.name));
    out
}
