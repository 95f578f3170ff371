//! The engine's step: a batch of inputs goes in, one transaction is committed, effects come out.

use super::dedup::FirstTier;
use super::evidence::Evidence;
use super::input::{Input, Link};
use super::launcher::Launcher;
use super::live::Lives;
use super::memories::Memories;
use super::state::{Effect, LinkState, State};
use crate::config::{Backend, Settings, Workspace};
use crate::domain::{Capacity, Expected, Queue, Timestamp};
use crate::store::{EngineState, Store, StoreError};
use crate::wire::{EngineFrame, ShimFrame, Snapshot};
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

/// What an engine is made with.
pub struct Parts<L> {
    pub store: Store,
    pub workspace: Workspace,
    pub settings: Arc<Settings>,
    pub backends: BTreeMap<String, Backend>,
    pub launcher: L,
    /// Who is asked for memories; `None`: jobs get none, and nothing is learned from them.
    pub memories: Option<Box<dyn Memories>>,
    /// The first tier of dedup, where it is outside this process.
    pub dedup: Option<Box<dyn FirstTier>>,
    /// Who fixes and copies what is reviewed, and makes work trees ready.
    pub evidence: Box<dyn Evidence>,
    /// Which backends could review now: installed, signed in.
    pub usable: fn(&Backend) -> bool,
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
    memories: Option<Box<dyn Memories>>,
    dedup: Option<Box<dyn FirstTier>>,
    evidence: Box<dyn Evidence>,
    outboxes: mpsc::UnboundedReceiver<(Link, mpsc::Sender<EngineFrame>)>,
    publish: watch::Sender<Arc<Snapshot>>,
    state: State,
}

/// How often a snapshot is made at most.
const PUBLISH: Duration = Duration::from_millis(40);
impl<L: Launcher> Core<L> {
    /// Takes over the workspace: raises the epoch and loads what is open. The caller holds the lock.
    ///
    /// # Errors
    /// The database.
    pub fn start(parts: Parts<L>, now: Timestamp) -> Result<Core<L>, StoreError> {
        let Parts {
            mut store,
            workspace,
            settings,
            backends,
            launcher,
            memories,
            dedup,
            evidence,
            usable,
            shim,
            outboxes,
            publish,
            demo,
            seed,
            watch_host,
        } = parts;
        let epoch = store.write(|tx| tx.take_epoch("engine", now))?;
        let prices = super::reload::prices_of(&workspace);
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
            prices,
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
            starting: BTreeMap::new(),
            remembers: memories.is_some(),
            forgetful: None,
            upkeep: None,
            cron: super::cron::Cron::default(),
            dedup: super::dedup::Dedup::new(dedup.is_some()),
            review_at: None,
            learn_at: None,
            usable,
            gate_due: true,
            plans_due: true,
            talk_due: true,
            next_message: None,
            again_at: None,
            asked: BTreeSet::new(),
            swept: false,
            midnight: now,
            next_midnight: now,
            warned: BTreeSet::new(),
            next_date: None,
            next_deadline: None,
            reembedding: None,
            pending: Vec::new(),
            feed: super::channel::ConsoleFeed::default(),
            unseen: 0,
            proposed: Vec::new(),
            streaks: BTreeMap::new(),
            stand_ins: BTreeMap::new(),
            context_tokens: super::why::CONTEXT,
            shim,
            host_checked: None,
            clock_mark: None,
            clock_news: None,
            clock_due: false,
            log: VecDeque::new(),
            episodes: None,
            unwritten: Vec::new(),
            today: crate::store::Day::default(),
            lane_rows: Default::default(),
            today_at: None,
            unread: None,
            shelf: None,
            known_skills: crate::config::KnownSkills::default(),
            broken_skills: BTreeMap::new(),
            today_old: false,
            trouble: None,
            changed: true,
            more: false,
            wake_at: Some(now),
            published: None,
            rng: fastrand::Rng::with_seed(seed),
        };
        let mut core = Core { store, launcher, memories, dedup, evidence, outboxes, publish, state };
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
                // First the raw log: a review that is asked for reads it.
                self.state.write_episodes();
                self.perform(out);
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
        if std::mem::take(&mut state.clock_due) {
            state.look_at_clock(store, now)?;
        }
        if state.cron.clock(now) {
            state.wake_at = Some(now);
        }
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
            state.note_clock(tx, now)?;
            state.sync(tx, now, out)?;
            state.lift_pauses(tx, now)?;
            state.sync(tx, now, out)?;
            state.remember(tx, now, out)?;
            state.cron(tx, now, out)?;
            state.sync(tx, now, out)?;
            if state.next_deadline.is_some_and(|t| t <= now) {
                tx.expire_decisions(now)?;
                state.sync(tx, now, out)?;
            }
            if state.next_date.is_some_and(|t| t <= now) {
                tx.release_dates(now)?;
                state.sync(tx, now, out)?;
            }
            state.settle_all(tx, now, out)?;
            state.begin_day(tx, now)?;
            state.dispatch(tx, now, out)?;
            state.warn_of_caps(tx, now)?;
            state.sync(tx, now, out)?;
            // A start that failed at once may have been a reviewer's, a planner's, one that answers a message.
            state.settle_all(tx, now, out)
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
                Effect::Dedup(request) => {
                    if let Some(tier) = &mut self.dedup {
                        tier.ask(request);
                    }
                }
                Effect::Evidence(request) => self.evidence.ask(request),
                Effect::Memory(request) => {
                    if let Some(memories) = &mut self.memories {
                        memories.ask(request);
                    }
                }
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
        let jobs = match self.state.lives.len() {
            1 => "1 job goes on".to_owned(),
            n => format!("{n} jobs go on"),
        };
        let text = format!("engine left: {why}; {jobs}");
        let wrote = self.store.write(|tx| tx.event(&crate::store::Event::new(now, "engine", "engine", &text)));
        if let Err(e) = wrote {
            tracing::warn!("{e}");
        }
    }
}
