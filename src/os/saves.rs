//! Files that people save, watched by inotify(7). Asked for nothing but what a save can be: a name that comes, goes or is
//! replaced, and a file that is closed after writing. What else is written in the same folder (a database, say) wakes nobody.

use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Of the folder that something watched is in: only its names.
const NAMES: WatchFlags = WatchFlags::CREATE.union(WatchFlags::MOVED_TO).union(WatchFlags::MOVED_FROM).union(WatchFlags::DELETE);
/// Of a watched file itself, which an editor may write in place.
const FILE: WatchFlags = WatchFlags::CLOSE_WRITE;
/// Of a watched folder, for each file in it.
const FOLDER: WatchFlags = FILE.union(WatchFlags::MOVED_TO).union(WatchFlags::MOVED_FROM).union(WatchFlags::DELETE);

/// What has happened since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Something watched may read differently now.
    pub saved: bool,
    /// What the kernel reported, of use or not: each may have woken the waiting process.
    pub events: u64,
}

/// A file or a folder of files.
struct Target {
    path: PathBuf,
    events: WatchFlags,
    /// The watch of what has its name now.
    watch: Option<i32>,
}

/// Files and folders that are watched for being saved. Its descriptor is readable when there is something to `look` at.
pub struct Saves {
    inotify: OwnedFd,
    parents: BTreeMap<i32, PathBuf>,
    targets: Vec<Target>,
}

impl Saves {
    /// Watches files, and the files of a folder. None needs to exist yet; the folders that they are in do.
    ///
    /// # Errors
    /// The user's inotify instances or watches are used up, or a parent is missing.
    pub fn of(files: &[&Path], folder: &Path) -> io::Result<Saves> {
        let files = files.iter().map(|file| (*file, FILE));
        Saves::on(files.chain([(folder, FOLDER)]))
    }

    fn on<'a>(paths: impl Iterator<Item = (&'a Path, WatchFlags)>) -> io::Result<Saves> {
        let inotify = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let targets: Vec<Target> = paths.map(|(path, events)| Target { path: path.to_owned(), events, watch: None }).collect();
        let parents: BTreeSet<PathBuf> = targets.iter().filter_map(|t| t.path.parent()).map(Path::to_owned).collect();
        let mut saves = Saves { inotify, parents: BTreeMap::new(), targets };
        for parent in &parents {
            let watch = add_watch(&saves.inotify, parent, NAMES | WatchFlags::ONLYDIR)?;
            saves.parents.insert(watch, parent.to_owned());
        }
        saves.renew();
        Ok(saves)
    }

    /// Watches files alone.
    ///
    /// # Errors
    /// As `of`.
    pub fn files(files: &[PathBuf]) -> io::Result<Saves> {
        Saves::on(files.iter().map(|file| (file.as_path(), FILE)))
    }

    /// Watches what has each name now, and no longer what had it before.
    fn renew(&mut self) {
        for target in &mut self.targets {
            let now = add_watch(&self.inotify, &target.path, target.events).ok();
            if let Some(old) = std::mem::replace(&mut target.watch, now).filter(|old| Some(*old) != now) {
                let _ = remove_watch(&self.inotify, old);
            }
        }
    }

    /// Takes all events that there are. Never waits.
    ///
    /// # Errors
    /// The kernel.
    pub fn look(&mut self) -> io::Result<Seen> {
        let mut seen = Seen::default();
        let mut renew = false;
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::WOULDBLOCK) => break,
                Err(Errno::INTR) => continue,
                Err(e) => return Err(e.into()),
            };
            seen.events += 1;
            let name = event.file_name().map(|name| name.to_bytes());
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                // Something was missed.
                (seen.saved, renew) = (true, true);
            } else if let Some(parent) = self.parents.get(&event.wd()) {
                let is = |t: &Target| t.path.parent() == Some(parent) && t.path.file_name().map(OsStrExt::as_bytes) == name;
                let ours = self.targets.iter().any(is);
                seen.saved |= ours;
                renew |= ours;
            } else if !event.events().contains(ReadFlags::IGNORED) {
                seen.saved |= self.targets.iter().any(|t| t.watch == Some(event.wd()));
            }
        }
        if renew {
            self.renew();
        }
        Ok(seen)
    }
}

impl AsRawFd for Saves {
    fn as_raw_fd(&self) -> RawFd {
        self.inotify.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const NOTHING: Seen = Seen { saved: false, events: 0 };

    #[test]
    fn every_way_to_save_is_seen_and_nothing_else_wakes() {
        let dir = tempfile::tempdir().unwrap();
        let (file, folder, log) = (dir.path().join("a.toml"), dir.path().join("backends"), dir.path().join("a.db-wal"));
        fs::write(&log, "x").unwrap();
        let mut saves = Saves::of(&[&file], &folder).unwrap();

        // Neither is there yet.
        fs::write(&file, "1").unwrap();
        assert!(saves.look().unwrap().saved, "made");
        fs::write(&file, "2").unwrap();
        assert_eq!(saves.look().unwrap(), Seen { saved: true, events: 1 }, "written in place");
        for round in ["renamed over it", "and again: the new file is the watched one"] {
            fs::write(dir.path().join("a.toml~"), "3").unwrap();
            saves.look().unwrap();
            fs::rename(dir.path().join("a.toml~"), &file).unwrap();
            assert!(saves.look().unwrap().saved, "{round}");
            fs::write(&file, "4").unwrap();
            assert!(saves.look().unwrap().saved, "{round}");
        }
        fs::remove_file(&file).unwrap();
        assert!(saves.look().unwrap().saved, "gone");

        fs::create_dir(&folder).unwrap();
        assert!(saves.look().unwrap().saved, "the folder is made");
        fs::write(folder.join("mine.toml"), "5").unwrap();
        assert!(saves.look().unwrap().saved);
        fs::remove_file(folder.join("mine.toml")).unwrap();
        assert!(saves.look().unwrap().saved);

        // What a database does: written, read, opened and closed by others.
        for _ in 0..10 {
            fs::write(&log, "y").unwrap();
            fs::read(&log).unwrap();
        }
        assert_eq!(saves.look().unwrap(), NOTHING);
    }

    #[test]
    fn a_file_that_lost_its_name_is_not_watched_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let (file, old) = (dir.path().join("a.toml"), dir.path().join("a.toml.orig"));
        fs::write(&file, "1").unwrap();
        let mut saves = Saves::of(&[&file], &dir.path().join("backends")).unwrap();
        fs::rename(&file, &old).unwrap();
        fs::write(&file, "2").unwrap();
        saves.look().unwrap();
        fs::write(&old, "3").unwrap();
        assert!(!saves.look().unwrap().saved);
        fs::write(&file, "4").unwrap();
        assert!(saves.look().unwrap().saved);
    }
}
