//! An opened job, drawn.

use super::{JobScreen, Tab};
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::screens::look;
use crate::tui::text;
use crate::tui::widgets::{Frame, Pen, empty, pane, position};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Columns left of the transcript: the mark of the current line and the time.
pub const GUTTER: u16 = 8;
/// From this width on the overview stands beside what is read.
const WIDE: u16 = 140;

/// The page areas of overview and reading, frames and tabs taken off.
pub fn reading_area(body: Rect) -> (Rect, Rect) {
    let (left, right) = split(body);
    let inner = |r: Rect, head: u16| Rect {
        x: r.x + 1,
        y: r.y + 1 + head,
        width: r.width.saturating_sub(2),
        height: r.height.saturating_sub(2 + head),
    };
    match left {
        Some(left) => (inner(left, 0), inner(right, 1)),
        None => (inner(right, 1), inner(right, 1)),
    }
}

fn split(body: Rect) -> (Option<Rect>, Rect) {
    if body.width < WIDE {
        return (None, body);
    }
    let left = (body.width * 2 / 5).clamp(56, 84);
    (Some(Rect { width: left, ..body }), Rect { x: body.x + left, width: body.width - left, ..body })
}

/// Draws the screen.
pub fn draw(model: &Model, job: &JobScreen, body: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let (left, right) = split(body);
    let (overview, reading) = reading_area(body);
    let title = match &job.detail {
        Some(d) => format!("#{} {}", job.id, text::clean_line(&d.job.spec.title)),
        None => format!("#{}", job.id),
    };
    let title = text::fit(&title, usize::from(body.width.min(left.map_or(u16::MAX, |l| l.width)).saturating_sub(24))).into_owned();
    let mut facts = Vec::new();
    if let Some(d) = &job.detail {
        let (mark, style) = look::state(d.job.state, t);
        facts.push((format!("{mark} {}", d.job.state), style));
        facts.push((d.job.spec.priority.to_string(), look::priority(d.job.spec.priority, t)));
        facts.push((d.job.spec.backend.clone(), t.dim));
    }
    let tab = if left.is_some() && job.tab == Tab::Overview { job.beside } else { job.tab };
    match left {
        Some(left) => {
            let focused = job.tab == Tab::Overview;
            let foot = position(&job.overview.cursor.visible(), job.overview.lines.len(), false);
            pane(left, buf, &Frame { title: &title, facts, foot, focused }, t);
            page(model, job, Tab::Overview, overview, buf, focused);
            pane(
                right,
                buf,
                &Frame { title: tab.name(), facts: reading_facts(model, job, tab), foot: foot_of(job, tab), focused: !focused },
                t,
            );
            tabs(model, job, right, buf, &Tab::ALL[1..], tab);
            page(model, job, tab, reading, buf, !focused);
        }
        None => {
            let mut all = reading_facts(model, job, tab);
            facts.append(&mut all);
            pane(right, buf, &Frame { title: &title, facts, foot: foot_of(job, tab), focused: true }, t);
            tabs(model, job, right, buf, &Tab::ALL, tab);
            page(model, job, tab, reading, buf, true);
        }
    }
}

fn foot_of(job: &JobScreen, tab: Tab) -> String {
    match tab {
        Tab::Overview => position(&job.overview.cursor.visible(), job.overview.lines.len(), false),
        Tab::Transcript if job.transcript.follow => String::new(),
        Tab::Transcript => position(&job.transcript.cursor.visible(), job.transcript.keys.len(), job.transcript.more_before),
        Tab::Memory => position(&job.memory.cursor.visible(), job.memory.lines.len(), false),
        Tab::Prompt => position(&job.prompt.cursor.visible(), job.prompt.lines.len(), false),
        Tab::Result => position(&job.result.cursor.visible(), job.result.lines.len(), false),
        Tab::Files if job.files.reading() => position(&job.files.doc.cursor.visible(), job.files.doc.lines.len(), false),
        Tab::Files => String::new(),
    }
}

fn reading_facts(model: &Model, job: &JobScreen, tab: Tab) -> Vec<(String, ratatui::style::Style)> {
    let t = model.theme();
    if tab != Tab::Transcript {
        return Vec::new();
    }
    let key = model.options.keymap.key(Action::Follow);
    let tr = &job.transcript;
    match (tr.follow, tr.newer()) {
        (true, _) if job.running() => vec![("following".to_owned(), t.ok)],
        (true, _) => Vec::new(),
        (false, true) => vec![(format!("frozen, newer below ({key} follows)"), t.warn)],
        (false, false) => vec![(format!("frozen ({key} follows)"), t.warn)],
    }
}

fn tabs(model: &Model, job: &JobScreen, area: Rect, buf: &mut Buffer, shown: &[Tab], current: Tab) {
    let t = model.theme();
    let inner = Rect { x: area.x + 1, y: area.y + 1, width: area.width.saturating_sub(2), height: area.height.saturating_sub(2).min(1) };
    let mut pen = Pen::new(buf, inner, 0);
    pen.gap(1);
    for tab in shown {
        pen.put(&format!(" {} ", tab.name()), if *tab == current { t.badge } else { t.dim }).gap(1);
    }
    // which attempt is read, where there are several
    if let Some(d) = job.detail.as_ref().filter(|d| current == Tab::Transcript && d.attempts.len() > 1)
        && let Some(a) = d.attempts.iter().find(|a| Some(a.id) == job.transcript.attempt())
    {
        let words = format!("attempt {} of {} ", a.number, d.attempts.len());
        if pen.left() > text::width(&words) as u16 {
            pen.skip_to_right(text::width(&words) as u16).put(&words, t.dim);
        }
    }
}

fn page(model: &Model, job: &JobScreen, tab: Tab, area: Rect, buf: &mut Buffer, focused: bool) {
    let t = model.theme();
    let Some(d) = &job.detail else {
        let says = job.error.clone().unwrap_or_else(|| format!("Reading job {} …", job.id));
        return empty(area, buf, &[&says], t);
    };
    match tab {
        Tab::Overview => job.overview.draw(area, buf, focused, t),
        Tab::Prompt => job.prompt.draw(area, buf, focused, t),
        Tab::Memory if job.memory.lines.is_empty() => {
            let says: [&str; 2] = match &job.recalls {
                None => ["Reading what it was given …", ""],
                Some(_) if d.attempts.is_empty() => ["Not started yet.", "What it is given from memory is chosen when it starts."],
                Some(_) => ["This job was given no memory.", "`orc memory search` shows what there is."],
            };
            empty(area, buf, &says, t);
        }
        Tab::Memory => job.memory.draw(area, buf, focused, t),
        Tab::Result if job.result.lines.is_empty() => {
            let says =
                if d.job.state.is_final() { "The job left no result." } else { "No result yet: it appears here when the job is done." };
            empty(area, buf, &[says], t);
        }
        Tab::Result => job.result.draw(area, buf, focused, t),
        Tab::Files if job.files.is_empty() && !job.files.reading() => {
            let says: [&str; 2] = [
                "This job declares no files and has no branch.",
                "Files that are named when it is submitted (`--artefact PATH`) open here.",
            ];
            empty(area, buf, &says, t);
        }
        Tab::Files => job.files.draw(area, buf, focused, |at| text::moment(at, model.now, model.utc_offset), t),
        Tab::Transcript => transcript(model, job, area, buf, focused),
    }
}

fn transcript(model: &Model, job: &JobScreen, area: Rect, buf: &mut Buffer, focused: bool) {
    let t = model.theme();
    let tr = &job.transcript;
    if tr.keys.is_empty() {
        let says: [&str; 1] = match (&tr.failed, tr.attempt(), tr.loaded) {
            (Some(why), ..) => [why],
            (None, None, _) => ["No attempt yet: the transcript streams here when the job runs."],
            (None, Some(_), false) => ["Reading the transcript …"],
            (None, Some(_), true) => ["The agent has said nothing yet."],
        };
        return empty(area, buf, &says, t);
    }
    let mut last_minute = String::new();
    for (row, index) in tr.cursor.visible().enumerate() {
        let Some(&(seq, line)) = tr.keys.get(index) else { continue };
        let Some(block) = tr.block(seq) else { continue };
        let row = row as u16;
        let current = focused && index == tr.cursor.index;
        let mut pen = Pen::new(buf, area, row);
        pen.put(if current { "▌" } else { " " }, t.accent);
        let minute = text::clock(block.at, model.utc_offset, false);
        let show = (line == 0 || row == 0) && minute != last_minute;
        pen.cell(if show { &minute } else { "" }, GUTTER - 2, t.dim);
        if show {
            last_minute = minute;
        }
        if let Some(content) = block.lines.get(line as usize) {
            pen.line(content);
        }
        if current {
            buf.set_style(Rect { y: area.y + row, height: 1, ..area }.intersection(buf.area), t.selected);
        }
    }
}
