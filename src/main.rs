//! `orc`: parse, run, exit code. What `pm` must not link is handed to the command line from here.

mod host;

use std::process::ExitCode;

fn main() -> ExitCode {
    orc::cli::orc(orc::cli::Host { engine: host::engine, tui: host::tui })
}
