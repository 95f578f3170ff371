//! What the engine knows, and how it learns what has changed. The state's methods stand by what they do: `frames` what shims
//! say, `adopt` what stands behind open attempts, `ended` the end of attempts, `dispatch` starts, `snapshot` the view.

use super::channel::{ChannelError, ConsoleFeed};
use super::dispatch::Starting;
use super::evidence::EvidenceRequest;
use super::input::{Input, Link};
use super::launcher::Launch;
use super::live::Lives;
use super::memories::MemoryRequest;
use crate::config::{Backend, Settings, Workspace};
use crate::domain::{
    AttemptId, CapUnit, Capacity, ExitReport, Expected, JobId, LogLine, Outcome, PlanRow, PlanState, Prices, ProjectId, Queue, ReviewId,
    Stage, Timestamp, Worker, WorkerId, WorkerStatus,
};
use crate::memory::Episodes;
use crate::store::{EngineState, OpenAttempt, QueuedRow, Store, StoreError, Tx};
use crate::wire::EngineFrame;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// What is to be done once the transaction is on the disk.
pub(super) enum Effect {
    Send(Link, EngineFrame),
    Close(Link),
    Launch(Box<Launch>),
    Probe(Box<OpenAttempt>),
    Memory(MemoryRequest),
    Evidence(EvidenceRequest),
    Dedup(super::dedup::DedupRequest),
}

impl Effect {
    pub(super) fn bye(link: Link, reason: &str) -> Effect {
        Effect::Send(link, EngineFrame::Bye { reason: reason.to_owned() })
    }
}

/// A shim's connection.
pub(super) struct LinkState {
    pub outbox: mpsc::Sender<EngineFrame>,
    pub attempt: Option<AttemptId>,
}

/// All that the engine knows, apart from the database.
pub(super) struct State {
    pub workspace: Workspace,
    pub settings: Arc<Settings>,
    pub backends: BTreeMap<String, Backend>,
    pub prices: Prices,
    pub workspace_id: String,
    pub host_name: String,
    pub epoch: u64,
    pub began: Timestamp,
    pub demo: bool,
    pub watch_host: bool,
    /// The newest event that is known.
    pub last_event: i64,
    pub switches: EngineState,
    pub queue: Queue,
    pub waiting: [u32; 3],
    /// By name.
    pub workers: Vec<Worker>,
    /// The capacity has not seen them as they are.
    pub workers_changed: bool,
    pub lives: Lives,
    pub links: HashMap<Link, LinkState>,
    pub capacity: Capacity,
    pub expected: Expected,
    /// Attempts that were open when this engine began and are not yet known to live or to be over: no dispatch before.
    pub adopting: BTreeSet<AttemptId>,
    /// Attempts with events taken in this batch.
    pub acked: BTreeSet<AttemptId>,
    /// Claimed, and waiting for what memory has for them.
    pub starting: BTreeMap<AttemptId, Starting>,
    /// There is somebody to ask for memories.
    pub remembers: bool,
    /// Why jobs go without memories, while they do.
    pub forgetful: Option<String>,
    /// What is wrong with the upkeep of what is remembered, while it is.
    pub upkeep: Option<String>,
    /// What the clock starts.
    pub cron: super::cron::Cron,
    /// What quickly tells whether a job is open already.
    pub dedup: super::dedup::Dedup,
    /// When the day is reviewed next.
    pub review_at: Option<Timestamp>,
    /// When what was learned and could not be kept is tried again.
    pub learn_at: Option<Timestamp>,
    /// Which backends could review now.
    pub usable: fn(&Backend) -> bool,
    /// Something has changed that a round of review may wait for.
    pub gate_due: bool,
    /// Something has changed that a plan, or a message, may wait for.
    pub plans_due: bool,
    pub talk_due: bool,
    /// When a message is due by time alone: a reminder, a triage that takes too long.
    pub next_message: Option<Timestamp>,
    /// When an agent is looked for again, where there was none.
    pub again_at: Option<Timestamp>,
    /// What was asked for rounds of review and has not come yet.
    pub asked: BTreeSet<(ReviewId, Stage)>,
    /// Copies that no round needs any more have been cleared away.
    pub swept: bool,
    /// The operator's day, for what may be spent in it.
    pub midnight: Timestamp,
    pub next_midnight: Timestamp,
    /// Soft caps that were warned of, by day.
    pub warned: BTreeSet<(Option<ProjectId>, CapUnit, Timestamp)>,
    pub next_date: Option<Timestamp>,
    /// When the next unanswered card takes its default.
    pub next_deadline: Option<Timestamp>,
    /// While all memories get new vectors: how far that has come.
    pub reembedding: Option<crate::domain::Reembedding>,
    /// What waits for the operator: cards, and what they have not seen of the conversation.
    pub feed: ConsoleFeed,
    /// The projects that wait for the operator's word.
    pub pending: Vec<crate::wire::PendingProject>,
    pub unseen: u64,
    /// Plans that wait for them.
    pub proposed: Vec<PlanRow>,
    /// Refusals in a row and the time of the last, by backend, until an attempt that began after it gets an answer.
    pub streaks: BTreeMap<String, (u32, Timestamp)>,
    /// Paused backends, and who takes their jobs meanwhile.
    pub stand_ins: BTreeMap<String, String>,
    /// Tokens of the system text, as last assembled.
    pub context_tokens: u64,
    /// Our own small program.
    pub shim: PathBuf,
    pub host_checked: Option<Timestamp>,
    /// Where clock and kernel stood when the clock was set last, and what of that is not on the disk yet.
    pub clock_mark: Option<crate::domain::ClockMark>,
    pub clock_news: Option<super::clockwork::ClockNews>,
    pub clock_due: bool,
    pub log: VecDeque<LogLine>,
    /// The raw log of each day; `None` where its folder cannot be used, which the log file says.
    pub episodes: Option<Episodes>,
    /// Events that are committed and not yet in the raw log.
    pub unwritten: Vec<LogLine>,
    pub today: crate::store::Day,
    pub lane_rows: [super::snapshot::LaneRows; 3],
    pub today_at: Option<Timestamp>,
    /// Something has happened since they were counted.
    pub today_old: bool,
    /// What is wrong with the settings' files, while the last good settings are in use.
    pub unread: Option<String>,
    /// The skills as they were read last; `None` before anybody asked.
    pub shelf: Option<crate::config::Skills>,
    /// Those that jobs were given.
    pub known_skills: crate::config::KnownSkills,
    /// What has been said of broken skills, by name.
    pub broken_skills: BTreeMap<String, String>,
    /// Why the database cannot be written, while it cannot.
    pub trouble: Option<String>,
    pub changed: bool,
    /// The last dispatch stopped at its limit for one step: more may start.
    pub more: bool,
    /// When time alone changes something; looked at before every step.
    pub wake_at: Option<Timestamp>,
    pub published: Option<Timestamp>,
    pub rng: fastrand::Rng,
}

/// How often memory and disk are looked at.
const HOST_EVERY: Duration = Duration::from_secs(2);
/// How many log lines a snapshot carries.
const LOG_LINES: usize = 200;

impl State {
    pub(super) fn load(&mut self, store: &Store, open: &[OpenAttempt], now: Timestamp) -> Result<(), StoreError> {
        let window = self.settings.capacity().budget.window.max(Duration::from_secs(30 * 60));
        self.capacity = Capacity { limits: self.settings.capacity(), ..Capacity::default() };
        (self.clock_mark, self.clock_news) = (None, None);
        self.workers_changed = true;
        for (name, backend) in &self.backends {
            self.capacity.backends.insert(name.clone(), super::dispatch::backend_capacity(backend));
        }
        for s in store.spent_since(now - window)? {
            self.capacity.budget.spend(None, s.tokens, s.at);
        }
        self.expected = Expected::new(self.settings.expected(), store.learned()?);
        self.lives.clear();
        for o in open {
            let job = store.job(o.attempt.job_id)?;
            let spent = store.spent_by(o.attempt.id)?;
            self.capacity.budget.reserve(o.attempt.id, o.attempt.estimate.saturating_sub(spent));
            self.enter(o, job.map(|j| (j.spec.kind, j.spec.priority, j.spec.project_id)), spent);
        }
        self.load_caps(store, now)?;
        self.adopting = open.iter().map(|o| o.attempt.id).collect();
        for live in self.lives.values_mut() {
            live.probing = true;
        }
        self.starting.clear();
        self.asked.clear();
        self.swept = false;
        self.gate_due = true;
        self.plans_due = true;
        self.talk_due = true;
        self.cron.reload();
        self.dedup.clear();
        self.learn_at = Some(now);
        self.review_at = self.first_review(store, now)?;
        self.queue = Queue::default();
        self.last_event = store.last_event()?;
        self.stand_ins = super::failover::stand_ins(&self.settings, &self.backends, &store.engine_state()?.pauses);
        for row in store.queued()? {
            self.enqueue(row);
        }
        self.refresh(store, now)?;
        self.open_episodes(store)?;
        self.log = store.log_after((self.last_event - LOG_LINES as i64).max(0), LOG_LINES)?.into();
        self.changed = true;
        Ok(())
    }

    /// Opens the raw log; what it lacks is still to be written.
    fn open_episodes(&mut self, store: &Store) -> Result<(), StoreError> {
        self.unwritten.clear();
        self.episodes = match Episodes::open(&self.workspace.episodic_dir(), self.settings.log_entries as usize) {
            Ok(episodes) => {
                self.unwritten = store.log_after(episodes.last(), usize::MAX >> 1)?;
                Some(episodes)
            }
            Err(e) => {
                tracing::warn!("no raw log in {}: {e}", self.workspace.episodic_dir().display());
                None
            }
        };
        Ok(())
    }

    /// Appends committed events to the raw log. It is a copy: what fails now is written at the next start.
    pub(super) fn write_episodes(&mut self) {
        let lines = std::mem::take(&mut self.unwritten);
        let Some(episodes) = &mut self.episodes else { return };
        let settings = &self.settings;
        if let Err(e) = episodes.append(&lines, |l| settings.day(l.at)) {
            tracing::warn!("the raw log cannot be written: {e}");
        }
    }

    /// What may have been changed by anybody, read whole.
    fn refresh(&mut self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        self.cron.look = true;
        self.switches = store.engine_state()?;
        self.workers = store.workers()?;
        self.workers_changed = true;
        self.refresh_waiting(store, now)
    }

    fn refresh_waiting(&mut self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        self.waiting = store.waiting_by_lane()?;
        self.next_date = store.next_date()?;
        self.next_deadline = store.next_deadline()?;
        self.proposed = store.plans_in(PlanState::Proposed)?.iter().map(|p| store.plan_row(p)).collect::<Result<_, _>>()?;
        self.pending = super::snapshot::pending(store)?;
        self.unseen = match self.feed.refresh(store) {
            Ok(unseen) => unseen,
            Err(ChannelError::Store(e)) => return Err(e),
            // A list in memory takes everything.
            Err(ChannelError::Show { .. }) => self.unseen,
        };
        super::caps::allow(&mut self.capacity.caps, store, self.midnight)?;
        self.fill_capacity(now);
        Ok(())
    }

    /// Reads one worker anew. There may be hundreds, and each start and each end changes one.
    pub(super) fn reload_worker(&mut self, store: &Store, id: WorkerId) -> Result<(), StoreError> {
        self.workers.retain(|w| w.id != id);
        if let Some(worker) = store.worker(id)?.filter(|w| w.status != WorkerStatus::Retired) {
            let at = self.workers.partition_point(|w| w.name < worker.name);
            self.workers.insert(at, worker);
        }
        self.workers_changed = true;
        Ok(())
    }

    /// Learns what changed since the last look, whoever changed it.
    pub(super) fn sync(&mut self, tx: &Tx<'_>, now: Timestamp, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        let changes = tx.changes(self.last_event)?;
        if changes.last == self.last_event {
            return Ok(());
        }
        let lines = tx.log_after(self.last_event, usize::MAX >> 1)?;
        self.log.extend(lines.iter().skip(lines.len().saturating_sub(LOG_LINES)).cloned());
        self.unwritten.extend(lines);
        while self.log.len() > LOG_LINES {
            self.log.pop_front();
        }
        self.last_event = changes.last;
        self.changed = true;
        self.gate_due = true;
        self.plans_due = true;
        self.talk_due = true;
        self.today_old = true;
        self.cron.look |= changes.jobs.iter().any(|id| self.cron.watched.contains(id));
        for id in changes.jobs {
            match tx.queued_job(id)? {
                Some(row) => self.enqueue(row),
                None => {
                    self.queue.remove(id);
                }
            }
        }
        for (_, attempt) in tx.kill_requests()? {
            let cancel = self.cancel("killed by the operator");
            let Some(live) = self.lives.get_mut(&attempt) else { continue };
            if !std::mem::replace(&mut live.kill_requested, true)
                && let Some(link) = live.link
            {
                out.push(Effect::Send(link, cancel));
            }
            // Nothing runs yet, and what it waits for may be long in coming.
            if self.starting.contains_key(&attempt) {
                let report = ExitReport { usage_known: true, ..self.imagined(attempt, "killed by the operator before it started", now) };
                self.ended(tx, &report, now, out)?;
                self.more = true;
            }
        }
        if changes.other {
            self.refresh(tx, now)?;
            return self.settle_failover(tx);
        }
        for id in changes.workers {
            self.reload_worker(tx, id)?;
        }
        if changes.waiting {
            self.refresh_waiting(tx, now)?;
        } else {
            self.fill_capacity(now);
        }
        self.settle_failover(tx)
    }

    pub(super) fn enqueue(&mut self, row: QueuedRow) {
        let job = self.queued_job(row);
        self.queue.insert(job);
    }

    pub(super) fn take(&mut self, tx: &Tx<'_>, input: Input, now: Timestamp, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        self.changed = true;
        match input {
            Input::Frame { link, frame } => self.on_frame(tx, link, *frame, now, out),
            Input::NotLaunched { attempt, message } => {
                // It never ran; nothing can be left of it. Not the job's fault, but it would fail again at once.
                let report = ExitReport { outcome: Outcome::Error, ..self.imagined(attempt, &message, now) };
                self.ended(tx, &report, now, out)
            }
            Input::ShimGone { attempt } => self.look_again(tx, attempt, out),
            Input::Probed { attempt, probe } => self.on_probe(tx, attempt, probe, now, out),
            Input::Recalled { attempt, found } => self.on_recalled(tx, attempt, found, now, out),
            Input::Learned { attempt, outcome } => self.on_learned(tx, attempt, outcome, now),
            Input::Digest { span, prompt } => self.on_digest(tx, &span, prompt, now),
            Input::Upkeep(trouble) => self.on_upkeep(tx, trouble, now),
            Input::Reembedding(progress) => {
                self.reembedding = progress;
                Ok(())
            }
            Input::Gathered { review, found } => self.on_gathered(tx, review, found, now),
            Input::Confirmed { review, hash } => self.on_confirmed(tx, review, hash, now, out),
            Input::Tree { attempt, ready } => self.on_tree(tx, attempt, ready, now, out),
            Input::Cron(read) => self.on_cron(tx, read, now),
            Input::Looked { key, found } => self.on_looked(tx, key, found, now),
            Input::Skills(read) => self.on_skills(tx, *read, now),
            Input::Settings(read) => self.on_settings(tx, *read, now, out),
            Input::Wake | Input::LinkGone { .. } | Input::Stop { .. } => Ok(()),
        }
    }

    /// Reviews, plans and messages move on as far as they go by themselves; each has few steps.
    pub(super) fn settle_all(&mut self, tx: &Tx<'_>, now: Timestamp, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        while self.gate(tx, now, out)? | self.plan(tx, now)? | self.converse(tx, now)? {
            self.sync(tx, now, out)?;
        }
        Ok(())
    }

    pub(super) fn cancel(&self, reason: &str) -> EngineFrame {
        EngineFrame::Cancel { grace_ms: self.settings.kill_grace.as_millis() as u64, reason: reason.to_owned() }
    }

    pub(super) fn budget_spent(&mut self, attempt: AttemptId, tokens: u64, now: Timestamp) {
        self.capacity.budget.spend(Some(attempt), tokens, now);
    }

    #[expect(clippy::too_many_arguments, reason = "one line of the audit log")]
    pub(super) fn note(
        &mut self,
        tx: &Tx<'_>,
        what: &str,
        severity: &'static str,
        job: JobId,
        attempt: AttemptId,
        text: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        tx.event(&crate::store::Event {
            severity,
            job: Some(job),
            attempt: Some(attempt),
            ..crate::store::Event::new(now, "engine", what, text)
        })
        .map(|_| ())
    }

    pub(super) fn look_at_host(&mut self, now: Timestamp) {
        if !self.watch_host || self.host_checked.is_some_and(|t| now.since(t) < HOST_EVERY && now >= t) {
            return;
        }
        self.host_checked = Some(now);
        self.clock_due = true;
        let held = super::why::host_shortage(&self.settings, &self.workspace);
        if held != self.capacity.host {
            self.capacity.host = held;
            self.changed = true;
            self.wake_at = Some(now);
        }
    }

    /// Draining, and nothing runs any more.
    pub(super) fn drained(&self) -> bool {
        self.switches.draining && self.lives.is_empty()
    }

    /// The earliest instant at which time alone changes something.
    pub(super) fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let pauses = self.switches.pauses.values().filter_map(|(p, _)| p.until);
        let window = (!self.queue.is_empty()).then(|| self.capacity.budget.next_change(&self.capacity.limits.budget, now)).flatten();
        let starting = self.starting.values().filter(|s| s.awaits_memories).map(|s| s.until);
        let memory =
            self.review_at.into_iter().chain(self.learn_at).chain(self.next_message).chain(self.again_at).chain(self.cron.due(now));
        let day = (self.capacity.caps.limits.any() && !self.queue.is_empty()).then_some(self.next_midnight);
        let dates = self.next_date.into_iter().chain(day).chain(self.next_deadline).chain(pauses);
        dates.chain(starting).chain(memory).chain(window).chain(self.queue.next_ready(now)).min()
    }
}
