//! `orc memory why|veto`: what a job was given, with the terms of that moment, and what it shall not be given again.

use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::output::{Cell, Table, Tone};
use crate::domain::{AttemptId, Command, Injected, JobId, LogFilter, MemoryId, Page, WITHOUT};
use clap::Args;
use serde_json::json;

#[derive(Args)]
pub struct Why {
    /// The job's number
    #[arg(value_name = "JOB", value_parser = args::id::<JobId>)]
    job: JobId,
}

#[derive(Args)]
pub struct Veto {
    /// The job's number
    #[arg(value_name = "JOB", value_parser = args::id::<JobId>)]
    job: JobId,
    /// The memory's number
    #[arg(value_name = "ID", value_parser = args::id::<MemoryId>)]
    memory: MemoryId,
    /// Let it come again
    #[arg(long)]
    off: bool,
}

/// Prints what each attempt of a job was given from memory.
///
/// # Errors
/// There is no such job; the database.
pub fn run(cx: &mut Context, w: &Why) -> Result {
    let store = cx.reader()?;
    cx.job(&store, w.job)?;
    let recalls = store.recalls(w.job)?;
    if cx.out.json {
        return cx.out.value(&recalls);
    }
    if recalls.is_empty() {
        let filter = LogFilter { job: Some(w.job), text: WITHOUT.to_owned() };
        let why = store.log(&filter, Page { before: None, limit: 1 })?.pop().map(|l| format!(": it {}", l.text));
        return cx.out.done(&format!("job {} was given nothing from memory{}", w.job, why.unwrap_or_default()));
    }
    let mut attempts: Vec<AttemptId> = recalls.iter().map(|r| r.attempt).collect();
    attempts.dedup();
    for attempt in attempts {
        let of: Vec<&Injected> = recalls.iter().filter(|r| r.attempt == attempt).collect();
        cx.out.toned(Tone::Dim, &format!("attempt {attempt} of job {}: {} from memory, best first", w.job, of.len()))?;
        let mut table = Table::new(&[">#", ">MEMORY", ">SCORE", ">SIMILAR", ">RECENT", ">IMPORTANT", ">ACCESS", "NOTE", "TEXT"], "TEXT");
        for r in of {
            let t = &r.terms;
            let mut notes = Vec::new();
            if let Some(factor) = r.lowered() {
                notes.push(format!("{factor} recalled shortly before"));
            }
            if r.external {
                notes.push("from outside".to_owned());
            }
            if r.vetoed {
                notes.push("vetoed".to_owned());
            }
            let mut row: Vec<Cell> = vec![r.rank.into(), r.memory.into(), format!("{:.3}", r.score).into()];
            row.extend([t.similarity, t.recency, t.importance, t.access].map(|x| Cell::from(format!("{x:.2}"))));
            row.push(Cell::toned(if r.vetoed { Tone::Warn } else { Tone::Dim }, notes.join(", ")));
            row.push(r.text.trim_start_matches("- ").into());
            table.row(row);
        }
        cx.out.table(&table, "")?;
    }
    cx.out.toned(Tone::Dim, &format!("`orc memory veto {} ID` keeps one away from its next attempts", w.job))
}

/// Keeps a memory away from a job's next attempts, or lets it come again.
///
/// # Errors
/// There is no such job; it is so already; the database.
pub fn veto(cx: &mut Context, v: &Veto) -> Result {
    let mut store = cx.writer()?;
    cx.job(&store, v.job)?;
    let message = cx.apply(&mut store, &Command::VetoMemory { job: v.job, memory: v.memory, on: !v.off })?;
    cx.wake()?;
    if cx.out.json { cx.out.value(&json!({ "job": v.job, "memory": v.memory, "message": message })) } else { cx.out.done(&message) }
}
