//! What the clock starts. The state's methods: `take` reads the schedules, `fire` makes jobs of what is due, `settle` looks at what
//! became of them. The file is watched by `watch`.

mod each;
mod fire;
mod settle;
mod take;
mod view;
mod watch;

pub use view::cron_view;
pub(super) use watch::watch;

use super::plans::agent;
use crate::config::{Backend, Settings};
use crate::domain::{BackendPause, CronEntry, JobId, Kind, Timestamp};
use crate::store::CronState;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A clock that steps back further than this is looked at anew.
const STEP_BACK: Duration = Duration::from_secs(60);

/// The backend that a schedule's type comes to: `auto` is the one that work goes to where nobody named any.
fn backend_of(
    settings: &Settings,
    backends: &BTreeMap<String, Backend>,
    pauses: &BTreeMap<String, (BackendPause, u32)>,
    usable: fn(&Backend) -> bool,
    named: &str,
) -> Result<String, String> {
    match named {
        "auto" => agent(backends, pauses, usable, "work_backend", &settings.work_backend),
        _ if backends.contains_key(named) => Ok(named.to_owned()),
        _ => Err(format!("there is no backend `{named}`: `orc backend ls` lists them")),
    }
}

/// What the engine knows of the schedules.
#[derive(Default)]
pub(super) struct Cron {
    pub entries: Arc<Vec<CronEntry>>,
    pub states: BTreeMap<String, CronState>,
    /// The text that they were read from.
    pub text: Option<String>,
    /// What is wrong with the file, while the last good entries are in force.
    pub problem: Option<String>,
    /// When the next fire is due.
    pub wake: Option<Timestamp>,
    /// Something has changed: look at every entry.
    pub look: bool,
    /// Jobs whose end matters here.
    pub watched: BTreeSet<JobId>,
    /// Up to when a review has been asked for on behalf of a schedule.
    pub reviewing: Option<Timestamp>,
    /// The newest time on the clock.
    seen: Timestamp,
}

impl Cron {
    /// Forgets what a transaction that did not happen may have changed.
    pub fn reload(&mut self) {
        self.look = true;
        self.reviewing = None;
        self.states.clear();
        self.watched.clear();
    }

    /// Looks at the clock. True where it was set back.
    pub fn clock(&mut self, now: Timestamp) -> bool {
        let back = self.seen.since(now) > STEP_BACK;
        self.seen = now;
        self.look |= back;
        back
    }

    /// Whether an entry fires.
    pub fn enabled(&self, entry: &CronEntry) -> bool {
        self.states.get(&entry.name).and_then(|s| s.enabled).unwrap_or(entry.enabled)
    }

    /// True while a schedule says when the day is reviewed; the setting `consolidate_at` then does not.
    pub fn consolidates(&self) -> bool {
        self.entries.iter().any(|e| e.job.kind == Kind::Consolidate && self.enabled(e))
    }

    /// When time alone changes something here.
    pub fn due(&self, now: Timestamp) -> Option<Timestamp> {
        if self.look { Some(now) } else { self.wake }
    }
}
