//! Asks before something that cannot be undone. Enter or Esc, never a letter.

use super::{Outcome, Run, clear};
use crate::domain::{Command, JobId, Seen};
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::widgets::{Frame, Pen, center, pane};
use crate::wire::JobDetail;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

/// A question.
#[derive(Clone, Debug)]
pub struct Confirm {
    pub title: String,
    /// What will happen, a line each.
    pub body: Vec<String>,
    /// The word for Enter.
    pub verb: String,
    pub commands: Vec<Command>,
    /// The job whose newest state is still to be read: Enter waits for it.
    pub awaits: Option<JobId>,
    /// The job whose dependents are still to be told.
    pub enrich: Option<JobId>,
}

impl Confirm {
    /// The answer to the operator's key.
    pub fn key(&self, action: Option<Action>) -> Outcome {
        match action {
            Some(Action::Open) if self.awaits.is_none() => {
                Outcome::Run(Run::Send { commands: self.commands.clone(), label: self.verb.clone() })
            }
            Some(Action::Open) => Outcome::Say("one moment: reading how the job stands now".to_owned()),
            Some(Action::Back | Action::Quit) => Outcome::Close,
            _ => Outcome::Stay,
        }
    }

    /// Takes the job that the question is about.
    pub fn take(&mut self, d: &JobDetail) {
        if self.awaits == Some(d.job.id) {
            self.awaits = None;
            let seen = Seen { state: d.job.state, attempt: d.job.attempt };
            for command in &mut self.commands {
                see(command, seen);
            }
            let worker = d.attempts.iter().max_by_key(|a| a.number).filter(|a| a.outcome.is_none()).map(|a| format!(" on {}", a.worker));
            self.body.push(format!("Now it is {}{}.", d.job.state, worker.unwrap_or_default()));
        }
        if self.enrich == Some(d.job.id) {
            self.enrich = None;
            let waiting = d.dependents.iter().filter(|j| !j.state.is_final()).count() as u64;
            if waiting > 0 {
                let verb = if waiting == 1 { "depends on it and does" } else { "depend on it and do" };
                self.body.push(format!("{} {verb} not start without it.", text::plural(waiting, "job")));
            }
        }
    }

    /// Draws the question.
    pub fn draw(&self, model: &Model, area: Rect, buf: &mut Buffer) {
        let t = model.theme();
        let room = usize::from(area.width.saturating_sub(8)).clamp(10, 72);
        let mut lines = Vec::new();
        for line in &self.body {
            let clean = text::clean_line(line).into_owned();
            lines.extend(text::wrap(clean.into(), room, 2));
        }
        let width =
            lines.iter().map(ratatui::text::Line::width).max().unwrap_or(0).max(text::width(&self.title) + 4).max(44).min(room) as u16 + 4;
        let outer = center(area, width, lines.len() as u16 + 5);
        clear(outer, buf, t.field);
        let inner = pane(outer, buf, &Frame { title: &self.title, focused: true, ..Frame::default() }, t);
        for (i, line) in lines.iter().take(usize::from(inner.height.saturating_sub(2))).enumerate() {
            Pen::new(buf, inner, i as u16 + 1).gap(1).line(line);
        }
        let mut pen = Pen::new(buf, inner, inner.height.saturating_sub(1));
        let ready = if self.awaits.is_some() { t.dim } else { t.badge_warn };
        pen.gap(1).put(&format!(" enter {} ", self.verb), ready).gap(2).put(" esc no ", t.text.add_modifier(Modifier::BOLD));
    }
}

/// Puts what the operator saw into a command.
pub fn see(command: &mut Command, now: Seen) {
    match command {
        Command::Kill { seen, .. } | Command::Retry { seen, .. } | Command::SetPriority { seen, .. } => *seen = Some(now),
        _ => {}
    }
}
