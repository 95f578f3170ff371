//! Following what others do to the workspace: its database, an attempt's spool, an attempt's process.

use super::context::Context;
use super::error::{CliError, Kind, Result};
use super::wake::{no_engine, wake};
use super::watch::Watch;
use crate::config::Workspace;
use crate::domain::{AttemptId, ProcessIdentity};
use crate::os::process::{Handle, Signal};
use crate::wire::{SpooledEvent, files};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The longest piece of a spool that is read at once.
const CHUNK: u64 = 1 << 20;

/// Waits for commits to the database, and for files that are added to it.
pub struct Changes {
    watch: Watch,
}

impl Changes {
    /// Of a workspace's database.
    ///
    /// # Errors
    /// The kernel's limit on inotify instances or watches.
    pub fn of(workspace: &Workspace) -> Result<Changes> {
        let mut watch = Watch::new().map_err(cannot_watch)?;
        let database = workspace.database();
        let log = format!("{}-wal", database.file_name().unwrap_or_default().to_string_lossy());
        watch.add(database.parent().unwrap_or(Path::new(".")), &[&log]).map_err(cannot_watch)?;
        Ok(Changes { watch })
    }

    /// A spool's growth too. False if the attempt has no spool (yet).
    ///
    /// # Errors
    /// As `of`.
    pub fn add_spool(&mut self, folder: &Path) -> Result<bool> {
        match self.watch.add(folder, &[files::SPOOL, files::EXIT]) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(cannot_watch(e)),
        }
    }

    /// Waits until something may have changed, at most until `deadline`.
    ///
    /// # Errors
    /// The kernel.
    pub fn wait(&mut self, deadline: Option<Instant>) -> Result {
        self.watch.wait(deadline).map_err(cannot_watch)
    }
}

/// Tells somebody who is about to wait that nothing new starts: no engine runs.
///
/// # Errors
/// No workspace; the output cannot be written.
pub fn tell_if_no_engine(cx: &mut Context) -> Result {
    if wake(&cx.workspace()?.socket()) {
        return Ok(());
    }
    let absent = no_engine();
    cx.out.aside(&format!("{}: what is queued waits for one; {}", absent.message, absent.hint.unwrap_or_default()))
}

fn cannot_watch(e: std::io::Error) -> CliError {
    CliError::new(Kind::Failure, format!("cannot watch the workspace for changes: {e}"))
        .hint("the limits are in /proc/sys/fs/inotify: max_user_instances, max_user_watches")
}

/// Reads an attempt's spool as it grows.
pub struct Spool {
    path: PathBuf,
    file: Option<File>,
    /// Bytes of a line that has no end yet.
    rest: Vec<u8>,
}

impl Spool {
    /// The spool in an attempt's folder; it need not exist yet.
    pub fn of(folder: &Path) -> Spool {
        Spool { path: folder.join(files::SPOOL), file: None, rest: Vec::new() }
    }

    /// Skips to about the last `bytes` of the file, at the start of a line.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn skip_to_last(&mut self, bytes: u64) -> Result {
        if let Some(file) = self.open()? {
            let length = file.metadata().map_err(cannot_read)?.len();
            if length > bytes {
                file.seek(SeekFrom::Start(length - bytes)).map_err(cannot_read)?;
                // The first line is cut, most likely: read up to its end.
                let mut byte = [0];
                while file.read(&mut byte).map_err(cannot_read)? == 1 && byte[0] != b'\n' {}
            }
        }
        Ok(())
    }

    /// The events that are there now and were not before. Lines that make no sense are left out: the shim writes whole lines,
    /// only a crash of the machine leaves half of one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next(&mut self) -> Result<Vec<SpooledEvent>> {
        let mut buffer = std::mem::take(&mut self.rest);
        let Some(file) = self.open()? else { return Ok(Vec::new()) };
        file.take(CHUNK).read_to_end(&mut buffer).map_err(cannot_read)?;
        let end = buffer.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        self.rest = buffer.split_off(end);
        Ok(buffer.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    fn open(&mut self) -> Result<Option<&mut File>> {
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(e) => return Err(cannot_read(e)),
            }
        }
        Ok(self.file.as_mut())
    }
}

fn cannot_read(e: std::io::Error) -> CliError {
    CliError::workspace(format!("cannot read the attempt's spool: {e}"))
}

/// The process behind an attempt, if it is the one that the spool names and it lives.
pub fn shim(workspace: &Workspace, attempt: AttemptId) -> Option<Handle> {
    let text = std::fs::read(workspace.attempt_dir(attempt).join(files::SHIM)).ok()?;
    let identity: ProcessIdentity = serde_json::from_slice(&text).ok()?;
    Handle::of(&identity)
}

/// Tells the process behind an attempt to end its agent and itself. False if it is gone.
pub fn end_shim(workspace: &Workspace, attempt: AttemptId) -> bool {
    shim(workspace, attempt).is_some_and(|process| process.signal(Signal::TERM))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_spool_is_read_line_by_line_as_it_grows() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::of(dir.path());
        assert!(spool.next().unwrap().is_empty(), "not there yet");
        let mut file = File::create(dir.path().join(files::SPOOL)).unwrap();
        let line = |n: u64| format!(r#"{{"seq":{n},"at":"2026-03-01T00:00:00.000Z","event":{{"type":"text","text":"{n}"}}}}"#);
        write!(file, "{}\n{}", line(1), &line(2)[..20]).unwrap();
        assert_eq!(spool.next().unwrap().iter().map(|e| e.seq).collect::<Vec<_>>(), [1]);
        assert!(spool.next().unwrap().is_empty(), "half a line waits for its end");
        write!(file, "{}\nnonsense\n{}\n", &line(2)[20..], line(3)).unwrap();
        assert_eq!(spool.next().unwrap().iter().map(|e| e.seq).collect::<Vec<_>>(), [2, 3]);

        let mut tail = Spool::of(dir.path());
        tail.skip_to_last(line(3).len() as u64 + 5).unwrap();
        assert_eq!(tail.next().unwrap().iter().map(|e| e.seq).collect::<Vec<_>>(), [3]);
    }
}
