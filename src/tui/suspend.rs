//! Ctrl-Z and `fg`.

use rustix::process::{Signal, kill_current_process_group};
use std::io;

/// A shell with job control stands above this process's group: it will notice a stop and can undo it. Without one (a
/// session leader, as under `ssh -t HOST orc tui` or tmux) a stop would be for ever; the kernel calls such a group orphaned.
/// What lies outside this container has the number 0, and nobody there counts.
pub fn can_stop() -> bool {
    let Some(own) = Kin::of("self") else { return false };
    let mut above = own.parent;
    while own.group != 0 && own.session != 0 && above != 0 {
        let Some(kin) = Kin::of(&above.to_string()).filter(|kin| kin.session == own.session) else { return false };
        if kin.group != own.group {
            return true;
        }
        above = kin.parent;
    }
    false
}

/// The number of this process's group; 0 if its leader lies outside this container.
pub fn own_group() -> i32 {
    Kin::of("self").map_or(0, |kin| kin.group)
}

/// Stops this process and its group: a wrapper script must stop as well, or the shell would wait for it. SIGSTOP, since a
/// handler for SIGTSTP is installed; whether somebody can undo it is `can_stop`'s business.
///
/// # Errors
/// Never in practice: a process may signal its own group.
pub fn stop() -> io::Result<()> {
    Ok(kill_current_process_group(Signal::STOP)?)
}

/// Where a process stands. Read from `/proc`, since `getsid` and its kin promise a number above 0 and in a container, where
/// the session's leader may lie outside, there is none.
struct Kin {
    parent: i32,
    group: i32,
    session: i32,
}

impl Kin {
    /// The second to the fourth field after the name, which may itself contain anything (proc_pid_stat(5)).
    fn of(pid: &str) -> Option<Kin> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(1).map_while(|field| field.parse().ok());
        Some(Kin { parent: fields.next()?, group: fields.next()?, session: fields.next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{getpgrp, getppid};

    #[test]
    fn the_kin_in_proc_is_what_the_kernel_says() {
        let own = Kin::of("self").unwrap();
        assert_eq!(own.parent, getppid().map_or(0, |pid| pid.as_raw_nonzero().get()));
        if own.group != 0 {
            assert_eq!(own.group, getpgrp().as_raw_nonzero().get());
        }
        assert!(Kin::of("0").is_none());
    }
}
