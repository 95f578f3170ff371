//! Plans: made by a job, proposed, and once the operator has said yes turned into jobs. What there is to do follows from the rows
//! alone, so that it goes on wherever an engine has ended.
//!
//! A planner's job is of the gated kind `plan`. What it delivers is first read as a plan; what is none goes back into the same
//! session with the reason, once, and then to the operator as a card. A plan that is one is reviewed as every result of a gated
//! kind, and proposed when its job is done: the operator sees what has passed, and decides on that.

mod detail;
mod dispatch;
mod planner;
mod submit;

pub use detail::detail;
pub(super) use planner::Delivered;
pub use planner::check_names;

use super::state::State;
use crate::config::Backend;
use crate::domain::{BackendPause, JobState, LimitKind, Plan, PlanState, Timestamp};
use crate::store::{StoreError, Tx};
use std::collections::BTreeMap;
use std::time::Duration;

/// When an agent is looked for again, where there was none.
pub(super) const AGAIN: Duration = Duration::from_secs(60);

/// The backend that work goes to where nobody named one: what the setting says, or why there is none.
pub(super) fn agent(
    backends: &BTreeMap<String, Backend>,
    pauses: &BTreeMap<String, (BackendPause, u32)>,
    usable: fn(&Backend) -> bool,
    setting: &str,
    wish: &str,
) -> Result<String, String> {
    let held = |name: &str| pauses.get(name).is_some_and(|(p, _)| p.limit.kind == LimitKind::Operator);
    match wish.trim() {
        "none" => Err(format!("the setting {setting} is none")),
        "auto" => {
            // Whoever keeps a session is an agent; an endpoint that only answers is not.
            let fits = |b: &&Backend| b.uses_model() && b.resumes() && b.reviews && !held(&b.name) && usable(b);
            let free = |b: &&Backend| !pauses.contains_key(&b.name);
            let mut all = backends.values().filter(fits);
            let first = all.clone().find(free).or_else(|| all.next());
            first
                .map(|b| b.name.clone())
                .ok_or_else(|| format!("no agent is installed and signed in: `orc backend ls` says what is missing ({setting} = \"auto\")"))
        }
        name if backends.contains_key(name) => Ok(name.to_owned()),
        name => Err(format!("there is no backend `{name}`, which the setting {setting} names: `orc backend ls`")),
    }
}

impl State {
    /// Moves plans on as far as they go by themselves; true where something changed.
    pub(super) fn plan(&mut self, tx: &Tx<'_>, now: Timestamp) -> Result<bool, StoreError> {
        if self.again_at.is_some_and(|t| t <= now) {
            self.again_at = None;
            self.plans_due = true;
            self.talk_due = true;
        }
        if !std::mem::take(&mut self.plans_due) {
            return Ok(false);
        }
        let mut moved = false;
        for plan in tx.plans_in(PlanState::Draft)? {
            moved |= self.draft(tx, &plan, now)?;
        }
        for plan in tx.plans_in(PlanState::Approved)? {
            moved |= self.dispatch_plan(tx, &plan, now)?;
        }
        for plan in tx.plans_under_way()? {
            moved |= self.follow_plan(tx, &plan, now)?;
        }
        moved |= self.submit_projects(tx, now)?;
        self.plans_due |= moved;
        Ok(moved)
    }

    /// A plan that is being made.
    fn draft(&mut self, tx: &Tx<'_>, plan: &Plan, now: Timestamp) -> Result<bool, StoreError> {
        let Some(id) = plan.job else { return self.call_planner(tx, plan, now) };
        let Some(job) = tx.job(id)? else { return Ok(false) };
        match job.state {
            JobState::Done if plan.document.is_some() => tx.propose_plan(plan.id, now),
            JobState::Done => tx.plan_failed(plan.id, &format!("job {id} left no plan"), now),
            JobState::Failed | JobState::Killed => {
                let why = job.note.unwrap_or_else(|| job.state.to_string());
                tx.plan_failed(plan.id, &format!("job {id}: {why}"), now)
            }
            _ => Ok(false),
        }
    }

    /// The backend that work of a kind goes to where nobody named one: what the setting says, or why there is none.
    pub(super) fn agent(&self, setting: &str, wish: &str) -> Result<String, String> {
        agent(&self.backends, &self.switches.pauses, self.usable, setting, wish)
    }

    /// Looks for an agent again in a while.
    pub(super) fn look_again_soon(&mut self, now: Timestamp) {
        self.again_at = Some(now + AGAIN);
    }
}
