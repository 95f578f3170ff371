//! `orc memory search|ls|show|export|stats|conflicts`: what looks and changes nothing.

use super::{category, find, open, source};
use crate::cli::ages;
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::output::{Cell, Table, Tone};
use crate::domain::{Category, Memory, MemoryFilter, MemoryId, Recalled, Standing};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Args)]
pub struct Search {
    /// What to look for: a question, or a job's prompt
    query: String,
    /// At most this many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    limit: usize,
    /// Only this category
    #[arg(long, short, value_name = "CATEGORY", value_parser = category())]
    category: Option<Category>,
    /// Show what each score is made of
    #[arg(long)]
    explain: bool,
}

#[derive(Args)]
pub struct Ls {
    /// Only this category
    #[arg(long, short, value_name = "CATEGORY", value_parser = category())]
    category: Option<Category>,
    /// Only those that hold this text, whatever its case
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    text: String,
    /// Those that hold, are superseded or forgotten, or any
    #[arg(long, value_name = "WHICH", value_parser = args::word(Standing::ALL, Standing::as_str), default_value = "holding")]
    standing: Standing,
    /// At most this many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    limit: usize,
}

#[derive(Args)]
pub struct Show {
    /// The memory's number
    #[arg(value_name = "ID", value_parser = args::id::<MemoryId>)]
    pub id: MemoryId,
}

#[derive(Args)]
pub struct Export {
    /// The superseded and the forgotten ones too
    #[arg(long)]
    all: bool,
}

/// Finds memories. The penalty for a recent recall is applied and shown; nothing is counted.
///
/// # Errors
/// The store.
pub fn search(cx: &mut Context, s: &Search) -> Result {
    let (store, settings) = open(cx)?;
    let now = cx.now();
    let found = store.recall(&s.query, s.limit, s.category, now)?;
    if cx.out.json {
        return cx.out.value(&found.iter().map(found_json).collect::<Vec<_>>());
    }
    let mut headings = vec![">ID", ">SCORE"];
    if s.explain {
        headings.extend([">SIMILAR", ">RECENT", ">IMPORTANT", ">ACCESS", "PENALTY"]);
    }
    headings.extend(["CATEGORY", ">AGE", "SOURCE", "TEXT"]);
    let mut table = Table::new(&headings, "TEXT");
    for r in &found {
        let mut row: Vec<Cell> = vec![r.memory.id.into(), format!("{:.3}", r.score).into()];
        if s.explain {
            let t = &r.terms;
            row.extend([t.similarity, t.recency, t.importance, t.access].map(|x| Cell::from(format!("{x:.2}"))));
            row.push(if r.penalised { Cell::toned(Tone::Warn, format!("×{}", settings.recall_penalty)) } else { "".into() });
        }
        row.extend([
            r.memory.category.into(),
            ages::ago(r.memory.created_at, now).into(),
            source(&r.memory).into(),
            (&r.memory.text).into(),
        ]);
        table.row(row);
    }
    cx.out.table(&table, "nothing is remembered about that")?;
    if s.explain && !found.is_empty() {
        cx.out.toned(
            Tone::Dim,
            &format!(
                "score = {} similar + {} recent + {} important + {} access, ×{} for what a job got within {}",
                settings.weight_similarity,
                settings.weight_recency,
                settings.weight_importance,
                settings.weight_access,
                settings.recall_penalty,
                ages::span(settings.recall_penalty_window)
            ),
        )?;
    }
    Ok(())
}

fn found_json(r: &Recalled) -> Value {
    let m = &r.memory;
    json!({
        "id": m.id, "text": m.text, "category": m.category, "source": m.source, "external": m.external, "score": r.score,
        "terms": r.terms, "penalised": r.penalised, "cosine": r.cosine, "lexical": r.lexical, "created_at": m.created_at,
    })
}

/// Lists memories.
///
/// # Errors
/// The store.
pub fn ls(cx: &mut Context, l: &Ls) -> Result {
    let (store, _) = open(cx)?;
    let filter = MemoryFilter { category: l.category, standing: l.standing, text: l.text.clone() };
    let mut rows = store.list(&filter, None, l.limit.saturating_add(1))?;
    let more = rows.len() > l.limit;
    rows.truncate(l.limit);
    if cx.out.json {
        return cx.out.value(&rows);
    }
    let now = cx.now();
    let mut table = Table::new(&[">ID", "CATEGORY", ">IMPORTANCE", ">AGE", ">RECALLS", "SOURCE", "TEXT"], "TEXT");
    for m in &rows {
        table.row(vec![
            m.id.into(),
            m.category.into(),
            format!("{:.1}", m.importance).into(),
            ages::ago(m.created_at, now).into(),
            m.access_count.into(),
            source(m).into(),
            Cell::toned(if m.holds() { Tone::Plain } else { Tone::Dim }, &m.text),
        ]);
    }
    cx.out.table(&table, "no memories: `orc memory add TEXT --category C --importance X` keeps one")?;
    if more { cx.out.toned(Tone::Dim, &format!("the newest {}; -n shows more", l.limit)) } else { Ok(()) }
}

/// Shows one memory in full.
///
/// # Errors
/// There is none of that number; the store.
pub fn show(cx: &mut Context, id: MemoryId) -> Result {
    let (store, _) = open(cx)?;
    let m = find(&store, id)?;
    if cx.out.json {
        return cx.out.value(&m);
    }
    let now = cx.now();
    let when = |t| format!("{t} ({})", ages::ago(t, now));
    let mut fields = vec![
        ("memory", m.id.to_string()),
        ("text", m.text.clone()),
        ("category", m.category.to_string()),
        ("importance", m.importance.to_string()),
        ("source", source(&m)),
        ("created", when(m.created_at)),
        ("recalled", m.last_recalled_at.map_or("never".into(), |t| format!("{} times, last {}", m.access_count, when(t)))),
    ];
    if let (Some(by), Some(at)) = (m.superseded_by, m.superseded_at) {
        let open = if m.disputed { ": `orc memory settle` says whether that is right" } else { "" };
        fields.push(("superseded", format!("by memory {by}, {}{open}", when(at))));
    }
    if let Some(at) = m.forgotten_at {
        fields.push(("forgotten", format!("{}; `orc memory restore {id}` brings it back", when(at))));
    }
    cx.out.fields(&fields)
}

/// Prints memories as JSON Lines.
///
/// # Errors
/// The store.
pub fn export(cx: &mut Context, e: &Export) -> Result {
    let (store, _) = open(cx)?;
    let standing = if e.all { Standing::Any } else { Standing::Holding };
    let mut rows = store.list(&MemoryFilter { standing, ..MemoryFilter::default() }, None, usize::MAX >> 1)?;
    rows.reverse();
    rows.iter().try_for_each(|m| cx.out.event(m))
}

/// Counts memories.
///
/// # Errors
/// The store.
pub fn stats(cx: &mut Context) -> Result {
    let (store, settings) = open(cx)?;
    let all = store.list(&MemoryFilter { standing: Standing::Any, ..MemoryFilter::default() }, None, usize::MAX >> 1)?;
    let count = |f: &dyn Fn(&Memory) -> bool| all.iter().filter(|m| f(m)).count();
    let by: BTreeMap<&str, usize> = Category::ALL.iter().map(|c| (c.as_str(), count(&|m| m.holds() && m.category == *c))).collect();
    let (holding, superseded, forgotten) =
        (count(&Memory::holds), count(&|m| m.superseded_by.is_some()), count(&|m| m.forgotten_at.is_some()));
    let (external, conflicts) = (count(&|m| m.holds() && m.external), store.conflicts()?.len());
    let recalls: u64 = all.iter().map(|m| u64::from(m.access_count)).sum();
    let standings = store.standings()?;
    let vectors = match (&standings.embedder, standings.without_vector) {
        (None, _) => format!("none yet; embedder {}", settings.embedder),
        (Some(e), 0) => e.clone(),
        (Some(e), n) => format!("{e}; {n} found by words only until an engine has made theirs"),
    };
    if cx.out.json {
        return cx.out.value(&json!({
            "memories": holding, "by_category": by, "superseded": superseded, "forgotten": forgotten, "external": external,
            "conflicts": conflicts, "recalls": recalls, "embedder": standings.embedder, "without_vector": standings.without_vector,
        }));
    }
    let by: Vec<String> = by.iter().filter(|(_, n)| **n > 0).map(|(c, n)| format!("{n} {c}")).collect();
    cx.out.fields(&[
        ("memories", if by.is_empty() { "none".into() } else { format!("{holding}: {}", by.join(", ")) }),
        ("from outside", external.to_string()),
        ("superseded", format!("{superseded}, of these {conflicts} to be judged")),
        ("forgotten", forgotten.to_string()),
        ("recalls", recalls.to_string()),
        ("vectors by", vectors),
    ])
}

/// Lists the pairs that wait for a judgement.
///
/// # Errors
/// The store.
pub fn conflicts(cx: &mut Context) -> Result {
    let (store, _) = open(cx)?;
    let pairs = store.conflicts()?;
    if cx.out.json {
        return cx.out.value(&pairs.iter().map(|(old, new)| json!({ "old": old, "new": new })).collect::<Vec<_>>());
    }
    if pairs.is_empty() {
        return cx.out.done("no contradictions to judge");
    }
    for (old, new) in &pairs {
        cx.out.line(&format!("memory {} was superseded by memory {}", old.id, new.id))?;
        cx.out.line(&format!("  before  {} ({}, {})", old.text, old.category, source(old)))?;
        cx.out.line(&format!("  now     {} ({}, {})", new.text, new.category, source(new)))?;
    }
    cx.out.toned(Tone::Dim, "`orc memory settle ID newer|older|both`, with the number of the superseded one")
}
