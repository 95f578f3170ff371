//! The memory store as this workspace's settings want it: opened on first use, shared by everything in this process that asks it.

use crate::config::{Settings, Workspace};
use crate::domain::{Applied, Command, Formula, Learned, MemoryId, MemorySource, Settle, Timestamp};
use crate::memory::{Added, Change, Embedder, Endpoint, Http, MemoryError, NewMemory, Semantic, Shipped, Tuning};
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

/// Applies one of the operator's commands on memories. What cannot be done is an answer.
///
/// # Errors
/// The store.
pub fn apply(store: &Semantic, command: &Command, now: Timestamp) -> Result<Applied, MemoryError> {
    let done = match command {
        Command::ForgetMemory { memory } => store
            .forget(*memory, now)
            .map(|_| (format!("memory {memory} is forgotten; it can be restored"), Some(Command::RestoreMemory { memory: *memory }))),
        Command::RestoreMemory { memory } => {
            store.restore(*memory, now).map(|_| (format!("memory {memory} is back"), Some(Command::ForgetMemory { memory: *memory })))
        }
        Command::EditMemory { memory, text, category, importance } => edit(store, *memory, text.as_deref(), *category, *importance, now),
        Command::SettleMemory { memory, keep } => store.settle(*memory, *keep, now).map(|old| (settled(&old.id, *keep), None)),
        _ => return Ok(Applied::Refused { message: "this command is not for the memory store".into() }),
    };
    match done {
        Ok((message, undo)) => Ok(Applied::Done { message, undo }),
        Err(e @ (MemoryError::Unknown(_) | MemoryError::Invalid(_))) => Ok(Applied::Refused { message: e.to_string() }),
        Err(e) => Err(e),
    }
}

fn edit(
    store: &Semantic,
    memory: MemoryId,
    text: Option<&str>,
    category: Option<crate::domain::Category>,
    importance: Option<f64>,
    now: Timestamp,
) -> Result<(String, Option<Command>), MemoryError> {
    let before = store.get(memory)?.ok_or(MemoryError::Unknown(memory))?;
    store.edit(memory, Change { text: text.map(str::to_owned), category, importance }, now)?;
    let undo = Command::EditMemory {
        memory,
        text: text.map(|_| before.text),
        category: category.map(|_| before.category),
        importance: importance.map(|_| before.importance),
    };
    Ok((format!("memory {memory} is changed"), Some(undo)))
}

fn settled(old: &MemoryId, keep: Settle) -> String {
    match keep {
        Settle::Newer => format!("memory {old} stays superseded"),
        Settle::Older => format!("memory {old} holds again; the newer one is forgotten"),
        Settle::Both => format!("memory {old} holds again, beside the newer one"),
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
        let new = NewMemory {
            text: fact.text,
            category: fact.category,
            importance: fact.importance,
            source: source.clone(),
            external: fact.external,
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
        for old in fact.supersedes {
            match store.get(old)? {
                // What comes from outside overrules nothing that does not: it stands beside it, and the operator sees both.
                Some(m) if fact.external && !m.external => left += 1,
                Some(m) if m.holds() && m.id != id => {
                    store.supersede(old, id, true, now)?;
                    superseded += 1;
                }
                _ => {}
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
fn may_be_forgotten(memory: &crate::domain::Memory, settings: &Settings) -> bool {
    memory.category.is_passing() || (memory.importance < settings.forget_below && memory.source != MemorySource::Operator)
}
