//! Ctrl-Z and `fg`.

use rustix::process::{Pid, Signal, getpgid, getpgrp, getppid, getsid, kill_current_process_group};
use std::io;

/// A shell with job control stands above this process's group: it will notice a stop and can undo it. Without one (a
/// session leader, as under `ssh -t HOST orc tui` or tmux) a stop would be for ever; the kernel calls such a group orphaned.
pub fn can_stop() -> bool {
    let (Ok(session), group) = (getsid(None), getpgrp()) else { return false };
    let mut above = getppid();
    while let Some(pid) = above {
        if getsid(Some(pid)) != Ok(session) {
            return false;
        }
        if getpgid(Some(pid)).is_ok_and(|other| other != group) {
            return true;
        }
        above = parent(pid);
    }
    false
}

/// Stops this process and its group: a wrapper script must stop as well, or the shell would wait for it. SIGSTOP, since a
/// handler for SIGTSTP is installed; whether somebody can undo it is `can_stop`'s business.
///
/// # Errors
/// Never in practice: a process may signal its own group.
pub fn stop() -> io::Result<()> {
    Ok(kill_current_process_group(Signal::STOP)?)
}

/// The parent of another process: the second field after the name, which may itself contain anything (proc(5)).
fn parent(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_in_proc_is_the_one_that_the_kernel_says() {
        assert_eq!(parent(rustix::process::getpid()), getppid());
    }
}
