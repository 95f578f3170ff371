//! One plan in full, for whoever looks at it.

use crate::config::Settings;
use crate::domain::{PlanId, preview};
use crate::store::{Store, StoreError};
use crate::wire::PlanDetail;

/// A plan with its graph, what it would cost, and what has come of it.
///
/// # Errors
/// There is no such plan; the database.
pub fn detail(store: &Store, settings: &Settings, id: PlanId) -> Result<PlanDetail, StoreError> {
    let plan = store.plan(id)?.ok_or(StoreError::Unknown { what: "plan", name: id.to_string() })?;
    let preview = match &plan.document {
        Some(document) => Some(preview(document, &store.kind_history()?, &settings.expected())),
        None => None,
    };
    Ok(PlanDetail { preview, jobs: store.plan_jobs(id)?, progress: store.plan_progress(&plan)?, plan })
}
