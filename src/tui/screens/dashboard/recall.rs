//! What the selected job was given from memory: each with its score split into its four terms, and a mark where the penalty fell.

use crate::domain::{Injected, JobId};
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::update::focused_job;
use crate::tui::widgets::{Frame, Pen, empty, pane, terms};
use crate::wire::Query;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What was fetched, and for which job.
#[derive(Default)]
pub struct Recall {
    job: Option<JobId>,
    given: Option<Vec<Injected>>,
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
            self.given = Some(recalls.iter().filter(|r| Some(r.attempt) == newest).cloned().collect());
        }
    }

    /// Asks anew.
    pub fn touch(&mut self) {
        self.asked = false;
    }
}

/// The job that the pane is about: the selected one, else the first one that runs.
pub fn about(model: &Model) -> Option<JobId> {
    let first = || {
        let id = model.dash.worker_ids.first()?;
        model.snapshot.workers.iter().find(|w| w.id == *id)?.live.as_ref().map(|l| l.job)
    };
    focused_job(model).or_else(first)
}

/// Draws the pane.
pub fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let r = &model.dash.recall;
    let facts = r.job.map(|id| vec![(format!("#{id}"), t.accent)]).unwrap_or_default();
    let inner = pane(area, buf, &Frame { title: "Recalled", facts, ..Frame::default() }, t);
    let given = match (&r.given, r.job) {
        (_, None) => return empty(inner, buf, &["No job is selected.", "What it was given from memory shows here."], t),
        (None, _) => return empty(inner, buf, &["Reading …"], t),
        (Some(given), _) if given.is_empty() => return empty(inner, buf, &["This job was given no memory."], t),
        (Some(given), _) => given,
    };
    for (row, m) in given.iter().enumerate() {
        if row as u16 + 1 == inner.height && given.len() > row + 1 {
            Pen::new(buf, inner, row as u16).gap(1).put(&format!("… and {} more", given.len() - row), t.dim);
            break;
        }
        let mut pen = Pen::new(buf, inner, row as u16);
        pen.gap(1).put(&format!("{:.2}", m.score), if m.penalised { t.warn } else { t.title });
        pen.put(if m.penalised { "½ " } else { "  " }, t.warn);
        terms(&mut pen, if inner.width >= 90 { 4 } else { 1 }, &m.terms, t);
        pen.gap(1).put(&text::clean_line(m.fact()), if m.vetoed { t.dim } else { t.text });
    }
}
