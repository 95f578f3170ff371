//! What was acknowledged and is not in the dataset yet: numbered files of JSON Lines, each line a memory as it stands from then on.
//!
//! A line is appended under a file lock and on the disk before it is acknowledged, by whichever process writes. Reading a line twice
//! changes nothing. The newest file is the one that grows; folding (`fold.rs`) begins the next one, takes the older ones into the
//! dataset, and removes them. A line that a crash has torn was never acknowledged, and is cut off.

use super::MemoryError;
use crate::domain::Memory;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// More than this of a file that was folded and removed is not read line by line: the image has it (in bytes; some thousand lines).
const LONG: u64 = 512 * 1024;

/// Reads on from where it stopped, and appends. A copy goes on from there by itself.
#[derive(Clone, Debug)]
pub struct Journal {
    dir: PathBuf,
    at: Option<Position>,
    /// Lines that are no memory, each said once.
    damaged: u64,
}

#[derive(Clone, Debug)]
struct Position {
    number: u64,
    /// Stays readable when another process has removed the file.
    file: Arc<File>,
    offset: u64,
    rows: u64,
}

/// What reading on has found.
#[derive(Debug, PartialEq)]
pub enum News {
    Rows(Vec<Memory>),
    /// Files that were not read are gone: everything has to be loaded again.
    Gap,
}

/// Held while the journal is changed, or while several files have to fit together.
#[derive(Debug)]
pub struct JournalLock {
    _held: Held,
}

/// A file's lock, given back when this goes. Closing the file would not do: a child that was forked meanwhile and has not come to
/// its exec holds the same lock.
#[derive(Debug)]
pub struct Held(pub File);

impl Drop for Held {
    fn drop(&mut self) {
        // It was locked; there is nothing that could be done.
        let _ = self.0.unlock();
    }
}

impl Journal {
    /// The journal in a folder, which is made if need be. Nothing is read yet.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(dir: &Path) -> Result<Journal, MemoryError> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(MemoryError::io(dir, "made"))?;
        Ok(Journal { dir: dir.to_owned(), at: None, damaged: 0 })
    }

    /// Waits for the lock: alone to change something, shared to read several files as of one moment.
    ///
    /// # Errors
    /// The lock's file cannot be opened or locked.
    pub fn lock(&self, alone: bool) -> Result<JournalLock, MemoryError> {
        lock(&self.dir, alone)
    }

    /// Lines that were no memory.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Lines of the newest file that were read.
    pub fn pending(&self) -> u64 {
        self.at.as_ref().map_or(0, |p| p.rows)
    }

    /// Whether older files than the newest are there: they were to be folded, and were not to the end.
    ///
    /// # Errors
    /// The disk.
    pub fn has_sealed(&self) -> Result<bool, MemoryError> {
        Ok(self.numbers()?.len() > 1)
    }

    /// How much is there that was not read, in bytes; two looks at files, nothing is read. At least 1 where there is anything new.
    ///
    /// # Errors
    /// The disk.
    pub fn unread(&self) -> Result<u64, MemoryError> {
        let size = |number: u64| self.path(number).metadata().map(|m| m.len().max(1));
        let Some(at) = &self.at else { return Ok(self.numbers()?.into_iter().filter_map(|n| size(n).ok()).sum()) };
        let meta = at.file.metadata().map_err(MemoryError::io(&self.path(at.number), "read"))?;
        let mut unread = meta.len().saturating_sub(at.offset);
        if meta.nlink() == 0 {
            unread = if unread > LONG { 1 } else { unread.max(1) };
        }
        let mut next = at.number + 1;
        while let Ok(more) = size(next) {
            unread += more;
            next += 1;
        }
        Ok(unread)
    }

    /// Reads on to the end.
    ///
    /// # Errors
    /// The disk.
    pub fn read(&mut self) -> Result<News, MemoryError> {
        self.read_some(usize::MAX)
    }

    /// Reads on, and no further once there are so many.
    ///
    /// # Errors
    /// The disk.
    pub fn read_some(&mut self, most: usize) -> Result<News, MemoryError> {
        let mut rows = Vec::new();
        loop {
            if let Some(at) = &self.at {
                let meta = at.file.metadata().map_err(MemoryError::io(&self.path(at.number), "read"))?;
                if meta.nlink() == 0 && meta.len().saturating_sub(at.offset) > LONG {
                    self.at = None;
                    return Ok(News::Gap);
                }
                self.read_file(&mut rows, most)?;
                if rows.len() >= most {
                    return Ok(News::Rows(rows));
                }
            }
            let next = match &self.at {
                None => self.numbers()?.first().copied(),
                Some(at) => {
                    let next = at.number + 1;
                    let gone = at.file.metadata().map_err(MemoryError::io(&self.path(at.number), "read"))?.nlink() == 0;
                    if self.path(next).exists() {
                        // Nothing is appended to a file once there is a next one: what came in between is read here.
                        self.read_file(&mut rows, most)?;
                        if rows.len() >= most {
                            return Ok(News::Rows(rows));
                        }
                        Some(next)
                    } else if gone {
                        self.at = None;
                        return Ok(News::Gap);
                    } else {
                        None
                    }
                }
            };
            let Some(number) = next else { return Ok(News::Rows(rows)) };
            let path = self.path(number);
            match File::open(&path) {
                Ok(file) => self.at = Some(Position { number, file: Arc::new(file), offset: 0, rows: 0 }),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    self.at = None;
                    return Ok(News::Gap);
                }
                Err(e) => return Err(MemoryError::io(&path, "read")(e)),
            }
        }
    }

    /// The whole lines behind the position, until there are so many.
    fn read_file(&mut self, rows: &mut Vec<Memory>, most: usize) -> Result<(), MemoryError> {
        let Some(at) = &mut self.at else { return Ok(()) };
        let path = self.dir.join(name(at.number));
        let failed = || MemoryError::io(&path, "read");
        let mut reader = BufReader::with_capacity(256 * 1024, Tail { file: at.file.clone(), offset: at.offset });
        let mut line = Vec::new();
        while rows.len() < most {
            line.clear();
            reader.read_until(b'\n', &mut line).map_err(failed())?;
            if line.last() != Some(&b'\n') {
                return Ok(());
            }
            match serde_json::from_slice(&line) {
                Ok(memory) => {
                    rows.push(memory);
                    at.rows += 1;
                }
                Err(_) if at.offset == 0 && line.starts_with(HEADER) => {}
                Err(e) => {
                    self.damaged += 1;
                    tracing::warn!("{}, byte {}: no memory, passed over: {e}", path.display(), at.offset);
                }
            }
            at.offset += line.len() as u64;
        }
        Ok(())
    }

    /// Appends memories; on the disk when this returns. To be called with the lock held alone and everything read.
    ///
    /// # Errors
    /// The disk: then nothing was appended.
    pub fn append(&mut self, _lock: &JournalLock, rows: &[Memory]) -> Result<(), MemoryError> {
        if self.at.is_none() {
            self.begin(1)?;
        }
        let Some(at) = &mut self.at else { return Ok(()) };
        let path = self.dir.join(name(at.number));
        let mut lines = Vec::with_capacity(rows.len() * 256);
        for row in rows {
            serde_json::to_writer(&mut lines, row).map_err(|e| MemoryError::io(&path, "written")(e.into()))?;
            lines.push(b'\n');
        }
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            // What is behind the last whole line was torn by a crash.
            file.set_len(at.offset)?;
            file.seek(SeekFrom::Start(at.offset))?;
            let done = file.write_all(&lines).and_then(|()| file.sync_data());
            if done.is_err() {
                let _ = file.set_len(at.offset);
            }
            done
        };
        write().map_err(MemoryError::io(&path, "written"))?;
        at.offset += lines.len() as u64;
        at.rows += rows.len() as u64;
        Ok(())
    }

    /// Begins the next file if the newest holds something; the older ones can be folded. With the lock held alone and everything
    /// read. Returns the files to fold.
    ///
    /// # Errors
    /// The disk.
    pub fn seal(&mut self, _lock: &JournalLock) -> Result<Vec<PathBuf>, MemoryError> {
        match &self.at {
            Some(at) if at.rows > 0 || self.damaged > 0 => self.begin(at.number + 1)?,
            _ => {}
        }
        let newest = self.at.as_ref().map_or(0, |at| at.number);
        Ok(self.numbers()?.into_iter().filter(|n| *n < newest).map(|n| self.path(n)).collect())
    }

    fn begin(&mut self, number: u64) -> Result<(), MemoryError> {
        let path = self.path(number);
        let failed = || MemoryError::io(&path, "made");
        // A crash may have left it, empty or with its first line.
        let mut file = open(OpenOptions::new().read(true).write(true).create(true).truncate(true), &path).map_err(failed())?;
        let mut header = HEADER.to_vec();
        header.extend_from_slice(b",\"version\":1}\n");
        file.write_all(&header).and_then(|()| file.sync_all()).map_err(failed())?;
        sync_dir(&self.dir)?;
        self.at = Some(Position { number, file: Arc::new(file), offset: header.len() as u64, rows: 0 });
        Ok(())
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(name(number))
    }

    fn numbers(&self) -> Result<Vec<u64>, MemoryError> {
        let entries = std::fs::read_dir(&self.dir).map_err(MemoryError::io(&self.dir, "listed"))?;
        let number = |e: std::fs::DirEntry| e.file_name().to_str()?.strip_suffix(".jsonl")?.parse().ok();
        let mut all: Vec<u64> = entries.flatten().filter_map(number).collect();
        all.sort_unstable();
        Ok(all)
    }
}

/// A file from a place on; who else reads it is not disturbed.
struct Tail {
    file: Arc<File>,
    offset: u64,
}

impl Read for Tail {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buffer, self.offset)?;
        self.offset += n as u64;
        Ok(n)
    }
}

/// Waits for the lock of the journal in a folder, see [`Journal::lock`].
///
/// # Errors
/// The lock's file cannot be opened or locked.
pub fn lock(dir: &Path, alone: bool) -> Result<JournalLock, MemoryError> {
    let path = dir.join("lock");
    let file = open(OpenOptions::new().create(true).append(true), &path).map_err(MemoryError::io(&path, "opened"))?;
    if alone { file.lock() } else { file.lock_shared() }.map_err(MemoryError::io(&path, "locked"))?;
    Ok(JournalLock { _held: Held(file) })
}

/// Removes folded files, with the lock held alone for no longer than that takes. One that holds a damaged line is kept under another name.
///
/// # Errors
/// The disk.
pub fn remove(dir: &Path, sealed: &[PathBuf]) -> Result<(), MemoryError> {
    let whole: Vec<bool> = sealed.iter().map(|path| is_whole(path)).collect();
    {
        let _alone = lock(dir, true)?;
        for (path, whole) in sealed.iter().zip(whole) {
            let done = if whole { std::fs::remove_file(path) } else { std::fs::rename(path, path.with_extension("damaged")) };
            match done {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(MemoryError::io(path, "removed")(e)),
                _ => {}
            }
        }
    }
    sync_dir(dir)
}

/// How the first line begins.
const HEADER: &[u8] = b"{\"journal\":\"orc memories\"";

fn name(number: u64) -> String {
    format!("{number:08}.jsonl")
}

fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.mode(0o600).open(path)
}

fn is_whole(path: &Path) -> bool {
    let Ok(text) = std::fs::read(path) else { return true };
    let lines = text.split(|b| *b == b'\n').filter(|l| !l.is_empty());
    lines.enumerate().all(|(i, l)| (i == 0 && l.starts_with(HEADER)) || serde_json::from_slice::<Memory>(l).is_ok())
}

/// Makes what happened to a folder's entries durable.
pub fn sync_dir(dir: &Path) -> Result<(), MemoryError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(MemoryError::io(dir, "synced"))
}

#[cfg(test)]
mod tests {
    use super::super::index::tests::memory;
    use super::*;

    fn append(journal: &mut Journal, rows: &[Memory]) {
        let lock = journal.lock(true).unwrap();
        assert!(matches!(journal.read().unwrap(), News::Rows(_)));
        journal.append(&lock, rows).unwrap();
    }

    fn rows(news: News) -> Vec<i64> {
        match news {
            News::Rows(rows) => rows.iter().map(|m| m.id.0).collect(),
            News::Gap => panic!("a gap"),
        }
    }

    #[test]
    fn what_one_writes_the_other_reads_also_across_folds() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Journal::open(dir.path()).unwrap();
        let mut reader = Journal::open(dir.path()).unwrap();
        assert!(reader.unread().unwrap() == 0);
        append(&mut writer, &[memory(1, "one"), memory(2, "two")]);
        assert!(reader.unread().unwrap() > 0);
        assert_eq!(rows(reader.read().unwrap()), [1, 2]);
        assert!(reader.unread().unwrap() == 0 && writer.unread().unwrap() == 0);
        append(&mut writer, &[memory(3, "three")]);
        let lock = writer.lock(true).unwrap();
        let sealed = writer.seal(&lock).unwrap();
        assert_eq!(sealed.len(), 1);
        drop(lock);
        remove(dir.path(), &sealed).unwrap();
        append(&mut writer, &[memory(4, "four")]);
        assert_eq!(rows(reader.read().unwrap()), [3, 4], "the removed file is read to its end");
        append(&mut reader, &[memory(5, "five")]);
        assert_eq!(rows(writer.read().unwrap()), [5]);
    }

    #[test]
    fn who_slept_through_two_folds_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Journal::open(dir.path()).unwrap();
        append(&mut writer, &[memory(1, "one")]);
        let mut sleeper = Journal::open(dir.path()).unwrap();
        assert_eq!(rows(sleeper.read().unwrap()), [1]);
        for id in [2, 3] {
            append(&mut writer, &[memory(id, "more")]);
            let lock = writer.lock(true).unwrap();
            let sealed = writer.seal(&lock).unwrap();
            drop(lock);
            remove(dir.path(), &sealed).unwrap();
        }
        assert!(sleeper.unread().unwrap() > 0);
        assert_eq!(sleeper.read().unwrap(), News::Gap);
    }

    #[test]
    fn much_that_was_folded_unread_is_a_gap_and_much_that_is_there_is_read_in_parts() {
        let dir = tempfile::tempdir().unwrap();
        let mut reader = Journal::open(dir.path()).unwrap();
        let mut writer = Journal::open(dir.path()).unwrap();
        append(&mut writer, &[memory(1, "one")]);
        assert_eq!(rows(reader.read().unwrap()), [1]);
        let long = "x".repeat(1000);
        let many: Vec<Memory> = (2..=1000).map(|id| memory(id, &long)).collect();
        append(&mut writer, &many);
        assert!(reader.unread().unwrap() > LONG);
        let mut parts = reader.clone();
        assert_eq!(rows(parts.read_some(2).unwrap()), [2, 3]);
        assert_eq!(rows(parts.read_some(1).unwrap()), [4]);
        assert_eq!(rows(parts.read().unwrap()).len(), 996);
        assert_eq!(parts.unread().unwrap(), 0);
        let lock = writer.lock(true).unwrap();
        let sealed = writer.seal(&lock).unwrap();
        drop(lock);
        remove(dir.path(), &sealed).unwrap();
        assert_eq!(rows(parts.read().unwrap()), Vec::<i64>::new(), "who has read it goes on");
        assert!((1..LONG).contains(&reader.unread().unwrap()), "it is not far: it has to load");
        assert_eq!(reader.read().unwrap(), News::Gap);
    }

    #[test]
    fn a_torn_line_is_cut_and_a_damaged_one_is_passed_over_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Journal::open(dir.path()).unwrap();
        append(&mut writer, &[memory(1, "one")]);
        let path = dir.path().join(name(1));
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], br#"{"id":2,"text":"to"#].concat()).unwrap();
        let mut other = Journal::open(dir.path()).unwrap();
        append(&mut other, &[memory(3, "three")]);
        let mut fresh = Journal::open(dir.path()).unwrap();
        assert_eq!(rows(fresh.read().unwrap()), [1, 3]);
        assert_eq!(fresh.damaged(), 0);

        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.len() - 20;
        bytes[at] = 0;
        std::fs::write(&path, &bytes).unwrap();
        let mut fresh = Journal::open(dir.path()).unwrap();
        assert_eq!(rows(fresh.read().unwrap()), [1]);
        assert_eq!(fresh.damaged(), 1);
        let lock = fresh.lock(true).unwrap();
        let sealed = fresh.seal(&lock).unwrap();
        drop(lock);
        remove(dir.path(), &sealed).unwrap();
        assert_eq!(std::fs::read(path.with_extension("damaged")).unwrap(), bytes);
    }
}
