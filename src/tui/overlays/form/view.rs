//! The dispatch form, drawn.

use super::{Field, Form};
use crate::tui::model::Model;
use crate::tui::overlays::clear;
use crate::tui::widgets::{Frame, Pen, center, pane};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::widgets::Widget;

impl Form {
    /// Draws the form.
    pub fn draw(&self, model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let t = model.theme();
        let rows = Field::ALL.len() as u16 - 1;
        let outer = center(area, 92, (area.height.saturating_sub(2)).clamp(rows + 8, 24));
        clear(outer, buf, t.field);
        let frame = Frame {
            title: "Dispatch a job",
            facts: vec![
                ("ctrl-s dispatches".to_owned(), t.accent),
                ("ctrl-o editor".to_owned(), t.dim),
                ("esc keeps the draft".to_owned(), t.dim),
            ],
            foot: String::new(),
            focused: true,
        };
        let inner = pane(outer, buf, &frame, t);
        let inset = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        let prompt_rows = inner.height.saturating_sub(rows + 2).max(2);
        self.label(Field::Prompt, Pen::new(buf, inset, 0), model);
        let text_area = Rect { y: inset.y + 1, height: prompt_rows.min(inset.height.saturating_sub(1)), ..inset }.intersection(buf.area);
        if text_area.area() > 0 {
            self.draw_prompt(text_area, buf, t.text);
        }
        let at = 1 + prompt_rows;
        Pen::new(buf, inset, at).put(&"─".repeat(usize::from(inset.width)), t.border);
        let mut cursor = None;
        let value_width = if inset.width >= 70 { 32 } else { inset.width.saturating_sub(13) };
        // on a low screen the fields scroll to the one that has the focus
        let room = usize::from(inset.height.saturating_sub(at + 1));
        let focus = Field::ALL.iter().skip(1).position(|f| *f == self.focus).unwrap_or(0);
        let top = (focus + 1).saturating_sub(room);
        for (i, field) in Field::ALL.iter().skip(1).skip(top).take(room).enumerate() {
            let row = at + 1 + i as u16;
            let mut pen = Pen::new(buf, inset, row);
            let focused = *field == self.focus;
            pen.put(if focused { "▌" } else { " " }, t.accent).cell(field.label(), 11, if focused { t.accent } else { t.dim }).gap(1);
            let input = &self.fields[field];
            if input.text().is_empty() && !focused {
                pen.cell(field.blank(), value_width, t.dim.add_modifier(Modifier::ITALIC));
            } else {
                let style = if focused { t.text.add_modifier(Modifier::UNDERLINED) } else { t.text };
                let x = input.draw(&mut pen, value_width, style);
                if focused && row < inset.height {
                    cursor = Some(Position { x, y: inset.y + row });
                }
            }
            if let Some(error) = self.errors.get(field) {
                pen.gap(1).put("✗ ", t.fail).put(error, t.fail);
            } else if let Some(fix) = self.warning(*field).filter(|_| !focused || inset.width < 70) {
                pen.gap(1).put("▲ not here: ", t.warn).put(fix, t.warn);
            }
        }
        if inset.width >= 70 && self.focus != Field::Prompt && self.errors.is_empty() {
            self.draw_choices(
                model,
                Rect {
                    x: inset.x + 47,
                    y: inset.y + at + 1,
                    width: inset.width - 47,
                    height: rows.min(inset.height.saturating_sub(at + 1)),
                },
                buf,
            );
        }
        cursor
    }

    fn label(&self, field: Field, mut pen: Pen<'_>, model: &Model) {
        let t = model.theme();
        let focused = self.focus == field;
        pen.put(if focused { "▌" } else { " " }, t.accent).put(field.label(), if focused { t.accent } else { t.dim });
        if let Some(error) = self.errors.get(&field) {
            pen.gap(2).put("✗ ", t.fail).put(error, t.fail);
        } else if focused {
            pen.gap(2).put("enter breaks the line, tab goes on", t.dim);
        }
    }

    fn draw_prompt(&self, area: Rect, buf: &mut Buffer, style: Style) {
        if self.focus == Field::Prompt {
            (&self.prompt).render(area, buf);
        } else {
            let mut still = self.prompt.clone();
            still.set_cursor_style(style);
            (&still).render(area, buf);
        }
    }

    fn draw_choices(&self, model: &Model, area: Rect, buf: &mut Buffer) {
        let t = model.theme();
        let choices = self.choices();
        let current = self.input(self.focus).rsplit(',').next().unwrap_or("").trim().to_owned();
        let rows = usize::from(area.height);
        let at = choices.iter().position(|c| *c == current);
        let top = at.map_or(0, |i| (i + 1).saturating_sub(rows));
        for (row, choice) in choices.iter().skip(top).take(rows).enumerate() {
            let chosen = at == Some(row + top);
            let mut pen = Pen::new(buf, area, row as u16);
            pen.put(if chosen { "● " } else { "○ " }, if chosen { t.accent } else { t.dim });
            pen.put(choice, if chosen { t.title } else { t.dim });
            if self.focus == Field::Backend && self.names.missing.contains_key(choice) {
                pen.put("  not on this machine", t.warn);
            }
            if row + 1 == rows && choices.len() > top + rows {
                pen.put(&format!("  … {} more", choices.len() - top - rows), t.dim);
            }
        }
    }
}
