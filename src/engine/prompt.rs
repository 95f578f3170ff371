//! What an agent is told: rules, core memory, persona, skills, handover, the job, in this order.

use crate::config::{SkillError, Workspace, rules, skill};
use crate::domain::{Job, PartKind, PromptPart};
use std::path::PathBuf;

/// A prompt as it is delivered: a system text and what goes to standard input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PromptDocument {
    pub parts: Vec<PromptPart>,
    pub system: String,
    pub prompt: String,
    /// Estimated tokens of all parts.
    pub tokens: u64,
}

/// What a prompt is made for.
#[derive(Clone, Copy, Debug)]
pub struct PromptInput<'a> {
    pub job: &'a Job,
    pub project: Option<&'a str>,
    pub persona: Option<&'a str>,
    pub skills: &'a [String],
    pub handover: Option<&'a str>,
    /// False: the prompt is a script, and goes to the backend as it is.
    pub uses_model: bool,
}

/// Why a prompt cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Skill(#[from] SkillError),
    #[error("there is no persona `{name}`: it would be {}", path.display())]
    Persona { name: String, path: PathBuf },
}

/// Makes the document from the workspace's files as they are now.
///
/// # Errors
/// A file cannot be read; a skill or persona that was asked for is not there.
pub fn assemble(workspace: &Workspace, input: &PromptInput<'_>) -> Result<PromptDocument, PromptError> {
    let job = input.job;
    if !input.uses_model {
        let part = PromptPart::new(PartKind::Job, format!("job {}", job.id), job.spec.prompt.clone());
        return Ok(PromptDocument { tokens: 0, system: String::new(), prompt: job.spec.prompt.clone(), parts: vec![part] });
    }
    let mut parts = Vec::new();
    let mut add = |kind, source: String, text: String| {
        if !text.trim().is_empty() {
            parts.push(PromptPart::new(kind, source, text));
        }
    };
    let file = workspace.operating_file();
    let rules: Vec<String> = rules(&read(&file)?.unwrap_or_default()).into_iter().map(|r| format!("- {r}")).collect();
    let heading = |title: &str, text: &str| if text.trim().is_empty() { String::new() } else { format!("# {title}\n\n{}", text.trim()) };
    add(PartKind::Rules, file.display().to_string(), heading("Critical rules", &rules.join("\n")));
    let file = workspace.core_memory();
    add(PartKind::Core, file.display().to_string(), read(&file)?.unwrap_or_default().trim().to_owned());
    if let Some(name) = input.persona {
        let path = workspace.persona_file(name);
        let text = read(&path)?.ok_or_else(|| PromptError::Persona { name: name.to_owned(), path: path.clone() })?;
        add(PartKind::Persona, path.display().to_string(), text.trim().to_owned());
    }
    for name in input.skills {
        let skill = skill(&workspace.skills_dir(), name)?;
        add(PartKind::Skill, skill.source, format!("# Skill: {}\n\n{}", skill.name, skill.body));
    }
    add(PartKind::Handover, "the worker's last session".into(), heading("Handover", input.handover.unwrap_or_default()));
    let system = parts.iter().map(|p| p.text.as_str()).collect::<Vec<_>>().join("\n\n");
    let mut about = format!("Job {}: {}", job.id, job.spec.title);
    if let Some(project) = input.project {
        about += &format!("\nProject: {project}");
    }
    about += "\nYour last message is the job's result: it has to stand alone. `pm --help` shows what you may ask of the workforce.";
    let prompt = format!("{}\n\n---\n{about}\n", job.spec.prompt.trim_end());
    parts.push(PromptPart::new(PartKind::Job, format!("job {}", job.id), prompt.clone()));
    Ok(PromptDocument { tokens: parts.iter().map(|p| p.tokens).sum(), parts, system, prompt })
}

fn read(path: &std::path::Path) -> Result<Option<String>, PromptError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(PromptError::Read { path: path.to_owned(), source }),
    }
}
