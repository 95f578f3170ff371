//! `orc memory …`: what this workspace remembers. Not in `pm`, which links no memory store.

mod core;
mod import;
mod keep;
mod look;
mod review;
mod why;

use super::context::Context;
use super::error::{CliError, Kind, Result};
use crate::config::Settings;
use crate::domain::{Applied, Category, Command, Finding, Memory, MemoryId, MemorySource};
use crate::engine::health::{embedding, memories};
use crate::engine::{KeepError, Library, apply_to_memory};
use crate::memory::{MemoryError, Semantic};
use clap::Subcommand;

#[derive(Subcommand)]
pub enum Verb {
    /// Remember something
    Add(keep::Add),
    /// Find memories by what they say; counts as no recall
    Search(look::Search),
    /// List memories, newest first
    Ls(look::Ls),
    /// Show one in full
    Show(look::Show),
    /// Change one
    Edit(keep::Edit),
    /// Take memories out of what is recalled; they can be restored
    Forget(keep::Ids),
    /// Bring forgotten memories back
    Restore(keep::Ids),
    /// Print all memories as JSON Lines, which `import` reads
    Export(look::Export),
    /// Remember every line of a JSON Lines file
    Import(import::Import),
    /// Count them
    Stats,
    /// Say what a job was given from memory, and why
    Why(why::Why),
    /// Keep a memory away from a job's next attempts
    Veto(why::Veto),
    /// List memories that a newer one has superseded, for you to judge
    Conflicts,
    /// Say which of the two holds
    Settle(keep::Settle),
    /// Have today reviewed now: a job that puts memory in order
    Consolidate(review::Consolidate),
    /// The core memory: the lines that every job gets
    #[command(subcommand)]
    Core(core::Verb),
}

/// Runs a verb.
///
/// # Errors
/// As each verb says.
pub fn run(cx: &mut Context, verb: Verb) -> Result {
    match verb {
        Verb::Add(v) => keep::add(cx, &v),
        Verb::Search(v) => look::search(cx, &v),
        Verb::Ls(v) => look::ls(cx, &v),
        Verb::Show(v) => look::show(cx, v.id),
        Verb::Edit(v) => keep::edit(cx, &v),
        Verb::Forget(v) => keep::each(cx, &v, |memory| Command::ForgetMemory { memory }),
        Verb::Restore(v) => keep::each(cx, &v, |memory| Command::RestoreMemory { memory }),
        Verb::Export(v) => look::export(cx, &v),
        Verb::Import(v) => import::run(cx, &v),
        Verb::Stats => look::stats(cx),
        Verb::Why(v) => why::run(cx, &v),
        Verb::Veto(v) => why::veto(cx, &v),
        Verb::Conflicts => look::conflicts(cx),
        Verb::Settle(v) => keep::settle(cx, &v),
        Verb::Consolidate(v) => review::run(cx, &v),
        Verb::Core(v) => core::run(cx, v),
    }
}

/// The memory store, with the settings that it was opened by.
fn open(cx: &Context) -> Result<(Semantic, Settings)> {
    let settings = cx.settings()?;
    let store = Library::new(cx.workspace()?.clone()).store(&settings)?;
    Ok((store, settings))
}

/// Applies a command to the store, if whoever asks may; what it says when it is done.
fn apply(cx: &Context, store: &Semantic, command: &Command) -> Result<String> {
    let mut db = cx.writer()?;
    let who = cx.who(&db)?;
    match apply_to_memory(&mut db, store, command, &who, cx.now())? {
        Applied::Done { message, .. } => Ok(message),
        Applied::Added { job, .. } => Ok(format!("job {job}")),
        Applied::Planned { plan } => Ok(format!("plan {plan}")),
        Applied::Sent { message } => Ok(format!("message {message}")),
        Applied::Stale { message } | Applied::Refused { message } => Err(CliError::refused(message)),
    }
}

/// A memory that has to exist.
fn find(store: &Semantic, id: MemoryId) -> Result<Memory> {
    store.get(id)?.ok_or_else(|| MemoryError::Unknown(id).into())
}

/// Tells a running engine that the audit log has grown. The change holds without one.
fn told(cx: &Context) -> Result {
    cx.wake().map(|_| ())
}

impl From<KeepError> for CliError {
    fn from(e: KeepError) -> CliError {
        match e {
            KeepError::Memory(e) => e.into(),
            KeepError::Store(e) => e.into(),
        }
    }
}

impl From<MemoryError> for CliError {
    fn from(e: MemoryError) -> CliError {
        let kind = match &e {
            MemoryError::Unknown(_) => Kind::NotFound,
            MemoryError::Invalid(_) => Kind::Usage,
            MemoryError::Io { .. } | MemoryError::Dataset { .. } | MemoryError::Embedding(_) => Kind::Workspace,
        };
        CliError::new(kind, e.to_string())
    }
}

/// Where a memory comes from, in a few words.
fn source(memory: &Memory) -> String {
    let from = match &memory.source {
        MemorySource::Operator => "operator".to_owned(),
        MemorySource::Import { name } => format!("import {name}"),
        MemorySource::Job { job, .. } => format!("job {job}"),
    };
    if memory.external { format!("{from}, outside") } else { from }
}

/// The categories, for flags.
fn category() -> impl clap::builder::TypedValueParser<Value = Category> {
    super::args::word(Category::ALL, Category::as_str)
}

fn share(text: &str) -> std::result::Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(x) if (0.0..=1.0).contains(&x) => Ok(x),
        _ => Err("give a number from 0 to 1, such as 0.7".into()),
    }
}

/// The memory store, the embedder and the core memory, for `orc doctor`.
pub fn doctor(cx: &Context) -> Vec<Finding> {
    // What is wrong with the settings is a component of its own.
    let settings = cx.settings().unwrap_or_default();
    let store = cx.workspace().and_then(|w| Ok(Library::new(w.clone()).store(&settings)?)).map_err(|e| {
        let usual = "jobs start without memories until it can be opened: mend or move the folder".to_owned();
        (e.message, e.hint.unwrap_or(usual))
    });
    let mut found = memories(store.as_ref().map_err(Clone::clone), &settings, cx.workspace().ok());
    found.push(embedding(&settings));
    found
}
