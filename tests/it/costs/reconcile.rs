//! A scripted day: every rollup adds up to the sum of the attempts, to the token.

use orc::config::Settings;
use orc::domain::{
    AttemptId, CostBy, CostSource, ExitReport, Found, JobId, JobSpec, Kind, Next, Outcome, Price, Prices, SkillGiven, SkillHow, Spend,
    Timestamp, Usage, charge,
};
use orc::store::{Claim, Finish, NewFire, NewWorker, Period, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// 2026-03-28 20:00 UTC: the clocks of Berlin go forward in the night that follows.
const START: &str = "2026-03-28T20:00:00Z";

struct Day {
    _dir: tempfile::TempDir,
    store: Store,
    prices: Prices,
    /// What each attempt used, as the script says: the truth that rollups are held against.
    told: Vec<Told>,
}

struct Told {
    attempt: AttemptId,
    usage: Usage,
    untold: u64,
    backend: String,
    cron: String,
    /// The versions that it was given.
    versions: String,
}

fn lcg(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

impl Day {
    fn new() -> Day {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("pm.db")).unwrap();
        let price = Price { input: 1.25, output: 10.0, cache_read: 0.125, cache_write: 1.25 };
        Day { _dir: dir, store, prices: Prices::new([("gpt-5".to_owned(), price)]), told: Vec::new() }
    }

    /// A day of three hundred attempts of all sorts: some told, some killed, some of models that nobody prices, some that are several
    /// attempts of one job, across the operator's midnight and a change of the clocks.
    fn play(&mut self) {
        let start = Timestamp::parse(START).unwrap();
        let mut seed = 7;
        let projects: Vec<_> = ["web", "books"].map(|t| self.store.write(|tx| tx.add_project(t, None, "operator", start)).unwrap()).into();
        let tasks: Vec<_> = projects.iter().map(|p| self.store.write(|tx| tx.add_task(*p, "task", "operator", start)).unwrap()).collect();
        let workers: Vec<_> = ["ada", "bob", "cleo"]
            .map(|name| {
                let new = NewWorker {
                    name: name.into(),
                    backend: "codex".into(),
                    model: None,
                    persona: None,
                    skills: Vec::new(),
                    persistent: true,
                    project_id: None,
                    directory: "drafts".into(),
                };
                self.store.write(|tx| tx.add_worker(&new, "operator", start)).unwrap()
            })
            .into();
        let skills: [&[&str]; 4] = [&[], &["testing"], &["testing", "git"], &["git", "testing", "git"]];
        for i in 0..200u64 {
            let n = lcg(&mut seed) as usize;
            let at = start + Duration::from_secs(i * 240);
            let project = [None, Some(0), Some(1)][n % 3];
            let spec = JobSpec {
                kind: Kind::ALL[n % Kind::ALL.len()],
                project_id: project.map(|p| projects[p]),
                task_id: project.filter(|_| n.is_multiple_of(2)).map(|p| tasks[p]),
                skills: skills[n % 4].iter().map(|s| (*s).to_owned()).collect(),
                max_attempts: 9,
                ..JobSpec::new(format!("job {i}"), "codex", "work")
            };
            let cron = ["", "", "", "inbox", "nightly"][i as usize % 5];
            let job = match cron {
                "" => self.store.write(|tx| tx.add_job(&spec, "operator", at)).unwrap().job,
                name => {
                    let fire = NewFire { name, at, missed: 0, manual: false };
                    self.store.write(|tx| tx.fire(&fire, &spec, "engine", at)).unwrap();
                    let fire = self.store.fires(Some(name), 1).unwrap().remove(0);
                    self.store.write(|tx| tx.settle_fire(fire.id, Some(i.is_multiple_of(2)), at)).unwrap();
                    fire.job.unwrap()
                }
            };
            let mut given: Vec<SkillGiven> = Vec::new();
            for skill in spec.skills.iter().map(String::as_str).chain((n % 7 == 0).then_some("debugging")) {
                // A new version of one of them comes in the middle of the day.
                let hash = if skill == "testing" && i >= 100 { "b" } else { "a" }.repeat(64);
                let how = if skill == "debugging" { SkillHow::Trigger } else { SkillHow::Job };
                if !given.iter().any(|g| g.skill == skill) {
                    given.push(SkillGiven { attempt: None, skill: skill.to_owned(), hash: Some(hash), how, trigger: None });
                }
            }
            let attempts = 1 + n % 3;
            for a in 0..attempts {
                let last = a + 1 == attempts;
                let model = [Some("gpt-5"), Some("never-heard-of"), None][(n + a) % 3];
                let end = at + Duration::from_secs(60 + (a as u64) * 3600);
                self.attempt((job, workers[(n + a) % 3]), model, (cron, &given), &mut seed, end, last);
            }
        }
    }

    fn attempt(
        &mut self,
        (job, worker): (JobId, orc::domain::WorkerId),
        model: Option<&str>,
        (cron, given): (&str, &[SkillGiven]),
        seed: &mut u64,
        at: Timestamp,
        last: bool,
    ) {
        let name = self.store.worker(worker).unwrap().unwrap().name;
        let claim = Claim {
            job,
            worker,
            worker_name: name,
            backend: ["codex", "claude", "gemini"][lcg(seed) as usize % 3].into(),
            model: model.map(str::to_owned),
            epoch: 1,
            host: "here".into(),
            token_hash: String::new(),
            session: None,
            directory: "drafts".into(),
            estimate: 5000,
        };
        let attempt = self.store.write(|tx| tx.claim(&claim, at)).unwrap().expect("it is queued and the worker is free");
        self.store.write(|tx| tx.note_skills(attempt, given)).unwrap();
        let usage = Usage {
            input: lcg(seed) % 50_000,
            output: lcg(seed) % 9_000,
            cache_read: lcg(seed) % 400_000,
            cache_write: lcg(seed) % 20_000,
        };
        let sort = lcg(seed) % 5;
        // One in five was killed before it told anything.
        let (usage, untold) = if sort == 0 { (Usage::default(), 5000) } else { (usage, 0) };
        let told = (sort == 1).then_some(0.125);
        let report = ExitReport {
            attempt,
            outcome: if sort == 0 { Outcome::Killed } else { Outcome::Ok },
            exit_code: Some(0),
            signal: None,
            message: String::new(),
            usage,
            usage_known: sort != 0,
            cost_usd: told,
            session_usage: None,
            session_cost_usd: None,
            session: None,
            session_unknown: false,
            result_file: None,
            result_bytes: 0,
            limit: None,
            strays: 0,
            ended_at: at,
        };
        let charge = charge(told, usage, untold, true, model.and_then(|m| self.prices.of(m)));
        let next = if last { Next::Done } else { Next::Queued { ready_at: None, counts: true, lost: false, note: "again".into() } };
        let finish = Finish { report: &report, next, budgeted: 0, recorded: 0, charge, drop_session: false };
        assert!(self.store.write(|tx| tx.finish(&finish, at)).unwrap());
        let mut versions: Vec<String> = given.iter().map(|g| format!("{}@{}", g.skill, &g.hash.as_ref().unwrap()[..12])).collect();
        versions.sort();
        self.told.push(Told { attempt, usage, untold, backend: claim.backend, cron: cron.to_owned(), versions: versions.join(" + ") });
    }
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.timezone = "Europe/Berlin".into();
    settings
}

fn sum(rows: &[orc::domain::CostRow]) -> Spend {
    rows.iter().fold(Spend::default(), |mut all, r| {
        all += r.spend;
        all
    })
}

#[test]
fn the_sum_over_every_rollup_is_the_sum_of_the_attempts_to_the_token() {
    let mut day = Day::new();
    day.play();
    let now = Timestamp::parse("2026-03-30T00:00:00Z").unwrap();
    let settings = settings();
    let truth = day.told.iter().fold((Usage::default(), 0, 0), |(u, e, n), t| (u + t.usage, e + t.untold, n + 1));
    let all = day.store.spend(Period::ever()).unwrap();
    assert_eq!((all.usage, all.estimated, all.attempts), truth);
    assert_eq!(all.jobs, 200);
    for &by in CostBy::ALL {
        let rows = day.store.costs(by, Period::ever(), now, |at| settings.day(at)).unwrap();
        let s = sum(&rows);
        assert_eq!((s.usage, s.estimated, s.attempts, s.unpriced), (all.usage, all.estimated, all.attempts, all.unpriced), "by {by}");
        for (a, b) in [(s.reported_usd, all.reported_usd), (s.computed_usd, all.computed_usd), (s.estimated_usd, all.estimated_usd)] {
            assert!((a - b).abs() < 1e-6, "by {by}: {a} and {b}");
        }
        let keys: BTreeSet<_> = rows.iter().map(|r| &r.key).collect();
        assert_eq!(keys.len(), rows.len(), "by {by}: each key once");
    }
    let of = |by| day.store.costs(by, Period::ever(), now, |at| settings.day(at)).unwrap();
    let labels = |by| of(by).into_iter().map(|r| r.label).collect::<BTreeSet<_>>();
    assert_eq!(labels(CostBy::Project), ["web", "books", "(no project)"].map(String::from).into());
    // Attempts with several skills are under their set, so that nothing is counted twice; what a trigger added is of it.
    let sets = ["(no skill)", "debugging", "debugging + git + testing", "debugging + testing", "git + testing", "testing"];
    assert_eq!(labels(CostBy::Skill), sets.map(String::from).into());
    // Line by line, as the script says.
    let by_script: [(CostBy, fn(&Told) -> &str); 3] =
        [(CostBy::Backend, |t| &t.backend), (CostBy::Cron, |t| &t.cron), (CostBy::Version, |t| &t.versions)];
    for (by, key) in by_script {
        let mut truth = BTreeMap::<String, (Usage, u64, u64)>::new();
        for t in &day.told {
            let line = truth.entry(key(t).to_owned()).or_default();
            *line = (line.0 + t.usage, line.1 + t.untold, line.2 + 1);
        }
        let said: BTreeMap<_, _> = of(by).into_iter().map(|r| (r.key, (r.spend.usage, r.spend.estimated, r.spend.attempts))).collect();
        assert_eq!(said, truth, "by {by}");
        assert!(said.len() >= 3, "by {by}: {said:?}");
    }
    assert!(labels(CostBy::Version).iter().any(|l| l.contains("testing@bbbbbbbbbbbb")), "{:?}", labels(CostBy::Version));
    // How often an entry's jobs found something stands beside what they cost, and by category in the sum of upkeep.
    let found: BTreeMap<_, _> = of(CostBy::Cron).into_iter().map(|r| (r.key, r.found)).collect();
    assert_eq!(
        found,
        [("", None), ("inbox", Some((40, 20))), ("nightly", Some((40, 20)))]
            .map(|(k, f)| { (k.to_owned(), f.map(|(judged, changed)| Found { judged, changed })) })
            .into()
    );
    let upkeep = day.store.upkeep(Period::ever()).unwrap();
    let judged: u64 = upkeep.iter().map(|u| u.found.judged).sum();
    let maintained = upkeep.iter().find(|u| u.category == Kind::Maintenance).unwrap().found;
    assert!(judged > 0 && maintained.judged > 0 && maintained.changed <= maintained.judged, "{upkeep:?}");
    assert!(all.reported_usd > 0.0 && all.computed_usd > 0.0 && all.estimated_usd > 0.0 && all.unpriced > 0);
    let unknown = of(CostBy::Model).into_iter().find(|r| r.label == "never-heard-of").unwrap().spend;
    assert_eq!(unknown.computed_usd, 0.0);
    assert!(unknown.unpriced > 0, "what has no price says so");
}

#[test]
fn days_are_the_operators_and_periods_cut_cleanly() {
    let mut day = Day::new();
    day.play();
    let settings = settings();
    let now = Timestamp::parse("2026-03-30T00:00:00Z").unwrap();
    let rows = day.store.costs(CostBy::Day, Period::ever(), now, |at| settings.day(at)).unwrap();
    assert_eq!(rows.iter().map(|r| r.key.as_str()).collect::<Vec<_>>(), ["2026-03-28", "2026-03-29"]);
    // Midnight in Berlin is 23:00 UTC before the change, 22:00 after it.
    let midnights = ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"].map(|t| Timestamp::parse(t).unwrap());
    let mut jobs = 0;
    for (row, ends) in rows.iter().zip(midnights.windows(2)) {
        let cut = day.store.spend(Period { since: ends[0], until: ends[1], running: false }).unwrap();
        assert_eq!((row.spend.usage, row.spend.jobs, row.spend.attempts), (cut.usage, cut.jobs, cut.attempts), "{}", row.key);
        jobs += cut.jobs;
    }
    assert!(jobs > 200, "jobs with attempts on both days are jobs of both");
}

#[test]
fn what_is_shown_of_an_attempt_says_who_said_so() {
    let mut day = Day::new();
    day.play();
    let mut seen = BTreeSet::new();
    for t in &day.told {
        let a = day.store.attempt_row(t.attempt).unwrap().unwrap();
        assert_eq!((a.usage, a.estimated), (t.usage, t.untold));
        let source = a.cost_source.expect("it has ended");
        assert_eq!(a.cost_usd.is_none(), source == CostSource::Unpriced, "{source}");
        seen.insert(source);
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}
