//! Whether the dataset can be read: not only its newest manifest, but the files that this one names.

use super::{Table, block_on};
use crate::memory::MemoryError;
use futures::TryStreamExt;
use std::io::ErrorKind;

/// What each of Lance's manifests ends with.
const MAGIC: &[u8] = b"LANC";

impl Table {
    /// Opens it and reads the numbers of all memories, for which every file of theirs has to be there and whole.
    ///
    /// # Errors
    /// It is there and cannot be read; it was there and is not any more; something else lies in its place.
    pub fn check(&self) -> Result<(), MemoryError> {
        let was_there = std::fs::read_to_string(&self.synced).is_ok_and(|newest| !newest.is_empty());
        for dir in [self.path.clone(), self.path.join("_versions")] {
            match std::fs::metadata(&dir) {
                Ok(m) if m.is_dir() => {}
                Ok(_) => return Err(self.broken("opened", format!("{} is a file, and has to be a folder", dir.display()))),
                Err(e) if e.kind() == ErrorKind::NotFound && !was_there => return Ok(()),
                Err(e) => return Err(self.broken("opened", format!("{}: {e}", dir.display()))),
            }
        }
        if self.sure().is_none() {
            return if was_there { Err(self.broken("opened", "no version of it is left".into())) } else { Ok(()) };
        }
        // A version may be tidied away while it is read; the next one is there then.
        self.read_numbers().or_else(|_| self.read_numbers())
    }

    /// What is wrong with the manifest of the version that counts, told from its end: Lance itself panics at one that is cut off.
    pub(super) fn torn(&self) -> Option<String> {
        let path = self.path.join("_versions").join(self.sure()?.1);
        match std::fs::read(&path) {
            Ok(bytes) if bytes.ends_with(MAGIC) => None,
            Ok(_) => Some(format!("{} is cut off", path.display())),
            Err(e) => Some(format!("{}: {e}", path.display())),
        }
    }

    fn read_numbers(&self) -> Result<(), MemoryError> {
        block_on(async {
            let dataset = self.open().await?;
            let failed = |e: lance::Error| self.error("read", &e);
            let mut scan = dataset.scan();
            scan.project(&["id"]).map_err(failed)?;
            let mut rows = scan.try_into_stream().await.map_err(failed)?;
            while rows.try_next().await.map_err(failed)?.is_some() {}
            Ok(())
        })
    }
}
