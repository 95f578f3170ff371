//! A lock that one process holds. The kernel releases it with the process, so a stale one cannot exist.

use super::{OsError, process};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long somebody else's look at a lock may take.
const LOOK_LIMIT: Duration = Duration::from_millis(500);

/// True while some process holds the lock at `path`. By the time the answer is read it may be otherwise.
pub fn held(path: &Path) -> bool {
    let Ok(mut file) = File::open(path) else { return false };
    // A shared lock, for an instant: it disturbs no other look, and `acquire` knows it from a holder's by the missing name.
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(_)) => holder(&mut file).is_some(),
        Ok(()) => false,
    }
}

/// The process that the file names, if it lives.
fn holder(file: &mut File) -> Option<i32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    let pid = text.trim().parse().ok()?;
    process::stat(pid).is_some_and(|stat| !stat.is_dead()).then_some(pid)
}

/// An exclusive lock on a file; the file's text is the holder's pid. Released when dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock at once or not at all. Children do not inherit it (close-on-exec).
    ///
    /// # Errors
    /// [`OsError::Held`] when another process has it; or the file cannot be made.
    pub fn acquire(path: &Path) -> Result<Lock, OsError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(OsError::file("open the lock", path))?;
        let until = Instant::now() + LOOK_LIMIT;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    let pid = holder(&mut file);
                    if pid.is_some() || Instant::now() > until {
                        return Err(OsError::Held { path: path.to_owned(), pid });
                    }
                    // Nobody has put a name to it: it is being looked at (`held`), or was taken this instant.
                    std::thread::yield_now();
                }
                Err(TryLockError::Error(source)) => return Err(OsError::File { what: "lock", path: path.to_owned(), source }),
            }
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(OsError::file("write the lock", path))?;
        Ok(Lock { file, path: path.to_owned() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The name stays: removing it would let a third process lock another file of the same name.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

/// True while some process holds the lock at `path`.
pub fn lock_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_keeps_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.lock");
        // What an engine that was killed has left: the name of a process that is no more.
        std::fs::write(&path, "4194999\n").unwrap();
        let looking = File::open(&path).unwrap();
        looking.lock_shared().unwrap();
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| Lock::acquire(&path).map(|_| ()));
            looking.unlock().unwrap();
            taken.join().unwrap().unwrap();
        });
    }

    #[test]
    fn the_second_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.lock");
        let lock = Lock::acquire(&path).unwrap();
        match Lock::acquire(&path).unwrap_err() {
            OsError::Held { pid, .. } => assert_eq!(pid, Some(std::process::id() as i32)),
            other => panic!("{other}"),
        }
        assert!(held(&path));
        drop(lock);
        assert!(!held(&path) && !held(&dir.path().join("none")));
        Lock::acquire(&path).unwrap();
    }
}
