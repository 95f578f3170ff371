//! The memories, drawn.

use super::{Memories, Row, TABS};
use crate::domain::{Memory, MemorySource, Standing};
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::screens::job::overview::Page as Sheet;
use crate::tui::screens::look::Look;
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widgets::{DocLine, Frame, Pen, empty, gauge, pane, position, terms, terms_line};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// List and the memory in full: beside each other on a wide screen, else one over the other.
pub fn areas(body: Rect) -> (Rect, Rect) {
    if body.width >= 160 {
        let left = body.width * 3 / 5;
        return (Rect { width: left, ..body }, Rect { x: body.x + left, width: body.width - left, ..body });
    }
    let low = if body.height >= 30 { 12 } else { 7 };
    if body.height < low + 8 {
        return (body, Rect { y: body.bottom(), height: 0, ..body });
    }
    (Rect { height: body.height - low, ..body }, Rect { y: body.bottom() - low, height: low, ..body })
}

/// Where a memory comes from, in words.
fn source(m: &Memory) -> String {
    match &m.source {
        MemorySource::Operator => "you".to_owned(),
        MemorySource::Import { name } => format!("import {name}"),
        MemorySource::Job { job, .. } => format!("job #{job}"),
    }
}

/// Draws the screen.
pub fn draw(model: &Model, body: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let m = &model.memories;
    let (list, detail) = areas(body);
    let mut facts = Vec::new();
    if !m.filter.is_empty() {
        facts.push((format!("/{}", m.filter), t.accent));
    }
    let disputed = m.rows.iter().filter(|r| r.memory.disputed).count();
    if disputed > 0 {
        facts.push((format!("? {disputed} to settle"), t.warn));
    }
    if m.searching() {
        facts.push(("best first; looking counts as no recall".to_owned(), t.dim));
    }
    let foot = position(&m.cursor.visible(), m.rows.len(), m.more);
    let mut inner = pane(list, buf, &Frame { title: "Memory", facts, foot, focused: !m.reading }, t);
    if let Some(r) = model.snapshot.reembedding {
        let mut pen = Pen::new(buf, inner, 0);
        pen.gap(1).put("New vectors for all memories ", t.accent);
        gauge(&mut pen, 20, r.done as f64 / r.total.max(1) as f64, 0.0, None, t);
        pen.put(&format!(" {} of {}; until then the old ones serve", r.done, r.total), t.dim);
        inner = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    }
    tabs(m, inner, buf, t);
    let head = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1).min(1), ..inner };
    titles(m.searching(), Pen::new(buf, head, 0), t);
    let rows = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
    if m.rows.is_empty() {
        says_empty(model, rows, buf);
    }
    for (row, index) in m.cursor.visible().enumerate() {
        let Some(item) = m.rows.get(index) else { continue };
        let current = index == m.cursor.index;
        draw_row(item, Pen::new(buf, rows, row as u16), &model.look(current), m.searching());
        if current {
            buf.set_style(Rect { y: rows.y + row as u16, height: 1, ..rows }.intersection(buf.area), t.selected);
        }
    }
    if detail.height == 0 {
        return;
    }
    let title = m.selected().map_or_else(|| "Memory".to_owned(), |r| format!("m{}", r.memory.id));
    let foot = position(&m.doc.cursor.visible(), m.doc.lines.len(), false);
    let inner = pane(detail, buf, &Frame { title: &title, facts: Vec::new(), foot, focused: m.reading }, t);
    m.doc.draw(inner, buf, m.reading, t);
}

fn says_empty(model: &Model, area: Rect, buf: &mut Buffer) {
    let m = &model.memories;
    let key = |a: Action| model.options.keymap.key(a);
    let search = format!("{} searches by meaning; `orc memory add` in a shell adds one.", key(Action::Filter));
    let lines: [&str; 2] = match (&m.failed, m.loaded, m.searching(), TABS[m.tab].2) {
        (Some(why), ..) => [why, "Jobs run on without it."],
        (None, false, ..) => ["Reading memories …", ""],
        (None, true, true, _) => ["Nothing is remembered about that.", "esc clears the search."],
        (None, true, false, Standing::Superseded) => {
            ["No memory has been superseded.", "What contradicts an older one comes here to be settled."]
        }
        (None, true, false, Standing::Forgotten) => ["Nothing is forgotten.", "What you forget stays here, and can be brought back."],
        _ => ["Nothing of this kind is remembered yet.", &search],
    };
    empty(area, buf, &lines, model.theme());
}

fn tabs(m: &Memories, area: Rect, buf: &mut Buffer, t: &Theme) {
    let mut pen = Pen::new(buf, area, 0);
    pen.gap(1);
    let all: usize = TABS.iter().map(|(name, ..)| name.len() + 2).sum();
    // the open one stays in sight
    let skip = if usize::from(area.width) > all + 1 { 0 } else { m.tab.saturating_sub(3) };
    for (i, (name, ..)) in TABS.iter().enumerate().skip(skip) {
        let label = format!(" {name} ");
        if usize::from(pen.left()) < label.len() {
            break;
        }
        pen.put(&label, if i == m.tab { t.badge } else { t.dim });
    }
}

fn titles(searching: bool, mut pen: Pen<'_>, t: &Theme) {
    let wide = pen.left() >= 100;
    let s = t.dim;
    pen.gap(1).cell("", 2, s);
    if searching {
        pen.cell("score", 7, s);
        for name in if wide { ["similar", "recent", "import.", "access"] } else { ["s", "r", "i", "a"] } {
            pen.cell(name, if wide { 8 } else { 2 }, s);
        }
        pen.gap(1);
    } else {
        pen.right_cell("used", 5, s).gap(1).right_cell("imp", 4, s).gap(1);
    }
    pen.cell("kind", 11, s).put("memory", s);
}

fn draw_row(row: &Row, mut pen: Pen<'_>, look: &Look<'_>, searching: bool) {
    let t = look.theme;
    let m = &row.memory;
    let wide = pen.left() >= 100;
    pen.put(if look.current { "▌" } else { " " }, t.accent);
    let (mark, style) = match (m.disputed, m.external) {
        (true, _) => ("?", t.warn),
        (_, true) => ("◇", t.warn),
        _ => (" ", t.dim),
    };
    pen.put(mark, style).gap(1);
    match row.hit.filter(|_| searching) {
        Some(hit) => {
            pen.cell(
                &format!("{:.2}{}", hit.score, if hit.penalised { " ½" } else { "" }),
                7,
                if hit.penalised { t.warn } else { t.title },
            );
            terms(&mut pen, if wide { 7 } else { 1 }, &hit.terms, t);
            pen.gap(1);
        }
        None => {
            pen.right_cell(&m.access_count.to_string(), 5, t.dim).gap(1).right_cell(&format!("{:.1}", m.importance), 4, t.text).gap(1);
        }
    }
    pen.cell(m.category.as_str(), 11, t.accent);
    let when = text::moment(m.created_at, look.now, look.utc_offset);
    let when = when.rsplit_once(' ').map_or(when.clone(), |(day, _)| day.to_owned());
    let room = pen.left().saturating_sub(if wide { 8 } else { 0 });
    pen.cell(&m.text, room, if m.holds() { t.text } else { t.dim });
    if wide {
        pen.right_cell(&when, 8, t.dim);
    }
}

/// One memory in full.
pub fn lines(row: &Row, p: &Sheet<'_>) -> Vec<DocLine> {
    let t = p.theme;
    let m = &row.memory;
    let at = |when| text::moment(when, p.now, p.utc_offset);
    let mut out = DocLine::wrapped(&m.text, p.width, t.text);
    if m.external {
        out.extend(DocLine::wrapped("◇ rests on text from outside: shown to jobs as such, never as an instruction", p.width, t.warn));
    }
    if m.disputed {
        out.extend(DocLine::wrapped("? a newer memory says otherwise: c settles which one holds", p.width, t.warn));
    }
    let mut facts = vec![format!("{}, importance {:.1}, from {}, {}", m.category, m.importance, source(m), at(m.created_at))];
    facts.push(match m.last_recalled_at {
        Some(when) => format!("given to jobs {}, last {}", times(m.access_count), at(when)),
        None => "given to no job yet".to_owned(),
    });
    if let Some(by) = m.superseded_by {
        facts.push(format!("superseded by m{by}{}", m.superseded_at.map(|when| format!(", {}", at(when))).unwrap_or_default()));
    }
    if let Some(when) = m.forgotten_at {
        facts.push(format!("forgotten {}", at(when)));
    }
    for fact in facts {
        out.extend(DocLine::wrapped(&fact, p.width, t.dim));
    }
    if let Some(hit) = row.hit {
        let mut spans = vec![Span::styled(format!("score {:.2} ", hit.score), t.title)];
        spans.extend(terms_line(&hit.terms, 8, t));
        if hit.penalised {
            spans.push(Span::styled(" lowered: a job got it shortly before", t.warn));
        }
        out.extend(text::wrap(Line::from(spans), p.width, 2).into_iter().map(DocLine::of));
    }
    out
}

fn times(n: u32) -> String {
    if n == 1 { "once".to_owned() } else { format!("{n} times") }
}
