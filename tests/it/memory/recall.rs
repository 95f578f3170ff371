//! What the penalty does: the same prompt twice within the hour gets other memories.

use super::{fact, open};
use orc::domain::{Formula, MemoryId, Recalled, Timestamp};
use orc::memory::{NewMemory, Semantic, Shipped, Tuning};
use std::collections::BTreeSet;
use std::time::Duration;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const WANTED: usize = 3;

fn ids(found: &[Recalled]) -> BTreeSet<MemoryId> {
    found.iter().map(|r| r.memory.id).collect()
}

/// Thirty lessons about one thing, all different.
fn filled(store: &Semantic) {
    let parts = ["database", "proxy", "queue", "cache", "certificate", "firewall", "scheduler", "mailer", "search index", "backup"];
    let steps = ["restart it before", "announce it before", "measure it after"];
    let texts = parts.iter().flat_map(|p| steps.iter().map(move |s| format!("When the staging {p} is deployed, {s} the deploy.")));
    store.add_all(texts.map(|t| NewMemory { created_at: Some(NOW), ..fact(&t) }).collect(), NOW).unwrap();
}

#[test]
fn the_second_recall_within_the_hour_gets_others_and_the_one_after_the_hour_the_first_ones_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Shipped::get());
    filled(&store);
    let ask = |minutes: u64| store.recall("Deploy the staging environment", WANTED, None, NOW + Duration::from_secs(minutes * 60)).unwrap();
    let first = ask(0);
    assert_eq!(first.len(), WANTED);
    assert_eq!(ask(0), first, "looking changes nothing");
    let given: Vec<MemoryId> = first.iter().map(|r| r.memory.id).collect();
    store.mark_recalled(&given, NOW).unwrap();
    let second = ask(10);
    assert!(ids(&second).is_disjoint(&ids(&first)), "{second:#?}");
    // The next one, by another process and from the dataset.
    store.mark_recalled(&second.iter().map(|r| r.memory.id).collect::<Vec<_>>(), NOW + Duration::from_secs(600)).unwrap();
    store.fold().unwrap();
    let other = open(dir.path(), Shipped::get());
    let third = other.recall("Deploy the staging environment", WANTED, None, NOW + Duration::from_secs(1200)).unwrap();
    assert!(ids(&third).is_disjoint(&ids(&first)) && ids(&third).is_disjoint(&ids(&second)), "{third:#?}");
    // 65 minutes on, the first ones are free again, and their access counts for them; the second ones are not.
    let later = ask(65);
    assert!(later.iter().all(|r| !r.penalised) && ids(&later).is_disjoint(&ids(&second)), "{later:#?}");
    assert_eq!(ids(&later), ids(&first));
}

#[test]
fn without_a_penalty_nothing_changes_and_what_is_shown_is_half_where_it_strikes() {
    let dir = tempfile::tempdir().unwrap();
    let off = Tuning { formula: Formula { penalty: 1.0, access: 0.0, ..Formula::default() }, floor: 0.3, merge: 0.95 };
    let on = Tuning { formula: Formula { access: 0.0, ..Formula::default() }, ..off.clone() };
    let (off, on) = (Semantic::open(dir.path(), Shipped::get(), off).unwrap(), Semantic::open(dir.path(), Shipped::get(), on).unwrap());
    filled(&on);
    let ask = |store: &Semantic, wanted| store.recall("Deploy the staging environment", wanted, None, NOW).unwrap();
    let first = ask(&off, WANTED);
    on.mark_recalled(&ids(&first).into_iter().collect::<Vec<_>>(), NOW).unwrap();
    assert_eq!(ids(&ask(&off, WANTED)), ids(&first));
    let (all, unpenalised) = (ask(&on, 30), ask(&off, 30));
    for given in &first {
        let by = |found: &[Recalled]| found.iter().find(|r| r.memory.id == given.memory.id).unwrap().clone();
        let (now, without) = (by(&all), by(&unpenalised));
        assert!(now.penalised && (now.score * 2.0 - without.score).abs() < 1e-9, "{now:?} {without:?}");
    }
    assert!(ids(&all[..WANTED]).is_disjoint(&ids(&first)), "{all:#?}");
}
