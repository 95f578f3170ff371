//! `orc memory add|import|edit|forget|restore|settle`: what changes the store.

use super::{apply, category, find, open, share};
use crate::cli::ages;
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::domain::{AttemptId, Category, Command, JobId, LONGEST_MEMORY, MemoryId, MemorySource, Timestamp};
use crate::memory::{Added, NewMemory};
use clap::{Args, ValueHint};
use serde::Deserialize;
use serde_json::json;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

/// So many new memories are taken into the dataset at once.
const MANY: usize = 500;
/// So many are kept in one write: others read and write between.
const AT_ONCE: usize = 1000;

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
pub struct Import {
    /// The file, one object a line: {"text", "category", "importance", "source"?, "created_at"?, "external"?}; `-` for standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
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
    let new = NewMemory {
        text: checked(&text)?,
        category: a.category,
        importance: a.importance,
        source: caller(),
        external: a.external,
        created_at: None,
    };
    let (store, _) = open(cx)?;
    let added = store.add(new, cx.now())?;
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

#[derive(Deserialize)]
struct Line {
    text: String,
    category: Category,
    importance: f64,
    source: Option<serde_json::Value>,
    created_at: Option<Timestamp>,
    #[serde(default)]
    external: bool,
}

/// Remembers every line of a file. All lines are looked at before the first is kept.
///
/// # Errors
/// A line is wrong (each is named); the store.
pub fn import(cx: &mut Context, i: &Import) -> Result {
    let text = read(&i.file)?;
    let name = i.file.file_name().filter(|_| i.file != Path::new("-")).map_or("standard input".into(), |n| n.to_string_lossy());
    let (mut lines, mut wrong) = (Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let read = serde_json::from_str::<Line>(line).map_err(|e| e.to_string()).and_then(|l| {
            let text = checked(&l.text).map_err(|e| e.message)?;
            if !(0.0..=1.0).contains(&l.importance) {
                return Err(format!("an importance of {}, which is not 0 to 1", l.importance));
            }
            Ok(Line { text, ..l })
        });
        match read {
            Ok(line) => lines.push(line),
            Err(e) => wrong.push(format!("{name}:{}: {e}", at + 1)),
        }
    }
    if !wrong.is_empty() {
        let more = wrong.len().saturating_sub(10);
        wrong.truncate(10);
        if more > 0 {
            wrong.push(format!("and {more} more"));
        }
        return Err(CliError::usage(format!("nothing was imported\n{}", wrong.join("\n")))
            .hint("a line is {\"text\": …, \"category\": …, \"importance\": 0 to 1}, with source, created_at and external where known"));
    }
    let (store, _) = open(cx)?;
    let total = lines.len();
    let mut news = lines.into_iter().map(|line| {
        let source = match line.source {
            Some(serde_json::Value::String(name)) => MemorySource::Import { name },
            Some(value) => serde_json::from_value(value).unwrap_or_else(|_| MemorySource::Import { name: name.to_string() }),
            None => MemorySource::Import { name: name.to_string() },
        };
        NewMemory {
            text: line.text,
            category: line.category,
            importance: line.importance,
            source,
            external: line.external,
            created_at: line.created_at,
        }
    });
    let (mut kept, mut merged) = (0, 0);
    loop {
        let some: Vec<NewMemory> = news.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            break;
        }
        let added = store.add_all(some, cx.now()).map_err(|e| {
            CliError::from(e).hint(format!("{} of {total} are in: the same file imported again adds the others", kept + merged))
        })?;
        let new = added.iter().filter(|a| matches!(a, Added::New(_))).count();
        (kept, merged) = (kept + new, merged + added.len() - new);
        progress(&format!("{} of {total}", kept + merged));
    }
    if kept >= MANY {
        progress("into the dataset");
    }
    // They are durable. A long journal would make every later command slower until an engine runs.
    let folded = if kept >= MANY { store.fold().map(|_| ()) } else { store.tidy() };
    progress("");
    if let Err(e) = folded {
        crate::cli::complain(&e.into());
    }
    if cx.out.json {
        return cx.out.value(&json!({ "added": kept, "merged": merged }));
    }
    let same = if merged > 0 { format!(", {merged} said what was known and were merged") } else { String::new() };
    cx.out.line(&format!("{} kept{same}", ages::many(kept, "memory").replace("memorys", "memories")))
}

/// How far it has come, in one line that the next one replaces; for who is looking.
fn progress(said: &str) {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        // Nobody looks any more.
        let _ = write!(err, "\r{said}\x1b[K");
    }
}

/// Changes a memory.
///
/// # Errors
/// There is none of that number, or nothing to change; the store.
pub fn edit(cx: &mut Context, e: &Edit) -> Result {
    if e.text.is_none() && e.category.is_none() && e.importance.is_none() {
        return Err(CliError::usage("nothing to change").hint("give --text, --category or --importance"));
    }
    let text = e.text.as_deref().map(checked).transpose()?;
    let (store, _) = open(cx)?;
    find(&store, e.id)?;
    let command = Command::EditMemory { memory: e.id, text, category: e.category, importance: e.importance };
    let message = apply(&store, &command, cx.now())?;
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
        let done = find(&store, id).and_then(|_| apply(&store, &command(id), cx.now()));
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
    let message = apply(&store, &Command::SettleMemory { memory: s.id, keep: s.keep }, cx.now())?;
    said(cx, s.id, &message)
}

fn said(cx: &mut Context, id: MemoryId, message: &str) -> Result {
    if cx.out.json { cx.out.value(&json!({ "id": id, "message": message })) } else { cx.out.done(message) }
}

fn number(added: Added) -> (MemoryId, bool) {
    match added {
        Added::New(id) => (id, false),
        Added::Merged(id) => (id, true),
    }
}

/// Who remembers: the job that this runs in, else the operator.
fn caller() -> MemorySource {
    let job = std::env::var("ORC_JOB").ok().and_then(|id| id.parse::<JobId>().ok());
    let attempt = std::env::var("ORC_ATTEMPT").ok().and_then(|mark| mark.rsplit('/').next()?.parse::<AttemptId>().ok());
    job.map_or(MemorySource::Operator, |job| MemorySource::Job { job, attempt })
}

fn checked(text: &str) -> Result<String> {
    let text = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ");
    match text.len() {
        0 => Err(CliError::usage("a memory without text")),
        n if n > LONGEST_MEMORY => {
            Err(CliError::usage(format!("a text of {n} bytes, and {LONGEST_MEMORY} is the most for a memory")).hint("one fact a memory"))
        }
        _ => Ok(text),
    }
}

fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    let done = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut f| f.read_to_string(&mut text))
    };
    done.map_err(|e| CliError::not_found(format!("cannot read {}: {e}", path.display())))?;
    Ok(text)
}
