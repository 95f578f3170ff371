//! Two processes at once, each with its own connection: both add, both claim, neither waits for ever and nothing is doubled.

use super::*;
use orc::domain::Next;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command as Program, Stdio};

/// The variable that makes this test binary one of the processes: the database's path.
const DATABASE: &str = "ORC_TEST_STORE_CHILD";
const EACH: usize = 150;

/// One of the processes: says what it added, then claims and finishes whatever it gets, and says that.
#[test]
fn child() {
    let Some(path) = std::env::var_os(DATABASE) else { return };
    let path = Path::new(&path);
    // All begin together.
    while !path.with_extension("go").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let mut store = Store::open(path).unwrap();
    let me = std::process::id();
    let mine = worker(&mut store, &format!("worker-{me}"));
    for i in 0..EACH {
        // Every third shares its key with the other process's.
        let dedup_key = (i % 3 == 0).then(|| format!("key {i}"));
        println!("added {}", add(&mut store, &JobSpec { dedup_key, ..spec() }).unwrap());
    }
    loop {
        let queued = store.queued().unwrap();
        if queued.is_empty() {
            return;
        }
        for row in queued {
            let Some(attempt) = store.write(|tx| tx.claim(&claim(row.id, mine), NOW)).unwrap() else { continue };
            println!("claimed {}", row.id);
            assert!(store.write(|tx| finish(tx, attempt, Outcome::Ok, Next::Done)).unwrap());
        }
    }
}

#[test]
fn two_processes_at_once_add_and_claim_and_nothing_is_lost_or_doubled() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody has made the database: they meet in making it, too.
    let path = dir.path().join("pm.db");
    let children: Vec<_> = (0..2)
        .map(|_| {
            Program::new(std::env::current_exe().unwrap())
                .args(["--exact", "store::processes::child", "--nocapture"])
                .env(DATABASE, &path)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    std::fs::write(path.with_extension("go"), "").unwrap();
    let (mut added, mut claimed) = (BTreeSet::new(), BTreeMap::<String, u32>::new());
    for child in children {
        let out = child.wait_with_output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(out.status.success(), "{text}");
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("added", id)) => drop(added.insert(id.to_owned())),
                Some(("claimed", id)) => *claimed.entry(id.to_owned()).or_default() += 1,
                _ => {}
            }
        }
    }
    let store = Store::open(&path).unwrap();
    let ids: BTreeSet<String> = store
        .jobs(&Default::default(), orc::domain::Page { before: None, limit: 1000 })
        .unwrap()
        .iter()
        .map(|j| j.id.to_string())
        .collect();
    assert_eq!(ids, added, "what was acknowledged is there, and nothing else");
    // The keyless ones of both, and at least one of each shared key: the other's was found open, or was over already.
    assert!((EACH * 4 / 3..=2 * EACH).contains(&ids.len()), "{} jobs", ids.len());
    assert_eq!(claimed.keys().cloned().collect::<BTreeSet<_>>(), ids, "every job was claimed");
    assert!(claimed.values().all(|n| *n == 1), "{claimed:?}");
    assert!(store.open_attempts().unwrap().is_empty());
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
    let events = store.log_after(0, usize::MAX >> 1).unwrap();
    assert!(events.iter().enumerate().all(|(i, e)| e.id == i as i64 + 1), "the audit log has no gap");
}
