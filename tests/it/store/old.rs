//! Databases of other versions: old ones migrate, with a backup; newer ones and strangers are refused and left alone.

use super::*;
use orc::domain::{JobState, Page};
use std::path::Path;

/// The schema that this program makes.
fn newest() -> i64 {
    version(&Bench::new().path)
}

fn version(path: &Path) -> i64 {
    rusqlite::Connection::open(path).unwrap().query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap()
}

/// Every schema that was ever in use, as a database that was in use.
#[test]
fn every_old_database_opens_migrates_and_goes_on() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store");
    let mut olds: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    olds.sort();
    assert!(!olds.is_empty());
    for old in olds {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pm.db");
        std::fs::copy(&old, &path).unwrap();
        let found = version(&path);
        assert_eq!(old.file_name().unwrap().to_str(), Some(format!("schema-{found}.db").as_str()));
        let mut store = Store::open(&path).unwrap();
        assert_eq!(version(&path), newest());
        assert_eq!(store.check().unwrap(), Vec::<String>::new());

        let backup = dir.path().join(format!("pm.db.schema-{found}.bak"));
        assert_eq!(backup.exists(), found < newest(), "a backup exactly where something is migrated");
        if backup.exists() {
            assert_eq!(version(&backup), found);
        }

        assert_eq!(store.workspace_id().unwrap(), "0123456789abcdef0123456789abcdef");
        let jobs = store.jobs(&Default::default(), Page { before: None, limit: 100 }).unwrap();
        let states: Vec<_> = jobs.iter().rev().map(|j| j.state).collect();
        use JobState::*;
        assert_eq!(states, [Done, Failed, Killed, Running, Queued, Waiting]);
        assert_eq!((jobs[5].title.as_str(), jobs[5].tokens), ("Sweep the logs", 1540));
        assert_eq!(store.open_attempts().unwrap().len(), 1);
        assert_eq!(store.workers().unwrap().len(), 2);
        assert_eq!((store.projects().unwrap().len(), store.learned().unwrap().len()), (1, 1));
        assert_eq!(store.engine_state().unwrap().pauses.len(), 1);
        assert_eq!(store.log_after(0, 100).unwrap().len(), 12);

        let job = add(&mut store, &spec()).unwrap();
        assert_eq!(job, JobId(7), "ids are not used again");
        assert!(finish_running(&mut store));
    }
}

fn finish_running(store: &mut Store) -> bool {
    let open = store.open_attempts().unwrap().remove(0);
    store.write(|tx| finish(tx, open.attempt.id, Outcome::Ok, Next::Done)).unwrap()
}

#[test]
fn a_newer_database_is_refused_with_what_to_do_and_left_alone() {
    let mut b = Bench::new();
    b.job();
    b.raw().execute_batch(&format!("PRAGMA user_version = {}", newest() + 1)).unwrap();
    let before = b.dump();
    for refused in [Store::open(&b.path).err(), Store::open_reader(&b.path).err()] {
        let e = refused.expect("it is newer");
        assert!(matches!(e, StoreError::Newer { .. }), "{e}");
        for word in ["newer version of orc", "backup", b.path.to_str().unwrap()] {
            assert!(e.to_string().contains(word), "{e}");
        }
    }
    assert_eq!(b.dump(), before);
    assert_eq!(version(&b.path), newest() + 1);
}

#[test]
fn a_reader_does_not_migrate() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pm.db");
    assert!(matches!(Store::open_reader(&path), Err(StoreError::Missing { .. })));
    assert!(!path.exists());
    drop(Store::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 0").unwrap();
    assert!(Store::open_reader(&path).is_err());
    assert_eq!(version(&path), 0);
}

#[test]
fn a_strangers_file_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pm.db");
    let shop = rusqlite::Connection::open(&path).unwrap();
    shop.execute_batch("CREATE TABLE customers (name TEXT); PRAGMA user_version = 1; PRAGMA application_id = 77;").unwrap();
    drop(shop);
    let text = dir.path().join("notes.db");
    std::fs::write(&text, "not a database, but quite long: ".repeat(200)).unwrap();
    for file in [path, text] {
        let before = std::fs::read(&file).unwrap();
        let e = Store::open(&file).err().expect("it is not ours");
        assert!(matches!(e, StoreError::Foreign { .. }), "{e}");
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }
}
