//! `orc-shim --exec PARENT -- PROGRAM ARGS...`: what an agent is before it is the agent. A program of its own, since setting a
//! parent-death signal between fork and exec would take `unsafe` in the shim.

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// What its message on standard error begins with when the program could not be started; the exit code is then one of
/// [`NOT_FOUND`] and [`NOT_STARTED`], as in a shell.
pub const COMPLAINT: &str = "orc-shim: cannot start ";
/// There is no such program.
pub const NOT_FOUND: u8 = 127;
/// There is, but it cannot be executed.
pub const NOT_STARTED: u8 = 126;
/// The shim went away first.
const ORPHANED: u8 = 125;

/// The kernel, short of memory, takes agents before it takes engines and shims (0 is the default, 1000 "me first").
const OOM_SCORE_ADJ: &str = "500";

/// Binds this process to its parent, waits for the go, and becomes the program. Returns only if that fails.
///
/// The go is the first byte on standard input; the rest is the agent's. The shim writes it once the agent's identity is on disk,
/// so no instruction of an agent is ever executed that a later engine could not find. End of file means that the shim is gone.
pub fn main(args: &[OsString]) -> ExitCode {
    let [parent, dashes, program, args @ ..] = args else { return usage() };
    let Some(parent) = parent.to_str().and_then(|p| p.parse::<i32>().ok()).filter(|_| dashes == "--") else { return usage() };
    if let Err(e) = set_parent_process_death_signal(Some(Signal::KILL)) {
        eprintln!("{COMPLAINT}{}: cannot be tied to its job process: {e}", program.display());
        return NOT_STARTED.into();
    }
    // The signal is sent from now on; a parent that ended before has to be noticed here.
    if getppid().map(|pid| pid.as_raw_pid()) != Some(parent) || !go() {
        return ORPHANED.into();
    }
    // Refused when this process is already less protected; that is as well.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE_ADJ);
    let error = Command::new(program).args(args).exec();
    let reason = match error.kind() {
        ErrorKind::NotFound => "there is no such program on PATH".to_owned(),
        _ => error.to_string(),
    };
    eprintln!("{COMPLAINT}{}: {reason}", program.display());
    if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_STARTED }.into()
}

fn go() -> bool {
    let mut byte = [0u8; 1];
    loop {
        match rustix::io::read(rustix::stdio::stdin(), &mut byte) {
            Err(rustix::io::Errno::INTR) => {}
            other => return other == Ok(1),
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: orc-shim --exec PARENT -- PROGRAM [ARGS...]");
    2.into()
}
