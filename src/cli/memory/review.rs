//! `orc memory consolidate`: the day's review, now.

use super::open;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind, Result};
use crate::domain::Act;
use crate::engine::{digest, review_job};
use clap::Args;
use serde_json::json;

#[derive(Args)]
pub struct Consolidate {
    /// The day, YYYY-MM-DD [default: today]
    #[arg(long, value_name = "DAY", value_parser = day)]
    day: Option<String>,
}

fn day(text: &str) -> std::result::Result<String, String> {
    chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|d| d.to_string()).map_err(|_| "give a day such as 2026-03-01".into())
}

/// Queues the job that reviews a day.
///
/// # Errors
/// No backend is set for it; nothing happened that day; the store or the database.
pub fn run(cx: &mut Context, c: &Consolidate) -> Result {
    let (memory, settings) = open(cx)?;
    let backends = cx.backends()?.0;
    if !backends.get(&settings.memory_backend).is_some_and(crate::config::Backend::uses_model) {
        return Err(CliError::refused(format!("`memory_backend` is {}, which is no backend with a model", settings.memory_backend))
            .hint("set memory_backend in orc.toml, such as memory_backend = \"claude\"; `orc backend ls` lists them"));
    }
    let now = cx.now();
    let day = c.day.clone().unwrap_or_else(|| settings.day(now));
    let prompt = digest(&memory, cx.workspace()?, &settings, &day, now).map_err(|e| CliError::new(Kind::Workspace, e))?;
    let Some(prompt) = prompt else { return Err(CliError::refused(format!("nothing happened on {day} that could be reviewed"))) };
    let mut store = cx.writer()?;
    let actor = cx.permit(&mut store, &Act::Steer("reviewing the day"))?.to_string();
    let added = store.write(|tx| tx.add_job(&review_job(&settings.memory_backend, &day, prompt), &actor, now))?;
    cx.wake()?;
    if cx.out.json {
        return cx.out.value(&json!({ "id": added.job, "existing": added.existing }));
    }
    cx.out.line(&if added.existing { format!("job {} reviews {day} already", added.job) } else { format!("job {}", added.job) })
}
