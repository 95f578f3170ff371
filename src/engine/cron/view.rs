//! What lists and consoles show of the schedules: made from the file, the database and a time, by whoever asks.

use crate::config::{Backend, Settings, Workspace, cron_problem, parse_cron, review_problem};
use crate::domain::{CronEntry, CronRow, CronView, MOST_FIRES, Timestamp, Upcoming, jitter, next_due, reservation};
use crate::store::{CRON_GOOD, CronState, Period, Store, StoreError};
use std::collections::BTreeMap;
use std::time::Duration;

/// Two jobs that start closer than this collide.
const CLOSE: Duration = Duration::from_secs(60);

/// The schedules as they stand, and what they start within `ahead`. Where the file is broken: the last good ones, and what is
/// wrong.
///
/// # Errors
/// The database.
pub fn cron_view(
    store: &Store,
    workspace: &Workspace,
    settings: &Settings,
    backends: &BTreeMap<String, Backend>,
    ahead: Duration,
    now: Timestamp,
) -> Result<CronView, StoreError> {
    let (entries, problem) = match crate::config::cron(workspace, settings) {
        Ok(entries) => (entries, None),
        Err(problems) => {
            let good = store.meta(CRON_GOOD)?.and_then(|text| parse_cron(&workspace.cron_file(), &text, settings).ok());
            (good.unwrap_or_default(), Some(problems.to_string()))
        }
    };
    let pauses = store.engine_state()?.pauses;
    let backend = |named: &str| super::backend_of(settings, backends, &pauses, Backend::is_ready, named);
    let stalled = if entries.iter().any(|e| e.each_project) { store.stalled_projects()?.len() as u64 } else { 0 };
    let states = store.cron_states(now)?;
    let learned = store.cron_tokens()?;
    let mut view = CronView { problem, found: store.cron_found(Period::ever())?, ..CronView::default() };
    for entry in &entries {
        let state = states.get(&entry.name).copied().unwrap_or(CronState { since: now, ..CronState::default() });
        let tokens = learned.get(&entry.name).copied().unwrap_or_else(|| guess(settings, entry));
        // As things stand, so many projects will be.
        let tokens = if entry.each_project { tokens * stalled } else { tokens };
        let mut row = row(store, settings, entry, state, tokens, now)?;
        row.problem = cron_problem(workspace, entry, backend).or_else(|| review_problem(workspace, settings, entry));
        if row.enabled {
            view.upcoming.extend(coming(settings, entry, state, tokens, now, ahead));
        }
        view.rows.push(row);
        let mut job = entry.job_at(now);
        job.backend = backend(&job.backend).unwrap_or(job.backend);
        view.jobs.insert(entry.name.clone(), (job, entry.each_project));
    }
    collide(&mut view.upcoming);
    Ok(view)
}

fn row(store: &Store, settings: &Settings, e: &CronEntry, state: CronState, tokens: u64, now: Timestamp) -> Result<CronRow, StoreError> {
    let enabled = state.enabled.unwrap_or(e.enabled);
    let due = e.due(settings.cron_late, settings.cron_catch_up as usize);
    Ok(CronRow {
        name: e.name.clone(),
        schedule: e.schedule.to_string(),
        timezone: e.zone.name().to_owned(),
        enabled,
        enabled_by: if state.enabled.is_some() { "operator" } else { "file" }.to_owned(),
        catch_up: e.catch_up,
        overlap: e.overlap,
        jitter_ms: e.jitter.as_millis() as u64,
        next: if enabled { next_due(&due, state.after(now)).map(|(_, at)| at.max(now)) } else { None },
        last: store.fires(Some(&e.name), 1)?.pop(),
        every: if e.back_off { state.quiet.every(settings.cron_back_off) } else { 1 },
        skip: if e.back_off { state.quiet.skip } else { 0 },
        quiet: state.quiet.streak,
        tokens,
        title: e.job.title.clone(),
        backend: e.job.backend.clone(),
        kind: e.job.kind,
        skills: e.job.skills.clone(),
        problem: None,
    })
}

/// Without history: what a reservation would be.
fn guess(settings: &Settings, e: &CronEntry) -> u64 {
    if matches!(e.job.backend.as_str(), "shell" | "replay") {
        return 0;
    }
    reservation(e.job.prompt.len() as u64, crate::engine::why::CONTEXT, settings.expected_output[e.job.kind], true)
}

fn coming(settings: &Settings, e: &CronEntry, state: CronState, tokens: u64, now: Timestamp, ahead: Duration) -> Vec<Upcoming> {
    let every = if e.back_off { state.quiet.every(settings.cron_back_off) } else { 1 };
    let mut skip = if e.back_off { state.quiet.skip } else { 0 };
    let mut all = Vec::new();
    for scheduled in e.schedule.between(e.zone, state.after(now).max(now - e.jitter), now + ahead, MOST_FIRES) {
        let at = scheduled + jitter(&e.name, scheduled, e.jitter);
        // As things stand, it goes on finding nothing.
        let backed_off = skip > 0;
        skip = if backed_off { skip - 1 } else { every - 1 };
        all.push(Upcoming {
            name: e.name.clone(),
            scheduled,
            at,
            tokens: if backed_off { 0 } else { tokens },
            backed_off,
            collides: Vec::new(),
        });
    }
    all
}

/// Sorts by time, and tells each of the others beside it.
fn collide(all: &mut [Upcoming]) {
    all.sort_by(|a, b| (a.at, &a.name).cmp(&(b.at, &b.name)));
    let starts: Vec<(Timestamp, String)> = all.iter().filter(|u| !u.backed_off).map(|u| (u.at, u.name.clone())).collect();
    for u in all.iter_mut().filter(|u| !u.backed_off) {
        let from = starts.partition_point(|(at, _)| *at + CLOSE < u.at);
        let near = starts[from..].iter().take_while(|(at, _)| *at <= u.at + CLOSE);
        let names: BTreeMap<&str, ()> = near.filter(|(_, name)| *name != u.name).map(|(_, name)| (name.as_str(), ())).collect();
        u.collides = names.into_keys().map(str::to_owned).collect();
    }
}
