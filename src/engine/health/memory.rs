//! The memory store, the embedder and the core memory.

use super::Lack;
use crate::config::{Backend, Settings, Workspace, backends};
use crate::domain::{Component, Finding, MemoryFilter};
use crate::engine::library::embedder;
use crate::memory::core::{CoreMemory, LINE_BUDGET};
use crate::memory::{MemoryError, Semantic};

const STORE: Component = Component::VectorStore;

/// What the opened store says, or why it could not be opened; and the core memory.
pub fn memories(store: Result<&Semantic, Lack>, settings: &Settings, workspace: Option<&Workspace>) -> Vec<Finding> {
    let mut found = vec![match store {
        Err((says, fix)) => Finding::fail(STORE, STORE.as_str(), says, fix),
        Ok(store) => look(store, settings, workspace).unwrap_or_else(|e| {
            Finding::fail(
                STORE,
                STORE.as_str(),
                e.to_string(),
                "jobs start without memories until it can be read: stop the engine, move the folder memory/ aside, and `orc memory import` what `orc memory export` gave",
            )
        }),
    }];
    found.extend(workspace.map(core));
    found
}

fn look(store: &Semantic, settings: &Settings, workspace: Option<&Workspace>) -> Result<Finding, MemoryError> {
    let count = store.list(&MemoryFilter::default(), None, usize::MAX >> 1)?.len();
    let conflicts = store.conflicts()?.len();
    store.check()?;
    let s = store.standings()?;
    if s.damaged > 0 {
        return Ok(Finding::warn(
            STORE,
            STORE.as_str(),
            format!("{} in its journal could not be read and passed over", many(s.damaged as usize, "line")),
            "the file is kept beside the others in the folder `journal`, ending in .damaged, once it is folded",
        ));
    }
    if conflicts > 0 {
        let says = format!("{} to be judged", many(conflicts, "contradiction"));
        return Ok(Finding::warn(STORE, STORE.as_str(), says, "`orc memory conflicts` lists them"));
    }
    let known = workspace.and_then(|w| backends(w, settings).ok()).map(|(known, _)| known).unwrap_or_default();
    let by = settings.judge(&known, Backend::is_ready).map_or_else(|why| why, |b| format!("captured by {}", b.name));
    let by_words = if s.without_vector > 0 { format!(", {} found by words only", s.without_vector) } else { String::new() };
    let vectors = s.embedder.map_or("none yet".to_owned(), |e| e.to_string());
    Ok(Finding::ok(STORE, STORE.as_str(), format!("{count} memories; {by}; vectors by {vectors}{by_words}")))
}

/// The core memory against its budget.
fn core(workspace: &Workspace) -> Finding {
    match CoreMemory::load(&workspace.core_memory()) {
        Err(e) => Finding::fail(STORE, "core memory", e.to_string(), "mend or remove the file"),
        Ok(core) if core.problems.is_empty() => Finding::ok(STORE, "core memory", format!("{} of {LINE_BUDGET} lines", core.lines)),
        Ok(core) => Finding::warn(STORE, "core memory", core.problems.join("; "), "`orc memory core edit`"),
    }
}

/// Whether texts get vectors: tried with one.
pub fn embedding(settings: &Settings) -> Finding {
    const EMBEDDER: Component = Component::Embedder;
    let embedder = embedder(settings);
    match embedder.embed(&["Does it answer?"]) {
        Ok(made) => {
            let dim = made.iter().map(Vec::len).sum::<usize>();
            let says = if embedder.is_local() {
                format!("{}, {dim} dimensions, offline", embedder.id())
            } else {
                format!("{} at {} answers with {dim} dimensions", embedder.id(), settings.embedder_url)
            };
            Finding::ok(EMBEDDER, EMBEDDER.as_str(), says)
        }
        Err(e) => {
            let fix =
                "until it answers, recall goes by words and by the vectors that are there: check `embedder_url`, or use the one that ships";
            Finding::warn(EMBEDDER, EMBEDDER.as_str(), e.to_string(), fix)
        }
    }
}

fn many(n: usize, thing: &str) -> String {
    if n == 1 { format!("1 {thing}") } else { format!("{n} {thing}s") }
}
