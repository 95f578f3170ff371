//! The health of the installation: nine components, each with a mark, what was found, and what to do.

use super::dashboard::movement;
use crate::domain::{Component, ComponentHealth, Health as Status};
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::theme::Theme;
use crate::tui::widgets::{Cursor, Doc, DocLine, Frame, Pen, empty, pane};
use crate::wire::Query;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Where the operator is among the components.
#[derive(Default)]
pub struct HealthView {
    pub components: Vec<ComponentHealth>,
    keys: Vec<Component>,
    pub cursor: Cursor<Component>,
    pub doc: Doc,
    pub failed: Option<String>,
    looked: bool,
    pub looking: bool,
}

impl HealthView {
    /// Looks again.
    pub fn touch(&mut self) {
        self.looked = false;
        self.failed = None;
    }

    /// What to ask for.
    pub fn wants(&self) -> Option<Query> {
        (!self.looked).then_some(Query::Health)
    }

    /// A question has gone out.
    pub fn asked(&mut self) {
        self.looked = true;
        self.looking = true;
    }

    /// Takes what was found.
    pub fn take(&mut self, components: Vec<ComponentHealth>) {
        self.components = components;
        self.looking = false;
        self.failed = None;
    }

    /// It could not be looked at.
    pub fn give_up(&mut self, message: &str) {
        self.looking = false;
        self.failed = Some(message.to_owned());
    }

    /// Moves, if the action is a movement.
    pub fn moved(&mut self, action: Action) -> bool {
        movement(&mut self.cursor, &self.keys, action)
    }

    /// Brings rows, place and the component in full up to date.
    pub fn sync(&mut self, list: usize, width: usize, height: usize, t: &Theme) {
        self.keys = self.components.iter().map(|c| c.component).collect();
        self.cursor.sync(&self.keys, list);
        let lines = self.components.get(self.cursor.index).map(|c| lines(c, width, t)).unwrap_or_default();
        self.doc.set(lines, height);
    }
}

fn look(status: Status, t: &Theme) -> (&'static str, &'static str, Style) {
    match status {
        Status::Ok => ("✓", "ok", t.ok),
        Status::Warn => ("▲", "warn", t.warn),
        Status::Fail => ("✗", "FAIL", t.fail),
    }
}

fn lines(c: &ComponentHealth, width: usize, t: &Theme) -> Vec<DocLine> {
    let mut out = Vec::new();
    // What is to be done comes first.
    let mut parts: Vec<_> = c.parts.iter().collect();
    parts.sort_by_key(|f| std::cmp::Reverse(f.status));
    for f in parts {
        let (mark, _, style) = look(f.status, t);
        out.extend(DocLine::wrapped(&format!("{mark} {}: {}", f.part, f.says), width, style));
        if !f.fix.is_empty() {
            out.extend(DocLine::wrapped(&format!("  → {}", f.fix), width, t.text));
        }
    }
    out
}

/// List and the component in full.
pub fn areas(body: Rect) -> (Rect, Rect) {
    if body.width >= 160 {
        let left = body.width * 3 / 5;
        return (Rect { width: left, ..body }, Rect { x: body.x + left, width: body.width - left, ..body });
    }
    let list = 11.min(body.height);
    (Rect { height: list, ..body }, Rect { y: body.y + list, height: body.height - list, ..body })
}

/// Draws the screen.
pub fn draw(model: &Model, body: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let h = &model.health;
    let (list, detail) = areas(body);
    let of = |status| h.components.iter().filter(|c| c.status == status).count();
    let mut facts = Vec::new();
    if h.looking {
        facts.push(("looking …".to_owned(), t.accent));
    }
    for (n, word, style) in [(of(Status::Fail), "failing", t.fail), (of(Status::Warn), "to look at", t.warn)] {
        if n > 0 {
            facts.push((format!("{n} {word}"), style));
        }
    }
    let inner = pane(list, buf, &Frame { title: "Health", facts, focused: true, ..Frame::default() }, t);
    if h.components.is_empty() {
        let key = model.options.keymap.key(Action::Retry);
        let again = format!("{key} looks again; `orc doctor` does the same in a shell.");
        let lines: [&str; 2] = match &h.failed {
            Some(why) => [why, &again],
            None => ["Looking at nine components …", &again],
        };
        return empty(inner, buf, &lines, t);
    }
    for (row, index) in h.cursor.visible().enumerate() {
        let Some(c) = h.components.get(index) else { continue };
        let current = index == h.cursor.index;
        let (mark, word, style) = look(c.status, t);
        let mut pen = Pen::new(buf, inner, row as u16);
        pen.put(if current { "▌" } else { " " }, t.accent).put(mark, style).gap(1).cell(word, 5, style);
        pen.cell(c.component.as_str(), 15, t.title);
        pen.put(&c.says, if c.status == Status::Ok { t.dim } else { t.text });
        if current {
            buf.set_style(Rect { y: inner.y + row as u16, height: 1, ..inner }.intersection(buf.area), t.selected);
        }
    }
    if detail.height < 3 {
        return;
    }
    let name = h.components.get(h.cursor.index).map_or("", |c| c.component.as_str());
    let inner = pane(detail, buf, &Frame { title: name, ..Frame::default() }, t);
    h.doc.draw(inner, buf, false, t);
}
