//! `orc memory add|edit|forget|restore|settle`: what changes the store.

use super::{apply, category, find, open, share, told};
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::domain::{Category, Command, MemoryId, memory_text};
use crate::engine::{origin_of_memory, remember};
use crate::memory::{Added, NewMemory};
use clap::Args;
use serde_json::json;
use std::io::Read;
use std::path::Path;

#[derive(Args)]
pub struct Add {
    /// One fact, in a sentence or two that stand alone; `-` reads it from standard input
    text: String,
    /// What kind of thing it is
    #[arg(long, short, value_name = "CATEGORY", value_parser = category(), default_value = "fact")]
    category: Category,
    /// How much it matters, 0 to 1
    #[arg(long, short, value_name = "SHARE", value_parser = share, default_value = "0.5")]
    importance: f64,
    /// It rests on text from outside (mail, the web): shown as such, and overrules nothing
    #[arg(long)]
    external: bool,
}

#[derive(Args)]
pub struct Edit {
    #[arg(value_name = "ID", value_parser = args::id::<MemoryId>, help = "The memory's number")]
    id: MemoryId,
    /// Another text
    #[arg(long)]
    text: Option<String>,
    /// Another category
    #[arg(long, short, value_name = "CATEGORY", value_parser = category())]
    category: Option<Category>,
    /// Another importance, 0 to 1
    #[arg(long, short, value_name = "SHARE", value_parser = share)]
    importance: Option<f64>,
    /// Whether it rests on text from outside; what does is marked, and overrules nothing
    #[arg(long, value_name = "BOOL")]
    external: Option<bool>,
}

#[derive(Args)]
pub struct Ids {
    /// Numbers of memories
    #[arg(required = true, value_name = "ID", value_parser = args::id::<MemoryId>)]
    ids: Vec<MemoryId>,
}

#[derive(Args)]
pub struct Settle {
    /// The superseded memory
    #[arg(value_name = "ID", value_parser = args::id::<MemoryId>)]
    id: MemoryId,
    /// Which holds: the newer one, the older one (this), or both
    #[arg(value_name = "WHICH", value_parser = args::word(crate::domain::Settle::ALL, crate::domain::Settle::as_str))]
    keep: crate::domain::Settle,
}

/// Remembers one thing.
///
/// # Errors
/// The text is empty or too long; the store.
pub fn add(cx: &mut Context, a: &Add) -> Result {
    let text = if a.text == "-" { read(Path::new("-"))? } else { a.text.clone() };
    let text = checked(&text)?;
    let (store, _) = open(cx)?;
    let mut db = cx.writer()?;
    let who = cx.who(&db)?;
    let (source, outside) = origin_of_memory(&db, &who)?;
    let external = a.external || outside;
    let new = NewMemory { text, category: a.category, importance: a.importance, source, external, created_at: None };
    let added = remember(&mut db, &store, new, &who, cx.now())?;
    told(cx)?;
    let (id, merged) = number(added);
    if cx.out.json {
        cx.out.value(&json!({ "id": id, "merged": merged }))?;
    } else {
        cx.out.line(&if merged { format!("memory {id} says the same: merged into it") } else { format!("memory {id}") })?;
    }
    if let Err(e) = store.tidy() {
        crate::cli::complain(&e.into());
    }
    Ok(())
}

/// Changes a memory.
///
/// # Errors
/// There is none of that number, or nothing to change; the store.
pub fn edit(cx: &mut Context, e: &Edit) -> Result {
    if e.text.is_none() && e.category.is_none() && e.importance.is_none() && e.external.is_none() {
        return Err(CliError::usage("nothing to change").hint("give --text, --category, --importance or --external"));
    }
    let text = e.text.as_deref().map(checked).transpose()?;
    let (store, _) = open(cx)?;
    find(&store, e.id)?;
    let (category, importance, external) = (e.category, e.importance, e.external);
    let command = Command::EditMemory { memory: e.id, text, category, importance, external, seen: None };
    let message = apply(cx, &store, &command)?;
    said(cx, e.id, &message)
}

/// Applies a command to each memory.
///
/// # Errors
/// The first failure, told already.
pub fn each(cx: &mut Context, ids: &Ids, command: impl Fn(MemoryId) -> Command) -> Result {
    let (store, _) = open(cx)?;
    let mut first = None;
    let mut rows = Vec::new();
    for &id in &ids.ids {
        let done = find(&store, id).and_then(|_| apply(cx, &store, &command(id)));
        match done {
            Ok(message) => {
                cx.out.done(&message)?;
                rows.push(json!({ "id": id, "ok": true, "message": message }));
            }
            Err(e) => {
                crate::cli::complain(&e);
                rows.push(json!({ "id": id, "ok": false, "message": e.message }));
                first.get_or_insert(e.kind);
            }
        }
    }
    told(cx)?;
    if cx.out.json {
        cx.out.value(&rows)?;
    }
    first.map_or(Ok(()), |kind| Err(CliError::told(kind)))
}

/// Says which of two memories holds.
///
/// # Errors
/// There is none of that number, or nothing to settle; the store.
pub fn settle(cx: &mut Context, s: &Settle) -> Result {
    let (store, _) = open(cx)?;
    find(&store, s.id)?;
    let message = apply(cx, &store, &Command::SettleMemory { memory: s.id, keep: s.keep })?;
    said(cx, s.id, &message)
}

fn said(cx: &mut Context, id: MemoryId, message: &str) -> Result {
    told(cx)?;
    if cx.out.json { cx.out.value(&json!({ "id": id, "message": message })) } else { cx.out.done(message) }
}

fn number(added: Added) -> (MemoryId, bool) {
    match added {
        Added::New(id) => (id, false),
        Added::Merged(id) => (id, true),
    }
}

/// A memory's text as it is kept.
///
/// # Errors
/// It is empty or too long.
pub fn checked(text: &str) -> Result<String> {
    memory_text(text).map_err(|e| CliError::usage(e).hint("one fact a memory, in a sentence or two"))
}

/// A file's text, or standard input's.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    let done = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut f| f.read_to_string(&mut text))
    };
    done.map_err(|e| CliError::not_found(format!("cannot read {}: {e}", path.display())))?;
    Ok(text)
}
