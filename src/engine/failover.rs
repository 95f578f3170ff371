//! Failover: while a limit pauses a backend, the one that the settings name takes its jobs.

use super::state::State;
use crate::config::{Backend, Settings};
use crate::domain::{BackendPause, LimitKind};
use crate::store::{QueuedRow, StoreError, Tx};
use std::collections::BTreeMap;

/// Who takes whose jobs now. No chains: a stand-in that is paused itself takes none. What the operator holds is meant to wait.
pub(super) fn stand_ins(
    settings: &Settings,
    backends: &BTreeMap<String, Backend>,
    pauses: &BTreeMap<String, (BackendPause, u32)>,
) -> BTreeMap<String, String> {
    let stand_in = |name: &String| {
        let other = settings.backend.get(name)?.failover.as_ref()?;
        (backends.contains_key(other) && !pauses.contains_key(other)).then(|| (name.clone(), other.clone()))
    };
    pauses.iter().filter(|(_, (p, _))| p.limit.kind != LimitKind::Operator).filter_map(|(name, _)| stand_in(name)).collect()
}

/// A queued row for the backend that would run it now. A worker or a model that the job asks for belongs to its own backend: such
/// a job waits.
pub(super) fn placed(mut row: QueuedRow, stand_ins: &BTreeMap<String, String>) -> QueuedRow {
    if row.worker.is_none()
        && row.model.is_none()
        && let Some(other) = stand_ins.get(&row.backend)
    {
        row.backend.clone_from(other);
    }
    row
}

impl State {
    /// Places the queue anew where a stand-in has come or gone.
    pub(super) fn settle_failover(&mut self, tx: &Tx<'_>) -> Result<(), StoreError> {
        let now = stand_ins(&self.settings, &self.backends, &self.switches.pauses);
        if now != self.stand_ins {
            self.stand_ins = now;
            for row in tx.queued()? {
                self.enqueue(row);
            }
        }
        Ok(())
    }
}
