//! Skills: `skills/NAME/SKILL.md`, YAML frontmatter and a Markdown body (the public Agent Skills format, agentskills.io). A
//! workspace's skill shadows the built-in one of its name.

use crate::domain::sha256_hex;
use serde::Deserialize;
use serde::de::{self, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

macro_rules! builtin {
    ($($name:literal),+ $(,)?) => {
        /// The skills that ship with the program: name and text.
        pub const BUILTIN_SKILLS: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../skills/", $name, "/SKILL.md")))),+];
    };
}
builtin!("code-review", "healthcheck", "planning", "research-crosscheck", "triage", "writing");

/// The file in a skill's folder.
const SKILL_FILE: &str = "SKILL.md";

/// Where a skill came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SkillSource {
    Builtin,
    /// Its `SKILL.md` in the workspace.
    Workspace(PathBuf),
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
    pub allowed_tools: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    /// The Markdown after the frontmatter.
    pub body: String,
    /// SHA-256 of the whole file, in hex: the version that the audit trail names.
    pub hash: String,
    pub source: SkillSource,
}

/// A skill that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkillError {
    #[error("there is no skill `{name}`. The skills: {}", known.join(", "))]
    Unknown { name: String, known: Vec<String> },
    #[error("`{name}` cannot be a skill's name: letters, digits, `-` and `_` only, at most 64")]
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
    pub problems: Vec<SkillError>,
}

impl Skill {
    /// The folder that its own files (`scripts/`, `references/`) are in.
    pub fn folder(&self) -> Option<&Path> {
        match &self.source {
            SkillSource::Builtin => None,
            SkillSource::Workspace(path) => path.parent(),
        }
    }

    /// Its file, for messages and for the list of a prompt's parts.
    pub fn origin(&self) -> String {
        match &self.source {
            SkillSource::Builtin => format!("built-in skill {}", self.name),
            SkillSource::Workspace(path) => path.display().to_string(),
        }
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
    let path = folder.join(name).join(SKILL_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(name, &text, SkillSource::Workspace(path)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => match BUILTIN_SKILLS.iter().find(|(n, _)| *n == name) {
            Some((name, text)) => parse(name, text, SkillSource::Builtin),
            None => Err(SkillError::Unknown { name: name.to_owned(), known: skill_names(folder) }),
        },
        Err(e) => Err(SkillError::Read { file: path.display().to_string(), what: e.to_string() }),
    }
}

/// All skills of a workspace's skills folder and the built-in ones, with everything that is broken.
pub fn skills(folder: &Path) -> Skills {
    let mut all = Skills::default();
    for name in skill_names(folder) {
        match skill(folder, &name) {
            Ok(skill) => drop(all.skills.insert(name, skill)),
            Err(problem) => all.problems.push(problem),
        }
    }
    all
}

fn good_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// The names of the built-in skills and of the folders of a workspace's skills folder that hold one, in order.
pub fn skill_names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = BUILTIN_SKILLS.iter().map(|(n, _)| (*n).to_owned()).collect();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    names.extend(entries.filter(|e| e.path().join(SKILL_FILE).exists()).filter_map(|e| e.file_name().into_string().ok()));
    names.sort();
    names.dedup();
    names
}

#[derive(Deserialize)]
struct Frontmatter {
    #[serde(default)]
    #[expect(dead_code, reason = "required by the format, but the folder's name is what is asked for")]
    name: Option<Word>,
    description: Word,
    #[serde(default)]
    triggers: Words,
    version: Option<Word>,
    #[serde(default, rename = "allowed-tools", alias = "allowed_tools")]
    allowed_tools: Words,
    #[serde(default)]
    metadata: serde_json::Value,
}

/// Reads one skill.
fn parse(name: &str, text: &str, source: SkillSource) -> Result<Skill, SkillError> {
    let file = match &source {
        SkillSource::Builtin => format!("skills/{name}/{SKILL_FILE}"),
        SkillSource::Workspace(path) => path.display().to_string(),
    };
    let broken = |line: usize, what: String| SkillError::Broken { file: file.clone(), line, what };
    let hash = sha256_hex(text.as_bytes());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let Some(rest) = text.strip_prefix("---\n") else {
        return Err(broken(1, "it has to begin with frontmatter: a line `---`, then `name:` and `description:`, then `---`".into()));
    };
    let Some((front, body)) = split_front(rest) else {
        return Err(broken(1, "the frontmatter has no end: a line `---` after its last key".into()));
    };
    let front: Frontmatter = serde_saphyr::from_str(front).map_err(|e| {
        // The frontmatter begins on the file's second line.
        let line = e.location().map_or(1, |l| usize::try_from(l.line()).unwrap_or(0)) + 1;
        // "error: line L column C: MESSAGE", with the place counted within the frontmatter.
        let message = e.to_string();
        let first = message.lines().next().unwrap_or_default();
        broken(line, format!("the frontmatter is not usable: {}", first.splitn(3, ": ").last().unwrap_or(first)))
    })?;
    if front.description.0.trim().is_empty() {
        return Err(broken(2, "its description is empty: say when to use it".into()));
    }
    let body = body.trim().to_owned();
    if body.is_empty() {
        return Err(broken(2 + rest.lines().take_while(|l| *l != "---").count(), "there is no text after the frontmatter".into()));
    }
    let metadata = match front.metadata {
        serde_json::Value::Object(map) => {
            map.into_iter().map(|(k, v)| (k, v.as_str().map_or_else(|| v.to_string(), str::to_owned))).collect()
        }
        _ => BTreeMap::new(),
    };
    let version = front.version.map(|w| w.0).or_else(|| metadata.get("version").cloned());
    Ok(Skill {
        name: name.to_owned(),
        description: front.description.0.trim().to_owned(),
        triggers: front.triggers.0,
        version,
        allowed_tools: front.allowed_tools.0,
        metadata,
        body,
        hash,
        source,
    })
}

fn split_front(rest: &str) -> Option<(&str, &str)> {
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Some((&rest[..at], &rest[at + line.len()..]));
        }
        at += line.len();
    }
    None
}

/// A scalar as text, whatever YAML takes it for: `version: 1.0` is text here.
#[derive(Default)]
struct Word(String);

/// A list, or a text with spaces or commas between the words.
#[derive(Default)]
struct Words(Vec<String>);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl de::Visitor<'_> for Scalar {
            type Value = Word;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E>(self, v: &str) -> Result<Word, E> {
                Ok(Word(v.to_owned()))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Word, E> {
                Ok(Word(format!("{v:?}")))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Word, E> {
                Ok(Word(v.to_string()))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Word, E> {
                Ok(Word(v.to_string()))
            }
            fn visit_bool<E>(self, v: bool) -> Result<Word, E> {
                Ok(Word(v.to_string()))
            }
        }
        d.deserialize_any(Scalar)
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> de::Visitor<'de> for List {
            type Value = Words;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of texts, or one text with commas between them")
            }
            fn visit_unit<E>(self) -> Result<Words, E> {
                Ok(Words::default())
            }
            fn visit_str<E>(self, v: &str) -> Result<Words, E> {
                Ok(Words(words(v)))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Words, A::Error> {
                let mut list = Vec::new();
                while let Some(Word(word)) = seq.next_element()? {
                    list.push(word);
                }
                Ok(Words(list))
            }
        }
        d.deserialize_any(List)
    }
}

/// Splits at commas; where there are none, at spaces outside parentheses (`Bash(git log:*) Read`).
fn words(text: &str) -> Vec<String> {
    let comma = text.contains(',');
    let mut depth = 0_i32;
    let parts = text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth <= 0 && if comma { c == ',' } else { c.is_whitespace() }
    });
    parts.map(str::trim).filter(|p| !p.is_empty()).map(str::to_owned).collect()
}
