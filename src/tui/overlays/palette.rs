//! Every command by name, with completion.

mod verbs;

pub use verbs::{VERBS, Way};

use super::{Outcome, clear};
use crate::domain::{Command, DecisionId, JobId, Lane, PlanId, Priority, WorkerId};
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::msg::Effect;
use crate::tui::screens::approvals::Item;
use crate::tui::text;
use crate::tui::widgets::{Frame, Input, Pen, pane};
use crate::wire::EngineMode;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Run {
    Action(Action),
    Effect(Effect),
    OpenJob(JobId),
    /// The overview of a job, with why it waits.
    Why(JobId),
    Kill(JobId),
    Retry(JobId),
    SetPriority(Option<JobId>, Priority),
    Filter(String),
    /// Step into a worker's session.
    Step(WorkerId),
    /// Go to something that waits.
    Show(Item),
    /// Approve something that waits, or open a question.
    Approve(Item),
    /// Send something back that waits.
    Reject(Item),
    EditPlan(PlanId),
    /// Say what a plan is to reach.
    NewPlan,
    /// End the engine once the last running job has ended; asks first.
    Drain,
    /// Answer a card, then open the next one.
    Answer {
        decision: DecisionId,
        command: Command,
    },
    Send {
        commands: Vec<Command>,
        label: String,
    },
}

/// A line of the palette.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub words: String,
    pub help: String,
    pub key: String,
    pub run: Run,
}

/// The palette.
#[derive(Debug, Default)]
pub struct Palette {
    pub input: Input,
    fixed: Vec<Entry>,
    found: Vec<Entry>,
    at: usize,
}

impl Palette {
    /// A palette for what is on the screen.
    pub fn new(model: &Model) -> Palette {
        let mut palette = Palette { fixed: entries(model), ..Palette::default() };
        palette.narrow();
        palette
    }

    /// A palette in which something is typed already.
    pub fn typed(model: &Model, text: &str) -> Palette {
        let mut palette = Palette::new(model);
        palette.input.set(text.to_owned());
        palette.narrow();
        palette
    }

    /// True where a line is offered that ends like this.
    pub fn offers(&self, end: &str) -> bool {
        self.found.iter().any(|e| e.words.ends_with(end))
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent) -> Outcome {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return Outcome::Close,
            KeyCode::Char('c') if ctrl => return Outcome::Close,
            KeyCode::Enter => {
                return match self.found.get(self.at) {
                    // its argument is still missing
                    Some(entry) if entry.words.contains('<') => {
                        self.complete();
                        Outcome::Stay
                    }
                    Some(entry) => Outcome::Run(entry.run.clone()),
                    None => Outcome::Say(format!("no command matches `{}`", self.input.text())),
                };
            }
            KeyCode::Down => self.at = (self.at + 1).min(self.found.len().saturating_sub(1)),
            KeyCode::Up => self.at = self.at.saturating_sub(1),
            KeyCode::Char('n') if ctrl => self.at = (self.at + 1).min(self.found.len().saturating_sub(1)),
            KeyCode::Char('p') if ctrl => self.at = self.at.saturating_sub(1),
            KeyCode::Tab => self.complete(),
            KeyCode::Backspace if self.input.text().is_empty() => return Outcome::Close,
            _ => {
                if self.input.key(key) {
                    self.narrow();
                }
            }
        }
        Outcome::Stay
    }

    /// Takes pasted text.
    pub fn paste(&mut self, pasted: &str) {
        self.input.insert(pasted);
        self.narrow();
    }

    /// Puts the selected line into the field, up to its argument.
    fn complete(&mut self) {
        if let Some(entry) = self.found.get(self.at) {
            let words = entry.words.split(" <").next().unwrap_or(&entry.words).to_owned();
            let more = words.len() < entry.words.len();
            self.input.set(if more { format!("{words} ") } else { words });
            self.narrow();
        }
    }

    fn narrow(&mut self) {
        self.at = 0;
        let typed = self.input.text().trim();
        self.found = spelled(typed);
        if typed.is_empty() {
            self.found.extend(self.fixed.iter().cloned());
            return;
        }
        let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut chars = Vec::new();
        let mut scored: Vec<(u32, &Entry)> =
            self.fixed.iter().filter_map(|e| Some((pattern.score(Utf32Str::new(&e.words, &mut chars), &mut matcher)?, e))).collect();
        scored.sort_by_key(|(score, e)| (std::cmp::Reverse(*score), e.words.len()));
        self.found.extend(scored.into_iter().map(|(_, e)| e.clone()));
    }

    /// Draws the palette over the upper part of the screen.
    pub fn draw(&self, model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let t = model.theme();
        let width = area.width.saturating_sub(4).min(84).max(area.width.min(30));
        let height = (self.found.len() as u16 + 4).clamp(6, 18).min(area.height);
        let outer = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 4, width, height };
        clear(outer, buf, t.field);
        let inner = pane(
            outer,
            buf,
            &Frame { title: "Command", facts: vec![("tab completes · esc closes".to_owned(), t.dim)], focused: true, ..Frame::default() },
            t,
        );
        let mut pen = Pen::new(buf, inner, 0);
        pen.gap(1).put(": ", t.accent);
        let room = pen.left().saturating_sub(1);
        let x = self.input.draw(&mut pen, room, t.text);
        Pen::new(buf, inner, 1).put(&"─".repeat(usize::from(inner.width)), t.border);
        let list = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
        let rows = usize::from(list.height).max(1);
        let top = (self.at + 1).saturating_sub(rows);
        if self.found.is_empty() {
            Pen::new(buf, list, 0).gap(3).put("No such command.", t.dim);
        }
        let words_width = if list.width >= 64 { 30 } else { list.width * 3 / 5 };
        for (row, entry) in self.found.iter().skip(top).take(rows).enumerate() {
            let current = row + top == self.at;
            let mut pen = Pen::new(buf, list, row as u16);
            pen.put(if current { "▌" } else { " " }, t.accent).gap(2).cell(&entry.words, words_width, t.text).gap(1);
            let help_room = pen.left().saturating_sub(9);
            pen.cell(&entry.help, help_room, t.dim).right_cell(&entry.key, 8, t.accent);
            if current {
                buf.set_style(Rect { y: list.y + row as u16, height: 1, ..list }.intersection(buf.area), t.selected);
            }
        }
        (inner.height > 0).then_some(Position { x, y: inner.y })
    }
}

/// Commands that were spelled out with a number.
fn spelled(typed: &str) -> Vec<Entry> {
    if let Some((words, help, number, run)) = verbs::numbered(typed) {
        return vec![entry(format!("{words} {number}"), help, run)];
    }
    let mut words = typed.split_whitespace();
    let (Some(verb), Some(arg)) = (words.next(), words.next()) else {
        return match typed.strip_prefix('#').and_then(|n| n.parse().ok()) {
            Some(id) => vec![entry(format!("job {id}"), "open it", Run::OpenJob(JobId(id)))],
            None => Vec::new(),
        };
    };
    if verb == "memory" {
        return super::recollect::spelled(typed["memory".len()..].trim());
    }
    if verb == "filter" {
        let text = typed["filter".len()..].trim().to_owned();
        return vec![entry(format!("filter {text}"), "narrow the list on screen", Run::Filter(text))];
    }
    let level = |s: &str| s.parse::<Priority>().ok();
    if verb == "priority"
        && words.clone().next().is_none()
        && let Some(p) = level(arg).filter(|_| arg.starts_with(['p', 'P']) || arg.len() == 1)
    {
        return vec![entry(format!("priority {p}"), "of the selected job", Run::SetPriority(None, p))];
    }
    let Ok(id) = arg.parse::<JobId>() else { return Vec::new() };
    match verb {
        "job" | "open" | "show" => vec![entry(format!("job {id}"), "open it", Run::OpenJob(id))],
        "why" => vec![entry(format!("why {id}"), "what it waits for", Run::Why(id))],
        "kill" => vec![entry(format!("kill {id}"), "asks first", Run::Kill(id))],
        "retry" => vec![entry(format!("retry {id}"), "back into the queue", Run::Retry(id))],
        "priority" => words
            .next()
            .and_then(level)
            .map(|p| entry(format!("priority {id} {p}"), "set it", Run::SetPriority(Some(id), p)))
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

pub(super) fn entry(words: impl Into<String>, help: impl Into<String>, run: Run) -> Entry {
    Entry { words: words.into(), help: help.into(), key: String::new(), run }
}

/// Everything that can be done, most likely first.
fn entries(model: &Model) -> Vec<Entry> {
    let s = &model.snapshot;
    let keys = &model.options.keymap;
    let mut all = Vec::new();
    let named = [
        (Action::Dispatch, "dispatch"),
        (Action::Message, "message"),
        (Action::Conversation, "conversation"),
        (Action::Approve, "approve"),
        (Action::Reject, "reject"),
        (Action::Dashboard, "goto dashboard"),
        (Action::Jobs, "goto jobs"),
        (Action::Workers, "goto workers"),
        (Action::Approvals, "goto approvals"),
        (Action::Memory, "goto memory"),
        (Action::Logs, "goto log"),
        (Action::Cron, "goto cron"),
        (Action::Skills, "goto skills"),
        (Action::Costs, "goto costs"),
        (Action::Health, "goto health"),
        (Action::Projects, "goto projects"),
        (Action::Kill, "kill"),
        (Action::Retry, "retry"),
        (Action::Raise, "raise priority"),
        (Action::Lower, "lower priority"),
        (Action::Pause, "pause or resume focused"),
        (Action::Step, "step into session"),
        (Action::Undo, "undo"),
        (Action::Filter, "filter"),
        (Action::Follow, "follow or freeze"),
        (Action::FoldAll, "fold or unfold all"),
        (Action::Copy, "copy"),
        (Action::Help, "help"),
        (Action::Redraw, "redraw"),
        (Action::Suspend, "suspend"),
        (Action::Quit, "quit"),
    ];
    for (action, words) in named {
        all.push(Entry { words: words.into(), help: action.help().into(), key: keys.key(action), run: Run::Action(action) });
    }
    for a in &s.attention {
        if let Some(job) = a.job {
            all.push(entry(format!("job {job}"), text::clean_line(&a.says).into_owned(), Run::OpenJob(job)));
        }
    }
    let send = |command: Command, label: &str| Run::Send { commands: vec![command], label: label.to_owned() };
    for plan in &s.plans {
        for (words, run) in
            [("approve", Run::Approve(Item::Plan(plan.id))), ("reject", Run::Reject(Item::Plan(plan.id))), ("edit", Run::EditPlan(plan.id))]
        {
            all.push(entry(format!("{words} plan {}", plan.id), text::clean_line(&plan.title).into_owned(), run));
        }
    }
    for project in &s.pending {
        for (words, run) in [("approve", Run::Approve(Item::Project(project.id))), ("reject", Run::Reject(Item::Project(project.id)))] {
            all.push(entry(format!("{words} project {}", project.id), text::clean_line(&project.title).into_owned(), run));
        }
    }
    all.push(entry("new plan", "say what is to be reached; it waits for your approval", Run::NewPlan));
    for card in &s.cards {
        for choice in &card.asked.choices {
            let words = format!("answer {} {}", card.id, text::clean_line(&choice.key));
            let help = format!("{} · {}", choice.label, card.asked.question);
            let command = Command::Answer { decision: card.id, key: choice.key.clone(), remark: None };
            // one that is answered in words is opened
            let run = if card.wants_words(&choice.key) { Run::Approve(Item::Card(card.id)) } else { send(command, &words) };
            all.push(entry(words, text::clean_line(&help).into_owned(), run));
        }
    }
    let engine_paused = s.engine.mode == EngineMode::Paused;
    let (words, help) = if engine_paused {
        ("resume engine", "start dispatching again")
    } else {
        ("pause engine", "start nothing new; running jobs go on")
    };
    all.push(Entry { words: words.into(), help: help.into(), key: keys.key(Action::PauseEngine), run: Run::Action(Action::PauseEngine) });
    if s.engine.mode == EngineMode::Draining {
        all.push(entry("drain off", "dispatch again", send(Command::Drain { on: false }, "drain off")));
    } else {
        all.push(entry("drain engine", "start nothing new, end after the last job", Run::Drain));
    }
    for b in &s.backends {
        let (words, help) = match &b.pause {
            Some(_) => (format!("resume backend {}", b.name), "lift the pause now"),
            None => (format!("pause backend {}", b.name), "it takes no new job"),
        };
        let command = Command::PauseBackend { backend: b.name.clone(), paused: b.pause.is_none() };
        all.push(entry(words.clone(), help, send(command, &words)));
    }
    for lane in Lane::ALL {
        let paused = s.lanes.iter().any(|l| l.lane == lane && l.paused);
        let words = format!("{} lane {}", if paused { "resume" } else { "pause" }, lane.name());
        all.push(entry(words.clone(), "", send(Command::PauseLane { lane, paused: !paused }, &words)));
    }
    all.extend(super::recollect::entries(model));
    for row in &model.cron.view.rows {
        let words = format!("{} schedule {}", if row.enabled { "disable" } else { "enable" }, row.name);
        let command = Command::SetCron { name: row.name.clone(), enabled: Some(!row.enabled) };
        all.push(entry(words.clone(), text::clean_line(&row.schedule).into_owned(), send(command, &words)));
        if row.enabled_by == "operator" {
            let words = format!("reset schedule {}", row.name);
            let command = Command::SetCron { name: row.name.clone(), enabled: None };
            all.push(entry(words.clone(), "leave it to cron.toml whether it is on", send(command, &words)));
        }
        if let Some(command) = model.cron.run(&row.name) {
            let words = format!("run schedule {}", row.name);
            all.push(entry(words.clone(), "fire it now", send(command, &words)));
        }
    }
    for (words, help, command) in model.projects.commands() {
        all.push(entry(words.clone(), text::clean_line(&help).into_owned(), send(command, &words)));
    }
    for level in 0..=5 {
        if let Some(p) = Priority::new(level) {
            all.push(entry(format!("priority {p}"), format!("selected job, {} lane", p.lane().name()), Run::SetPriority(None, p)));
        }
    }
    for (words, help) in [
        ("job <id>", "open a job"),
        ("why <id>", "what a job waits for"),
        ("kill <id>", "kill a job (asks first)"),
        ("retry <id>", "retry a job"),
        ("priority <id> <P0-P5>", "set a job's priority"),
        ("filter <text>", "narrow the list on screen"),
    ] {
        // never run: Enter asks for the argument
        all.push(entry(words, help, Run::Action(Action::Palette)));
    }
    for (words, help, _) in verbs::NUMBERED {
        all.push(entry(format!("{words} <id>"), *help, Run::Action(Action::Palette)));
    }
    for w in &s.workers {
        let paused = w.status == crate::domain::WorkerStatus::Paused;
        let name = text::clean_line(&w.name);
        let words = format!("{} worker {name}", if paused { "resume" } else { "pause" });
        all.push(entry(words.clone(), "", send(Command::PauseWorker { worker: w.id, paused: !paused }, &words)));
        if w.session.is_some() && w.live.is_none() {
            all.push(entry(format!("step into worker {name}"), "go on with its session by hand", Run::Step(w.id)));
        }
        if w.persistent && w.live.is_none() {
            let words = format!("retire worker {name}");
            all.push(entry(words.clone(), "it takes no more jobs", send(Command::RetireWorker { worker: w.id }, &words)));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_understood() {
        let run = |typed: &str| spelled(typed).into_iter().map(|e| e.run).next();
        assert_eq!(run("kill 12"), Some(Run::Kill(JobId(12))));
        assert_eq!(run("why #7"), Some(Run::Why(JobId(7))));
        assert_eq!(run("#7"), Some(Run::OpenJob(JobId(7))));
        assert_eq!(run("priority p1"), Some(Run::SetPriority(None, Priority::new(1).unwrap())));
        assert_eq!(run("priority 12 P4"), Some(Run::SetPriority(Some(JobId(12)), Priority::new(4).unwrap())));
        assert_eq!(run("filter two words"), Some(Run::Filter("two words".into())));
        assert_eq!(run("approve plan #3"), Some(Run::Approve(Item::Plan(PlanId(3)))));
        assert_eq!(run("cancel  question 9").map(|r| matches!(r, Run::Send { .. })), Some(true));
        assert_eq!(run("approve plan it"), None);
        assert_eq!(run("kill it"), None);
        assert_eq!(run("kill"), None);
    }
}
