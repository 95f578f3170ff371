//! The dispatch form: what is to be done, and by whom.

mod view;

use super::{Outcome, Run};
use crate::domain::{JobId, JobSpec, Kind, Priority, ProjectId};
use crate::tui::model::Choices;
use crate::tui::text;
use crate::tui::widgets::Input;
use crate::wire::Snapshot;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Style;
use ratatui_textarea::{TextArea, WrapMode};
use std::collections::BTreeMap;

/// The fields, in the order of Tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    Prompt,
    Backend,
    Priority,
    Model,
    Worker,
    Skills,
    Project,
    Kind,
    After,
    Title,
}

impl Field {
    const ALL: [Field; 10] = [
        Field::Prompt,
        Field::Backend,
        Field::Priority,
        Field::Model,
        Field::Worker,
        Field::Skills,
        Field::Project,
        Field::Kind,
        Field::After,
        Field::Title,
    ];

    fn label(self) -> &'static str {
        match self {
            Field::Prompt => "prompt",
            Field::Backend => "backend",
            Field::Priority => "priority",
            Field::Model => "model",
            Field::Worker => "worker",
            Field::Skills => "skills",
            Field::Project => "project",
            Field::Kind => "kind",
            Field::After => "after jobs",
            Field::Title => "title",
        }
    }

    /// What an empty field means.
    fn blank(self) -> &'static str {
        match self {
            Field::Model => "routed by kind",
            Field::Worker => "any that fits",
            Field::Skills => "none",
            Field::Project => "none",
            Field::Kind => "by backend",
            Field::After => "none",
            Field::Title => "the prompt's first line",
            _ => "",
        }
    }
}

/// The form. It is kept as a draft when it is closed.
pub struct Form {
    prompt: TextArea<'static>,
    fields: BTreeMap<Field, Input>,
    focus: Field,
    errors: BTreeMap<Field, String>,
    /// What was typed into the focused field, before a choice replaced it.
    typed: String,
    at: Option<usize>,
    /// The field has just been entered: what is typed replaces what stands there.
    entered: bool,
    names: Names,
}

/// What can be chosen.
#[derive(Default)]
struct Names {
    backends: Vec<String>,
    models: Vec<String>,
    workers: Vec<String>,
    skills: Vec<String>,
    projects: Vec<(ProjectId, String)>,
    missing: BTreeMap<String, String>,
}

impl Form {
    /// An empty form with sensible values.
    pub fn new(choices: &Choices, snapshot: &Snapshot) -> Form {
        let mut form = Form {
            prompt: textarea(""),
            fields: Field::ALL.iter().map(|f| (*f, Input::default())).collect(),
            focus: Field::Prompt,
            errors: BTreeMap::new(),
            typed: String::new(),
            at: None,
            entered: false,
            names: Names::default(),
        };
        form.refresh(choices, snapshot);
        // those that come first are on this machine, if any is
        let there = form.names.backends.iter().find(|b| !choices.missing.contains_key(*b));
        let backend = there.or(form.names.backends.first()).cloned().unwrap_or_default();
        form.fields.insert(Field::Backend, Input::new(backend));
        form.fields.insert(Field::Priority, Input::new("P2"));
        form
    }

    /// Brings the choices up to date (a draft is opened again later).
    pub fn refresh(&mut self, choices: &Choices, snapshot: &Snapshot) {
        let mut backends = choices.backends.clone();
        for b in &snapshot.backends {
            if !backends.contains(&b.name) {
                backends.push(b.name.clone());
            }
        }
        self.names = Names {
            backends,
            models: choices.models.clone(),
            workers: snapshot.workers.iter().map(|w| w.name.clone()).collect(),
            skills: choices.skills.clone(),
            projects: choices.projects.clone(),
            missing: choices.missing.clone(),
        };
    }

    fn input(&self, field: Field) -> &str {
        self.fields.get(&field).map_or("", Input::text)
    }

    /// What is to be said of the chosen backend: its program is not here, and what to do about it.
    fn warning(&self, field: Field) -> Option<&str> {
        let fix = self.names.missing.get(self.input(Field::Backend)).filter(|_| field == Field::Backend)?;
        Some(fix)
    }

    /// The prompt's text.
    pub fn prompt(&self) -> String {
        self.prompt.lines().join("\n")
    }

    /// Replaces the prompt (the external editor's text).
    pub fn set_prompt(&mut self, source: &str) {
        self.prompt = textarea(&text::clean(source.trim_end_matches('\n')));
        self.prompt.move_cursor(ratatui_textarea::CursorMove::Bottom);
        self.prompt.move_cursor(ratatui_textarea::CursorMove::End);
        self.errors.remove(&Field::Prompt);
    }

    /// Takes pasted text.
    pub fn paste(&mut self, pasted: &str) {
        if self.focus == Field::Prompt {
            self.prompt.insert_str(text::clean(pasted));
        } else if let Some(input) = self.fields.get_mut(&self.focus) {
            input.insert(pasted);
            self.edited();
        }
    }

    /// Takes a key. `Outcome::Run` carries the job.
    pub fn key(&mut self, key: KeyEvent) -> Outcome {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return Outcome::Close,
            KeyCode::Char('c') if ctrl => return Outcome::Close,
            KeyCode::Char('s') if ctrl => return self.submit(),
            KeyCode::Char('o') if ctrl => return Outcome::Editor(self.prompt()),
            KeyCode::Tab => {
                self.complete();
                self.go(1);
            }
            KeyCode::BackTab => {
                self.complete();
                self.go(Field::ALL.len() - 1);
            }
            _ if self.focus == Field::Prompt => {
                // the widget's own emacs keys would take Ctrl-C and the like; those are gone by now
                self.prompt.input(key);
                self.errors.remove(&Field::Prompt);
            }
            KeyCode::Enter => {
                self.complete();
                return self.submit();
            }
            KeyCode::Down => self.choose(1),
            KeyCode::Up => self.choose(-1),
            _ => {
                if let Some(input) = self.fields.get_mut(&self.focus) {
                    let typing = matches!(key.code, KeyCode::Char(_)) && !ctrl;
                    if std::mem::take(&mut self.entered) && typing {
                        input.set("");
                    }
                    if input.key(key) {
                        self.edited();
                    }
                }
            }
        }
        Outcome::Stay
    }

    fn edited(&mut self) {
        self.typed = self.input(self.focus).to_owned();
        self.at = None;
        self.errors.remove(&self.focus);
    }

    fn go(&mut self, by: usize) {
        let at = Field::ALL.iter().position(|f| *f == self.focus).unwrap_or(0);
        self.focus = Field::ALL[(at + by) % Field::ALL.len()];
        // what stands there already does not narrow the choices
        self.typed = String::new();
        self.at = None;
        self.entered = true;
    }

    /// The choices for the focused field that go with what was typed.
    pub fn choices(&self) -> Vec<String> {
        let all: Vec<String> = match self.focus {
            Field::Backend => self.names.backends.clone(),
            Field::Priority => (0..=5).filter_map(Priority::new).map(|p| p.to_string()).collect(),
            Field::Model => self.names.models.clone(),
            Field::Worker => self.names.workers.clone(),
            Field::Skills => self.names.skills.clone(),
            Field::Project => self.names.projects.iter().map(|(_, name)| name.clone()).collect(),
            Field::Kind => Kind::ALL.iter().map(|k| k.to_string()).collect(),
            Field::Prompt | Field::After | Field::Title => Vec::new(),
        };
        let needle = self.typed.rsplit(',').next().unwrap_or("").trim().to_lowercase();
        let mut found: Vec<String> = all.into_iter().filter(|c| c.to_lowercase().contains(&needle)).collect();
        found.sort_by_key(|c| !c.to_lowercase().starts_with(&needle));
        found
    }

    fn put(&mut self, choice: &str) {
        let head = match (self.focus, self.typed.rsplit_once(',')) {
            (Field::Skills, Some((head, _))) => format!("{head},"),
            _ => String::new(),
        };
        self.fields.insert(self.focus, Input::new(format!("{head}{choice}")));
        self.errors.remove(&self.focus);
    }

    fn choose(&mut self, by: isize) {
        let choices = self.choices();
        if choices.is_empty() {
            return;
        }
        let current = self.at.or_else(|| choices.iter().position(|c| c == self.input(self.focus)));
        let at = match current {
            Some(i) => (i as isize + by).rem_euclid(choices.len() as isize) as usize,
            None if by > 0 => 0,
            None => choices.len() - 1,
        };
        self.at = Some(at);
        self.put(&choices[at].clone());
    }

    /// Typed text becomes the choice that begins with it.
    fn complete(&mut self) {
        if self.typed.is_empty() || self.at.is_some() {
            return;
        }
        let needle = self.typed.rsplit(',').next().unwrap_or("").trim().to_lowercase();
        let choices = self.choices();
        if needle.is_empty() || choices.iter().any(|c| c.to_lowercase() == needle) {
            return;
        }
        if let Some(first) = choices.into_iter().find(|c| c.to_lowercase().starts_with(&needle)) {
            self.put(&first);
        }
    }

    fn submit(&mut self) -> Outcome {
        match self.spec() {
            Ok(spec) => Outcome::Run(Run::Send {
                commands: vec![crate::domain::Command::AddJob { spec: Box::new(spec) }],
                label: "dispatch".to_owned(),
            }),
            Err(errors) => {
                if let Some((field, _)) = errors.iter().next() {
                    self.focus = *field;
                    self.typed.clear();
                    self.at = None;
                }
                self.errors = errors;
                Outcome::Stay
            }
        }
    }

    /// The job that the form describes.
    ///
    /// # Errors
    /// What is wrong, by field.
    pub fn spec(&self) -> Result<JobSpec, BTreeMap<Field, String>> {
        let mut errors = BTreeMap::new();
        let prompt = self.prompt();
        if prompt.trim().is_empty() {
            errors.insert(Field::Prompt, "say what the agent is to do".to_owned());
        }
        let value = |field| Some(self.input(field).trim().to_owned()).filter(|v: &String| !v.is_empty());
        let backend = value(Field::Backend).unwrap_or_default();
        if backend.is_empty() {
            errors.insert(Field::Backend, "choose who does it".to_owned());
        } else if !self.names.backends.is_empty() && !self.names.backends.contains(&backend) {
            errors.insert(Field::Backend, format!("no backend is called {backend}"));
        }
        let title = value(Field::Title).unwrap_or_else(|| {
            let first = prompt.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or("");
            text::fit(&text::clean_line(first.trim_start_matches(['#', ' '])), 80).into_owned()
        });
        let mut spec = JobSpec::new(title, backend, prompt.clone());
        match value(Field::Priority).map(|p| p.parse::<Priority>()) {
            Some(Ok(p)) => spec.priority = p,
            Some(Err(_)) => _ = errors.insert(Field::Priority, "P0 (urgent) to P5 (whenever)".to_owned()),
            None => {}
        }
        match value(Field::Kind).map(|k| k.parse::<Kind>()) {
            Some(Ok(k)) => spec.kind = k,
            Some(Err(_)) => _ = errors.insert(Field::Kind, "no such kind".to_owned()),
            None => {}
        }
        spec.model = value(Field::Model);
        spec.worker = value(Field::Worker);
        if let Some(w) = spec.worker.as_ref().filter(|w| !self.names.workers.contains(w)) {
            errors.insert(Field::Worker, format!("no worker is called {w}"));
        }
        if let Some(p) = value(Field::Project) {
            let found = self.names.projects.iter().find(|(id, name)| *name == p || id.to_string() == p.trim_start_matches('#'));
            match found {
                Some((id, _)) => spec.project_id = Some(*id),
                None => _ = errors.insert(Field::Project, format!("no project is called {p}")),
            }
        }
        let list = |v: Option<String>| -> Vec<String> {
            v.unwrap_or_default().split([',', ' ']).map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
        };
        spec.skills = list(value(Field::Skills));
        if let Some(s) = spec.skills.iter().find(|s| !self.names.skills.is_empty() && !self.names.skills.contains(s)) {
            errors.insert(Field::Skills, format!("no skill is called {s}"));
        }
        for id in list(value(Field::After)) {
            match id.parse::<JobId>() {
                Ok(id) => spec.depends_on.push(id),
                Err(_) => _ = errors.insert(Field::After, format!("`{id}` is no job id: write 12, 14")),
            }
        }
        if errors.is_empty() { Ok(spec) } else { Err(errors) }
    }
}

fn textarea(content: &str) -> TextArea<'static> {
    let mut area = TextArea::new(content.split('\n').map(str::to_owned).collect());
    area.set_wrap_mode(WrapMode::WordOrGlyph);
    area.set_cursor_line_style(Style::new());
    area.set_max_histories(100);
    area
}
