//! `orc job show`

use crate::cli::ages;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::cli::log;
use crate::cli::output::{Cell, Table, Tone};
use crate::domain::{Attempt, Job, JobId, LogFilter, LogLine, Outcome, Page, Review, ReviewOutcome, SkillGiven};
use crate::store::{Branch, Store};
use serde_json::{Value, json};

/// Events shown for a job.
const EVENTS: usize = 200;

struct Detail {
    project: Option<String>,
    job: Job,
    attempts: Vec<Attempt>,
    events: Vec<LogLine>,
    dependents: Vec<JobId>,
    reviews: Vec<Review>,
    branch: Option<Branch>,
    skills: Vec<SkillGiven>,
    suggested: Vec<(String, String)>,
}

/// Shows jobs in full: an object for one, an array for several.
///
/// # Errors
/// A job that does not exist; the database.
pub fn run(cx: &mut Context, ids: &[JobId]) -> Result {
    let store = cx.reader()?;
    let details = ids.iter().map(|&id| detail(cx, &store, id)).collect::<Result<Vec<_>>>()?;
    if cx.out.json {
        let mut values = details.iter().map(value).collect::<Result<Vec<Value>>>()?;
        return match values.len() {
            1 => cx.out.value(&values.remove(0)),
            _ => cx.out.value(&values),
        };
    }
    for (i, d) in details.iter().enumerate() {
        if i > 0 {
            cx.out.line("")?;
        }
        print(cx, d)?;
    }
    Ok(())
}

fn detail(cx: &Context, store: &Store, id: JobId) -> Result<Detail> {
    let job = cx.job(store, id)?;
    let mut events = store.log(&LogFilter { job: Some(id), text: String::new() }, Page { before: None, limit: EVENTS })?;
    events.reverse();
    let project = job.spec.project_id.map(|id| store.project(id)).transpose()?.flatten().map(|p| p.title);
    let dependents = store.dependents(id)?.iter().map(|r| r.id).collect();
    Ok(Detail {
        job,
        project,
        attempts: store.attempts(id)?,
        events,
        dependents,
        reviews: store.reviews(id)?,
        branch: store.branch(id)?,
        skills: store.skills_of(id)?,
        suggested: store.suggested_skills(id)?,
    })
}

/// A job as one value: the fields of `job ls`, and more.
fn value(d: &Detail) -> Result<Value> {
    let mut v = serde_json::to_value(&d.job).map_err(|e| CliError::new(crate::cli::Kind::Failure, e.to_string()))?;
    // The same words as in `job ls` and in the flags.
    if let Some(map) = v.as_object_mut() {
        let newest = d.attempts.iter().max_by_key(|a| a.number);
        for (from, to) in [("backend", "type"), ("timeout", "timeout_ms")] {
            if let Some(value) = map.remove(from) {
                map.insert(to.to_owned(), value);
            }
        }
        map.insert("project".into(), json!(d.project));
        map.insert("lane".into(), json!(d.job.lane()));
        map.insert("worker".into(), json!(newest.map(|a| a.worker.clone()).or_else(|| d.job.spec.worker.clone())));
        map.insert("tokens".into(), json!(d.attempts.iter().map(|a| a.usage.total()).sum::<u64>()));
        map.insert("cost_usd".into(), json!(d.attempts.iter().filter_map(|a| a.cost_usd).fold(0.0, |sum, cost| sum + cost)));
        map.insert("dependents".into(), json!(d.dependents));
        map.insert("history".into(), json!(d.attempts));
        map.insert("reviews".into(), json!(d.reviews));
        map.insert("branch".into(), json!(d.branch));
        map.insert("given_skills".into(), json!(d.skills));
        let suggested = d.suggested.iter().map(|(skill, trigger)| json!({ "skill": skill, "trigger": trigger })).collect::<Vec<_>>();
        map.insert("suggested_skills".into(), json!(suggested));
        map.insert("events".into(), json!(d.events));
    }
    Ok(v)
}

fn print(cx: &mut Context, d: &Detail) -> Result {
    let (job, spec) = (&d.job, &d.job.spec);
    let list = |ids: &[JobId]| ids.iter().map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
    let mut fields = vec![("job", job.id.to_string()), ("title", spec.title.clone())];
    let mut state = job.state.to_string();
    if let Some(why) = job.wait_reason {
        state += &format!(" ({why})");
    }
    if job.kill_requested {
        state += " (its end was asked for)";
    }
    fields.push(("state", state));
    if let Some(note) = &job.note {
        fields.push(("note", note.clone()));
    }
    fields.push(("priority", format!("{} (lane {}, {})", spec.priority, job.lane().number(), job.lane().name())));
    fields.push(("type", spec.backend.clone()));
    fields.push(("kind", spec.kind.to_string()));
    let mut optional = |name, value: Option<String>| {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            fields.push((name, value));
        }
    };
    optional("model", spec.model.clone());
    optional("worker", spec.worker.clone());
    optional("persona", spec.persona.clone());
    optional("skills", Some(spec.skills.join(", ")));
    let newest = d.skills.first().and_then(|s| s.attempt);
    let given = d.skills.iter().filter(|s| s.attempt == newest).map(|s| {
        let hash = s.hash.as_deref().map_or("", |h| &h[..h.len().min(12)]);
        match &s.trigger {
            Some(phrase) => format!("{} {hash} (by \"{phrase}\")", s.skill),
            None => format!("{} {hash}", s.skill),
        }
    });
    optional("given", Some(given.collect::<Vec<_>>().join(", ")));
    let suggested = d.suggested.iter().map(|(skill, phrase)| format!("{skill} (by \"{phrase}\")"));
    optional("would fit", Some(suggested.collect::<Vec<_>>().join(", ")));
    optional("project", spec.project_id.map(|p| p.to_string()));
    optional("task", spec.task_id.map(|t| t.to_string()));
    optional("depends on", Some(list(&spec.depends_on)));
    optional("needed by", Some(list(&d.dependents)));
    optional("not before", spec.not_before.map(|t| t.to_string()));
    optional("timeout", spec.timeout.map(ages::span));
    optional("dedup key", spec.dedup_key.clone());
    optional("tags", Some(spec.tags.join(", ")));
    optional("next try", job.ready_at.map(|t| t.to_string()));
    optional("attempts", Some(format!("{} of {} used", job.attempts, spec.max_attempts)));
    optional("lost", (job.losses > 0).then(|| job.losses.to_string()));
    optional("delivers", Some(spec.artefacts.join(", ")));
    optional(
        "branch",
        d.branch.as_ref().map(|b| format!("{} in {}{}", b.name, b.tree, if b.merged_at.is_some() { ", merged" } else { "" })),
    );
    optional("origin", Some(spec.origin.to_string()));
    optional("submitted", Some(job.created_at.to_string()));
    optional("ended", job.finished_at.map(|t| t.to_string()));
    cx.out.fields(&fields)?;
    cx.out.line("")?;
    cx.out.toned(Tone::Head, "Prompt")?;
    cx.out.block(&spec.prompt)?;
    if !d.attempts.is_empty() {
        cx.out.line("")?;
        cx.out.toned(Tone::Head, "Attempts")?;
        cx.out.table(&attempts(&d.attempts, cx.now()), "")?;
    }
    if !d.reviews.is_empty() {
        cx.out.line("")?;
        cx.out.toned(Tone::Head, "Reviews")?;
        for r in &d.reviews {
            review(cx, r)?;
        }
    }
    cx.out.line("")?;
    cx.out.toned(Tone::Head, "Events")?;
    for event in &d.events {
        log::print(cx, event)?;
    }
    Ok(())
}

/// A round of review: how it ended, its criteria, its fixes.
fn review(cx: &mut Context, r: &Review) -> Result {
    let ended = r.outcome.map_or_else(|| format!("under way: {}", r.stage), |o| o.to_string());
    let score = r.score.map(|s| format!(", {s:.2} of {:.2}", r.threshold)).unwrap_or_default();
    let tests = r.tests_passed.map(|ok| if ok { ", tests pass" } else { ", tests fail" }).unwrap_or_default();
    let who = r.reviewer.as_deref().map(|w| format!(", by {w}")).unwrap_or_default();
    let tone = match r.outcome {
        Some(ReviewOutcome::Passed | ReviewOutcome::Accepted) => Tone::Good,
        Some(ReviewOutcome::Fixes | ReviewOutcome::Unreviewed) => Tone::Warn,
        Some(ReviewOutcome::Failed) => Tone::Bad,
        _ => Tone::Dim,
    };
    cx.out.toned(tone, &format!("round {}: {ended}{score}{tests}{who}", r.round))?;
    if let Some(hash) = &r.hash {
        cx.out.line(&format!("  of {}", hash.chars().take(24).collect::<String>()))?;
    }
    for c in r.judgement.iter().flat_map(|j| &j.criteria) {
        cx.out.line(&format!("  {:.2} {}: {}", c.score, c.id, c.evidence.replace('\n', " ")))?;
    }
    for f in &r.fixes {
        let state = if f.closed { "closed" } else { "open" };
        cx.out.line(&format!("  fix {} ({state}): {}", f.number, f.text.replace('\n', " ")))?;
        if let Some(evidence) = &f.evidence {
            cx.out.line(&format!("        {}", evidence.replace('\n', " ")))?;
        }
    }
    Ok(())
}

fn attempts(rows: &[Attempt], now: crate::domain::Timestamp) -> Table {
    let mut table = Table::new(&[">#", ">ATTEMPT", "OUTCOME", "WORKER", "BACKEND", ">TIME", ">TOKENS", ">COST", "MESSAGE"], "MESSAGE");
    for a in rows {
        let (tone, outcome) = match a.outcome {
            None => (Tone::Busy, "running"),
            Some(Outcome::Ok) => (Tone::Good, "ok"),
            Some(o @ (Outcome::Interrupted | Outcome::Killed)) => (Tone::Dim, o.as_str()),
            Some(o) => (Tone::Bad, o.as_str()),
        };
        let tokens = if a.usage_known { ages::count(a.usage.total()) } else { format!("~{}", ages::count(a.estimate)) };
        table.row(vec![
            a.number.into(),
            a.id.into(),
            Cell::toned(tone, outcome),
            (&a.worker).into(),
            (&a.backend).into(),
            ages::ago(a.started_at, a.ended_at.unwrap_or(now)).into(),
            tokens.into(),
            ages::cost(a).into(),
            a.message.as_deref().unwrap_or("").into(),
        ]);
    }
    table
}
