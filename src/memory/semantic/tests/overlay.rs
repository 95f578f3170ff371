//! An index that was saved, read back and changed on top is the same as one that is built anew from what it holds.

use super::super::index::Index;
use super::super::recall::{Question, search};
use super::super::vectors::Coded;
use super::super::{image, journal};
use super::*;
use crate::memory::semantic::index::tests::memory;
use proptest::prelude::*;

const WORDS: [&str; 10] = ["apple", "apples", "tree", "deploy", "not", "port", "8080", "anna", "the", "tea"];

/// What happens to a memory: which, and what it says and is from then on.
#[derive(Clone, Debug)]
struct Step {
    id: i64,
    words: Vec<usize>,
    category: usize,
    state: u8,
}

fn step() -> impl Strategy<Value = Step> {
    let words = proptest::collection::vec(0..WORDS.len(), 1..5);
    (1..12i64, words, 0..Category::ALL.len(), 0..8u8).prop_map(|(id, words, category, state)| Step { id, words, category, state })
}

fn made(step: &Step) -> Memory {
    let text = step.words.iter().map(|w| WORDS[*w]).collect::<Vec<_>>().join(" ");
    Memory {
        category: Category::ALL[step.category],
        access_count: u32::from(step.state),
        forgotten_at: (step.state == 1).then_some(NOW),
        superseded_by: (step.state == 2).then_some(MemoryId(99)),
        superseded_at: (step.state == 2).then_some(NOW),
        disputed: step.state == 2,
        last_recalled_at: (step.state == 3).then_some(NOW),
        ..memory(step.id, &text)
    }
}

/// A vector that says which words a text has.
fn vector(text: &str) -> Vec<f32> {
    let counts: Vec<f32> = WORDS.iter().map(|w| text.split(' ').filter(|t| t == w).count() as f32).collect();
    let length = counts.iter().map(|c| c * c).sum::<f32>().sqrt().max(1e-9);
    counts.into_iter().map(|c| c / length).collect()
}

fn put(index: &mut Index, memory: Memory) {
    let (id, coded) = (memory.id, Coded::new(&vector(&memory.text)));
    if index.put(memory) {
        let row = index.row(id).unwrap();
        assert!(index.vectors.set(row, Some(&coded)));
    }
}

/// All that an index says, in an order of its own.
fn said(index: &Index) -> String {
    let rows = index.rows();
    let (stems, ends, all) = index.postings().columns();
    let lists = ends.windows(2).map(|e| {
        let mut list = all.values()[e[0] as usize..e[1] as usize].to_vec();
        list.sort_unstable();
        list
    });
    let postings: Vec<_> = stems.iter().flatten().map(str::to_owned).zip(lists).collect();
    let mut same: Vec<_> = index.newest_of_each().into_iter().collect();
    same.sort_unstable();
    let memories: Vec<_> = rows.iter().map(Cow::into_owned).collect();
    let vectors: Vec<_> = (0..rows.len()).map(|row| index.vectors.get(row).map(|(codes, scale)| (codes.to_vec(), scale))).collect();
    let figures = (index.lengths(), index.keys(), index.vectors.all_codes(), index.vectors.figures());
    format!("{memories:?}\n{:?}\n{postings:?}\n{same:?}\n{vectors:?}\n{figures:?}", rows.facets())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn an_image_with_changes_on_top_is_as_one_built_anew(
        before in proptest::collection::vec(step(), 0..20), after in proptest::collection::vec(step(), 0..20), wanted in 1usize..6,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut index = Index::default();
        before.iter().for_each(|step| put(&mut index, made(step)));
        let draft = image::save(dir.path(), &index, Some("toy"), None).unwrap();
        draft.publish(&journal::lock(dir.path(), true).unwrap()).unwrap();
        let mut read = image::read(dir.path()).unwrap().index;
        prop_assert_eq!(said(&read), said(&index));
        after.iter().for_each(|step| put(&mut read, made(step)));

        let mut anew = Index::default();
        for memory in read.rows().iter() {
            put(&mut anew, memory.into_owned());
        }
        prop_assert_eq!(said(&read), said(&anew));
        for text in ["apple tree", "Is the port 8080?", "deploy not tea", "anna"] {
            let vector = vector(text);
            let question = Question { text, vector: Some(&vector), wanted, category: None, now: NOW };
            let found = |index: &Index| search(index, &question, &tuning());
            prop_assert_eq!(found(&read), found(&anew));
            let category = Question { category: Some(Category::Fact), vector: None, ..question };
            prop_assert_eq!(search(&read, &category, &tuning()), search(&anew, &category, &tuning()));
        }
    }
}
