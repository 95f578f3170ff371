//! Vectors: missing ones, and those of an embedder that is another one now.

use super::*;

fn many(store: &Semantic, n: usize, what: &str) {
    store.add_all((0..n).map(|i| fact(&format!("{what} {i}"))).collect(), NOW).unwrap();
}

#[test]
fn a_model_that_has_other_dimensions_now_is_another_one() {
    let dir = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::new("http:two");
    let store = Semantic::open(dir.path(), endpoint.clone(), tuning()).unwrap();
    many(&store, 10, "apples");
    store.maintain(&mut |_| ()).unwrap();
    store.fold().unwrap();
    many(&store, 100, "pears");
    endpoint.dims.store(4, Ordering::SeqCst);
    store.maintain(&mut |_| ()).unwrap();
    assert_eq!(store.standings().unwrap().without_vector, 0);
    assert_eq!(endpoint.asked.load(Ordering::SeqCst), 10 + 64 + 110, "the missing ones told of it, then all were made once");
    assert!(store.recall("apples", 3, None, NOW).unwrap()[0].cosine > 0.0);

    // Nothing is missing: a question tells of it.
    endpoint.dims.store(5, Ordering::SeqCst);
    assert_eq!(store.recall("apples", 3, None, NOW).unwrap()[0].cosine, 0.0, "words alone");
    store.maintain(&mut |_| ()).unwrap();
    assert!(store.recall("apples", 3, None, NOW).unwrap()[0].cosine > 0.0);
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let again = Semantic::open(dir.path(), endpoint.clone(), tuning()).unwrap();
    assert!(again.recall("apples", 3, None, NOW).unwrap()[0].cosine > 0.0, "the dataset has them");
}

#[test]
fn texts_that_say_nothing_to_the_embedder_are_asked_once_and_hold_up_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::new("http:two");
    let store = Semantic::open(dir.path(), endpoint.clone(), tuning()).unwrap();
    add(&store, "a first one");
    store.maintain(&mut |_| ()).unwrap();
    many(&store, 150, "nothing");
    add(&store, "something at the end");
    store.maintain(&mut |_| ()).unwrap();
    store.fold().unwrap();
    assert_eq!((store.standings().unwrap().without_vector, endpoint.asked.load(Ordering::SeqCst)), (0, 152));
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let again = Semantic::open(dir.path(), endpoint.clone(), tuning()).unwrap();
    again.maintain(&mut |_| ()).unwrap();
    assert_eq!((again.standings().unwrap().without_vector, endpoint.asked.load(Ordering::SeqCst)), (0, 152));
    assert!(again.recall("zebra", 200, None, NOW).unwrap().iter().all(|r| !r.memory.text.contains("nothing")));
}

#[test]
fn other_settings_end_the_making_of_vectors_and_the_former_embedder_answers_until_there_are_new_ones() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (Endpoint::new("http:a"), Endpoint::new("http:b"));
    let first = Semantic::open(dir.path(), a.clone(), tuning()).unwrap();
    many(&first, 200, "apples");
    first.maintain(&mut |_| ()).unwrap();
    first.fold().unwrap();

    let second = first.reopen(b.clone(), tuning()).unwrap();
    b.down.store(true, Ordering::SeqCst);
    assert!(matches!(second.maintain(&mut |_| ()), Err(MemoryError::Embedding(_))));
    assert!(second.recall("apples", 3, None, NOW).unwrap()[0].cosine > 0.0, "by the former embedder");
    b.down.store(false, Ordering::SeqCst);
    b.asked.store(0, Ordering::SeqCst);
    let mut third = None;
    second
        .maintain(&mut |progress| {
            if progress.is_some_and(|p| p.done > 0) && third.is_none() {
                third = Some(second.reopen(a.clone(), tuning()).unwrap());
            }
        })
        .unwrap();
    let third = third.unwrap();
    assert!(b.asked.load(Ordering::SeqCst) <= 128, "the batch at hand is the last one");
    second.maintain(&mut |_| ()).unwrap();
    assert!(b.asked.load(Ordering::SeqCst) <= 128);
    let asked = a.asked.load(Ordering::SeqCst);
    third.maintain(&mut |_| ()).unwrap();
    assert_eq!(third.standings().unwrap().embedder.as_deref(), Some("http:a"));
    assert_eq!(a.asked.load(Ordering::SeqCst), asked, "the old vectors are all there");
}

#[test]
fn who_loaded_before_others_made_vectors_anew_does_not_write_old_ones_over_them() {
    let dir = tempfile::tempdir().unwrap();
    let early = open(dir.path());
    many(&early, 5, "apples");
    early.fold().unwrap();
    let endpoint = Endpoint::new("http:short");
    let other = Semantic::open(dir.path(), endpoint.clone(), tuning()).unwrap();
    other.maintain(&mut |_| ()).unwrap();
    drop(other);
    early.mark_recalled(&[MemoryId(1)], NOW).unwrap();
    assert!(early.fold().unwrap());
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let again = Semantic::open(dir.path(), endpoint.clone(), tuning()).unwrap().standings().unwrap();
    assert_eq!((again.embedder.as_deref(), again.without_vector), (Some("http:short"), 0));
}
