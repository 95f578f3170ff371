//! Fires what is due: a row first, then its job, in one transaction.

use crate::domain::{CronEntry, CronStep, FireOutcome, JobSpec, JobState, Kind, Timestamp, due};
use crate::engine::dedup::Tier;
use crate::engine::memories::MemoryRequest;
use crate::engine::review::REVIEWED;
use crate::engine::state::{Effect, State};
use crate::store::{CronState, Event, NewFire, StoreError, Tx};

/// What follows for an entry.
enum After {
    /// Look at it again.
    Again,
    /// Not before this, if ever.
    Until(Option<Timestamp>),
}

impl State {
    /// Looks at the schedules, if anything may be due.
    pub(in crate::engine) fn cron(&mut self, tx: &Tx<'_>, now: Timestamp, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        if !self.cron.look && self.cron.wake.is_none_or(|t| t > now) {
            return Ok(());
        }
        self.cron.look = false;
        if tx.cron_set_back(now)? {
            let says = "the clock was set back by hours: schedules go on from now, and what has fired does not fire again";
            tx.event(&Event { severity: "warn", ..Event::new(now, "engine", "cron", says) })?;
        }
        self.cron.states = tx.cron_states(now)?;
        self.settle_fires(tx, now, out)?;
        let entries = self.cron.entries.clone();
        let mut wake = None;
        for entry in entries.iter() {
            while self.cron.enabled(entry) {
                let After::Until(next) = self.look_at(tx, entry, now, out)? else { continue };
                wake = [wake, next].into_iter().flatten().min();
                break;
            }
        }
        self.cron.wake = wake;
        self.ask_for_review(tx, now, out)
    }

    fn look_at(&mut self, tx: &Tx<'_>, entry: &CronEntry, now: Timestamp, out: &mut Vec<Effect>) -> Result<After, StoreError> {
        let state = self.cron.states.get(&entry.name).copied().unwrap_or(CronState { since: now, ..CronState::default() });
        let most = self.settings.cron_catch_up as usize;
        let what = entry.due(self.settings.cron_late, most);
        let fire = |at, missed| NewFire { name: &entry.name, at, missed, manual: false, project: None };
        // Whether a project has an open job is asked of each by itself.
        let open = state.open.is_some() && !entry.each_project;
        let (at, done) = match due(&what, state.after(now), open, now) {
            CronStep::Wait(until) => return Ok(After::Until(until)),
            // Its job's end is looked at.
            CronStep::Hold => return Ok(After::Until(None)),
            CronStep::Overlap { at, missed } => {
                let note = state.open.map(|job| format!("job {job} is open"));
                (at, tx.pass_fire(&fire(at, missed), FireOutcome::Overlap, note.as_deref(), now)?)
            }
            CronStep::Missed { at, missed } => {
                let written = tx.pass_fire(&fire(at, missed), FireOutcome::Missed, None, now)?;
                if written {
                    let says = format!("{}: {} left out, since no engine ran then (catch_up = \"skip\")", entry.name, fires(missed + 1));
                    tx.event(&Event { severity: "warn", ..Event::new(now, "engine", "cron", &says) })?;
                }
                (at, written)
            }
            CronStep::Fire { at, missed } if entry.each_project => (at, self.make_each(tx, entry, &fire(at, missed), now)?),
            CronStep::Fire { at, missed } if entry.back_off && state.quiet.skip > 0 => {
                let written = tx.pass_fire(&fire(at, missed), FireOutcome::BackedOff, None, now)?;
                if written {
                    let quiet = state.quiet.passed();
                    tx.set_quiet(&entry.name, quiet)?;
                    self.state_of(entry, now).quiet = quiet;
                }
                (at, written)
            }
            CronStep::Fire { at, missed } => match self.make(tx, entry, &fire(at, missed), now, out)? {
                Some(until) => return Ok(After::Until(Some(until))),
                None => (at, true),
            },
        };
        if !done {
            tracing::debug!("{} at {at} was fired already", entry.name);
        }
        let state = self.state_of(entry, now);
        state.last = state.last.max(Some(at));
        self.changed = true;
        Ok(After::Again)
    }

    fn state_of(&mut self, entry: &CronEntry, now: Timestamp) -> &mut CronState {
        self.cron.states.entry(entry.name.clone()).or_insert(CronState { since: now, ..CronState::default() })
    }

    /// A fire's job with the backend that is to do it, or why none can.
    pub(super) fn spec_at(&self, entry: &CronEntry, at: Timestamp) -> Result<JobSpec, String> {
        let spec = entry.job_at(at);
        let backend = self.backend_of(&spec.backend)?;
        match self.backends.get(&backend) {
            Some(b) if b.uses_model() && !(self.usable)(b) => {
                Err(format!("{backend} is not installed or not signed in: `orc backend check {backend}`"))
            }
            _ => Ok(JobSpec { backend, ..spec }),
        }
    }

    /// Makes a fire's job. `Some`: it is not yet known whether such a job is open; not later than then it is made all the same.
    fn make(
        &mut self,
        tx: &Tx<'_>,
        entry: &CronEntry,
        fire: &NewFire<'_>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let refuse = |note: &str| tx.pass_fire(fire, FireOutcome::Refused, Some(note), now).map(|_| None);
        if entry.job.kind == Kind::Consolidate {
            return self.consolidate(tx, fire, now);
        }
        let spec = match self.spec_at(entry, fire.at) {
            Ok(spec) => spec,
            Err(note) => return refuse(&note),
        };
        let key = spec.dedup_key.clone().unwrap_or_default();
        match self.dedup.look(&key, now, out) {
            Tier::Asked { until } => return Ok(Some(until)),
            Tier::Held(job) => {
                // The database is the truth: is it open, and is it this?
                let open = tx.job(job)?.is_some_and(|j| !j.state.is_final() && j.spec.dedup_key.as_ref() == Some(&key));
                if open {
                    tx.duplicate_fire(fire, job, now)?;
                    return Ok(None);
                }
                self.dedup.forget(&key, job, out);
            }
            Tier::Free => {}
        }
        if let Some(FireOutcome::Fired) = tx.fire(fire, &spec, "engine", now)? {
            let open: Vec<_> = tx.unsettled_fires()?.into_iter().filter(|f| f.name == entry.name).filter_map(|f| f.job).collect();
            if let Some(job) = open.last() {
                self.dedup.hold(&key, *job, out);
                self.state_of(entry, now).open.get_or_insert(*job);
            }
            self.cron.watched.extend(open);
        }
        Ok(None)
    }

    /// A schedule that reviews the day: its job's prompt is made by memory, and comes later.
    fn consolidate(&mut self, tx: &Tx<'_>, fire: &NewFire<'_>, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let (outcome, note) = if !self.reviews() {
            (FireOutcome::Refused, Some("no backend reviews what is remembered: set memory_backend in orc.toml".to_owned()))
        } else if tx.meta(REVIEWED)?.is_some_and(|day| day == self.settings.day(now)) {
            (FireOutcome::Duplicate, Some("the day has been reviewed already".to_owned()))
        } else {
            (FireOutcome::Fired, None)
        };
        tx.pass_fire(fire, outcome, note.as_deref(), now).map(|_| None)
    }

    /// Asks for the review that a schedule waits for, once; again after a restart.
    fn ask_for_review(&mut self, tx: &Tx<'_>, now: Timestamp, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        let entries = self.cron.entries.clone();
        for entry in entries.iter().filter(|e| e.job.kind == Kind::Consolidate) {
            let waiting = tx.jobless_fires(&entry.name)?;
            if waiting.is_empty() {
                continue;
            }
            if !self.reviews() {
                waiting.into_iter().try_for_each(|id| tx.settle_fire(id, None, now))?;
                continue;
            }
            let day = self.settings.day(now);
            if self.cron.reviewing.as_ref() != Some(&day) {
                self.cron.reviewing = Some(day.clone());
                out.push(Effect::Memory(MemoryRequest::Digest { day, now }));
            }
        }
        Ok(())
    }

    /// What a review that was asked for has come to: its job, if there was anything to review.
    pub(in crate::engine) fn reviewed(&mut self, tx: &Tx<'_>, job: Option<crate::domain::JobId>, now: Timestamp) -> Result<(), StoreError> {
        let entries = self.cron.entries.clone();
        for entry in entries.iter().filter(|e| e.job.kind == Kind::Consolidate) {
            for fire in tx.jobless_fires(&entry.name)? {
                match job {
                    Some(job) => tx.link_fire(&entry.name, job)?,
                    None => tx.settle_fire(fire, Some(false), now)?,
                }
            }
        }
        self.cron.reviewing = None;
        self.cron.look = true;
        Ok(())
    }
}

pub(super) fn fires(n: u32) -> String {
    if n == 1 { "a fire was".to_owned() } else { format!("{n} fires were") }
}

pub(super) fn is_over(state: Option<JobState>) -> bool {
    state.is_none_or(JobState::is_final)
}
