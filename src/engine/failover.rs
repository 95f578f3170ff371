//! Failover: while a limit pauses a backend, the one that the settings name takes its jobs.

use super::state::State;
use crate::config::{Backend, Settings};
use crate::domain::{BackendPause, Kind, LimitKind};
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
/// a job waits. A reviewer was chosen as somebody else than the author, which a stand-in may be: the gate chooses again.
pub(super) fn placed(mut row: QueuedRow, stand_ins: &BTreeMap<String, String>) -> QueuedRow {
    if row.worker.is_none()
        && row.model.is_none()
        && row.kind != Kind::Review
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{JobId, Priority, Timestamp};

    #[test]
    fn a_review_stays_with_the_reviewer_that_was_chosen() {
        let stand_ins = BTreeMap::from([("codex".to_owned(), "claude".to_owned())]);
        let row = |kind| QueuedRow {
            id: JobId(1),
            priority: Priority::P2,
            queued_at: Timestamp(0),
            ready_at: None,
            backend: "codex".into(),
            kind,
            model: None,
            persona: None,
            worker: None,
            last_worker: None,
            project_id: None,
            prompt_bytes: 0,
            skills: 0,
        };
        assert_eq!(placed(row(Kind::Writing), &stand_ins).backend, "claude");
        assert_eq!(placed(row(Kind::Review), &stand_ins).backend, "codex", "the stand-in may be the author");
    }
}
