//! A lock that one process holds. The kernel releases it with the process, so a stale one cannot exist.

use super::OsError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

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
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(OsError::Held { path: path.to_owned(), pid });
            }
            Err(TryLockError::Error(source)) => return Err(OsError::File { what: "lock", path: path.to_owned(), source }),
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
    fn the_second_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.lock");
        let lock = Lock::acquire(&path).unwrap();
        match Lock::acquire(&path).unwrap_err() {
            OsError::Held { pid, .. } => assert_eq!(pid, Some(std::process::id() as i32)),
            other => panic!("{other}"),
        }
        drop(lock);
        Lock::acquire(&path).unwrap();
    }
}
