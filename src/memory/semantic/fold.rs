//! Upkeep: the journal into the dataset, and vectors where they are missing. One process at a time; nobody waits for it.

use super::journal::{Held, JournalLock};
use super::{MemoryError, Semantic, image};
use crate::domain::{MemoryId, Reembedding};
use std::collections::BTreeSet;
use std::fs::{OpenOptions, TryLockError};
use std::path::PathBuf;

/// Lines of the journal from which on it is folded.
const LINES: u64 = 512;

impl Semantic {
    /// Makes vectors that are missing, and takes the journal into the dataset once it is long. Nothing where another process is at
    /// it. How far the making of all vectors anew has come is told batch by batch, and at its end that it is over.
    ///
    /// # Errors
    /// The endpoint, the dataset or the disk: what was acknowledged is safe in the journal, and the next call goes on.
    pub fn maintain(&self, told: &mut dyn FnMut(Option<Reembedding>)) -> Result<(), MemoryError> {
        let Some(_alone) = self.alone()? else { return Ok(()) };
        let embedded = self.embed_missing(told);
        let due = self.with(|s| s.rewrite || s.journal.pending() >= LINES)?;
        if due {
            self.fold_alone()?;
        }
        embedded
    }

    /// Takes the journal into the dataset now. False where another process is at it, or nothing is new.
    ///
    /// # Errors
    /// The dataset or the disk: what was acknowledged is safe in the journal.
    pub fn fold(&self) -> Result<bool, MemoryError> {
        let Some(_alone) = self.alone()? else { return Ok(false) };
        self.fold_alone()
    }

    /// The right to write the dataset, if no other process has it.
    fn alone(&self) -> Result<Option<Held>, MemoryError> {
        std::fs::create_dir_all(&self.inner.dir).map_err(MemoryError::io(&self.inner.dir, "made"))?;
        let path = self.inner.dir.join("fold.lock");
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(MemoryError::io(&path, "opened"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Held(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(MemoryError::io(&path, "locked")(e)),
        }
    }

    pub(super) fn fold_alone(&self) -> Result<bool, MemoryError> {
        let (sealed, dirty, rewrite) = self.with_mut(true, |state, lock: &JournalLock| {
            let sealed = state.journal.seal(lock)?;
            Ok((sealed, std::mem::take(&mut state.dirty), state.rewrite))
        })?;
        if sealed.is_empty() && dirty.is_empty() && !rewrite {
            return Ok(false);
        }
        match self.fold_rows(&sealed, &dirty, rewrite) {
            Ok(()) => Ok(true),
            Err(e) => {
                self.with_mut(false, |state, _| {
                    state.dirty.extend(dirty);
                    Ok(())
                })?;
                Err(e)
            }
        }
    }

    fn fold_rows(&self, sealed: &[PathBuf], dirty: &BTreeSet<MemoryId>, rewrite: bool) -> Result<(), MemoryError> {
        let table = &self.inner.table;
        let before = table.files()?;
        // A copy, so that nobody waits while it is written.
        let (index, by) = self.with(|s| (s.index.clone(), s.vectors_by.clone()))?;
        let made_by = by.as_deref().unwrap_or_default();
        let upserted = !rewrite
            && table.newest().is_some()
            && (dirty.is_empty() || {
                let rows: Vec<usize> = dirty.iter().filter_map(|id| index.row(*id)).collect();
                table.upsert(table.batch(&index, &rows, made_by)?)?
            });
        if !upserted {
            table.replace(table.all(&index, made_by)?)?;
        }
        table.sync(&before)?;
        if table.compact()? {
            table.sync(&before)?;
            table.clean()?;
        }
        let newest = table.newest();
        let draft = image::save(&self.inner.dir.join("index"), &index, by.as_deref(), newest.as_deref())?;
        self.with_mut(true, |state, lock| {
            draft.publish()?;
            state.journal.remove(lock, sealed)?;
            state.rewrite &= !rewrite;
            Ok(())
        })?;
        self.drop_side()
    }
}
