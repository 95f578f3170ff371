//! `orc`: a console that runs coding agents as a standing workforce. Start at `ARCHITECTURE.md` in this folder.

#![forbid(unsafe_code)]

pub mod domain;
pub mod tui;
pub mod wire;
