//! `orc why ID`

use super::args;
use super::context::Context;
use super::error::Result;
use super::output::Tone;
use crate::domain::{JobId, JobState};
use crate::engine::why::explain;
use clap::Args;
use serde_json::json;

#[derive(Args)]
pub struct Why {
    /// The job
    #[arg(value_parser = args::id::<JobId>)]
    id: JobId,
}

/// Says for each gate, in the order in which they are asked, whether it lets the job through, and what would open it.
///
/// # Errors
/// The job does not exist; the database; the configuration.
pub fn run(cx: &mut Context, why: &Why) -> Result {
    let store = cx.reader()?;
    let job = cx.job(&store, why.id)?;
    let verdicts = match job.state {
        JobState::Waiting | JobState::Queued => explain(&store, &cx.settings()?, cx.workspace()?, &job, cx.now())?,
        _ => Vec::new(),
    };
    if cx.out.json {
        return cx.out.value(&json!({
            "id": job.id, "state": job.state, "wait_reason": job.wait_reason, "outcome": job.outcome, "note": job.note, "verdicts": verdicts,
        }));
    }
    let note = job.note.as_deref().map(|n| format!(": {n}")).unwrap_or_default();
    let reason = job.wait_reason.map(|w| format!(" ({w})")).unwrap_or_default();
    cx.out.line(&format!("job {} is {}{reason}{note}", job.id, job.state))?;
    for v in &verdicts {
        let (mark, tone) = if v.open { ("ok  ", Tone::Dim) } else { ("HOLD", Tone::Warn) };
        cx.out.toned(tone, &format!("  {mark}  {:<10}  {}", v.gate, v.says))?;
        if !v.open && !v.unblock.is_empty() {
            cx.out.line(&format!("                    -> {}", v.unblock))?;
        }
    }
    match job.state {
        JobState::Reviewing => match store.open_review_of(job.id)? {
            Some(r) => {
                let by = r.review_job.or(r.test_job).map(|by| format!(", in job {by}: orc why {by}")).unwrap_or_default();
                cx.out.line(&format!("  round {} of its review: {}{by}", r.round, r.stage))
            }
            None => Ok(()),
        },
        JobState::Running => cx.out.line(&format!("  watch it: orc job tail -f {}", job.id)),
        s if s.is_final() => cx.out.line(&format!("  how it went: orc job show {}", job.id)),
        _ if !verdicts.is_empty() && verdicts.iter().all(|v| v.open) => cx.out.line("  nothing holds it: it starts next"),
        _ => Ok(()),
    }
}
