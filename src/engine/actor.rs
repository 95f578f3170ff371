//! Who a process acts for: the operator, unless it descends from a job's shim or carries an attempt's mark.

use crate::domain::{Actor, AttemptId};
use crate::os::{process, tree};
use crate::store::{Store, StoreError};

/// Who the calling process acts for.
///
/// # Errors
/// The database.
pub fn this(store: &Store) -> Result<Actor, StoreError> {
    let attempt = std::env::var(tree::MARK).ok().and_then(|mark| mark.rsplit('/').next()?.parse::<AttemptId>().ok());
    of_process(store, std::process::id() as i32, attempt)
}

/// Who the process `pid` acts for. A missing mark proves nothing, since an environment can be emptied: what counts is whose
/// descendant it is, and a shim keeps every descendant below itself. `marked` is what its environment says.
///
/// # Errors
/// The database.
pub fn of_process(store: &Store, pid: i32, marked: Option<AttemptId>) -> Result<Actor, StoreError> {
    let above: Vec<(i32, u64)> = tree::ancestors(pid).iter().map(|p| (p.pid, p.start_time)).collect();
    if let Some(inside) = store.inside_shim(&above, process::boot_id())? {
        return Ok(Actor::Worker(inside));
    }
    let inside = marked.map(|attempt| store.inside_attempt(attempt)).transpose()?.flatten();
    Ok(inside.map_or(Actor::Operator, Actor::Worker))
}
