//! The four terms of a memory's score as bars. The letters and places tell them apart; colour is not needed.

use super::bars::share;
use super::pen::Pen;
use crate::domain::Terms;
use crate::tui::theme::Theme;
use ratatui::text::Span;

/// Name by letter, and value: similarity, recency, importance, access; each 0 to 1 before its weight.
fn parts(t: &Terms) -> [(&'static str, f64); 4] {
    [("s", t.similarity), ("r", t.recency), ("i", t.importance), ("a", t.access)]
}

/// Four bars of `each` columns and a blank; a bar of one column is preceded by its letter's place in the titles.
pub fn terms(pen: &mut Pen<'_>, each: u16, t: &Terms, theme: &Theme) {
    for (_, value) in parts(t) {
        let (full, rest) = share(value, usize::from(each));
        let used = (crate::tui::text::width(&full)) as u16;
        pen.put(&full, theme.gauge)
            .put(&rest, theme.gauge_empty)
            .gap((each + 1).saturating_sub(used + crate::tui::text::width(&rest) as u16));
    }
}

/// The same as part of a line, with letters and figures.
pub fn terms_line(t: &Terms, each: usize, theme: &Theme) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    for (letter, value) in parts(t) {
        let (full, rest) = share(value, each);
        spans.push(Span::styled(format!(" {letter} "), theme.dim));
        spans.push(Span::styled(full, theme.gauge));
        spans.push(Span::styled(rest, theme.gauge_empty));
        if each > 1 {
            spans.push(Span::styled(format!(" {value:.2}"), theme.text));
        }
    }
    spans
}
