//! What can go wrong with the database, for people.

use crate::domain::JobId;
use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};

/// A failure of the store. The text says what, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("no database at {}: make the workspace with `orc init`", path.display())]
    Missing { path: PathBuf },
    #[error("cannot open the database {}: {source}. Check that the folder exists and that you may write to it", path.display())]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("{} was made by a newer version of orc (schema {found}, this one knows up to {known}): use that version, or restore the backup that it made beside the file", path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("{} has an older schema ({found} of {known}): any `orc` command that writes (such as `orc job add` or `orc tui`) migrates it", path.display())]
    Older { path: PathBuf, found: i64, known: i64 },
    #[error("{} is not a database of orc: choose another workspace with --workspace", path.display())]
    Foreign { path: PathBuf },
    #[error("cannot back up {} to {} before the migration: {message}. Make room or fix the permissions; nothing was changed", path.display(), backup.display())]
    Backup { path: PathBuf, backup: PathBuf, message: String },
    #[error("cannot migrate {}: {message}. Nothing was changed; the backup is beside the file", path.display())]
    Migrate { path: PathBuf, message: String },
    #[error("the disk is full: {} cannot grow. Nothing was saved; make room and try again", path.display())]
    Full { path: PathBuf },
    #[error("{} is locked by another process for too long: try again; `fuser {}` names who holds it", path.display(), path.display())]
    Busy { path: PathBuf },
    #[error("{} cannot be written: {message}. Check the permissions of the file and of its folder", path.display())]
    ReadOnly { path: PathBuf, message: String },
    #[error("{} is damaged: {message}. Stop the engine and restore the newest backup beside it", path.display())]
    Damaged { path: PathBuf, message: String },
    #[error("there is no job {0}: `orc job ls --all` lists them")]
    NoJob(JobId),
    #[error("there is no {what} {name}: `orc {what} ls` lists them")]
    Unknown { what: &'static str, name: String },
    #[error("job {job} cannot go on: {message}")]
    Refused { job: JobId, message: String },
    #[error("{0}")]
    Invalid(String),
    #[error("database {}: {source}", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
}

impl StoreError {
    pub(super) fn open(path: &Path, source: rusqlite::Error) -> StoreError {
        match StoreError::sqlite(path, source) {
            StoreError::Sqlite { path, source } => StoreError::Open { path, source },
            other => other,
        }
    }

    pub(super) fn sqlite(path: &Path, source: rusqlite::Error) -> StoreError {
        let path = path.to_owned();
        let message = source.to_string();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { path },
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path, message },
            Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged { path, message },
            Some(ErrorCode::NotADatabase) => StoreError::Foreign { path },
            _ => StoreError::Sqlite { path, source },
        }
    }

    /// True when a unique index refused the row.
    pub fn is_conflict(&self) -> bool {
        matches!(self, StoreError::Sqlite { source, .. } if source.sqlite_error_code() == Some(ErrorCode::ConstraintViolation))
    }
}
