//! One process: who it is beyond its number, whether it lives, and signals that cannot hit another one.

use crate::domain::ProcessIdentity;
use rustix::event::{PollFd, PollFlags, poll};
pub use rustix::process::{Pid, Signal};
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What `/proc/PID/stat` says (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub pid: i32,
    /// `R`, `S`, `D`, `T`, `Z` …
    pub state: u8,
    pub ppid: i32,
    pub pgrp: i32,
    /// Clock ticks that it used itself, in user and kernel mode.
    pub cpu: u64,
    /// Clock ticks of the children that it has waited for.
    pub cpu_waited: u64,
    /// Clock ticks from boot to its start.
    pub start_time: u64,
    /// Resident pages.
    pub rss: u64,
}

impl Stat {
    /// True for what has ended but has not been waited for.
    pub fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// Reads a process's stat; `None` when there is no such process.
pub fn stat(pid: i32) -> Option<Stat> {
    // One read: the file is made anew by each, and is far shorter than this.
    let mut text = [0; 1024];
    let n = std::fs::File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut text).ok()?;
    stat_of(&text[..n])
}

/// The name may hold spaces and parentheses, so fields are counted from its last `)`.
fn stat_of(bytes: &[u8]) -> Option<Stat> {
    let pid = std::str::from_utf8(bytes.split(|b| *b == b' ').next()?).ok()?.parse().ok()?;
    let close = bytes.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(&bytes[close + 1..]).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // fields[0] is field 3 of the manual page.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        pid,
        state: *fields.first()?.as_bytes().first()?,
        ppid: fields.get(1)?.parse().ok()?,
        pgrp: fields.get(2)?.parse().ok()?,
        cpu: number(14)? + number(15)?,
        cpu_waited: number(16)? + number(17)?,
        start_time: number(22)?,
        rss: number(24)?,
    })
}

/// This boot's id; it tells a process from one of the same number before a reboot. Empty where the kernel has none.
pub fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned())
}

/// The identity of a process that is there now (a zombie included: it still holds its number).
pub fn identity(pid: i32) -> Option<ProcessIdentity> {
    Some(ProcessIdentity { pid, start_time: stat(pid)?.start_time, boot_id: boot_id().to_owned() })
}

/// The identity of the calling process.
pub fn this() -> Option<ProcessIdentity> {
    identity(std::process::id() as i32)
}

/// True while the process with this identity runs. A zombie is dead; so is what ran before a reboot.
pub fn alive(id: &ProcessIdentity) -> bool {
    id.boot_id == boot_id() && stat(id.pid).is_some_and(|s| s.start_time == id.start_time && !s.is_dead())
}

/// A hold on one process: signals reach it or nothing, even when its number has been given to another.
#[derive(Debug)]
pub struct Handle {
    fd: OwnedFd,
}

impl Handle {
    /// Takes hold of the process that started at `start_time`; `None` when it is gone or the number is another's.
    pub fn open(pid: i32, start_time: u64) -> Option<Handle> {
        let fd = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        // Checked after opening: from here on the descriptor cannot come to mean another process.
        (stat(pid)?.start_time == start_time).then_some(Handle { fd })
    }

    /// Takes hold of an identity, this boot's only.
    pub fn of(id: &ProcessIdentity) -> Option<Handle> {
        if id.boot_id == boot_id() { Handle::open(id.pid, id.start_time) } else { None }
    }

    /// Sends a signal; false when the process is gone or not ours.
    pub fn signal(&self, signal: Signal) -> bool {
        pidfd_send_signal(&self.fd, signal).is_ok()
    }

    /// Waits until it has ended (reaped or not), at most `limit`. True when it has.
    pub fn ended_within(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = rustix::event::Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
            match poll(&mut [PollFd::from_borrowed_fd(self.fd.as_fd(), PollFlags::IN)], Some(&timeout)) {
                Ok(ready) => return ready > 0,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }
}

/// True where this process runs as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl AsRawFd for Handle {
    /// Readable once the process has ended, for a reactor to wait on.
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Leaves the session and terminal of whoever started this process; false where it leads a group already.
pub fn leave_session() -> bool {
    rustix::process::setsid().is_ok()
}

/// Signals a whole process group; false when it has no process left.
pub fn signal_group(pgrp: i32, signal: Signal) -> bool {
    // 0 and 1 would mean the caller's own group and every process.
    pgrp > 1 && Pid::from_raw(pgrp).is_some_and(|pid| rustix::process::kill_process_group(pid, signal).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_name_may_hold_anything() {
        let line = b"42 (a) b (c)) S 7 42 42 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 987654 1000 55 18446744073709551615 0\n";
        let stat = stat_of(line).unwrap();
        assert_eq!((stat.pid, stat.state, stat.ppid, stat.pgrp), (42, b'S', 7, 42));
        assert_eq!((stat.cpu, stat.cpu_waited, stat.start_time, stat.rss), (30, 70, 987_654, 55));
    }

    #[test]
    fn this_process_lives_and_its_number_alone_does_not_prove_it() {
        let me = this().unwrap();
        assert!(alive(&me));
        assert!(!alive(&ProcessIdentity { start_time: me.start_time + 1, ..me.clone() }));
        assert!(!alive(&ProcessIdentity { boot_id: "another".to_owned(), ..me.clone() }));
        assert!(Handle::open(me.pid, me.start_time + 1).is_none());
    }

    #[test]
    fn a_zombie_is_dead() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let id = identity(child.id() as i32).unwrap();
        let handle = Handle::of(&id).unwrap();
        assert!(alive(&id));
        assert!(!handle.ended_within(Duration::ZERO));
        assert!(handle.signal(Signal::KILL));
        assert!(handle.ended_within(Duration::from_secs(10)));
        assert_eq!(stat(id.pid).map(|s| s.state), Some(b'Z'), "not waited for yet");
        assert!(!alive(&id));
        child.wait().unwrap();
        assert!(!handle.signal(Signal::KILL));
    }

    #[test]
    fn no_signal_goes_to_everyone() {
        assert!(!signal_group(0, Signal::TERM));
        assert!(!signal_group(1, Signal::TERM));
        assert!(!signal_group(-1, Signal::TERM));
    }
}
