//! The skills that ship: each reads by the format, names commands that exist as they stand, and paths that are there.

use orc::config::{BUILTIN_SKILLS, Skill, init, lint_skill, skills};
use serde_json::Value;
use tempfile::tempdir;

pub(super) fn all() -> Vec<Skill> {
    let empty = tempdir().unwrap();
    let all = skills(empty.path());
    assert!(all.problems.is_empty(), "{:?}", all.problems);
    all.skills.into_values().collect()
}

#[test]
fn each_is_by_the_format_and_tells_an_agent_what_to_do() {
    let all = all();
    assert_eq!(all.len(), BUILTIN_SKILLS.len());
    for skill in &all {
        let name = &skill.name;
        assert_eq!(lint_skill(skill), [], "{name}");
        assert!(skill.description.contains("Use ") && skill.description.len() < 400, "{name}: when to use it");
        assert!(!skill.triggers.is_empty(), "{name}: triggers");
        let lower = skill.body.to_lowercase();
        assert!(["hand in", "hand it in", "hand back", "result", "report"].iter().any(|w| lower.contains(w)), "{name}: the result");
        assert!(["never", "do not"].iter().any(|w| lower.contains(w)), "{name}: what to leave");
        assert!(!skill.body.contains('\t') && skill.text.lines().all(|l| l.chars().count() <= 320), "{name}: lines");
    }
    // no phrase suggests two of them
    let mut seen = std::collections::BTreeMap::new();
    for (skill, trigger) in all.iter().flat_map(|s| s.triggers.iter().map(move |t| (&s.name, t.to_lowercase()))) {
        assert_eq!(seen.insert(trigger.clone(), skill), None, "{trigger}");
    }
}

/// The lines of a text's code blocks, with continued ones joined.
fn code(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        let Some(line) = line.strip_prefix("    ") else {
            open = false;
            continue;
        };
        match lines.last_mut().filter(|_| open) {
            Some(last) => last.push_str(&format!(" {}", line.trim().trim_end_matches('\\'))),
            None => lines.push(line.trim().trim_end_matches('\\').to_owned()),
        }
        open = line.trim_end().ends_with('\\');
    }
    // and what stands in the text
    lines.extend(text.split('`').skip(1).step_by(2).filter(|s| !s.contains('\n')).map(str::to_owned));
    lines
}

/// The words of a command line, up to what is the shell's.
fn words(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '|' | ';' | '<' | '>' | '&') => break,
            (None, c) if c.is_whitespace() => out.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    out.extend(word);
    out
}

/// The commands of ours in a text that do not parse as they stand, and how many there are.
pub(super) fn unparsed(text: &str) -> (Vec<String>, usize) {
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for line in code(text) {
        let words = words(&line);
        let Some((program, rest)) = words.split_first().filter(|(p, _)| ["orc", "pm"].contains(&p.as_str())) else { continue };
        // a family is named, not a command
        if rest.is_empty() || rest.iter().any(|w| w.contains('…')) {
            continue;
        }
        let rest: Vec<String> = rest
            .iter()
            .map(|w| match w.as_str() {
                "ID" | "N" | "JOB" | "TASK" => "12".to_owned(),
                w => w.to_owned(),
            })
            .collect();
        let verb_only = rest.iter().all(|w| w.chars().all(|c| c.is_ascii_lowercase() || c == '-')) && !line.starts_with("    ");
        if let Err(e) = orc::cli::check_command(program, &rest) {
            // in running text a command may be named without what it needs
            let named = verb_only && e.contains("required arguments were not provided");
            if !named {
                wrong.push(format!("`{line}`: {e}"));
            }
        }
        checked += 1;
    }
    (wrong, checked)
}

#[test]
fn every_command_in_them_parses_as_it_stands() {
    let mut checked = 0;
    for skill in all() {
        let (wrong, seen) = unparsed(&skill.body);
        assert_eq!(wrong, Vec::<String>::new(), "{}", skill.name);
        checked += seen;
    }
    assert!(checked > 80, "only {checked} commands were found");
}

#[test]
fn every_path_in_them_is_there_in_a_new_workspace_or_made_by_the_step() {
    const ZONES: [&str; 10] = ["system/", "engine/", "projects/", "drafts/", "images/", "sites/", "skills/", "memory/", "results/", "run/"];
    let home = tempdir().unwrap();
    let (workspace, _) = init(&home.path().join("ws")).unwrap();
    let mut checked = 0;
    for skill in all() {
        for token in skill.body.split(|c: char| c.is_whitespace() || "`()\"',;:=".contains(c)) {
            let path = token.trim_end_matches(['.', '…']);
            if !ZONES.iter().any(|z| path.starts_with(z)) {
                continue;
            }
            checked += 1;
            // up to what the agent fills in
            let fixed: Vec<&str> =
                path.split('/').take_while(|part| !part.contains(|c: char| c.is_ascii_uppercase() || "<*{".contains(c))).collect();
            let there = fixed.len() == path.split('/').count() && workspace.root().join(fixed.join("/")).exists();
            let made = skill.body.split("\n\n").any(|p| p.contains(path) && p.contains("made by"));
            let open = fixed.len() < path.split('/').count() && workspace.root().join(fixed.join("/")).exists();
            assert!(there || made || open, "{}: {path}", skill.name);
        }
    }
    assert!(checked > 15, "only {checked} paths were found");
}

/// Every text in a JSON value, also in texts that are JSON themselves.
pub(super) fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => strings(&inner, found),
            _ => found.push(text.clone()),
        },
        Value::Array(all) => all.iter().for_each(|v| strings(v, found)),
        Value::Object(all) => all.values().for_each(|v| strings(v, found)),
        _ => {}
    }
}
