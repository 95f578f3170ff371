//! `orc lint`: the workspace's own texts and folders.

use super::context::Context;
use super::error::{CliError, Kind, Result};
use super::output::Tone;
use crate::config::{self, Workspace, lint_skill, rules};
use crate::domain::Timestamp;
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

/// Temporary files in the zones may be this old: the operating file says so to everybody.
const TEMPORARY: Duration = Duration::from_secs(7 * 24 * 3600);
/// The zones in which work leaves files.
const ZONES: [&str; 6] = ["system", "engine", "projects", "drafts", "images", "sites"];
/// What else belongs at the top.
const TOP: [&str; 19] = [
    "orc.toml",
    "cron.toml",
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
    let found = findings(cx.workspace()?, cx.now());
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

fn findings(workspace: &Workspace, now: Timestamp) -> Vec<Finding> {
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
    for zone in ZONES {
        // What the engine keeps of work trees is its own.
        old_files(&workspace.root().join(zone), &workspace.trees_dir(), now, &mut |path, days| {
            let inside = path.strip_prefix(workspace.root()).unwrap_or(path).display();
            add("temporary", false, path, format!("{inside} is a temporary file, {days} days old"));
        });
    }
    all
}

/// Temporary files past their age, below a folder. Repositories are their owners' business.
fn old_files(dir: &Path, except: &Path, now: Timestamp, tell: &mut impl FnMut(&Path, u64)) {
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        if dir == except || dir.join(".git").exists() {
            continue;
        }
        let mut entries: Vec<_> = std::fs::read_dir(&dir).into_iter().flatten().flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (Ok(kind), Some(name)) = (entry.file_type(), entry.file_name().to_str().map(str::to_owned)) else { continue };
            if kind.is_dir() && name != "node_modules" {
                dirs.push(entry.path());
            }
            if !kind.is_file() || !is_temporary(&name) {
                continue;
            }
            let age = entry.metadata().ok().and_then(|m| m.modified().ok()).and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
            let Some(age) = age.map(|t| now.since(Timestamp(t.as_millis() as i64))) else { continue };
            if age > TEMPORARY {
                tell(&entry.path(), age.as_secs() / 86_400);
            }
        }
    }
}

fn is_temporary(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.starts_with("tmp-") || [".tmp", ".temp", "~", ".swp", ".bak", ".part"].iter().any(|end| lower.ends_with(end))
}
