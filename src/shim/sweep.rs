//! `orc-shim --sweep MARK`: ends what is left of an attempt whose job process is gone. In a process of its own, since it
//! waits, and an engine must not.

use crate::os::tree::Scope;
use std::ffi::OsStr;
use std::process::ExitCode;
use std::time::Duration;

/// Between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_millis(250);

/// Ends every process that carries the mark, and its descendants. Prints how many could not be ended; success means none, which
/// is the proof that the attempt may be run again.
pub fn main(mark: &OsStr) -> ExitCode {
    let Some(mark) = mark.to_str().filter(|mark| !mark.is_empty()) else {
        eprintln!("usage: orc-shim --sweep MARK");
        return ExitCode::from(2);
    };
    let swept = Scope { mark: Some(mark), ..Scope::default() }.end(GRACE);
    println!("{}", swept.left.len());
    if swept.left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
