//! What can go wrong between this program and the operating system.

use std::io;
use std::path::{Path, PathBuf};

/// A refusal of the operating system, with what was tried and where.
#[derive(Debug, thiserror::Error)]
pub enum OsError {
    /// A file operation failed.
    #[error("cannot {what} {}: {source}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    /// A lock is held by another process.
    #[error("{} is held by {}", path.display(), pid.map_or("another process".to_owned(), |pid| format!("process {pid}")))]
    Held { path: PathBuf, pid: Option<i32> },
    /// A file under `/proc` or `/sys` does not look as documented.
    #[error("cannot make sense of {}: {problem}", path.display())]
    Odd { path: PathBuf, problem: String },
}

impl OsError {
    /// The closure for `map_err` after a file operation.
    pub fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OsError {
        let path = path.to_owned();
        move |source| OsError::File { what, path, source }
    }

    /// True when the file exists already (`create_new`).
    pub fn exists(&self) -> bool {
        matches!(self, OsError::File { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
    }

    /// True when the disk, or the owner's share of it, is full.
    pub fn disk_full(&self) -> bool {
        matches!(self, OsError::File { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}
