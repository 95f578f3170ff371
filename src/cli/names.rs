//! Names that a submission may use, checked at the cost of a look: an unknown one is refused with the list.

use super::context::Context;
use super::error::{CliError, Result};
use crate::config;
use crate::domain::Worker;
use crate::store::Store;

/// The backends that come with the program: known without reading a description.
const SHIPPED: [&str; 7] = ["claude", "codex", "gemini", "opencode", "shell", "http", "replay"];

/// A backend, shipped or described in the workspace.
///
/// # Errors
/// There is none of that name.
pub fn backend(cx: &Context, name: &str) -> Result {
    if SHIPPED.contains(&name) {
        return Ok(());
    }
    let (known, problems) = cx.backends()?;
    if known.contains_key(name) {
        return Ok(());
    }
    // A description that is broken may be the one that was meant.
    let problems: String = problems.iter().map(|p| format!("; {p}")).collect();
    Err(CliError::not_found(format!("there is no backend {name}{problems}"))
        .hint(listed(known.into_keys(), "`orc init` completes the workspace")))
}

/// A skill of the workspace, or a built-in one.
///
/// # Errors
/// There is none of that name, or it is broken.
pub fn skill(cx: &Context, name: &str) -> Result {
    config::skill(&cx.workspace()?.skills_dir(), name).map(drop).map_err(|e| CliError::not_found(e.to_string()))
}

/// A persona of the workspace.
///
/// # Errors
/// There is none of that name.
pub fn persona(cx: &Context, name: &str) -> Result {
    let workspace = cx.workspace()?;
    let plain = !name.contains(['/', '\0']) && !name.starts_with('.');
    if plain && workspace.persona_file(name).is_file() {
        return Ok(());
    }
    let files = std::fs::read_dir(workspace.personas_dir()).into_iter().flatten().flatten();
    let mut known: Vec<String> = files.filter_map(|e| Some(e.file_name().to_str()?.strip_suffix(".md")?.to_owned())).collect();
    known.sort();
    Err(CliError::not_found(format!("there is no persona {name}")).hint(listed(known, "`orc init` brings the shipped ones back")))
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
    let known = store.workers()?.into_iter().map(|w| w.name);
    Err(CliError::not_found(format!("there is no worker {name}")).hint(listed(known, "`orc worker add` makes one")))
}

/// "known: a, b", or what to do when nothing is.
fn listed(known: impl IntoIterator<Item = String>, none: &str) -> String {
    let known: Vec<String> = known.into_iter().collect();
    if known.is_empty() { format!("there is none yet; {none}") } else { format!("known: {}", known.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_backends_are_those_that_have_a_description() {
        let described: Vec<String> = config::built_in().into_keys().collect();
        let mut shipped = SHIPPED.map(str::to_owned);
        shipped.sort();
        assert_eq!(described, shipped);
    }
}
