//! Personas: `personas/NAME.md`, who an agent is for a job.

use super::workspace::Workspace;
use std::path::PathBuf;

/// A persona's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persona {
    pub name: String,
    pub path: PathBuf,
    /// Markdown; comments are left out.
    pub text: String,
}

/// A persona that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersonaError {
    #[error("there is no persona `{name}`: {} does not exist. The personas: {}", path.display(), known.join(", "))]
    Unknown { name: String, path: PathBuf, known: Vec<String> },
    #[error("`{name}` cannot be a persona's name: letters, digits, `-` and `_` only")]
    Name { name: String },
    #[error("cannot read {}: {what}", path.display())]
    Read { path: PathBuf, what: String },
}

impl Persona {
    /// A persona by name.
    ///
    /// # Errors
    /// There is none of that name, or its file cannot be read.
    pub fn find(workspace: &Workspace, name: &str) -> Result<Persona, PersonaError> {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            return Err(PersonaError::Name { name: name.to_owned() });
        }
        let path = workspace.persona_file(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Persona { name: name.to_owned(), text: crate::domain::strip_comments(&text), path }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                Err(PersonaError::Unknown { name: name.to_owned(), path, known: Persona::names(workspace) })
            }
            Err(e) => Err(PersonaError::Read { path, what: e.to_string() }),
        }
    }

    /// The personas of a workspace, by name.
    pub fn names(workspace: &Workspace) -> Vec<String> {
        let entries = std::fs::read_dir(workspace.personas_dir()).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|e| e.file_name().to_str().and_then(|n| n.strip_suffix(".md")).map(str::to_owned)).collect();
        names.sort();
        names
    }
}
