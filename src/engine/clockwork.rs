//! A clock that is set while the engine runs, or while none does: told once, and remembered for `orc doctor`.

use super::state::State;
use crate::domain::{ClockMark, ClockStep, Timestamp};
use crate::os::clock;
use crate::store::{Event, Store, StoreError, Tx};

/// Where the last mark of the clock is kept, and the last step.
const MARK: &str = "clock_mark";
const STEP: &str = "clock_step";

/// The newest mark that an engine has left.
///
/// # Errors
/// The database.
pub fn last_mark(store: &Store) -> Result<Option<ClockMark>, StoreError> {
    Ok(store.meta(MARK)?.and_then(|text| serde_json::from_str(&text).ok()))
}

/// When the clock was set last, as far as an engine has seen it.
///
/// # Errors
/// The database.
pub fn last_step(store: &Store) -> Result<Option<ClockStep>, StoreError> {
    Ok(store.meta(STEP)?.and_then(|text| serde_json::from_str(&text).ok()))
}

/// What of the clock is to be written down.
pub(super) struct ClockNews {
    mark: ClockMark,
    step: Option<i64>,
}

impl State {
    /// Compares the clock with the kernel's count.
    pub(super) fn look_at_clock(&mut self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        if self.clock_news.is_some() {
            return Ok(());
        }
        let Some(here) = clock::mark() else { return Ok(()) };
        let base = match self.clock_mark.take() {
            Some(mark) => Some(mark),
            None => last_mark(store)?,
        };
        let step = base.as_ref().and_then(|b| b.set_by(&here));
        match base {
            Some(base) if step.is_none() && base.boot == here.boot => self.clock_mark = Some(base),
            _ => {
                self.clock_mark = Some(here.clone());
                self.clock_news = Some(ClockNews { mark: here, step });
                self.wake_at = Some(now);
            }
        }
        Ok(())
    }

    /// Writes down that the clock was set.
    pub(super) fn note_clock(&mut self, tx: &Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        let Some(ClockNews { mark, step }) = self.clock_news.take() else { return Ok(()) };
        tx.set_meta(MARK, &serde_json::to_string(&mark).unwrap_or_default())?;
        let Some(by) = step else { return Ok(()) };
        let step = ClockStep { at: now, by };
        tx.set_meta(STEP, &serde_json::to_string(&step).unwrap_or_default())?;
        let text = format!("the clock was {}: `orc doctor` says what follows", step.says());
        tx.event(&Event { severity: "warn", ..Event::new(now, "engine", "clock", &text) }).map(drop)
    }
}
