//! Much at once, kept by another process: nobody waits for it who only looks, and it is loaded rather than read line by line.

use super::*;
use std::time::Instant;

/// More than is read while somebody waits.
fn import(store: &Semantic) -> usize {
    let long = "words and more words of it ".repeat(16);
    let n = 1500;
    store.add_all((0..n).map(|i| fact(&format!("import {i}: {long}"))).collect(), NOW).unwrap();
    n
}

fn within(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn who_looks_sees_an_import_soon_and_who_writes_has_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (importer, looks, writes) = (open(dir.path()), open(dir.path()), open(dir.path()));
    for store in [&importer, &looks, &writes] {
        assert!(all(store).is_empty());
    }
    let n = import(&importer);
    assert_eq!(add(&writes, "one more"), MemoryId(n as i64 + 1));
    within("it is seen", || all(&looks).len() == n + 1);
    assert_eq!(all(&looks), all(&importer));
    assert_eq!(all(&looks), all(&writes));
}

#[test]
fn an_import_that_was_folded_meanwhile_is_loaded_from_the_image() {
    let dir = tempfile::tempdir().unwrap();
    let (importer, looks) = (open(dir.path()), open(dir.path()));
    add(&importer, "before it");
    assert_eq!(all(&looks).len(), 1);
    let n = import(&importer);
    assert!(importer.fold().unwrap());
    add(&importer, "after it");
    within("it is seen", || all(&looks).len() == n + 2);
    assert_eq!(looks.with(|s| (s.dirty.len(), s.fresh)).unwrap(), (1, 1), "what is in the image was not read line by line");
    assert_eq!(importer.with(|s| (s.dirty.len(), s.fresh)).unwrap(), (1, 1));
    assert_eq!(all(&looks), all(&importer));
}

#[test]
fn commands_without_an_engine_fold_some_day() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..600 {
        store.add(fact(&format!("fact number {n}")), NOW).unwrap();
        store.tidy().unwrap();
    }
    assert!(dir.path().join("synced").exists());
    assert!(store.with(|s| s.fresh).unwrap() < 512);
    assert_eq!(all(&open(dir.path())).len(), 600);
}
