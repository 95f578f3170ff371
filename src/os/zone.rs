//! Files that are named from outside, by an agent or a plan, and have to lie below one folder: a declared artefact is read into
//! prompts and shown, so its name must not lead to anything else that the operator can read.

use crate::domain::{NoName, name_below};
use std::io;
use std::path::{Path, PathBuf};

/// Why a file below a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ZoneError {
    #[error(transparent)]
    Name(#[from] NoName),
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} leads out of {} (it is a link, or lies behind one): put the file itself there", path.display(), dir.display())]
    Leaves { path: PathBuf, dir: PathBuf },
    #[error("{} is neither a file nor a folder", path.display())]
    Odd { path: PathBuf },
}

impl ZoneError {
    /// True where nothing is there, as opposed to something that must not be read.
    pub fn missing(&self) -> bool {
        matches!(self, ZoneError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// The file or folder `name` below `dir`, with its links resolved: it exists, lies below `dir`, and reading it does not block.
///
/// # Errors
/// The name is no relative path of plain parts; nothing is there; a link leads out; it is a pipe, a socket or a device.
pub fn within(dir: &Path, name: &str) -> Result<PathBuf, ZoneError> {
    let path = dir.join(name_below(name)?);
    let whole = |path: &Path| path.canonicalize().map_err(|source| ZoneError::Read { path: path.to_owned(), source });
    let found = whole(&path)?;
    if !found.starts_with(whole(dir)?) {
        return Err(ZoneError::Leaves { path, dir: dir.to_owned() });
    }
    let meta = std::fs::metadata(&found).map_err(|source| ZoneError::Read { path: path.clone(), source })?;
    if meta.is_file() || meta.is_dir() { Ok(found) } else { Err(ZoneError::Odd { path }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_lies_below_is_found_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (zone, out) = (dir.path().join("zone"), dir.path().join("secret"));
        std::fs::create_dir_all(zone.join("docs")).unwrap();
        std::fs::write(zone.join("docs/a.md"), "a").unwrap();
        std::fs::write(&out, "s").unwrap();
        symlink("docs/a.md", zone.join("inner")).unwrap();
        symlink(&out, zone.join("leaf")).unwrap();
        symlink(dir.path(), zone.join("up")).unwrap();
        let real = zone.canonicalize().unwrap().join("docs/a.md");
        for name in ["docs/a.md", "./docs/a.md", "inner"] {
            assert_eq!(within(&zone, name).unwrap(), real, "{name}");
        }
        assert!(within(&zone, "docs").unwrap().is_dir());
        for name in ["leaf", "up/secret", "up"] {
            assert!(matches!(within(&zone, name), Err(ZoneError::Leaves { .. })), "{name}");
        }
        for name in ["../secret", "docs/../../secret", "/etc/passwd", "", ".", "a\nb"] {
            assert!(matches!(within(&zone, name), Err(ZoneError::Name(_))), "{name}");
        }
        assert!(within(&zone, "gone").unwrap_err().missing());
    }

    #[test]
    fn what_would_block_its_reader_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
        assert!(matches!(within(dir.path(), "s"), Err(ZoneError::Odd { .. })));
    }
}
