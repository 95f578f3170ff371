//! `orc init`: makes what a workspace lacks and touches nothing that is there.

use super::error::ConfigError;
use super::workspace::{SETTINGS_FILE, Workspace, private_dir};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// The folders of a workspace, those that others are in first.
const FOLDERS: &[&str] = &[
    "skills",
    "personas",
    "rubrics",
    "backends",
    "memory",
    "memory/episodic",
    "results",
    "system",
    "engine",
    "engine/workers",
    "engine/trees",
    "projects",
    "drafts",
    "images",
    "sites",
    "run",
    "run/spool",
    "run/bin",
    "run/log",
];

/// The files of a workspace. The one that makes it a workspace comes last: an interrupted init is none, and can be repeated.
const FILES: &[(&str, &str)] = &[
    ("CLAUDE.md", include_str!("../../config/templates/operating.md")),
    ("SOUL.md", include_str!("../../config/templates/soul.md")),
    ("core-memory.md", include_str!("../../config/templates/core-memory.md")),
    ("personas/pulse.md", include_str!("../../config/personas/pulse.md")),
    ("personas/researcher.md", include_str!("../../config/personas/researcher.md")),
    ("personas/critic.md", include_str!("../../config/personas/critic.md")),
    ("personas/engineer.md", include_str!("../../config/personas/engineer.md")),
    (SETTINGS_FILE, DEFAULT_SETTINGS),
];

/// Links beside the operating file, so that each backend's CLI reads the same text.
const LINKS: &[&str] = &["AGENTS.md", "GEMINI.md"];

/// The shipped `orc.toml`: every setting with its meaning, all at their defaults.
pub const DEFAULT_SETTINGS: &str = include_str!("../../config/orc.toml");

/// What became of one path of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It was missing and has been made.
    Made(PathBuf),
    /// It was there and is as it was.
    Kept(PathBuf),
    /// It was there, and the operator may want to know something about it.
    Noted(PathBuf, String),
}

/// What `init` did, in order. Paths are relative to the root, except the root's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitReport {
    pub root: PathBuf,
    pub steps: Vec<Step>,
}

impl InitReport {
    /// What was made.
    pub fn made(&self) -> impl Iterator<Item = &Path> {
        self.steps.iter().filter_map(|s| if let Step::Made(p) = s { Some(p.as_path()) } else { None })
    }

    /// What was there already, and was left alone.
    pub fn kept(&self) -> impl Iterator<Item = &Path> {
        self.steps.iter().filter_map(|s| if let Step::Kept(p) | Step::Noted(p, _) = s { Some(p.as_path()) } else { None })
    }

    /// What the operator may want to know.
    pub fn notes(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.steps.iter().filter_map(|s| if let Step::Noted(p, note) = s { Some((p.as_path(), note.as_str())) } else { None })
    }
}

/// Makes `dir` a workspace, or completes one. Idempotent; never overwrites; each file is whole or absent. The database is made
/// by whoever opens it first.
///
/// # Errors
/// The folder cannot be made or written, or something else sits where a folder has to be. What was made until then stays.
pub fn init(dir: &Path) -> Result<(Workspace, InitReport), ConfigError> {
    let mut steps = Vec::new();
    let root = root(dir, &mut steps)?;
    for name in FOLDERS {
        steps.push(folder(&root, name)?);
    }
    for (name, text) in FILES {
        steps.push(file(&root, name, text)?);
    }
    for name in LINKS {
        steps.push(link(&root, name)?);
    }
    let workspace = Workspace::open(&root)?;
    Ok((workspace, InitReport { root, steps }))
}

/// Adds the shipped schedules to a workspace that has none of its own.
///
/// # Errors
/// The file cannot be written.
pub fn init_cron(report: &mut InitReport) -> Result<(), ConfigError> {
    report.steps.push(file(&report.root, "cron.toml", super::cron::CRON_TEMPLATES)?);
    Ok(())
}

fn root(dir: &Path, steps: &mut Vec<Step>) -> Result<PathBuf, ConfigError> {
    let new = !dir.exists();
    if new {
        private_dir(dir)?;
    }
    let root = fs::canonicalize(dir).map_err(ConfigError::io("open the folder", dir))?;
    let meta = fs::metadata(&root).map_err(ConfigError::io("look at", &root))?;
    if !meta.is_dir() {
        return Err(ConfigError::InTheWay { path: root, what: "it is a file, and a workspace is a folder".into() });
    }
    steps.push(if new {
        Step::Made(root.clone())
    } else if meta.permissions().mode() & 0o077 != 0 {
        let mode = meta.permissions().mode() & 0o777;
        Step::Noted(root.clone(), format!("others on this machine may look into it (mode {mode:03o}); `chmod 700` closes it"))
    } else {
        Step::Kept(root.clone())
    });
    Ok(root)
}

fn folder(root: &Path, name: &str) -> Result<Step, ConfigError> {
    let path = root.join(name);
    match fs::DirBuilder::new().mode(0o700).create(&path) {
        Ok(()) => Ok(Step::Made(name.into())),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(Step::Kept(name.into())),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            Err(ConfigError::InTheWay { path, what: "it is a file, and a folder has to be there".into() })
        }
        Err(e) => Err(ConfigError::io("make the folder", &path)(e)),
    }
}

/// A file by way of a temporary one and a hard link: `link(2)` refuses to replace, so what is there stays, whoever made it when.
fn file(root: &Path, name: &str, text: &str) -> Result<Step, ConfigError> {
    let path = root.join(name);
    if path.symlink_metadata().is_ok() {
        return Ok(Step::Kept(name.into()));
    }
    let tmp = root.join(format!(".init-{}.tmp", uuid::Uuid::new_v4().simple()));
    let written = write_new(&tmp, text).map_err(ConfigError::io("write", &path));
    let placed = written.and_then(|()| match fs::hard_link(&tmp, &path) {
        Ok(()) => Ok(Step::Made(name.into())),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(Step::Kept(name.into())),
        Err(e) => Err(ConfigError::io("make", &path)(e)),
    });
    // Whatever happened, the temporary name is of no further use.
    let _ = fs::remove_file(&tmp);
    placed
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn link(root: &Path, name: &str) -> Result<Step, ConfigError> {
    let path = root.join(name);
    match symlink("CLAUDE.md", &path) {
        Ok(()) => Ok(Step::Made(name.into())),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            let same = |a: fs::Metadata, b: fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
            let linked = fs::metadata(&path).is_ok_and(|a| fs::metadata(root.join("CLAUDE.md")).is_ok_and(|b| same(a, b)));
            Ok(if linked {
                Step::Kept(name.into())
            } else {
                Step::Noted(name.into(), "a file of its own, not a link to CLAUDE.md: the backends that read it get another text".into())
            })
        }
        Err(e) => Err(ConfigError::io("make the link", &path)(e)),
    }
}
