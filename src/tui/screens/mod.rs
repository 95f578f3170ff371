//! One folder or file a screen: its state, its keys where they are its own, and how it is drawn.

pub mod approvals;
pub mod costs;
pub mod cron;
pub mod dashboard;
pub mod health;
pub mod job;
pub mod jobs;
pub mod logs;
pub mod look;
pub mod memory;
pub mod projects;
pub mod skills;
pub mod worker_table;
pub mod workers;
