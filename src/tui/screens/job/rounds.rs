//! A job's rounds of review: who judged, the score, each criterion with its evidence, each fix with whether it is closed.

use super::overview::Page;
use crate::domain::{Fix, Review, ReviewOutcome, Stage};
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widgets::{DocLine, Jump, share};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// The columns of a criterion's bar.
const BAR: usize = 8;
/// How much of a text is shown, in characters: the whole is in `orc job show`.
const LONGEST: usize = 400;

/// The newest round first.
pub fn lines(reviews: &[Review], p: &Page<'_>, out: &mut Vec<DocLine>) {
    let judged = reviews.iter().rposition(|r| r.judgement.is_some());
    for (i, r) in reviews.iter().enumerate().rev() {
        round(r, p, out);
        // Of older rounds the fixes are enough: what they scored has been overtaken.
        if Some(i) == judged {
            criteria(r, p, out);
        }
        for fix in &r.fixes {
            one(fix, p, out);
        }
    }
}

fn outcome(r: &Review, t: &Theme) -> (&'static str, &'static str, Style) {
    match (r.outcome, r.stage) {
        (Some(ReviewOutcome::Passed), _) => ("✓", "passed", t.ok),
        (Some(ReviewOutcome::Accepted), _) => ("✓", "accepted by you", t.ok),
        (Some(ReviewOutcome::Unreviewed), _) => ("▲", "not reviewed", t.warn),
        (Some(ReviewOutcome::Fixes), _) => ("↻", "sent back", t.warn),
        (Some(ReviewOutcome::Failed), _) => ("✗", "given up", t.fail),
        (Some(ReviewOutcome::Void), _) => ("■", "void", t.dim),
        (Some(ReviewOutcome::Dropped), _) => ("■", "dropped", t.dim),
        (None, Stage::Gather) => ("◎", "copies what is judged", t.info),
        (None, Stage::Test) => ("◎", "runs the tests", t.info),
        (None, Stage::Judge) => ("◎", "is judged", t.info),
        (None, Stage::Confirm | Stage::Over) => ("◎", "is confirmed", t.info),
        (None, Stage::Operator) => ("▲", "waits for you", t.warn),
    }
}

/// `✓ round 2  passed  0.91 of 0.80  tests pass  codex gpt-5`
fn round(r: &Review, p: &Page<'_>, out: &mut Vec<DocLine>) {
    let t = p.theme;
    let (mark, word, style) = outcome(r, t);
    let mut spans = vec![Span::styled(format!("{mark} round {}  {word}", r.round), style)];
    if let Some(score) = r.score {
        let style = if score >= r.threshold { t.ok } else { t.fail };
        spans.push(Span::styled(format!("  {score:.2}"), style));
        spans.push(Span::styled(format!(" of {:.2}", r.threshold), t.dim));
    }
    match r.tests_passed {
        Some(true) => spans.push(Span::styled("  tests pass", t.ok)),
        Some(false) => spans.push(Span::styled("  tests fail", t.fail)),
        None => {}
    }
    if let Some(who) = &r.reviewer {
        spans.push(Span::styled(format!("  {}", text::clean_line(who)), t.text));
    }
    if let Some(hash) = &r.hash {
        let (kind, id) = hash.split_once(':').unwrap_or(("", hash));
        spans.push(Span::styled(format!("  {kind} {}", id.chars().take(8).collect::<String>()), t.dim));
    }
    let jump = r.review_job.or(r.test_job).map(Jump::Job);
    out.extend(text::wrap(Line::from(spans), p.width, 2).into_iter().map(|line| DocLine { line, jump }));
}

fn criteria(r: &Review, p: &Page<'_>, out: &mut Vec<DocLine>) {
    let t = p.theme;
    let scores = r.judgement.iter().flat_map(|j| &j.criteria);
    let name = scores.clone().map(|c| text::width(&text::clean_line(&c.id))).max().unwrap_or(0).min(16);
    for c in scores {
        let (full, rest) = share(c.score, BAR);
        let id = text::clean_line(&c.id);
        let id = text::fit(&id, name);
        let pad = " ".repeat(name.saturating_sub(text::width(&id)));
        let line = Line::from(vec![
            Span::styled(format!("  {:.2} ", c.score), t.text),
            Span::styled(full, t.gauge),
            Span::styled(rest, t.gauge_empty),
            Span::styled(format!(" {id}{pad}  "), t.title),
            Span::styled(short(&c.evidence), t.dim),
        ]);
        out.extend(text::wrap(line, p.width, BAR + name + 10).into_iter().map(DocLine::of));
    }
}

fn one(fix: &Fix, p: &Page<'_>, out: &mut Vec<DocLine>) {
    let t = p.theme;
    let (mark, word, style) = if fix.closed { ("✓", "closed", t.ok) } else { ("○", "open  ", t.warn) };
    let says = if fix.closed { t.dim } else { t.text };
    let line = Line::from(vec![Span::styled(format!("  {mark} {:>2} {word} ", fix.number), style), Span::styled(short(&fix.text), says)]);
    out.extend(text::wrap(line, p.width, 14).into_iter().map(DocLine::of));
    if let Some(evidence) = fix.evidence.as_deref().filter(|e| !e.is_empty()) {
        let line = Line::styled(format!("              → {}", short(evidence)), t.dim);
        out.extend(text::wrap(line, p.width, 16).into_iter().map(DocLine::of));
    }
}

fn short(source: &str) -> String {
    let line = text::clean_line(source).split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = line.chars().take(LONGEST).collect();
    if cut.len() < line.len() { format!("{cut}…") } else { cut }
}
