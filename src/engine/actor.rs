//! Who a process acts for: the operator, unless it descends from a job's shim or carries an attempt's mark.

use super::launcher::read_json;
use crate::config::Workspace;
use crate::domain::{Actor, AttemptId, ProcessIdentity};
use crate::os::{process, tree};
use crate::store::{Store, StoreError};
use crate::wire::files;

/// Who the calling process acts for.
///
/// # Errors
/// The database.
pub fn this(store: &Store, workspace: &Workspace) -> Result<Actor, StoreError> {
    let attempt = std::env::var(tree::MARK).ok().and_then(|mark| mark.rsplit('/').next()?.parse::<AttemptId>().ok());
    of_process(store, workspace, std::process::id() as i32, attempt)
}

/// Who the process `pid` acts for. A missing mark proves nothing, since an environment can be emptied: what counts is whose
/// descendant it is, and a shim keeps every descendant below itself. `marked` is what its environment says.
///
/// # Errors
/// The database.
pub fn of_process(store: &Store, workspace: &Workspace, pid: i32, marked: Option<AttemptId>) -> Result<Actor, StoreError> {
    let above: Vec<(i32, u64)> = tree::ancestors(pid).iter().map(|p| (p.pid, p.start_time)).collect();
    let behind = store.behind_shims(&above, process::boot_id())?.into_iter().filter_map(|(place, inside)| {
        let place = place.or_else(|| place_of_unheard(workspace, inside.attempt, &above))?;
        Some((place, inside))
    });
    if let Some((_, inside)) = behind.min_by_key(|(place, _)| *place) {
        return Ok(Actor::Worker(inside));
    }
    let inside = marked.map(|attempt| store.inside_attempt(attempt)).transpose()?.flatten();
    Ok(inside.map_or(Actor::Operator, Actor::Worker))
}

/// Which of these processes is the shim of an attempt that has not said hello yet. It puts down who it is before its agent can
/// start, so there is no moment at which the agent is nobody's.
fn place_of_unheard(workspace: &Workspace, attempt: AttemptId, above: &[(i32, u64)]) -> Option<usize> {
    let shim: ProcessIdentity = read_json(&workspace.attempt_dir(attempt).join(files::SHIM))?;
    above.iter().position(|p| shim.boot_id == process::boot_id() && *p == (shim.pid, shim.start_time))
}
