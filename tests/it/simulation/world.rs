//! The world outside the engine: job processes that speak the real protocol over in-memory streams, and go wrong. It
//! outlives every engine.

use futures::{SinkExt, StreamExt};
use orc::domain::{
    AgentEvent, AttemptId, Category, ExitReport, JobId, Limit, LimitKind, Memory, MemoryId, MemorySource, Outcome, ProcessIdentity,
    Recalled, Terms, Timestamp, Usage,
};
use orc::engine::{Clock, EVIDENCE, Evidence, EvidenceRequest, Gateway, Input, Launch, Launcher, Memories, MemoryRequest, Probe};
use orc::os::worktree::Ready;
use orc::store::OpenAttempt;
use orc::wire::{EngineFrame, Heartbeat, Hello, MAX_FRAME, PROTOCOL, ShimFrame, SpooledEvent, files};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::sleep;
use tokio_util::codec::{Framed, LinesCodec};

/// Who has decided whether an attempt runs: the file `owner`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Nobody,
    Shim,
    Fence,
}

/// One attempt, as disk and process table have it.
pub struct Attempt {
    pub job: JobId,
    pub owner: Owner,
    /// Its shim has written who it is.
    visible: bool,
    shim: bool,
    /// The agent's process is there.
    pub agent: bool,
    pub starts: u32,
    pub spool: Vec<SpooledEvent>,
    pub exit: Option<ExitReport>,
    token: String,
    cancelled: bool,
    /// What its agent was told, and where its last message goes.
    prompt: String,
    result: PathBuf,
    changed: Arc<Notify>,
    gone: watch::Sender<bool>,
    task: Option<AbortHandle>,
}

#[derive(Default)]
pub struct State {
    pub attempts: BTreeMap<AttemptId, Attempt>,
    pub rng: fastrand::Rng,
    pub faults: bool,
    /// The engine's door, while one runs.
    pub door: Option<(Gateway, Arc<Mutex<Vec<AbortHandle>>>)>,
    /// The engine dies between its commit and what follows from it.
    pub dying: bool,
    /// While an engine begins; and the attempts that it found open and has not heard of.
    pub beginning: bool,
    pub unadopted: BTreeSet<AttemptId>,
    /// What must never happen, and did.
    pub wrong: Vec<String>,
    pub reports: u32,
    /// How long a step of an agent takes at most, where that is not seconds.
    pub slow: Option<Duration>,
}

#[derive(Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
    pub clock: Clock,
    spool: PathBuf,
    /// Rings when the engine shall die.
    pub death: Arc<Notify>,
}

type Lines = Framed<DuplexStream, LinesCodec>;

impl World {
    pub fn new(seed: u64, clock: Clock, spool: PathBuf) -> World {
        let state = State { rng: fastrand::Rng::with_seed(seed), faults: true, ..State::default() };
        World { state: Arc::new(Mutex::new(state)), clock, spool, death: Arc::default() }
    }

    pub fn get(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// True once in `n` times, while faults are on.
    pub fn fault(&self, n: u32) -> bool {
        let mut s = self.get();
        s.faults && s.rng.u32(..n) == 0
    }

    pub fn below(&self, n: u64) -> u64 {
        self.get().rng.u64(..n)
    }

    async fn some_ms(&self, n: u64) {
        sleep(Duration::from_millis(1 + self.below(n))).await;
    }

    /// Ends a shim as SIGKILL does; its agent goes on until somebody sweeps.
    pub fn kill_shim(&self, id: AttemptId) {
        let mut s = self.get();
        if let Some(a) = s.attempts.get_mut(&id)
            && a.shim
        {
            a.shim = false;
            if let Some(task) = a.task.take() {
                task.abort();
            }
            a.gone.send_replace(true);
        }
    }

    /// The shims that live.
    pub fn shims(&self) -> Vec<AttemptId> {
        self.get().attempts.iter().filter(|(_, a)| a.shim).map(|(id, _)| *id).collect()
    }

    fn connect(&self) -> Option<Lines> {
        let (gateway, tasks) = self.get().door.clone()?;
        let (ours, theirs) = tokio::io::duplex(1 << 14);
        let task = tokio::spawn(async move { gateway.serve(theirs).await });
        tasks.lock().unwrap().push(task.abort_handle());
        Some(Framed::new(ours, LinesCodec::new_with_max_length(MAX_FRAME)))
    }

    fn with<T>(&self, id: AttemptId, f: impl FnOnce(&mut Attempt) -> T) -> T {
        f(self.get().attempts.get_mut(&id).unwrap())
    }

    fn say(&self, id: AttemptId, event: AgentEvent) {
        let at = self.now();
        self.with(id, |a| {
            a.spool.push(SpooledEvent { seq: a.spool.len() as u64 + 1, at, event });
            a.changed.notify_waiters();
        });
    }

    /// From the start of the shim to its end.
    async fn shim(self, id: AttemptId) {
        self.some_ms(2_000).await;
        {
            let mut s = self.get();
            let a = s.attempts.get_mut(&id).unwrap();
            if a.owner != Owner::Nobody {
                return;
            }
            a.owner = Owner::Shim;
            a.visible = true;
            a.agent = true;
            a.starts += 1;
            let (job, starts) = (a.job, a.starts);
            let twins =
                s.attempts.iter().filter(|(other, a)| **other != id && a.job == job && a.agent).map(|(i, _)| i.0).collect::<Vec<_>>();
            if !twins.is_empty() {
                s.wrong.push(format!("job {job} runs in attempt {id} and in {twins:?} at once"));
            }
            if starts > 1 {
                s.wrong.push(format!("attempt {id} was started {starts} times"));
            }
        }
        let agent = self.clone().agent(id);
        let link = self.clone().link(id);
        tokio::pin!(agent, link);
        tokio::select! {
            () = &mut agent => link.await,
            () = &mut link => {}
        }
        self.with(id, |a| a.agent = false);
    }

    /// The agent's life, ending with its report on disk.
    async fn agent(self, id: AttemptId) {
        let changed = self.with(id, |a| a.changed.clone());
        let steps = self.below(6);
        let mut usage = Usage::default();
        for _ in 0..steps {
            let longest = self.get().slow.map_or(8_000, |d| d.as_millis() as u64);
            let pause = Duration::from_millis(1 + self.below(longest));
            let asked = async {
                while !self.with(id, |a| a.cancelled) {
                    changed.notified().await;
                }
            };
            if tokio::time::timeout(pause, asked).await.is_ok() {
                break;
            }
            if self.below(2) == 0 {
                usage.input += self.below(400);
                usage.output += self.below(200);
                self.say(id, AgentEvent::Usage { usage, cost_usd: None });
            } else {
                self.say(id, AgentEvent::Text { text: format!("attempt {id} works") });
            }
        }
        let cancelled = self.with(id, |a| a.cancelled);
        if cancelled {
            self.some_ms(3_000).await;
        }
        let limit = |kind, resets_at| Some(Limit { kind, resets_at, message: "refused".into() });
        let now = self.now();
        let (outcome, limit) = if cancelled {
            (Outcome::Killed, None)
        } else if self.fault(8) {
            (Outcome::Error, None)
        } else if self.fault(12) {
            let window = self.below(2) == 0;
            (
                Outcome::RateLimited,
                if window { limit(LimitKind::Window, Some(now + Duration::from_secs(20))) } else { limit(LimitKind::Throttle, None) },
            )
        } else if self.fault(20) {
            (Outcome::Timeout, None)
        } else {
            (Outcome::Ok, None)
        };
        let (prompt, result) = self.with(id, |a| (a.prompt.clone(), a.result.clone()));
        let said = self.says(&prompt);
        std::fs::create_dir_all(result.parent().unwrap()).unwrap();
        std::fs::write(&result, &said).unwrap();
        let report = ExitReport {
            attempt: id,
            outcome,
            exit_code: Some(0),
            signal: None,
            message: outcome.to_string(),
            usage,
            usage_known: true,
            cost_usd: None,
            session_usage: None,
            session_cost_usd: None,
            session: None,
            session_unknown: false,
            result_file: Some(result.to_string_lossy().into_owned()),
            result_bytes: said.len() as u64,
            limit,
            strays: 0,
            ended_at: now,
        };
        let mut s = self.get();
        s.reports += 1;
        let a = s.attempts.get_mut(&id).unwrap();
        let lines: String = a.spool.iter().map(|e| serde_json::to_string(e).unwrap() + "\n").collect();
        let dir = self.spool.join(id.to_string());
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(files::SPOOL), lines).unwrap();
        a.agent = false;
        a.exit = Some(report);
        a.changed.notify_waiters();
    }

    /// An agent's last message: a result or none, a judgement of any kind, or nonsense.
    fn says(&self, prompt: &str) -> String {
        let dice = self.below(12);
        if let Some(said) = self.talks(prompt, dice) {
            return said;
        }
        if prompt.contains("look for work") {
            return "NOTHING TO DO".to_owned();
        }
        if !prompt.contains("Review the work of another agent") {
            return if dice == 0 && self.get().faults { String::new() } else { "All of it is done.".to_owned() };
        }
        if dice == 0 {
            return "It looks very good to me.".to_owned();
        }
        let score = if dice < 4 { 0.3 } else { 0.9 };
        let ids = prompt.lines().filter_map(|l| l.strip_prefix("- `")?.split_once("` (weight").map(|(id, _)| id));
        let criteria: Vec<_> = ids.map(|id| serde_json::json!({"id": id, "score": score, "evidence": "seen"})).collect();
        let asked =
            prompt.split("An earlier review asked").nth(1).and_then(|rest| rest.split("Answer with the JSON").next()).unwrap_or_default();
        let numbers = asked.lines().filter_map(|l| l.split_once(". ")?.0.parse::<u32>().ok());
        let earlier: Vec<_> = numbers.map(|fix| serde_json::json!({"fix": fix, "closed": dice > 2, "evidence": "seen"})).collect();
        let fixes = if score < 0.8 { vec![serde_json::json!({"text": "Do it properly."})] } else { Vec::new() };
        serde_json::json!({"criteria": criteria, "fixes": fixes, "earlier": earlier}).to_string()
    }

    /// The link to whichever engine is there; returns when the shim may leave.
    async fn link(self, id: AttemptId) {
        loop {
            if let Some(mut lines) = self.connect()
                && self.talk(id, &mut lines).await == Some(())
            {
                return;
            }
            self.some_ms(1_500).await;
        }
    }

    /// One connection: `Some` when the shim may leave, `None` when the link broke.
    async fn talk(&self, id: AttemptId, lines: &mut Lines) -> Option<()> {
        let (hello, changed) = self.with(id, |a| {
            let hello = Hello {
                protocol: PROTOCOL,
                version: "simulated".into(),
                attempt: id,
                token: a.token.clone(),
                identity: identity(id),
                next_seq: a.spool.len() as u64 + 1,
            };
            (ShimFrame::Hello(hello), a.changed.clone())
        });
        send(lines, &hello).await?;
        let mut sent = match receive(lines).await? {
            EngineFrame::Welcome { acked, .. } => {
                // Heard of: it may end before the look at it is answered.
                self.get().unadopted.remove(&id);
                acked
            }
            EngineFrame::Bye { .. } => return Some(()),
            other => {
                self.get().wrong.push(format!("a hello was answered with {other:?}"));
                return None;
            }
        };
        let mut told = false;
        loop {
            let changed = changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.fault(12) {
                return None;
            }
            let (rest, exit) = self.with(id, |a| (a.spool.get(sent as usize..).map(<[_]>::to_vec), a.exit.clone()));
            let Some(rest) = rest else {
                self.get().wrong.push(format!("attempt {id}: event {sent} was acknowledged and never sent"));
                return None;
            };
            for event in rest {
                sent = event.seq;
                send(lines, &ShimFrame::Event(event.clone())).await?;
                if self.fault(6) {
                    send(lines, &ShimFrame::Event(event)).await?;
                }
            }
            if let Some(report) = exit.filter(|_| !told) {
                told = true;
                let frame = ShimFrame::Exit { seq: sent + 1, report };
                if self.fault(8) {
                    send(lines, &frame).await?;
                }
                send(lines, &frame).await?;
                if self.fault(8) {
                    return None;
                }
            }
            let longest = self.get().slow.map_or(15_000, |d| d.as_millis() as u64);
            let pulse = Duration::from_millis(1_000 + self.below(longest));
            tokio::select! {
                () = &mut changed => {}
                () = sleep(pulse) => {
                    send(lines, &ShimFrame::Heartbeat(Heartbeat { at: self.now(), agent_alive: true, ..Heartbeat::default() })).await?;
                }
                frame = receive(lines) => match frame? {
                    EngineFrame::Ack { seq } => {
                        if told && seq > sent {
                            return Some(());
                        }
                        if seq > sent {
                            self.get().wrong.push(format!("attempt {id}: {seq} was acknowledged, {sent} sent"));
                        }
                    }
                    EngineFrame::Cancel { .. } => self.with(id, |a| {
                        a.cancelled = true;
                        a.changed.notify_waiters();
                    }),
                    EngineFrame::Bye { .. } => return Some(()),
                    EngineFrame::Welcome { .. } => self.get().wrong.push("a second welcome".into()),
                },
            }
        }
    }
}

async fn send(lines: &mut Lines, frame: &ShimFrame) -> Option<()> {
    lines.send(serde_json::to_string(frame).unwrap()).await.ok()
}

async fn receive(lines: &mut Lines) -> Option<EngineFrame> {
    let line = lines.next().await?.ok()?;
    Some(serde_json::from_str(&line).unwrap())
}

fn identity(id: AttemptId) -> ProcessIdentity {
    ProcessIdentity { pid: id.0 as i32 + 1000, start_time: id.0 as u64, boot_id: "simulated".into() }
}

/// One engine's hands.
pub struct SimLauncher {
    pub world: World,
    pub inputs: mpsc::Sender<Input>,
}

impl SimLauncher {
    fn watch(&self, id: AttemptId) {
        let mut gone = self.world.with(id, |a| a.gone.subscribe());
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            let _ = gone.wait_for(|gone| *gone).await;
            let _ = inputs.send(Input::ShimGone { attempt: id }).await;
        });
    }
}

fn fresh(job: JobId, token: String) -> Attempt {
    Attempt {
        job,
        owner: Owner::Nobody,
        visible: false,
        shim: false,
        agent: false,
        starts: 0,
        spool: Vec::new(),
        exit: None,
        token,
        cancelled: false,
        prompt: String::new(),
        result: PathBuf::new(),
        changed: Arc::default(),
        gone: watch::channel(false).0,
        task: None,
    }
}

impl Launcher for SimLauncher {
    fn launch(&mut self, launch: Launch) {
        let id = launch.spec.attempt;
        if let Some(other) = self.world.get().unadopted.first().copied() {
            self.world.get().wrong.push(format!("attempt {id} was started before attempt {other} was adopted"));
        }
        if self.world.fault(40) {
            self.world.get().dying = true;
            self.world.death.notify_one();
        }
        if self.world.get().dying {
            return;
        }
        if self.world.fault(40) {
            let inputs = self.inputs.clone();
            tokio::spawn(async move { inputs.send(Input::NotLaunched { attempt: id, message: "no such program".into() }).await });
            return;
        }
        let (prompt, result) = (launch.prompt, launch.spec.result_file);
        let attempt = Attempt { shim: true, prompt, result, ..fresh(launch.spec.job, launch.token) };
        if self.world.get().attempts.insert(id, attempt).is_some() {
            self.world.get().wrong.push(format!("attempt {id} was launched twice"));
        }
        let (world, shim) = (self.world.clone(), self.world.clone().shim(id));
        let task = tokio::spawn(async move {
            shim.await;
            world.with(id, |a| {
                a.shim = false;
                a.gone.send_replace(true);
            });
        });
        self.world.with(id, |a| a.task = Some(task.abort_handle()));
        self.watch(id);
    }

    fn probe(&mut self, open: &OpenAttempt) {
        let id = open.attempt.id;
        let (job, known) = (open.attempt.job_id, open.attempt.shim.is_some());
        let mut s = self.world.get();
        if s.beginning {
            s.unadopted.insert(id);
        }
        drop(s);
        let launcher = SimLauncher { world: self.world.clone(), inputs: self.inputs.clone() };
        tokio::spawn(async move {
            launcher.world.some_ms(400).await;
            let sweep_fails = launcher.world.fault(4);
            let probe = {
                let mut s = launcher.world.get();
                let a = s.attempts.entry(id).or_insert_with(|| fresh(job, String::new()));
                if let Some(report) = &a.exit {
                    Probe::Exited(Box::new(report.clone()))
                } else if a.shim && (a.visible || known) {
                    Probe::Alive(identity(id))
                } else if a.owner != Owner::Shim {
                    a.owner = Owner::Fence;
                    Probe::Never
                } else if a.agent && sweep_fails {
                    Probe::Leftovers(1)
                } else {
                    a.agent = false;
                    Probe::Lost
                }
            };
            let alive = matches!(probe, Probe::Alive(_));
            launcher.world.get().unadopted.remove(&id);
            if launcher.inputs.send(Input::Probed { attempt: id, probe }).await.is_ok() && alive {
                launcher.watch(id);
            }
        });
    }
}

/// A memory that answers at once, late, or never, as the dice fall.
pub struct SimMemories {
    pub world: World,
    pub inputs: mpsc::Sender<Input>,
}

impl Memories for SimMemories {
    fn ask(&mut self, request: MemoryRequest) {
        let (answer, delay) = match request {
            MemoryRequest::Recall { attempt, now, .. } => {
                let memory = Memory {
                    id: MemoryId(1),
                    text: "The simulation's clock is not the wall's.".into(),
                    category: Category::Fact,
                    importance: 0.5,
                    source: MemorySource::Operator,
                    external: false,
                    created_at: now,
                    last_recalled_at: None,
                    access_count: 0,
                    superseded_by: None,
                    superseded_at: None,
                    disputed: false,
                    forgotten_at: None,
                };
                let recalled = Recalled { memory, score: 0.7, terms: Terms::default(), penalised: false, cosine: 0.5, lexical: 0.5 };
                let dice = if self.world.get().faults { self.world.get().rng.u32(..20) } else { 0 };
                let found = if dice == 1 { Err("the store cannot be opened".into()) } else { Ok(vec![recalled]) };
                (Input::Recalled { attempt, found }, if dice == 2 { Duration::from_secs(10) } else { Duration::ZERO })
            }
            MemoryRequest::Learn { lesson, .. } => (Input::Learned { attempt: lesson.attempt, outcome: Ok("kept".into()) }, Duration::ZERO),
            MemoryRequest::Digest { span, .. } => (Input::Digest { span, prompt: Ok(None) }, Duration::ZERO),
            MemoryRequest::Settings(_) => return,
        };
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            if !delay.is_zero() {
                sleep(delay).await;
            }
            let _ = inputs.send(answer).await;
        });
    }
}

/// Evidence that comes at once, late or not at all, and changes at times.
pub struct SimEvidence {
    pub world: World,
    pub inputs: mpsc::Sender<Input>,
}

impl Evidence for SimEvidence {
    fn ask(&mut self, request: EvidenceRequest) {
        let wrong = self.world.fault(30);
        let hash = || if self.world.fault(15) { "sha256:other".to_owned() } else { "sha256:same".to_owned() };
        let answer = match request {
            EvidenceRequest::Gather { review, copy, .. } => {
                std::fs::create_dir_all(&copy).unwrap();
                std::fs::write(copy.join(EVIDENCE), "# What the author reported\n\nAll of it is done.\n").unwrap();
                Input::Gathered { review, found: if wrong { Err("the disk is full".into()) } else { Ok("sha256:same".into()) } }
            }
            EvidenceRequest::Confirm { review, .. } => {
                Input::Confirmed { review, hash: if wrong { Err("it is gone".into()) } else { Ok(hash()) } }
            }
            EvidenceRequest::Drop { copy } => {
                let _ = std::fs::remove_dir_all(copy);
                return;
            }
            EvidenceRequest::Tree { attempt, known, wanted, .. } => {
                let ready = Ready { branch: known.unwrap_or(wanted), base: "base".into() };
                Input::Tree { attempt, ready: if wrong { Err("git is not installed".into()) } else { Ok(ready) } }
            }
            EvidenceRequest::Sweep { .. } => return,
        };
        let (inputs, world) = (self.inputs.clone(), self.world.clone());
        tokio::spawn(async move {
            world.some_ms(3_000).await;
            let _ = inputs.send(answer).await;
        });
    }
}
