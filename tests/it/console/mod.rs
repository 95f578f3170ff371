//! The console's pure core: keys and values in, effects and buffers out.

mod cron;
mod desk;
mod keys;
mod picture;
mod projects;
mod robust;
mod screens;
mod skills;
mod world;
