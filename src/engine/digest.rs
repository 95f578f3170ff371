//! The prompt of a day's review: what happened, and the memories that may need a hand.

use super::learn::ends;
use crate::config::{Settings, Workspace};
use crate::domain::{MOST_OF_DAY, Memory, MemoryFilter, MemorySource, Timestamp, fill, memory_line};
use crate::memory::{Semantic, day_lines};

const TEMPLATE: &str = include_str!("../../config/templates/consolidate.md");
/// How much of a day the review gets, in bytes, and how many memories.
const DAY_CUT: usize = 48 * 1024;
const MEMORIES: usize = 150;

/// Forgets what is stale by the settings' policy, then makes the prompt; `None` where the day holds nothing to review.
///
/// # Errors
/// The raw log or the memory store cannot be read; one line.
pub fn digest(store: &Semantic, workspace: &Workspace, settings: &Settings, day: &str, now: Timestamp) -> Result<Option<String>, String> {
    let said = |e: crate::memory::MemoryError| e.to_string();
    let stale = forget_stale(store, settings, now).map_err(said)?;
    let dir = workspace.episodic_dir();
    let lines = day_lines(&dir, day).map_err(|e| format!("cannot read the raw log in {}: {e}", dir.display()))?;
    let mut events: Vec<String> = lines
        .iter()
        .filter(|l| l.job.is_some() || l.what == "memory")
        .map(|l| {
            let time = l.at.rfc3339();
            format!("- {} {} {}: {}", time.get(11..16).unwrap_or_default(), l.what, l.actor, l.text)
        })
        .collect();
    if events.is_empty() {
        return Ok(None);
    }
    if stale > 0 {
        events.push(format!("- {stale} stale memories were forgotten by the settings' policy"));
    }
    let memories = store.list(&MemoryFilter::default(), None, MEMORIES).map_err(said)?;
    let memories: Vec<String> = memories.iter().map(|m| format!("- id {}: {}", m.id, memory_line(m).trim_start_matches("- "))).collect();
    let memories = if memories.is_empty() { "None yet.".to_owned() } else { memories.join("\n") };
    let values =
        [("day", day), ("most", &MOST_OF_DAY.to_string()), ("events", &ends(&events.join("\n"), DAY_CUT)), ("memories", &memories)];
    Ok(Some(fill(TEMPLATE, &values)))
}

/// Forgets events and contexts that no job got for long and that nobody called important; how many.
fn forget_stale(store: &Semantic, settings: &Settings, now: Timestamp) -> Result<usize, crate::memory::MemoryError> {
    let since = now - settings.forget_after;
    let stale = |m: &Memory| {
        m.category.is_passing()
            && m.source != MemorySource::Operator
            && m.importance < settings.forget_below
            && m.created_at < since
            && m.last_recalled_at.is_none_or(|at| at < since)
    };
    let (mut forgotten, mut before) = (0, None);
    loop {
        let rows = store.list(&MemoryFilter::default(), before, 1000)?;
        let Some(last) = rows.last() else { return Ok(forgotten) };
        before = Some(last.id);
        for memory in rows.iter().filter(|m| stale(m)) {
            store.forget(memory.id, now)?;
            forgotten += 1;
        }
    }
}
