//! All memories in one process's memory: rows in the order of their numbers, their words as postings, their vectors at 8 bits.

use super::postings::{Postings, occurrences, posting, row_of};
use super::rows::Rows;
use super::vectors::{Coded, Vectors};
use super::words;
use crate::domain::{Memory, MemoryId};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

/// BM25's constants, those of Lance's full-text search.
const K1: f64 = 1.2;
const B: f64 = 0.75;
/// A long query is reduced to its rarest words: the others change nothing and cost the most.
const QUERY_WORDS: usize = 64;

/// What can be searched. A copy shares what is as it was stored.
#[derive(Clone, Debug, Default)]
pub struct Index {
    rows: Rows,
    /// Indexed words of each row.
    lengths: Vec<u32>,
    total: u64,
    postings: Postings,
    /// Words that were met, to their stem's number: a word is stemmed once.
    known: HashMap<Box<str>, u32>,
    /// What each row says, see `words::same_key`.
    keys: Vec<u64>,
    /// Rows by that, the newest of each; made when it is first asked for.
    same: OnceLock<HashMap<u64, u32>>,
    pub vectors: Vectors,
}

impl Index {
    /// Takes over what was stored.
    pub fn of(rows: Rows, lengths: Vec<u32>, keys: Vec<u64>, postings: Postings, vectors: Vectors) -> Index {
        let total = lengths.iter().map(|l| u64::from(*l)).sum();
        Index { rows, lengths, total, keys, postings, vectors, ..Index::default() }
    }

    /// Rows, ascending by number.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Indexed words of each row.
    pub fn lengths(&self) -> &[u32] {
        &self.lengths
    }

    /// What each row says: equal for those that say the same in the same words.
    pub fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// Which rows have which words.
    pub fn postings(&self) -> &Postings {
        &self.postings
    }

    /// The row of a number.
    pub fn row(&self, id: MemoryId) -> Option<usize> {
        self.rows.find(id).ok()
    }

    /// A memory by its number.
    pub fn get(&self, id: MemoryId) -> Option<Cow<'_, Memory>> {
        self.row(id).map(|row| self.rows.get(row))
    }

    /// The newest memory that says the same in the same words, if it holds.
    pub fn same(&self, text: &str) -> Option<Cow<'_, Memory>> {
        let row = *self.by_key().get(&words::same_key(text))?;
        Some(self.rows.get(row as usize)).filter(|m| m.holds())
    }

    /// The newest row of each key.
    #[cfg(test)]
    pub fn newest_of_each(&self) -> HashMap<u64, u32> {
        self.by_key().clone()
    }

    /// Makes what the first memory that is kept would have to wait for.
    pub fn warm(&self) {
        self.by_key();
    }

    fn by_key(&self) -> &HashMap<u64, u32> {
        self.same.get_or_init(|| self.keys.iter().zip(0..).map(|(key, row)| (*key, row)).collect())
    }

    /// Puts a memory in, or in the place of what has its number. True where its text is new: then it has no vector.
    pub fn put(&mut self, memory: Memory) -> bool {
        let row = match self.rows.find(memory.id) {
            Ok(row) => {
                if self.rows.text(row) == memory.text {
                    self.rows.replace(row, memory);
                    return false;
                }
                self.unindex(row);
                self.vectors.set(row, None);
                self.rows.replace(row, memory);
                row
            }
            // Numbers only grow, and each process reads them in the order of the journal.
            Err(row) if row == self.rows.len() => {
                self.rows.push(memory);
                self.lengths.push(0);
                self.keys.push(0);
                self.vectors.push();
                row
            }
            Err(row) => {
                self.insert_between(row, memory);
                return true;
            }
        };
        self.index(row);
        true
    }

    /// A journal that was put together by hand may not ascend: everything behind moves up.
    fn insert_between(&mut self, row: usize, memory: Memory) {
        let old = std::mem::take(self);
        let mut rows: Vec<Memory> = old.rows.iter().map(Cow::into_owned).collect();
        rows.insert(row, memory);
        for m in rows {
            let coded = old.row(m.id).and_then(|r| old.vectors.get(r)).map(|(codes, scale)| Coded { codes: codes.to_vec(), scale });
            self.put(m);
            self.vectors.set(self.rows.len() - 1, coded.as_ref());
        }
    }

    fn index(&mut self, row: usize) {
        let text = self.rows.text(row).to_owned();
        let mut counts: HashMap<u32, u32> = HashMap::new();
        let mut length = 0u32;
        words::each(&text, |word| {
            if !words::is_stop(word) {
                *counts.entry(self.term(word)).or_default() += 1;
                length += 1;
            }
        });
        for (term, n) in counts {
            self.postings.list_mut(term).push(posting(row, n));
        }
        self.lengths[row] = length;
        self.total += u64::from(length);
        self.keys[row] = words::same_key(&text);
        if let Some(same) = self.same.get_mut() {
            let newest = same.entry(self.keys[row]).or_insert(row as u32);
            *newest = (*newest).max(row as u32);
        }
    }

    fn unindex(&mut self, row: usize) {
        let text = self.rows.text(row).to_owned();
        words::each(&text, |word| {
            if !words::is_stop(word) {
                let term = self.term(word);
                self.postings.list_mut(term).retain(|p| row_of(*p) != row);
            }
        });
        self.total -= u64::from(self.lengths[row]);
        if let Some(same) = self.same.get_mut()
            && same.get(&self.keys[row]) == Some(&(row as u32))
        {
            let key = self.keys[row];
            match (0..self.keys.len()).rev().find(|other| *other != row && self.keys[*other] == key) {
                Some(other) => same.insert(key, other as u32),
                None => same.remove(&key),
            };
        }
    }

    /// The number of a word's stem, made where there is none yet.
    fn term(&mut self, word: &str) -> u32 {
        if let Some(term) = self.known.get(word) {
            return *term;
        }
        let term = self.postings.number(&words::stem(word));
        self.known.insert(word.into(), term);
        term
    }

    /// BM25 of each row, 0 where it shares no word with the query; and the rows that do.
    /// idf = ln(1 + (N - df + 0.5) / (df + 0.5)), as Lucene and Lance have it.
    pub fn bm25(&self, query: &str) -> (Vec<f64>, Vec<u32>) {
        let mut asked: Vec<u32> = Vec::new();
        words::each(query, |word| {
            if !words::is_stop(word) && !words::is_asking(word) {
                let number = self.known.get(word).copied().or_else(|| self.postings.find(&words::stem(word)));
                if let Some(term) = number
                    && !asked.contains(&term)
                {
                    asked.push(term);
                }
            }
        });
        let mut asked: Vec<&[u32]> = asked.into_iter().map(|t| self.postings.list(t)).filter(|p| !p.is_empty()).collect();
        asked.sort_by_key(|p| p.len());
        asked.truncate(QUERY_WORDS);
        let n = self.rows.len() as f64;
        let mean = (self.total as f64 / n.max(1.0)).max(1.0);
        let mut scores = vec![0.0f64; self.rows.len()];
        let mut found = Vec::new();
        for postings in asked {
            let df = postings.len() as f64;
            let idf = (1.0 + (n - df + 0.5) / (df + 0.5)).ln();
            for p in postings {
                let (row, tf) = (row_of(*p), f64::from(occurrences(*p)));
                let length = f64::from(self.lengths[row]);
                let score = &mut scores[row];
                if *score == 0.0 {
                    found.push(row as u32);
                }
                *score += idf * tf * (K1 + 1.0) / (tf + K1 * (1.0 - B + B * length / mean));
            }
        }
        (scores, found)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{Category, MemorySource, Timestamp};

    pub fn memory(id: i64, text: &str) -> Memory {
        Memory {
            id: MemoryId(id),
            text: text.to_owned(),
            category: Category::Fact,
            importance: 0.5,
            source: MemorySource::Operator,
            external: false,
            created_at: Timestamp(0),
            last_recalled_at: None,
            access_count: 0,
            superseded_by: None,
            superseded_at: None,
            disputed: false,
            forgotten_at: None,
        }
    }

    fn found(index: &Index, query: &str) -> Vec<i64> {
        let (scores, mut found) = index.bm25(query);
        found.sort_by(|a, b| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b)));
        found.into_iter().map(|row| index.rows().id(row as usize).0).collect()
    }

    #[test]
    fn rare_words_and_short_texts_count_for_more() {
        let mut index = Index::default();
        for (id, text) in [
            (1, "The database of the shop runs on alpha, where backups are made each night and kept for a month"),
            (2, "The database of billing runs on beta"),
            (3, "Backups of billing are on tape"),
            (4, "Anna likes tea"),
        ] {
            assert!(index.put(memory(id, text)));
        }
        assert_eq!(found(&index, "Which database is on beta?"), [2, 1]);
        assert_eq!(found(&index, "billing backup"), [3, 2, 1]);
        assert_eq!(found(&index, "What do you have for the who?"), Vec::<i64>::new(), "words of questions find nothing");
        // One document, one word: N = 4, df = 1, tf = 1, three words (anna, like, tea), mean length (13 + 4 + 3 + 3) / 4.
        let score = index.bm25("tea").0[3];
        let mean = index.lengths().iter().sum::<u32>() as f64 / 4.0;
        let by_hand = (1.0f64 + 3.5 / 1.5).ln() * 2.2 / (1.0 + 1.2 * (0.25 + 0.75 * 3.0 / mean));
        assert!((score - by_hand).abs() < 1e-12, "{score} {by_hand}");
    }

    #[test]
    fn an_edited_text_is_found_by_its_new_words_only() {
        let mut index = Index::default();
        index.put(memory(1, "deploys go to alpha"));
        index.put(memory(2, "deploys need a review"));
        assert!(index.put(memory(1, "releases go to beta")));
        assert_eq!(found(&index, "alpha"), Vec::<i64>::new());
        assert_eq!(found(&index, "deploy"), [2]);
        assert_eq!(found(&index, "beta"), [1]);
        assert!(index.same("deploys go to alpha").is_none() && index.same("Releases go to beta!").is_some());
        let counted = memory(2, "deploys need a review");
        assert!(!index.put(Memory { access_count: 3, ..counted }), "the same text needs no new vector");
        assert_eq!(index.get(MemoryId(2)).unwrap().access_count, 3);
    }

    #[test]
    fn numbers_that_come_out_of_order_are_put_in_order() {
        let mut index = Index::default();
        for id in [5, 9, 7, 1] {
            index.put(memory(id, &format!("word{id} common")));
        }
        assert_eq!(index.rows().iter().map(|m| m.id.0).collect::<Vec<_>>(), [1, 5, 7, 9]);
        assert_eq!(found(&index, "word7"), [7]);
        assert_eq!(found(&index, "common").len(), 4);
    }
}
