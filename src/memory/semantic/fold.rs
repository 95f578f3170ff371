//! Upkeep: the journal into the dataset, and vectors where they are missing. One process at a time; nobody waits for it.

use super::journal::{self, Held, JournalLock};
use super::state::State;
use super::{MemoryError, Semantic, image};
use crate::domain::{MemoryId, Reembedding};
use std::collections::BTreeSet;
use std::fs::{OpenOptions, TryLockError};
use std::path::PathBuf;
use std::sync::Arc;

/// Lines of the journal from which on it is folded, and new texts among them: whoever opens the store reads the ones and makes vectors
/// and words of the others.
const LINES: u64 = 512;
const TEXTS: usize = 128;
/// Where no engine folds, a command does once there are so many times as many.
const PATIENCE: u64 = 4;

/// Whether there is enough to fold, or something that was not folded to the end.
fn due(s: &State, times: u64) -> Result<bool, MemoryError> {
    let many = s.journal.pending() >= LINES * times || s.fresh as u64 >= TEXTS as u64 * times;
    Ok(many || s.rewrite || s.imageless || s.journal.has_sealed()?)
}

impl Semantic {
    /// Makes vectors that are missing, and takes the journal into the dataset once it is long. Nothing where another process is at
    /// it. How far the making of all vectors anew has come is told batch by batch, and at its end that it is over.
    ///
    /// # Errors
    /// The endpoint, the dataset or the disk: what was acknowledged is safe in the journal, and the next call goes on.
    pub fn maintain(&self, told: &mut dyn FnMut(Option<Reembedding>)) -> Result<(), MemoryError> {
        let Some(_alone) = self.alone()? else { return Ok(()) };
        self.with_mut(false, |state, lock| self.refresh(state, lock))?;
        let embedded = self.embed_missing(told);
        if !self.is_retired() && self.with(|s| due(s, 1))?? {
            self.fold_alone()?;
        }
        embedded
    }

    /// Takes the journal into the dataset if that is long overdue, as without an engine it is some day. No vectors are made.
    ///
    /// # Errors
    /// The dataset or the disk: what was acknowledged is safe in the journal.
    pub fn tidy(&self) -> Result<(), MemoryError> {
        if self.with(|s| due(s, PATIENCE))?? {
            self.fold()?;
        }
        Ok(())
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
        self.inner.table.set_unsynced_aside()?;
        let (sealed, dirty, rewrite, imageless) = self.with_mut(true, |state, lock: &JournalLock| {
            self.refresh(state, lock)?;
            let sealed = state.journal.seal(lock)?;
            state.fresh = 0;
            Ok((sealed, std::mem::take(&mut state.dirty), state.rewrite, state.imageless))
        })?;
        if sealed.is_empty() && dirty.is_empty() && !rewrite && !imageless {
            return Ok(false);
        }
        match self.fold_rows(&sealed, &dirty, rewrite) {
            Ok(()) => Ok(true),
            Err(e) => {
                self.hold(|state| {
                    state.dirty.extend(dirty);
                    Ok(())
                })?;
                Err(e)
            }
        }
    }

    fn fold_rows(&self, sealed: &[PathBuf], dirty: &BTreeSet<MemoryId>, rewrite: bool) -> Result<(), MemoryError> {
        let table = &self.inner.table;
        let before = if table.is_synced() { table.files()? } else { BTreeSet::new() };
        // A copy, so that nobody waits while it is written.
        let (index, by) = self.with(|s| (Arc::new(s.index.clone()), s.vectors_by.clone()))?;
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
        drop(index);
        // What is held goes on from what was written, as a new process has it: what came since the last fold takes more room and time.
        let image = draft.read().inspect(|image| image.index.warm());
        {
            let alone = journal::lock(&self.journal_dir(), true)?;
            draft.publish(&alone)?;
        }
        draft.sync()?;
        journal::remove(&self.journal_dir(), sealed)?;
        let old = self.hold(|state| Ok(state.folded(image, newest, rewrite)))?;
        drop(old);
        self.drop_side()
    }
}
