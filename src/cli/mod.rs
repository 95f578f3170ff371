//! The command line: one file per noun. `orc` and `pm` share the verbs; only `orc` hosts an engine or a console, by way of the
//! functions that its `main` hands in, so that `pm` links neither.

mod ages;
mod args;
mod backend;
mod completions;
mod context;
mod cost;
mod cron;
mod decision;
pub mod demo;
mod doctor;
mod engine;
mod error;
mod follow;
mod help;
mod init;
mod job;
mod lane;
mod lint;
mod log;
mod memory;
mod message;
mod names;
mod output;
mod plan;
mod project;
mod rule;
mod skill;
mod step;
mod task;
mod text;
mod tidy;
mod transcript;
mod tree;
mod tui;
mod wake;
mod watch;
mod why;
mod worker;

pub use error::{CliError, EXIT_CODES, Kind, Result};
pub use tree::{EngineOptions, Host, TuiOptions, check as check_command, orc, pm, verbs};

use std::io::Write;

/// Says an error on standard error, in one writing.
fn complain(e: &CliError) {
    if !e.message.is_empty() {
        let text = format!("error: {}\n", text::lines(&e.to_string()));
        // Nothing is left to tell a failure to.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}
