//! `orc job prompt`: what the agent was given, part by part, with where each part came from.

use crate::cli::ages;
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::cli::output::Tone;
use crate::domain::{AttemptId, JobId, PromptPart};
use crate::store::Store;
use crate::wire::files;
use clap::Args;
use serde_json::json;
use std::path::Path;

#[derive(Args)]
pub struct Prompt {
    #[command(flatten)]
    jobs: args::Jobs,
    /// Another attempt than the newest (the ATTEMPT column of `job show`)
    #[arg(long, value_name = "ID", value_parser = args::id::<AttemptId>)]
    attempt: Option<AttemptId>,
    /// Only the list of parts, without their text
    #[arg(long)]
    parts: bool,
}

/// Prints the prompt of an attempt in full.
///
/// # Errors
/// The job has never run; what it was given has been swept away.
pub fn run(cx: &mut Context, verb: &Prompt) -> Result {
    if verb.attempt.is_some() && verb.jobs.ids.len() > 1 {
        return Err(CliError::usage("--attempt is for one job"));
    }
    let store = cx.reader()?;
    let mut values = Vec::new();
    for &id in &verb.jobs.ids {
        let (attempt, parts) = find(cx, &store, id, verb)?;
        let tokens: u64 = parts.iter().map(|p| p.tokens).sum();
        if cx.out.json {
            values.push(json!({ "id": id, "attempt": attempt, "tokens": tokens, "parts": parts }));
            continue;
        }
        cx.out.toned(
            Tone::Dim,
            &format!("attempt {attempt} of job {id}: about {} tokens, {}", ages::count(tokens), ages::many(parts.len(), "part")),
        )?;
        for part in &parts {
            let hash = part.hash.get(..12).unwrap_or(&part.hash);
            cx.out.toned(
                Tone::Head,
                &format!("--- {} from {} ({} tokens, {} bytes, sha256 {hash})", part.kind, part.source, part.tokens, part.bytes),
            )?;
            cx.out.block(&part.text)?;
        }
    }
    match (cx.out.json, values.len()) {
        (false, _) => Ok(()),
        (true, 1) => cx.out.value(&values[0]),
        (true, _) => cx.out.value(&values),
    }
}

/// The attempt that is meant, and what it was given.
fn find(cx: &Context, store: &Store, id: JobId, verb: &Prompt) -> Result<(AttemptId, Vec<PromptPart>)> {
    let job = cx.job(store, id)?;
    let attempt = match verb.attempt {
        Some(wanted) if !store.attempts(id)?.iter().any(|a| a.id == wanted) => {
            return Err(CliError::not_found(format!("job {id} has no attempt {wanted}")).hint(format!("`orc job show {id}` lists them")));
        }
        wanted => wanted.or(job.attempt).ok_or_else(|| {
            CliError::refused(format!("job {id} has not run yet: its prompt is put together when it starts"))
                .hint(format!("`orc job show {id}` has what was submitted"))
        })?,
    };
    let folder = cx.workspace()?.attempt_dir(attempt);
    let mut parts = read(&folder).ok_or_else(|| {
        CliError::not_found(format!("the prompt of attempt {attempt} is not in {}", folder.display()))
            .hint("spools are kept for a time and then swept away; or it was claimed just now: try again")
    })?;
    if verb.parts {
        parts.iter_mut().for_each(|p| p.text.clear());
    }
    Ok((attempt, parts))
}

fn read(folder: &Path) -> Option<Vec<PromptPart>> {
    serde_json::from_slice(&std::fs::read(folder.join(files::PARTS)).ok()?).ok()
}
