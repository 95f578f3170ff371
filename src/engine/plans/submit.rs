//! A project whose plans are carried out is put before the operator, who alone can finish it.

use crate::domain::{Actor, Applied, Command, PlanId, ProjectId, Says, Timestamp};
use crate::engine::state::State;
use crate::store::{NewEntry, ORC, StoreError, Tx, apply};

impl State {
    /// Submits what is ready; true where something was.
    pub(super) fn submit_projects(&mut self, tx: &Tx<'_>, now: Timestamp) -> Result<bool, StoreError> {
        let mut moved = false;
        for (project, plan) in tx.projects_carried_out()? {
            moved |= submit(tx, project, plan, now)?;
        }
        Ok(moved)
    }
}

fn submit(tx: &Tx<'_>, project: ProjectId, plan: PlanId, now: Timestamp) -> Result<bool, StoreError> {
    let title = tx.project(project)?.map(|p| p.title).unwrap_or_default();
    if !matches!(apply(tx, &Command::SubmitProject { project }, &Actor::Engine, now)?, Applied::Done { .. }) {
        return Ok(false);
    }
    let text = format!(
        "Project {project} ({title}) waits for your approval: every task of plan {plan} is done. `orc plan show {plan}` shows the results; \
         `orc project approve {project}` closes it, `orc project reject {project} --reason R` sends it back."
    );
    let message = tx.plan(plan)?.and_then(|p| p.message);
    let entry =
        NewEntry { message, says: Says::Notice, author: ORC, external: false, text: &text, job: None, plan: Some(plan), decision: None };
    tx.say(&entry, now)?;
    Ok(true)
}
