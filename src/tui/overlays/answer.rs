//! A question, opened: 1 to 9 answer it, and the next one opens. Its options are always in sight; its text scrolls above them.

use super::{Outcome, Run, clear};
use crate::domain::{CardKind, Command, Decision};
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::screens::approvals::{deadline, judged, kind_of};
use crate::tui::screens::job::overview::Page as Sheet;
use crate::tui::text;
use crate::tui::view::body;
use crate::tui::widgets::{Frame, Pen, Prose, center, pane};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

/// Rows that the operator's own words have while they are written.
const WORDS: u16 = 4;
/// Rows of the text that stay in sight, however many the options want.
const LEAST: usize = 4;

/// The opened card, as it was when it was opened.
#[derive(Clone, Debug)]
pub struct Question {
    pub card: Decision,
    /// How many wait behind it.
    pub behind: usize,
    /// It has been on the screen: a digit before that was meant for the one before it.
    pub seen: bool,
    /// The first row of the text that shows.
    top: usize,
    /// What goes with the answer.
    remark: String,
    writing: Option<Writing>,
}

/// The remark, being written.
#[derive(Clone, Debug)]
struct Writing {
    words: Prose,
    /// The option that it belongs to, where that was chosen first.
    answers: Option<usize>,
}

/// The card laid out for a screen.
struct Laid {
    text: Vec<Line<'static>>,
    options: Vec<(String, Line<'static>)>,
    outer: Rect,
    /// Rows for the text.
    room: usize,
}

impl Question {
    /// A card that was opened just now.
    pub fn new(card: Decision, behind: usize) -> Question {
        Question { card, behind, seen: false, top: 0, remark: String::new(), writing: None }
    }

    /// True while the remark is written.
    pub fn is_written(&self) -> bool {
        self.writing.is_some()
    }

    /// 1 to 9 answer, `r` adds a remark, Esc leaves it open.
    pub fn key(&mut self, key: KeyEvent, action: Option<Action>, model: &Model) -> Outcome {
        if self.writing.is_some() {
            return self.write(key);
        }
        match key.code {
            KeyCode::Char(c @ '1'..='9') => return self.choose(c as usize - '1' as usize),
            KeyCode::Char('r') if key.modifiers.is_empty() => {
                self.writing = Some(Writing { words: Prose::new(&self.remark), answers: None });
                return Outcome::Stay;
            }
            KeyCode::Esc => return Outcome::Close,
            _ => {}
        }
        let laid = self.lay_out(model, body(model.size));
        let last = laid.text.len().saturating_sub(laid.room);
        self.top = match action {
            Some(Action::Down) => self.top + 1,
            Some(Action::Up) => self.top.min(last).saturating_sub(1),
            Some(Action::PageDown) => self.top + laid.room,
            Some(Action::PageUp) => self.top.min(last).saturating_sub(laid.room),
            Some(Action::Top) => 0,
            Some(Action::Bottom) => last,
            Some(Action::Quit) => return Outcome::Close,
            _ => self.top,
        }
        .min(last);
        Outcome::Stay
    }

    fn choose(&mut self, at: usize) -> Outcome {
        let Some(choice) = self.card.asked.choices.get(at) else {
            return Outcome::Say(format!("there are {} options", self.card.asked.choices.len()));
        };
        if !self.seen {
            return Outcome::Say(format!("this is question {}: read it, then answer", self.card.id));
        }
        if self.card.wants_words(&choice.key) && self.remark.is_empty() {
            self.writing = Some(Writing { words: Prose::new(""), answers: Some(at) });
            return Outcome::Stay;
        }
        let remark = Some(self.remark.clone()).filter(|r| !r.is_empty());
        let command = Command::Answer { decision: self.card.id, key: choice.key.clone(), remark };
        Outcome::Run(Run::Answer { decision: self.card.id, command })
    }

    /// Takes a key while the remark is written: Enter keeps it, or sends it with the option that was chosen first.
    fn write(&mut self, key: KeyEvent) -> Outcome {
        let Some(writing) = &mut self.writing else { return Outcome::Stay };
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => self.writing = None,
            KeyCode::Char('c') if ctrl => self.writing = None,
            KeyCode::Char('o') if ctrl => return Outcome::Editor(writing.words.text()),
            KeyCode::Enter if key.modifiers.is_empty() => {
                let (words, answers) = (writing.words.text().trim().to_owned(), writing.answers);
                if words.is_empty() && answers.is_some() {
                    return Outcome::Say("this option is answered in your own words".to_owned());
                }
                self.remark = words;
                self.writing = None;
                if let Some(at) = answers {
                    return self.choose(at);
                }
            }
            _ => writing.words.key(key),
        }
        Outcome::Stay
    }

    /// Takes what the external editor left as the remark.
    pub fn take(&mut self, text: &str) {
        if let Some(writing) = &mut self.writing {
            writing.words = Prose::new(text);
        }
    }

    /// Takes pasted text into the remark.
    pub fn paste(&mut self, pasted: &str) {
        if let Some(writing) = &mut self.writing {
            writing.words.paste(pasted);
        }
    }

    fn lay_out(&self, model: &Model, area: Rect) -> Laid {
        let t = model.theme();
        let width = area.width.saturating_sub(4).clamp(20, 100);
        let room = usize::from(width.saturating_sub(7)).max(10);
        let page = Sheet {
            width: room,
            now: model.now,
            utc_offset: model.utc_offset,
            theme: t,
            snapshot: &model.snapshot,
            projects: &model.options.choices.projects,
        };
        let reviews = self.card.asked.job.and_then(|job| model.approvals.rounds_of(job));
        let scores = reviews.and_then(judged).filter(|_| self.card.kind() == CardKind::Review);
        let mut text = text::paragraphs(&self.card.asked.question, room, t.title, t.text);
        if let Some(says) = scores {
            // what it came to stands before the list of fixes, which may be long
            let first = self.card.asked.question.lines().next().unwrap_or_default();
            let at = text::paragraphs(first, room, t.title, t.text).len().min(text.len());
            text.splice(at..at, text::wrap(Line::styled(says, t.info), room, 0));
        }
        if let Some((says, style)) = deadline(&self.card, &page) {
            text.extend(text::wrap(Line::styled(text::clean_line(&says).into_owned(), style), room, 0));
        }
        if !self.remark.is_empty() && self.writing.is_none() {
            text.extend(text::paragraphs(&format!("You add: {}", self.remark), room, t.accent, t.accent));
        }
        let below = if self.writing.is_some() { usize::from(WORDS) } else { 0 };
        let most = usize::from(area.height.saturating_sub(3)).saturating_sub(below);
        let mut options = self.options(room, t.text, t.dim);
        if options.len() + text.len().min(LEAST) > most {
            options = self.short_options(t.text, t.dim);
        }
        let room = text.len().min(most.saturating_sub(options.len()));
        let outer = center(area, width, (room + options.len() + below + 3) as u16);
        Laid { text, options, outer, room }
    }

    /// The options in full: label and detail, wrapped.
    fn options(&self, room: usize, label: Style, detail: Style) -> Vec<(String, Line<'static>)> {
        let mut lines = Vec::new();
        let plain = |says: &str, style| text::wrap(Line::styled(text::clean_line(says).into_owned(), style), room, 0);
        for (n, choice) in self.card.asked.choices.iter().enumerate() {
            let default = self.card.asked.default.as_ref().is_some_and(|d| d.eq_ignore_ascii_case(&choice.key));
            let says = format!("{}{}", choice.label, if default { " (default)" } else { "" });
            for (i, line) in plain(&says, label).into_iter().enumerate() {
                lines.push((if i == 0 { (n + 1).to_string() } else { String::new() }, line));
            }
            if !choice.detail.is_empty() {
                lines.extend(plain(&choice.detail, detail).into_iter().map(|line| (String::new(), line)));
            }
        }
        lines
    }

    /// The options in a line each, where there is no room for more.
    fn short_options(&self, label: Style, detail: Style) -> Vec<(String, Line<'static>)> {
        let one = |(n, c): (usize, &crate::domain::Choice)| {
            let mut line = Line::from(ratatui::text::Span::styled(text::clean_line(&c.label).into_owned(), label));
            if !c.detail.is_empty() {
                line.push_span(ratatui::text::Span::styled(format!(" · {}", text::clean_line(&c.detail)), detail));
            }
            ((n + 1).to_string(), line)
        };
        self.card.asked.choices.iter().enumerate().map(one).collect()
    }

    /// Draws it.
    pub fn draw(&self, model: &Model, area: Rect, buf: &mut Buffer) {
        let t = model.theme();
        let Laid { text, options, outer, room } = self.lay_out(model, area);
        clear(outer, buf, t.field);
        let mut facts = Vec::new();
        if self.behind > 0 {
            facts.push((format!("{} more after this", self.behind), t.dim));
        }
        let top = self.top.min(text.len().saturating_sub(room));
        let foot = if text.len() > room { format!("{}–{} of {}, ↑↓ scroll", top + 1, top + room, text.len()) } else { String::new() };
        let title = match self.card.kind() {
            CardKind::Question => format!("Question {}", self.card.id),
            kind => format!("{} (question {})", kind_of(kind).2, self.card.id),
        };
        let inner = pane(outer, buf, &Frame { title: &title, facts, foot, focused: true }, t);
        for (row, line) in text.iter().skip(top).take(room).enumerate() {
            Pen::new(buf, inner, row as u16).gap(1).line(line);
        }
        for (row, (key, line)) in options.iter().enumerate() {
            Pen::new(buf, inner, (room + 1 + row) as u16).gap(1).cell(key, 3, t.accent).line(line);
        }
        if let Some(writing) = &self.writing {
            let at = (room + 1 + options.len()) as u16;
            let says = match writing.answers.and_then(|at| self.card.asked.choices.get(at)) {
                Some(choice) => format!("{}, in your words:", choice.label),
                None => "You add:".to_owned(),
            };
            Pen::new(buf, inner, at).gap(1).put(&says, t.accent);
            let below = Rect { x: inner.x + 1, y: inner.y + at + 1, width: inner.width.saturating_sub(2), height: WORDS - 1 };
            writing.words.draw(below.intersection(inner), buf);
        }
    }
}
