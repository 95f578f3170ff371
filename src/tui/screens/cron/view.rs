//! The schedules, drawn.

use super::Clockwork;
use crate::domain::{CronRow, Fire, FireOutcome, JobState, Timestamp, Upcoming};
use crate::tui::model::Model;
use crate::tui::screens::job::overview::Page as Sheet;
use crate::tui::screens::look::{self, Look};
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widgets::{DocLine, Frame, Jump, Pen, empty, pane, position};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
/// How high an hour's tokens are beside those of the day's highest.
const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// List and what belongs to it: beside each other on a wide screen, else one over the other.
pub fn areas(body: Rect) -> (Rect, Rect) {
    if body.width >= 160 {
        let left = body.width / 2;
        return (Rect { width: left, ..body }, Rect { x: body.x + left, width: body.width - left, ..body });
    }
    let top = (body.height / 2).clamp(5, 14).min(body.height);
    (Rect { height: top, ..body }, Rect { y: body.y + top, height: body.height - top, ..body })
}

/// Draws the screen.
pub fn draw(model: &Model, body: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let c = &model.cron;
    let (list, detail) = areas(body);
    let mut facts = Vec::new();
    if !c.filter.is_empty() {
        facts.push((format!("/{}", c.filter), t.accent));
    }
    if let Some(problem) = &c.view.problem {
        let first = problem.lines().next().unwrap_or_default();
        facts.push((format!("last good schedules in force: {first}"), t.warn));
        facts.push(("cron.toml has a mistake: last good in force".to_owned(), t.warn));
        if text::width(first) + 60 > usize::from(list.width) {
            facts.remove(facts.len() - 2);
        }
    }
    let slow = c.view.rows.iter().filter(|r| r.every > 1).count();
    if slow > 0 {
        facts.push((format!("{slow} backing off"), t.dim));
    }
    let foot = position(&c.cursor.visible(), c.names.len(), false);
    let inner = pane(list, buf, &Frame { title: "Schedules", facts, foot, focused: !c.reading }, t);
    let head = Rect { height: inner.height.min(1), ..inner };
    titles(Pen::new(buf, head, 0), t);
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    if c.names.is_empty() {
        says_empty(model, rows, buf);
    }
    let shown: Vec<&CronRow> = c.rows().collect();
    for (row, index) in c.cursor.visible().enumerate() {
        let Some(item) = shown.get(index) else { continue };
        let current = index == c.cursor.index;
        draw_row(item, Pen::new(buf, rows, row as u16), &model.look(current));
        if current {
            buf.set_style(Rect { y: rows.y + row as u16, height: 1, ..rows }.intersection(buf.area), t.selected);
        }
    }
    let title = c.selected().map_or_else(|| "Next 24 hours".to_owned(), |r| format!("Next 24 hours · {}", r.name));
    let foot = position(&c.doc.cursor.visible(), c.doc.lines.len(), false);
    let inner = pane(detail, buf, &Frame { title: &title, facts: Vec::new(), foot, focused: c.reading }, t);
    c.doc.draw(inner, buf, c.reading, t);
}

fn says_empty(model: &Model, area: Rect, buf: &mut Buffer) {
    let c = &model.cron;
    let lines: [&str; 2] = match (&c.failed, c.loaded, c.filter.is_empty()) {
        (Some(why), ..) => [why, "Schedules go on firing without this view."],
        (None, false, _) => ["Reading schedules …", ""],
        (None, true, false) => ["No schedule matches the filter.", "esc clears it."],
        (None, true, true) => ["Nothing starts by the clock.", "Schedules are in cron.toml; `orc init` brings the shipped ones."],
    };
    empty(area, buf, &lines, model.theme());
}

fn titles(mut pen: Pen<'_>, t: &Theme) {
    let s = t.dim;
    let wide = pen.left() >= 96;
    pen.gap(1).cell("", 2, s).cell("schedule", 20, s).cell("when", if wide { 20 } else { 17 }, s);
    pen.cell("next", 9, s).cell("last", 14, s);
    if wide {
        pen.right_cell("~tokens", 8, s).gap(1).cell("runs", 9, s);
    }
    pen.put("remark", s);
}

fn draw_row(r: &CronRow, mut pen: Pen<'_>, look: &Look<'_>) {
    let t = look.theme;
    let wide = pen.left() >= 96;
    pen.put(if look.current { "▌" } else { " " }, t.accent);
    let (mark, style) = match (r.enabled, &r.problem, r.every) {
        (false, ..) => ("○", t.dim),
        (true, Some(_), _) => ("▲", t.warn),
        (true, None, 1) => ("●", t.ok),
        (true, None, _) => ("◌", t.info),
    };
    pen.put(mark, style).gap(1).cell(&r.name, 19, if r.enabled { t.text } else { t.dim }).gap(1);
    pen.cell(&r.schedule, if wide { 19 } else { 16 }, t.dim).gap(1);
    let next = match (r.enabled, r.next) {
        (false, _) => "off".to_owned(),
        (true, Some(at)) => format!("in {}", text::age(at.since(look.now).as_millis() as u64)),
        (true, None) => "never".to_owned(),
    };
    pen.cell(&next, 8, if r.enabled { t.accent } else { t.dim }).gap(1);
    match &r.last {
        Some(f) => {
            let (mark, words, style) = outcome(f, t);
            pen.put(mark, style).gap(1).cell(&words, 11, style).gap(1);
        }
        None => {
            pen.cell("–", 14, t.dim);
        }
    }
    if wide {
        pen.right_cell(&tokens(r.tokens), 8, t.dim).gap(1).cell(&r.backend, 8, t.dim).gap(1);
    }
    let remark = match (&r.problem, r.every) {
        (Some(problem), _) if r.enabled => (problem.clone(), t.warn),
        (_, n) if n > 1 && r.enabled => (format!("every {n}: nothing to do {}×", r.quiet), t.info),
        _ if r.enabled_by == "operator" => ("by you".to_owned(), t.dim),
        _ => (String::new(), t.dim),
    };
    pen.put(&remark.0, remark.1);
}

/// What became of a fire: a mark, a word or two, a style.
fn outcome(f: &Fire, t: &Theme) -> (&'static str, String, Style) {
    match (f.outcome, f.job_state) {
        (FireOutcome::Fired, None | Some(JobState::Done)) if f.found == Some(false) => ("✓", "no work".to_owned(), t.dim),
        (FireOutcome::Fired, Some(state)) => {
            let (mark, style) = look::state(state, t);
            (mark, state.to_string(), style)
        }
        (FireOutcome::Fired, None) => ("○", "fired".to_owned(), t.text),
        (FireOutcome::Duplicate, _) => ("=", "open already".to_owned(), t.dim),
        (FireOutcome::Missed, _) => ("!", "missed".to_owned(), t.warn),
        (FireOutcome::Overlap, _) => ("‖", "overlap".to_owned(), t.warn),
        (FireOutcome::BackedOff, _) => ("◌", "backed off".to_owned(), t.info),
        (FireOutcome::Refused, _) => ("✗", "refused".to_owned(), t.fail),
    }
}

fn switched(r: &CronRow) -> String {
    format!("switched {} by you", if r.enabled { "on" } else { "off" })
}

fn tokens(n: u64) -> String {
    if n == 0 { "–".to_owned() } else { format!("~{}", text::count(n)) }
}

/// The lower pane: the day ahead, the selected schedule's part in it, and its past.
pub fn lines(c: &Clockwork, p: &Sheet<'_>) -> Vec<DocLine> {
    let t = p.theme;
    let mut out = Vec::new();
    if let Some(problem) = &c.view.problem {
        out.extend(DocLine::wrapped(problem, p.width, t.warn));
    }
    if c.view.rows.is_empty() {
        return out;
    }
    day(&c.view.upcoming, p, &mut out);
    let Some(row) = c.selected() else { return out };
    out.push(DocLine::default());
    out.push(DocLine::of(Line::styled(text::clean_line(&row.name).into_owned(), t.title)));
    if let Some(problem) = &row.problem {
        out.extend(DocLine::wrapped(problem, p.width, t.warn));
    }
    facts(row, p, &mut out);
    coming(c, row, p, &mut out);
    past(c, p, &mut out);
    out
}

/// The next 24 hours: jobs and tokens of each, and what starts together.
fn day(all: &[Upcoming], p: &Sheet<'_>, out: &mut Vec<DocLine>) {
    let t = p.theme;
    let made: Vec<&Upcoming> = all.iter().filter(|u| !u.backed_off).collect();
    let sum: u64 = made.iter().map(|u| u.tokens).sum();
    let together = made.iter().filter(|u| !u.collides.is_empty()).count();
    let says = format!("{}, ~{} tokens, {together} within a minute of another", text::plural(made.len() as u64, "job"), text::count(sum));
    out.push(DocLine::of(Line::styled(says, t.text)));
    // From the full hour on the operator's clock.
    let offset = i64::from(p.utc_offset) * 1000;
    let hour = HOUR.as_millis() as i64;
    let start = Timestamp((p.now.0 + offset).div_euclid(hour) * hour - offset);
    let cells = ((p.width.saturating_sub(5)) / 3).min(24);
    let part = |n: usize| {
        let from = start + HOUR * n as u32;
        made.iter().filter(move |u| u.at >= from && u.at < from + HOUR)
    };
    let hours: Vec<(usize, u64, bool)> =
        (0..cells).map(|n| (part(n).count(), part(n).map(|u| u.tokens).sum(), part(n).any(|u| !u.collides.is_empty()))).collect();
    let most = hours.iter().map(|h| h.1).max().unwrap_or(0).max(1);
    let line = |label: &str, cell: &dyn Fn(usize) -> (String, Style)| {
        let mut spans = vec![Span::styled(format!("{label:<5}"), t.dim)];
        spans.extend((0..cells).map(|n| {
            let (content, style) = cell(n);
            Span::styled(format!("{content:>2} "), style)
        }));
        DocLine::of(Line::from(spans))
    };
    out.push(line("hour", &|n| (text::clock(start + HOUR * n as u32, p.utc_offset, false)[..2].to_owned(), t.dim)));
    out.push(line("jobs", &|n| match hours[n] {
        (0, ..) => ("·".to_owned(), t.dim),
        (jobs, _, together) => (jobs.min(99).to_string(), if together { t.warn } else { t.text }),
    }));
    out.push(line("tok", &|n| match hours[n].1 {
        0 => (String::new(), t.dim),
        tokens => {
            let bar = BARS[((tokens * 8).div_ceil(most) as usize).clamp(1, 8) - 1];
            (bar.repeat(2), t.accent)
        }
    }));
}

fn facts(r: &CronRow, p: &Sheet<'_>, out: &mut Vec<DocLine>) {
    let t = p.theme;
    let mut all = vec![format!("{} in {}", r.schedule, r.timezone)];
    all.push(format!("{} · {}", r.backend, r.kind));
    if !r.skills.is_empty() {
        all.push(format!("skill {}", r.skills.join(", ")));
    }
    all.push(format!("missed: {}, overlap: {}", r.catch_up, r.overlap));
    if r.jitter_ms > 0 {
        all.push(format!("jitter up to {}", text::duration(r.jitter_ms)));
    }
    if r.enabled_by == "operator" {
        all.push(format!("{}: `orc cron reset` leaves it to cron.toml again", switched(r)));
    }
    out.extend(DocLine::wrapped(&all.join(" · "), p.width, t.dim));
    if r.every > 1 {
        let says = format!("nothing to do {} in a row: only every {} fires makes a job; {} more left out", r.quiet, r.every, r.skip);
        out.extend(DocLine::wrapped(&says, p.width, t.info));
    }
}

fn coming(c: &Clockwork, row: &CronRow, p: &Sheet<'_>, out: &mut Vec<DocLine>) {
    const SHOWN: usize = 4;
    let t = p.theme;
    for u in c.view.upcoming.iter().filter(|u| u.name == row.name).take(SHOWN) {
        let mut spans = vec![Span::styled(format!("→ {:<9}", text::moment(u.at, p.now, p.utc_offset)), t.accent)];
        let what = if u.backed_off { "left out: backing off".to_owned() } else { format!("{} tokens", tokens(u.tokens)) };
        spans.push(Span::styled(what, t.dim));
        if !u.collides.is_empty() {
            spans.push(Span::styled(format!("  with {}", u.collides.join(", ")), t.warn));
        }
        out.extend(text::wrap(Line::from(spans), p.width, 4).into_iter().map(DocLine::of));
    }
}

fn past(c: &Clockwork, p: &Sheet<'_>, out: &mut Vec<DocLine>) {
    let t = p.theme;
    let Some(fires) = c.past() else { return };
    out.push(DocLine::default());
    if fires.is_empty() {
        out.push(DocLine::of(Line::styled("It has not fired yet.", t.dim)));
        return;
    }
    out.push(DocLine::of(Line::styled("Past fires (enter opens the job)", t.title)));
    for f in fires {
        let (mark, words, style) = outcome(f, t);
        let mut spans = vec![
            Span::styled(format!("{:<13}", text::moment(f.at, p.now, p.utc_offset)), t.dim),
            Span::styled(format!("{mark} {words:<13}"), style),
        ];
        if let Some(job) = f.job {
            spans.push(Span::styled(format!("#{job:<6}"), t.text));
        }
        if f.tokens > 0 {
            spans.push(Span::styled(format!("{} tokens ", text::count(f.tokens)), t.dim));
        }
        if let Some(project) = f.project {
            spans.push(Span::styled(format!("project {project} "), t.text));
        }
        if f.manual {
            spans.push(Span::styled("by hand ", t.dim));
        }
        if f.missed > 0 {
            spans.push(Span::styled(format!("{} older left out ", f.missed), t.warn));
        }
        if let Some(note) = &f.note {
            spans.push(Span::styled(text::clean_line(note).into_owned(), t.dim));
        }
        let jump = f.job.map(Jump::Job);
        out.extend(text::wrap(Line::from(spans), p.width, 15).into_iter().map(|line| DocLine { line, jump }));
    }
}
