//! Files that are whole or absent, and for their owner only: folders 0700, files 0600.

use super::OsError;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

static FSYNCS: AtomicU64 = AtomicU64::new(0);

/// How many times this process has called fsync through this module: what durability has cost so far.
pub fn fsyncs() -> u64 {
    FSYNCS.load(Ordering::Relaxed)
}

/// Whether a file must survive the loss of power, or only that of its writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// fsync of the file and of its folder: two, a few milliseconds.
    Yes,
    /// Left to the kernel: every process of this boot sees it, the next boot may not.
    No,
}

/// Puts `bytes` at `path`, whole or not at all: a temporary file in the same folder, renamed over it.
///
/// # Errors
/// The folder is missing or not writable, the disk is full. Then `path` is as it was.
pub fn write_atomic(path: &Path, bytes: &[u8], durable: Durable) -> Result<(), OsError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let tmp = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = fill(&tmp, bytes, durable).and_then(|()| std::fs::rename(&tmp, path).map_err(OsError::file("rename a file to", path)));
    if written.is_err() {
        // What is left of a failed attempt is of no use to anyone.
        let _ = std::fs::remove_file(&tmp);
    }
    written?;
    if durable == Durable::Yes {
        sync_dir(path.parent().unwrap_or(Path::new("/")))?;
    }
    Ok(())
}

fn fill(tmp: &Path, bytes: &[u8], durable: Durable) -> Result<(), OsError> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(tmp).map_err(OsError::file("create", tmp))?;
    file.write_all(bytes).map_err(OsError::file("write", tmp))?;
    if durable == Durable::Yes {
        sync(&file, tmp)?;
    }
    Ok(())
}

/// Makes a file that must not exist yet (O_EXCL): of two who try, one succeeds.
///
/// # Errors
/// It exists ([`OsError::exists`]), or cannot be made.
pub fn create_new(path: &Path, bytes: &[u8]) -> Result<(), OsError> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(OsError::file("create", path))?;
    file.write_all(bytes).map_err(OsError::file("write", path))
}

/// Opens a private file to append to, making it if it is missing.
///
/// # Errors
/// The folder is missing or not writable.
pub fn append_to(path: &Path) -> Result<File, OsError> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(OsError::file("open", path))
}

/// Makes a folder and those above it, as far as they are missing; what it makes is private.
///
/// # Errors
/// A file is in the way, or a parent is not writable.
pub fn private_dir(path: &Path) -> Result<(), OsError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(OsError::file("make the folder", path))
}

/// fsync of an open file; counted.
///
/// # Errors
/// The disk refuses.
pub fn sync(file: &File, path: &Path) -> Result<(), OsError> {
    FSYNCS.fetch_add(1, Ordering::Relaxed);
    file.sync_all().map_err(OsError::file("fsync", path))
}

/// fsync of a folder, so that names made or renamed in it last; counted.
///
/// # Errors
/// The disk refuses.
pub fn sync_dir(dir: &Path) -> Result<(), OsError> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let handle = File::open(dir).map_err(OsError::file("open", dir))?;
    sync(&handle, dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_whole_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write_atomic(&path, b"one", Durable::No).unwrap();
        write_atomic(&path, b"two", Durable::Yes).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn a_failed_write_leaves_nothing_and_names_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("inside"), b"").unwrap();
        let error = write_atomic(&path, b"x", Durable::No).unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn of_two_who_create_one_succeeds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("owner");
        create_new(&path, b"shim").unwrap();
        assert!(create_new(&path, b"fenced").unwrap_err().exists());
        assert_eq!(std::fs::read(&path).unwrap(), b"shim");
    }

    #[test]
    fn folders_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        private_dir(&path).unwrap();
        private_dir(&path).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o700, 0o700));
    }
}
