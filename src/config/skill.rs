//! Skills: `skills/NAME/SKILL.md` in the public Agent Skills format. A workspace's skill shadows a built-in one.

use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A skill as it is injected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skill {
    pub name: String,
    pub description: String,
    /// Where it was read: a path, or `built-in`.
    pub source: String,
    /// The Markdown below the frontmatter.
    pub body: String,
}

/// Why a skill cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SkillError {
    #[error("there is no skill `{name}`; there are: {known}")]
    Unknown { name: String, known: String },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{place}: {message}")]
    Broken { place: String, message: String },
}

/// What we read of the frontmatter; what we do not know is left alone, so that public skills drop in unchanged.
#[derive(Deserialize)]
struct Front {
    name: String,
    description: String,
}

const BUILT_IN: &[(&str, &str)] = &[
    ("code-review", include_str!("../../skills/code-review/SKILL.md")),
    ("healthcheck", include_str!("../../skills/healthcheck/SKILL.md")),
    ("writing", include_str!("../../skills/writing/SKILL.md")),
];

/// The names of all skills, those of the folder and the built-in ones.
pub fn skills(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = BUILT_IN.iter().map(|(n, _)| (*n).to_owned()).collect();
    let own = std::fs::read_dir(dir).into_iter().flatten().flatten();
    names.extend(own.filter(|e| e.path().join("SKILL.md").is_file()).filter_map(|e| e.file_name().into_string().ok()));
    names.sort();
    names.dedup();
    names
}

/// One skill by name.
///
/// # Errors
/// There is none of that name, it cannot be read, or its frontmatter is broken.
pub fn skill(dir: &Path, name: &str) -> Result<Skill, SkillError> {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    let path = dir.join(name).join("SKILL.md");
    if plain {
        match std::fs::read_to_string(&path) {
            Ok(text) => return parse(&text, &path.display().to_string()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(SkillError::Read { path, source }),
        }
    }
    match BUILT_IN.iter().find(|(n, _)| *n == name) {
        Some((_, text)) => parse(text, "built-in").map(|s| Skill { source: format!("built-in skill {name}"), ..s }),
        None => Err(SkillError::Unknown { name: name.to_owned(), known: skills(dir).join(", ") }),
    }
}

fn parse(text: &str, place: &str) -> Result<Skill, SkillError> {
    let broken = |line: usize, message: String| SkillError::Broken { place: format!("{place}:{line}"), message };
    let rest = text.strip_prefix("---\n").ok_or_else(|| broken(1, "it has to begin with a frontmatter between `---` lines".into()))?;
    let (front, body) = rest.split_once("\n---\n").ok_or_else(|| broken(1, "the frontmatter does not end: a line `---` is missing".into()))?;
    let front: Front = serde_saphyr::from_str(front).map_err(|e| {
        let line = e.location().map_or(1, |l| l.line() as usize + 1);
        broken(line, e.to_string().lines().next().unwrap_or_default().to_owned())
    })?;
    Ok(Skill { name: front.name, description: front.description, source: place.to_owned(), body: body.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_ones_parse() {
        for (name, text) in BUILT_IN {
            let skill = parse(text, name).unwrap();
            assert_eq!(skill.name, *name);
            assert!(skill.body.len() > 500, "{name} says too little");
        }
    }

    #[test]
    fn a_workspace_shadows_and_a_broken_one_is_placed() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            std::fs::write(dir.path().join(name).join("SKILL.md"), text).unwrap();
        };
        put("writing", "---\nname: writing\ndescription: mine\nlicense: any\n---\nBody\n");
        put("bad", "---\nname: bad\ndescription: [\n---\nBody\n");
        assert_eq!(skill(dir.path(), "writing").unwrap().body, "Body");
        assert!(skill(dir.path(), "bad").unwrap_err().to_string().contains("bad/SKILL.md:"));
        assert!(skill(dir.path(), "../x").unwrap_err().to_string().contains("there is no skill"));
    }
}
