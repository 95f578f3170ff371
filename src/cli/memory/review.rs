//! `orc memory consolidate`: the day's review, now.

use super::open;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind, Result};
use crate::domain::Act;
use crate::engine::{Span, digest, review_job};
use clap::Args;
use serde_json::json;

#[derive(Args)]
pub struct Consolidate {
    /// The day, YYYY-MM-DD [default: what happened since the last review]
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
    // It forgets what is stale before anything else.
    let mut store = cx.writer()?;
    let actor = cx.permit(&mut store, &Act::Steer("reviewing the day"))?.to_string();
    let (memory, settings) = open(cx)?;
    let backends = cx.backends()?.0;
    let judge = settings.judge(&backends, crate::config::Backend::is_ready).map_err(|why| {
        CliError::refused(why).hint("set memory_backend in orc.toml, such as memory_backend = \"claude\"; `orc backend ls` lists them")
    })?;
    let now = cx.now();
    let span = match &c.day {
        Some(day) => Span::of_day(&settings, day).ok_or_else(|| CliError::usage(format!("there is no day {day}")))?,
        None => Span::since_last(&store, &settings, now)?,
    };
    let prompt = digest(&memory, cx.workspace()?, &settings, &span, now).map_err(|e| CliError::new(Kind::Workspace, e))?;
    let day = &span.day;
    let Some(prompt) = prompt else {
        let when = if span.follows { format!("since {}", settings.local_text(span.from)) } else { format!("on {day}") };
        return Err(CliError::refused(format!("nothing happened {when} that could be reviewed")));
    };
    let added = store.write(|tx| tx.add_job(&review_job(&judge.name, &span, prompt), &actor, now))?;
    cx.wake()?;
    if cx.out.json {
        return cx.out.value(&json!({ "id": added.job, "existing": added.existing }));
    }
    cx.out.line(&if added.existing { format!("job {} reviews {day} already", added.job) } else { format!("job {}", added.job) })
}
