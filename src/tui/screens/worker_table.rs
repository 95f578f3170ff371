//! Workers as a table: on the dashboard and on their own screen.

use super::look::{self, Look};
use crate::domain::{Liveness, WorkerId, WorkerStatus};
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widgets::{Pen, heartbeat};
use crate::wire::WorkerRow;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// The workers in the order in which they are shown: those in trouble first, then late, working, held and idle ones, each as the
/// engine orders them.
pub fn order<'a>(workers: impl Iterator<Item = &'a WorkerRow>) -> Vec<WorkerId> {
    let mut rows: Vec<&WorkerRow> = workers.collect();
    rows.sort_by_key(|w| concern(w));
    rows.into_iter().map(|w| w.id).collect()
}

/// How far down the list a worker belongs.
fn concern(w: &WorkerRow) -> u8 {
    match (&w.live, w.status) {
        (Some(l), _) if l.hang.is_some() || l.liveness == Liveness::Silent || !l.connected => 0,
        (None, WorkerStatus::Unhealthy) => 0,
        (Some(l), _) if l.liveness == Liveness::Late => 1,
        (Some(_), _) => 2,
        (None, WorkerStatus::Paused) => 3,
        (None, _) => 4,
    }
}

/// Which columns there is room for.
pub struct Columns {
    name: u16,
    backend: u16,
    model: u16,
    jobs: bool,
    tokens: bool,
    last: bool,
    project: bool,
}

impl Columns {
    /// For a table of this width.
    pub fn of(width: u16) -> Columns {
        let (name, model) = match width {
            130.. => (18, 18),
            110.. => (13, 12),
            90.. => (13, 0),
            _ => (11, 0),
        };
        let backend = if width >= 64 { 8 } else { 0 };
        Columns { name, backend, model, jobs: width >= 96, tokens: width >= 84, last: width >= 140, project: width >= 190 }
    }

    /// Draws the column titles.
    pub fn titles(&self, mut pen: Pen<'_>, s: Style) {
        pen.gap(1).cell("worker", self.name, s).gap(1).cell("status", 11, s).gap(1);
        if self.backend > 0 {
            pen.cell("backend", self.backend, s).gap(1);
        }
        if self.model > 0 {
            pen.cell("model", self.model, s).gap(1);
        }
        if self.project {
            pen.cell("project", 12, s).gap(1);
        }
        pen.cell("heartbeat", 10, s).gap(1).right_cell("time", 6, s).gap(1);
        if self.tokens {
            pen.right_cell("tok", 6, s).gap(1);
        }
        if self.jobs {
            pen.right_cell("jobs", 4, s).gap(1);
        }
        pen.put(if self.last { "job, and what it does" } else { "job" }, s);
    }

    /// Draws one worker.
    pub fn row(&self, worker: &WorkerRow, area: Rect, row: u16, buf: &mut Buffer, look: &Look<'_>) {
        let (t, now, current) = (look.theme, look.now, look.current);
        let live = worker.live.as_ref();
        let (mark, word, style) = look::worker(worker.status, live, t);
        let mut pen = Pen::new(buf, area, row);
        pen.put(if current { "▌" } else { " " }, t.accent);
        pen.cell(&worker.name, self.name, if live.is_some() { t.text } else { t.dim }).gap(1);
        pen.cell(&format!("{mark} {word}"), 11, style).gap(1);
        if self.backend > 0 {
            pen.cell(&worker.backend, self.backend, t.text).gap(1);
        }
        if self.model > 0 {
            pen.cell(worker.model.as_deref().unwrap_or("–"), self.model, t.dim).gap(1);
        }
        if self.project {
            pen.cell(&look.project(worker.project_id), 12, t.dim).gap(1);
        }
        let Some(live) = live else {
            pen.gap(10).gap(1).gap(6).gap(1);
            self.totals(&mut pen, None, worker, t);
            let kind = if worker.persistent { "" } else { "one job only" };
            pen.put(kind, t.dim);
            return finish(area, row, buf, current, t);
        };
        heartbeat(&mut pen, live, live.last_heartbeat.map(|h| now.since(h).as_millis() as u64), t);
        pen.gap(1).right_cell(&text::duration(now.since(live.started_at).as_millis() as u64), 6, t.text).gap(1);
        self.totals(&mut pen, Some(live.tokens), worker, t);
        pen.put(&format!("#{} ", live.job), t.accent);
        let room = pen.left();
        if self.last && !live.last.is_empty() && room > 40 {
            let want = (text::width(&text::clean_line(&live.title)) as u16).min(room * 2 / 5);
            pen.cell(&live.title, want, t.text).gap(2).put(&live.last, t.dim);
        } else {
            pen.put(&live.title, t.text);
        }
        finish(area, row, buf, current, t);
    }

    fn totals(&self, pen: &mut Pen<'_>, tokens: Option<u64>, worker: &WorkerRow, t: &Theme) {
        if self.tokens {
            match tokens {
                Some(n) => pen.right_cell(&text::count(n), 6, t.text),
                None => pen.right_cell("–", 6, t.dim),
            };
            pen.gap(1);
        }
        if self.jobs {
            pen.right_cell(&worker.session_jobs.to_string(), 4, t.dim).gap(1);
        }
    }
}

fn finish(area: Rect, row: u16, buf: &mut Buffer, current: bool, t: &Theme) {
    if current && row < area.height {
        buf.set_style(Rect { y: area.y + row, height: 1, ..area }.intersection(buf.area), t.selected);
    }
}
