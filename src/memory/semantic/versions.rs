//! Which version of the dataset counts. Lance renames files into place and never fsyncs: a version counts once `sync` has put its files
//! on the disk and remembered it. Until then the journal has what it holds, and the version before is there. So what a killed process
//! or a loss of power has left behind is never read: the next fold sets it aside and begins again.

use super::MemoryError;
use super::image::write_durable;
use super::journal::sync_dir;
use super::table::Table;
use std::collections::BTreeSet;
use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};

impl Table {
    /// The newest version's manifest, by its name; `None` where there is no dataset.
    pub fn newest(&self) -> Option<String> {
        self.manifests().into_iter().max().map(|(_, name)| name)
    }

    /// The version that counts: the synced one. `None` where nothing was ever folded to the end.
    pub fn sure(&self) -> Option<(u64, String)> {
        let all = self.manifests();
        match std::fs::read_to_string(&self.synced) {
            // The first fold did not come to its end: the journal has everything.
            Ok(synced) if synced.is_empty() => None,
            Ok(synced) if all.iter().any(|(_, name)| *name == synced) => all.into_iter().find(|(_, name)| *name == synced),
            // A folder that was put there by hand.
            _ => all.into_iter().max(),
        }
    }

    /// Versions with the names of their manifests. Lance counts names down from the greatest number, or up in old datasets.
    pub fn manifests(&self) -> Vec<(u64, String)> {
        let entries = std::fs::read_dir(self.path.join("_versions")).into_iter().flatten().flatten();
        let version = |name: &str| {
            let number: u64 = name.strip_suffix(".manifest")?.parse().ok()?;
            Some(if name.len() == "18446744073709551615.manifest".len() { u64::MAX - number } else { number })
        };
        entries.filter_map(|e| e.file_name().into_string().ok()).filter_map(|name| Some((version(&name)?, name))).collect()
    }

    /// Moves versions aside that are newer than the one that counts, and says before the first one that it does not count yet. Only
    /// for who folds: another one's are on their way.
    ///
    /// # Errors
    /// The disk.
    pub fn set_unsynced_aside(&self) -> Result<(), MemoryError> {
        let versions = self.path.join("_versions");
        let Some((sure, _)) = self.sure() else {
            if self.path.exists() {
                let aside = self.aside();
                tracing::warn!("{}: never written to the end; it is now {}", self.path.display(), aside.display());
                remove_all(&aside)?;
                std::fs::rename(&self.path, &aside).map_err(MemoryError::io(&self.path, "set aside"))?;
            }
            return if self.synced.exists() { Ok(()) } else { write_durable(&self.synced, b"") };
        };
        let newer = self.manifests().into_iter().filter(|(version, _)| *version > sure);
        for path in newer.map(|(_, name)| versions.join(name)) {
            tracing::warn!("{}: never written to the end; set aside", path.display());
            std::fs::rename(&path, path.with_extension("unsynced")).map_err(MemoryError::io(&path, "set aside"))?;
            // It names the version that was set aside.
            let _ = std::fs::remove_file(versions.join("latest_version_hint.json"));
        }
        Ok(())
    }

    /// Removes what was set aside, once a newer version is on the disk.
    pub(super) fn remove_aside(&self) -> Result<(), MemoryError> {
        let entries = std::fs::read_dir(self.path.join("_versions")).into_iter().flatten().flatten();
        for path in entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "unsynced")) {
            std::fs::remove_file(&path).map_err(MemoryError::io(&path, "removed"))?;
        }
        remove_all(&self.aside())
    }

    fn aside(&self) -> PathBuf {
        self.path.with_extension("unsynced")
    }

    /// Whether every file is on the disk for sure.
    pub fn is_synced(&self) -> bool {
        std::fs::read_to_string(&self.synced).ok() == self.newest()
    }

    /// Puts every file of the newest version on the disk, and remembers that. Those from `before` are there.
    ///
    /// # Errors
    /// The disk.
    pub fn sync(&self, before: &BTreeSet<PathBuf>) -> Result<(), MemoryError> {
        let mut dirs = BTreeSet::from([self.path.clone()]);
        for file in self.files()? {
            if !before.contains(&file) {
                std::fs::File::open(&file).and_then(|f| f.sync_all()).map_err(MemoryError::io(&file, "synced"))?;
                dirs.extend(file.ancestors().skip(1).take_while(|p| p.starts_with(&self.path)).map(Path::to_owned));
            }
        }
        dirs.iter().chain(self.path.parent().map(Path::to_owned).as_ref()).try_for_each(|d| sync_dir(d))?;
        write_durable(&self.synced, self.newest().unwrap_or_default().as_bytes())
    }

    /// Every file of it.
    ///
    /// # Errors
    /// The disk.
    pub fn files(&self) -> Result<BTreeSet<PathBuf>, MemoryError> {
        fn walk(dir: &Path, all: &mut BTreeSet<PathBuf>) -> Result<(), MemoryError> {
            let entries = match std::fs::read_dir(dir) {
                Err(e) if e.kind() == NotFound => return Ok(()),
                other => other.map_err(MemoryError::io(dir, "listed"))?,
            };
            for path in entries.flatten().map(|e| e.path()) {
                if path.is_dir() { walk(&path, all)? } else { _ = all.insert(path) }
            }
            Ok(())
        }
        let mut all = BTreeSet::new();
        walk(&self.path, &mut all)?;
        Ok(all)
    }
}

fn remove_all(dir: &Path) -> Result<(), MemoryError> {
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != NotFound => Err(MemoryError::io(dir, "removed")(e)),
        _ => Ok(()),
    }
}
