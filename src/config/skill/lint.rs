//! What the format asks for and reading forgives.

use super::{SKILL_FILE, Skill, SkillProblem, SkillSource, front};

/// The longest name and the longest description (agentskills.io/specification).
const NAME: usize = 64;
const DESCRIPTION: usize = 1024;
/// The longest text of `compatibility`.
const COMPATIBILITY: usize = 500;
/// A body longer than this belongs in `references/`, in lines.
const BODY: usize = 500;

/// Everything that is odd about a skill, in the order of its lines.
pub fn lint(skill: &Skill) -> Vec<SkillProblem> {
    let file = match &skill.source {
        SkillSource::Workspace(path) => path.display().to_string(),
        _ => format!("skills/{}/{SKILL_FILE}", skill.name),
    };
    let mut all = skill.problems.clone();
    let mut odd = |line: usize, what: String| all.push(SkillProblem { file: file.clone(), line, what });
    let text = &skill.text;
    if let Ok(read) = front::read(&file, text) {
        let line = front::line_of(text, "name");
        match &read.name {
            None => odd(1, format!("it has no name: write `name: {}`", skill.name)),
            Some(name) if *name != skill.name => {
                odd(line, format!("it calls itself `{name}`, and its folder is `{}`: the folder's name counts", skill.name))
            }
            Some(_) => {}
        }
        for (line, key) in read.unknown {
            odd(line, format!("`{key}` is no key of the format and has no effect; what is your own belongs under `metadata`"));
        }
    }
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let name = &skill.name;
    if name.len() > NAME || !name.chars().all(good) || name.starts_with('-') || name.ends_with('-') || name.contains("--") {
        let line = front::line_of(text, "name");
        odd(line, format!("`{name}` is not a name by the format: lower-case letters, digits and single dashes, at most {NAME}"));
    }
    let long = skill.description.chars().count();
    let at = front::line_of(text, "description");
    if long > DESCRIPTION {
        odd(at, format!("its description has {long} characters; other programs take {DESCRIPTION}"));
    }
    if skill.description.contains(['<', '>']) && skill.description.contains("</") {
        odd(at, "its description has markup in it".into());
    }
    if skill.compatibility.as_ref().is_some_and(|c| c.chars().count() > COMPATIBILITY) {
        odd(front::line_of(text, "compatibility"), format!("`compatibility` is longer than {COMPATIBILITY} characters"));
    }
    let lines = skill.body.lines().count();
    if lines > BODY {
        odd(
            1,
            format!("its text has {lines} lines, all of which go into every prompt: details belong in `references/`, at most {BODY} here"),
        );
    }
    if let SkillSource::Workspace(path) = &skill.source
        && path.file_name().is_some_and(|n| n != SKILL_FILE)
    {
        odd(1, format!("the file is to be called {SKILL_FILE}: other programs do not find it"));
    }
    all.sort_by_key(|p| p.line);
    all
}
