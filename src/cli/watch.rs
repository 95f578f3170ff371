//! Waiting for files to change, without polling: inotify, asked directly (it needs no thread and no runtime).

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a wait lasts at most, whatever happens: a file system without inotify (NFS) still makes headway.
const AT_MOST: Duration = Duration::from_secs(10);

/// The first and the longest pause between the looks that follow a change, and how many follow: together about ten seconds,
/// which is a slow disk's worst fsync.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LONGEST_LOOK: Duration = Duration::from_millis(512);
const LOOKS: u32 = 28;

/// Files whose changes are waited for.
///
/// A change of the database's write-ahead log is seen before readers can see the commit (its index is shared memory, which
/// tells nobody), so after each change `wait` also returns a few more times, at growing distances. So it does at first: a
/// commit may have been under way when the watch began.
pub struct Watch {
    inotify: OwnedFd,
    /// By watch: the names that matter in that folder.
    names: BTreeMap<i32, Vec<OsString>>,
    /// Looks since the last change; `LOOKS` when none is due.
    looks: u32,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// The user's inotify instances are used up.
    pub fn new() -> io::Result<Watch> {
        Ok(Watch { inotify: init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?, names: BTreeMap::new(), looks: LOOKS })
    }

    /// Watches `names` in a folder; they need not exist yet.
    ///
    /// # Errors
    /// The folder does not exist, or the user's inotify watches are used up.
    pub fn add(&mut self, folder: &Path, names: &[&str]) -> io::Result<()> {
        let events = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE;
        let wd = add_watch(&self.inotify, folder, events)?;
        self.looks = 0;
        self.names.entry(wd).or_default().extend(names.iter().map(OsString::from));
        Ok(())
    }

    /// Waits for a change, or until it is time to look again, or until `deadline`.
    ///
    /// # Errors
    /// The kernel.
    pub fn wait(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        let limit = self.pause().unwrap_or(AT_MOST);
        let until = Instant::now() + limit;
        let until = deadline.map_or(until, |d| d.min(until));
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
            match poll(&mut [PollFd::new(&self.inotify, PollFlags::IN)], Some(&timeout)) {
                Ok(0) => {
                    self.looks = (self.looks + 1).min(LOOKS);
                    return Ok(());
                }
                Ok(_) if self.drain()? => {
                    self.looks = 0;
                    return Ok(());
                }
                Ok(_) | Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// How long until the next look, if one is due.
    fn pause(&self) -> Option<Duration> {
        (self.looks < LOOKS).then(|| FIRST_LOOK.saturating_mul(1 << self.looks.min(16)).min(LONGEST_LOOK))
    }

    /// Takes all events; true if one is about a file that matters.
    fn drain(&mut self) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        let mut matters = false;
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|n| n.to_bytes());
                    let known = self.names.get(&event.wd());
                    // An overflow has no watch: something was missed, so look.
                    matters |= known.is_none_or(|names| name.is_some_and(|n| names.iter().any(|k| k.as_bytes() == n)));
                }
                Err(Errno::WOULDBLOCK) => return Ok(matters),
                Err(e) => return Err(e.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_at_once_and_looked_at_again_but_others_files_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let far = || Some(Instant::now() + Duration::from_secs(60));
        let mut watch = Watch::new().unwrap();
        watch.add(dir.path(), &["pm.db-wal"]).unwrap();
        assert_eq!(watch.pause(), Some(FIRST_LOOK), "something may be under way");
        watch.looks = LOOKS;

        std::fs::write(dir.path().join("other"), "x").unwrap();
        watch.wait(Some(Instant::now() + Duration::from_millis(30))).unwrap();
        assert_eq!(watch.pause(), None, "not a file that matters");

        std::fs::write(dir.path().join("pm.db-wal"), "x").unwrap();
        watch.wait(far()).unwrap();
        assert_eq!(watch.pause(), Some(FIRST_LOOK));
        watch.wait(far()).unwrap();
        assert_eq!(watch.pause(), Some(FIRST_LOOK * 2), "and again a little later");
    }
}
