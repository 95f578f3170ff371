//! What was spent: rollups that reconcile to the token, and caps that hold. And housekeeping, which takes nothing too early.

mod caps;
mod day;
mod desk;
mod metrics;
mod reconcile;
mod tidy;
