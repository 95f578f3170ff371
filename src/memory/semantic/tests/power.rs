//! Folds that a kill or a loss of power has cut: what was never synced is torn, and nothing acknowledged is lost.

use super::super::image;
use super::*;
use std::collections::BTreeSet;

/// What a fold leaves that is killed between its commit and its sync; the files that are not on the disk for sure.
fn killed_before_the_sync(store: &Semantic) -> BTreeSet<PathBuf> {
    let table = &store.inner.table;
    table.set_unsynced_aside().unwrap();
    let before = table.files().unwrap();
    let commit = |state: &mut State, lock: &super::super::journal::JournalLock| {
        state.journal.seal(lock)?;
        let index = Arc::new(state.index.clone());
        let by = state.vectors_by.clone().unwrap();
        if table.newest().is_none() {
            return table.replace(table.all(&index, &by)?);
        }
        let rows: Vec<usize> = state.dirty.iter().filter_map(|id| index.row(*id)).collect();
        assert!(table.upsert(table.batch(&index, &rows, &by)?)?);
        Ok(())
    };
    store.with_mut(true, commit).unwrap();
    // A manifest of the same name may be written again.
    table.files().unwrap().difference(&before).filter(|f| !f.to_string_lossy().contains("_versions")).cloned().collect()
}

fn tear(files: &BTreeSet<PathBuf>) {
    assert!(!files.is_empty());
    for path in files.iter().filter(|p| p.exists()) {
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    }
}

/// Reads it from the dataset and the journal.
fn without_image(dir: &Path) -> Semantic {
    let _ = std::fs::remove_dir_all(dir.join("index"));
    open(dir)
}

#[test]
fn the_next_fold_does_not_build_on_what_was_never_synced() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    add(&store, "one");
    store.fold().unwrap();
    add(&store, "two");
    let lost = killed_before_the_sync(&store);
    drop(store);
    let store = open(dir.path());
    add(&store, "three");
    assert!(store.fold().unwrap());
    drop(store);
    tear(&lost);
    assert_eq!(all(&without_image(dir.path())).len(), 3);
}

#[test]
fn a_version_whose_files_are_torn_does_not_count() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    add(&store, "one");
    store.fold().unwrap();
    add(&store, "two");
    let lost = killed_before_the_sync(&store);
    drop(store);
    tear(&lost);
    let store = without_image(dir.path());
    assert_eq!(all(&store).len(), 2);
    store.check().unwrap();
    add(&store, "three");
    assert!(store.fold().unwrap());
    assert_eq!(all(&without_image(dir.path())).len(), 3);
}

#[test]
fn a_first_fold_that_was_cut_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    add(&store, "one");
    let lost = killed_before_the_sync(&store);
    drop(store);
    tear(&lost);
    let store = without_image(dir.path());
    assert_eq!(all(&store).len(), 1);
    store.check().unwrap();
    add(&store, "two");
    assert!(store.fold().unwrap());
    assert_eq!(all(&without_image(dir.path())).len(), 2);
    assert_eq!(std::fs::read_dir(dir.path().join("journal")).unwrap().flatten().filter(|e| e.metadata().unwrap().len() > 100).count(), 0);
}

#[test]
fn a_dataset_that_was_put_there_by_hand_counts() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(dir.path());
    add(&store, "one");
    store.fold().unwrap();
    std::fs::rename(dir.path().join("semantic.lance"), other.path().join("semantic.lance")).unwrap();
    let store = open(other.path());
    assert_eq!(all(&store).len(), 1);
    add(&store, "two");
    assert!(store.fold().unwrap());
    assert_eq!(all(&without_image(other.path())).len(), 2);
}

#[test]
fn after_a_fold_that_was_cut_the_last_image_serves_and_a_fold_is_due() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    add(&store, "one");
    store.fold().unwrap();
    add(&store, "two");
    killed_before_the_sync(&store);
    store.inner.table.sync(&BTreeSet::new()).unwrap();
    drop(store);
    let journals = || std::fs::read_dir(dir.path().join("journal")).unwrap().flatten().filter(|e| e.file_name() != "lock").count();
    assert_eq!(journals(), 2);
    let store = open(dir.path());
    assert_eq!(all(&store).len(), 2);
    assert!(!store.with(|s| s.imageless).unwrap(), "the dataset need not be read");
    store.maintain(&mut |_| ()).unwrap();
    assert_eq!(journals(), 1, "little is new, and the fold was not put off");
    drop(store);

    // Without a usable image each process would read the dataset: it is saved again at once.
    let store = without_image(dir.path());
    assert!(store.with(|s| s.imageless).unwrap());
    store.maintain(&mut |_| ()).unwrap();
    assert!(!open(dir.path()).with(|s| s.imageless).unwrap());
    assert_eq!(all(&open(dir.path())).len(), 2);
}

#[test]
fn files_of_two_images_never_go_together() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    add(&store, "one");
    store.fold().unwrap();
    let index = dir.path().join("index");
    let (rows, newest) = (index.join("rows.arrow"), store.inner.table.newest());
    let before = std::fs::read(&rows).unwrap();
    let draft = image::save(&index, &store.with(|s| s.index.clone()).unwrap(), Some(Shipped::get().id()), newest.as_deref()).unwrap();
    draft.publish(&super::super::journal::lock(&dir.path().join("journal"), true).unwrap()).unwrap();
    assert!(image::read(&index).is_some());
    std::fs::write(&rows, before).unwrap();
    assert!(image::read(&index).is_none(), "the same dataset, and another saving");
}
