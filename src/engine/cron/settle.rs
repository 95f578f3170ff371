//! What became of the jobs of fires: whether they found anything to do.

use super::fire::is_over;
use crate::domain::{CronEntry, ExitReport, Fire, Job, JobState, Origin, Outcome, Timestamp, found_nothing, says_nothing};
use crate::engine::learn::read_head;
use crate::engine::state::{Effect, State};
use crate::store::{Event, StoreError, Tx};

/// How much of a result is looked at, in bytes.
const HEAD: u64 = 4096;

impl State {
    pub(super) fn settle_fires(&mut self, tx: &Tx<'_>, now: Timestamp, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        // An engine that has just begun does not know yet which entries slow down: what its jobs found waits for that.
        if self.cron.text.is_none() && self.cron.problem.is_none() {
            return Ok(());
        }
        self.cron.watched = self.cron.states.values().filter_map(|s| s.open).collect();
        for fire in tx.unsettled_fires()? {
            let Some(job) = fire.job else { continue };
            if !is_over(fire.job_state) {
                self.cron.watched.insert(job);
                continue;
            }
            if let Some(key) = tx.job(job)?.and_then(|j| j.spec.dedup_key) {
                self.dedup.forget(&key, job, out);
            }
            let found = (fire.job_state == Some(JobState::Done)).then(|| self.found(tx, &fire)).transpose()?.flatten();
            tx.settle_fire(fire.id, found, now)?;
            self.slow_down(tx, &fire, found, now)?;
        }
        Ok(())
    }

    /// Whether a job that is done found something: not asked of scripts, whose silence means that all went well.
    fn found(&self, tx: &Tx<'_>, fire: &Fire) -> Result<Option<bool>, StoreError> {
        let Some(job) = fire.job.map(|j| tx.job(j)).transpose()?.flatten() else { return Ok(None) };
        let asks = self.cron.entries.iter().any(|e| e.name == fire.name && e.back_off);
        if !asks && !self.backends.get(&job.spec.backend).is_some_and(|b| b.uses_model()) {
            return Ok(None);
        }
        let path = tx.result_path(job.id)?;
        Ok(Some(!found_nothing(&read_head(path.as_deref(), HEAD).unwrap_or_default())))
    }

    /// Every 2nd, 4th, 8th fire only, while there is nothing to do; the first find ends it.
    fn slow_down(&mut self, tx: &Tx<'_>, fire: &Fire, found: Option<bool>, now: Timestamp) -> Result<(), StoreError> {
        let entries = self.cron.entries.clone();
        let Some(entry) = entries.iter().find(|e| e.name == fire.name && e.back_off) else { return Ok(()) };
        let Some(found) = found else { return Ok(()) };
        let key = CronEntry::quiet_key(&entry.name, fire.project);
        let most = self.settings.cron_back_off;
        let state = self.cron.states.entry(key.clone()).or_default();
        let (old, new) = (state.quiet, state.quiet.after(!found, most));
        if old == new {
            return Ok(());
        }
        state.quiet = new;
        tx.set_quiet(&key, new)?;
        if old.every(most) != new.every(most) {
            let who = fire.project.map_or_else(|| entry.name.clone(), |id| format!("{}, project {id}", entry.name));
            let says = match new.every(most) {
                1 => format!("{who}: something to do again: every fire makes a job"),
                n => format!("{who}: nothing to do {}: every {n}th fire makes a job", times(new.streak)).replace(" 2th", " 2nd"),
            };
            tx.event(&Event { job: fire.job, ..Event::new(now, "engine", "cron", &says) })?;
        }
        Ok(())
    }
}

impl State {
    /// True where an attempt ended well and says in words that its schedule, which backs off, has nothing for it to do. There is no
    /// work to judge and nothing to learn from it: nobody is paid for either.
    pub(in crate::engine) fn had_nothing_to_do(&self, tx: &Tx<'_>, job: &Job, report: &ExitReport) -> Result<bool, StoreError> {
        if job.spec.origin != Origin::Cron || report.outcome != Outcome::Ok {
            return Ok(false);
        }
        let Some(name) = tx.cron_of(job.id)? else { return Ok(false) };
        let asks = self.cron.entries.iter().any(|e| e.name == name && e.back_off);
        Ok(asks && read_head(report.result_file.as_deref(), HEAD).is_some_and(|result| says_nothing(&result)))
    }
}

fn times(n: u32) -> String {
    if n == 1 { "once".to_owned() } else { format!("{n} times in a row") }
}
