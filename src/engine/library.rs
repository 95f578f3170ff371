//! The memory store as this workspace's settings want it: opened on first use, shared by everything in this process that asks it.

use crate::config::{Settings, Workspace};
use crate::domain::{Formula, Learned, Memory, MemorySource, Timestamp};
use crate::memory::{Added, Embedder, Endpoint, Http, MemoryError, NewMemory, Semantic, Shipped, Tuning};
use crate::store::Lesson;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The memory store of a workspace, open or not.
#[derive(Clone)]
pub struct Library {
    workspace: Workspace,
    open: Arc<Mutex<Option<Open>>>,
}

/// The open store, with what it was opened by.
type Open = ((Tuning, Option<Endpoint>), Semantic);

impl Library {
    /// Nothing is opened yet.
    pub fn new(workspace: Workspace) -> Library {
        Library { workspace, open: Arc::default() }
    }

    /// The store, by these settings.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn store(&self, settings: &Settings) -> Result<Semantic, MemoryError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let by = (tuning(settings), endpoint(settings));
        if let Some((known, store)) = &*open
            && *known == by
        {
            return Ok(store.clone());
        }
        let store = match &*open {
            Some((_, before)) => before.reopen(embedder(settings), by.0.clone())?,
            None => Semantic::open(&self.workspace.memory_dir(), embedder(settings), by.0.clone())?,
        };
        *open = Some((by, store.clone()));
        Ok(store)
    }
}

/// What makes vectors by these settings. Nothing is asked before the first text.
pub fn embedder(s: &Settings) -> Arc<dyn Embedder> {
    match endpoint(s) {
        Some(endpoint) => Arc::new(Http::new(endpoint)),
        None => Shipped::get(),
    }
}

fn endpoint(s: &Settings) -> Option<Endpoint> {
    (s.embedder == "http").then(|| Endpoint {
        url: s.embedder_url.clone(),
        model: s.embedder_model.clone(),
        key_env: s.embedder_key_env.clone(),
        dimensions: Some(s.embedder_dimensions).filter(|d| *d > 0),
        timeout: s.embedder_timeout,
        query_timeout: (s.recall_wait / 2).max(Duration::from_millis(200)),
    })
}

fn tuning(s: &Settings) -> Tuning {
    Tuning {
        formula: Formula {
            similarity: s.weight_similarity,
            recency: s.weight_recency,
            importance: s.weight_importance,
            access: s.weight_access,
            half_life_passing: s.half_life_passing,
            half_life_lasting: s.half_life_lasting,
            penalty: s.recall_penalty,
            penalty_window: s.recall_penalty_window,
        },
        floor: s.recall_floor,
        merge: s.merge_threshold,
    }
}

/// Puts a checked answer into the store; what came of it, one line. Done twice it changes nothing: the same text merges.
///
/// # Errors
/// The store, or an answer that is none.
pub fn learn(store: &Semantic, lesson: &Lesson, settings: &Settings, now: Timestamp) -> Result<String, MemoryError> {
    let learned: Learned = serde_json::from_str(&lesson.answer).map_err(|e| MemoryError::Invalid(format!("a kept answer: {e}")))?;
    let source = MemorySource::Job { job: lesson.job, attempt: Some(lesson.attempt) };
    let (mut kept, mut merged, mut superseded, mut forgotten, mut left) = (0u32, 0u32, 0u32, 0u32, 0u32);
    for fact in learned.memories {
        let older: Vec<Memory> = fact.supersedes.iter().filter_map(|id| store.get(*id).transpose()).collect::<Result<_, _>>()?;
        // What is made of text from outside stays that, whoever says it anew.
        let external = fact.external || older.iter().any(|m| m.external);
        let known = store.says_already(&fact.text)?.filter(|m| !fact.supersedes.contains(&m.id));
        let new = NewMemory {
            text: known.map_or(fact.text, |m| m.text),
            category: fact.category,
            importance: fact.importance,
            source: source.clone(),
            external,
            created_at: None,
        };
        let id = match store.add(new, now)? {
            Added::New(id) => {
                kept += 1;
                id
            }
            Added::Merged(id) => {
                merged += 1;
                id
            }
        };
        let external = store.get(id)?.is_none_or(|m| m.external);
        for old in older {
            // It overrules nothing that is not from outside: it stands beside it, and the operator sees both.
            if external && !old.external {
                left += 1;
            } else if old.holds() && old.id != id {
                store.supersede(old.id, id, true, now)?;
                superseded += 1;
            }
        }
    }
    for id in learned.forget {
        match store.get(id)? {
            Some(m) if m.holds() && may_be_forgotten(&m, settings) => {
                store.forget(id, now)?;
                forgotten += 1;
            }
            Some(m) if m.holds() => left += 1,
            _ => {}
        }
    }
    let parts = [
        (kept, "kept"),
        (merged, "merged"),
        (superseded, "superseded (orc memory conflicts)"),
        (forgotten, "forgotten"),
        (left, "left as they are"),
    ];
    let said: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let said = if said.is_empty() { "nothing worth keeping".to_owned() } else { said.join(", ") };
    Ok(match learned.report {
        Some(report) => format!("{said}. {}", report.split_whitespace().collect::<Vec<_>>().join(" ")),
        None => said,
    })
}

/// A model's word alone forgets only what passes anyway and is of little importance.
fn may_be_forgotten(memory: &Memory, settings: &Settings) -> bool {
    memory.category.is_passing() || (memory.importance < settings.forget_below && memory.source != MemorySource::Operator)
}
