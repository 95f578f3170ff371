//! All workers, and the selected one in detail.

use super::dashboard::movement;
use super::job::overview::{self, Page};
use super::look;
use super::worker_table::{self, Columns};
use crate::domain::WorkerId;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::widgets::{Cursor, Doc, DocLine, Frame, Pen, empty, pane, position};
use crate::wire::{Query, Snapshot, WorkerDetail, WorkerRow};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Where the operator is among the workers.
#[derive(Default)]
pub struct Workers {
    pub filter: String,
    pub ids: Vec<WorkerId>,
    pub cursor: Cursor<WorkerId>,
    pub detail: Option<Box<WorkerDetail>>,
    pub doc: Doc,
    /// The detail has the focus.
    pub reading: bool,
    stale: bool,
    failed: Option<WorkerId>,
}

impl Workers {
    /// Takes a snapshot: the selected worker's detail may be old.
    pub fn take_snapshot(&mut self, old: &Snapshot, new: &Snapshot) {
        let key = self.cursor.key().copied();
        let of = |s: &Snapshot| {
            let w = s.workers.iter().find(|w| Some(w.id) == key)?;
            Some((w.status, w.session_jobs, w.total_jobs, w.live.as_ref().map(|l| l.attempt)))
        };
        if of(old) != of(new) {
            self.stale = true;
        }
    }

    /// Brings rows and place up to date.
    pub fn sync(&mut self, snapshot: &Snapshot, height: usize) {
        let needle = self.filter.to_lowercase();
        self.ids = worker_table::order(snapshot.workers.iter().filter(|w| matches(w, &needle)));
        self.cursor.sync(&self.ids, height);
    }

    /// What to ask for: the selected worker in full.
    pub fn wants(&self) -> Option<Query> {
        let worker = *self.cursor.key()?;
        let have = self.detail.as_ref().is_some_and(|d| d.worker.id == worker);
        ((!have || self.stale) && self.failed != Some(worker)).then_some(Query::Worker { worker })
    }

    /// A question has gone out.
    pub fn asked(&mut self) {
        self.stale = false;
    }

    /// Takes a worker in full.
    pub fn take(&mut self, detail: Box<WorkerDetail>) {
        self.failed = None;
        self.detail = Some(detail);
    }

    /// The detail could not be had.
    pub fn give_up(&mut self, worker: WorkerId) {
        self.failed = Some(worker);
    }

    /// Moves, if the action is a movement.
    pub fn moved(&mut self, action: Action) -> bool {
        if matches!(action, Action::NextPane | Action::PreviousPane | Action::Left | Action::Right) {
            self.reading = !self.reading;
            return true;
        }
        if !self.reading {
            return movement(&mut self.cursor, &self.ids, action);
        }
        let page = self.doc.cursor.height.saturating_sub(1).max(1) as isize;
        match action {
            Action::Up => self.doc.step(-1),
            Action::Down => self.doc.step(1),
            Action::PageUp => self.doc.step(-page),
            Action::PageDown => self.doc.step(page),
            Action::Top => self.doc.go(0),
            Action::Bottom => self.doc.go(usize::MAX),
            _ => return false,
        }
        true
    }

    /// Lays the detail out.
    pub fn lay_out(&mut self, row: Option<&WorkerRow>, page: &Page<'_>, height: usize) {
        let lines = row.map(|w| lines(w, self.detail.as_deref().filter(|d| d.worker.id == w.id), page)).unwrap_or_default();
        self.doc.set(lines, height);
    }
}

fn matches(w: &WorkerRow, needle: &str) -> bool {
    let has = |s: &str| s.to_lowercase().contains(needle);
    needle.is_empty()
        || has(&w.name)
        || has(&w.backend)
        || has(w.status.as_str())
        || w.model.as_deref().is_some_and(has)
        || w.live.as_ref().is_some_and(|l| has(&l.title))
}

/// List and detail: beside each other on a wide screen, else one over the other.
pub fn areas(body: Rect) -> (Rect, Rect) {
    if body.width >= 160 {
        let left = body.width * 3 / 5;
        return (Rect { width: left, ..body }, Rect { x: body.x + left, width: body.width - left, ..body });
    }
    let list = (body.height / 2).max(body.height.saturating_sub(18));
    if body.height - list < 5 {
        return (body, Rect { y: body.bottom(), height: 0, ..body });
    }
    (Rect { height: list, ..body }, Rect { y: body.y + list, height: body.height - list, ..body })
}

/// Draws the screen.
pub fn draw(model: &Model, body: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let s = &model.snapshot;
    let w = &model.workers;
    let (list, detail) = areas(body);
    let mut facts = Vec::new();
    if !w.filter.is_empty() {
        facts.push((format!("/{}", w.filter), t.accent));
    }
    let working = s.workers.iter().filter(|w| w.live.is_some()).count();
    facts.push((format!("{working} working"), t.text));
    facts.push((format!("{} in all", s.workers.len()), t.dim));
    let foot = position(&w.cursor.visible(), w.ids.len(), false);
    let inner = pane(list, buf, &Frame { title: "Workers", facts, foot, focused: !w.reading }, t);
    let columns = Columns::of(inner.width);
    columns.titles(Pen::new(buf, inner, 0), t.dim);
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    if w.ids.is_empty() {
        let lines: [&str; 2] = if s.workers.is_empty() {
            ["No workers now: each job makes one, or takes an idle one.", "`orc worker add` makes one that stays."]
        } else {
            ["No worker matches the filter.", "esc clears it."]
        };
        empty(rows, buf, &lines, t);
    }
    for (row, index) in w.cursor.visible().enumerate() {
        if let Some(worker) = w.ids.get(index).and_then(|id| s.workers.iter().find(|w| w.id == *id)) {
            columns.row(worker, rows, row as u16, buf, &model.look(index == w.cursor.index));
        }
    }
    if detail.height == 0 {
        return;
    }
    let name = w.cursor.key().and_then(|id| s.workers.iter().find(|w| w.id == *id)).map_or("Worker", |w| w.name.as_str());
    let foot = position(&w.doc.cursor.visible(), w.doc.lines.len(), false);
    let name = text::clean_line(name);
    let inner = pane(detail, buf, &Frame { title: &name, facts: Vec::new(), foot, focused: w.reading }, t);
    if w.doc.lines.is_empty() {
        empty(inner, buf, &["Select a worker to see its session and what it did."], t);
    }
    w.doc.draw(inner, buf, w.reading, t);
}

fn lines(w: &WorkerRow, d: Option<&WorkerDetail>, p: &Page<'_>) -> Vec<DocLine> {
    let t = p.theme;
    let mut out = Vec::new();
    let live = w.live.as_ref();
    let (mark, word, style) = look::worker(w.status, live, t);
    let mut head = vec![Span::styled(format!("{mark} {word}"), style)];
    if let Some(l) = live {
        head.push(Span::styled(format!(" on #{} {}", l.job, text::clean_line(&l.title)), t.text));
    }
    out.extend(text::wrap(Line::from(head), p.width, 2).into_iter().map(DocLine::of));
    if let Some(l) = live {
        if let Some(hang) = l.hang {
            out.extend(DocLine::wrapped(&format!("▲ it {}", hang.says()), p.width, t.warn));
        }
        if !l.last.is_empty() {
            out.extend(DocLine::wrapped(&format!("› {}", text::clean_line(&l.last)), p.width, t.dim));
        }
    }
    out.push(DocLine::default());
    let or_dash = |s: Option<String>| s.unwrap_or_else(|| "–".to_owned());
    let mut facts = vec![
        ("backend", w.backend.clone()),
        ("model", or_dash(w.model.clone())),
        ("session", or_dash(w.session.clone())),
        (
            "in session",
            match d {
                Some(d) => format!("{}, {} tokens", text::plural(u64::from(w.session_jobs), "job"), text::count(d.session_tokens)),
                None => text::plural(u64::from(w.session_jobs), "job"),
            },
        ),
        ("in all", format!("{}, {} tokens", text::plural(w.total_jobs, "job"), text::count(w.total_tokens))),
        ("stays", if w.persistent { "yes: it keeps its session".to_owned() } else { "no: it goes with its job".to_owned() }),
        ("persona", or_dash(w.persona.clone())),
        ("project", look::project(p.projects, w.project_id)),
    ];
    if let Some(l) = live {
        facts.push(("running for", text::duration(p.now.since(l.started_at).as_millis() as u64)));
        facts.push((
            "heartbeat",
            or_dash(l.last_heartbeat.map(|h| format!("{} ago, {}", text::duration(p.now.since(h).as_millis() as u64), l.liveness))),
        ));
        facts.push(("last byte", format!("{} ago", text::duration(l.byte_age_ms))));
        facts.push(("progress", format!("{} ago", text::duration(l.progress_age_ms))));
        facts.push(("processes", format!("{}, {}", l.processes, text::bytes(l.rss_bytes))));
        facts.push(("CPU time", text::duration(l.cpu_ms)));
        facts.push(("tokens", format!("{} in this job", text::count(l.tokens))));
        facts.push(("cost", if l.cost_usd > 0.0 { text::money(l.cost_usd) } else { "not told".to_owned() }));
    }
    if let Some(d) = d {
        facts.push(("directory", d.directory.clone()));
        if !d.skills.is_empty() {
            facts.push(("skills", d.skills.join(", ")));
        }
    }
    overview::columns(&facts, p, &mut out);
    if let Some(d) = d.filter(|d| !d.attempts.is_empty()) {
        out.push(DocLine::default());
        out.push(DocLine::of(Line::styled("Newest attempts (enter opens the job)", t.accent)));
        let mut attempts: Vec<_> = d.attempts.iter().collect();
        attempts.sort_by_key(|a| std::cmp::Reverse(a.id));
        for a in attempts {
            let from = out.len();
            overview::attempt(a, p, &mut out);
            for line in &mut out[from..] {
                line.jump = Some(crate::tui::widgets::Jump::Job(a.job_id));
            }
            if let Some(first) = out.get_mut(from) {
                let mut spans = vec![Span::styled(format!("{:>6} ", format!("#{}", a.job_id)), t.dim)];
                spans.append(&mut first.line.spans);
                first.line = Line::from(spans);
            }
        }
    }
    out
}
