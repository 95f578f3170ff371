//! Skills: `skills/NAME/SKILL.md`, YAML frontmatter and a Markdown body (the public Agent Skills format, agentskills.io), with
//! whatever files lie beside it. A workspace's skill shadows the built-in one of its name. Reading is liberal, so that folders
//! made for other programs drop in unchanged; what is odd about them is listed, and kept to.

mod folder;
mod front;
mod lint;

pub use folder::{Found, LARGEST_FILE, find as skill_folders};
pub use lint::lint as lint_skill;

use crate::domain::{SkillFile, SkillFrom, sha256_hex};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

macro_rules! builtin {
    ($($name:literal),+ $(,)?) => {
        /// The skills that ship with the program: name and text.
        pub const BUILTIN_SKILLS: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../../skills/", $name, "/SKILL.md")))),+];
    };
}
builtin!(
    "briefing",
    "code-review",
    "csv-analysis",
    "data-extraction",
    "debugging",
    "decision-cards",
    "designer",
    "email-manager",
    "frontier-scout",
    "git-hygiene",
    "handover",
    "healthcheck",
    "incident-to-rule",
    "memory-writing",
    "nightly-maintenance",
    "planning",
    "project-advance",
    "refactoring",
    "release-notes",
    "research-crosscheck",
    "security-review",
    "smart-browser",
    "test-writing",
    "triage",
    "web-publisher",
    "writing",
);

/// The file in a skill's folder.
pub const SKILL_FILE: &str = "SKILL.md";

/// Where a skill came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SkillSource {
    Builtin,
    /// Its `SKILL.md` in the workspace.
    Workspace(PathBuf),
    /// A version that is no longer what the workspace holds: the folder that it was written out to, where it has files of its own.
    Stored(Option<PathBuf>),
}

/// A skill that can be given to an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skill {
    /// The folder's name: what `--skill` names.
    pub name: String,
    /// When to use it, in a sentence or two.
    pub description: String,
    /// Phrases in a prompt that suggest it.
    pub triggers: Vec<String>,
    pub version: Option<String>,
    pub license: Option<String>,
    pub compatibility: Option<String>,
    pub allowed_tools: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    /// The Markdown after the frontmatter.
    pub body: String,
    /// The whole of its `SKILL.md`.
    pub text: String,
    /// Its files by path, `SKILL.md` among them.
    pub files: Vec<SkillFile>,
    /// SHA-256 over names and contents of its files, in hex: the version that the audit trail names.
    pub hash: String,
    pub source: SkillSource,
    /// What is odd about it and has been read nevertheless.
    pub problems: Vec<SkillProblem>,
}

/// Something odd about a skill that can be used nevertheless.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct SkillProblem {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What, and what to do about it.
    pub what: String,
}

/// A skill that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkillError {
    #[error("there is no skill `{name}`. The skills: {}", known.join(", "))]
    Unknown { name: String, known: Vec<String> },
    #[error("`{name}` cannot be a skill's name: no `/`, `,` or control character, no leading `.`, at most 100 bytes")]
    Name { name: String },
    /// The file is broken: where, what, and what to do.
    #[error("{file}:{line}: {what}")]
    Broken { file: String, line: usize, what: String },
    #[error("cannot read {file}: {what}")]
    Read { file: String, what: String },
}

/// Everything that there is, and everything that is broken.
#[derive(Clone, Debug, Default)]
pub struct Skills {
    /// By name.
    pub skills: BTreeMap<String, Skill>,
    /// Those that cannot be used, by name.
    pub broken: BTreeMap<String, SkillError>,
    /// What cannot be used, in the order of the names.
    pub problems: Vec<SkillError>,
    /// Folders of one name: the second is not used.
    pub shadowed: Vec<(String, PathBuf)>,
}

impl Skill {
    /// The folder that its own files (`scripts/`, `references/`) are in.
    pub fn folder(&self) -> Option<&Path> {
        match &self.source {
            SkillSource::Builtin => None,
            SkillSource::Workspace(path) => path.parent(),
            SkillSource::Stored(folder) => folder.as_deref(),
        }
    }

    /// Its file, for messages and for the list of a prompt's parts.
    pub fn origin(&self) -> String {
        match &self.source {
            SkillSource::Builtin => format!("built-in skill {}", self.name),
            SkillSource::Workspace(path) => path.display().to_string(),
            SkillSource::Stored(_) => format!("skill {} as of {}", self.name, &self.hash[..self.hash.len().min(12)]),
        }
    }

    /// Where the version that is on the disk belongs.
    pub fn from(&self) -> SkillFrom {
        match &self.source {
            SkillSource::Builtin => SkillFrom::Builtin,
            SkillSource::Workspace(_) | SkillSource::Stored(_) => SkillFrom::Workspace,
        }
    }

    /// A version that was kept, as it was.
    ///
    /// # Errors
    /// Its text cannot be read as a skill (any more).
    pub fn stored(name: &str, text: &str, files: Vec<SkillFile>, hash: &str, folder: Option<PathBuf>) -> Result<Skill, SkillError> {
        let file = format!("{name}/{SKILL_FILE}");
        let read = front::read(&file, text).map_err(|(line, what)| SkillError::Broken { file, line, what })?;
        Ok(made(name, text.to_owned(), read, files, hash.to_owned(), SkillSource::Stored(folder)))
    }
}

/// One skill by name, from a workspace's skills folder, else the built-in one.
///
/// # Errors
/// There is none of that name, or its file is broken. A broken one in the workspace is never replaced by the built-in one
/// behind the operator's back.
pub fn skill(folder: &Path, name: &str) -> Result<Skill, SkillError> {
    if !good_name(name) {
        return Err(SkillError::Name { name: name.to_owned() });
    }
    let direct = folder.join(name);
    let at = match folder::skill_file(&direct) {
        Some(path) => Some(path),
        None => skill_folders(folder).found.remove(name),
    };
    match at {
        Some(path) => from_folder(name, &path),
        None => match BUILTIN_SKILLS.iter().find(|(n, _)| *n == name) {
            Some((name, text)) => builtin(name, text),
            None => Err(SkillError::Unknown { name: name.to_owned(), known: skill_names(folder) }),
        },
    }
}

/// All skills of a workspace's skills folder and the built-in ones, with everything that is broken.
pub fn skills(folder: &Path) -> Skills {
    let mut all = Skills::default();
    let Found { found, shadowed } = skill_folders(folder);
    all.shadowed = shadowed;
    let shipped = BUILTIN_SKILLS.iter().filter(|(name, _)| !found.contains_key(*name));
    let read = found.iter().map(|(name, path)| (name.clone(), from_folder(name, path)));
    let read: BTreeMap<String, _> = read.chain(shipped.map(|(name, text)| ((*name).to_owned(), builtin(name, text)))).collect();
    for (name, skill) in read {
        match skill {
            Ok(skill) => drop(all.skills.insert(name, skill)),
            Err(problem) => {
                all.broken.insert(name, problem.clone());
                all.problems.push(problem);
            }
        }
    }
    all
}

/// The skill that ships with the program, whatever the workspace has.
pub fn builtin_of(name: &str) -> Option<Skill> {
    BUILTIN_SKILLS.iter().find(|(n, _)| *n == name).and_then(|(name, text)| builtin(name, text).ok())
}

pub(super) fn good_name(name: &str) -> bool {
    let bad = |c: char| c == '/' || c == ',' || c.is_control();
    !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && !name.contains(bad)
}

/// The names of the built-in skills and of the folders of a workspace's skills folder that hold one, in order.
pub fn skill_names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = BUILTIN_SKILLS.iter().map(|(n, _)| (*n).to_owned()).collect();
    names.extend(skill_folders(folder).found.into_keys());
    names.sort();
    names.dedup();
    names
}

/// A skill that ships with the program; each is read once in a process's life.
fn builtin(name: &'static str, text: &str) -> Result<Skill, SkillError> {
    static READ: LazyLock<Mutex<BTreeMap<&'static str, Skill>>> = LazyLock::new(Mutex::default);
    let mut known = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(skill) = known.get(name) {
        return Ok(skill.clone());
    }
    let skill = read_builtin(name, text)?;
    known.insert(name, skill.clone());
    Ok(skill)
}

fn read_builtin(name: &str, text: &str) -> Result<Skill, SkillError> {
    let file = format!("skills/{name}/{SKILL_FILE}");
    let files = vec![SkillFile { path: SKILL_FILE.into(), hash: sha256_hex(text.as_bytes()), bytes: text.len() as u64 }];
    let read = front::read(&file, text).map_err(|(line, what)| SkillError::Broken { file, line, what })?;
    let hash = folder::hash_of(&files);
    Ok(made(name, text.to_owned(), read, files, hash, SkillSource::Builtin))
}

fn from_folder(name: &str, path: &Path) -> Result<Skill, SkillError> {
    let file = path.display().to_string();
    let cannot = |e: std::io::Error| SkillError::Read { file: file.clone(), what: e.to_string() };
    let bytes = std::fs::read(path).map_err(cannot)?;
    let lossy = std::str::from_utf8(&bytes).is_err();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut read = front::read(&file, &text).map_err(|(line, what)| SkillError::Broken { file: file.clone(), line, what })?;
    if lossy {
        let line = text.lines().position(|l| l.contains('\u{fffd}')).map_or(1, |i| i + 1);
        read.odd.push((line, "it is not UTF-8: what cannot be read is shown as �".into()));
    }
    let folder = path.parent().unwrap_or(path);
    let (files, odd) = folder::files(folder, path, &bytes).map_err(cannot)?;
    read.odd.extend(odd.into_iter().map(|what| (1, what)));
    let hash = folder::hash_of(&files);
    Ok(made(name, text, read, files, hash, SkillSource::Workspace(path.to_owned())))
}

fn made(name: &str, text: String, read: front::Read, files: Vec<SkillFile>, hash: String, source: SkillSource) -> Skill {
    let file = match &source {
        SkillSource::Workspace(path) => path.display().to_string(),
        _ => format!("skills/{name}/{SKILL_FILE}"),
    };
    let problems = read.odd.into_iter().map(|(line, what)| SkillProblem { file: file.clone(), line, what }).collect();
    Skill {
        name: name.to_owned(),
        description: read.description,
        triggers: read.triggers,
        version: read.version,
        license: read.license,
        compatibility: read.compatibility,
        allowed_tools: read.allowed_tools,
        metadata: read.metadata,
        body: read.body,
        text,
        files,
        hash,
        source,
        problems,
    }
}
