//! The store as its callers have it, on a real dataset.

mod keeping_up;
mod overlay;
mod power;
mod vectors;

use super::*;
use crate::memory::EmbedError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn tuning() -> Tuning {
    Tuning { formula: Formula::default(), floor: 0.3, merge: 0.95 }
}

fn open(dir: &Path) -> Semantic {
    Semantic::open(dir, Shipped::get(), tuning()).unwrap()
}

fn fact(text: &str) -> NewMemory {
    NewMemory {
        text: text.to_owned(),
        category: Category::Fact,
        importance: 0.5,
        source: MemorySource::Operator,
        external: false,
        created_at: None,
    }
}

fn add(store: &Semantic, text: &str) -> MemoryId {
    match store.add(fact(text), NOW).unwrap() {
        Added::New(id) => id,
        Added::Merged(id) => panic!("{text} merged into {id}"),
    }
}

fn texts(found: &[Recalled]) -> Vec<&str> {
    found.iter().map(|r| r.memory.text.as_str()).collect()
}

fn all(store: &Semantic) -> Vec<Memory> {
    store.list(&MemoryFilter { standing: Standing::Any, ..MemoryFilter::default() }, None, usize::MAX).unwrap()
}

/// An endpoint: each text's vector says only how long it is, and nothing where it is about nothing. It can be out of order, stop after
/// some texts, and become another one.
struct Endpoint {
    id: &'static str,
    asked: AtomicUsize,
    stops_at: AtomicUsize,
    down: AtomicBool,
    dims: AtomicUsize,
}

impl Endpoint {
    fn new(id: &'static str) -> Arc<Endpoint> {
        let [asked, stops_at, dims] = [0, usize::MAX, 3].map(AtomicUsize::new);
        Arc::new(Endpoint { id, asked, stops_at, down: AtomicBool::new(false), dims })
    }
}

impl Embedder for Endpoint {
    fn id(&self) -> &str {
        self.id
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let asked = self.asked.fetch_add(texts.len(), Ordering::SeqCst) + texts.len();
        if self.down.load(Ordering::SeqCst) || asked > self.stops_at.load(Ordering::SeqCst) {
            return Err(EmbedError("nobody answers".into()));
        }
        let vector = |t: &&str| {
            let mut vector = vec![0.0; self.dims.load(Ordering::SeqCst)];
            if !t.contains("nothing") {
                (vector[0], vector[1]) = (t.len() as f32 / 100.0).sin_cos();
            }
            vector
        };
        Ok(texts.iter().map(vector).collect())
    }
}

#[test]
fn everything_about_a_memory_survives_reopening_folding_and_a_lost_image() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let old = add(&store, "The staging database listens on port 5432");
    let new = store
        .add(
            NewMemory {
                category: Category::Decision,
                importance: 0.9,
                source: MemorySource::Job { job: crate::domain::JobId(7), attempt: Some(crate::domain::AttemptId(9)) },
                external: true,
                created_at: Some(NOW - Duration::from_secs(3600)),
                ..fact("The staging database listens on port 6543")
            },
            NOW,
        )
        .unwrap();
    let Added::New(new) = new else { panic!("another port is another fact") };
    let gone = add(&store, "Anna is on holiday");
    store.supersede(old, new, true, NOW).unwrap();
    store.forget(gone, NOW).unwrap();
    store.mark_recalled(&[new], NOW).unwrap();
    store.edit(gone, Change { text: Some("Anna was on holiday".into()), importance: Some(0.1), ..Change::default() }, NOW).unwrap();
    let before = all(&store);
    assert_eq!(before.len(), 3);
    assert_eq!(all(&open(dir.path())), before, "from the journal");
    assert!(store.fold().unwrap());
    assert!(!store.fold().unwrap(), "there is nothing more to fold");
    assert_eq!(all(&open(dir.path())), before, "from the image");
    assert_eq!(std::fs::read_dir(dir.path().join("journal")).unwrap().flatten().filter(|e| e.metadata().unwrap().len() > 100).count(), 0);
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let rebuilt = open(dir.path());
    assert_eq!(all(&rebuilt), before, "from the dataset");
    assert_eq!(texts(&rebuilt.recall("staging port", 5, None, NOW).unwrap()), ["The staging database listens on port 6543"]);
    assert_eq!(rebuilt.conflicts().unwrap()[0].0.id, old);
    let settled = rebuilt.settle(old, Settle::Older, NOW).unwrap();
    assert!(settled.holds() && rebuilt.get(new).unwrap().unwrap().forgotten_at.is_some());
    assert!(matches!(rebuilt.settle(old, Settle::Both, NOW), Err(MemoryError::Invalid(_))));
    assert!(matches!(rebuilt.forget(MemoryId(99), NOW), Err(MemoryError::Unknown(MemoryId(99)))));
    assert_eq!(add(&rebuilt, "A fourth"), MemoryId(4), "numbers go on");
}

#[test]
fn the_same_words_merge_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let id = add(&store, "The operator prefers tabs");
    let again = NewMemory { importance: 0.8, ..fact("the operator prefers TABS!") };
    assert_eq!(store.add(again, NOW).unwrap(), Added::Merged(id));
    assert_eq!(store.get(id).unwrap().unwrap().importance, 0.8);
    let added = store.add_all(vec![fact("one more"), fact("One more."), fact("The operator prefers tabs")], NOW).unwrap();
    assert_eq!(added, [Added::New(MemoryId(2)), Added::Merged(MemoryId(2)), Added::Merged(id)]);
    store.forget(id, NOW).unwrap();
    assert_eq!(store.add(fact("The operator prefers tabs"), NOW).unwrap(), Added::New(MemoryId(3)), "what is forgotten takes nothing in");
}

#[test]
fn two_processes_see_each_other_and_nothing_is_lost_between_their_folds() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (open(dir.path()), open(dir.path()));
    assert_eq!((add(&a, "kiwis are green"), add(&b, "plums are blue"), add(&a, "limes are sour")), (MemoryId(1), MemoryId(2), MemoryId(3)));
    assert!(a.fold().unwrap());
    assert_eq!(add(&b, "figs are sweet"), MemoryId(4));
    assert!(a.fold().unwrap());
    assert_eq!(add(&a, "dates are dry"), MemoryId(5));
    assert!(a.fold().unwrap());
    assert_eq!(all(&b), all(&a), "also who slept through folds");
    assert_eq!(all(&a).len(), 5);
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    assert_eq!(all(&open(dir.path())), all(&a));
}

#[test]
fn a_second_recall_within_the_hour_returns_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 1..=8 {
        add(&store, &format!("deploy rule {n}: step{n} comes before release"));
    }
    let first = store.recall("deploy release", 3, None, NOW).unwrap();
    let ids: Vec<MemoryId> = first.iter().map(|r| r.memory.id).collect();
    assert_eq!(store.recall("deploy release", 3, None, NOW).unwrap(), first, "looking counts nothing");
    store.mark_recalled(&ids, NOW).unwrap();
    let second = store.recall("deploy release", 3, None, NOW + Duration::from_secs(60)).unwrap();
    assert!(second.iter().all(|r| !ids.contains(&r.memory.id) && !r.penalised), "{first:#?} {second:#?}");
    let later = store.recall("deploy release", 3, None, NOW + Duration::from_secs(3600)).unwrap();
    assert!(later.iter().any(|r| ids.contains(&r.memory.id)), "after the hour they are back");
}

#[test]
fn what_says_the_same_goes_in_once_and_what_does_not_bear_on_it_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    add(&store, "build number 17 of the shop is broken");
    add(&store, "build number 18 of the shop is broken");
    add(&store, "Anna likes tea");
    let found = store.recall("Is the shop's build broken?", 6, None, NOW).unwrap();
    assert_eq!(found.len(), 2, "other figures are another thing: {found:#?}");
    assert!(store.recall("zebra", 6, None, NOW).unwrap().is_empty());
    assert_eq!(store.recall("shop build", 6, Some(Category::Lesson), NOW).unwrap(), []);
}

#[test]
fn many_folds_are_tidied_and_stay_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..40 {
        add(&store, &format!("thing number {n}"));
        store.mark_recalled(&[MemoryId(1)], NOW).unwrap();
        assert!(store.fold().unwrap());
    }
    let manifests = std::fs::read_dir(dir.path().join("semantic.lance/_versions")).unwrap().count();
    assert!(manifests <= 34, "{manifests} versions");
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let again = open(dir.path());
    assert_eq!(all(&again).len(), 40);
    assert_eq!(again.get(MemoryId(1)).unwrap().unwrap().access_count, 40);
}

#[test]
fn no_older_version_goes_before_the_newest_is_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..3 {
        add(&store, &format!("thing number {n}"));
        store.fold().unwrap();
    }
    let versions = || std::fs::read_dir(dir.path().join("semantic.lance/_versions")).unwrap().count();
    let (before, synced) = (versions(), dir.path().join("synced"));
    let newest = std::fs::read(&synced).unwrap();
    std::fs::write(&synced, "an older one").unwrap();
    store.inner.table.clean().unwrap();
    assert_eq!(versions(), before);
    std::fs::write(&synced, newest).unwrap();
    store.inner.table.clean().unwrap();
    assert!(versions() < before);
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    assert_eq!(all(&open(dir.path())).len(), 3);
}

#[test]
fn a_dataset_that_cannot_be_read_says_so_and_nothing_acknowledged_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    add(&store, "kept before");
    store.fold().unwrap();
    drop(store);
    let versions = dir.path().join("semantic.lance/_versions");
    let newest = std::fs::read_dir(&versions).unwrap().flatten().map(|e| e.path()).filter(|p| p.extension().unwrap() == "manifest").min();
    let newest = newest.unwrap();
    let good = std::fs::read(&newest).unwrap();
    std::fs::write(&newest, b"not a manifest").unwrap();
    let store = open(dir.path());
    assert_eq!(texts(&store.recall("kept", 3, None, NOW).unwrap()), ["kept before"], "the image needs no dataset");
    add(&store, "kept after");
    let said = store.fold().unwrap_err().to_string();
    assert!(said.contains("semantic.lance cannot be opened") && said.contains("backup"), "{said}");
    assert!(store.check().is_err());
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    assert!(open(dir.path()).recall("kept", 3, None, NOW).is_err());
    std::fs::write(&newest, good).unwrap();
    let store = open(dir.path());
    assert_eq!(all(&store).len(), 2);
    assert!(store.fold().unwrap());
}

#[test]
fn a_version_that_a_power_loss_tore_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    add(&store, "one");
    store.fold().unwrap();
    drop(store);
    // A commit whose rename reached the disk and whose content did not.
    let versions = dir.path().join("semantic.lance/_versions");
    let newest = std::fs::read_dir(&versions)
        .unwrap()
        .flatten()
        .map(|e| e.file_name().into_string().unwrap())
        .filter(|n| n.ends_with(".manifest"))
        .min();
    let number: u64 = newest.unwrap().trim_end_matches(".manifest").parse().unwrap();
    std::fs::write(versions.join(format!("{:020}.manifest", number - 1)), b"").unwrap();
    let store = open(dir.path());
    assert_eq!(all(&store).len(), 1);
    add(&store, "two");
    assert!(store.fold().unwrap());
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    assert_eq!(all(&open(dir.path())).len(), 2);
    assert!(versions.join(format!("{:020}.unsynced", number - 1)).exists());
}

#[test]
fn another_embedder_makes_all_vectors_anew_while_recall_goes_on_and_takes_up_where_it_was_cut() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.add_all((0..200).map(|n| fact(&format!("fact {n} about apples"))).collect(), NOW).unwrap();
    store.fold().unwrap();
    let before = store.standings().unwrap();
    assert_eq!((before.embedder.as_deref(), before.without_vector), (Some(Shipped::get().id()), 0));
    drop(store);

    let endpoint = Endpoint::new("http:short");
    endpoint.stops_at.store(150, Ordering::SeqCst);
    let store = Semantic::open(dir.path(), endpoint.clone(), tuning()).unwrap();
    assert!(matches!(store.maintain(&mut |_| ()), Err(MemoryError::Embedding(_))));
    assert_eq!(store.standings().unwrap().embedder, before.embedder, "not all are made: the old ones serve");
    assert!(store.recall("apples", 3, None, NOW).unwrap()[0].cosine > 0.0);
    drop(store);

    let endpoint = Endpoint::new("http:short");
    let store = Semantic::open(dir.path(), endpoint.clone(), tuning()).unwrap();
    let mut told = Vec::new();
    store.maintain(&mut |p| told.push(p)).unwrap();
    let done = |done| Some(crate::domain::Reembedding { done, total: 200 });
    assert_eq!(told, [done(128), done(192), None]);
    assert_eq!(endpoint.asked.load(Ordering::SeqCst), 200 - 128, "two batches of 64 were saved");
    let after = store.standings().unwrap();
    assert_eq!((after.embedder.as_deref(), after.without_vector), (Some("http:short"), 0));
    assert!(!dir.path().join("reembed").exists());
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let again = Semantic::open(dir.path(), endpoint.clone(), tuning()).unwrap();
    assert_eq!(again.standings().unwrap(), after, "the dataset has them");

    // What is added later is found by its words at once, and by its vector after the next upkeep.
    endpoint.down.store(true, Ordering::SeqCst);
    add(&again, "pears too");
    assert_eq!(texts(&again.recall("pears", 3, None, NOW).unwrap()), ["pears too"]);
    assert_eq!(again.standings().unwrap().without_vector, 1);
    endpoint.down.store(false, Ordering::SeqCst);
    again.maintain(&mut |_| ()).unwrap();
    assert_eq!(again.standings().unwrap().without_vector, 0);
}
