//! Folders of skills: where each SKILL.md is, which files belong to it, and the one hash of them all.

use super::{SKILL_FILE, good_name};
use crate::domain::{SkillFile, sha256_hex};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The largest file of a skill whose content is kept with its version, in bytes. A larger one is known by its hash only.
pub const LARGEST_FILE: u64 = 1 << 20;
/// Files of a skill that are looked at.
const MOST_FILES: usize = 1_000;
/// How deep a folder of skills may be nested in another one.
const DEPTH: usize = 4;
/// The size above which a file is told by length and date instead of its content, in bytes.
const HUGE: u64 = 64 << 20;

/// The skills of a folder.
#[derive(Debug, Default)]
pub struct Found {
    /// Their SKILL.md by name.
    pub found: BTreeMap<String, PathBuf>,
    /// Further folders of a name that is taken.
    pub shadowed: Vec<(String, PathBuf)>,
}

/// Finds the skills below a folder. One that has no SKILL.md itself may be a collection of them; what lies nearer to the top has the
/// name.
pub fn find(folder: &Path) -> Found {
    let mut all = Found::default();
    let mut level = vec![folder.to_owned()];
    for _ in 0..DEPTH {
        let mut below = Vec::new();
        for dir in &level {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            let mut dirs: Vec<PathBuf> = entries.map(|e| e.path()).filter(|p| p.is_dir()).collect();
            dirs.sort();
            for dir in dirs {
                let Some(name) = dir.file_name().and_then(|n| n.to_str()).filter(|n| good_name(n) && !is_clutter(n)) else { continue };
                match skill_file(&dir) {
                    Some(file) if all.found.contains_key(name) => all.shadowed.push((name.to_owned(), file)),
                    Some(file) => drop(all.found.insert(name.to_owned(), file)),
                    None => below.push(dir),
                }
            }
        }
        level = below;
    }
    all
}

/// The SKILL.md of a folder, whatever its case.
pub fn skill_file(dir: &Path) -> Option<PathBuf> {
    [SKILL_FILE, "skill.md", "Skill.md"].iter().map(|name| dir.join(name)).find(|path| path.symlink_metadata().is_ok())
}

/// What programs leave behind.
fn is_clutter(name: &str) -> bool {
    name.starts_with('.') || name.ends_with('~') || name.ends_with(".swp") || matches!(name, "__pycache__" | "node_modules")
}

/// The files of a skill, SKILL.md by the bytes that were read; and what is odd about them.
pub fn files(folder: &Path, skill: &Path, text: &[u8]) -> io::Result<(Vec<SkillFile>, Vec<String>)> {
    let mut files = vec![SkillFile { path: SKILL_FILE.into(), hash: sha256_hex(text), bytes: text.len() as u64 }];
    let mut odd = Vec::new();
    let mut dirs = vec![folder.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            let path = entry.path();
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            if is_clutter(&name) || path == skill {
                continue;
            }
            let inside = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            let kind = entry.file_type()?;
            if kind.is_symlink() {
                odd.push(format!("{inside} is a link: it is left to lie where it points, and not kept with the version"));
            } else if kind.is_dir() {
                dirs.push(path);
            } else if kind.is_file() {
                if files.len() >= MOST_FILES {
                    odd.push(format!("it has more than {MOST_FILES} files: the others are not looked at"));
                    files.sort();
                    return Ok((files, odd));
                }
                let bytes = entry.metadata()?.len();
                let hash = if bytes > HUGE { sha256_hex(format!("{bytes} bytes").as_bytes()) } else { sha256_hex(&fs::read(&path)?) };
                if bytes > LARGEST_FILE {
                    odd.push(format!("{inside} is larger than 1 MiB: it is not kept with the version, which then cannot be pinned"));
                }
                files.push(SkillFile { path: inside, hash, bytes });
            }
        }
    }
    files.sort();
    Ok((files, odd))
}

/// What tells, without reading them, whether a skill's files are still those that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Each file's number, size, and the times of its content and of itself.
    files: Vec<(PathBuf, [i64; 6])>,
    /// When any of them was changed last.
    newest: SystemTime,
}

impl Stamp {
    /// True if all was changed long enough before `now` that a further change would show: file systems count in ticks.
    pub fn is_settled(&self, now: SystemTime) -> bool {
        now.duration_since(self.newest).is_ok_and(|age| age > TICKS)
    }
}

/// More than the coarsest tick of a file system's clock.
const TICKS: Duration = Duration::from_secs(3);

/// The stamp of a skill's folder.
pub fn stamp(folder: &Path) -> io::Result<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let mut stamp = Stamp { files: Vec::new(), newest: SystemTime::UNIX_EPOCH };
    let mut dirs = vec![folder.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir)? {
            let (entry, kind) = entry.and_then(|e| e.file_type().map(|kind| (e, kind)))?;
            if entry.file_name().to_str().is_none_or(is_clutter) {
                continue;
            }
            if kind.is_dir() {
                dirs.push(entry.path());
                continue;
            }
            // SKILL.md may be a link, which is followed; no other one is.
            let meta = if dir == folder { fs::metadata(entry.path()).or_else(|_| entry.metadata())? } else { entry.metadata()? };
            let changed = Duration::new(meta.ctime().max(0) as u64, meta.ctime_nsec().max(0) as u32);
            stamp.newest = stamp.newest.max(SystemTime::UNIX_EPOCH + changed);
            let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
            stamp.files.push((entry.path(), [meta.ino() as i64, meta.len() as i64, times[0], times[1], times[2], times[3]]));
            if stamp.files.len() > 2 * MOST_FILES {
                return Err(io::Error::other("so many files are not looked at"));
            }
        }
    }
    stamp.files.sort();
    Ok(stamp)
}

/// One hash of names and contents.
pub fn hash_of(files: &[SkillFile]) -> String {
    let mut files: Vec<&SkillFile> = files.iter().collect();
    files.sort();
    let list: String = files.iter().map(|f| format!("{}  {}\n", f.hash, f.path)).collect();
    sha256_hex(list.as_bytes())
}
