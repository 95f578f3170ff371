//! What starts jobs by the clock: whether the schedules can be read and fire, and whether Redis answers where it is to be asked.

use super::Site;
use crate::domain::{Component, Finding, FireOutcome};
use crate::engine::cron_view;
use crate::engine::dedup::ping;
use crate::store::Store;
use std::time::Duration;

const C: Component = Component::Scheduler;

/// `cron.toml`, its entries, and what became of their last fires.
pub fn schedules(store: &Store, site: &Site<'_>) -> Vec<Finding> {
    const PART: &str = "schedules";
    let (Ok(workspace), Ok(settings)) = (&site.workspace, &site.settings) else { return Vec::new() };
    let none = Default::default();
    let known = site.backends.as_ref().map_or(&none, |(all, _)| all);
    let view = match cron_view(store, workspace, settings, known, Duration::ZERO, site.now) {
        Ok(view) => view,
        Err(e) => return vec![Finding::warn(C, PART, e.to_string(), "see database")],
    };
    let mut found = Vec::new();
    if let Some(problem) = &view.problem {
        let says = format!("cron.toml is broken, the last good schedules stay in force: {}", problem.replace('\n', "; "));
        found.push(Finding::warn(C, PART, says, "correct what is named in cron.toml; it is taken over when it is saved"));
    }
    let on = || view.rows.iter().filter(|r| r.enabled);
    // Without backends nothing can be told of any entry: their own line says why.
    for r in on().filter(|_| site.backends.is_ok()) {
        if let Some(problem) = &r.problem {
            let fix = format!("mend its entry in cron.toml, or `orc cron disable {}`", r.name);
            found.push(Finding::warn(C, PART, format!("{} will make no job: {problem}", r.name), fix));
        } else if let Some(last) = r.last.as_ref().filter(|f| f.outcome == FireOutcome::Refused) {
            let note = last.note.as_deref().unwrap_or("its job could not be made");
            let fix = format!("mend that, then `orc cron run {}` tries it at once; or `orc cron disable {0}`", r.name);
            found.push(Finding::warn(C, PART, format!("the last fire of {} ({}) was refused: {note}", r.name, last.at), fix));
        }
    }
    if found.is_empty() {
        found.push(Finding::ok(C, PART, format!("{} of {} switched on", on().count(), view.rows.len())));
    }
    found
}

/// The server that `redis_url` names.
pub fn redis(site: &Site<'_>) -> Option<Finding> {
    const PART: &str = "redis";
    let url = site.settings.as_ref().ok().map(|s| s.redis_url.as_str()).filter(|url| *url != "none")?;
    Some(match ping(url) {
        Ok(()) => Finding::ok(C, PART, "it answers"),
        Err(why) => Finding::warn(
            C,
            PART,
            format!("the server of `redis_url` does not answer ({why}): the database alone keeps duplicates out"),
            "start it (`redis-server`), or set redis_url = \"none\" in orc.toml: nothing fires twice in either case",
        ),
    })
}
