//! What a job was given from memory: the terms are those of that moment, never worked out again.

use super::overview::Page;
use crate::domain::Injected;
use crate::tui::text;
use crate::tui::widgets::{DocLine, Jump, terms_line};
use ratatui::text::{Line, Span};

/// The newest attempt first, the best memory first.
pub fn lines(recalls: &[Injected], p: &Page<'_>) -> Vec<DocLine> {
    let t = p.theme;
    let mut out = Vec::new();
    let mut attempts: Vec<_> = recalls.iter().map(|r| r.attempt).collect();
    attempts.sort_unstable();
    attempts.dedup();
    for attempt in attempts.into_iter().rev() {
        let given: Vec<&Injected> = recalls.iter().filter(|r| r.attempt == attempt).collect();
        if !out.is_empty() {
            out.push(DocLine::default());
        }
        let at = given.first().map(|r| text::moment(r.at, p.now, p.utc_offset)).unwrap_or_default();
        let head =
            format!("Given to attempt {attempt} at {at}: {}", text::plural(given.len() as u64, "memory").replace("memorys", "memories"));
        out.push(DocLine::of(Line::styled(head, t.accent)));
        for r in given {
            let jump = Some(Jump::Memory(r.memory));
            let mut spans = vec![Span::styled(format!("{:>2} {:.2}", r.rank, r.score), t.title)];
            spans.extend(terms_line(&r.terms, if p.width >= 76 { 6 } else { 1 }, t));
            if let Some(factor) = r.lowered() {
                spans.push(Span::styled(format!(" {factor} given shortly before"), t.warn));
            }
            if r.vetoed {
                spans.push(Span::styled(" ✗ vetoed", t.fail));
            }
            out.extend(text::wrap(Line::from(spans), p.width, 3).into_iter().map(|line| DocLine { line, jump }));
            let from = if r.external { "◇ " } else { "" };
            let says = format!("   {from}{}", text::clean_line(r.text.trim_start_matches("- ")));
            let style = if r.vetoed { t.dim } else { t.text };
            out.extend(text::wrap(Line::styled(says, style), p.width, 3).into_iter().map(|line| DocLine { line, jump }));
        }
    }
    out
}
