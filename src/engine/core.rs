//! The engine's state and its step: a batch of inputs goes in, one transaction is committed, effects come out. The state's
//! methods stand by what they do: `frames` what shims say, `ended` the end of attempts, `dispatch` starts, `snapshot` the view.

use super::input::{Input, Link, Probe};
use super::launcher::{Launch, Launcher};
use super::live::{Live, Lives};
use crate::config::{Backend, Settings, Workspace};
use crate::domain::{AttemptId, Capacity, ExitReport, Expected, JobId, LogLine, Outcome, Queue, Timestamp, Worker, WorkerId, WorkerStatus};
use crate::memory::Episodes;
use crate::store::{EngineState, OpenAttempt, QueuedRow, Store, StoreError, Tx};
use crate::wire::{EngineFrame, Heartbeat, ShimFrame, Snapshot};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// What the loop does after a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flow {
    Go,
    Stop(String),
}

/// What is to be done once the transaction is on the disk.
pub(super) enum Effect {
    Send(Link, EngineFrame),
    Close(Link),
    Launch(Box<Launch>),
    Probe(Box<OpenAttempt>),
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

/// What an engine is made with.
pub struct Parts<L> {
    pub store: Store,
    pub workspace: Workspace,
    pub settings: Arc<Settings>,
    pub backends: BTreeMap<String, Backend>,
    pub launcher: L,
    /// The program `orc-shim`.
    pub shim: PathBuf,
    /// New shim connections, each before its first frame.
    pub outboxes: mpsc::UnboundedReceiver<(Link, mpsc::Sender<EngineFrame>)>,
    pub publish: watch::Sender<Arc<Snapshot>>,
    pub demo: bool,
    /// Seeds the jitter.
    pub seed: u64,
    /// Checks the host's memory and disk. Off in the simulation, whose host is imagined.
    pub watch_host: bool,
}

/// The engine.
pub struct Core<L> {
    store: Store,
    launcher: L,
    outboxes: mpsc::UnboundedReceiver<(Link, mpsc::Sender<EngineFrame>)>,
    publish: watch::Sender<Arc<Snapshot>>,
    state: State,
}

/// All that the engine knows, apart from the database.
pub(super) struct State {
    pub workspace: Workspace,
    pub settings: Arc<Settings>,
    pub backends: BTreeMap<String, Backend>,
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
    pub next_date: Option<Timestamp>,
    /// Refusals in a row and the time of the last, by backend, until an attempt that began after it gets an answer.
    pub streaks: BTreeMap<String, (u32, Timestamp)>,
    /// Tokens of the system text, as last assembled.
    pub context_tokens: u64,
    /// Our own small program.
    pub shim: PathBuf,
    pub host_checked: Option<Timestamp>,
    pub log: VecDeque<LogLine>,
    /// The raw log of each day; `None` where its folder cannot be used, which the log file says.
    pub episodes: Option<Episodes>,
    /// Events that are committed and not yet in the raw log.
    pub unwritten: Vec<LogLine>,
    pub today: crate::store::Day,
    pub today_at: Option<Timestamp>,
    /// Something has happened since they were counted.
    pub today_old: bool,
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

/// How often a snapshot is made at most.
const PUBLISH: Duration = Duration::from_millis(40);
/// How often memory and disk are looked at.
const HOST_EVERY: Duration = Duration::from_secs(2);
/// How many log lines a snapshot carries.
const LOG_LINES: usize = 200;

impl<L: Launcher> Core<L> {
    /// Takes over the workspace: raises the epoch and loads what is open. The caller holds the lock.
    ///
    /// # Errors
    /// The database.
    pub fn start(parts: Parts<L>, now: Timestamp) -> Result<Core<L>, StoreError> {
        let Parts { mut store, workspace, settings, backends, launcher, shim, outboxes, publish, demo, seed, watch_host } = parts;
        let epoch = store.write(|tx| tx.take_epoch("engine", now))?;
        let state = State {
            workspace_id: store.workspace_id()?,
            host_name: crate::os::host::name(),
            epoch,
            began: now,
            demo,
            watch_host,
            workspace,
            settings,
            backends,
            last_event: 0,
            switches: EngineState::default(),
            queue: Queue::default(),
            waiting: [0; 3],
            workers: Vec::new(),
            workers_changed: true,
            lives: Lives::new(),
            links: HashMap::new(),
            capacity: Capacity::default(),
            expected: Expected::default(),
            adopting: BTreeSet::new(),
            acked: BTreeSet::new(),
            next_date: None,
            streaks: BTreeMap::new(),
            context_tokens: super::why::CONTEXT,
            shim,
            host_checked: None,
            log: VecDeque::new(),
            episodes: None,
            unwritten: Vec::new(),
            today: crate::store::Day::default(),
            today_at: None,
            today_old: false,
            trouble: None,
            changed: true,
            more: false,
            wake_at: Some(now),
            published: None,
            rng: fastrand::Rng::with_seed(seed),
        };
        let mut core = Core { store, launcher, outboxes, publish, state };
        core.load(now)?;
        Ok(core)
    }

    /// Reads everything anew from the database; every open attempt is looked at.
    fn load(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let open = self.store.open_attempts()?;
        self.state.load(&self.store, &open, now)?;
        for attempt in &open {
            self.launcher.probe(attempt);
        }
        Ok(())
    }

    /// Takes a batch: one transaction, then its effects.
    pub fn step(&mut self, now: Timestamp, batch: Vec<Input>) -> Flow {
        while let Ok((link, outbox)) = self.outboxes.try_recv() {
            self.state.links.insert(link, LinkState { outbox, attempt: None });
        }
        let mut stop = None;
        let mut durable = Vec::with_capacity(batch.len());
        for input in batch {
            match input {
                Input::Frame { link, frame } if matches!(*frame, ShimFrame::Heartbeat(_)) => {
                    if let ShimFrame::Heartbeat(beat) = *frame {
                        self.state.on_heartbeat(link, beat);
                    }
                }
                Input::LinkGone { link } => self.state.on_link_gone(link),
                Input::Settings(settings) => self.state.set_settings(*settings),
                Input::Stop { why } => stop = Some(why),
                other => durable.push(other),
            }
        }
        let mut out = Vec::new();
        match self.transact(now, durable, &mut out) {
            Ok(()) => {
                self.state.trouble = None;
                let more = std::mem::take(&mut self.state.more);
                self.state.wake_at = if more { Some(now) } else { self.state.next_due(now) };
                self.perform(out);
                self.state.write_episodes();
            }
            Err(e) => self.recover(&e, now),
        }
        self.show(now);
        match stop {
            Some(why) => Flow::Stop(why),
            None if self.state.drained() => Flow::Stop("drained".into()),
            None => Flow::Go,
        }
    }

    fn transact(&mut self, now: Timestamp, inputs: Vec<Input>, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        let Core { store, state, .. } = self;
        state.look_at_host(now);
        // Nothing is due and nobody changed anything: no need to look further than at what has come in.
        if inputs.iter().all(Input::is_soft) && state.wake_at.is_none_or(|t| t > now) && store.last_event()? == state.last_event {
            if inputs.is_empty() {
                return Ok(());
            }
            return store.write_soft(|tx| {
                for input in inputs {
                    state.take(tx, input, now, out)?;
                }
                state.acknowledge(tx, out)
            });
        }
        store.write(|tx| {
            for input in inputs {
                state.take(tx, input, now, out)?;
            }
            state.acknowledge(tx, out)?;
            state.sync(tx, now, out)?;
            state.lift_pauses(tx, now)?;
            if state.next_date.is_some_and(|t| t <= now) {
                tx.release_dates(now)?;
                state.sync(tx, now, out)?;
            }
            state.dispatch(tx, now, out)?;
            state.sync(tx, now, out)
        })
    }

    fn perform(&mut self, out: Vec<Effect>) {
        for effect in out {
            match effect {
                Effect::Send(link, frame) => {
                    // A full outbox is a shim that does not read: it is cut off, comes back and is told again.
                    let failed = self.state.links.get(&link).is_some_and(|l| l.outbox.try_send(frame).is_err());
                    if failed {
                        self.state.on_link_gone(link);
                    }
                }
                Effect::Close(link) => self.state.on_link_gone(link),
                Effect::Launch(launch) => self.launcher.launch(*launch),
                Effect::Probe(attempt) => self.launcher.probe(&attempt),
            }
        }
    }

    /// The transaction did not happen: what the memory holds may be ahead of the database, so it is read anew. Shims are cut
    /// off and send again what was not acknowledged. Nothing is lost, and nothing is started meanwhile.
    fn recover(&mut self, e: &StoreError, now: Timestamp) {
        tracing::error!("{e}");
        self.state.links.clear();
        if let Err(again) = self.load(now) {
            tracing::error!("{again}");
        }
        self.state.trouble = Some(e.to_string());
        self.state.changed = true;
        // Again soon, but not in a storm.
        self.state.wake_at = Some(now + Duration::from_secs(1));
    }

    /// Publishes a snapshot if something changed, not too often.
    fn show(&mut self, now: Timestamp) {
        let s = &mut self.state;
        let due = s.changed || (s.today_old && s.day_due() <= now);
        if !due || s.published.is_some_and(|t| now.since(t) < PUBLISH && now >= t) {
            return;
        }
        match s.snapshot(&self.store, now) {
            Ok(snapshot) => {
                s.changed = false;
                s.published = Some(now);
                self.publish.send_replace(Arc::new(snapshot));
            }
            Err(e) => tracing::error!("no snapshot: {e}"),
        }
    }

    /// When the engine next has something to do by itself.
    pub fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let s = &self.state;
        let publish = s.changed.then(|| s.published.map_or(now, |t| t + PUBLISH));
        let day = s.today_old.then(|| s.day_due());
        [publish, day, s.wake_at].into_iter().flatten().min()
    }

    /// The safety net: something is looked at at least this often.
    pub fn tick(&self) -> Duration {
        self.state.settings.tick
    }

    /// The database, for tests and for what runs beside the loop.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Ends this engine's life in good order: the log says so.
    pub fn close(mut self, why: &str, now: Timestamp) {
        let text = format!("engine left: {why}; {} job(s) go on", self.state.lives.len());
        let wrote = self.store.write(|tx| tx.event(&crate::store::Event::new(now, "engine", "engine", &text)));
        if let Err(e) = wrote {
            tracing::warn!("{e}");
        }
    }
}

impl State {
    fn load(&mut self, store: &Store, open: &[OpenAttempt], now: Timestamp) -> Result<(), StoreError> {
        let window = self.settings.capacity().budget.window.max(Duration::from_secs(30 * 60));
        self.capacity = Capacity { limits: self.settings.capacity(), ..Capacity::default() };
        self.workers_changed = true;
        for (name, backend) in &self.backends {
            self.capacity.backends.insert(name.clone(), super::dispatch::backend_capacity(backend));
        }
        for s in store.spent_since(now - window)? {
            self.capacity.budget.spend(None, s.tokens, s.at);
        }
        self.expected = Expected::new(store.learned_output()?);
        self.lives.clear();
        for o in open {
            let job = store.job(o.attempt.job_id)?;
            let spent = store.spent_by(o.attempt.id)?;
            self.capacity.budget.reserve(o.attempt.id, o.attempt.estimate.saturating_sub(spent));
            self.enter(o, job.map(|j| (j.spec.kind, j.spec.priority)), spent);
        }
        self.adopting = open.iter().map(|o| o.attempt.id).collect();
        for live in self.lives.values_mut() {
            live.probing = true;
        }
        self.queue = Queue::default();
        self.last_event = store.last_event()?;
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
        self.episodes = match Episodes::open(&self.workspace.episodic_dir()) {
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
    fn write_episodes(&mut self) {
        let lines = std::mem::take(&mut self.unwritten);
        let Some(episodes) = &mut self.episodes else { return };
        let settings = &self.settings;
        if let Err(e) = episodes.append(&lines, |l| settings.day(l.at)) {
            tracing::warn!("the raw log cannot be written: {e}");
        }
    }

    /// What may have been changed by anybody, read whole.
    fn refresh(&mut self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        self.switches = store.engine_state()?;
        self.workers = store.workers()?;
        self.workers_changed = true;
        self.refresh_waiting(store, now)
    }

    fn refresh_waiting(&mut self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        self.waiting = store.waiting_by_lane()?;
        self.next_date = store.next_date()?;
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
    fn sync(&mut self, tx: &Tx<'_>, now: Timestamp, out: &mut Vec<Effect>) -> Result<(), StoreError> {
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
        self.today_old = true;
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
        }
        if changes.other {
            return self.refresh(tx, now);
        }
        for id in changes.workers {
            self.reload_worker(tx, id)?;
        }
        if changes.waiting {
            return self.refresh_waiting(tx, now);
        }
        self.fill_capacity(now);
        Ok(())
    }

    fn enqueue(&mut self, row: QueuedRow) {
        let job = self.queued_job(row);
        self.queue.insert(job);
    }

    fn take(&mut self, tx: &Tx<'_>, input: Input, now: Timestamp, out: &mut Vec<Effect>) -> Result<(), StoreError> {
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
            Input::Wake | Input::LinkGone { .. } | Input::Settings(_) | Input::Stop { .. } => Ok(()),
        }
    }

    /// Its shim is gone: it has left a report, or it is lost, and that takes proof.
    fn look_again(&mut self, tx: &Tx<'_>, attempt: AttemptId, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        let Some(live) = self.lives.get_mut(&attempt) else { return Ok(()) };
        live.probing = true;
        if let Some(open) = tx.open_attempt(attempt)? {
            out.push(Effect::Probe(Box::new(open)));
        }
        Ok(())
    }

    fn on_probe(&mut self, tx: &Tx<'_>, attempt: AttemptId, probe: Probe, now: Timestamp, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        self.adopting.remove(&attempt);
        if !self.lives.contains_key(&attempt) {
            return Ok(());
        }
        match probe {
            Probe::Alive(identity) => {
                if let Some(live) = self.lives.get_mut(&attempt) {
                    live.probing = false;
                }
                tx.set_shim(attempt, &identity).map(|_| ())
            }
            Probe::Exited(report) => self.take_report(tx, &report, now, out),
            Probe::Never => {
                let report = self.imagined(attempt, "it was claimed but never started", now);
                self.ended(tx, &report, now, out)
            }
            Probe::Lost => {
                let message = "its process is gone and left no report; nothing of it is left";
                let report = ExitReport { outcome: Outcome::Lost, ..self.imagined(attempt, message, now) };
                self.take_report(tx, &report, now, out)
            }
            Probe::Leftovers(n) => {
                // Not lost until nothing is left: the job does not run again before.
                self.adopting.insert(attempt);
                let text = format!("{n} process(es) of a lost attempt cannot be ended yet");
                if let Some(live) = self.lives.get_mut(&attempt)
                    && live.last != text
                {
                    live.last.clone_from(&text);
                    let job = live.job;
                    self.note(tx, "leftovers", "fail", job, attempt, &text, now)?;
                }
                self.look_again(tx, attempt, out)
            }
        }
    }

    /// A report for an attempt that left none.
    pub(super) fn imagined(&self, attempt: AttemptId, message: &str, now: Timestamp) -> ExitReport {
        let live = self.lives.get(&attempt);
        let known = live.is_some_and(|l| l.usage.total() > 0);
        ExitReport {
            attempt,
            outcome: Outcome::Interrupted,
            exit_code: None,
            signal: None,
            message: message.to_owned(),
            usage: live.map(|l| l.usage).unwrap_or_default(),
            usage_known: known,
            cost_usd: None,
            session_usage: None,
            session_cost_usd: None,
            session: None,
            session_unknown: false,
            result_file: None,
            result_bytes: 0,
            limit: None,
            strays: 0,
            ended_at: now,
        }
    }

    pub(super) fn enter(&mut self, o: &OpenAttempt, job: Option<(crate::domain::Kind, crate::domain::Priority)>, spent: u64) {
        let a = &o.attempt;
        let (kind, priority) = job.unwrap_or((crate::domain::Kind::Other, crate::domain::Priority::P2));
        self.lives.insert(
            a.id,
            Live {
                job: a.job_id,
                title: o.job_title.clone(),
                kind,
                priority,
                backend: a.backend.clone(),
                worker_name: a.worker.clone(),
                started_at: a.started_at,
                estimate: a.estimate,
                token_hash: o.token_hash.clone(),
                link: None,
                acked: a.acked_seq,
                heartbeat: None,
                usage: a.usage,
                cost_usd: a.cost_usd.unwrap_or(0.0),
                spent,
                hang: None,
                last: String::new(),
                kill_requested: o.kill_requested,
                probing: false,
            },
        );
    }

    fn on_heartbeat(&mut self, link: Link, beat: Heartbeat) {
        let Some(live) = self.attempt_of(link).and_then(|a| self.lives.get_mut(&a)) else { return };
        live.hang = beat.hang;
        live.heartbeat = Some(beat);
        self.changed = true;
    }

    fn on_link_gone(&mut self, link: Link) {
        if let Some(LinkState { attempt: Some(attempt), .. }) = self.links.remove(&link)
            && let Some(live) = self.lives.get_mut(&attempt)
            && live.link == Some(link)
        {
            live.link = None;
            self.changed = true;
        }
    }

    fn set_settings(&mut self, settings: Settings) {
        self.settings = Arc::new(settings);
        self.capacity.limits = self.settings.capacity();
        self.changed = true;
        self.wake_at = Some(Timestamp(0));
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

    fn look_at_host(&mut self, now: Timestamp) {
        if !self.watch_host || self.host_checked.is_some_and(|t| now.since(t) < HOST_EVERY && now >= t) {
            return;
        }
        self.host_checked = Some(now);
        let held = super::why::host_shortage(&self.settings, &self.workspace);
        if held != self.capacity.host {
            self.capacity.host = held;
            self.changed = true;
            self.wake_at = Some(now);
        }
    }

    /// Draining, and nothing runs any more.
    fn drained(&self) -> bool {
        self.switches.draining && self.lives.is_empty()
    }

    /// The earliest instant at which time alone changes something.
    fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let pauses = self.switches.pauses.values().filter_map(|(p, _)| p.until);
        let window = (!self.queue.is_empty()).then(|| self.capacity.budget.next_change(&self.capacity.limits.budget, now)).flatten();
        self.next_date.into_iter().chain(pauses).chain(window).chain(self.queue.next_ready(now)).min()
    }
}
