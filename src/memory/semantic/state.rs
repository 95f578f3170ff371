//! What a process holds of the memories, and how it keeps up with the journal: whoever only looks never waits for much that is new.

use super::image::{self, Image};
use super::index::Index;
use super::journal::{Journal, JournalLock, News};
use super::vectors::Coded;
use super::{MemoryError, Semantic};
use crate::domain::{Memory, MemoryId};
use crate::memory::Embedder;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// More than this of the journal (in bytes: some thousand memories, half a second) is read aside, while others go on with what is there.
const FAR: u64 = 512 * 1024;
/// So many lines are read at once aside, so many times before the others have them.
const PART: usize = 4096;
const PARTS: usize = 16;
/// So many texts have one thread for their vectors.
const ALONE: usize = 64;

/// What is held.
#[derive(Clone)]
pub struct State {
    pub index: Index,
    pub journal: Journal,
    /// What made the index's vectors.
    pub vectors_by: Option<String>,
    /// Changed since the dataset was written.
    pub dirty: BTreeSet<MemoryId>,
    /// Texts since then: each costs whoever opens the store a vector.
    pub fresh: usize,
    /// The dataset has to be written anew as a whole.
    pub rewrite: bool,
    /// No image was there that could be used.
    pub imageless: bool,
    /// The dataset's version that this goes back to.
    pub at: Option<String>,
    /// Of changes: what was made of a copy counts only if there was none meanwhile.
    epoch: u64,
}

impl State {
    /// What `fold` has written is as it was read back; what came meanwhile stands on top. Returns what it replaces, which takes time to drop.
    pub fn folded(&mut self, image: Option<Image>, at: Option<String>, rewritten: bool) -> Option<Index> {
        self.at = at;
        self.imageless = false;
        self.rewrite &= !rewritten;
        let mut index = image.filter(|image| image.embedder == self.vectors_by)?.index;
        for id in &self.dirty {
            if let Some(row) = self.index.row(*id) {
                index.put(self.index.rows().get(row).into_owned());
                carry(&self.index, row, &mut index, *id);
            }
        }
        Some(std::mem::replace(&mut self.index, index))
    }
}

/// Gives a memory the vector that it has in another index. True where it has one.
fn carry(from: &Index, row: usize, to: &mut Index, id: MemoryId) -> bool {
    let coded = from.vectors.get(row).map(|(codes, scale)| Coded { codes: codes.to_vec(), scale });
    to.row(id).is_some_and(|row| to.vectors.set(row, coded.as_ref()))
}

impl Semantic {
    pub(super) fn journal_dir(&self) -> PathBuf {
        self.inner.dir.join("journal")
    }

    /// Loads what is not loaded yet.
    pub(super) fn load(&self) -> Result<(), MemoryError> {
        let _only = self.inner.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if self.inner.state.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let journal = Journal::open(&self.journal_dir())?;
        let lock = journal.lock(false)?;
        let (mut state, rows) = self.stored(journal, &lock)?;
        drop(lock);
        self.take(&mut state, rows);
        *self.inner.state.write().unwrap_or_else(PoisonError::into_inner) = Some(state);
        Ok(())
    }

    /// The store as it is on the disk, and what the journal has on top. The lock keeps image and journal fitting together.
    fn stored(&self, mut journal: Journal, _lock: &JournalLock) -> Result<(State, Vec<Memory>), MemoryError> {
        let table = &self.inner.table;
        let at = table.sure().map(|(_, name)| name);
        // A file of the journal goes after an image that has what it says is in place. So the last image does as long as some are
        // left, whatever became of the dataset since.
        let sealed = journal.has_sealed()?;
        let image = image::read(&self.inner.dir.join("index")).filter(|image| image.dataset == at || sealed);
        let imageless = image.is_none();
        let (index, embedder, rewrite) = match image {
            // The vectors of the dataset may be another embedder's.
            Some(image) => (image.index, image.embedder, image.dataset != at),
            None => {
                // A version may be tidied away while it is read; the next one is there then.
                let stored = table.read().or_else(|_| table.read())?;
                let mut index = Index::default();
                for (row, (memory, coded)) in stored.rows.into_iter().enumerate() {
                    index.put(memory);
                    index.vectors.set(row, coded.as_ref());
                }
                (index, stored.embedder, false)
            }
        };
        let imageless = imageless && !index.rows().is_empty();
        let vectors_by = embedder.filter(|_| index.vectors.dim() > 0).or_else(|| Some(self.inner.embedder.id().to_owned()));
        match journal.read()? {
            News::Rows(rows) => {
                Ok((State { index, journal, vectors_by, dirty: BTreeSet::new(), fresh: 0, rewrite, imageless, at, epoch: 0 }, rows))
            }
            News::Gap => Err(MemoryError::Invalid("the memories' journal is being removed by something else".into())),
        }
    }

    /// Loads everything again. Vectors that were made here and are not in the dataset yet need not be made again.
    fn reload(&self, old: &State, lock: &JournalLock) -> Result<State, MemoryError> {
        let (mut new, rows) = self.stored(Journal::open(&self.journal_dir())?, lock)?;
        self.take(&mut new, rows);
        if new.vectors_by == old.vectors_by {
            let missing: Vec<usize> = new.index.vectors.missing().collect();
            for row in missing {
                let id = new.index.rows().id(row);
                let same = old.index.row(id).filter(|r| old.index.rows().text(*r) == new.index.rows().text(row));
                if same.is_some_and(|r| carry(&old.index, r, &mut new.index, id)) {
                    new.dirty.insert(id);
                }
            }
        }
        new.epoch = old.epoch + 1;
        Ok(new)
    }

    /// Loads again where another process has written the dataset: its vectors may be others.
    pub(super) fn refresh(&self, state: &mut State, lock: &JournalLock) -> Result<(), MemoryError> {
        if self.inner.table.sure().map(|(_, name)| name) != state.at {
            *state = self.reload(state, lock)?;
        }
        Ok(())
    }

    /// Puts rows from the journal into the index, with vectors where those cost nothing.
    pub(super) fn take(&self, state: &mut State, rows: Vec<Memory>) {
        let mut texts = Vec::new();
        for memory in rows {
            let id = memory.id;
            state.dirty.insert(id);
            if state.index.put(memory) {
                texts.push(id);
            }
        }
        state.fresh += texts.len();
        let Some(embedder) = self.embedder_of(state.vectors_by.as_deref()).filter(|e| e.is_local()) else { return };
        for some in texts.chunks(PART) {
            let rows: Vec<usize> = some.iter().filter_map(|id| state.index.row(*id)).collect();
            let texts: Vec<&str> = rows.iter().map(|row| state.index.rows().text(*row)).collect();
            for (row, coded) in rows.iter().zip(coded(&*embedder, &texts)) {
                state.index.vectors.set(*row, coded.as_ref());
            }
        }
    }

    /// Reads what other processes have appended.
    fn catch_up(&self, state: &mut State, lock: &JournalLock) -> Result<(), MemoryError> {
        match state.journal.read()? {
            News::Rows(rows) => self.take(state, rows),
            News::Gap => *state = self.reload(state, lock)?,
        }
        Ok(())
    }

    /// Catches up with much that is new, on a copy: nobody waits for it but who has to have it all.
    fn follow(&self) -> Result<(), MemoryError> {
        let far = || -> Result<Option<State>, MemoryError> {
            let state = self.inner.state.read().unwrap_or_else(PoisonError::into_inner);
            let Some(state) = &*state else { return Ok(None) };
            Ok((state.journal.unread()? > FAR).then(|| state.clone()))
        };
        // Whoever writes faster than this reads is let go in the end.
        for _ in 0..PARTS {
            let Some(mut aside) = far()? else { return Ok(()) };
            let epoch = aside.epoch;
            for _ in 0..PARTS {
                match aside.journal.read_some(PART)? {
                    News::Rows(rows) if rows.is_empty() => break,
                    News::Rows(rows) => self.take(&mut aside, rows),
                    News::Gap => {
                        let lock = aside.journal.lock(false)?;
                        aside = self.reload(&aside, &lock)?;
                    }
                }
            }
            aside.epoch = epoch + 1;
            let mut state = self.inner.state.write().unwrap_or_else(PoisonError::into_inner);
            let old = if state.as_ref().is_some_and(|s| s.epoch == epoch) { state.replace(aside) } else { Some(aside) };
            drop(state);
            drop(old);
        }
        Ok(())
    }

    /// The same in a thread of its own, of which there is one.
    fn follow_aside(&self) {
        if self.inner.following.swap(true, Ordering::SeqCst) {
            return;
        }
        let store = self.clone();
        let started = std::thread::Builder::new().name("memories".into()).spawn(move || {
            let done = store.follow();
            store.inner.following.store(false, Ordering::SeqCst);
            if let Err(e) = done {
                tracing::warn!("new memories are not read: {e}");
            }
        });
        if let Err(e) = started {
            self.inner.following.store(false, Ordering::SeqCst);
            tracing::warn!("new memories are not read: no thread can be started: {e}");
        }
    }

    /// Looks at the store as it is now; where very much is new at once (an import), as it was a moment ago.
    pub(super) fn with<T>(&self, f: impl FnOnce(&State) -> T) -> Result<T, MemoryError> {
        self.load()?;
        {
            let state = self.inner.state.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(state) = &*state {
                match state.journal.unread()? {
                    0 => return Ok(f(state)),
                    n if n > FAR => {
                        self.follow_aside();
                        return Ok(f(state));
                    }
                    _ => {}
                }
            }
        }
        self.with_mut(false, |state, _| Ok(f(state)))
    }

    /// Has the store for itself in this process, as it is in memory.
    pub(super) fn hold<T>(&self, f: impl FnOnce(&mut State) -> Result<T, MemoryError>) -> Result<T, MemoryError> {
        self.load()?;
        let mut state = self.inner.state.write().unwrap_or_else(PoisonError::into_inner);
        let Some(state) = &mut *state else { return Err(MemoryError::Invalid("the memories are not loaded".into())) };
        state.epoch += 1;
        f(state)
    }

    /// The same with everything read, and with `alone` among all processes.
    pub(super) fn with_mut<T>(
        &self,
        alone: bool,
        f: impl FnOnce(&mut State, &JournalLock) -> Result<T, MemoryError>,
    ) -> Result<T, MemoryError> {
        self.load()?;
        self.follow()?;
        self.hold(|state| {
            let lock = state.journal.lock(alone)?;
            self.catch_up(state, &lock)?;
            f(state, &lock)
        })
    }

    /// Changes memories: `f` says which rows stand from now on. They are on the disk before anybody sees them, and other processes need
    /// not wait until this one has them in its index.
    pub(super) fn change<T>(&self, f: impl FnOnce(&Index) -> Result<(Vec<Memory>, T), MemoryError>) -> Result<T, MemoryError> {
        self.load()?;
        self.follow()?;
        self.hold(|state| {
            let lock = state.journal.lock(true)?;
            self.catch_up(state, &lock)?;
            let (rows, out) = f(&state.index)?;
            if !rows.is_empty() {
                state.journal.append(&lock, &rows)?;
                drop(lock);
                self.take(state, rows);
            }
            Ok(out)
        })
    }
}

/// Vectors by an embedder that costs nothing; many are made on several cores. `None` where one cannot be made.
fn coded(embedder: &dyn Embedder, texts: &[&str]) -> Vec<Option<Coded>> {
    let make = |texts: &[&str]| -> Vec<Option<Coded>> {
        match embedder.embed(texts) {
            Ok(vectors) if vectors.len() == texts.len() => vectors.iter().map(|v| Some(Coded::new(v))).collect(),
            _ => vec![None; texts.len()],
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(texts.len() / ALONE).max(1);
    let mut parts = texts.chunks(texts.len().div_ceil(threads).max(1));
    std::thread::scope(|s| {
        let mine = parts.next().unwrap_or_default();
        let others: Vec<_> = parts.map(|part| (part.len(), s.spawn(move || make(part)))).collect();
        let mut all = make(mine);
        for (n, other) in others {
            all.extend(other.join().unwrap_or_else(|_| vec![None; n]));
        }
        all
    })
}
