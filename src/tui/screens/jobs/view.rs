//! The list of jobs, drawn.

use super::{Jobs, NAMES, TABS};
use crate::domain::JobState;
use crate::tui::model::Model;
use crate::tui::screens::look::{self, Look};
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widgets::{Frame, Pen, empty, pane};
use crate::wire::JobRow;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Rows of the area that are not rows of the list: frame, tabs, column titles.
pub const AROUND: u16 = 4;

/// Draws the screen.
pub fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let jobs = &model.jobs;
    let mut facts = Vec::new();
    if !jobs.marks.is_empty() {
        facts.push((format!("{} marked", jobs.marks.len()), t.warn));
    }
    if !jobs.filter.is_empty() {
        facts.push((format!("/{}", jobs.filter), t.accent));
    }
    let foot = place(jobs);
    let inner = pane(area, buf, &Frame { title: "Jobs", facts, foot, focused: true }, t);
    tabs(jobs, inner, buf, t);
    let head = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1).min(1), ..inner };
    let columns = Columns::of(inner.width);
    columns.titles(Pen::new(buf, head, 0), t.dim);
    let body = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
    if jobs.rows.is_empty() {
        let filtered = !jobs.filter.is_empty();
        let terms = format!("Words of the title, or {NAMES}");
        let new = format!("{} dispatches a job; so does `orc job add` in a shell.", model.options.keymap.key(crate::tui::Action::Dispatch));
        let lines: [&str; 2] = match (jobs.loaded, filtered, jobs.tab) {
            (false, ..) => ["Reading jobs …", ""],
            (true, true, _) => ["No job matches the filter; esc clears it.", &terms],
            (true, false, 0) => ["No jobs yet.", &new],
            (true, false, _) => ["No job is in this state.", "← → shows others."],
        };
        empty(body, buf, &lines, t);
        return;
    }
    for (row, index) in jobs.cursor.visible().enumerate() {
        let Some(job) = jobs.rows.get(index).and_then(|&id| jobs.row(id)) else { continue };
        let marked = jobs.marks.contains(&job.id);
        let current = index == jobs.cursor.index;
        columns.row(job, Pen::new(buf, body, row as u16), &Look { marked, ..model.look(current) });
        if current {
            buf.set_style(Rect { y: body.y + row as u16, height: 1, ..body }.intersection(buf.area), t.selected);
        }
    }
}

/// `12–40 of 3,120`; nothing when all rows show.
fn place(jobs: &Jobs) -> String {
    let visible = jobs.cursor.visible();
    let all = jobs.total().map_or(jobs.rows.len(), |n| (n as usize).max(jobs.offset + jobs.rows.len()));
    if visible.len() >= all {
        return String::new();
    }
    // between two unknown stretches the place was reckoned, not counted
    let about = if jobs.stretch.from.is_some() && jobs.stretch.to.is_some() { "~" } else { "" };
    let count = |n: usize| text::thousands(n as u64);
    format!("{about}{}–{} of {}", count(jobs.offset + visible.start + 1), count(jobs.offset + visible.end), count(all))
}

fn tabs(jobs: &Jobs, area: Rect, buf: &mut Buffer, t: &Theme) {
    let mut pen = Pen::new(buf, area, 0);
    pen.gap(1);
    let wide = area.width >= 90;
    for (i, (name, _)) in TABS.iter().enumerate() {
        let label = match jobs.count(i) {
            Some(n) if wide || i == jobs.tab => format!(" {name} {} ", text::count(n)),
            _ => format!(" {name} "),
        };
        if pen.left() < text::width(&label) as u16 {
            break;
        }
        pen.put(&label, if i == jobs.tab { t.badge } else { t.dim });
        pen.gap(u16::from(wide));
    }
}

/// Which columns there is room for.
struct Columns {
    kind: bool,
    project: bool,
    worker: u16,
    tries: bool,
    tokens: bool,
    cost: bool,
}

impl Columns {
    fn of(width: u16) -> Columns {
        Columns {
            kind: width >= 140,
            project: width >= 130,
            worker: if width >= 150 {
                16
            } else if width >= 96 {
                12
            } else {
                0
            },
            tries: width >= 110,
            tokens: width >= 90,
            cost: width >= 118,
        }
    }

    fn titles(&self, mut pen: Pen<'_>, s: Style) {
        pen.gap(2).right_cell("id", 7, s).gap(1).cell("state", 11, s).gap(1).cell("pr", 3, s);
        pen.cell("backend", 9, s);
        if self.kind {
            pen.cell("kind", 9, s);
        }
        if self.project {
            pen.cell("project", 12, s).gap(1);
        }
        if self.worker > 0 {
            pen.cell("worker", self.worker, s).gap(1);
        }
        if self.tries {
            pen.cell("try", 4, s);
        }
        pen.right_cell("time", 7, s).gap(1);
        if self.tokens {
            pen.right_cell("tok", 6, s).gap(1);
        }
        if self.cost {
            pen.right_cell("cost", 7, s).gap(1);
        }
        pen.gap(1).put("title", s);
    }

    fn row(&self, job: &JobRow, mut pen: Pen<'_>, look: &Look<'_>) {
        let t = look.theme;
        let (mark, style) = look::state(job.state, t);
        pen.put(if look.current { "▌" } else { " " }, t.accent);
        pen.put(if look.marked { "●" } else { " " }, t.warn);
        pen.right_cell(&format!("#{}", job.id), 7, t.dim).gap(1);
        pen.cell(&format!("{mark} {}", job.state), 11, style).gap(1);
        pen.cell(&job.priority.to_string(), 3, look::priority(job.priority, t));
        pen.cell(&job.backend, 8, t.text).gap(1);
        if self.kind {
            pen.cell(job.kind.as_str(), 8, t.dim).gap(1);
        }
        if self.project {
            pen.cell(job.project.as_deref().unwrap_or("–"), 12, t.dim).gap(1);
        }
        if self.worker > 0 {
            pen.cell(job.worker.as_deref().unwrap_or("–"), self.worker, t.dim).gap(1);
        }
        if self.tries {
            let tries = if job.attempts > u32::from(job.state == JobState::Done) {
                format!("{}/{}", job.attempts, job.max_attempts)
            } else {
                String::new()
            };
            pen.cell(&tries, 4, t.warn);
        }
        pen.right_cell(&look::when(job, look.now, look.utc_offset), 7, t.text).gap(1);
        if self.tokens {
            let tokens = if job.tokens == 0 { "–".to_owned() } else { text::count(job.tokens) };
            pen.right_cell(&tokens, 6, t.dim).gap(1);
        }
        if self.cost {
            let cost = if job.cost_usd > 0.0 { text::money(job.cost_usd) } else { "–".to_owned() };
            pen.right_cell(&cost, 7, t.dim).gap(1);
        }
        pen.gap(1);
        title(job, &mut pen, look, !self.project);
    }
}

/// The title, and after it what is to be said, each cut fairly: what holds it, what happened to it, whose it is.
fn title(job: &JobRow, pen: &mut Pen<'_>, look: &Look<'_>, with_project: bool) {
    let t = look.theme;
    let style = if job.state.is_final() { t.dim } else { t.text };
    let (holds, note) = look::remark(job, look, false);
    let wide = |s: &str| text::width(&text::clean_line(s)) as u16;
    let room = pen.left();
    // a note is long and gives way; a reason is short and stays
    let most = if job.state.is_final() { room / 2 } else { room.saturating_sub(16) };
    let keep = if holds.is_empty() { 0 } else { (wide(&holds) + 2).min(most) };
    pen.cell(&job.title, wide(&job.title).min(room - keep), style);
    if keep > 0 {
        pen.gap(2).put(&holds, if job.state.is_final() { look::state(job.state, t).1 } else { t.dim });
    }
    let project = job.project.as_deref().filter(|_| with_project).unwrap_or_default();
    for more in [&note, project] {
        // half a remark says nothing
        if !more.is_empty() && pen.left() > wide(more).min(24) + 2 {
            pen.gap(2).put(more, t.dim);
        }
    }
}

/// One job in a narrow list (lanes): the dashboard's rows.
pub fn draw_row(job: &JobRow, mut pen: Pen<'_>, look: &Look<'_>) {
    let t = look.theme;
    pen.put(if look.current { "▌" } else { " " }, t.accent).gap(1);
    pen.cell(&job.priority.to_string(), 3, look::priority(job.priority, t));
    pen.right_cell(&format!("#{}", job.id), 7, t.dim).gap(1);
    if job.open_dependencies > 0 {
        pen.cell(&format!("⇠{} ", job.open_dependencies), 3, t.warn);
    } else if job.attempts > 0 {
        pen.cell(&format!("↻{} ", job.attempts), 3, t.warn);
    } else {
        pen.gap(3);
    }
    let (holds, note) = look::remark(job, look, true);
    // who is to do it says itself where it is what holds the job
    let backend = if pen.left() > 34 && !holds.starts_with(&job.backend) { 9 } else { 0 };
    let room = pen.left().saturating_sub(backend + 6);
    let wide = |s: &str| text::width(&text::clean_line(s)) as u16;
    let want = wide(&job.title);
    let remark = if holds.is_empty() { &note } else { &holds };
    // the reason is short and stays; a note stays where most of it fits
    let least = if holds.is_empty() { wide(&note).min(24) } else { wide(&holds).min(room.saturating_sub(18)) };
    let title =
        if remark.is_empty() || (holds.is_empty() && want + 2 + least > room) { room } else { want.min(room.saturating_sub(least + 2)) };
    pen.cell(&job.title, title, t.text);
    if title < room {
        let gap = 2.min(room - title);
        let style = if holds.is_empty() { t.dim } else { t.warn };
        pen.gap(gap).cell(remark, room - title - gap, style);
    }
    if backend > 0 {
        pen.gap(1).cell(&job.backend, backend - 1, t.dim);
    }
    pen.right_cell(&look::when(job, look.now, look.utc_offset), 5, t.text);
}
