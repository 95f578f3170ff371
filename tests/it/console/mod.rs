//! The console's pure core: keys and values in, effects and buffers out.

mod approvals;
mod cron;
mod desk;
mod keys;
mod palette;
mod picture;
mod projects;
mod robust;
mod screens;
mod skills;
mod waiting;
mod world;
