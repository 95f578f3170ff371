//! `pm`: the command line without console and engine. It links neither, so that it starts in about a millisecond.

use std::process::ExitCode;

fn main() -> ExitCode {
    orc::cli::pm()
}
