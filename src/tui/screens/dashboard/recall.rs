//! What the selected job was given from memory: each with its score split into its four terms, and marks where it was lowered (↓),
//! rests on text from outside (◇), or is kept away from the job (✗).

use super::{Pane, movement};
use crate::domain::{Injected, JobId, MemoryId};
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::update::focused_job;
use crate::tui::widgets::{Cursor, Frame, Pen, empty, pane, position, terms};
use crate::wire::Query;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What was fetched, and for which job.
#[derive(Default)]
pub struct Recall {
    job: Option<JobId>,
    given: Option<Vec<Injected>>,
    ids: Vec<MemoryId>,
    cursor: Cursor<MemoryId>,
    /// The newest event of that job when it was asked for.
    event: i64,
    asked: bool,
}

impl Recall {
    /// Follows the selection; what happened to its job may have brought it memories.
    pub fn sync(&mut self, job: Option<JobId>, event: i64) {
        if self.job != job {
            *self = Recall { job, event, ..Recall::default() };
        } else if self.event != event {
            self.event = event;
            self.asked = false;
        }
    }

    /// What to ask for.
    pub fn wants(&self) -> Option<Query> {
        self.job.filter(|_| !self.asked).map(|job| Query::Recalls { job })
    }

    /// A question has gone out.
    pub fn asked(&mut self) {
        self.asked = true;
    }

    /// Takes what a job was given.
    pub fn take(&mut self, job: JobId, recalls: &[Injected]) {
        if self.job == Some(job) {
            let newest = recalls.iter().map(|r| r.attempt).max();
            let given: Vec<Injected> = recalls.iter().filter(|r| Some(r.attempt) == newest).cloned().collect();
            self.ids = given.iter().map(|r| r.memory).collect();
            self.given = Some(given);
        }
    }

    /// The job that it is about.
    pub fn job(&self) -> Option<JobId> {
        self.job
    }

    /// The memory under the cursor.
    pub fn selected(&self) -> Option<&Injected> {
        let id = self.cursor.key()?;
        self.given.as_ref()?.iter().find(|r| r.memory == *id)
    }

    /// Brings the cursor up to date with what there is.
    pub fn place(&mut self, height: usize) {
        self.cursor.sync(&self.ids, height);
    }

    /// Moves, if the action is a movement.
    pub fn moved(&mut self, action: Action) -> bool {
        movement(&mut self.cursor, &self.ids, action)
    }

    /// Asks anew.
    pub fn touch(&mut self) {
        self.asked = false;
    }
}

/// The job that the pane is about: the selected one, else the first one that runs. A log that follows has chosen none.
pub fn about(model: &Model) -> Option<JobId> {
    let first = || {
        let id = model.dash.worker_ids.first()?;
        model.snapshot.workers.iter().find(|w| w.id == *id)?.live.as_ref().map(|l| l.job)
    };
    let follows = model.open.is_empty() && model.dash.pane == Pane::Log && model.dash.log.follow;
    let focused = if follows { model.dash.recall.job } else { focused_job(model) };
    focused.or_else(first)
}

/// Draws the pane.
pub fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let r = &model.dash.recall;
    let facts = r.job.map(|id| vec![(format!("#{id}"), t.accent)]).unwrap_or_default();
    let focused = model.focus(Pane::Recall);
    let foot = position(&r.cursor.visible(), r.ids.len(), false);
    let inner = pane(area, buf, &Frame { title: "Recalled", facts, foot, focused }, t);
    let given = match (&r.given, r.job) {
        (_, None) => return empty(inner, buf, &["No job is selected.", "What it was given from memory shows here."], t),
        (None, _) => return empty(inner, buf, &["Reading …"], t),
        (Some(given), _) if given.is_empty() => return empty(inner, buf, &["This job was given no memory."], t),
        (Some(given), _) => given,
    };
    for (row, index) in r.cursor.visible().enumerate() {
        let Some(m) = given.get(index) else { continue };
        let mut pen = Pen::new(buf, inner, row as u16);
        let current = focused && index == r.cursor.index;
        pen.put(if current { "▌" } else { " " }, t.accent).put(&format!("{:.2}", m.score), if m.penalised { t.warn } else { t.title });
        pen.put(if m.penalised { "↓" } else { " " }, t.warn).put(if m.external { "◇" } else { " " }, t.warn);
        terms(&mut pen, if inner.width >= 90 { 4 } else { 1 }, &m.terms, t);
        pen.gap(1).put(if m.vetoed { "✗ " } else { "" }, t.fail);
        pen.put(&text::clean_line(m.fact()), if m.vetoed { t.dim } else { t.text });
        if current {
            buf.set_style(Rect { y: inner.y + row as u16, height: 1, ..inner }.intersection(buf.area), t.selected);
        }
    }
}
