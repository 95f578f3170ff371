//! The product's own parts.

use super::Finding;
use crate::cli::ages;
use crate::cli::backend;
use crate::cli::context::Context;
use crate::cli::engine;
use crate::cli::error::{Kind as Failure, Result};
use crate::config::rubric;
use crate::domain::Kind;
use crate::os::git::Git;
use crate::wire::EngineMode;
use std::path::Path;

/// The longest path of a Unix socket, in bytes (unix(7): `sun_path`, its end included).
const SUN_PATH: usize = 108;

/// A write-ahead log beyond this many bytes says that nobody brings it into the database.
const LONG_WAL: u64 = 256 << 20;

/// The programs that belong together: each finds the others beside itself.
pub fn programs() -> Option<Finding> {
    let own = std::env::current_exe().ok()?;
    let missing: Vec<&str> = ["orc", "pm", "orc-shim"].into_iter().filter(|name| !own.with_file_name(name).exists()).collect();
    Some(if missing.is_empty() {
        Finding::ok(
            "programs",
            format!("orc, pm and orc-shim {} in {}", env!("CARGO_PKG_VERSION"), own.parent().unwrap_or(Path::new("/")).display()),
        )
    } else {
        Finding::fail(
            "programs",
            format!("{} is not beside {}", missing.join(", "), own.display()),
            "install the three programs into one folder",
        )
    })
}

/// The folder, who may read it, and whether a socket fits into it.
pub fn workspace(cx: &Context) -> Finding {
    let workspace = match cx.workspace() {
        Ok(w) => w,
        Err(e) => return Finding::of("workspace", e),
    };
    let root = workspace.root();
    let mode = match std::fs::metadata(root) {
        Ok(m) => std::os::unix::fs::MetadataExt::mode(&m) & 0o077,
        Err(e) => return Finding::fail("workspace", format!("{}: {e}", root.display()), "make it with `orc init`"),
    };
    let socket = workspace.socket();
    if socket.as_os_str().len() >= SUN_PATH {
        return Finding::fail(
            "workspace",
            format!("the socket's path {} is longer than the system takes", socket.display()),
            "move the workspace to a shorter path",
        );
    }
    match mode {
        0 => Finding::ok("workspace", root.display().to_string()),
        _ => Finding::warn(
            "workspace",
            format!("{} is open to other users: prompts and results are in it", root.display()),
            format!("`chmod 700 {}`", root.display()),
        ),
    }
}

/// Whether the settings can be read.
pub fn configuration(cx: &Context) -> Finding {
    match cx.settings() {
        Ok(_) => Finding::ok("configuration", "every setting is in its range"),
        Err(e) => {
            let mistakes: Vec<&str> = e.message.lines().skip(1).collect();
            let fix = "correct what is named: until then no engine starts, and one that runs keeps the last good settings";
            Finding::fail("configuration", mistakes.join("; "), e.hint.unwrap_or_else(|| fix.to_owned()))
        }
    }
}

/// Whether the database is whole.
pub fn database(cx: &Context) -> Finding {
    match look(cx) {
        Ok(finding) => finding,
        Err(e) => Finding::of("database", e),
    }
}

fn look(cx: &Context) -> Result<Finding> {
    let problems = cx.reader()?.check()?;
    if let Some(first) = problems.first() {
        return Ok(Finding::fail(
            "database",
            format!("damaged: {first} ({} problems)", problems.len()),
            "stop the engine, keep a copy, and restore the newest backup beside the file",
        ));
    }
    let path = cx.workspace()?.database();
    let size = |p: &Path| std::fs::metadata(p).map_or(0, |m| m.len());
    let mut log = path.clone().into_os_string();
    log.push("-wal");
    let log = size(Path::new(&log));
    let says = format!("whole, {} and a log of {}", ages::bytes(size(&path)), ages::bytes(log));
    Ok(if log > LONG_WAL {
        Finding::warn("database", says, "a program reads it without end: look for a forgotten `orc log tail -f` or a stopped process")
    } else {
        Finding::ok("database", says)
    })
}

/// The engine, and its process.
pub fn engine(cx: &Context) -> (Finding, Option<i32>) {
    match engine::snapshot(cx) {
        Err(e) if e.kind == Failure::NoEngine => (Finding::warn("engine", e.message, e.hint.unwrap_or_default()), None),
        Err(e) => (Finding::of("engine", e), None),
        Ok(s) => {
            let e = &s.engine;
            let says = format!(
                "process {}, version {}, {} of {} slots busy",
                e.pid,
                e.version,
                s.slots.running,
                s.slots.max_running + s.slots.reserved
            );
            let own = env!("CARGO_PKG_VERSION");
            let finding = if e.version != own {
                Finding::warn(
                    "engine",
                    format!("{says}; this is version {own}"),
                    "`orc engine stop`, then start it again: running jobs are adopted",
                )
            } else {
                match e.mode {
                    EngineMode::Paused => Finding::warn("engine", format!("{says}; dispatching is paused"), "`orc engine resume`"),
                    EngineMode::Draining => Finding::warn("engine", format!("{says}; it drains"), "`orc engine drain --off` calls it off"),
                    _ => Finding::ok("engine", says),
                }
            };
            (finding, Some(e.pid))
        }
    }
}

/// Each backend. One that is not installed is a choice, unless none is.
pub fn backends(cx: &Context) -> Vec<Finding> {
    let (states, problems) = match backend::states(cx) {
        Ok(found) => found,
        // The configuration's own line says it.
        Err(_) if cx.settings().is_err() => return Vec::new(),
        Err(e) => return vec![Finding::of("backends", e)],
    };
    let mut findings: Vec<Finding> =
        problems.into_iter().map(|p| Finding::warn("backends", p, "correct or remove the description")).collect();
    for s in &states {
        let name = format!("backend {}", s.name);
        findings.push(match (&s.pause, s.problem.is_empty()) {
            (Some(p), _) => {
                let until = p.until.map_or_else(|| "until it is resumed".to_owned(), |t| format!("until {t}"));
                Finding::warn(&name, format!("paused {until}: {}", p.limit.message), format!("`orc backend resume {}` lifts it", s.name))
            }
            (None, true) => Finding::ok(&name, s.program.as_ref().map_or_else(|| "ready".to_owned(), |p| p.display().to_string())),
            (None, false) => Finding::warn(&name, s.problem.clone(), s.fix.clone()),
        });
    }
    if !states.iter().any(|s| s.signed_in == Some(true) && s.installed) {
        findings.push(Finding::warn(
            "backends",
            "no coding agent is installed and signed in: only shell, http and replay jobs can run",
            "see the fixes of the single backends",
        ));
    }
    findings
}

/// Who could review, and whether what they judge by can be read.
pub fn review(cx: &Context) -> Vec<Finding> {
    let (Ok(settings), Ok((backends, _)), Ok(workspace)) = (cx.settings(), cx.backends(), cx.workspace()) else { return Vec::new() };
    let mistakes = Kind::ALL.iter().filter_map(|kind| rubric(workspace, *kind).err());
    let mut findings: Vec<Finding> =
        mistakes.map(|e| Finding::warn("review", e.to_string(), "until then the operator is asked in place of the reviewer")).collect();
    let ready: Vec<&str> = backends.values().filter(|b| b.uses_model() && b.reviews && b.is_ready()).map(|b| b.name.as_str()).collect();
    let fix = "install a backend of another model family (`orc backend ls`), or name one in `reviewer`";
    findings.push(match (settings.reviewer.as_str(), ready.as_slice()) {
        ("none", _) => Finding::ok("review", "switched off: jobs are done as they end"),
        ("auto", []) => Finding::warn("review", "nobody can review: jobs are done as they end, and their log says so", fix),
        ("auto", [one]) => Finding::warn("review", format!("only {one} is there: another model of it reviews what it does"), fix),
        ("auto", all) => Finding::ok("review", format!("{} review one another", all.join(", "))),
        (named, _) => Finding::ok("review", format!("by {named}")),
    });
    findings
}

/// Whether there is git, which work trees need.
pub fn git() -> Finding {
    match Git::at(Path::new("/")).run(&["--version"]) {
        Ok(version) => Finding::ok("git", version),
        Err(e) => Finding::warn("git", e.to_string(), "without it code jobs of projects with a repository fail"),
    }
}
