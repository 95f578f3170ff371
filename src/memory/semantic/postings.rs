//! Which rows have a word, and how often. What the image holds stays in its columns; a list that changes is copied first.

use arrow::array::{Array, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::UInt32Type;
use std::collections::HashMap;

/// A posting is `row << TF_BITS | occurrences`.
const TF_BITS: u32 = 6;
const MOST: u32 = (1 << TF_BITS) - 1;

/// A row with how often it has a word; more than 63 times counts as 63.
pub fn posting(row: usize, occurrences: u32) -> u32 {
    (row as u32) << TF_BITS | occurrences.min(MOST)
}

/// The row of a posting.
pub fn row_of(posting: u32) -> usize {
    (posting >> TF_BITS) as usize
}

/// How often its row has the word.
pub fn occurrences(posting: u32) -> u32 {
    posting & MOST
}

/// Lists of postings by stem; a stem has a number.
#[derive(Clone, Debug, Default)]
pub struct Postings {
    stored: Option<Stored>,
    /// Stems that are not stored, to their number.
    terms: HashMap<Box<str>, u32>,
    /// The lists that are not as stored.
    lists: HashMap<u32, Vec<u32>>,
}

/// The image's: its stems in order, where each one's list ends, all lists.
#[derive(Clone, Debug)]
struct Stored {
    stems: StringArray,
    ends: OffsetBuffer<i32>,
    all: ScalarBuffer<u32>,
}

impl Postings {
    /// Takes over what was stored, for so many rows; `None` where it does not fit.
    pub fn of(words: &RecordBatch, rows: usize) -> Option<Postings> {
        let stems = words.column_by_name("stem")?.as_string_opt::<i32>()?.clone();
        let lists = words.column_by_name("postings")?.as_list_opt::<i32>()?;
        let all = lists.values().as_primitive_opt::<UInt32Type>()?.values().clone();
        if all.iter().fold(0, |most, p| most.max(*p)) >= posting(rows, 0) && !all.is_empty() {
            return None;
        }
        Some(Postings { stored: Some(Stored { stems, ends: lists.offsets().clone(), all }), ..Postings::default() })
    }

    /// How many stems have a number.
    fn len(&self) -> u32 {
        (self.stored.as_ref().map_or(0, |s| s.stems.len()) + self.terms.len()) as u32
    }

    /// The number of a stem.
    pub fn find(&self, stem: &str) -> Option<u32> {
        if let Some(stored) = &self.stored {
            let (mut low, mut high) = (0, stored.stems.len());
            while low < high {
                let middle = usize::midpoint(low, high);
                match stored.stems.value(middle).cmp(stem) {
                    std::cmp::Ordering::Less => low = middle + 1,
                    std::cmp::Ordering::Equal => return Some(middle as u32),
                    std::cmp::Ordering::Greater => high = middle,
                }
            }
        }
        self.terms.get(stem).copied()
    }

    /// The number of a stem, made where there is none yet.
    pub fn number(&mut self, stem: &str) -> u32 {
        self.find(stem).unwrap_or_else(|| {
            let next = self.len();
            self.terms.insert(stem.into(), next);
            next
        })
    }

    /// The postings of a stem, by its number.
    pub fn list(&self, number: u32) -> &[u32] {
        match self.lists.get(&number) {
            Some(list) => list,
            None => self.stored(number),
        }
    }

    fn stored(&self, number: u32) -> &[u32] {
        let Some(stored) = &self.stored else { return &[] };
        match stored.ends.get(number as usize..number as usize + 2) {
            Some(ends) => &stored.all[ends[0] as usize..ends[1] as usize],
            None => &[],
        }
    }

    /// The same, to be changed.
    pub fn list_mut(&mut self, number: u32) -> &mut Vec<u32> {
        if !self.lists.contains_key(&number) {
            let list = self.stored(number).to_vec();
            self.lists.insert(number, list);
        }
        self.lists.entry(number).or_default()
    }

    /// As columns: the stems that some row has, in order, and where the list of each ends in the third.
    pub fn columns(&self) -> (StringArray, OffsetBuffer<i32>, UInt32Array) {
        let stored = self.stored.iter().flat_map(|s| s.stems.iter().flatten().zip(0..));
        let mut all: Vec<(&str, &[u32])> =
            stored.chain(self.terms.iter().map(|(stem, number)| (&**stem, *number))).map(|(stem, n)| (stem, self.list(n))).collect();
        all.retain(|(_, list)| !list.is_empty());
        all.sort_unstable_by_key(|(stem, _)| *stem);
        let stems = all.iter().map(|(stem, _)| Some(*stem)).collect();
        let ends = OffsetBuffer::from_lengths(all.iter().map(|(_, list)| list.len()));
        (stems, ends, all.iter().flat_map(|(_, list)| list.iter().copied()).collect::<Vec<u32>>().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::ListArray;
    use arrow::datatypes::{DataType, Field, Schema};
    use std::sync::Arc;

    #[test]
    fn what_was_stored_is_found_again_and_changes_on_top_of_it() {
        let mut some = Postings::default();
        for (row, stem) in ["beta", "alpha", "beta", "gamma"].into_iter().enumerate() {
            let number = some.number(stem);
            some.list_mut(number).push(posting(row, 1));
        }
        let (stems, ends, all) = some.columns();
        let item = Arc::new(Field::new("item", DataType::UInt32, false));
        let fields = vec![Field::new("stem", DataType::Utf8, false), Field::new("postings", DataType::List(item.clone()), false)];
        let list = ListArray::new(item, ends, Arc::new(all), None);
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![Arc::new(stems), Arc::new(list)]).unwrap();
        assert!(Postings::of(&batch, 3).is_none(), "a row that is not there");
        let mut again = Postings::of(&batch, 4).unwrap();
        let rows = |p: &Postings, stem| p.find(stem).map(|n| p.list(n).iter().map(|p| row_of(*p)).collect::<Vec<_>>());
        assert_eq!(rows(&again, "beta"), Some(vec![0, 2]));
        assert_eq!((rows(&again, "delta"), rows(&again, "aa"), rows(&again, "z")), (None, None, None));
        let (beta, delta) = (again.number("beta"), again.number("delta"));
        again.list_mut(beta).retain(|p| row_of(*p) != 0);
        again.list_mut(delta).push(posting(4, 100));
        assert_eq!((rows(&again, "beta"), rows(&again, "delta"), rows(&again, "alpha")), (Some(vec![2]), Some(vec![4]), Some(vec![1])));
        assert_eq!(occurrences(again.list(delta)[0]), 63);
        let gamma = again.number("gamma");
        again.list_mut(gamma).clear();
        assert_eq!(again.columns().0.iter().flatten().collect::<Vec<_>>(), ["alpha", "beta", "delta"]);
    }
}
