//! Cards that ask whether more may be spent. The answered card is the permission: nothing else is written.

use super::row;
use super::{Store, StoreError, Tx};
use crate::domain::{DecisionId, HOLD, ProjectId, Question, Timestamp};
use rusqlite::params;

impl Tx<'_> {
    /// Puts a card for a cap before the operator: the day's that began at `since`, or a project's.
    ///
    /// # Errors
    /// As `ask`.
    pub fn ask_for_more(
        &self,
        project: Option<ProjectId>,
        since: Timestamp,
        question: &Question,
        now: Timestamp,
    ) -> Result<DecisionId, StoreError> {
        let id = self.ask(question, "engine", now)?;
        self.run(
            "INSERT INTO cap_cards (decision_id, project_id, since) VALUES (?1, ?2, ?3)",
            params![id.0, project.map(|p| p.0), since.0],
        )?;
        Ok(id)
    }
}

impl Store {
    /// The card of a cap that is open, or by which the operator said today to hold.
    ///
    /// # Errors
    /// The database.
    pub fn cap_card(&self, project: Option<ProjectId>, since: Timestamp) -> Result<Option<DecisionId>, StoreError> {
        row::optional(
            self,
            "SELECT d.id FROM cap_cards c JOIN decisions d ON d.id = c.decision_id
             WHERE c.since >= ?1 AND c.project_id IS ?2 AND (d.state = 'open' OR d.state = 'cancelled' OR lower(d.answer) = ?3) LIMIT 1",
            params![since.0, project.map(|p| p.0), HOLD],
            |r| r.get(0).map(DecisionId),
        )
    }

    /// Answered cards of caps: whose, of which day, and the answer. Those of projects are good for ever, those of the day from `since`.
    ///
    /// # Errors
    /// The database.
    pub fn cap_answers(&self, since: Timestamp) -> Result<Vec<(Option<ProjectId>, Timestamp, String)>, StoreError> {
        row::all(
            self,
            "SELECT c.project_id, c.since, d.answer FROM cap_cards c JOIN decisions d ON d.id = c.decision_id
             WHERE d.state = 'answered' AND (c.since >= ?1 OR c.project_id IS NOT NULL)",
            [since.0],
            |r| Ok((r.get::<_, Option<i64>>(0)?.map(ProjectId), row::time(r, "since")?, r.get(2)?)),
        )
    }
}
