//! Memories from another store, as they stood there: what was superseded or forgotten does not come back to life.

use super::index::Index;
use super::{Added, MemoryError, NewMemory, Semantic, words};
use crate::domain::{Memory, MemoryId, Timestamp};
use std::borrow::Cow;
use std::collections::HashMap;

/// A memory with what had become of it where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// Its number there: what others of the same batch say of it.
    pub id: Option<MemoryId>,
    pub new: NewMemory,
    pub last_recalled_at: Option<Timestamp>,
    pub access_count: u32,
    pub superseded_by: Option<MemoryId>,
    pub superseded_at: Option<Timestamp>,
    pub disputed: bool,
    pub forgotten_at: Option<Timestamp>,
}

impl Taken {
    fn holds(&self) -> bool {
        self.superseded_by.is_none() && self.forgotten_at.is_none()
    }
}

impl Semantic {
    /// Keeps several memories in one write, each as it stood; durable when this returns. They get numbers of this store, and what
    /// they say of one another is told in those. One that is here already is left as it is; of one that holds, and says what a
    /// memory here says, importance is merged.
    ///
    /// # Errors
    /// The store cannot be read or written: then none is kept.
    pub fn take_over(&self, all: Vec<Taken>, now: Timestamp) -> Result<Vec<Added>, MemoryError> {
        self.change(|index| {
            let mut batch = Batch::new(index, all.iter().any(|t| !t.holds()));
            let mut numbers = HashMap::new();
            let mut added = Vec::with_capacity(all.len());
            for one in &all {
                let done = batch.put(one, now);
                added.push(done);
                let (Added::New(id) | Added::Merged(id)) = done;
                numbers.extend(one.id.map(|there| (there, id)));
            }
            for (one, done) in all.iter().zip(&added) {
                let (Added::New(id), Some(by)) = (done, one.superseded_by) else { continue };
                let by = numbers.get(&by).copied().filter(|by| by != id);
                batch.superseded(*id, by, one, now);
            }
            Ok((batch.rows, added))
        })
    }
}

/// What is about to be written.
struct Batch<'a> {
    index: &'a Index,
    next: i64,
    rows: Vec<Memory>,
    /// Where in `rows` a text stands that holds.
    at: HashMap<u64, usize>,
    /// Rows of the index by what they say and when they were made, whether or not they hold.
    known: HashMap<(u64, Timestamp), MemoryId>,
    /// Where in `rows` a new one stands that has been superseded.
    superseded: HashMap<MemoryId, usize>,
}

impl<'a> Batch<'a> {
    fn new(index: &'a Index, all: bool) -> Batch<'a> {
        let rows = index.rows();
        let known = |row: usize| ((index.keys()[row], rows.get(row).created_at), rows.get(row).id);
        let known = if all { (0..rows.len()).map(known).collect() } else { HashMap::new() };
        Batch {
            index,
            next: rows.last_id().map_or(1, |id| id.0 + 1),
            rows: Vec::new(),
            at: HashMap::new(),
            known,
            superseded: HashMap::new(),
        }
    }

    fn put(&mut self, one: &Taken, now: Timestamp) -> Added {
        let key = words::same_key(&one.new.text);
        let created_at = one.new.created_at.unwrap_or(now);
        if !one.holds() {
            if let Some(id) = self.known.get(&(key, created_at)) {
                return Added::Merged(*id);
            }
        } else if let Some(same) = self.holding(key, &one.new.text) {
            let mut merged = same.into_owned();
            merge(&mut merged, &one.new);
            let id = merged.id;
            match self.at.get(&key) {
                Some(i) => self.rows[*i] = merged,
                None => {
                    self.at.insert(key, self.rows.len());
                    self.rows.push(merged);
                }
            }
            return Added::Merged(id);
        } else {
            self.at.insert(key, self.rows.len());
        }
        let id = MemoryId(self.next);
        self.next += 1;
        self.known.insert((key, created_at), id);
        if one.superseded_by.is_some() {
            self.superseded.insert(id, self.rows.len());
        }
        self.rows.push(Memory {
            id,
            text: one.new.text.clone(),
            category: one.new.category,
            importance: one.new.importance,
            source: one.new.source.clone(),
            external: one.new.external,
            created_at,
            last_recalled_at: one.last_recalled_at,
            access_count: one.access_count,
            superseded_by: None,
            superseded_at: None,
            disputed: false,
            forgotten_at: one.forgotten_at,
        });
        Added::New(id)
    }

    fn holding(&self, key: u64, text: &str) -> Option<Cow<'_, Memory>> {
        self.at.get(&key).map(|i| Cow::Borrowed(&self.rows[*i])).or_else(|| self.index.same(text))
    }

    /// Says of a new row what has superseded it. What did is perhaps not among those that came: then it is forgotten.
    fn superseded(&mut self, id: MemoryId, by: Option<MemoryId>, one: &Taken, now: Timestamp) {
        let Some(row) = self.superseded.get(&id).and_then(|row| self.rows.get_mut(*row)) else { return };
        let at = one.superseded_at.unwrap_or(now);
        match by {
            Some(by) => (row.superseded_by, row.superseded_at, row.disputed) = (Some(by), Some(at), one.disputed),
            None => row.forgotten_at = row.forgotten_at.or(Some(at)),
        }
    }
}

/// What a memory becomes when the same is said once more.
pub fn merge(memory: &mut Memory, new: &NewMemory) {
    memory.importance = memory.importance.max(new.importance);
    // Whoever repeats it makes it no more trustworthy; the operator's own word does.
    memory.external &= new.external || new.source != crate::domain::MemorySource::Operator;
}
