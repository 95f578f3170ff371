//! Why a job process cannot begin. Once an attempt is owned, what goes wrong becomes its outcome instead.

use crate::os::OsError;
use std::io;
use std::path::PathBuf;

/// A job process that cannot begin, or had to break off.
#[derive(Debug, thiserror::Error)]
pub enum ShimError {
    #[error(transparent)]
    Os(#[from] OsError),
    #[error("{} is not an attempt's description: {problem}; the engine that wrote it has to fence this attempt", path.display())]
    Spec { path: PathBuf, problem: String },
    #[error("the attempt was written by an engine with protocol {got}, this program knows {known}: install programs of one version")]
    Protocol { got: u32, known: u32 },
    #[error("no token on standard input: an attempt is started by the engine, which passes the token as the first line")]
    NoToken,
    /// Another one decided this attempt first; nothing is to be done.
    #[error("the attempt has an owner already")]
    Owned,
    #[error("cannot {what}: {source}")]
    Start { what: &'static str, source: io::Error },
}

impl ShimError {
    /// The closure for `map_err` on steps of the start.
    pub fn start<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> ShimError {
        move |source| ShimError::Start { what, source: source.into() }
    }
}
