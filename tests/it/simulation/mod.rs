//! The production loop on a paused clock, with the real database, against a world that goes wrong by a seed: job processes
//! die, links drop, engines die anywhere and come back, operators interfere. `ORC_SIM_SEEDS=5000` looks at more seeds,
//! `ORC_SIM_SEED=17` at one.

mod clock;
mod cron;
mod ledger;
mod talk;
mod world;

use ledger::{Ledger, Seen};
use orc::config::{Settings, Workspace, built_in, init};
use orc::domain::{
    Applied, AttemptId, Command, JobId, JobSpec, JobState, Kind, Lane, Outcome, Priority, ProjectId, ReviewOutcome, Timestamp,
};
use orc::engine::{Clock, Core, Gateway, Input, Parts, run};
use orc::store::{Store, apply};
use orc::wire::Snapshot;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};
use world::{Owner, SimEvidence, SimLauncher, SimMemories, World};

const MAX_RUNNING: u32 = 4;
const RESERVED: u32 = 1;
/// Scarce: about three of this world's jobs at once.
const TOKENS: u64 = 3_000;
const WINDOW_MS: i64 = 60_000;
const HIGH: f64 = 0.8;
const DEEP: usize = 5;
const SEEDS: u64 = 300;
const START: Timestamp = Timestamp(1_763_994_725_000);
/// How long the world goes wrong, and how long it may then take to come to rest, in simulated time.
const TROUBLE: Duration = Duration::from_secs(120);
const REST: Duration = Duration::from_secs(3600);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

#[test]
fn nothing_is_lost_or_doubled_whatever_goes_wrong() {
    let seeds = match number("ORC_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("ORC_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let seen: Seen = std::thread::scope(|scope| {
        let seeds = &seeds;
        let work = move |first: u64| seeds.clone().skip(first as usize).step_by(threads as usize).map(looked_at).sum::<Seen>();
        let all: Vec<_> = (0..threads).map(|first| scope.spawn(move || work(first))).collect();
        all.into_iter().map(|t| t.join().expect("a seed failed: see above")).sum()
    });
    println!("{seen:?}");
    // A world in which nothing is scarce shows nothing.
    let all = seeds.clone().count() < 50
        || seen.tight > seen.starts / 100 && seen.reserved > 0 && seen.rounds.iter().all(|n| *n > 0) && seen.talk.all();
    assert!(seen.starts > 0 && all, "{seen:?}");
}

/// Runs one seed and names it if it fails; what there was to see.
fn looked_at(seed: u64) -> Seen {
    match catch_unwind(AssertUnwindSafe(|| simulate(seed))) {
        Ok(Ok(seen)) => seen,
        Ok(Err(wrong)) => panic!("ORC_SIM_SEED={seed}: {wrong}"),
        Err(panic) => {
            eprintln!("ORC_SIM_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

fn simulate(seed: u64) -> Result<Seen, String> {
    let memory = Path::new("/dev/shm");
    let at = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let dir = tempfile::Builder::new().prefix("orc-sim-").tempdir_in(at).unwrap();
    let (workspace, _) = init(&dir.path().join("ws")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let clock = Clock::simulated(START);
        let world = World::new(seed, clock, workspace.spool_dir());
        let mut operator = Operator { store: Store::open(&workspace.database()).unwrap(), world: world.clone(), jobs: Vec::new() };
        let repository = dir.path().join("repository");
        std::fs::create_dir_all(repository.join(".git")).unwrap();
        operator
            .store
            .write(|tx| {
                let id = tx.add_project("code", repository.to_str(), "operator", START)?;
                tx.set_test_command(id, Some("true"), "operator", START)
            })
            .unwrap();
        let ledger = RefCell::new(Ledger::open(&workspace.database()));
        let wake: RefCell<Option<mpsc::Sender<Input>>> = RefCell::default();
        let mut engines = pin!(engines(&workspace, &world, &ledger, &wake, seed));
        let mut story = pin!(async {
            operator.trouble(&ledger, &wake).await;
            operator.rest(&wake).await?;
            operator.audit(&workspace)
        });
        tokio::select! {
            wrong = &mut engines => Err(wrong),
            told = &mut story => told,
        }?;
        ledger.borrow_mut().check()?;
        let ledger = ledger.borrow();
        Ok(Seen { rounds: ledger.rounds(), talk: talk::seen(&Store::open_reader(&workspace.database()).unwrap()), ..ledger.seen })
    })
}

/// One engine after the other, until something is wrong.
async fn engines(
    workspace: &Workspace,
    world: &World,
    ledger: &RefCell<Ledger>,
    wake: &RefCell<Option<mpsc::Sender<Input>>>,
    seed: u64,
) -> String {
    let mut settings = Settings::default();
    // Its agents answer in words: who judges what is worth keeping has tests of its own.
    settings.memory_backend = "none".into();
    settings.max_running = MAX_RUNNING;
    settings.reserved_slots = RESERVED;
    settings.token_budget = TOKENS;
    settings.token_window = Duration::from_millis(WINDOW_MS as u64);
    settings.backpressure_high = HIGH;
    settings.backpressure_queue_depth = DEEP as u32;
    let settings = Arc::new(settings);
    for life in 0.. {
        let (inputs, mut inbox) = mpsc::channel(1024);
        let (outbox, outboxes) = mpsc::unbounded_channel();
        let (publish, snapshots) = watch::channel(Arc::new(Snapshot::starting(world.now(), "simulation".into())));
        let tasks: Arc<Mutex<Vec<_>>> = Arc::default();
        let parts = Parts {
            store: Store::open(&workspace.database()).unwrap(),
            workspace: workspace.clone(),
            settings: settings.clone(),
            backends: built_in(),
            launcher: SimLauncher { world: world.clone(), inputs: inputs.clone() },
            memories: Some(Box::new(SimMemories { world: world.clone(), inputs: inputs.clone() })),
            dedup: None,
            evidence: Box::new(SimEvidence { world: world.clone(), inputs: inputs.clone() }),
            usable: |b| matches!(b.name.as_str(), "claude" | "codex"),
            shim: "orc-shim".into(),
            outboxes,
            publish,
            demo: false,
            seed: seed ^ life,
            watch_host: false,
        };
        let gateway = Gateway::new(inputs.clone(), outbox, snapshots);
        world.get().door = Some((gateway, tasks.clone()));
        *wake.borrow_mut() = Some(inputs);
        world.get().beginning = true;
        let mut core = match Core::start(parts, world.now()) {
            Ok(core) => core,
            Err(e) => return e.to_string(),
        };
        world.get().beginning = false;
        {
            let mut life = pin!(run(&mut core, &mut inbox, world.clock));
            let checked = std::future::poll_fn(|cx| {
                let end = life.as_mut().poll(cx).map(Ok);
                if let Err(wrong) = ledger.borrow_mut().check() {
                    return std::task::Poll::Ready(Err(wrong));
                }
                let wrong = world.get().wrong.pop();
                wrong.map_or(end, |wrong| std::task::Poll::Ready(Err(wrong)))
            });
            let death = async {
                let after = Duration::from_millis(500 + world.below(60_000));
                tokio::select! {
                    () = world.death.notified() => {}
                    () = sleep(after) => if !world.get().faults { std::future::pending().await },
                }
            };
            tokio::select! {
                end = checked => match end {
                    Ok(why) => return format!("the engine ended by itself: {why}"),
                    Err(wrong) => return wrong,
                },
                () = death => {}
            }
        }
        // A crash: nothing is closed in good order, and its connections break.
        world.get().door = None;
        *wake.borrow_mut() = None;
        for task in tasks.lock().unwrap().drain(..) {
            task.abort();
        }
        drop(core);
        world.get().dying = false;
        world.get().unadopted.clear();
        sleep(Duration::from_millis(world.below(6_000))).await;
    }
    unreachable!("lives are not counted out")
}

struct Operator {
    store: Store,
    world: World,
    jobs: Vec<JobId>,
}

type Wake = RefCell<Option<mpsc::Sender<Input>>>;

impl Operator {
    /// A command of which the engine is not told.
    fn quietly(&mut self, command: &Command) -> Applied {
        let now = self.world.now();
        self.store.write(|tx| apply(tx, command, &orc::domain::Actor::Operator, now)).unwrap()
    }

    fn apply(&mut self, command: &Command, wake: &Wake) -> Applied {
        let applied = self.quietly(command);
        // A byte on the socket can get lost too: the tick finds it.
        if !self.world.fault(5)
            && let Some(inputs) = wake.borrow().as_ref()
        {
            let _ = inputs.try_send(Input::Wake);
        }
        applied
    }

    fn submit(&mut self, ledger: &RefCell<Ledger>, wake: &Wake) {
        let n = |n| self.world.below(n);
        let backend = ["claude", "codex", "shell"][n(3) as usize];
        let mut spec = JobSpec::new(format!("job {}", self.jobs.len() + 1), backend, "work");
        spec.priority = Priority::new(n(6) as u8).unwrap();
        // Half of them are reviewed, and code is tested too, in a tree of its own.
        spec.kind = [Kind::Other, Kind::Code, Kind::Triage, Kind::Maintenance][n(4) as usize];
        spec.project_id = (spec.kind == Kind::Code).then_some(ProjectId(1));
        spec.max_attempts = 1 + n(4) as u32;
        if n(5) == 0 && !self.jobs.is_empty() {
            spec.depends_on = vec![self.jobs[n(self.jobs.len() as u64) as usize]];
        }
        if n(6) == 0 {
            spec.not_before = Some(self.world.now() + Duration::from_millis(n(60_000)));
        }
        if n(8) == 0 {
            spec.dedup_key = Some(format!("key {}", n(3)));
        }
        let level = spec.priority.level();
        match self.apply(&Command::AddJob { spec: Box::new(spec) }, wake) {
            Applied::Added { job, existing: false } => {
                ledger.borrow_mut().priority.insert(job.0, level);
                self.jobs.push(job);
            }
            Applied::Added { existing: true, .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn interfere(&mut self, wake: &Wake) {
        if self.world.below(3) == 0 {
            self.answer(wake);
        }
        if self.world.below(3) == 0 {
            self.decide(wake);
        }
        let n = |n| self.world.below(n);
        let job = match n(4) {
            // Any job: one that plans, sorts, answers, was planned, reviews.
            0 => JobId(1 + n(self.newest() as u64) as i64),
            _ => self.jobs[n(self.jobs.len() as u64) as usize],
        };
        let paused = n(2) == 0;
        let command = match n(8) {
            0 | 1 => Command::Kill { job, seen: None },
            2 | 3 => Command::Retry { job, seen: None },
            4 | 5 => Command::SetPriority { job, priority: Priority::new(n(6) as u8).unwrap(), seen: None },
            6 => Command::PauseLane { lane: Lane::ALL[n(3) as usize], paused },
            _ => Command::PauseEngine { paused },
        };
        self.apply(&command, wake);
    }

    /// Answers a card, if there is one; once nothing goes wrong any more, so that it comes to an end.
    fn answer(&mut self, wake: &Wake) {
        let Some(card) = self.store.decisions(false).unwrap().into_iter().next() else { return };
        let keys: Vec<&str> = card.asked.choices.iter().map(|c| c.key.as_str()).collect();
        let dice = self.world.below(keys.len() as u64) as usize;
        // What was asked about a planner's rubbish cannot be accepted.
        let ends = keys.iter().find(|k| ["accept", "fail", "drop"].contains(k)).copied();
        let key = if self.world.get().faults { keys[dice] } else { ends.unwrap_or(keys[dice]) };
        self.apply(&Command::Answer { decision: card.id, key: key.into(), remark: None }, wake);
    }

    async fn trouble(&mut self, ledger: &RefCell<Ledger>, wake: &Wake) {
        let until = Instant::now() + TROUBLE;
        self.submit(ledger, wake);
        while Instant::now() < until {
            sleep(Duration::from_millis(self.world.below(6_000))).await;
            if self.world.below(10) == 0 {
                self.talk(wake);
            }
            match self.world.below(10) {
                0..=4 => (0..=self.world.below(3)).for_each(|_| self.submit(ledger, wake)),
                5..=7 => self.interfere(wake),
                _ => {
                    let shims = self.world.shims();
                    if !shims.is_empty() {
                        let one = shims[self.world.below(shims.len() as u64) as usize];
                        self.world.kill_shim(one);
                    }
                }
            }
        }
    }

    /// Nothing goes wrong any more: everything has to come to its end.
    async fn rest(&mut self, wake: &Wake) -> Result<(), String> {
        self.world.get().faults = false;
        self.apply(&Command::PauseEngine { paused: false }, wake);
        for lane in Lane::ALL {
            self.apply(&Command::PauseLane { lane, paused: false }, wake);
        }
        let until = Instant::now() + REST;
        loop {
            let open = self.open();
            let served = self.store.open_attempts().unwrap().is_empty() && self.store.queued().unwrap().is_empty();
            let talk = self.unsettled();
            if open.is_empty() && served && talk.is_empty() {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("never came to an end: {}; {}", open.join("; "), talk.join("; ")));
            }
            self.answer(wake);
            self.decide(wake);
            sleep(Duration::from_secs(5)).await;
        }
    }

    /// Jobs that are open without a reason that can last: only a dependency that will not be done is one.
    fn open(&self) -> Vec<String> {
        let state = |id: JobId| self.store.job(id).unwrap().unwrap();
        let mut stuck = std::collections::BTreeSet::new();
        let mut open = Vec::new();
        for id in &(1..=self.newest()).map(JobId).collect::<Vec<_>>() {
            let job = state(*id);
            if job.state == JobState::Waiting
                && job
                    .spec
                    .depends_on
                    .iter()
                    .any(|on| stuck.contains(on) || matches!(state(*on).state, JobState::Failed | JobState::Killed))
            {
                stuck.insert(*id);
            } else if !job.state.is_final() {
                open.push(format!("job {id} is {} ({:?}, {:?})", job.state, job.wait_reason, job.note));
            }
        }
        open
    }

    /// A job that is done and had to be reviewed was: its last round judged its last attempt.
    fn reviewed(&self, id: JobId) -> Result<(), String> {
        let job = self.store.job(id).unwrap().unwrap();
        let reviews = self.store.reviews(id).unwrap();
        let last = self.store.attempts(id).unwrap().into_iter().last();
        // Who converses does no work.
        let talks = job.spec.tags.iter().any(|t| t == "conversation");
        if talks
            || job.state != JobState::Done
            || !matches!(job.spec.kind, Kind::Other | Kind::Code | Kind::Plan)
            || last.is_none_or(|a| a.backend == "shell")
        {
            return Ok(());
        }
        let Some(r) = reviews.last() else { return Err(format!("job {id} is done, and nobody has reviewed it")) };
        let judged = match r.outcome {
            Some(ReviewOutcome::Passed) => {
                let tested = job.spec.kind != Kind::Code || r.tests_passed == Some(true);
                tested && r.score.is_some_and(|s| s >= r.threshold) && r.hash.is_some()
            }
            Some(ReviewOutcome::Accepted) => r.decision.is_some(),
            _ => false,
        };
        if !judged || Some(r.attempt) != job.attempt {
            return Err(format!("job {id} is done by attempt {:?}, and its last round is {r:?}", job.attempt));
        }
        Ok(())
    }

    /// The database against the world: every report was taken, as it was, once.
    fn audit(&self, workspace: &Workspace) -> Result<(), String> {
        let db = rusqlite::Connection::open(workspace.database()).unwrap();
        let world = self.world.get();
        self.audit_talk(&db)?;
        let rounds = self.store.open_reviews().unwrap();
        if let Some(r) = rounds.first() {
            return Err(format!("round {} of job {} is still open: {:?}", r.round, r.job, r.stage));
        }
        for id in &(1..=self.newest()).map(JobId).collect::<Vec<_>>() {
            self.reviewed(*id)?;
            let attempts = self.store.attempts(*id).unwrap();
            let job = self.store.job(*id).unwrap().unwrap();
            let oks = attempts.iter().filter(|a| a.outcome == Some(Outcome::Ok)).count();
            if job.state == JobState::Done && attempts.last().and_then(|a| a.outcome) != Some(Outcome::Ok) {
                return Err(format!("job {id} is done, but its last attempt is not: {attempts:?}"));
            }
            if oks == 0 && job.state == JobState::Done {
                return Err(format!("job {id} is done and nobody did it"));
            }
            for a in &attempts {
                let seen = world.attempts.get(&AttemptId(a.id.0));
                let report = seen.and_then(|s| s.exit.as_ref());
                match (report, a.outcome) {
                    (None, Some(Outcome::Ok)) => return Err(format!("attempt {} is ok and never ended", a.id)),
                    // An end that delivered nothing is none that went well.
                    (Some(r), Some(Outcome::Error)) if r.outcome == Outcome::Ok => {
                        let hollow = a.message.as_deref().is_some_and(|m| {
                            m.contains("empty") || m.contains("judgement cannot be used") || m.contains("triage cannot be used")
                        });
                        if !hollow {
                            return Err(format!("attempt {} reported ok, and: {:?}", a.id, a.message));
                        }
                    }
                    (Some(r), Some(o)) if r.outcome != o && o != Outcome::Killed => {
                        return Err(format!("attempt {} reported {}, the database says {o}", a.id, r.outcome));
                    }
                    (Some(r), _) => {
                        let spent: i64 = db
                            .query_row("SELECT coalesce(sum(tokens), 0) FROM spending WHERE attempt_id = ?1", [a.id.0], |r| r.get(0))
                            .unwrap();
                        if spent as u64 != r.usage.budgeted(0.0) || a.usage != r.usage {
                            return Err(format!("attempt {} used {:?}; recorded: {spent}, {:?}", a.id, r.usage, a.usage));
                        }
                    }
                    _ => {}
                }
                if let Some(s) = seen
                    && s.owner == Owner::Fence
                    && s.starts > 0
                {
                    return Err(format!("attempt {} was fenced and ran", a.id));
                }
            }
        }
        Ok(())
    }
}
