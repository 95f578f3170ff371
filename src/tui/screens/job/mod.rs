//! One job, opened: overview, transcript, prompt, result.

mod blocks;
mod files;
mod markdown;
pub mod overview;
mod recalled;
pub mod rounds;
mod transcript;
mod view;

pub use files::{Files, form};
pub use transcript::Transcript;
pub use view::{draw, reading_area};

use crate::domain::{AttemptId, Injected, JobId, JobState, Timestamp};
use crate::tui::keymap::Action;
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widgets::{Doc, DocLine, Jump};
use crate::wire::{JobDetail, Query};
use overview::Page;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use std::time::Duration;

/// The parts of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    Overview,
    Transcript,
    Prompt,
    Memory,
    Result,
    Files,
}

impl Tab {
    pub const ALL: [Tab; 6] = [Tab::Overview, Tab::Transcript, Tab::Prompt, Tab::Memory, Tab::Result, Tab::Files];

    pub fn name(self) -> &'static str {
        match self {
            Tab::Overview => "Overview",
            Tab::Transcript => "Transcript",
            Tab::Prompt => "Prompt",
            Tab::Memory => "Memory",
            Tab::Result => "Result",
            Tab::Files => "Files",
        }
    }
}

/// A job that is open.
pub struct JobScreen {
    pub id: JobId,
    pub detail: Option<Box<JobDetail>>,
    pub error: Option<String>,
    pub tab: Tab,
    /// The part beside the overview on a wide screen.
    pub beside: Tab,
    /// The attempt whose transcript is read; `None` = the newest.
    pub attempt: Option<AttemptId>,
    pub transcript: Transcript,
    pub overview: Doc,
    pub prompt: Doc,
    /// What it was given from memory, once that is known.
    pub recalls: Option<Vec<Injected>>,
    pub memory: Doc,
    pub result: Doc,
    pub files: Files,
    stale: bool,
    recalls_stale: bool,
    was_live: Option<AttemptId>,
    newest_event: i64,
    laid_out: Option<(usize, usize)>,
    looked: Timestamp,
}

impl JobScreen {
    /// Opens a job; `running` decides what is read first.
    pub fn new(id: JobId, running: bool) -> JobScreen {
        JobScreen {
            id,
            detail: None,
            error: None,
            tab: if running { Tab::Transcript } else { Tab::Overview },
            beside: Tab::Transcript,
            attempt: None,
            transcript: Transcript::default(),
            overview: Doc::default(),
            prompt: Doc::default(),
            recalls: None,
            memory: Doc::default(),
            result: Doc::default(),
            files: Files::default(),
            stale: true,
            recalls_stale: true,
            was_live: None,
            newest_event: 0,
            laid_out: None,
            looked: Timestamp::default(),
        }
    }

    /// Takes a snapshot: asks anew for what it shows to have changed.
    pub fn take_snapshot(&mut self, snapshot: &crate::wire::Snapshot) {
        let live = overview::live(snapshot, self.id).map(|(_, l)| l.attempt);
        let newest = snapshot.log.iter().filter(|l| l.job == Some(self.id)).map(|l| l.id).max().unwrap_or(0);
        let over = self.detail.as_ref().is_some_and(|d| d.job.state.is_final());
        // why it waits changes with everything else: look once a second
        let waits = !over && live.is_none() && snapshot.at.since(self.looked) >= Duration::from_secs(1);
        if live != self.was_live || newest > self.newest_event || waits {
            self.stale = true;
            self.looked = snapshot.at;
        }
        let reads = self.transcript.attempt();
        if live.is_some() && live == reads || self.was_live.is_some() && self.was_live == reads {
            self.transcript.poke();
        }
        self.was_live = live;
        self.newest_event = self.newest_event.max(newest);
    }

    /// Takes the job in full.
    pub fn take(&mut self, detail: JobDetail) {
        self.error = None;
        // another attempt has its own
        let newest = |d: &JobDetail| d.attempts.iter().map(|a| a.id).max();
        self.recalls_stale |= self.detail.as_deref().and_then(newest) != newest(&detail);
        self.files.set(&detail.files);
        self.detail = Some(Box::new(detail));
        self.laid_out = None;
        self.aim();
    }

    /// Points the transcript at the chosen attempt, or at the newest.
    fn aim(&mut self) {
        let Some(d) = &self.detail else { return };
        let newest = d.attempts.iter().max_by_key(|a| a.number).map(|a| a.id);
        self.transcript.open(self.attempt.or(newest), d.job.spec.backend == "shell");
    }

    /// Takes what the job was given from memory.
    pub fn take_recalls(&mut self, recalls: Vec<Injected>) {
        self.recalls = Some(recalls);
    }

    /// The recalled memory under the cursor, if that is what is read.
    pub fn recalled(&self) -> Option<&Injected> {
        let Some(Jump::Memory(id)) = self.memory.jump().filter(|_| self.tab == Tab::Memory) else { return None };
        // of several attempts the newest says how it stands
        self.recalls.as_ref()?.iter().rev().find(|r| r.memory == id)
    }

    /// What to ask for.
    pub fn wants(&self) -> Option<Query> {
        if self.stale {
            return Some(Query::Job { job: self.id });
        }
        if self.recalls_stale && (self.tab == Tab::Memory || self.beside == Tab::Memory) {
            return Some(Query::Recalls { job: self.id });
        }
        if let Some(name) = self.files.wants().filter(|_| self.tab == Tab::Files || self.beside == Tab::Files) {
            return Some(Query::File { job: self.id, name: name.to_owned() });
        }
        let shown = self.tab == Tab::Transcript || self.beside == Tab::Transcript;
        if shown { self.transcript.wants() } else { None }
    }

    /// A question has gone out.
    pub fn asked(&mut self, query: &Query) {
        match query {
            Query::Job { .. } => self.stale = false,
            Query::Recalls { .. } => self.recalls_stale = false,
            Query::File { .. } => self.files.asked(),
            _ => self.transcript.asked(),
        }
    }

    /// Asks for everything anew.
    pub fn touch(&mut self) {
        self.stale = true;
        self.recalls_stale = true;
        self.files.touch();
        self.transcript.poke();
    }

    /// Lays out what changed. `areas`: the page areas of overview and of what is read.
    pub fn sync(&mut self, page: Page<'_>, overview: Rect, reading: Rect) {
        let width = |r: Rect| usize::from(r.width.saturating_sub(2)).max(8);
        let height = |r: Rect| usize::from(r.height).max(1);
        self.transcript.sync(usize::from(reading.width.saturating_sub(view::GUTTER)), height(reading), page.theme);
        let Some(d) = &self.detail else { return };
        let lines = overview::lines(d, &Page { width: width(overview), ..page });
        self.overview.set(lines, height(overview));
        let given = recalled::lines(self.recalls.as_deref().unwrap_or_default(), &Page { width: width(reading), ..page });
        self.memory.set(given, height(reading));
        self.files.sync(width(reading), height(reading), page.theme);
        let key = (width(reading), height(reading));
        if self.laid_out != Some(key) {
            let (theme, width) = (page.theme, width(reading));
            let prompt = prompt_lines(d, width, theme);
            let result = result_lines(d, width, theme);
            self.prompt.set(prompt, height(reading));
            self.result.set(result, height(reading));
            self.laid_out = Some(key);
        }
    }

    /// The page that has the focus, unless it is the transcript.
    fn doc(&mut self) -> Option<&mut Doc> {
        match self.tab {
            Tab::Overview => Some(&mut self.overview),
            Tab::Transcript | Tab::Files => None,
            Tab::Prompt => Some(&mut self.prompt),
            Tab::Memory => Some(&mut self.memory),
            Tab::Result => Some(&mut self.result),
        }
    }

    /// Shows a part.
    pub fn show(&mut self, tab: Tab) {
        self.tab = tab;
        if tab != Tab::Overview {
            self.beside = tab;
        }
    }

    /// Moves, folds or changes the part, if the action is one of those.
    pub fn moved(&mut self, action: Action) -> bool {
        let at = Tab::ALL.iter().position(|t| *t == self.tab).unwrap_or(0);
        match action {
            Action::NextPane | Action::Right => self.show(Tab::ALL[(at + 1) % Tab::ALL.len()]),
            Action::PreviousPane | Action::Left => self.show(Tab::ALL[(at + Tab::ALL.len() - 1) % Tab::ALL.len()]),
            Action::Follow => {
                self.show(Tab::Transcript);
                self.transcript.toggle_follow();
            }
            Action::Fold if self.tab == Tab::Transcript => {
                self.transcript.fold();
            }
            Action::FoldAll if self.tab == Tab::Transcript => self.transcript.fold_all(),
            _ if self.tab == Tab::Files => return self.files.moved(action),
            _ => {
                let Some(doc) = self.doc() else { return self.transcript.moved(action) };
                let page = doc.cursor.height.saturating_sub(1).max(1) as isize;
                match action {
                    Action::Up => doc.step(-1),
                    Action::Down => doc.step(1),
                    Action::PageUp => doc.step(-page),
                    Action::PageDown => doc.step(page),
                    Action::Top => doc.go(0),
                    Action::Bottom => doc.go(usize::MAX),
                    _ => return false,
                }
            }
        }
        true
    }

    /// `Enter`: opens what the line leads to, or folds. `Some` = another job.
    pub fn open(&mut self) -> Option<JobId> {
        match self.tab {
            Tab::Transcript => {
                self.transcript.fold();
            }
            Tab::Overview => match self.overview.jump() {
                Some(Jump::Job(id)) => return Some(id),
                Some(Jump::Attempt(id)) => {
                    self.attempt = Some(id);
                    self.aim();
                    self.show(Tab::Transcript);
                }
                Some(Jump::File(_, at)) => {
                    self.show(Tab::Files);
                    self.files.open_at(at);
                }
                Some(Jump::Memory(_) | Jump::Task(_) | Jump::Diff(_)) | None => {}
            },
            Tab::Files => self.files.open(),
            Tab::Prompt | Tab::Memory | Tab::Result => {}
        }
        None
    }

    /// What `y` copies, and what to call it.
    pub fn copy(&self) -> Option<(String, &'static str)> {
        match self.tab {
            Tab::Overview => Some((self.id.to_string(), "the job's id")),
            Tab::Transcript => self.transcript.selected().map(|b| (b.content(), "the block")),
            Tab::Prompt => self.detail.as_ref().map(|d| (d.job.spec.prompt.clone(), "the prompt")),
            Tab::Memory => self.recalled().map(|r| (r.text.clone(), "the memory")),
            Tab::Result => self.detail.as_ref().and_then(|d| d.result.clone()).map(|r| (r, "the result")),
            Tab::Files => self.files.copy(),
        }
    }

    /// One step out within the job; false where there is none.
    pub fn back(&mut self) -> bool {
        self.tab == Tab::Files && self.files.close()
    }

    /// True while the job runs.
    pub fn running(&self) -> bool {
        self.detail.as_ref().is_some_and(|d| d.job.state == JobState::Running)
    }
}

/// The prompt's parts with source, length and hash, then the job's own text.
fn prompt_lines(d: &JobDetail, width: usize, t: &Theme) -> Vec<DocLine> {
    let mut out = Vec::new();
    let total: u64 = d.prompt_parts.iter().map(|p| p.tokens).sum();
    if d.prompt_parts.is_empty() {
        out.push(DocLine::of(Line::styled("The parts are put together when the job starts.", t.dim)));
    } else {
        let head = format!(
            "{} in {}; `orc job prompt {}` prints every word of it",
            plural_tokens(total),
            text::plural(d.prompt_parts.len() as u64, "part"),
            d.job.id
        );
        out.extend(DocLine::wrapped(&head, width, t.dim));
        out.push(DocLine::default());
        for part in &d.prompt_parts {
            let bar = (part.tokens * 12).div_ceil(total.max(1)) as usize;
            let source_width = width.saturating_sub(42).clamp(8, 48);
            let source = text::clean_line(&part.source);
            let source = text::fit(&source, source_width);
            let pad = source_width.saturating_sub(text::width(&source));
            out.push(DocLine::of(Line::from(vec![
                Span::styled(format!("{:<9} ", part.kind), t.accent),
                Span::styled(source.into_owned(), t.text),
                Span::raw(" ".repeat(pad)),
                Span::styled(format!(" {:>6} tok ", text::count(part.tokens)), t.text),
                Span::styled("█".repeat(bar), t.gauge),
                Span::styled("░".repeat(12usize.saturating_sub(bar)), t.gauge_empty),
                Span::styled(format!(" {}", &part.hash.chars().take(8).collect::<String>()), t.dim),
            ])));
        }
    }
    out.push(DocLine::default());
    out.push(DocLine::of(Line::styled("The job's own text", t.accent)));
    out.push(DocLine::default());
    out.extend(DocLine::wrapped(&d.job.spec.prompt, width, t.text));
    out
}

fn plural_tokens(n: u64) -> String {
    format!("about {} tokens", text::count(n))
}

fn result_lines(d: &JobDetail, width: usize, t: &Theme) -> Vec<DocLine> {
    match d.result.as_deref().filter(|r| !r.is_empty()) {
        Some(result) if d.job.spec.backend == "shell" => DocLine::wrapped(result, width, t.text),
        Some(result) => markdown::lines(result, width, t).into_iter().map(DocLine::of).collect(),
        None => Vec::new(),
    }
}
