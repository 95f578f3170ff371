//! Prompt assembly: the workspace's files and the job, as they are now, made into one document in a fixed order: rules, core
//! memory, persona, skills, recalled memories, handover, the job. Nothing of the environment goes in, so no secret can.

use super::converse::is_talk;
use crate::config::{Persona, PersonaError, Skill, Workspace, rules};
use crate::domain::{Decision, Job, Kind, Origin, PartKind, PromptDocument, PromptPart, Review, strip_comments};
use crate::memory::core::{CoreMemory, CoreMemoryError};
use std::io;
use std::path::PathBuf;

/// What a prompt is made for.
#[derive(Clone, Copy, Debug)]
pub struct PromptInput<'a> {
    pub job: &'a Job,
    /// The project's title.
    pub project: Option<&'a str>,
    pub persona: Option<&'a str>,
    /// In the order in which they are injected.
    pub skills: &'a [Skill],
    /// What the job asked the operator, and what holds now, oldest first.
    pub answers: &'a [Decision],
    /// It works in a git work tree of its own.
    pub tree: bool,
    /// The review whose fixes are to be closed.
    pub guide: Option<Guide<'a>>,
    /// What the worker's last session left, for a session that begins.
    pub handover: Option<&'a str>,
    /// False: the prompt is a script, and goes to the backend exactly as it was submitted.
    pub uses_model: bool,
}

/// A review that sends a job back to its worker.
#[derive(Clone, Copy, Debug)]
pub struct Guide<'a> {
    pub review: &'a Review,
    /// What the operator said to it.
    pub remark: Option<&'a str>,
    /// The session knows the job already.
    pub resumed: bool,
    /// What the last attempt delivered, for one that does not.
    pub result: Option<&'a str>,
}

/// Why a prompt cannot be made. Each names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    #[error("cannot read the operating file {}: {source}. Its rules go into every prompt, so no job starts without it", path.display())]
    Operating { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Core(#[from] CoreMemoryError),
    #[error(transparent)]
    Persona(#[from] PersonaError),
}

/// What every agent is told about the way its job is run. It holds for each backend, so it names no tool of one of them.
const WORKING_RULES: &str = "\
## How this job is run

- You run unattended: nobody reads along or answers. Where the task leaves something open, take the most sensible reading, go on, \
and name the assumption in your result.
- Your last message is the job's result. It is kept and shown by itself, so it has to stand alone: first what came out, then what \
it rests on, then what is left open.
- What you deliver has to be viewable. Short texts belong into the result itself; for a file, name its path and say what is in it.
- Report what is so. A check that you did not run did not pass, and an unfinished job is called unfinished, with what is missing.
- Stay within the task. Something else that ought to be done is proposed in the result, or queued with `pm job add`.
- `$TMPDIR` is yours and goes away with the job, as does every process that you leave running.
- `pm` is on your PATH and speaks to this workspace: `pm job ls`, `pm job show ID`, `pm job result ID`; \
`pm job add --title T --type BACKEND --prompt -` queues work and reads its prompt from standard input; `pm --help` has the rest.
- Where only the operator can decide and a wrong guess would be costly, ask: `pm task ask TASK --question Q --option key:Label:Detail \
--option …` (or `pm decision ask` where there is no task), then end with what you have so far. The job waits and goes on with the answer.";

/// What an agent is told of its work tree.
const TREE: &str = "\n\n## Where you work\n\nThis folder is a git work tree of your own, on a branch made for this job. Commit your work on that branch, \
in steps that read well; do not switch branches, push, or touch the project's other checkouts. Merging is the operator's. What you leave \
uncommitted is committed for you, so leave nothing there that does not belong to the change.";

/// Makes the document.
///
/// # Errors
/// A file that is there cannot be read; the persona that was asked for is missing or broken.
pub fn assemble(workspace: &Workspace, input: &PromptInput<'_>) -> Result<PromptDocument, PromptError> {
    let job = input.job;
    let source = format!("job {}", job.id);
    if !input.uses_model {
        return Ok(PromptDocument::verbatim(PromptPart::new(PartKind::Job, source, job.spec.prompt.clone())));
    }
    let mut parts = Vec::new();

    if is_talk(job) {
        // The conversation with the operator is what these two files are for.
        let soul = workspace.soul();
        let text = std::fs::read_to_string(&soul).unwrap_or_default();
        parts.push(part(PartKind::Persona, soul.display(), "Who you are", &demoted(&strip_comments(&text)), None));
    }
    let path = workspace.operating_file();
    let rules = match std::fs::read_to_string(&path) {
        Ok(text) if is_talk(job) => demoted(&strip_comments(&text)),
        Ok(text) => rules::parse(&text).prompt_lines(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(PromptError::Operating { path, source }),
    };
    let intro = "Each of these was paid for with an incident. They outrank everything below but the operator's own word.";
    let (title, intro) = if is_talk(job) { ("How this workspace is run", None) } else { ("Rules of this workspace", Some(intro)) };
    parts.push(part(PartKind::Rules, path.display(), title, &rules, intro));

    let core = CoreMemory::load(&workspace.core_memory())?;
    parts.push(part(PartKind::Core, core.path.display(), "What always holds here", &demoted(&core.text), None));

    if let Some(name) = input.persona {
        let persona = Persona::find(workspace, name)?;
        parts.push(part(PartKind::Persona, persona.path.display(), &format!("Who you are: {name}"), &demoted(&persona.text), None));
    }
    for skill in input.skills {
        let name = &skill.name;
        let place = skill.folder().map(|f| format!("Files that this skill names are in {}", f.display()));
        parts.push(part(PartKind::Skill, skill.origin(), &format!("Skill: {name}"), &demoted(&skill.body), place.as_deref()));
    }
    let before = "You work on in a fresh session. The last one left this:";
    let handover = input.handover.unwrap_or_default();
    parts.push(part(PartKind::Handover, "the worker's last session", "Handover", &demoted(handover.trim()), Some(before)));
    parts.push(PromptPart::new(PartKind::Job, source, job_text(input)));
    Ok(PromptDocument::new(parts))
}

/// A part under its heading; empty, and so left out, where there is no text.
fn part(kind: PartKind, source: impl ToString, title: &str, text: &str, intro: Option<&str>) -> PromptPart {
    let text = match (text.trim(), intro) {
        ("", _) => String::new(),
        (text, Some(intro)) => format!("# {title}\n\n{intro}\n\n{text}\n"),
        (text, None) => format!("# {title}\n\n{text}\n"),
    };
    PromptPart::new(kind, source.to_string(), text)
}

/// A file's text below our heading: its own title (a first line `# …`) is left out, since ours stands there, and the headings of
/// its sections stay one level below.
fn demoted(text: &str) -> String {
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("# ") => rest.trim_start().to_owned(),
        None if text.starts_with("# ") => String::new(),
        _ => text.to_owned(),
    }
}

/// A review's open fixes, to be closed one by one.
fn fixes(guide: &Guide<'_>) -> String {
    let r = guide.review;
    let score = r.score.map(|s| format!(" It scores {s:.2}, and {:.2} is needed.", r.threshold)).unwrap_or_default();
    let list: Vec<String> =
        r.fixes.iter().filter(|f| !f.closed).map(|f| format!("{}. {}", f.number, f.text.trim().replace('\n', "\n   "))).collect();
    let remark = guide.remark.map(|said| format!("\n\nThe operator adds: {}", said.trim())).unwrap_or_default();
    format!(
        "\n\n## A review asks for fixes\n\nYour result was reviewed and is not through yet.{score} Close exactly these fixes, one by one, in this \
         order, and change nothing else:\n\n{}{remark}\n\nThen give the whole result anew, as it stands with the fixes. Below it, one line for \
         each fix: `Fix 1: closed: how and where`, or `Fix 1: open: why`. A review looks at each of them.",
        list.join("\n")
    )
}

fn job_text(input: &PromptInput<'_>) -> String {
    let job = input.job;
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = format!("# Job {}: {}\n\n", job.id, one_line(&job.spec.title));
    if let Some(project) = input.project {
        text += &format!("Project: {}\n\n", one_line(project));
    }
    if let Some(guide) = input.guide.as_ref().filter(|g| g.resumed) {
        text += "Go on in this session with what you did for this job.";
        text += &fixes(guide);
    } else {
        text += job.spec.prompt.trim();
        if let Some(guide) = &input.guide {
            if let Some(result) = guide.result.map(str::trim).filter(|r| !r.is_empty()) {
                text += &format!("\n\n## What you delivered\n\n{result}");
            }
            text += &fixes(guide);
        }
    }
    if job.spec.origin == Origin::Review {
        // As below; and what was no judgement is asked for again.
        let again = job.note.as_deref().filter(|_| job.attempts > 0);
        let again = again.map(|note| format!("\n\n# Once more\n\nThe last answer was of no use: {}\n", one_line(note)));
        return text + &again.unwrap_or_default() + "\n";
    }
    if input.tree {
        text += TREE;
    }
    if !job.spec.artefacts.is_empty() {
        let list: Vec<String> = job.spec.artefacts.iter().map(|a| format!("- {}", one_line(a))).collect();
        text += &format!("\n\n## What has to be there at the end\n\nWithout these files the job is not done:\n\n{}", list.join("\n"));
    }
    let sorts = job.spec.kind == Kind::Triage && job.spec.origin == Origin::Message;
    if sorts || matches!(job.spec.kind, Kind::Capture | Kind::Consolidate) {
        // A judgement in one answer: its prompt says all there is to say about it.
        return text + "\n";
    }
    if job.attempts + job.losses > 0 {
        let how = match (&job.outcome, &job.note) {
            (Some(outcome), Some(note)) => format!("{outcome}: {}", one_line(note)),
            (Some(outcome), None) => outcome.to_string(),
            (None, _) => "without a report".to_owned(),
        };
        text += &format!(
            "\n\n## This was tried before\n\nThe last attempt ended: {how}\nLook at what it left before you begin, keep what is good, \
             and do not do twice what must happen once."
        );
    }
    let answered: Vec<String> = input
        .answers
        .iter()
        .filter_map(|card| Some(format!("- You asked: {}\n  Answer: {}", card.asked.question, card.told()?.replace('\n', "\n  "))))
        .collect();
    if !answered.is_empty() {
        text += &format!(
            "\n\n## Your questions are answered\n\nGo on from where you asked. The operator's word holds:\n\n{}",
            answered.join("\n")
        );
    }
    // Who converses does no work.
    if is_talk(job) { text + "\n" } else { text + "\n\n" + WORKING_RULES + "\n" }
}
