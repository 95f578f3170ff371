//! The projects, drawn.

use crate::domain::ProjectState;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widgets::{Frame, Pen, empty, pane, position};
use crate::wire::ProjectRow;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

/// From this width on list and project stand beside each other.
const WIDE: u16 = 160;

/// The list and the project in full. Where there is little room the one that is read has all of it.
pub fn areas(body: Rect, reading: bool) -> (Rect, Rect) {
    if body.width >= WIDE {
        let left = (body.width * 9 / 20).clamp(78, 100);
        return (Rect { width: left, ..body }, Rect { x: body.x + left, width: body.width - left, ..body });
    }
    if reading {
        return (Rect { height: 0, ..body }, body);
    }
    let list = (body.height * 2 / 5).clamp(6, 16).min(body.height);
    (Rect { height: list, ..body }, Rect { y: body.y + list, height: body.height - list, ..body })
}

/// A word and a style for where a project stands.
pub fn standing(r: &ProjectRow, t: &Theme) -> (&'static str, Style) {
    match r.state {
        ProjectState::Active if r.running > 0 => ("active", t.accent),
        ProjectState::Active => ("active", t.text),
        ProjectState::PendingApproval => ("asks you", t.warn),
        ProjectState::Approved => ("approved", t.ok),
        ProjectState::Rejected => ("sent back", t.warn),
    }
}

/// The jobs of a project as a bar: done, failed, running, to come. Each has a pattern of its own.
pub fn bar(r: &ProjectRow, width: usize, t: &Theme) -> Vec<Span<'static>> {
    let parts = [(r.done, "█", t.ok), (r.failed, "▒", t.fail), (r.running, "▓", t.accent)];
    let mut left = width;
    let mut spans = Vec::new();
    for (n, symbol, style) in parts {
        let share = (width * n as usize).checked_div(r.jobs as usize).unwrap_or(0).max(usize::from(n > 0)).min(left);
        left -= share;
        spans.push(Span::styled(symbol.repeat(share), style));
    }
    // Nothing is left to come: what rounding has lost is of what is there.
    let rest = if r.jobs > 0 && r.open() == 0 && r.failed == 0 { ("█", t.ok) } else { ("░", t.gauge_empty) };
    spans.push(Span::styled(rest.0.repeat(left), rest.1));
    spans
}

/// Draws the screen.
pub fn draw(model: &Model, body: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let m = &model.projects;
    let (area, detail) = areas(body, m.reading);
    if m.rows.is_empty() {
        return nothing(model, body, buf);
    }
    if area.height > 0 {
        list(model, area, buf);
    }
    if detail.height > 1 {
        let title = m.selected().map_or_else(|| "Project".to_owned(), |r| format!("Project {}", r.id));
        let facts = m.selected().map(|r| standing(r, t)).map(|(word, style)| (word.to_owned(), style)).into_iter().collect();
        let foot = position(&m.doc.cursor.visible(), m.doc.lines.len(), false);
        let inner = pane(detail, buf, &Frame { title: &title, facts, foot, focused: m.reading }, t);
        m.doc.draw(inner, buf, m.reading, t);
    }
}

/// What would fill it, and which key does.
fn nothing(model: &Model, body: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let m = &model.projects;
    let inner = pane(body, buf, &Frame { title: "Projects", focused: true, ..Frame::default() }, t);
    let key = model.options.keymap.key(Action::Message);
    let message = format!("{key} says what you need: large work is planned for you,");
    let says: Vec<&str> = match (&m.failed, m.loaded, m.filter.is_empty()) {
        (Some(why), ..) => vec![why],
        (None, false, _) => vec!["Reading projects …"],
        (None, true, false) => vec!["No project matches the filter.", "esc clears it."],
        (None, true, true) => {
            let rest = ["and a plan that you approve becomes a project.", "`orc project add --title T` in a shell makes an empty one."];
            vec!["There are no projects yet.", &message, rest[0], rest[1]]
        }
    };
    empty(inner, buf, &says, t);
}

fn list(model: &Model, area: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let m = &model.projects;
    let mut facts = Vec::new();
    if !m.filter.is_empty() {
        facts.push((format!("/{}", m.filter), t.accent));
    }
    let asks = m.rows.iter().filter(|r| r.state == ProjectState::PendingApproval).count();
    if asks > 0 {
        facts.push((format!("{asks} for you to approve"), t.warn));
    }
    let failed: u32 = m.rows.iter().map(|r| r.failed).sum();
    if failed > 0 {
        facts.push((format!("✗ {} failed", text::plural(u64::from(failed), "job")), t.fail));
    }
    let foot = position(&m.cursor.visible(), m.rows.len(), false);
    let inner = pane(area, buf, &Frame { title: "Projects", facts, foot, focused: !m.reading }, t);
    let columns = Columns::of(inner.width);
    columns.titles(Pen::new(buf, inner, 0), t);
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    for (row, index) in m.cursor.visible().enumerate() {
        let (row, Some(item)) = (row as u16, m.rows.get(index)) else { continue };
        let current = index == m.cursor.index;
        let mut pen = Pen::new(buf, rows, row);
        pen.put(if current { "▌" } else { " " }, t.accent);
        columns.row(item, pen, t);
        if current && row < rows.height {
            buf.set_style(Rect { y: rows.y + row, height: 1, ..rows }.intersection(buf.area), t.selected);
        }
    }
}

/// What there is room for.
struct Columns {
    title: u16,
    bar: u16,
    tasks: bool,
    used: bool,
}

impl Columns {
    fn of(width: u16) -> Columns {
        let bar = if width >= 96 { 16 } else { 8 };
        let (tasks, used) = (width >= 70, width >= 60);
        // Mark, state, bar and figures of the jobs, and a column between.
        let fixed = 1 + 10 + bar + 1 + 8 + 4 + if tasks { 7 } else { 0 } + if used { 15 } else { 0 } + 1;
        Columns { title: width.saturating_sub(fixed), bar, tasks, used }
    }

    fn titles(&self, mut pen: Pen<'_>, t: &Theme) {
        let s = t.dim;
        pen.gap(1).cell("state", 10, s).cell("project", self.title, s).gap(1);
        pen.cell("jobs", self.bar, s).right_cell("done", 9, s).right_cell("✗", 4, s);
        if self.tasks {
            pen.right_cell("tasks", 7, s);
        }
        if self.used {
            pen.right_cell("tok", 7, s).right_cell("cost", 8, s);
        }
    }

    fn row(&self, r: &ProjectRow, mut pen: Pen<'_>, t: &Theme) {
        let (word, style) = standing(r, t);
        pen.cell(word, 10, style).cell(&text::clean_line(&r.title), self.title, t.text).gap(1);
        for span in bar(r, usize::from(self.bar), t) {
            pen.put(&span.content, span.style);
        }
        pen.right_cell(&format!("{}/{}", r.done, r.jobs), 9, t.text);
        pen.right_cell(&if r.failed > 0 { r.failed.to_string() } else { "–".to_owned() }, 4, if r.failed > 0 { t.fail } else { t.dim });
        if self.tasks {
            pen.right_cell(&format!("{}/{}", r.tasks_done, r.tasks), 7, t.dim);
        }
        if self.used {
            pen.right_cell(&text::count(r.tokens), 7, t.text).right_cell(&text::money(r.cost_usd), 8, t.text);
        }
    }
}
