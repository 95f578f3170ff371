//! Draws what waits for the operator.

use super::super::job::overview::Page as Sheet;
use super::{Item, kind_of, pages, waiting};
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::widgets::{Frame, Pen, empty, pane, position};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// List and the selected one: beside each other on a wide screen, else one over the other.
pub fn areas(body: Rect) -> (Rect, Rect) {
    if body.width >= 140 {
        let left = body.width * 2 / 5;
        return (Rect { width: left, ..body }, Rect { x: body.x + left, width: body.width - left, ..body });
    }
    let list = (body.height / 3).clamp(4, 12).min(body.height);
    (Rect { height: list, ..body }, Rect { y: body.y + list, height: body.height - list, ..body })
}

/// Draws the screen.
pub fn draw(model: &Model, body: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let s = &model.snapshot;
    let a = &model.approvals;
    let (list, detail) = areas(body);
    let n = waiting(s);
    let facts = vec![match n {
        0 => ("nothing waits for you".to_owned(), t.ok),
        1 => ("1 waits for you".to_owned(), t.warn),
        n => (format!("{n} wait for you"), t.warn),
    }];
    let foot = position(&a.cursor.visible(), a.items.len(), false);
    let inner = pane(list, buf, &Frame { title: "Approvals", facts, foot, focused: !a.reading }, t);
    for (row, index) in a.cursor.visible().enumerate() {
        let row = row as u16;
        let current = index == a.cursor.index;
        let mut pen = Pen::new(buf, inner, row);
        pen.put(if current { "▌" } else { " " }, t.accent);
        item(model, a.items[index], &mut pen);
        if current && row < inner.height {
            buf.set_style(Rect { y: inner.y + row, height: 1, ..inner }.intersection(buf.area), t.selected);
        }
    }
    let title = match a.selected() {
        Some(Item::Card(id)) => match s.cards.iter().find(|c| c.id == id) {
            Some(card) => format!("{} {id}", kind_of(card.kind()).2),
            None => format!("Question {id}"),
        },
        Some(Item::Plan(id)) => format!("Plan {id}"),
        Some(Item::Project(id)) => format!("Project {id}"),
        Some(Item::Talk) | None => "Conversation".to_owned(),
    };
    let foot = position(&a.doc.cursor.visible(), a.doc.lines.len(), false);
    let inner = pane(detail, buf, &Frame { title: &title, foot, focused: a.reading, ..Frame::default() }, t);
    if a.doc.lines.is_empty() && matches!(a.selected(), Some(Item::Talk) | None) {
        let key = model.options.keymap.key(Action::Message);
        let says = format!("{key} writes a message: a question is answered, small work done,");
        empty(inner, buf, &["Nothing has been said yet.", &says, "large work planned for your approval."], t);
    } else {
        a.doc.draw(inner, buf, a.reading, t);
    }
}

fn item(model: &Model, item: Item, pen: &mut Pen<'_>) {
    let t = model.theme();
    let s = &model.snapshot;
    let kind = 10;
    match item {
        Item::Card(id) => {
            let Some(card) = s.cards.iter().find(|c| c.id == id) else { return };
            let sheet = Sheet { width: 0, now: model.now, utc_offset: model.utc_offset, theme: t, snapshot: s, projects: &[] };
            let (mark, word, _) = kind_of(card.kind());
            pen.cell(&format!("{mark} {word}"), kind + 1, t.warn);
            if let Some((says, style)) = pages::deadline(card, &sheet).filter(|_| pen.left() > 60) {
                let says = says.split(':').next().unwrap_or_default().to_owned();
                let room = pen.left().saturating_sub(text::width(&says) as u16 + 2);
                pen.cell(&text::clean_line(&card.asked.question), room, t.text).gap(1).put(&says, style);
            } else {
                pen.put(&text::clean_line(&card.asked.question), t.text);
            }
        }
        Item::Plan(id) => {
            let Some(plan) = s.plans.iter().find(|p| p.id == id) else { return };
            pen.cell(if t.ascii { "# plan" } else { "◇ plan" }, kind + 1, t.accent);
            pen.put(&text::clean_line(&plan.title), t.text).gap(1).put(&text::plural(u64::from(plan.progress.tasks), "task"), t.dim);
            if plan.note.is_some() {
                pen.gap(1).put("came back", t.warn);
            }
        }
        Item::Project(id) => {
            let Some(project) = s.pending.iter().find(|p| p.id == id) else { return };
            pen.cell(if t.ascii { "+ project" } else { "✓ project" }, kind + 1, t.ok);
            pen.put(&text::clean_line(&project.title), t.text)
                .gap(1)
                .put(&format!("{} of {} jobs done", project.done, project.jobs), t.dim);
        }
        Item::Talk => {
            pen.cell(if t.ascii { "> talk" } else { "› talk" }, kind + 1, t.dim);
            match s.unread {
                0 => pen.put("the conversation", t.dim),
                n => pen.put(&format!("{n} not read yet"), t.title),
            };
        }
    }
}
