//! `orc`: a console that runs coding agents as a standing workforce. Start at `ARCHITECTURE.md` in this folder.

#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod memory;
pub mod os;
pub mod shim;
pub mod store;
pub mod telemetry;
pub mod tui;
pub mod wire;
