//! Framed panes.

use super::pen::Pen;
use crate::tui::text;
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// What stands in a pane's frame.
#[derive(Clone, Debug, Default)]
pub struct Frame<'a> {
    pub title: &'a str,
    /// Facts at the right of the upper edge, most important first; those that do not fit are left out.
    pub facts: Vec<(String, Style)>,
    /// At the right of the lower edge: the place in a long list.
    pub foot: String,
    pub focused: bool,
}

/// Draws the frame and returns what is inside of it.
pub fn pane(area: Rect, buf: &mut Buffer, frame: &Frame<'_>, theme: &Theme) -> Rect {
    if area.width < 4 || area.height < 2 {
        return Rect { height: 0, ..area };
    }
    let style = if frame.focused { theme.focus } else { theme.border };
    let last = area.height - 1;
    let rule = "─".repeat(usize::from(area.width - 2));
    Pen::new(buf, area, 0).put("╭", style).put(&rule, style).put("╮", style);
    Pen::new(buf, area, last).put("╰", style).put(&rule, style).put("╯", style);
    for y in 1..last {
        Pen::new(buf, area, y).put("│", style).gap(area.width - 2).put("│", style);
    }
    let inside = Rect { x: area.x + 1, width: area.width - 2, ..area };
    let title_style = if frame.focused { theme.accent } else { theme.title };
    let mut used = 1;
    if !frame.title.is_empty() {
        let mut pen = Pen::new(buf, inside, 0);
        pen.gap(1).put(if frame.focused { "▸" } else { " " }, title_style).put(frame.title, title_style).put(" ", style);
        used = pen.x() - inside.x;
    }
    // facts, as many as fit, in their order, from the right edge
    let mut room = inside.width.saturating_sub(used + 3);
    let mut shown = Vec::new();
    for (fact, style) in &frame.facts {
        let w = text::width(&text::clean_line(fact)) as u16 + if shown.is_empty() { 2 } else { 3 };
        if w > room {
            break;
        }
        room -= w;
        shown.push((fact, *style));
    }
    if !shown.is_empty() {
        let w: u16 = shown.iter().map(|(f, _)| text::width(&text::clean_line(f)) as u16 + 3).sum::<u16>() - 1;
        let mut pen = Pen::new(buf, inside, 0);
        pen.skip_to_right(w + 1).put(" ", style);
        for (i, (fact, fact_style)) in shown.iter().enumerate() {
            if i > 0 {
                pen.put(" · ", style);
            }
            pen.put(fact, *fact_style);
        }
        pen.put(" ", style);
    }
    if !frame.foot.is_empty() {
        let w = text::width(&frame.foot) as u16 + 2;
        if w + 2 <= inside.width {
            Pen::new(buf, inside, last).skip_to_right(w + 1).put(" ", style).put(&frame.foot, theme.dim).put(" ", style);
        }
    }
    Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 2 }
}

/// `12–40 of 3,120`, or nothing when all rows show.
pub fn position(visible: &std::ops::Range<usize>, len: usize, more: bool) -> String {
    if visible.len() >= len && !more {
        return String::new();
    }
    format!("{}–{} of {}{}", visible.start + 1, visible.end, text::thousands(len as u64), if more { "+" } else { "" })
}

/// What an empty pane says: what would fill it, and which key does.
pub fn empty(area: Rect, buf: &mut Buffer, lines: &[&str], theme: &Theme) {
    let top = area.height.saturating_sub(lines.len() as u16) / 2;
    for (i, line) in lines.iter().enumerate() {
        let w = text::width(line) as u16;
        let mut pen = Pen::new(buf, area, top + i as u16);
        pen.gap(area.width.saturating_sub(w) / 2).put(line, if i == 0 { theme.text } else { theme.dim });
    }
}

/// A rectangle of at most this size in the middle of `area`.
pub fn center(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}
