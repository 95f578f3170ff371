//! What can be wrong with a workspace.

use std::io;
use std::path::{Path, PathBuf};

/// A workspace that is not there or cannot be used. Each message says what, where, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Nothing was named and nothing was found.
    #[error("no workspace: no `orc.toml` here or in a parent folder, and none in {}. `orc init` makes one here; --workspace or ORC_WORKSPACE names one elsewhere", default.display())]
    NoWorkspace { default: PathBuf },
    /// A folder was named that is no workspace.
    #[error("{} is not a workspace: it has no `orc.toml`. `orc init {}` makes it one{}", path.display(), path.display(), if *.from_env { "; ORC_WORKSPACE names it" } else { "" })]
    NotAWorkspace { path: PathBuf, from_env: bool },
    /// A file or folder cannot be made, read or written.
    #[error("cannot {what} {}: {source}. {hint}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error, hint: String },
    /// Something that is not ours sits where a folder or a link has to be.
    #[error("{} is in the way: {what}. Move it away and try again", path.display())]
    InTheWay { path: PathBuf, what: String },
}

impl ConfigError {
    /// An I/O failure with the hint that fits its kind.
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ConfigError {
        let path = path.to_path_buf();
        move |source| {
            let hint = match source.kind() {
                io::ErrorKind::PermissionDenied => "The folder has to belong to you and be writable".to_owned(),
                io::ErrorKind::ReadOnlyFilesystem => "The file system is mounted read-only: choose another folder".to_owned(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "Free some space and run it again: what is there is kept".to_owned()
                }
                io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                    "A file is where a folder is expected: move it away or choose another folder".to_owned()
                }
                io::ErrorKind::NotFound => "Check the path".to_owned(),
                _ => "Check the folder and the disk, and try again".to_owned(),
            };
            ConfigError::Io { what, path, source, hint }
        }
    }
}
