//! `orc backend ls|check|pause|resume`

use super::context::Context;
use super::error::{CliError, Kind, Result};
use super::lane::switch;
use super::names;
use super::output::{Cell, Table, Tone};
use crate::config::{Backend, is_there};
use crate::domain::{BackendPause, Command};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How long a program may take to tell its version: Node needs seconds on a busy machine.
const VERSION_TIME: Duration = Duration::from_secs(20);

#[derive(Subcommand)]
pub enum Verb {
    /// List the backends: installed, signed in, limits, paused until when
    Ls,
    /// Ask each installed backend for its version, and say what to fix
    Check(Which),
    /// Start nothing more on a backend
    Pause(One),
    /// Start jobs on it again, also before a limit's time is over
    Resume(One),
}

#[derive(Args)]
pub struct Which {
    /// Only these
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

#[derive(Args)]
pub struct One {
    /// The backend
    name: String,
}

/// What is known of a backend.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    pub name: String,
    /// The program's path, if it is installed.
    pub program: Option<PathBuf>,
    pub installed: bool,
    /// `None`: there is nothing to sign in to.
    pub signed_in: Option<bool>,
    /// Only `check` asks.
    pub version: Option<String>,
    pub dialect: String,
    pub resumes_sessions: bool,
    /// 0 = no limit.
    pub max_running: u32,
    /// Starts a minute; 0 = no limit.
    pub per_minute: u32,
    pub pause: Option<BackendPause>,
    /// What is wrong; empty when it is ready.
    pub problem: String,
    /// What to do about it.
    pub fix: String,
}

/// Runs a verb.
///
/// # Errors
/// As each verb says.
pub fn run(cx: &mut Context, verb: Verb) -> Result {
    match verb {
        Verb::Ls => ls(cx),
        Verb::Check(w) => check(cx, &w.names),
        Verb::Pause(one) => hold(cx, one.name, true),
        Verb::Resume(one) => hold(cx, one.name, false),
    }
}

fn hold(cx: &mut Context, backend: String, paused: bool) -> Result {
    names::backend(cx, &backend)?;
    switch(cx, &Command::PauseBackend { backend, paused })
}

/// Every backend as it stands, and what is wrong with descriptions; versions are not asked.
///
/// # Errors
/// No workspace, or its folder of descriptions cannot be read.
pub fn states(cx: &Context) -> Result<(Vec<State>, Vec<String>)> {
    let (backends, problems) = cx.backends()?;
    // A database that cannot be read hides pauses; doctor says so elsewhere.
    let pauses = cx.reader().and_then(|s| Ok(s.engine_state()?.pauses)).unwrap_or_default();
    Ok((backends.values().map(|b| state(b, pauses.get(&b.name).map(|(p, _)| p.clone()))).collect(), problems))
}

fn state(b: &Backend, pause: Option<BackendPause>) -> State {
    let found = find(&program(b));
    let signed_in = (!b.signed_in.is_empty()).then(|| b.signed_in.iter().any(|mark| is_there(mark)));
    let (problem, fix) = match (&found, signed_in) {
        (None, _) => (format!("{} is not installed", program(b).display()), b.fix.clone()),
        (Some(_), Some(false)) => ("not signed in".to_owned(), if b.sign_in.is_empty() { &b.fix } else { &b.sign_in }.clone()),
        _ => Default::default(),
    };
    State {
        name: b.name.clone(),
        installed: found.is_some(),
        program: found,
        signed_in,
        version: None,
        dialect: serde_json::to_value(b.dialect).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default(),
        resumes_sessions: b.resumes(),
        max_running: b.concurrent,
        per_minute: b.per_minute,
        pause,
        problem,
        fix,
    }
}

fn ls(cx: &mut Context) -> Result {
    let (states, problems) = states(cx)?;
    print(cx, &states, &problems)
}

fn check(cx: &mut Context, only: &[String]) -> Result {
    for name in only {
        names::backend(cx, name)?;
    }
    let versions: BTreeMap<String, Vec<String>> = cx.backends()?.0.into_iter().map(|(n, b)| (n, b.version_args)).collect();
    let (mut states, problems) = states(cx)?;
    states.retain(|s| only.is_empty() || only.contains(&s.name));
    for s in &mut states {
        let Some(args) = versions.get(&s.name).filter(|a| !a.is_empty()) else { continue };
        let Some(program) = &s.program else { continue };
        match version(program, args) {
            Ok(v) => s.version = Some(v),
            Err(problem) => s.problem = problem,
        }
    }
    print(cx, &states, &problems)?;
    // Asked by name, a backend has to be ready; asked for all, one that is not installed is a choice.
    let wrong = |s: &State| !s.problem.is_empty() && (!only.is_empty() || s.installed && s.signed_in != Some(false));
    if states.iter().any(wrong) || !problems.is_empty() { Err(CliError::told(Kind::Failure)) } else { Ok(()) }
}

fn print(cx: &mut Context, states: &[State], problems: &[String]) -> Result {
    if cx.out.json {
        cx.out.value(&states)?;
    } else {
        let mut table = Table::new(&["NAME", "STATE", "VERSION", ">MAX", ">A MINUTE", "PROGRAM"], "PROGRAM");
        for s in states {
            let (tone, word) = match (&s.pause, s.problem.as_str()) {
                (_, problem) if !s.installed => (Tone::Dim, problem.to_owned()),
                (Some(p), _) => {
                    let until = p
                        .until
                        .map_or_else(|| "until resumed".to_owned(), |t| format!("until {t}{}", if p.guessed { " (a guess)" } else { "" }));
                    (Tone::Warn, format!("paused {until}: {}", p.limit.kind))
                }
                (None, "") => (Tone::Good, "ready".to_owned()),
                (None, problem) => (Tone::Warn, problem.to_owned()),
            };
            let limit = |n: u32| if n == 0 { "-".to_owned() } else { n.to_string() };
            table.row(vec![
                (&s.name).into(),
                Cell::toned(tone, word),
                s.version.as_deref().unwrap_or("-").into(),
                limit(s.max_running).into(),
                limit(s.per_minute).into(),
                s.program.as_ref().map_or_else(|| "-".to_owned(), |p| p.display().to_string()).into(),
            ]);
        }
        cx.out.table(&table, "no backends")?;
        for s in states {
            if let Some(p) = &s.pause {
                cx.out.line(&format!("  {}: {}; `orc backend resume {}` lifts the pause", s.name, p.limit.message, s.name))?;
            } else if !s.problem.is_empty() && !s.fix.is_empty() {
                cx.out.line(&format!("  {}: {}", s.name, s.fix))?;
            }
        }
    }
    for problem in problems {
        super::complain(&CliError::workspace(problem.clone()));
    }
    Ok(())
}

/// A backend's program as it is started: our own small one lies beside this program.
fn program(b: &Backend) -> PathBuf {
    match b.program.as_str() {
        "{shim}" => std::env::current_exe().map_or_else(|_| "orc-shim".into(), |own| own.with_file_name("orc-shim")),
        program => program.into(),
    }
}

/// Where a program is: a path as it stands, a name on PATH.
fn find(program: &Path) -> Option<PathBuf> {
    let runs = |p: &Path| rustix::fs::access(p, rustix::fs::Access::EXEC_OK).is_ok() && p.is_file();
    if program.components().count() > 1 {
        return runs(program).then(|| program.to_owned());
    }
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(program)).find(|p| runs(p))
}

/// The first line that a program prints about its version.
fn version(program: &Path, args: &[String]) -> std::result::Result<String, String> {
    let cannot = |e: std::io::Error| format!("{} cannot be run: {e}", program.display());
    let mut child = std::process::Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(cannot)?;
    let mut out = child.stdout.take().ok_or("no output")?;
    // The pipe's end is awaited on another thread, so that a program that hangs can be given up.
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = out.by_ref().take(64 * 1024).read_to_end(&mut text);
        let _ = tell.send(text);
    });
    let began = Instant::now();
    let text = told.recv_timeout(VERSION_TIME).unwrap_or_default();
    if began.elapsed() >= VERSION_TIME {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("{} did not tell its version within {} s", program.display(), VERSION_TIME.as_secs()));
    }
    let status = child.wait().map_err(cannot)?;
    let first = String::from_utf8_lossy(&text).lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default().to_owned();
    if status.success() { Ok(first) } else { Err(format!("{} ended with {status} when asked for its version", program.display())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_name_and_by_path() {
        assert!(find(Path::new("sh")).is_some_and(|p| p.is_absolute()));
        assert_eq!(find(Path::new("/bin/sh")), Some("/bin/sh".into()));
        assert_eq!(find(Path::new("no-such-program-at-all")), None);
        assert_eq!(find(Path::new("/etc/passwd")), None, "no program");
    }

    #[test]
    fn a_version_is_the_first_line_and_a_failure_is_named() {
        let run = |script: &str| version(Path::new("/bin/sh"), &["-c".to_owned(), script.to_owned()]);
        assert_eq!(run("echo; echo ' 1.2.3 (x)'; echo more"), Ok("1.2.3 (x)".to_owned()));
        assert!(run("exit 3").unwrap_err().contains("exit status: 3"));
    }
}
