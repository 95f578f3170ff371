//! A week by the clock, across changes of the clocks in two time zones: engines die and come back after seconds or hours, jobs
//! take longer than the time between fires, Redis lies, fails and is silent. What fired is held against crontab, minute by
//! minute, as another library and a few lines have it.

use super::world::{SimEvidence, SimLauncher, SimMemories, World};
use chrono::{NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};
use orc::config::{Settings, Workspace, built_in, init};
use orc::domain::{Actor, Catch, Command, CronEntry, Fire, FireOutcome, JobId, Timestamp, jitter};
use orc::engine::{Clock, Core, DedupRequest, FirstTier, Gateway, Input, PATIENCE, Parts, run};
use orc::store::{Store, apply};
use orc::wire::Snapshot;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

const HOUR: Duration = Duration::from_secs(3600);
const LATE: Duration = Duration::from_secs(120);
/// Between a fire's due time and its row, where an engine runs: the first tier's patience, and what a death in between costs.
const PROMPT: Duration = Duration::from_secs(2);

const ENTRIES: &[(&str, &str, &str, &str)] = &[
    ("often", "*/15 8-23 * * *", "Europe/London", ""),
    ("fixed-a", "30 1 * * *", "Europe/London", "catch_up = \"once\""),
    ("fixed-b", "15,45 1,2 * * *", "ZONE", ""),
    ("hourly", "0 * * * *", "ZONE", "jitter = \"90s\""),
    ("all", "20 */2 * * *", "ZONE", "catch_up = \"all\""),
    ("slow", "*/20 * * * *", "Europe/London", "catch_up = \"once\""),
    ("both", "40 5 */2 * 1-5", "ZONE", ""),
    ("quiet", "*/30 * * * *", "Europe/London", "back_off = true"),
];

/// Two more, whose lines are checked by the piece: one that is edited between two lives, and one that is switched within them.
const EDITED: [&str; 2] = ["*/15 * * * *", "7,37 * * * *"];
const SWITCHED: &str = "*/10 * * * *";

fn file(zone: &str, edited: &str) -> String {
    let entry = |(name, line, tz, more): &(&str, &str, &str, &str)| {
        let prompt = if *name == "quiet" { "look for work" } else { "work" };
        let zone = tz.replace("ZONE", zone);
        format!(
            "[[cron]]\nname = \"{name}\"\nschedule = \"{line}\"\ntimezone = \"{zone}\"\n{more}\n[cron.job]\ntitle = \"{name}\"\ntype = \"shell\"\n\
             prompt = \"{prompt}\"\n"
        )
    };
    let more = [("edited", edited, "Europe/London", ""), ("switched", SWITCHED, "ZONE", "catch_up = \"once\"")];
    ENTRIES.iter().chain(&more).map(entry).collect()
}

/// Redis on a bad week. It may forget, keep what is long over, fail, be late, and say nothing.
#[derive(Clone)]
struct SimRedis {
    world: World,
    inputs: mpsc::Sender<Input>,
    held: Arc<Mutex<BTreeMap<String, JobId>>>,
}

impl FirstTier for SimRedis {
    fn ask(&mut self, request: DedupRequest) {
        let mut held = self.held.lock().unwrap();
        let bad = self.world.below(3) == 0;
        match request {
            DedupRequest::Hold { key, job } if !bad => drop(held.insert(key, job)),
            // What is not taken back is stale from then on.
            DedupRequest::Forget { key, .. } if !bad => drop(held.remove(&key)),
            DedupRequest::Look { key } => {
                let right = held.get(&key).copied();
                let (found, wait) = match self.world.below(12) {
                    0 => (Err("connection refused".to_owned()), Duration::ZERO),
                    1 => (Ok(None), Duration::ZERO),
                    2 => (Ok(Some(JobId(1 + self.world.below(50) as i64))), Duration::ZERO),
                    3 => (Ok(right), PATIENCE * 3),
                    4 => return,
                    _ => (Ok(right), Duration::from_millis(self.world.below(20))),
                };
                let inputs = self.inputs.clone();
                tokio::spawn(async move {
                    sleep(wait).await;
                    let _ = inputs.send(Input::Looked { key: Some(key), found }).await;
                });
            }
            _ => {}
        }
    }
}

/// From when on which line is in force; `None`: none.
type Pieces = Vec<(Timestamp, Option<&'static str>)>;

/// One engine, with the world around it.
pub(super) struct Life {
    core: Core<SimLauncher>,
    pub inputs: mpsc::Sender<Input>,
    inbox: mpsc::Receiver<Input>,
    tasks: Arc<Mutex<Vec<tokio::task::AbortHandle>>>,
}

impl Life {
    pub fn begin(
        world: &World,
        workspace: &Workspace,
        settings: &Arc<Settings>,
        dedup: impl FnOnce(mpsc::Sender<Input>) -> Option<Box<dyn FirstTier>>,
        seed: u64,
    ) -> Life {
        let (inputs, inbox) = mpsc::channel(1024);
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
            dedup: dedup(inputs.clone()),
            evidence: Box::new(SimEvidence { world: world.clone(), inputs: inputs.clone() }),
            usable: |_| true,
            shim: "orc-shim".into(),
            outboxes,
            publish,
            demo: false,
            seed,
            watch_host: false,
        };
        world.get().door = Some((Gateway::new(inputs.clone(), outbox, snapshots), tasks.clone()));
        Life { core: Core::start(parts, world.now()).unwrap(), inputs, inbox, tasks }
    }

    /// Lives until something else is over.
    pub async fn until(&mut self, world: &World, over: impl Future<Output = ()>) {
        tokio::select! {
            why = run(&mut self.core, &mut self.inbox, world.clock) => panic!("the engine ended by itself: {why}"),
            () = over => {}
        }
    }

    pub fn end(self, world: &World) {
        world.get().door = None;
        self.tasks.lock().unwrap().drain(..).for_each(|task| task.abort());
        drop(self.core);
        world.get().dying = false;
    }
}

struct Week {
    edited: Pieces,
    switched: Pieces,
    fires: BTreeMap<String, Vec<Fire>>,
    entries: Vec<CronEntry>,
    /// When an engine was there, and had read the schedules.
    lives: Vec<(Timestamp, Timestamp)>,
    /// Of each entry's jobs: made, and over.
    jobs: BTreeMap<String, Vec<(Timestamp, Option<Timestamp>)>>,
    from: Timestamp,
    until: Timestamp,
}

fn week(seed: u64, start: &str, zone: &str) -> Week {
    let dir = tempfile::Builder::new().prefix("orc-cron-").tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let (workspace, _) = init(&dir.path().join("ws")).unwrap();
    let start = Timestamp::parse(start).unwrap();
    let mut settings = Settings::default();
    (settings.tick, settings.cron_late, settings.cron_catch_up) = (Duration::from_secs(300), LATE, 1000);
    let settings = Arc::new(settings);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (lives, until, edited, switched) = runtime.block_on(async {
        let clock = Clock::simulated(start);
        let world = World::new(seed, clock, workspace.spool_dir());
        world.get().slow = Some(Duration::from_secs(1200));
        let redis = Arc::new(Mutex::new(BTreeMap::new()));
        let mut lives = Vec::new();
        let (mut edited, mut switched) = (Pieces::new(), vec![(start, Some(SWITCHED))]);
        let mut operator = Store::open(&workspace.database()).unwrap();
        let end = start + 24 * 8 * HOUR;
        loop {
            let last = world.now() >= end;
            if last {
                world.get().faults = false;
            }
            let first_tier = |inputs| SimRedis { world: world.clone(), inputs, held: redis.clone() };
            let mut life = Life::begin(&world, &workspace, &settings, |inputs| Some(Box::new(first_tier(inputs))), seed);
            let inputs = life.inputs.clone();
            let line = EDITED[world.below(2) as usize];
            let text = file(zone, line);
            edited.push((world.now(), Some(line)));
            // A file that is broken for a while is no reason to stop, nor to forget.
            if world.below(3) == 0 {
                inputs.send(Input::Cron(Ok(Some("[[cron]]\nname = 1\n".into())))).await.unwrap();
            }
            inputs.send(Input::Cron(Ok(Some(text)))).await.unwrap();
            let born = world.now();
            let hours = world.below(16);
            let span = if last { 12 * HOUR } else { HOUR * hours as u32 + Duration::from_millis(world.below(3_600_000)) };
            let story = async {
                sleep(span / 3).await;
                let on = switched.last().unwrap().1.is_none();
                let command = Command::SetCron { name: "switched".into(), enabled: Some(on) };
                operator.write(|tx| apply(tx, &command, &Actor::Operator, world.now())).unwrap();
                inputs.send(Input::Wake).await.unwrap();
                switched.push((world.now(), on.then_some(SWITCHED)));
                sleep(span - span / 3).await;
            };
            let death = async {
                tokio::select! {
                    () = world.death.notified() => {}
                    () = story => {}
                }
            };
            life.until(&world, death).await;
            life.end(&world);
            lives.push((born, world.now()));
            assert!(world.get().wrong.is_empty(), "{:?}", world.get().wrong);
            if last && world.now() >= end + 12 * HOUR {
                return (lives, end, edited, switched);
            }
            // Mostly a restart, at times a machine that sleeps.
            let gone = if world.below(4) == 0 { world.below(5 * 3_600_000) } else { world.below(20_000) };
            sleep(Duration::from_millis(gone)).await;
        }
    });
    let store = Store::open(&workspace.database()).unwrap();
    let mut fires: BTreeMap<String, Vec<Fire>> = BTreeMap::new();
    for fire in store.fires(None, usize::MAX >> 1).unwrap().into_iter().rev() {
        fires.entry(fire.name.clone()).or_default().push(fire);
    }
    let db = rusqlite::Connection::open(workspace.database()).unwrap();
    let mut rows = db.prepare("SELECT cron, created_at, finished_at FROM jobs WHERE cron IS NOT NULL ORDER BY id").unwrap();
    let mut jobs: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for row in rows.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get(1)?, r.get::<_, Option<i64>>(2)?))).unwrap() {
        let (name, made, over) = row.unwrap();
        jobs.entry(name).or_default().push((Timestamp(made), over.map(Timestamp)));
    }
    let mut entries = orc::config::parse_cron(&workspace.cron_file(), &file(zone, EDITED[0]), &settings).unwrap();
    entries.retain(|e| ENTRIES.iter().any(|(name, ..)| *name == e.name));
    Week { edited, switched, fires, entries, lives, jobs, from: start, until }
}

/// What crontab does, minute by minute.
fn crontab(line: &str, zone: Tz, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let fields: Vec<&str> = line.split(' ').collect();
    let fixed = !fields[0].starts_with('*') && !fields[1].starts_with('*');
    // The one thing in which that library is no crontab: a day field that begins with * is joined by "and".
    let both = fields[2].starts_with('*') || fields[4].starts_with('*');
    let parse = |line: &str| CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build().parse(line).unwrap();
    let days = parse(&[fields[0], fields[1], fields[2], fields[3], "*"].join(" "));
    let weekdays = parse(&[fields[0], fields[1], "*", fields[3], fields[4]].join(" "));
    let matches = |wall: NaiveDateTime| {
        let [a, b] = [&days, &weekdays].map(|c| c.is_time_matching(&wall.and_utc()).unwrap());
        if both { a && b } else { a || b }
    };
    let minute = TimeDelta::minutes(1);
    let mut t = Utc.timestamp_millis_opt(from.0 / 60_000 * 60_000).unwrap() + minute;
    let mut all = Vec::new();
    while t.timestamp_millis() <= until.0 {
        let wall = |t: chrono::DateTime<Utc>| t.with_timezone(&zone).naive_local();
        let mut fire = matches(wall(t));
        if fixed {
            fire &= zone.from_local_datetime(&wall(t)).earliest() == Some(t.with_timezone(&zone));
            let mut skipped = wall(t - minute) + minute;
            while skipped < wall(t) {
                fire |= matches(skipped);
                skipped += minute;
            }
        }
        if fire {
            all.push(Timestamp(t.timestamp_millis()));
        }
        t += minute;
    }
    all
}

impl Week {
    /// True where one engine was there throughout.
    fn up(&self, from: Timestamp, until: Timestamp) -> bool {
        self.lives.iter().any(|(born, died)| *born <= from && until <= *died)
    }

    fn check(&self, seen: &mut BTreeMap<(String, FireOutcome), usize>) {
        for e in &self.entries {
            let name = e.name.as_str();
            let rows: Vec<&Fire> = self.fires[name].iter().collect();
            let last = rows.last().unwrap().at;
            let due = crontab(&e.schedule.to_string(), e.zone, self.from, last.max(self.until));
            assert_eq!(rows.iter().map(|f| f.at).collect::<BTreeSet<_>>().len(), rows.len(), "{name}: twice");
            // Each fire of crontab has its row, or is one of those that the next row says it left out.
            let mut next = 0;
            for f in &rows {
                let at = due.binary_search(&f.at).unwrap_or_else(|_| panic!("{name}: {} is no time of {}", f.at, e.schedule));
                assert_eq!(at - next, f.missed as usize, "{name}: before {}", f.at);
                next = at + 1;
            }
            assert_eq!(next, due.len(), "{name}: the end");
            for f in &rows {
                *seen.entry((name.to_owned(), f.outcome)).or_default() += 1;
                self.judge(e, f);
            }
            // A job for each fire that says so, and no other; never two at once.
            let jobs = self.jobs.get(name).cloned().unwrap_or_default();
            let fired: Vec<_> = rows.iter().filter(|f| f.outcome == FireOutcome::Fired).collect();
            assert_eq!(fired.iter().filter_map(|f| f.job).collect::<BTreeSet<_>>().len(), fired.len(), "{name}");
            assert_eq!(jobs.len(), fired.len(), "{name}");
            assert!(jobs.windows(2).all(|w| w[0].1.is_some_and(|over| over <= w[1].0)), "{name}: two at once");
            if e.catch_up == Catch::All {
                assert!(rows.iter().all(|f| f.outcome == FireOutcome::Fired && f.missed == 0), "{name}: none is lost");
            }
        }
    }

    /// A fire for each time of the line in force while an engine is there, and none for any other time.
    fn check_pieces(&self, name: &str, zone: Tz, pieces: &Pieces) -> usize {
        let rows: BTreeSet<Timestamp> = self.fires[name].iter().map(|f| f.at).collect();
        assert_eq!(rows.len(), self.fires[name].len(), "{name}: twice");
        let mut due = BTreeSet::new();
        let mut fired = 0;
        for (i, (from, line)) in pieces.iter().enumerate() {
            let until = pieces.get(i + 1).map_or(self.until, |p| p.0);
            let Some(line) = line else { continue };
            for at in crontab(line, zone, *from, until) {
                due.insert(at);
                if self.up(at - Duration::from_millis(1), at + PROMPT) && at + PROMPT < until {
                    assert!(rows.contains(&at), "{name}: {at} of {line}, in force since {from}, is nowhere");
                    fired += 1;
                }
            }
        }
        let strays: Vec<_> = rows.iter().filter(|at| **at <= self.until && !due.contains(at)).collect();
        assert_eq!(strays, Vec::<&Timestamp>::new(), "{name}: its line was not in force");
        fired
    }

    fn judge(&self, e: &CronEntry, f: &Fire) {
        let name = &e.name;
        let due = f.at + jitter(name, f.at, e.jitter);
        let open = || self.jobs[name].iter().any(|(made, over)| *made < f.recorded_at && over.is_none_or(|t| t >= f.recorded_at));
        assert!(f.recorded_at >= due, "{name}: {} too early", f.at);
        let late = f.recorded_at.since(due);
        if self.up(due - Duration::from_millis(1), due + PROMPT) && e.catch_up != Catch::All {
            assert!(late <= PROMPT, "{name}: {} came {late:?} late, and an engine was there", f.at);
        }
        match f.outcome {
            FireOutcome::Fired if e.catch_up == Catch::Skip => assert!(late <= LATE + PROMPT, "{name}: {} was made up for", f.at),
            FireOutcome::Fired => {}
            FireOutcome::Missed => assert!(e.catch_up == Catch::Skip && late >= LATE, "{name}: {} was not missed", f.at),
            FireOutcome::Overlap | FireOutcome::Duplicate => assert!(open(), "{name}: {} left out, and no job was open", f.at),
            FireOutcome::BackedOff => assert!(e.back_off, "{name}"),
            FireOutcome::Refused => panic!("{name}: {:?}", f.note),
        }
    }
}

#[test]
fn a_week_of_schedules_is_what_crontab_would_do_whatever_goes_wrong() {
    let mut seen = BTreeMap::new();
    let (mut pieces, mut switches) = (0, 0);
    let seeds = super::number("ORC_SIM_SEED").map_or(0..3, |s| s..s + 1);
    for seed in seeds {
        // The clocks go back: London on 25 October, New York on 1 November.
        let autumn = std::thread::spawn(move || week(seed, "2026-10-24T20:00:07Z", "America/New_York"));
        // The clocks go forward: Jerusalem on 27 March, London on the 29th.
        let spring = week(seed + 1000, "2026-03-26T12:00:07Z", "Asia/Jerusalem");
        spring.check(&mut seen);
        let autumn = autumn.join().unwrap();
        autumn.check(&mut seen);
        for (week, zone) in [(spring, Tz::Asia__Jerusalem), (autumn, Tz::America__New_York)] {
            pieces += week.check_pieces("edited", Tz::Europe__London, &week.edited);
            switches += week.check_pieces("switched", zone, &week.switched);
        }
    }
    println!("{seen:?}, {pieces} of the edited one, {switches} of the switched one");
    assert!(pieces > 300 && switches > 300);
    let count = |outcome| seen.iter().filter(|((_, o), _)| *o == outcome).map(|(_, n)| n).sum::<usize>();
    assert!(count(FireOutcome::Fired) > 800 && count(FireOutcome::Overlap) > 50 && count(FireOutcome::Missed) > 5, "{seen:?}");
    assert!(count(FireOutcome::BackedOff) > 300, "{seen:?}");
}
