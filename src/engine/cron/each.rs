//! A schedule that makes a job for each project that is stalled. Which are is asked of the database, so that an hour in which nothing
//! stands still costs no model anything; and each job belongs to its project, in which alone it may act.

use crate::domain::{CronEntry, FireOutcome, Timestamp, for_project};
use crate::engine::state::State;
use crate::store::{NewFire, StoreError, Tx};

impl State {
    /// Makes the jobs of a fire. False: it was fired already. The first tier of dedup is not asked: that a project has no open job
    /// was just read from the second.
    pub(super) fn make_each(&mut self, tx: &Tx<'_>, entry: &CronEntry, fire: &NewFire<'_>, now: Timestamp) -> Result<bool, StoreError> {
        let spec = match self.spec_at(entry, fire.at) {
            Ok(spec) => spec,
            Err(note) => return tx.pass_fire(fire, FireOutcome::Refused, Some(&note), now),
        };
        let projects = tx.stalled_projects()?;
        if !tx.fire_each(fire, projects.len(), now)? {
            return Ok(false);
        }
        for (id, title) in &projects {
            let part = NewFire { project: Some(*id), missed: 0, ..*fire };
            let key = CronEntry::quiet_key(&entry.name, part.project);
            let quiet = self.cron.states.get(&key).map(|s| s.quiet).unwrap_or_default();
            if entry.back_off && quiet.skip > 0 {
                tx.pass_fire(&part, FireOutcome::BackedOff, None, now)?;
                tx.set_quiet(&key, quiet.passed())?;
                self.cron.states.entry(key).or_default().quiet = quiet.passed();
            } else if tx.fire(&part, &for_project(&spec, *id, title), "engine", now)? == Some(FireOutcome::Fired) {
                self.cron.watched.extend(tx.job_of_part(&part)?);
            }
        }
        Ok(true)
    }
}
