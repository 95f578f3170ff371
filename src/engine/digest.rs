//! The prompt of a review: what happened, and the memories that may need a hand.

use super::learn::ends;
use super::review::Span;
use crate::config::{Settings, Workspace};
use crate::domain::{MOST_OF_DAY, Memory, MemoryFilter, MemoryId, MemorySource, Timestamp, fill, memory_line};
use crate::memory::{MemoryError, Semantic, Side, day_lines};
use std::collections::BTreeMap;

const TEMPLATE: &str = include_str!("../../config/templates/consolidate.md");
/// How much of what happened the review gets, in bytes.
const DAY_CUT: usize = 48 * 1024;
/// How many memories it gets: the newest; those that jobs were given in that time; for each that is new, what is likest to it.
const NEWEST: usize = 100;
const RECALLED: usize = 100;
const NEW: usize = 40;
const LIKE: usize = 4;

/// Forgets what is stale by the settings' policy, then makes the prompt; `None` where the span holds nothing to review.
///
/// # Errors
/// The raw log or the memory store cannot be read; one line.
pub fn digest(store: &Semantic, workspace: &Workspace, settings: &Settings, span: &Span, now: Timestamp) -> Result<Option<String>, String> {
    let said = |e: MemoryError| e.to_string();
    let dir = workspace.episodic_dir();
    let mut events = Vec::new();
    for day in span.days(settings) {
        let lines = day_lines(&dir, &day).map_err(|e| format!("cannot read the raw log in {}: {e}", dir.display()))?;
        let of = lines.iter().filter(|l| l.at > span.from && l.at <= span.until && (l.job.is_some() || l.what == "memory"));
        events.extend(of.map(|l| {
            let time = l.at.rfc3339();
            let time = time.get(..16).unwrap_or_default().replacen('T', " ", 1);
            let job = l.job.map(|id| format!(" job {id} \"{}\"", l.title.as_deref().unwrap_or_default())).unwrap_or_default();
            format!("- {time}{job} {} {}: {}", l.what, l.actor, l.text)
        }));
    }
    if events.is_empty() {
        return Ok(None);
    }
    let stale = forget_stale(store, settings, now).map_err(said)?;
    if stale > 0 {
        events.push(format!("- {stale} stale memories were forgotten by the settings' policy"));
    }
    let memories = memories(store, span).map_err(said)?;
    let memories: Vec<String> = memories.iter().map(|m| format!("- id {}: {}", m.id, memory_line(m).trim_start_matches("- "))).collect();
    let memories = if memories.is_empty() { "None yet.".to_owned() } else { memories.join("\n") };
    let day = &span.day;
    let values = [
        ("day", day.as_str()),
        ("most", &MOST_OF_DAY.to_string()),
        ("events", &ends(&events.join("\n"), DAY_CUT)),
        ("memories", &memories),
    ];
    Ok(Some(fill(TEMPLATE, &values)))
}

/// The memories that a review looks at, newest first.
fn memories(store: &Semantic, span: &Span) -> Result<Vec<Memory>, MemoryError> {
    let all = store.list(&MemoryFilter::default(), None, usize::MAX >> 1)?;
    let mut chosen: BTreeMap<MemoryId, Memory> = all.iter().take(NEWEST).map(|m| (m.id, m.clone())).collect();
    let recalled = all.iter().filter(|m| m.last_recalled_at.is_some_and(|at| at > span.from));
    chosen.extend(recalled.take(RECALLED).map(|m| (m.id, m.clone())));
    // What is new may contradict, or repeat, what was kept long ago.
    for new in all.iter().filter(|m| m.created_at > span.from).take(NEW) {
        chosen.extend(store.likest(&new.text, LIKE, Side::Both)?.into_iter().map(|r| (r.memory.id, r.memory)));
    }
    Ok(chosen.into_values().rev().collect())
}

/// Forgets events and contexts that no job got for long and that nobody called important; how many.
fn forget_stale(store: &Semantic, settings: &Settings, now: Timestamp) -> Result<usize, MemoryError> {
    let since = now - settings.forget_after;
    let stale = |m: &Memory| {
        m.category.is_passing()
            && m.source != MemorySource::Operator
            && m.importance < settings.forget_below
            && m.created_at < since
            && m.last_recalled_at.is_none_or(|at| at < since)
    };
    let all = store.list(&MemoryFilter::default(), None, usize::MAX >> 1)?;
    let stale: Vec<MemoryId> = all.iter().filter(|m| stale(m)).map(|m| m.id).collect();
    if !stale.is_empty() {
        store.forget_all(&stale, now)?;
    }
    Ok(stale.len())
}
