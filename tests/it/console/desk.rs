//! A console with a desk that answers from values in memory, driven by keys as the config spells them.

use super::world;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use orc::domain::{
    AgentEvent, Applied, Attempt, AttemptId, Command, Gate, Hang, Injected, Job, JobId, JobRow, JobSpec, JobState, Level, Memory, Outcome,
    PartKind, PromptPart, Recalled, Standing, Terms, Usage, Verdict,
};
use orc::tui::{Choices, ColorLevel, Effect, Ground, Keymap, Model, Msg, Options, Theme, update, view};
use orc::wire::{Answer, From, JobDetail, JobsFrom, Query, Snapshot, SpooledEvent, Step, WorkerDetail};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A console under test.
pub struct Console {
    pub model: Model,
    pub size: (u16, u16),
    pub snapshot: Snapshot,
    pub rows: Vec<JobRow>,
    pub transcript: Vec<SpooledEvent>,
    pub memories: Vec<Memory>,
    /// The schedules, and the past of whichever is asked for.
    pub cron: (orc::domain::CronView, Vec<orc::domain::Fire>),
    /// Plans that can be looked at, and the whole conversation, oldest first.
    pub plans: Vec<orc::wire::PlanDetail>,
    pub said: Vec<orc::domain::Entry>,
    /// Rounds of review of whatever job is opened.
    pub reviews: Vec<orc::domain::Review>,
    /// What whatever job is opened delivers.
    pub files: Vec<orc::domain::Deliverable>,
    pub projects: Vec<orc::wire::ProjectDetail>,
    /// What the next commands come to; else `Done`.
    pub replies: Vec<Applied>,
    /// Every effect that was no question, oldest first; commands included.
    pub effects: Vec<Effect>,
    /// Questions that were asked.
    pub asked: Vec<Query>,
    pub cursor: Option<Position>,
    /// Keep questions unanswered.
    pub deaf: bool,
}

/// Options as most tests want them.
pub fn options(size: (u16, u16)) -> Options {
    Options {
        theme: Theme::new(Ground::Dark, ColorLevel::True, false),
        keymap: Keymap::default(),
        hosting: true,
        read_only: false,
        size,
        utc_offset: 0,
        choices: Choices {
            backends: ["claude", "codex", "gemini", "opencode", "shell"].map(str::to_owned).to_vec(),
            models: ["claude-opus-4-5", "claude-sonnet-4-5", "gpt-5-codex"].map(str::to_owned).to_vec(),
            skills: ["code-review", "writing", "planning", "healthcheck"].map(str::to_owned).to_vec(),
            projects: vec![(orc::domain::ProjectId(1), "billing".to_owned()), (orc::domain::ProjectId(2), "website".to_owned())],
            missing: BTreeMap::from([("opencode".to_owned(), "install it with `npm install -g opencode-ai`".to_owned())]),
        },
    }
}

impl Console {
    /// A console of this size that shows this snapshot.
    pub fn new(size: (u16, u16), snapshot: Snapshot) -> Console {
        Console::with(options(size), snapshot)
    }

    /// A console with these options.
    pub fn with(options: Options, snapshot: Snapshot) -> Console {
        let size = options.size;
        let rows = if snapshot.today.created == 0 { Vec::new() } else { world::history(&snapshot) };
        Console {
            model: Model::new(options, Arc::new(snapshot.clone())),
            size,
            rows,
            snapshot,
            transcript: transcript(),
            memories: world::memories(),
            cron: Default::default(),
            plans: Vec::new(),
            said: Vec::new(),
            reviews: Vec::new(),
            files: Vec::new(),
            projects: Vec::new(),
            replies: Vec::new(),
            effects: Vec::new(),
            asked: Vec::new(),
            cursor: None,
            deaf: false,
        }
    }

    /// Sends a message, and answers whatever is asked until nothing more is.
    pub fn send(&mut self, msg: Msg) -> &mut Console {
        let mut messages = vec![msg];
        let mut turns = 0;
        while let Some(msg) = messages.pop() {
            turns += 1;
            assert!(turns < 500, "the console never stops asking: {:?}", self.asked.last());
            for effect in update(&mut self.model, msg) {
                match effect {
                    Effect::Ask(Query::Command(command)) => {
                        self.effects.push(Effect::Ask(Query::Command(command.clone())));
                        if !self.deaf {
                            messages.push(Msg::Answer(Box::new(self.apply(command))));
                        }
                    }
                    Effect::Ask(query) => {
                        self.asked.push(query.clone());
                        if !self.deaf {
                            messages.push(Msg::Answer(Box::new(self.answer(query))));
                        }
                    }
                    other => self.effects.push(other),
                }
            }
        }
        self
    }

    /// Presses keys: `"2 j j enter"`; a word in quotes `'like this'` is typed.
    pub fn keys(&mut self, keys: &str) -> &mut Console {
        for (i, part) in keys.split('\'').enumerate() {
            if i % 2 == 1 {
                for c in part.chars() {
                    self.send(Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
                }
            } else {
                for word in part.split_whitespace() {
                    self.send(Msg::Key(event(word)));
                }
            }
        }
        self
    }

    /// A newer snapshot.
    pub fn show(&mut self, change: impl FnOnce(&mut Snapshot)) -> &mut Console {
        change(&mut self.snapshot);
        let snapshot = Arc::new(self.snapshot.clone());
        self.send(Msg::Snapshot(snapshot))
    }

    /// Draws the screen into a buffer.
    pub fn buffer(&mut self) -> Buffer {
        let area = Rect::new(0, 0, self.size.0, self.size.1);
        let mut buf = Buffer::empty(area);
        self.cursor = view(&self.model, area, &mut buf);
        self.model.drawn();
        self.model.shown();
        buf
    }

    /// The screen as text, one line a row.
    pub fn screen(&mut self) -> String {
        text(&self.buffer())
    }

    /// The commands that were sent.
    pub fn commands(&self) -> Vec<Command> {
        self.effects
            .iter()
            .filter_map(|e| match e {
                Effect::Ask(Query::Command(c)) => Some(c.clone()),
                _ => None,
            })
            .collect()
    }

    fn apply(&mut self, command: Command) -> Answer {
        let applied = if self.replies.is_empty() {
            match &command {
                Command::AddJob { .. } => Applied::Added { job: JobId(1496), existing: false },
                Command::SetPriority { job, priority, seen } => Applied::Done {
                    message: format!("job {job} is {priority} now"),
                    undo: Some(Command::SetPriority { job: *job, priority: orc::domain::Priority::P2, seen: *seen }),
                },
                _ => Applied::Done { message: "done".to_owned(), undo: None },
            }
        } else {
            self.replies.remove(0)
        };
        Answer::Applied { command, applied }
    }

    fn answer(&self, query: Query) -> Answer {
        match query {
            Query::Jobs { filter, page } => {
                let needle = filter.text.to_lowercase();
                let has = |text: &str, part: &Option<String>| part.as_ref().is_none_or(|p| text.to_lowercase().contains(p));
                let mut counts = BTreeMap::new();
                for row in &self.rows {
                    *counts.entry(row.state.to_string()).or_insert(0) += 1;
                }
                let mut all: Vec<&JobRow> = self
                    .rows
                    .iter()
                    .filter(|r| filter.states.is_empty() || filter.states.contains(&r.state))
                    .filter(|r| r.title.to_lowercase().contains(&needle) || r.backend.contains(&needle))
                    .filter(|r| filter.lane.is_none_or(|l| r.lane == l) && has(&r.backend, &filter.backend))
                    .filter(|r| has(r.project.as_deref().unwrap_or_default(), &filter.project))
                    .filter(|r| match page.from {
                        JobsFrom::After(place) => r.place() > place,
                        JobsFrom::Before(place) => r.place() < place,
                        JobsFrom::Top | JobsFrom::End => true,
                    })
                    .collect();
                all.sort_by_key(|r| r.place());
                let more = all.len() > page.limit;
                let skip = match page.from {
                    JobsFrom::Before(_) | JobsFrom::End => all.len().saturating_sub(page.limit),
                    JobsFrom::Top | JobsFrom::After(_) => 0,
                };
                Answer::Jobs { filter, page, rows: all.into_iter().skip(skip).take(page.limit).cloned().collect(), counts, more }
            }
            Query::Job { job } => match self.rows.iter().find(|r| r.id == job) {
                Some(row) => Answer::Job(Box::new(self.detail(row))),
                None => Answer::Failed { query, message: format!("there is no job {job}: `orc job ls` shows those there are") },
            },
            Query::Transcript { attempt, from, limit } => {
                let all = &self.transcript;
                let (events, before, after): (Vec<SpooledEvent>, bool, bool) = match from {
                    From::End => {
                        let start = all.len().saturating_sub(limit);
                        (all[start..].to_vec(), start > 0, false)
                    }
                    From::After(seq) => (all.iter().filter(|e| e.seq > seq).take(limit).cloned().collect(), false, false),
                    From::Before(seq) => {
                        let older: Vec<SpooledEvent> = all.iter().filter(|e| e.seq < seq).cloned().collect();
                        let start = older.len().saturating_sub(limit);
                        (older[start..].to_vec(), start > 0, true)
                    }
                };
                Answer::Transcript { attempt, from, events, more_before: before, more_after: after }
            }
            Query::Log { filter, page } => Answer::Log { filter, page, lines: Vec::new(), more: false },
            Query::Plans { page } => Answer::Plans { page, rows: Vec::new(), more: false },
            Query::Plan { plan } => match self.plans.iter().find(|d| d.plan.id == plan) {
                Some(d) => Answer::Plan(Box::new(d.clone())),
                None => Answer::Failed { query, message: format!("there is no plan {plan}: `orc plan ls` lists them") },
            },
            Query::Conversation { page } => {
                let older = self.said.iter().rev().filter(|e| page.before.is_none_or(|b| e.id.0 < b));
                let entries: Vec<_> = older.clone().take(page.limit).cloned().collect();
                Answer::Conversation { page, more: older.count() > entries.len(), entries }
            }
            Query::Worker { worker } => match self.snapshot.workers.iter().find(|w| w.id == worker) {
                Some(w) => Answer::Worker(Box::new(WorkerDetail {
                    worker: w.clone(),
                    directory: "/home/ops/acme/projects/billing/.orc/worktrees/claude-main".to_owned(),
                    skills: vec!["code-review".to_owned()],
                    session_tokens: 88_400,
                    attempts: self
                        .rows
                        .iter()
                        .filter(|r| r.worker.as_deref() == Some(w.name.as_str()))
                        .take(6)
                        .map(|r| attempt(r, 1))
                        .collect(),
                })),
                None => Answer::Failed { query, message: "there is no such worker".to_owned() },
            },
            Query::MemorySearch { text, category, limit } => {
                let hits = self.memories.iter().filter(|m| m.holds() && category.is_none_or(|c| m.category == c));
                let hits = hits.filter(|m| m.text.to_lowercase().contains(&text.to_lowercase()));
                let found = hits.take(limit).enumerate().map(|(i, m)| found(m, i)).collect();
                Answer::MemorySearch { text, category, found }
            }
            Query::Memories { filter, page } => {
                let rows: Vec<Memory> = self
                    .memories
                    .iter()
                    .filter(|m| filter.category.is_none_or(|c| m.category == c))
                    .filter(|m| match filter.standing {
                        Standing::Holding => m.holds(),
                        Standing::Superseded => m.superseded_by.is_some(),
                        Standing::Forgotten => m.forgotten_at.is_some(),
                        Standing::Any => true,
                    })
                    .filter(|m| page.before.is_none_or(|b| m.id.0 < b))
                    .cloned()
                    .collect();
                let more = rows.len() > page.limit;
                Answer::Memories { filter, page, rows: rows.into_iter().take(page.limit).collect(), more }
            }
            Query::Memory { memory } => match self.memories.iter().find(|m| m.id == memory) {
                Some(m) => Answer::Memory(Box::new(m.clone())),
                None => Answer::Failed { query, message: "there is no such memory".to_owned() },
            },
            Query::Skills => Answer::Skills(super::skills::skills().into_iter().map(|d| d.row).collect()),
            Query::Skill { name } => match super::skills::skills().into_iter().find(|d| d.row.name == name) {
                Some(d) => Answer::Skill(Box::new(d)),
                None => Answer::Failed { query: Query::Skill { name }, message: "there is no such skill".to_owned() },
            },
            Query::Recalls { job } => {
                let started = self.rows.iter().find(|r| r.id == job).and_then(|r| r.attempt);
                let given = self.memories.iter().filter(|m| m.holds()).take(3).enumerate();
                let recalls = started.map(|attempt| given.map(|(i, m)| injected(m, i, job, attempt)).collect()).unwrap_or_default();
                Answer::Recalls { job, recalls }
            }
            Query::Step { worker } => match self.snapshot.workers.iter().find(|w| w.id == worker) {
                Some(w) => Answer::Step(Box::new(Step {
                    worker,
                    name: w.name.clone(),
                    argv: vec![w.backend.clone(), "--resume".to_owned(), w.session.clone().unwrap_or_default()],
                    env: BTreeMap::new(),
                    env_remove: Vec::new(),
                    cwd: "/home/ops/acme".into(),
                    release: Some(Command::PauseWorker { worker, paused: false }),
                })),
                None => Answer::Failed { query, message: "there is no such worker".to_owned() },
            },
            Query::Cron { past } => Answer::Cron { view: Box::new(self.cron.0.clone()), past, fires: self.cron.1.clone() },
            Query::Costs { by, within } => {
                let (overview, rows) = world::costs(by, self.rows.is_empty());
                Answer::Costs { by, within, overview: Box::new(overview), rows }
            }
            Query::File { .. } | Query::Projects | Query::Project { .. } | Query::Disk { .. } => {
                super::projects::answer(query, &self.projects)
            }
            Query::Health => Answer::Health(world::health()),
            Query::Command(_) => unreachable!("commands are applied"),
        }
    }

    fn detail(&self, row: &JobRow) -> JobDetail {
        let mut spec = JobSpec::new(
            row.title.clone(),
            row.backend.clone(),
            "Move `billing.invoices` to the new schema.\n\nKeep the old table until the totals agree.",
        );
        spec.kind = row.kind;
        spec.priority = row.priority;
        spec.skills = vec!["code-review".to_owned(), "planning".to_owned()];
        let job = Job {
            id: row.id,
            spec,
            state: row.state,
            wait_reason: row.wait_reason,
            attempts: row.attempts,
            losses: 0,
            attempt: row.attempt,
            outcome: row.outcome,
            note: row.note.clone(),
            ready_at: row.ready_at,
            created_at: row.created_at,
            queued_at: row.queued_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            kill_requested: false,
            rounds: 0,
            guide: None,
        };
        let started = row.started_at.is_some();
        let mut attempts = Vec::new();
        if started {
            let mut first = attempt(row, 1);
            first.id = AttemptId(row.id.0 * 10 - 1);
            first.outcome = Some(Outcome::Timeout);
            first.ended_at = Some(world::ago(2100));
            first.started_at = world::ago(5700);
            first.message = Some("ran for 60m, its limit for code jobs; raise `timeout.code` or split the job".to_owned());
            attempts.push(first);
            attempts.push(attempt(row, 2));
        }
        let waits = matches!(row.state, JobState::Queued | JobState::Waiting);
        let verdict = |gate, open, says: &str, unblock: &str| Verdict { gate, open, says: says.to_owned(), unblock: unblock.to_owned() };
        JobDetail {
            skills: Vec::new(),
            suggested: Vec::new(),
            attempts,
            events: self.snapshot.log.iter().filter(|l| l.job == Some(row.id)).cloned().collect(),
            dependencies: if row.open_dependencies > 0 { self.rows.iter().filter(|r| r.state == JobState::Running).take(2).cloned().collect() } else { Vec::new() },
            dependents: if row.state == JobState::Running { self.rows.iter().filter(|r| r.state == JobState::Waiting).take(2).cloned().collect() } else { Vec::new() },
            prompt_parts: if started {
                vec![
                    PromptPart::new(PartKind::Rules, "CLAUDE.md", "x".repeat(4_000)),
                    PromptPart::new(PartKind::Core, "core-memory.md", "x".repeat(9_000)),
                    PromptPart::new(PartKind::Persona, "personas/engineer.md", "x".repeat(2_100)),
                    PromptPart::new(PartKind::Skill, "skills/code-review/SKILL.md", "x".repeat(6_400)),
                    PromptPart::new(PartKind::Job, "job", "x".repeat(400)),
                ]
            } else {
                Vec::new()
            },
            why: if waits {
                vec![
                    verdict(Gate::Engine, true, "running", ""),
                    if row.open_dependencies == 0 {
                        verdict(Gate::Dependency, true, "depends on nothing", "")
                    } else {
                        verdict(Gate::Dependency, false, "waits for #1471 and #1468", "they run now; both have to end well")
                    },
                    verdict(Gate::Lane, true, "lane 1 is open", ""),
                    verdict(Gate::Budget, false, "273k of 400k used or reserved, this job is estimated at 140k", "about 1m20s, when the oldest tokens leave the window"),
                    verdict(Gate::Worker, true, "claude-main is free", ""),
                ]
            } else {
                Vec::new()
            },
            reviews: self.reviews.clone(),
            files: self.files.clone(),
            result: (row.state == JobState::Done).then(|| "# Done\n\nMoved **12,402** invoices.\n\n| table | rows |\n|---|---|\n| invoices | 12402 |\n| lines | 90211 |\n\n- totals agree\n- the old table stays until Friday\n".to_owned()),
            job,
        }
    }
}

fn terms(i: usize) -> Terms {
    Terms { similarity: 0.91 - i as f64 * 0.2, recency: 0.4 + i as f64 * 0.2, importance: 0.6, access: 0.125 }
}

fn found(m: &Memory, i: usize) -> Recalled {
    Recalled { memory: m.clone(), score: 0.71 - i as f64 * 0.13, terms: terms(i), penalised: i == 1, cosine: 0.5, lexical: 0.5 }
}

fn injected(m: &Memory, i: usize, job: JobId, attempt: AttemptId) -> Injected {
    Injected {
        job,
        attempt,
        rank: i as u32 + 1,
        memory: m.id,
        category: m.category,
        text: m.text.clone(),
        external: m.external || i == 2,
        score: 0.71 - i as f64 * 0.13,
        terms: terms(i),
        penalised: i == 1,
        factor: if i == 1 { 0.5 } else { 1.0 },
        vetoed: false,
        at: world::ago(840),
    }
}

fn attempt(row: &JobRow, number: u32) -> Attempt {
    Attempt {
        id: row.attempt.unwrap_or(AttemptId(row.id.0 * 10)),
        job_id: row.id,
        number,
        worker_id: None,
        worker: row.worker.clone().unwrap_or_default(),
        backend: row.backend.clone(),
        model: Some("claude-opus-4-5".to_owned()),
        epoch: 3,
        host: "ops-1".to_owned(),
        shim: None,
        session: Some("8a51c1c8-2b9c-4a5e-9d0e-2f1c54b0a7aa".to_owned()),
        directory: "/home/ops/acme".to_owned(),
        started_at: row.started_at.unwrap_or(world::ago(600)),
        ended_at: row.finished_at,
        outcome: row.outcome,
        exit_code: None,
        message: None,
        usage: Usage { input: row.tokens * 4 / 5, output: row.tokens / 5, cache_read: 0, cache_write: 0 },
        usage_known: true,
        cost_usd: Some(row.cost_usd),
        cost_source: Some(orc::domain::CostSource::Reported),
        estimated: 0,
        estimate: 60_000,
        result_file: None,
        acked_seq: 10,
    }
}

/// A believable stream.
fn transcript() -> Vec<SpooledEvent> {
    let events = vec![
        AgentEvent::Started { pid: 20_411, start_time: 1 },
        AgentEvent::Session { id: "8a51c1c8".to_owned(), model: Some("claude-opus-4-5".to_owned()), version: Some("2.1.197".to_owned()) },
        AgentEvent::Thinking { text: "The user wants the billing tables moved. First I should see how the totals are computed.\nThen plan.".to_owned() },
        AgentEvent::Text { text: "I'll start with how the totals are computed today, then write the migration.".to_owned() },
        AgentEvent::ToolCall { id: "t1".to_owned(), name: "Grep".to_owned(), input: r#"{"pattern":"fn total","path":"src/billing"}"#.to_owned() },
        AgentEvent::ToolResult { id: "t1".to_owned(), output: "src/billing/invoice.rs:41\nsrc/billing/lines.rs:12".to_owned(), is_error: false },
        AgentEvent::ToolCall { id: "t2".to_owned(), name: "Bash".to_owned(), input: r#"{"command":"cargo test -p billing --features migrate","description":"run"}"#.to_owned() },
        AgentEvent::ToolResult { id: "t2".to_owned(), output: "running 41 tests\n\u{1b}[31mFAILED\u{1b}[0m totals_agree\n".to_owned(), is_error: true },
        AgentEvent::Notice { level: Level::Warn, text: "the API was overloaded, trying again in 2s".to_owned() },
        AgentEvent::Stderr { text: "warning: unused variable `rate`".to_owned() },
        AgentEvent::Stderr { text: "  --> src/billing/rate.rs:7:9".to_owned() },
        AgentEvent::Text { text: "One test fails:\n\n1. `totals_agree` compares **rounded** values\n2. the new schema keeps cents as integers\n\n```rust\nassert_eq!(old.total(), new.total_cents() as f64 / 100.0);\n```\n\nI'll compare cents instead.".to_owned() },
        AgentEvent::Hanging { verdict: Hang::SilentBusy },
        AgentEvent::Moving,
        AgentEvent::ToolCall { id: "t3".to_owned(), name: "Edit".to_owned(), input: r#"{"file_path":"src/billing/tests/totals.rs"}"#.to_owned() },
    ];
    events
        .into_iter()
        .enumerate()
        .map(|(i, event)| SpooledEvent { seq: i as u64 + 1, at: world::ago(840 - i as i64 * 20), event })
        .collect()
}

/// A key as the config spells it.
pub fn event(word: &str) -> KeyEvent {
    let mut rest = word;
    let mut modifiers = KeyModifiers::NONE;
    for (prefix, modifier) in [("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT), ("shift-", KeyModifiers::SHIFT)] {
        if let Some(r) = rest.strip_prefix(prefix).filter(|r| !r.is_empty()) {
            modifiers |= modifier;
            rest = r;
        }
    }
    let code = match rest {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        "tab" => KeyCode::Tab,
        "space" => KeyCode::Char(' '),
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "pgup" => KeyCode::PageUp,
        "pgdn" => KeyCode::PageDown,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "backspace" => KeyCode::Backspace,
        "delete" => KeyCode::Delete,
        c => KeyCode::Char(c.chars().next().expect("a key has a name")),
    };
    KeyEvent::new(code, modifiers)
}

/// A buffer as text: wide characters once, no blanks at the ends of lines.
pub fn text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buf.area.height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..buf.area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buf[(x, y)].symbol();
            skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
