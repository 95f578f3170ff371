//! The console's desk: a thread with a database connection of its own that answers questions and applies commands, so that
//! neither the console nor the engine ever waits for the other. What may take long is asked of a second one: no kill, answer or
//! approval waits behind it.

use super::channel::{CONSOLE, ConsoleFeed, Incoming, deliver};
use super::deliverables::{self, DeliverableError};
use super::disk;
use super::health::{self, Site};
use super::library::Library;
use super::projects;
use super::step::{self, StepError};
use super::why;
use crate::config::{Settings, Workspace, backends};
use crate::domain::{
    Attempt, AttemptId, Command, ComponentHealth, CostBy, JobId, JobPage, JobsFrom, MemoryId, PlanDocument, PromptPart, WorkerId,
    components,
};
use crate::memory::Semantic;
use crate::os::clock;
use crate::store::{Period, Store, StoreError, apply};
use crate::wire::{Answer, From, JobDetail, Query, SpooledEvent, WorkerDetail, files};
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

/// How much of a result a console gets, in bytes.
const RESULT_CUT: usize = 256 * 1024;
/// How many events of a job, attempts of a worker.
const NEWEST: usize = 200;
/// What a console is told of the clock: so far ahead, and so many past fires.
const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
const PAST: usize = 50;

/// How old what takes long to find out of the installation's health may be in a console.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(300);

/// Called after a command has changed the database.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// A running desk. It ends when this is dropped.
pub struct Desk {
    questions: std::sync::mpsc::Sender<Query>,
    long: std::sync::mpsc::Sender<Query>,
}

impl Desk {
    /// Starts the thread; answers go to `answers`, the newest settings come from `settings`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(
        workspace: Workspace,
        settings: Arc<Settings>,
        library: Library,
        answers: mpsc::Sender<Answer>,
        wake: Wake,
    ) -> std::io::Result<Desk> {
        let open = |name: &str| {
            let (questions, inbox) = std::sync::mpsc::channel::<Query>();
            let (workspace, settings, library, wake) = (workspace.clone(), settings.clone(), library.clone(), wake.clone());
            let answers = answers.clone();
            let work = move || {
                let mut seat = Open { workspace, settings, library, store: None, wake };
                while let Ok(query) = inbox.recv() {
                    let answer = seat.answer(&query).unwrap_or_else(|e| Answer::Failed { query, message: e.to_string() });
                    if answers.blocking_send(answer).is_err() {
                        return;
                    }
                }
            };
            std::thread::Builder::new().name(name.into()).spawn(work)?;
            Ok::<_, std::io::Error>(questions)
        };
        Ok(Desk { questions: open("desk")?, long: open("long desk")? })
    }

    /// Asks; the answer comes through the channel that `start` got.
    pub fn ask(&self, query: Query) {
        // The threads end only with these senders.
        let _ = if takes_long(&query) { self.long.send(query) } else { self.questions.send(query) };
    }
}

/// Health and disk use walk folders, health reads the whole database, costs add up all attempts. Neither answer depends on a command that is asked
/// just before it.
fn takes_long(query: &Query) -> bool {
    matches!(query, Query::Health | Query::Costs { .. } | Query::Disk { .. })
}

/// What can go wrong with a question.
#[derive(Debug, thiserror::Error)]
enum DeskError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Step(#[from] StepError),
    #[error(transparent)]
    Memory(#[from] crate::memory::MemoryError),
    #[error(transparent)]
    Deliverable(#[from] DeliverableError),
    #[error(transparent)]
    Disk(#[from] disk::DiskError),
    #[error(transparent)]
    Keep(#[from] super::keeper::KeepError),
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
}

struct Open {
    workspace: Workspace,
    settings: Arc<Settings>,
    library: Library,
    store: Option<Store>,
    wake: Wake,
}

impl Open {
    fn store(&mut self) -> Result<&mut Store, StoreError> {
        if self.store.is_none() {
            self.store = Some(Store::open(&self.workspace.database())?);
        }
        Ok(self.store.as_mut().expect("opened above"))
    }

    fn answer(&mut self, query: &Query) -> Result<Answer, DeskError> {
        Ok(match query {
            Query::Jobs { filter, page } => {
                let store = self.store()?;
                let mut rows = store.job_list(filter, JobPage { limit: page.limit + 1, ..*page })?;
                let more = rows.len() > page.limit;
                match page.from {
                    JobsFrom::Top | JobsFrom::After(_) => rows.truncate(page.limit),
                    JobsFrom::Before(_) | JobsFrom::End => _ = rows.drain(..rows.len().saturating_sub(page.limit)),
                }
                Answer::Jobs { counts: store.job_counts(filter)?, filter: filter.clone(), page: *page, rows, more }
            }
            Query::Job { job } => Answer::Job(Box::new(self.job(*job)?)),
            Query::Transcript { attempt, from, limit } => self.transcript(*attempt, *from, *limit)?,
            Query::Log { filter, page } => {
                let mut lines = self.store()?.log(filter, crate::domain::Page { limit: page.limit + 1, ..*page })?;
                let more = lines.len() > page.limit;
                lines.truncate(page.limit);
                Answer::Log { filter: filter.clone(), page: *page, lines, more }
            }
            Query::Worker { worker } => Answer::Worker(Box::new(self.worker(*worker)?)),
            Query::Step { worker } => self.step(*worker)?,
            Query::MemorySearch { text, category, limit } => {
                let found = self.memory()?.recall(text, *limit, *category, clock::now())?;
                Answer::MemorySearch { text: text.clone(), category: *category, found }
            }
            Query::Memories { filter, page } => {
                let mut rows = self.memory()?.list(filter, page.before.map(MemoryId), page.limit + 1)?;
                let more = rows.len() > page.limit;
                rows.truncate(page.limit);
                Answer::Memories { filter: filter.clone(), page: *page, rows, more }
            }
            Query::Memory { memory } => {
                Answer::Memory(Box::new(self.memory()?.get(*memory)?.ok_or(crate::memory::MemoryError::Unknown(*memory))?))
            }
            Query::Recalls { job } => Answer::Recalls { job: *job, recalls: self.store()?.recalls(*job)? },
            Query::Plans { page } => {
                let mut rows = self.store()?.plans(crate::domain::Page { limit: page.limit + 1, ..*page })?;
                let more = rows.len() > page.limit;
                rows.truncate(page.limit);
                Answer::Plans { page: *page, rows, more }
            }
            Query::Plan { plan } => {
                let settings = self.settings();
                Answer::Plan(Box::new(super::plans::detail(self.store()?, &settings, *plan)?))
            }
            Query::Conversation { page } => {
                let mut entries = self.store()?.conversation(crate::domain::Page { limit: page.limit + 1, ..*page })?;
                let more = entries.len() > page.limit;
                entries.truncate(page.limit);
                Answer::Conversation { page: *page, entries, more }
            }
            Query::File { job, name } => Answer::File(Box::new(deliverables::content(self.store()?, *job, name, RESULT_CUT)?)),
            Query::Projects => Answer::Projects(projects::rows(self.store()?)?),
            Query::Project { project } => {
                let settings = self.settings();
                Answer::Project(Box::new(projects::detail(self.store()?, &settings, *project)?))
            }
            // It has a thread of its own: `measure`.
            Query::Disk { project } => Answer::Disk(disk::measure(self.store()?, *project)?),
            Query::Cron { past } => {
                let (workspace, settings) = (self.workspace.clone(), self.settings());
                let backends = crate::config::backends(&workspace, &settings).map(|(known, _)| known).unwrap_or_default();
                let store = self.store()?;
                let view = super::cron_view(store, &workspace, &settings, &backends, DAY, clock::now())?;
                // The first one, until the console knows their names.
                let name = past.clone().or_else(|| view.rows.first().map(|r| r.name.clone()));
                let fires = name.map(|n| store.fires(Some(&n), PAST)).transpose()?.unwrap_or_default();
                Answer::Cron { view: Box::new(view), past: past.clone(), fires }
            }
            Query::Skills => {
                let workspace = self.workspace.clone();
                Answer::Skills(super::shelf::rows(self.store()?, &workspace)?)
            }
            Query::Skill { name } => {
                let workspace = self.workspace.clone();
                Answer::Skill(Box::new(super::shelf::detail(self.store()?, &workspace, name)?))
            }
            Query::Costs { by, within } => self.costs(*by, within.as_ref())?,
            Query::Health => Answer::Health(self.health()),
            Query::Command(command) if command.is_of_memory() => {
                let (memory, workspace) = (self.memory()?, self.workspace.clone());
                let db = self.store()?;
                let who = super::actor::this(db, &workspace)?;
                let applied = super::keeper::apply(db, &memory, command, &who, clock::now())?;
                (self.wake)();
                Answer::Applied { command: command.clone(), applied }
            }
            Query::Command(command) => self.command(command)?,
        })
    }

    fn costs(&mut self, by: CostBy, within: Option<&(CostBy, String)>) -> Result<Answer, DeskError> {
        let (settings, now) = (self.settings(), clock::now());
        let backends = backends(&self.workspace, &settings).map(|b| b.0).unwrap_or_default();
        let prices = super::reload::prices_of(&self.workspace);
        let store = self.store()?;
        let overview = super::costs::overview(store, &settings, &backends, &prices, Period::ever(), now)?;
        // A day is a stretch of time; every other line has a key.
        let (period, inside) = match within {
            Some((CostBy::Day, day)) => (super::costs::of_day(&settings, day, now), None),
            Some((by, key)) => (Period::ever(), Some((*by, key.as_str()))),
            None => (Period::ever(), None),
        };
        let rows = store.costs_within(by, inside, period, now, |at| settings.day(at))?;
        Ok(Answer::Costs { by, within: within.cloned(), overview: Box::new(overview), rows })
    }

    fn health(&mut self) -> Vec<ComponentHealth> {
        // As they stand in the file: what is wrong with it is a finding.
        let read = self.settings.reread(&self.workspace);
        let settings = self.settings();
        let memory = self.memory().map_err(|e| (e.to_string(), "mend or move the folder memory/: until then jobs go without".to_owned()));
        let mut found = health::memories(memory.as_ref().map_err(Clone::clone), &settings, Some(&self.workspace));
        found.push(health::embedding(&settings));
        let site = Site {
            workspace: Ok(&self.workspace),
            settings: read.as_ref().map_err(|problems| (problems.to_string().replace('\n', "; "), String::new())),
            backends: backends(&self.workspace, &settings).map_err(|e| (e.to_string(), String::new())),
            engine: health::facts(&self.workspace),
            now: clock::now(),
            patience: PATIENCE,
            memory: found,
        };
        components(&health::examine(site))
    }

    fn memory(&mut self) -> Result<Semantic, DeskError> {
        let settings = self.settings();
        Ok(self.library.store(&settings)?)
    }

    fn command(&mut self, command: &Command) -> Result<Answer, DeskError> {
        let now = clock::now();
        let workspace = self.workspace.clone();
        let who = super::actor::this(self.store()?, &workspace)?;
        let mut asked = command.clone();
        // A console asks for no number of attempts: the setting decides.
        if let Command::AddJob { spec } = &mut asked {
            spec.max_attempts = self.settings().max_attempts;
        }
        if let Command::EditPlan { document, .. } = &asked
            && let Err(e) = self.plan_holds(document)
        {
            let applied = crate::domain::Applied::Refused { message: format!("that is no plan: {e}") };
            return Ok(Answer::Applied { command: command.clone(), applied });
        }
        let applied = match &asked {
            // What is said comes in as it does on every other channel.
            Command::SendMessage { text, channel, from, project } if channel == CONSOLE => {
                let incoming = Incoming { text, from: from.as_deref(), project: *project };
                deliver(self.store()?, &ConsoleFeed::default(), &incoming, &who, now)?
            }
            _ => self.store()?.write(|tx| apply(tx, &asked, &who, now))?,
        };
        (self.wake)();
        Ok(Answer::Applied { command: command.clone(), applied })
    }

    /// Whether a document is a plan, checked as a planner's is.
    fn plan_holds(&mut self, document: &PlanDocument) -> Result<(), String> {
        let settings = self.settings();
        document.check(settings.plan_max_tasks as usize).map_err(|e| e.to_string())?;
        let (known, _) = backends(&self.workspace, &settings).map_err(|e| e.to_string())?;
        super::plans::check_names(document, &known, &self.workspace)
    }

    /// The settings as they stand in the file now; the last good ones while it has a mistake.
    fn settings(&mut self) -> Arc<Settings> {
        if let Ok(settings) = self.settings.reread(&self.workspace) {
            self.settings = Arc::new(settings);
        }
        self.settings.clone()
    }

    fn step(&mut self, worker: WorkerId) -> Result<Answer, DeskError> {
        let (workspace, settings) = (self.workspace.clone(), self.settings.clone());
        let step = step::into(self.store()?, &workspace, &settings, worker, "operator", clock::now())?;
        (self.wake)();
        Ok(Answer::Step(Box::new(step)))
    }

    fn job(&mut self, id: JobId) -> Result<JobDetail, DeskError> {
        let settings = self.settings();
        let workspace = self.workspace.clone();
        let store = self.store()?;
        let job = store.job(id)?.ok_or(StoreError::NoJob(id))?;
        let attempts = store.attempts(id)?;
        let mut events = store
            .log(&crate::domain::LogFilter { job: Some(id), text: String::new() }, crate::domain::Page { before: None, limit: NEWEST })?;
        events.reverse();
        let prompt_parts = attempts.last().map(|a| prompt_parts(&workspace, a)).unwrap_or_default();
        let why = why::explain(store, &settings, &workspace, &job, clock::now())?;
        Ok(JobDetail {
            result: result(&attempts),
            files: deliverables::list(store, &job, &attempts)?,
            reviews: store.reviews(id)?,
            skills: store.skills_of(id)?,
            suggested: store.suggested_skills(id)?,
            dependencies: store.dependencies(id)?,
            dependents: store.dependents(id)?,
            attempts,
            events,
            prompt_parts,
            why,
            job,
        })
    }

    fn worker(&mut self, id: WorkerId) -> Result<WorkerDetail, DeskError> {
        let store = self.store()?;
        let w = store.worker(id)?.ok_or(StoreError::Unknown { what: "worker", name: id.to_string() })?;
        Ok(WorkerDetail {
            attempts: store.worker_attempts(id, NEWEST)?,
            directory: w.directory.clone(),
            skills: w.skills.clone(),
            session_tokens: w.session_tokens,
            worker: super::snapshot::worker_row(&w, None),
        })
    }

    fn transcript(&self, attempt: AttemptId, from: From, limit: usize) -> Result<Answer, DeskError> {
        let path = self.workspace.attempt_dir(attempt).join(files::SPOOL);
        let (events, more_before, more_after) =
            stretch(&path, from, limit).map_err(|source| DeskError::File { path: path.clone(), source })?;
        Ok(Answer::Transcript { attempt, from, events, more_before, more_after })
    }
}

/// The parts of the prompt that an attempt got, without their text.
pub fn prompt_parts(workspace: &Workspace, attempt: &Attempt) -> Vec<PromptPart> {
    let path = workspace.attempt_dir(attempt.id).join(files::PARTS);
    let parts: Vec<PromptPart> = std::fs::read(path).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
    parts.into_iter().map(|p| PromptPart { text: String::new(), ..p }).collect()
}

fn result(attempts: &[Attempt]) -> Option<String> {
    let path = attempts.iter().rev().find_map(|a| a.result_file.as_ref())?;
    let text = std::fs::read_to_string(path).ok()?;
    if text.len() <= RESULT_CUT {
        return Some(text);
    }
    let cut = text.floor_char_boundary(RESULT_CUT);
    Some(format!("{}\n… ({} bytes in all: {path})", &text[..cut], text.len()))
}

/// A stretch of a spool. Reading on from a known place costs what is new, since sequence numbers grow with the file: the
/// search is by bisection over byte offsets.
fn stretch(path: &Path, from: From, limit: usize) -> std::io::Result<(Vec<SpooledEvent>, bool, bool)> {
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), false, false)),
        Err(e) => return Err(e),
    };
    let size = file.metadata()?.len();
    let newest = last_seq(&mut file, size)?;
    let first = match from {
        From::After(seq) => seq + 1,
        From::End => newest.saturating_sub(limit as u64) + 1,
        From::Before(seq) => seq.saturating_sub(limit as u64).max(1),
    };
    let last = match from {
        From::Before(seq) => seq.saturating_sub(1),
        From::After(_) | From::End => newest,
    };
    let mut events = Vec::new();
    let start = offset_of(&mut file, size, first)?;
    file.seek(SeekFrom::Start(start))?;
    for line in BufReader::new(&file).split(b'\n') {
        let Ok(event) = serde_json::from_slice::<SpooledEvent>(&line?) else { continue };
        if event.seq > last || events.len() >= limit {
            break;
        }
        if event.seq >= first {
            events.push(event);
        }
    }
    let more_before = events.first().is_some_and(|e| e.seq > 1);
    let more_after = events.last().is_some_and(|e| e.seq < newest);
    Ok((events, more_before, more_after))
}

/// The byte offset of a line at or before the one with sequence number `seq`.
fn offset_of(file: &mut std::fs::File, size: u64, seq: u64) -> std::io::Result<u64> {
    let (mut low, mut high) = (0, size);
    while high - low > 64 * 1024 {
        let middle = low + (high - low) / 2;
        match line_after(file, middle)? {
            Some((start, found)) if found < seq && start < high => low = start,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The first whole line after an offset: where it starts and its sequence number.
fn line_after(file: &mut std::fs::File, offset: u64) -> std::io::Result<Option<(u64, u64)>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut reader = BufReader::new(&*file);
    let mut skipped = Vec::new();
    let mut start = offset + reader.read_until(b'\n', &mut skipped)? as u64;
    loop {
        let mut line = Vec::new();
        let n = reader.read_until(b'\n', &mut line)?;
        if n == 0 {
            return Ok(None);
        }
        if let Ok(event) = serde_json::from_slice::<SpooledEvent>(&line) {
            return Ok(Some((start, event.seq)));
        }
        start += n as u64;
    }
}

fn last_seq(file: &mut std::fs::File, size: u64) -> std::io::Result<u64> {
    let mut back = 64 * 1024;
    loop {
        let start = size.saturating_sub(back);
        file.seek(SeekFrom::Start(start))?;
        let mut seq = None;
        for line in BufReader::new(&*file).split(b'\n') {
            if let Ok(event) = serde_json::from_slice::<SpooledEvent>(&line?) {
                seq = Some(event.seq);
            }
        }
        match seq {
            Some(seq) => return Ok(seq),
            None if start == 0 => return Ok(0),
            None => back *= 4,
        }
    }
}
