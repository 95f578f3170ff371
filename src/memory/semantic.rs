//! The memories, kept as a journal of whole rows and held in memory. Stands in until the vector store is merged: the same calls,
//! likeness by words alone.

use crate::domain::{Category, Memory, MemoryFilter, MemoryId, MemorySource, Recalled, Settle, Standing, Terms, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is asked to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMemory {
    pub text: String,
    pub category: Category,
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
    /// A nearly identical one was there.
    Merged(MemoryId),
}

/// What is to be changed; `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    pub text: Option<String>,
    pub category: Option<Category>,
    pub importance: Option<f64>,
}

/// How recall weighs.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuning {
    pub similarity: f64,
    pub recency: f64,
    pub importance: f64,
    pub access: f64,
    pub half_life_passing: Duration,
    pub half_life_lasting: Duration,
    pub penalty: f64,
    pub penalty_window: Duration,
    pub floor: f64,
    pub merge: f64,
}

/// The memory store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    #[error("the memory store {} cannot be used: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("there is no memory {0}: `orc memory ls` lists them")]
    Unknown(MemoryId),
    #[error("{0}")]
    Invalid(String),
}

/// The open store.
#[derive(Clone)]
pub struct Semantic {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    tuning: Tuning,
    rows: Mutex<(BTreeMap<MemoryId, Memory>, u64)>,
}

impl Semantic {
    /// Opens the store in a folder.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(dir: &Path, tuning: Tuning) -> Result<Semantic, MemoryError> {
        let path = dir.join("journal.jsonl");
        std::fs::create_dir_all(dir).map_err(|source| MemoryError::Io { path: path.clone(), source })?;
        let store = Semantic { inner: Arc::new(Inner { path, tuning, rows: Mutex::default() }) };
        drop(store.rows()?);
        Ok(store)
    }

    fn error(&self, source: io::Error) -> MemoryError {
        MemoryError::Io { path: self.inner.path.clone(), source }
    }

    fn rows(&self) -> Result<MutexGuard<'_, (BTreeMap<MemoryId, Memory>, u64)>, MemoryError> {
        let mut rows = self.inner.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let length = match std::fs::metadata(&self.inner.path) {
            Ok(m) => m.len(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            Err(e) => return Err(self.error(e)),
        };
        if length != rows.1 {
            let text = std::fs::read_to_string(&self.inner.path).map_err(|e| self.error(e))?;
            rows.0 = text.lines().filter_map(|l| serde_json::from_str::<Memory>(l).ok()).map(|m| (m.id, m)).collect();
            rows.1 = length;
        }
        Ok(rows)
    }

    fn put(&self, memory: &Memory) -> Result<(), MemoryError> {
        let open = || std::fs::OpenOptions::new().create(true).append(true).open(&self.inner.path);
        let mut line = serde_json::to_string(memory).map_err(|e| self.error(io::Error::other(e)))?;
        line.push('\n');
        let mut file = open().map_err(|e| self.error(e))?;
        file.write_all(line.as_bytes()).and_then(|()| file.sync_data()).map_err(|e| self.error(e))
    }

    fn with(&self, id: MemoryId, f: impl FnOnce(&mut Memory) -> Result<(), MemoryError>) -> Result<Memory, MemoryError> {
        let mut memory = self.get(id)?.ok_or(MemoryError::Unknown(id))?;
        f(&mut memory)?;
        self.put(&memory)?;
        Ok(memory)
    }

    /// Keeps a memory.
    ///
    /// # Errors
    /// The disk.
    pub fn add(&self, new: NewMemory, now: Timestamp) -> Result<Added, MemoryError> {
        let same = self.rows()?.0.values().find(|m| m.holds() && likeness(&m.text, &new.text) >= self.inner.tuning.merge).map(|m| m.id);
        if let Some(id) = same {
            self.with(id, |m| {
                m.importance = m.importance.max(new.importance);
                Ok(())
            })?;
            return Ok(Added::Merged(id));
        }
        let id = MemoryId(self.rows()?.0.keys().last().map_or(1, |id| id.0 + 1));
        self.put(&Memory {
            id,
            text: new.text,
            category: new.category,
            importance: new.importance,
            source: new.source,
            external: new.external,
            created_at: new.created_at.unwrap_or(now),
            last_recalled_at: None,
            access_count: 0,
            superseded_by: None,
            superseded_at: None,
            disputed: false,
            forgotten_at: None,
        })?;
        Ok(Added::New(id))
    }

    /// Changes a memory.
    ///
    /// # Errors
    /// There is none of that id; the disk.
    pub fn edit(&self, id: MemoryId, change: Change, _now: Timestamp) -> Result<Memory, MemoryError> {
        self.with(id, |m| {
            m.text = change.text.unwrap_or(std::mem::take(&mut m.text));
            m.category = change.category.unwrap_or(m.category);
            m.importance = change.importance.unwrap_or(m.importance);
            Ok(())
        })
    }

    /// Takes a memory out of what is recalled.
    ///
    /// # Errors
    /// There is none of that id; the disk.
    pub fn forget(&self, id: MemoryId, now: Timestamp) -> Result<Memory, MemoryError> {
        self.with(id, |m| {
            m.forgotten_at = Some(now);
            Ok(())
        })
    }

    /// Brings a forgotten memory back.
    ///
    /// # Errors
    /// There is none of that id; the disk.
    pub fn restore(&self, id: MemoryId, _now: Timestamp) -> Result<Memory, MemoryError> {
        self.with(id, |m| {
            m.forgotten_at = None;
            Ok(())
        })
    }

    /// Marks a memory as replaced by a newer one.
    ///
    /// # Errors
    /// There is none of that id; the disk.
    pub fn supersede(&self, old: MemoryId, by: MemoryId, disputed: bool, now: Timestamp) -> Result<Memory, MemoryError> {
        self.with(old, |m| {
            (m.superseded_by, m.superseded_at, m.disputed) = (Some(by), Some(now), disputed);
            Ok(())
        })
    }

    /// Says what holds of a superseded memory and its newer one.
    ///
    /// # Errors
    /// There is none of that id, or nothing to settle; the disk.
    pub fn settle(&self, old: MemoryId, keep: Settle, now: Timestamp) -> Result<Memory, MemoryError> {
        let by = self.get(old)?.ok_or(MemoryError::Unknown(old))?.superseded_by;
        let Some(by) = by else { return Err(MemoryError::Invalid(format!("memory {old} is not superseded: there is nothing to settle"))) };
        if keep == Settle::Older {
            self.forget(by, now)?;
        }
        self.with(old, |m| {
            m.disputed = false;
            if keep != Settle::Newer {
                (m.superseded_by, m.superseded_at) = (None, None);
            }
            Ok(())
        })
    }

    /// What bears on a text, best first. Counts nothing.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn recall(&self, query: &str, wanted: usize, category: Option<Category>, now: Timestamp) -> Result<Vec<Recalled>, MemoryError> {
        let t = &self.inner.tuning;
        let mut found: Vec<Recalled> = self
            .rows()?
            .0
            .values()
            .filter(|m| m.holds() && category.is_none_or(|c| c == m.category))
            .map(|m| {
                let lexical = likeness(&m.text, query);
                let half = if m.category.is_passing() { t.half_life_passing } else { t.half_life_lasting };
                let terms = Terms {
                    similarity: lexical,
                    recency: 0.5f64.powf(now.since(m.created_at).as_secs_f64() / half.as_secs_f64()),
                    importance: m.importance,
                    access: 1.0 - 1.0 / (1.0 + f64::from(m.access_count)),
                };
                let score =
                    t.similarity * terms.similarity + t.recency * terms.recency + t.importance * terms.importance + t.access * terms.access;
                let penalised = m.last_recalled_at.is_some_and(|at| now.since(at) < t.penalty_window);
                let score = if penalised { score * t.penalty } else { score };
                Recalled { memory: m.clone(), score, terms, penalised, cosine: 0.0, lexical }
            })
            .filter(|r| r.lexical > 0.05)
            .collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(wanted);
        Ok(found)
    }

    /// These went into a prompt.
    ///
    /// # Errors
    /// The disk.
    pub fn mark_recalled(&self, ids: &[MemoryId], now: Timestamp) -> Result<(), MemoryError> {
        for id in ids {
            self.with(*id, |m| {
                m.access_count += 1;
                m.last_recalled_at = Some(now);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// One memory.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn get(&self, id: MemoryId) -> Result<Option<Memory>, MemoryError> {
        Ok(self.rows()?.0.get(&id).cloned())
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
        Ok(self
            .rows()?
            .0
            .values()
            .rev()
            .filter(|m| before.is_none_or(|b| m.id < b) && filter.category.is_none_or(|c| c == m.category) && stands(m))
            .filter(|m| m.text.to_lowercase().contains(&text))
            .take(limit)
            .cloned()
            .collect())
    }

    /// Superseded memories that the operator has not settled, with the newer one of each.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn conflicts(&self) -> Result<Vec<(Memory, Memory)>, MemoryError> {
        let rows = self.rows()?;
        let open = rows.0.values().filter(|m| m.disputed && m.forgotten_at.is_none());
        Ok(open.filter_map(|m| Some((m.clone(), rows.0.get(&m.superseded_by?)?.clone()))).collect())
    }

    /// Background work.
    ///
    /// # Errors
    /// The disk.
    pub fn maintain(&self, _now: Timestamp) -> Result<(), MemoryError> {
        Ok(())
    }
}

fn likeness(a: &str, b: &str) -> f64 {
    let words =
        |t: &str| -> BTreeSet<String> { t.split(|c: char| !c.is_alphanumeric()).filter(|w| w.len() > 2).map(str::to_lowercase).collect() };
    let (a, b) = (words(a), words(b));
    if a.is_empty() || b.is_empty() { 0.0 } else { a.intersection(&b).count() as f64 / a.len().max(1) as f64 }
}
