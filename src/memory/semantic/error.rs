//! What can go wrong with the memories.

use crate::domain::MemoryId;
use std::io;
use std::path::{Path, PathBuf};

/// The memory store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    #[error("the memory store: {} cannot be {what}: {source}", path.display())]
    Io { path: PathBuf, what: &'static str, source: io::Error },
    #[error(
        "the memory dataset {} cannot be {what}: {message}; put a copy of the folder from a backup in its place, or move it away and import an export (orc memory import FILE)",
        path.display()
    )]
    Dataset { path: PathBuf, what: &'static str, message: String },
    #[error("there is no memory {0}: `orc memory ls` lists them")]
    Unknown(MemoryId),
    #[error("{0}")]
    Invalid(String),
    #[error("memories have no vectors for now: {0}")]
    Embedding(#[from] crate::memory::EmbedError),
}

impl MemoryError {
    pub(super) fn io(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> MemoryError {
        let path = path.to_owned();
        move |source| MemoryError::Io { path, what, source }
    }
}
