//! Something that the operator writes: a message, what a plan is to reach, or why something is sent back.

use super::{Outcome, Run, clear};
use crate::domain::{Command, PlanId, Priority, ProjectId};
use crate::engine::CONSOLE;
use crate::tui::model::Model;
use crate::tui::widgets::{Frame, Pen, Prose, center, pane};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Rows that the words may take.
const MOST: u16 = 8;

/// What the words are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Message,
    NewPlan,
    RejectPlan(PlanId),
    RejectProject(ProjectId),
}

/// The words, being written.
#[derive(Debug)]
pub struct Written {
    pub about: About,
    words: Prose,
    /// What was written before, oldest first, and which of it is shown.
    before: Vec<String>,
    at: usize,
    /// What was being written when the first of those was looked at.
    own: String,
}

impl Written {
    /// Nothing written yet; `before` is what ↑ brings back.
    pub fn new(about: About, before: Vec<String>) -> Written {
        Written { about, words: Prose::new(""), at: before.len(), before, own: String::new() }
    }

    /// What is written.
    pub fn text(&self) -> String {
        self.words.text().trim().to_owned()
    }

    /// Enter sends, Alt-Enter breaks the line, ↑ and ↓ bring earlier words back; Esc drops it.
    pub fn key(&mut self, key: KeyEvent) -> Outcome {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return Outcome::Close,
            KeyCode::Char('c') if ctrl => return Outcome::Close,
            KeyCode::Char('o') if ctrl => return Outcome::Editor(self.words.text()),
            KeyCode::Up if self.words.at_top() => self.look(self.at.saturating_sub(1)),
            KeyCode::Down if self.words.at_bottom() => self.look(self.at + 1),
            KeyCode::Enter if key.modifiers.is_empty() => return self.send(),
            _ => self.words.key(key),
        }
        Outcome::Stay
    }

    /// Shows what was written before; behind the last of it is what is being written now.
    fn look(&mut self, to: usize) {
        let to = to.min(self.before.len());
        if to == self.at {
            return;
        }
        if self.at == self.before.len() {
            self.own = self.words.text();
        }
        self.at = to;
        self.words = Prose::new(self.before.get(to).unwrap_or(&self.own));
    }

    fn send(&self) -> Outcome {
        let text = self.text();
        if text.is_empty() {
            return Outcome::Say(match self.about {
                About::Message => "the message is empty".into(),
                About::NewPlan => "say what the plan is to reach".into(),
                _ => "say what is missing: whoever works on it reads it".into(),
            });
        }
        let (command, label) = match self.about {
            About::Message => (Command::SendMessage { text, channel: CONSOLE.to_owned(), from: None, project: None }, "message"),
            About::NewPlan => (Command::NewPlan { request: text, project: None, priority: Priority::P2, on_failure: None }, "plan"),
            About::RejectPlan(plan) => (Command::RejectPlan { plan, reason: text }, "reject the plan"),
            About::RejectProject(project) => (Command::RejectProject { project, reason: text }, "reject the project"),
        };
        Outcome::Run(Run::Send { commands: vec![command], label: label.to_owned() })
    }

    /// Takes what the external editor left.
    pub fn take(&mut self, text: &str) {
        self.words = Prose::new(text);
    }

    /// Takes pasted text.
    pub fn paste(&mut self, pasted: &str) {
        self.words.paste(pasted);
    }

    /// Draws it.
    pub fn draw(&self, model: &Model, area: Rect, buf: &mut Buffer) {
        let t = model.theme();
        let (title, hint) = match self.about {
            About::Message => ("Message", "questions are answered, small work done, large work planned first".to_owned()),
            About::NewPlan => ("A plan", "what is to be reached; it is planned, and waits for your approval".to_owned()),
            About::RejectPlan(id) => ("Reject", format!("plan {id} goes back with this reason")),
            About::RejectProject(id) => ("Reject", format!("project {id} goes back with this reason")),
        };
        let width = area.width.saturating_sub(4).clamp(20, 100);
        let rows = self.words.rows(width.saturating_sub(4)).clamp(1, MOST.min(area.height.saturating_sub(3)).max(1));
        let outer = center(area, width, rows + 3);
        clear(outer, buf, t.field);
        let inner = pane(outer, buf, &Frame { title, focused: true, ..Frame::default() }, t);
        let field = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), height: rows, ..inner };
        self.words.draw(field.intersection(inner), buf);
        Pen::new(buf, inner, rows).gap(1).put(&hint, t.dim);
    }
}
