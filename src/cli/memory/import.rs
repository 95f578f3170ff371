//! `orc memory import`: what `export` gave, or facts from elsewhere, one object a line.

use super::keep::{checked, read};
use super::{open, told};
use crate::cli::ages;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::domain::{Act, Category, MemoryId, MemorySource, Timestamp};
use crate::engine::note_of_memory;
use crate::memory::{Added, NewMemory, Taken};
use clap::{Args, ValueHint};
use serde::Deserialize;
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

/// So many new memories are taken into the dataset at once.
const MANY: usize = 500;
/// So many are kept in one write: others read and write between.
const AT_ONCE: usize = 1000;

#[derive(Args)]
pub struct Import {
    /// The file, one object a line: {"text", "category", "importance", "source"?, "created_at"?, "external"?}, and what else `export`
    /// prints; `-` for standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
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
    id: Option<MemoryId>,
    last_recalled_at: Option<Timestamp>,
    #[serde(default)]
    access_count: u32,
    superseded_by: Option<MemoryId>,
    superseded_at: Option<Timestamp>,
    #[serde(default)]
    disputed: bool,
    forgotten_at: Option<Timestamp>,
}

impl Line {
    /// `file` names what has no source of its own.
    fn taken(self, file: &str) -> Taken {
        let source = match self.source {
            Some(serde_json::Value::String(name)) => MemorySource::Import { name },
            Some(value) => serde_json::from_value(value).unwrap_or_else(|_| MemorySource::Import { name: file.to_owned() }),
            None => MemorySource::Import { name: file.to_owned() },
        };
        Taken {
            id: self.id,
            new: NewMemory {
                text: self.text,
                category: self.category,
                importance: self.importance,
                source,
                external: self.external,
                created_at: self.created_at,
            },
            last_recalled_at: self.last_recalled_at,
            access_count: self.access_count,
            superseded_by: self.superseded_by,
            superseded_at: self.superseded_at,
            disputed: self.disputed,
            forgotten_at: self.forgotten_at,
        }
    }
}

/// Remembers every line of a file. All lines are looked at before the first is kept.
///
/// # Errors
/// A line is wrong (each is named); the store.
pub fn run(cx: &mut Context, i: &Import) -> Result {
    let mut db = cx.writer()?;
    // A file says of its own lines who wrote them.
    let who = cx.permit(&mut db, &Act::Steer("importing memories"))?;
    let name = i.file.file_name().filter(|_| i.file != Path::new("-")).map_or("standard input".into(), |n| n.to_string_lossy());
    let lines = lines(&read(&i.file)?, &name)?;
    let (store, _) = open(cx)?;
    let total = lines.len();
    // Those that say what has superseded them come in one write with it.
    let at_once = if lines.iter().any(|l| l.superseded_by.is_some()) { total } else { AT_ONCE };
    let mut lines = lines.into_iter().map(|line| line.taken(&name));
    let (mut kept, mut merged) = (0, 0);
    loop {
        let some: Vec<Taken> = lines.by_ref().take(at_once).collect();
        if some.is_empty() {
            break;
        }
        let added = store.take_over(some, cx.now()).map_err(|e| {
            CliError::from(e).hint(format!("{} of {total} are in: the same file imported again adds the others", kept + merged))
        })?;
        let new = added.iter().filter(|a| matches!(a, Added::New(_))).count();
        (kept, merged) = (kept + new, merged + added.len() - new);
        progress(&format!("{} of {total}", kept + merged));
    }
    note_of_memory(&mut db, &who, &format!("imported {name}: {kept} kept, {merged} merged"), cx.now())?;
    told(cx)?;
    // They are durable. A long journal would make every later command slower until an engine runs.
    if kept >= MANY {
        progress("into the dataset");
    }
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

fn lines(text: &str, name: &str) -> Result<Vec<Line>> {
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
    if wrong.is_empty() {
        return Ok(lines);
    }
    let more = wrong.len().saturating_sub(10);
    wrong.truncate(10);
    if more > 0 {
        wrong.push(format!("and {more} more"));
    }
    Err(CliError::usage(format!("nothing was imported\n{}", wrong.join("\n")))
        .hint("a line is {\"text\": …, \"category\": …, \"importance\": 0 to 1}, with source, created_at and external where known"))
}
