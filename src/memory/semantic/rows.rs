//! All memories in the order of their numbers. Those of the image stay in its columns and are made into values when one is looked
//! at; those that came or changed since are values.

use super::columns::Columns;
use crate::domain::{Category, Memory, MemoryId};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Memories by row.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    stored: Option<Arc<Columns>>,
    /// Rows of `stored` that are otherwise now.
    changed: HashMap<usize, Memory>,
    /// The rows behind `stored`.
    added: Vec<Memory>,
    /// What recall asks of every row.
    facets: Vec<Facet>,
}

/// What is asked of every memory, in one byte: its category, whether it may be recalled, whether the operator has yet to settle it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facet(u8);

const HOLDS: u8 = 0x80;
const DISPUTED: u8 = 0x40;

impl Facet {
    /// Of a memory of this category.
    pub fn new(category: Category, holds: bool, disputed: bool) -> Facet {
        Facet(category as u8 | if holds { HOLDS } else { 0 } | if disputed { DISPUTED } else { 0 })
    }

    fn of(memory: &Memory) -> Facet {
        Facet::new(memory.category, memory.holds(), memory.disputed)
    }

    /// It may be recalled.
    pub fn holds(self) -> bool {
        self.0 & HOLDS != 0
    }

    /// The operator has not said whether superseding it was right.
    pub fn disputed(self) -> bool {
        self.0 & DISPUTED != 0
    }

    /// It is of this category; `None` is any.
    pub fn is(self, category: Option<Category>) -> bool {
        category.is_none_or(|c| self.0 & !(HOLDS | DISPUTED) == c as u8)
    }
}

impl Rows {
    /// Takes over what was stored.
    pub fn of(stored: Columns) -> Rows {
        let facets = stored.facets();
        Rows { stored: Some(Arc::new(stored)), facets, ..Rows::default() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.facets.len()
    }

    /// True where there is none.
    pub fn is_empty(&self) -> bool {
        self.facets.is_empty()
    }

    fn ids(&self) -> &[i64] {
        self.stored.as_ref().map_or(&[], |s| s.ids())
    }

    /// The number of a row.
    pub fn id(&self, row: usize) -> MemoryId {
        let stored = self.ids();
        stored.get(row).map_or_else(|| self.added[row - stored.len()].id, |id| MemoryId(*id))
    }

    /// The greatest number.
    pub fn last_id(&self) -> Option<MemoryId> {
        self.len().checked_sub(1).map(|row| self.id(row))
    }

    /// The row of a number, or the one that it would have.
    pub fn find(&self, id: MemoryId) -> Result<usize, usize> {
        let stored = self.ids();
        if stored.last().is_some_and(|last| id.0 <= *last) {
            return stored.binary_search(&id.0);
        }
        let behind = |row: usize| row + stored.len();
        self.added.binary_search_by_key(&id, |m| m.id).map(behind).map_err(behind)
    }

    /// The first row whose number is not below this one.
    pub fn from(&self, id: MemoryId) -> usize {
        self.find(id).unwrap_or_else(|row| row)
    }

    /// What a row holds.
    ///
    /// # Panics
    /// There is no such row.
    pub fn get(&self, row: usize) -> Cow<'_, Memory> {
        match &self.stored {
            Some(stored) if row < stored.len() => match self.changed.get(&row) {
                Some(memory) => Cow::Borrowed(memory),
                None => Cow::Owned(stored.get(row)),
            },
            _ => Cow::Borrowed(&self.added[row - self.ids().len()]),
        }
    }

    /// The text of a row.
    pub fn text(&self, row: usize) -> &str {
        match &self.stored {
            Some(stored) if row < stored.len() => self.changed.get(&row).map_or_else(|| stored.text(row), |m| &m.text),
            _ => &self.added[row - self.ids().len()].text,
        }
    }

    /// What recall asks of every row.
    pub fn facets(&self) -> &[Facet] {
        &self.facets
    }

    /// All of them, ascending by number.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, Memory>> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// Puts a memory in the place of what a row holds.
    pub fn replace(&mut self, row: usize, memory: Memory) {
        self.facets[row] = Facet::of(&memory);
        match row.checked_sub(self.ids().len()) {
            Some(at) => self.added[at] = memory,
            None => drop(self.changed.insert(row, memory)),
        }
    }

    /// Puts a memory behind all others; its number is the greatest.
    pub fn push(&mut self, memory: Memory) {
        self.facets.push(Facet::of(&memory));
        self.added.push(memory);
    }
}
