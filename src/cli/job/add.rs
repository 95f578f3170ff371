//! `orc job add`: one transaction, one fsync, a word to the engine.

use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind as Failure, Result};
use crate::cli::names;
use crate::domain::{Act, Actor, JobId, JobSpec, Kind, Priority, ProjectId, TaskId, Timestamp, default_kind};
use clap::{Args, ValueHint};
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest prompt that is taken, in bytes: far beyond any model's context.
const MAX_PROMPT: u64 = 16 << 20;

/// The longest title that is made from a prompt, in characters.
const MADE_TITLE: usize = 60;

#[derive(Args)]
pub struct Add {
    /// One line for people [default: the prompt's first line]
    #[arg(long)]
    title: Option<String>,
    /// What the agent is told (for `shell`: the script); `-` reads it from standard input
    #[arg(long, value_name = "P", required_unless_present = "prompt_file", conflicts_with = "prompt_file", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// Read the prompt from a file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    prompt_file: Option<PathBuf>,
    /// Where it runs: claude, codex, gemini, opencode, shell, http, replay, or a backend that the configuration adds
    #[arg(long = "type", value_name = "BACKEND")]
    backend: String,
    /// What sort of work it is [default: maintenance for shell, else other]
    #[arg(long, value_parser = args::word(Kind::ALL, Kind::as_str))]
    kind: Option<Kind>,
    /// P0 (a human waits) to P5 (whenever)
    #[arg(long, default_value = "P2")]
    priority: Priority,
    /// Skills to inject, in order
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    skill: Vec<String>,
    /// The project that it belongs to
    #[arg(long, value_name = "N", value_parser = args::id::<ProjectId>)]
    project_id: Option<ProjectId>,
    /// The task that it serves
    #[arg(long, value_name = "N", value_parser = args::id::<TaskId>)]
    task_id: Option<TaskId>,
    /// A job that has to be done first; may be given several times
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = args::id::<JobId>)]
    depends_on: Vec<JobId>,
    /// The worker that is to do it; it waits while that one is busy
    #[arg(long, value_name = "NAME")]
    worker: Option<String>,
    /// The model [default: by kind, as configured]
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// Who the agent is for this job
    #[arg(long, value_name = "X")]
    persona: Option<String>,
    /// Not to start before: RFC 3339, "2026-03-01 09:00" or 09:00 (local time), or a time from now such as 2h
    #[arg(long, value_name = "TIME", value_parser = args::instant)]
    after: Option<Timestamp>,
    /// Wall-clock limit of an attempt, such as 15m [default: by kind, as configured]
    #[arg(long, value_name = "DUR", value_parser = args::duration)]
    timeout: Option<Duration>,
    /// How many attempts may end badly before the job fails [default: max_attempts in orc.toml]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    max_attempts: Option<u32>,
    /// While a job with this key is open, submitting returns that job instead of a new one
    #[arg(long, value_name = "KEY")]
    dedup: Option<String>,
    /// A word to find it by; may be given several times
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    tag: Vec<String>,
    /// A file or folder that it has to deliver, below the folder that it runs in; may be given several times
    #[arg(long, value_name = "PATH")]
    artefact: Vec<String>,
}

/// Submits a job.
///
/// # Errors
/// A name that is not known; the prompt cannot be read; the database.
pub fn run(cx: &mut Context, add: Add) -> Result {
    let max_attempts = match add.max_attempts {
        Some(n) => Some(n),
        None if cx.sets("max_attempts") => Some(cx.settings()?.max_attempts),
        None => None,
    };
    let mut spec = spec(add, max_attempts)?;
    names::backend(cx, &spec.backend)?;
    for skill in &spec.skills {
        names::skill(cx, skill)?;
    }
    if let Some(persona) = &spec.persona {
        names::persona(cx, persona)?;
    }
    cx.knock()?;
    let mut store = cx.writer()?;
    // What a job submits belongs to its own project, unless it says otherwise.
    if let (None, Actor::Worker(inside)) = (spec.project_id, cx.who(&store)?) {
        spec.project_id = inside.project;
    }
    let (actor, now) = (cx.permit(&mut store, &Act::AddJob(&spec))?.to_string(), cx.now());
    if let Some(worker) = &spec.worker {
        // By its number too; the job names it.
        spec.worker = Some(names::worker(&store, worker)?.name);
    }
    let added = store.write(|tx| tx.add_job(&spec, &actor, now))?;
    cx.wake_or_tidy(&store)?;
    match (cx.out.json, added.existing) {
        (true, false) => cx.out.value(&json!({ "id": added.job })),
        (true, true) => cx.out.value(&json!({ "id": added.job, "existing": true })),
        (false, false) => cx.out.line(&format!("job {}", added.job)),
        (false, true) => cx.out.line(&format!("job {} (open already, with the same dedup key)", added.job)),
    }
}

fn spec(add: Add, max_attempts: Option<u32>) -> Result<JobSpec> {
    let prompt = match (add.prompt, &add.prompt_file) {
        (Some(p), _) if p == "-" => read(std::io::stdin().lock(), "standard input", "prompt")?,
        (Some(p), _) => p,
        (None, Some(file)) if file == Path::new("-") => read(std::io::stdin().lock(), "standard input", "prompt")?,
        (None, Some(file)) => {
            let cannot = |e| CliError::not_found(format!("cannot read the prompt from {}: {e}", file.display()));
            read(std::fs::File::open(file).map_err(cannot)?, &file.display().to_string(), "prompt")?
        }
        (None, None) => return Err(CliError::usage("a job needs a prompt: --prompt P, --prompt-file F, or --prompt - for standard input")),
    };
    if prompt.trim().is_empty() {
        return Err(
            CliError::usage("the prompt is empty").hint("give it with --prompt P, --prompt-file F, or --prompt - for standard input")
        );
    }
    let title = match add.title {
        Some(title) => title.split_whitespace().collect::<Vec<_>>().join(" "),
        None => made_title(&prompt),
    };
    if title.is_empty() {
        return Err(
            CliError::usage("the title is empty").hint("give one with --title T, or leave it out: the prompt's first line is taken")
        );
    }
    let kind = add.kind.unwrap_or_else(|| default_kind(&add.backend));
    let mut spec = JobSpec::new(title, add.backend, prompt);
    spec.kind = kind;
    spec.priority = add.priority;
    spec.skills = add.skill;
    spec.project_id = add.project_id;
    spec.task_id = add.task_id;
    spec.depends_on = add.depends_on;
    spec.worker = add.worker;
    spec.model = add.model;
    spec.persona = add.persona;
    spec.not_before = add.after;
    spec.timeout = add.timeout;
    spec.max_attempts = max_attempts.unwrap_or(spec.max_attempts);
    spec.dedup_key = add.dedup;
    spec.tags = add.tag;
    spec.artefacts = add.artefact;
    Ok(spec)
}

/// Reads a text that the command line was given, whole: the request, the prompt, the message (`what`) in a file or stream (`name`).
///
/// # Errors
/// It is no UTF-8 text, is longer than 16 MiB, or cannot be read.
pub fn read(from: impl Read, name: &str, what: &str) -> Result<String> {
    let mut text = String::new();
    from.take(MAX_PROMPT + 1).read_to_string(&mut text).map_err(|e| match e.kind() {
        std::io::ErrorKind::InvalidData => CliError::usage(format!("the {what} in {name} is no UTF-8 text")),
        _ => CliError::new(Failure::Failure, format!("cannot read the {what} from {name}: {e}")),
    })?;
    if text.len() as u64 > MAX_PROMPT {
        return Err(CliError::usage(format!("the {what} in {name} is longer than 16 MiB"))
            .hint(format!("put the material in a file and name the file in the {what}")));
    }
    Ok(text)
}

fn made_title(prompt: &str) -> String {
    let first = prompt.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with("#!")).unwrap_or("");
    let mut title: String = first.trim_start_matches(['#', ' ']).chars().take(MADE_TITLE).collect();
    if first.chars().count() > MADE_TITLE {
        title.push('…');
    }
    title
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_made_from_the_first_line_that_says_something() {
        assert_eq!(made_title("\n#!/bin/sh\n\n# Sweep the logs\nrm x"), "Sweep the logs");
        assert_eq!(made_title(&"x".repeat(70)), format!("{}…", "x".repeat(60)));
    }
}
