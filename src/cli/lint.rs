//! `orc lint`: the workspace's own texts and folders.

use super::context::Context;
use super::error::{CliError, Kind, Result};
use super::output::Tone;
use crate::config::{self, Workspace, lint_skill, rules};
use crate::domain::Timestamp;
use crate::engine::left_over::{LeftOver, ZONES, left_over};
use crate::memory::core::CoreMemory;
use clap::Args;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// `lint`
#[derive(Args)]
pub struct Lint {
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
}

/// What else belongs at the top.
const TOP: [&str; 20] = [
    "orc.toml",
    "cron.toml",
    "models.toml",
    "CLAUDE.md",
    "AGENTS.md",
    "GEMINI.md",
    "SOUL.md",
    "core-memory.md",
    "skills",
    "personas",
    "rubrics",
    "backends",
    "memory",
    "results",
    "run",
    "trash",
    "backups",
    "pm.db",
    "pm.db-wal",
    "pm.db-shm",
];

/// One finding.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    /// `core`, `rules`, `skills`, `zones`, `temporary`.
    check: &'static str,
    /// True: something does not work; else it is only out of order.
    fatal: bool,
    path: String,
    says: String,
}

/// Checks.
///
/// # Errors
/// `Failure` where something does not work, and with --strict where anything is out of order.
pub fn run(cx: &mut Context, verb: &Lint) -> Result {
    // Where the settings are broken, `orc doctor` says so.
    let temporary = cx.settings().unwrap_or_default().keep_temporary;
    let found = findings(cx.workspace()?, temporary, cx.now());
    if cx.out.json {
        cx.out.value(&found)?;
    } else if found.is_empty() {
        cx.out.done("nothing to mend: core memory, rules, skills, zones, temporary files")?;
    } else {
        for f in &found {
            let (word, tone) = if f.fatal { ("fail", Tone::Bad) } else { ("warn", Tone::Warn) };
            cx.out.toned(tone, &format!("{word} {:<9}  {}", f.check, f.says))?;
        }
    }
    if found.iter().any(|f| f.fatal || verb.strict) { Err(CliError::told(Kind::Failure)) } else { Ok(()) }
}

fn findings(workspace: &Workspace, temporary: Duration, now: Timestamp) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut add = |check, fatal, path: &Path, says: String| all.push(Finding { check, fatal, path: path.display().to_string(), says });

    let core = workspace.core_memory();
    match CoreMemory::load(&core) {
        Ok(memory) => memory.problems.into_iter().for_each(|p| add("core", true, &core, p)),
        Err(e) => add("core", true, &core, e.to_string()),
    }

    let operating = workspace.operating_file();
    match std::fs::read_to_string(&operating) {
        Ok(text) => {
            for p in rules::parse(&text).problems {
                add("rules", true, &operating, format!("{}:{}: {}", operating.display(), p.line, p.what));
            }
        }
        Err(e) => add("rules", true, &operating, format!("{}: {e}", operating.display())),
    }

    let dir = workspace.skills_dir();
    let skills = config::skills(&dir);
    for problem in &skills.problems {
        add("skills", true, &dir, problem.to_string());
    }
    for (name, path) in &skills.shadowed {
        add("skills", false, path, format!("{}: there is another skill {name}, which is used in its place", path.display()));
    }
    for skill in skills.skills.values() {
        for p in lint_skill(skill) {
            add("skills", false, Path::new(&p.file), p.to_string());
        }
    }

    let entries = std::fs::read_dir(workspace.root()).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    for name in names {
        let ours = TOP.contains(&name.as_str()) || ZONES.contains(&name.as_str()) || name.starts_with("pm.db.") || name.starts_with('.');
        if !ours {
            let path = workspace.root().join(&name);
            add(
                "zones",
                false,
                &path,
                format!("{name} lies at the top of the workspace, in no zone: move it to drafts/ or to its project"),
            );
        }
    }
    for LeftOver { path, days } in left_over(workspace, temporary, now) {
        let inside = path.strip_prefix(workspace.root()).unwrap_or(&path).display();
        add("temporary", false, &path, format!("{inside} is a temporary file, {days} days old: `orc tidy` puts it into the trash"));
    }
    all
}
