//! The schedules are taken over as a whole, or not at all.

use crate::config::{cron_problem, parse_cron};
use crate::domain::{Kind, Timestamp};
use crate::engine::state::State;
use crate::store::{CRON_GOOD, Event, StoreError, Tx};
use std::sync::Arc;

impl State {
    /// The backend that a schedule's type comes to, or why to none.
    pub(super) fn backend_of(&self, named: &str) -> Result<String, String> {
        super::backend_of(&self.settings, &self.backends, &self.switches.pauses, self.usable, named)
    }

    /// The settings have changed: where an entry names no time zone it has theirs. What is wrong with the file stays wrong.
    pub(in crate::engine) fn rezone_cron(&mut self, tx: &Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        let parsed = self.cron.text.as_ref().map(|text| parse_cron(&self.workspace.cron_file(), text, &self.settings));
        if let Some(Ok(entries)) = parsed {
            tx.take_cron(&entries, now)?;
            self.cron.entries = Arc::new(entries);
            self.cron.look = true;
        }
        Ok(())
    }

    /// The file was read: its text (`None`: there is no file), or why it cannot be.
    pub(in crate::engine) fn on_cron(
        &mut self,
        tx: &Tx<'_>,
        read: Result<Option<String>, String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let parsed = read.and_then(|text| {
            let text = text.unwrap_or_default();
            let entries = parse_cron(&self.workspace.cron_file(), &text, &self.settings).map_err(|e| e.to_string())?;
            Ok((text, entries))
        });
        let (text, entries) = match parsed {
            Ok(good) => good,
            Err(problem) => return self.keep_cron(tx, problem, now),
        };
        let mended = self.cron.problem.take().is_some();
        let changed = tx.take_cron(&entries, now)?;
        let gone = self.cron.entries.iter().filter(|old| !entries.iter().any(|e| e.name == old.name)).count();
        let same = self.cron.text.as_ref() == Some(&text);
        if self.cron.text.is_none() || !same {
            tx.set_meta(CRON_GOOD, &text)?;
        }
        for e in &entries {
            if same && !mended {
                break;
            }
            let problem = cron_problem(&self.workspace, e, |b| self.backend_of(b));
            let unjudged = || (e.job.kind == Kind::Consolidate).then(|| self.memory_judge().err()).flatten();
            if let Some(problem) = problem.or_else(unjudged).filter(|_| e.enabled) {
                let says = format!("{} (cron.toml:{}): {problem}", e.name, e.line);
                tx.event(&Event { severity: "warn", ..Event::new(now, "engine", "cron", &says) })?;
            }
        }
        if mended || !changed.is_empty() || gone > 0 {
            let mut says = format!("{} schedules", entries.len());
            if !changed.is_empty() {
                says += &format!("; new or changed: {}", changed.join(", "));
            }
            if gone > 0 {
                says += &format!("; {gone} gone");
            }
            tx.event(&Event::new(now, "engine", "cron", &says))?;
        }
        self.cron.entries = Arc::new(entries);
        self.cron.text = Some(text);
        self.cron.look = true;
        Ok(())
    }

    /// What cannot be read is not taken over. An engine that has just begun goes on with what the last one had.
    fn keep_cron(&mut self, tx: &Tx<'_>, problem: String, now: Timestamp) -> Result<(), StoreError> {
        if self.cron.problem.as_ref() != Some(&problem) {
            let says = format!("cron.toml is not taken over, the last good schedules stay in force: {}", problem.replace('\n', "; "));
            tx.event(&Event { severity: "warn", ..Event::new(now, "engine", "cron", &says) })?;
        }
        self.cron.problem = Some(problem);
        if self.cron.text.is_none()
            && let Some(good) = tx.meta(CRON_GOOD)?
            && let Ok(entries) = parse_cron(&self.workspace.cron_file(), &good, &self.settings)
        {
            self.cron.entries = Arc::new(entries);
            self.cron.text = Some(good);
            self.cron.look = true;
        }
        Ok(())
    }
}
