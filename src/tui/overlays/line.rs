//! One line that the operator writes: a message, or why something is sent back.

use super::{Outcome, Run, clear};
use crate::domain::{Command, PlanId, ProjectId};
use crate::engine::CONSOLE;
use crate::tui::model::Model;
use crate::tui::widgets::{Frame, Input, Pen, center, pane};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// What the line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Message,
    RejectPlan(PlanId),
    RejectProject(ProjectId),
}

/// The line, being written.
#[derive(Debug)]
pub struct Written {
    pub about: About,
    input: Input,
}

impl Written {
    /// An empty line.
    pub fn new(about: About) -> Written {
        Written { about, input: Input::new("") }
    }

    /// Enter sends; Esc drops it.
    pub fn key(&mut self, key: KeyEvent) -> Outcome {
        match key.code {
            KeyCode::Enter => {}
            KeyCode::Esc => return Outcome::Close,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Outcome::Close,
            _ => {
                self.input.key(key);
                return Outcome::Stay;
            }
        }
        let text = self.input.text().trim().to_owned();
        if text.is_empty() {
            return match self.about {
                About::Message => Outcome::Say("the message is empty".into()),
                _ => Outcome::Say("say what is missing: whoever works on it reads it".into()),
            };
        }
        let (command, label) = match self.about {
            About::Message => (Command::SendMessage { text, channel: CONSOLE.to_owned(), from: None, project: None }, "message"),
            About::RejectPlan(plan) => (Command::RejectPlan { plan, reason: text }, "reject the plan"),
            About::RejectProject(project) => (Command::RejectProject { project, reason: text }, "reject the project"),
        };
        Outcome::Run(Run::Send { commands: vec![command], label: label.to_owned() })
    }

    /// Takes pasted text, on one line.
    pub fn paste(&mut self, pasted: &str) {
        self.input.insert(&pasted.split_whitespace().collect::<Vec<_>>().join(" "));
    }

    /// Draws it.
    pub fn draw(&self, model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let t = model.theme();
        let (title, hint) = match self.about {
            About::Message => ("Message", "a question is answered, small work done, large work planned for your approval".to_owned()),
            About::RejectPlan(id) => ("Reject", format!("plan {id} goes back with this reason")),
            About::RejectProject(id) => ("Reject", format!("project {id} goes back with this reason")),
        };
        let outer = center(area, area.width.saturating_sub(4).clamp(20, 100), 4);
        clear(outer, buf, t.field);
        let inner = pane(outer, buf, &Frame { title, focused: true, ..Frame::default() }, t);
        let mut pen = Pen::new(buf, inner, 0);
        pen.gap(1);
        let x = self.input.draw(&mut pen, inner.width.saturating_sub(2), t.text);
        Pen::new(buf, inner, 1).gap(1).put(&hint, t.dim);
        Some(Position { x, y: inner.y })
    }
}
