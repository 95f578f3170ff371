//! What changes memories at somebody's word: whether they may, what is done, and its line in the audit log.

use crate::domain::{
    Act, Actor, Applied, Category, Command, Memory, MemoryId, MemorySource, Settle, Target, Timestamp, act_of, memory_text, one_line,
};
use crate::memory::{Added, Change, MemoryError, NewMemory, Semantic};
use crate::store::{Event, Store, StoreError};

/// How much of a memory's text stands in the audit log, in characters.
const SHOWN: usize = 120;

/// What keeps a memory from being changed.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Applies a command on memories, if whoever asks may. What cannot be done is an answer.
///
/// # Errors
/// The store of memories, or the database.
pub fn apply(db: &mut Store, store: &Semantic, command: &Command, who: &Actor, now: Timestamp) -> Result<Applied, KeepError> {
    if let Some(message) = refusal(db, &act_of(command, |_| Target::default()), who, now)? {
        return Ok(Applied::Refused { message });
    }
    let done = match command {
        Command::AddMemory { text, category, importance } => {
            let (source, external) = origin(db, who)?;
            let (category, importance) = (*category, importance.clamp(0.0, 1.0));
            return match memory_text(text) {
                Ok(text) => {
                    let new = NewMemory { text, category, importance, source, external, created_at: None };
                    Ok(match remember(db, store, new, who, now)? {
                        Added::New(memory) => {
                            let undo = Some(Command::ForgetMemory { memory });
                            Applied::Done { message: format!("memory {memory} is kept"), undo }
                        }
                        Added::Merged(memory) => Applied::Done { message: format!("memory {memory} says the same"), undo: None },
                    })
                }
                Err(message) => Ok(Applied::Refused { message }),
            };
        }
        Command::ForgetMemory { memory } => store.forget(*memory, now).map(|m| {
            let undo = Command::RestoreMemory { memory: *memory };
            (format!("memory {memory} is forgotten; it can be restored"), Some(undo), format!("forgot memory {memory}: {}", shown(&m)))
        }),
        Command::RestoreMemory { memory } => store.restore(*memory, now).map(|m| {
            let undo = Command::ForgetMemory { memory: *memory };
            (format!("memory {memory} is back"), Some(undo), format!("restored memory {memory}: {}", shown(&m)))
        }),
        Command::EditMemory { memory, text, category, importance, external, seen } => {
            let text = match text.as_deref().map(memory_text).transpose() {
                Ok(text) => text,
                Err(message) => return Ok(Applied::Refused { message }),
            };
            let before = store.get(*memory)?;
            if let (Some(seen), Some(before)) = (seen, &before)
                && *seen != before.text
            {
                let message = format!("memory {memory} says something else now: {}", shown(before));
                return Ok(Applied::Stale { message });
            }
            let change = Edit { text, category: *category, importance: *importance, external: *external };
            edit(store, *memory, before, change, now)
        }
        Command::SettleMemory { memory, keep } => store.settle(*memory, *keep, now).map(|old| {
            let says = settled(&old.id, *keep);
            (says.clone(), None, format!("settled: {says}"))
        }),
        _ => return Ok(Applied::Refused { message: "this command is not for the memory store".into() }),
    };
    match done {
        Ok((message, undo, log)) => {
            note(db, who, &log, now)?;
            Ok(Applied::Done { message, undo })
        }
        Err(e @ (MemoryError::Unknown(_) | MemoryError::Invalid(_))) => Ok(Applied::Refused { message: e.to_string() }),
        Err(e) => Err(e.into()),
    }
}

/// Why somebody may not do something, if they may not; the refusal is in the audit log then.
///
/// # Errors
/// The database.
fn refusal(db: &mut Store, act: &Act<'_>, who: &Actor, now: Timestamp) -> Result<Option<String>, StoreError> {
    // A transaction only where there is something to refuse.
    if who.may(act).is_ok() {
        return Ok(None);
    }
    db.write(|tx| tx.permit(who, act, now)).map(|allowed| allowed.err().map(|r| r.to_string()))
}

/// Where a memory comes from that somebody keeps, and whether it rests on text from outside whatever they say of it.
///
/// # Errors
/// The database.
pub fn origin(db: &Store, who: &Actor) -> Result<(MemorySource, bool), StoreError> {
    let Actor::Worker(inside) = who else { return Ok((MemorySource::Operator, false)) };
    let outside = match db.job(inside.job)? {
        Some(job) => super::learn::rests_outside(db, &job)?,
        None => true,
    };
    Ok((MemorySource::Job { job: inside.job, attempt: Some(inside.attempt) }, outside))
}

/// Keeps one memory, and says so in the audit log.
///
/// # Errors
/// The store of memories, or the database.
pub fn remember(db: &mut Store, store: &Semantic, new: NewMemory, who: &Actor, now: Timestamp) -> Result<Added, KeepError> {
    let text = one_line(&new.text, SHOWN);
    let outside = if new.external { " (from outside)" } else { "" };
    let added = store.add(new, now)?;
    let says = match added {
        Added::New(id) => format!("kept memory {id}{outside}: {text}"),
        Added::Merged(id) => format!("memory {id} says that already{outside}: {text}"),
    };
    note(db, who, &says, now)?;
    Ok(added)
}

/// Puts a change of memories into the audit log.
///
/// # Errors
/// The database.
pub fn note(db: &mut Store, who: &Actor, says: &str, now: Timestamp) -> Result<(), StoreError> {
    let (job, attempt) = match who {
        Actor::Worker(inside) => (Some(inside.job), Some(inside.attempt)),
        _ => (None, None),
    };
    db.write(|tx| tx.event(&Event { job, attempt, ..Event::new(now, &who.to_string(), "memory", says) })).map(|_| ())
}

struct Edit {
    text: Option<String>,
    category: Option<Category>,
    importance: Option<f64>,
    external: Option<bool>,
}

type Edited = (String, Option<Command>, String);

fn edit(store: &Semantic, memory: MemoryId, before: Option<Memory>, e: Edit, now: Timestamp) -> Result<Edited, MemoryError> {
    let before = before.ok_or(MemoryError::Unknown(memory))?;
    let change = Change { text: e.text.clone(), category: e.category, importance: e.importance, external: e.external };
    let after = store.edit(memory, change, now)?;
    let mut parts = Vec::new();
    if before.text != after.text {
        parts.push(format!("\"{}\" instead of \"{}\"", shown(&after), shown(&before)));
    }
    if before.category != after.category {
        parts.push(format!("{} instead of {}", after.category, before.category));
    }
    if before.importance != after.importance {
        parts.push(format!("importance {} instead of {}", after.importance, before.importance));
    }
    if before.external != after.external {
        parts.push(if after.external { "from outside" } else { "not from outside" }.to_owned());
    }
    let what = if parts.is_empty() { "as it was".to_owned() } else { parts.join("; ") };
    let undo = Command::EditMemory {
        memory,
        text: e.text.map(|_| before.text),
        category: e.category.map(|_| before.category),
        importance: e.importance.map(|_| before.importance),
        external: e.external.map(|_| before.external),
        seen: Some(after.text),
    };
    Ok((format!("memory {memory} is changed"), Some(undo), format!("changed memory {memory}: {what}")))
}

fn shown(memory: &Memory) -> String {
    one_line(&memory.text, SHOWN)
}

fn settled(old: &MemoryId, keep: Settle) -> String {
    match keep {
        Settle::Newer => format!("memory {old} stays superseded"),
        Settle::Older => format!("memory {old} holds again; the newer one is forgotten"),
        Settle::Both => format!("memory {old} holds again, beside the newer one"),
    }
}
