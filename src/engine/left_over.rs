//! Temporary files that were left behind: told by `orc lint`, put away by the nightly housekeeping. Both look here.

use crate::config::Workspace;
use crate::domain::Timestamp;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The zones in which work leaves files.
pub const ZONES: [&str; 6] = ["system", "engine", "projects", "drafts", "images", "sites"];

/// A temporary file and its age in days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOver {
    pub path: PathBuf,
    pub days: u64,
}

/// Temporary files in the zones that are older than `age`, in order. Repositories and work trees are their owners' business.
pub fn left_over(workspace: &Workspace, age: Duration, now: Timestamp) -> Vec<LeftOver> {
    let mut found = Vec::new();
    for zone in ZONES {
        in_folder(&workspace.root().join(zone), &workspace.trees_dir(), age, now, &mut found);
    }
    found
}

fn in_folder(dir: &Path, except: &Path, age: Duration, now: Timestamp, found: &mut Vec<LeftOver>) {
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        if dir == except || dir.join(".git").exists() {
            continue;
        }
        let mut entries: Vec<_> = std::fs::read_dir(&dir).into_iter().flatten().flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (Ok(kind), Some(name)) = (entry.file_type(), entry.file_name().to_str().map(str::to_owned)) else { continue };
            if kind.is_dir() && name != "node_modules" {
                dirs.push(entry.path());
            }
            if !kind.is_file() || !is_temporary(&name) {
                continue;
            }
            if let Some(is) = age_of(&entry.path(), now).filter(|is| *is > age) {
                found.push(LeftOver { path: entry.path(), days: is.as_secs() / 86_400 });
            }
        }
    }
}

/// How long ago a file was changed.
pub(super) fn age_of(path: &Path, now: Timestamp) -> Option<Duration> {
    let changed = std::fs::symlink_metadata(path).ok()?.modified().ok()?;
    let since = changed.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(now.since(Timestamp(since.as_millis() as i64)))
}

fn is_temporary(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.starts_with("tmp-") || [".tmp", ".temp", "~", ".swp", ".bak", ".part"].iter().any(|end| lower.ends_with(end))
}
