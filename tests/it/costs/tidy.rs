//! Housekeeping: whatever it is given, nothing goes that is younger than its setting says, or belongs to a job that is not over.

use orc::config::{Settings, Workspace};
use orc::domain::{JobId, JobSpec, Timestamp};
use orc::engine::tidy::{tidy, tidy_and_tell};
use orc::store::Store;
use proptest::prelude::*;
use std::path::PathBuf;
use std::time::Duration;

const NOW: Timestamp = Timestamp(1_763_994_725_000);
const DAY: i64 = 86_400_000;

struct Bench {
    _dir: tempfile::TempDir,
    workspace: Workspace,
    store: Store,
}

impl Bench {
    fn new() -> Bench {
        let dir = tempfile::Builder::new().prefix("orc-tidy-").tempdir().unwrap();
        let (workspace, _) = orc::config::init(&dir.path().join("ws")).unwrap();
        let store = Store::open(&workspace.database()).unwrap();
        Bench { _dir: dir, workspace, store }
    }

    /// A job with one attempt, a spool and a result. `over`: how many days ago it ended; `None`: it has not.
    fn job(&mut self, over: Option<i64>, depends_on: Vec<JobId>) -> (JobId, PathBuf, PathBuf) {
        let began = Timestamp(NOW.0 - 400 * DAY);
        let spec = JobSpec { depends_on, ..JobSpec::new("job", "shell", "true") };
        let job = self.store.write(|tx| tx.add_job(&spec, "operator", began)).unwrap().job;
        let raw = rusqlite::Connection::open(self.workspace.database()).unwrap();
        raw.execute(
            "INSERT INTO attempts (job_id, number, worker, backend, epoch, host, token_hash, directory, started_at, estimate, ended_at, outcome)
             VALUES (?1, 1, 'w', 'shell', 1, 'h', '', 'd', ?2, 0, ?3, ?4)",
            rusqlite::params![job.0, began.0, over.map(|d| NOW.0 - d * DAY), over.map(|_| "ok")],
        )
        .unwrap();
        let attempt = orc::domain::AttemptId(raw.last_insert_rowid());
        if let Some(days) = over {
            raw.execute(
                "UPDATE jobs SET state = 'done', wait_reason = NULL, finished_at = ?1 WHERE id = ?2",
                rusqlite::params![NOW.0 - days * DAY, job.0],
            )
            .unwrap();
        }
        let (spool, result) = (self.workspace.attempt_dir(attempt), self.workspace.result_dir(job));
        for dir in [&spool, &result] {
            std::fs::create_dir_all(dir).unwrap();
            std::fs::write(dir.join("text"), "what it said\n").unwrap();
        }
        (job, spool, result)
    }
}

fn settings(spools: u64, results: u64) -> Settings {
    let mut settings = Settings::default();
    settings.timezone = "UTC".into();
    settings.keep_spools = Duration::from_secs(spools * 86_400);
    settings.keep_results = Duration::from_secs(results * 86_400);
    settings.keep_backups = 2;
    settings
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn nothing_goes_that_is_younger_than_its_retention_or_not_over(
        jobs in prop::collection::vec((prop::option::weighted(0.8, 0i64..80), any::<bool>()), 1..12),
        spools in 1u64..60,
        results in 1u64..60,
    ) {
        let mut b = Bench::new();
        let settings = settings(spools, results);
        let mut made: Vec<(Option<i64>, PathBuf, PathBuf, bool)> = Vec::new();
        let mut last: Option<(usize, JobId)> = None;
        for (i, (over, chained)) in jobs.iter().enumerate() {
            let on: Vec<JobId> = last.filter(|_| *chained).map(|(_, id)| id).into_iter().collect();
            // What a job that is not over depends on is needed, however old it is.
            if let (None, Some((at, _)), true) = (over, last, *chained) {
                made[at].3 = true;
            }
            let (id, spool, result) = b.job(*over, on);
            made.push((*over, spool, result, false));
            last = Some((i, id));
        }
        let dry = tidy(&b.workspace, &mut b.store, &settings, NOW, true).unwrap();
        for (_, spool, result, _) in &made {
            prop_assert!(spool.exists() && result.exists(), "a dry run does nothing");
        }
        let done = tidy(&b.workspace, &mut b.store, &settings, NOW, false).unwrap();
        prop_assert_eq!(&done.problems, &Vec::<String>::new());
        prop_assert_eq!(done.put_away.len(), dry.put_away.len());
        for (over, spool, result, needed) in &made {
            let goes = |keep: u64| over.is_some_and(|days| days > keep as i64) && !needed;
            prop_assert_eq!(spool.exists(), !goes(spools), "{:?} {}", over, spools);
            prop_assert_eq!(result.exists(), !goes(results), "{:?} {}", over, results);
        }
        // What went is in today's trash, whole, and stays there for its time.
        let trash = b.workspace.trash_dir().join("2025-11-24");
        let away = std::fs::read_dir(&trash).map_or(0, |d| d.map(|e| assert!(e.unwrap().path().join("text").exists())).count());
        prop_assert_eq!(away, done.put_away.len());
        let later = Timestamp(NOW.0 + 7 * DAY);
        tidy(&b.workspace, &mut b.store, &settings, later, false).unwrap();
        prop_assert_eq!(trash.exists(), away > 0, "seven days are not yet more than seven days");
        tidy(&b.workspace, &mut b.store, &settings, Timestamp(later.0 + DAY), false).unwrap();
        prop_assert!(!trash.exists());
    }
}

#[test]
fn the_database_is_copied_each_night_checked_and_the_newest_copies_are_kept() {
    let mut b = Bench::new();
    b.job(Some(3), Vec::new());
    let settings = settings(30, 30);
    for day in 0..4 {
        tidy_and_tell(&b.workspace, &mut b.store, &settings, "engine", None, Timestamp(NOW.0 + day * DAY)).unwrap();
    }
    let mut copies: Vec<_> = std::fs::read_dir(b.workspace.root().join("backups")).unwrap().map(|e| e.unwrap().path()).collect();
    copies.sort();
    let names: Vec<_> = copies.iter().map(|p| p.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["pm-2025-11-26.db", "pm-2025-11-27.db"]);
    let copy = Store::open_reader(&copies[1]).unwrap();
    assert_eq!((copy.check().unwrap().len(), copy.job(JobId(1)).unwrap().unwrap().spec.title.as_str()), (0, "job"));
    let told: Vec<_> = b.store.log_after(0, 100).unwrap().into_iter().filter(|l| l.what == "tidied").collect();
    assert!(told.len() == 4 && told[3].text.contains("pm-2025-11-27.db and whole"), "{told:?}");
}

#[test]
fn old_events_go_and_those_of_jobs_that_are_not_over_stay() {
    let mut b = Bench::new();
    let (open, ..) = b.job(None, Vec::new());
    let (over, ..) = b.job(Some(390), Vec::new());
    let (fresh, ..) = b.job(Some(2), Vec::new());
    let mut settings = settings(30, 30);
    settings.keep_events = Duration::from_secs(365 * 86_400);
    let of = |b: &Bench, job: JobId| b.store.log_after(0, 100).unwrap().iter().filter(|l| l.job == Some(job)).count();
    assert_eq!((of(&b, open), of(&b, over), of(&b, fresh)), (1, 1, 1));
    let done = tidy_and_tell(&b.workspace, &mut b.store, &settings, "engine", None, NOW).unwrap();
    assert_eq!(done.events, 1);
    assert_eq!((of(&b, open), of(&b, over), of(&b, fresh)), (1, 0, 1));
}

#[test]
fn strangers_in_the_trash_and_fresh_temporary_files_stay() {
    let mut b = Bench::new();
    let trash = b.workspace.trash_dir();
    for name in ["2020-01-01", "notes", "2020-13-45"] {
        std::fs::create_dir_all(trash.join(name)).unwrap();
    }
    let fresh = b.workspace.run_dir().join(".x.1.tmp");
    std::fs::write(&fresh, "").unwrap();
    let now = orc::os::clock::now();
    let done = tidy(&b.workspace, &mut b.store, &settings(30, 30), now, false).unwrap();
    assert_eq!(done.removed.len(), 1, "{done:?}");
    assert!(trash.join("notes").exists() && trash.join("2020-13-45").exists() && fresh.exists() && !trash.join("2020-01-01").exists());
    let done = tidy(&b.workspace, &mut b.store, &settings(30, 30), now + Duration::from_secs(90_000), false).unwrap();
    assert_eq!(done.put_away.iter().map(|i| i.what).collect::<Vec<_>>(), ["temporary"]);
    assert!(!fresh.exists());
}
