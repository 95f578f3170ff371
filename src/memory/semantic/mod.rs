//! The memories: acknowledged in a journal, kept in a Lance dataset, searched in an index that this process holds in memory.
//!
//! Written: `journal` (durable before it is acknowledged), then in the background `fold` takes it into the dataset (`table`) and saves
//! an `image` of the index. Read: the image, then what the journal has on top; from there on only what is new in the journal.

mod columns;
mod error;
mod fold;
mod image;
mod index;
mod journal;
mod postings;
mod recall;
mod reembed;
mod rows;
mod state;
mod table;
mod take;
mod vectors;
mod versions;
mod words;

pub use error::MemoryError;
pub use recall::Side;
pub use take::Taken;

use super::embed::{Embedder, Shipped};
use crate::domain::{Category, Formula, Memory, MemoryFilter, MemoryId, MemorySource, Recalled, Settle, Standing, Timestamp};
use recall::Question;
use state::State;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use table::Table;

/// So many memories are looked at for one that says the same in other words.
const NEAR: usize = 8;

/// What is asked to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMemory {
    pub text: String,
    pub category: Category,
    /// 0 to 1.
    pub importance: f64,
    pub source: MemorySource,
    pub external: bool,
    /// `None`: now.
    pub created_at: Option<Timestamp>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    New(MemoryId),
    /// One that says the same in the same words was there: it has the greater importance of both.
    Merged(MemoryId),
}

/// What is to be changed; `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    pub text: Option<String>,
    pub category: Option<Category>,
    pub importance: Option<f64>,
    pub external: Option<bool>,
}

/// How recall weighs.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuning {
    pub formula: Formula,
    /// The cosine under which a memory that shares no word with the query is not recalled.
    pub floor: f64,
    /// Of memories whose cosine is at least this, and whose figures are the same, only the best is recalled.
    pub merge: f64,
}

/// How the store stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standings {
    pub memories: usize,
    /// What made the vectors; `None` where there are none.
    pub embedder: Option<String>,
    /// Without a vector: found by words only.
    pub without_vector: usize,
    /// Journal lines that were no memory and were passed over.
    pub damaged: u64,
}

/// The open store. Cheap to clone; calls block.
#[derive(Clone)]
pub struct Semantic {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    table: Table,
    tuning: Tuning,
    embedder: Arc<dyn Embedder>,
    /// What made vectors before the settings changed: as long as there are no others, it is asked.
    former: Option<Arc<dyn Embedder>>,
    /// `None` until it is loaded.
    state: RwLock<Option<State>>,
    /// Held by whoever loads.
    loading: Mutex<()>,
    /// A thread reads what is new.
    following: AtomicBool,
    /// The settings have changed: no more vectors by these.
    retired: AtomicBool,
    /// The embedder's vectors have other dimensions than they had.
    differs: AtomicBool,
}

impl Semantic {
    /// The store in a folder; it is made with the first memory. Loading goes on in the background: the first call waits for it.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn open(dir: &Path, embedder: Arc<dyn Embedder>, tuning: Tuning) -> Result<Semantic, MemoryError> {
        Semantic::begin(dir, embedder, None, tuning)
    }

    /// The same store by other settings. This one makes no more vectors; recall goes on by what made them until there are new ones.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn reopen(&self, embedder: Arc<dyn Embedder>, tuning: Tuning) -> Result<Semantic, MemoryError> {
        self.inner.retired.store(true, Ordering::SeqCst);
        let own = &self.inner.embedder;
        let former = if own.id() == embedder.id() { self.inner.former.clone() } else { Some(own.clone()) };
        Semantic::begin(&self.inner.dir, embedder, former, tuning)
    }

    fn begin(dir: &Path, embedder: Arc<dyn Embedder>, former: Option<Arc<dyn Embedder>>, tuning: Tuning) -> Result<Semantic, MemoryError> {
        let inner = Inner {
            dir: dir.to_owned(),
            table: Table::new(dir),
            tuning,
            embedder,
            former,
            state: RwLock::default(),
            loading: Mutex::default(),
            following: AtomicBool::default(),
            retired: AtomicBool::default(),
            differs: AtomicBool::default(),
        };
        let store = Semantic { inner: Arc::new(inner) };
        let loader = store.clone();
        // Why it failed, the first call says.
        let load = move || _ = loader.load();
        std::thread::Builder::new().name("memories".into()).spawn(load).map_err(MemoryError::io(dir, "loaded"))?;
        Ok(store)
    }

    /// Keeps a memory; durable when this returns.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn add(&self, new: NewMemory, now: Timestamp) -> Result<Added, MemoryError> {
        Ok(self.add_all(vec![new], now)?[0])
    }

    /// Keeps several memories in one write; durable when this returns.
    ///
    /// # Errors
    /// The store cannot be read or written: then none is kept.
    pub fn add_all(&self, all: Vec<NewMemory>, now: Timestamp) -> Result<Vec<Added>, MemoryError> {
        let holds = |new| Taken {
            id: None,
            new,
            last_recalled_at: None,
            access_count: 0,
            superseded_by: None,
            superseded_at: None,
            disputed: false,
            forgotten_at: None,
        };
        self.take_over(all.into_iter().map(holds).collect(), now)
    }

    /// Changes a memory.
    ///
    /// # Errors
    /// There is none of that id; the store cannot be written.
    pub fn edit(&self, id: MemoryId, change: Change, _now: Timestamp) -> Result<Memory, MemoryError> {
        self.alter(id, |m| {
            m.text = change.text.unwrap_or(std::mem::take(&mut m.text));
            m.category = change.category.unwrap_or(m.category);
            m.importance = change.importance.unwrap_or(m.importance);
            m.external = change.external.unwrap_or(m.external);
        })
    }

    /// Takes a memory out of what is recalled.
    ///
    /// # Errors
    /// There is none of that id; the store cannot be written.
    pub fn forget(&self, id: MemoryId, now: Timestamp) -> Result<Memory, MemoryError> {
        self.alter(id, |m| m.forgotten_at = Some(now))
    }

    /// Takes several memories out of what is recalled, in one write. Those that are gone are passed over.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn forget_all(&self, ids: &[MemoryId], now: Timestamp) -> Result<(), MemoryError> {
        self.change(|index| {
            let forgotten = |m: Cow<'_, Memory>| Memory { forgotten_at: Some(now), ..m.into_owned() };
            Ok((ids.iter().filter_map(|id| index.get(*id)).map(forgotten).collect(), ()))
        })
    }

    /// A memory that holds and says the same as this text: in the same words, or in others of nearly the same vector and with the same
    /// figures.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn says_already(&self, text: &str) -> Result<Option<Memory>, MemoryError> {
        if let Some(same) = self.with(|s| s.index.same(text).map(Cow::into_owned))? {
            return Ok(Some(same));
        }
        let figures = words::figures(text);
        let near = |r: &Recalled| r.cosine >= self.inner.tuning.merge && words::figures(&r.memory.text) == figures;
        Ok(self.likest(text, NEAR, Side::Vectors)?.into_iter().find(near).map(|r| r.memory))
    }

    /// Brings a forgotten memory back.
    ///
    /// # Errors
    /// There is none of that id; the store cannot be written.
    pub fn restore(&self, id: MemoryId, _now: Timestamp) -> Result<Memory, MemoryError> {
        self.alter(id, |m| m.forgotten_at = None)
    }

    /// Marks a memory as replaced by a newer one.
    ///
    /// # Errors
    /// There is none of that id; the store cannot be written.
    pub fn supersede(&self, old: MemoryId, by: MemoryId, disputed: bool, now: Timestamp) -> Result<Memory, MemoryError> {
        self.alter(old, |m| (m.superseded_by, m.superseded_at, m.disputed) = (Some(by), Some(now), disputed))
    }

    /// Says what holds of a superseded memory and its newer one: both are changed in one write.
    ///
    /// # Errors
    /// There is none of that id, or nothing to settle; the store cannot be written.
    pub fn settle(&self, old: MemoryId, keep: Settle, now: Timestamp) -> Result<Memory, MemoryError> {
        self.change(|index| {
            let mut m = index.get(old).ok_or(MemoryError::Unknown(old))?.into_owned();
            let Some(by) = m.superseded_by else {
                return Err(MemoryError::Invalid(format!("memory {old} is not superseded: there is nothing to settle")));
            };
            m.disputed = false;
            if keep != Settle::Newer {
                (m.superseded_by, m.superseded_at) = (None, None);
            }
            let mut rows = vec![m.clone()];
            if keep == Settle::Older {
                let newer = index.get(by).ok_or(MemoryError::Unknown(by))?.into_owned();
                rows.push(Memory { forgotten_at: Some(now), ..newer });
            }
            Ok((rows, m))
        })
    }

    /// These went into a prompt: their access counts and last recalls change. Those that are gone are passed over.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn mark_recalled(&self, ids: &[MemoryId], now: Timestamp) -> Result<(), MemoryError> {
        self.change(|index| {
            let marked = |m: Cow<'_, Memory>| Memory { access_count: m.access_count + 1, last_recalled_at: Some(now), ..m.into_owned() };
            Ok((ids.iter().filter_map(|id| index.get(*id)).map(marked).collect(), ()))
        })
    }

    /// What bears on a text, best first. The penalty is applied; nothing is counted. Without a vector of the text (the endpoint does
    /// not answer) words alone decide.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn recall(&self, query: &str, wanted: usize, category: Option<Category>, now: Timestamp) -> Result<Vec<Recalled>, MemoryError> {
        let (text, vector) = self.vector(query)?;
        let question = Question { text, vector: vector.as_deref(), wanted, category, now };
        self.with(|s| recall::search(&s.index, &question, &self.inner.tuning))
    }

    /// What is likest to a text by one side of recall alone, without formula, penalty and floor.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn likest(&self, query: &str, wanted: usize, by: Side) -> Result<Vec<Recalled>, MemoryError> {
        let (text, vector) = self.vector(query)?;
        let question = Question { text, vector: vector.as_deref(), wanted, category: None, now: Timestamp(0) };
        self.with(|s| recall::alone(&s.index, &question, by))
    }

    /// One memory.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn get(&self, id: MemoryId) -> Result<Option<Memory>, MemoryError> {
        self.with(|s| s.index.get(id).map(Cow::into_owned))
    }

    /// Memories by filter, newest first; ids below `before`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn list(&self, filter: &MemoryFilter, before: Option<MemoryId>, limit: usize) -> Result<Vec<Memory>, MemoryError> {
        let text = filter.text.to_lowercase();
        let stands = |m: &Memory| match filter.standing {
            Standing::Holding => m.holds(),
            Standing::Superseded => m.superseded_by.is_some(),
            Standing::Forgotten => m.forgotten_at.is_some(),
            Standing::Any => true,
        };
        self.with(|s| {
            let rows = s.index.rows();
            let end = before.map_or(rows.len(), |b| rows.from(b));
            let fit = (0..end).rev().filter(|row| rows.facets()[*row].is(filter.category));
            let fit = fit.filter(|row| text.is_empty() || rows.text(*row).to_lowercase().contains(&text)).map(|row| rows.get(row));
            fit.filter(|m| stands(m)).take(limit).map(Cow::into_owned).collect()
        })
    }

    /// Superseded memories that the operator has not settled, with the newer one of each.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn conflicts(&self) -> Result<Vec<(Memory, Memory)>, MemoryError> {
        self.with(|s| {
            let rows = s.index.rows();
            let open =
                (0..rows.len()).filter(|row| rows.facets()[*row].disputed()).map(|row| rows.get(row)).filter(|m| m.forgotten_at.is_none());
            open.filter_map(|m| Some((s.index.get(m.superseded_by?)?.into_owned(), m.into_owned()))).map(|(by, m)| (m, by)).collect()
        })
    }

    /// How the store stands.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn standings(&self) -> Result<Standings, MemoryError> {
        self.with(|s| Standings {
            memories: s.index.rows().len(),
            embedder: s.vectors_by.clone().filter(|_| s.index.vectors.dim() > 0),
            without_vector: s.index.vectors.missing().filter(|row| !s.index.rows().text(*row).trim().is_empty()).count(),
            damaged: s.journal.damaged(),
        })
    }

    /// Opens the dataset itself, which searching does not need.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn check(&self) -> Result<(), MemoryError> {
        self.inner.table.check()
    }

    /// The text to ask with, and its vector if it can be had.
    fn vector<'a>(&self, query: &'a str) -> Result<(&'a str, Option<Vec<f32>>), MemoryError> {
        let text = &query[..query.floor_char_boundary(recall::QUERY)];
        let configured = &self.inner.embedder;
        // What costs no network is made while the memories are being loaded.
        let early = configured.is_local().then(|| configured.embed_query(text));
        let (by, dim) = self.with(|s| (self.embedder_of(s.vectors_by.as_deref()), s.index.vectors.dim()))?;
        let by = by.filter(|_| dim > 0);
        let own = by.as_ref().is_some_and(|e| e.id() == configured.id());
        let vector = match (by, early) {
            (Some(by), Some(early)) if by.id() == configured.id() => Some(early),
            (by, _) => by.map(|e| e.embed_query(text)),
        };
        let vector = match vector {
            Some(Ok(vector)) if vector.len() == dim => Some(vector),
            Some(Ok(vector)) => {
                if own && !vector.is_empty() {
                    tracing::warn!("recall goes by words alone: vectors have {dim} dimensions, and now come with {}", vector.len());
                    self.inner.differs.store(true, Ordering::SeqCst);
                }
                None
            }
            Some(Err(e)) => {
                tracing::warn!("recall goes by words alone: {e}");
                None
            }
            None => None,
        };
        Ok((text, vector))
    }

    /// Who can compare with vectors of this id: the configured embedder, the one before it, or the one that ships and is always there.
    fn embedder_of(&self, id: Option<&str>) -> Option<Arc<dyn Embedder>> {
        let inner = &self.inner;
        let known = [Some(&inner.embedder), inner.former.as_ref()].into_iter().flatten().find(|e| id == Some(e.id())).cloned();
        known.or_else(|| Some(Shipped::get() as Arc<dyn Embedder>).filter(|e| id == Some(e.id())))
    }

    fn alter(&self, id: MemoryId, f: impl FnOnce(&mut Memory)) -> Result<Memory, MemoryError> {
        self.change(|index| {
            let mut memory = index.get(id).ok_or(MemoryError::Unknown(id))?.into_owned();
            f(&mut memory);
            Ok((vec![memory.clone()], memory))
        })
    }
}

#[cfg(test)]
mod tests;
