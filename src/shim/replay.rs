//! `orc-shim --replay [--session ID] [--model NAME]`: an agent that is played from a script, for the demo, tests and drills. It
//! reads its prompt like any other agent and writes our own events (`backend::native`).
//!
//! The prompt's first line of the form `replay: NAME` names the script: a path, or `NAME.jsonl` in `$ORC_REPLAY_DIR`. A script
//! has one JSON object a line; lines that are empty or begin with `//` say nothing. What a line can do, after `after_ms`:
//!
//! ```text
//! {"after_ms": 800, "event": {"type": "text", "text": "..."}}     say an event
//! {"limit": {"kind": "window", "resets_in_s": 90, "message": "..."}}   refuse; the reset counts from now
//! {"stderr": "..."}  {"raw": "..."}                               write a line as it stands
//! {"spawn": ["sleep", "60"]}                                      start a process and leave it behind
//! {"hang": true}                                                  never go on
//! {"exit": 1}                                                     leave; without it 0 at the end
//! {"take": true}                                                  what follows is for the job's next attempt
//! ```
//!
//! No runtime and no memory beyond one line of script: there may be hundreds of it.

use crate::domain::{AgentEvent, Limit, LimitKind};
use crate::os::clock;
use serde::Deserialize;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

const MARK: &str = "replay: ";
/// A job that is tried more often than this plays its last take again.
const TAKES_MAX: u32 = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    after_ms: u64,
    event: Option<AgentEvent>,
    limit: Option<Refusal>,
    stderr: Option<String>,
    raw: Option<String>,
    #[serde(default)]
    spawn: Vec<String>,
    #[serde(default)]
    hang: bool,
    exit: Option<u8>,
    #[serde(default)]
    take: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    kind: LimitKind,
    resets_in_s: Option<u64>,
    message: String,
}

/// Plays the script that the prompt on standard input names.
pub fn main(args: &[OsString]) -> ExitCode {
    match play(args) {
        Ok(code) => code.into(),
        // The reader is gone: nobody is left to play for.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("orc-shim: cannot replay: {e}");
            2.into()
        }
    }
}

fn play(args: &[OsString]) -> io::Result<u8> {
    let (session, model) = options(args)?;
    let name = script_name()?;
    let dir = std::env::var_os("ORC_REPLAY_DIR").map(PathBuf::from);
    let path = match &dir {
        Some(dir) if !name.contains('/') => dir.join(format!("{name}.jsonl")),
        _ => PathBuf::from(&name),
    };
    let script = File::open(&path).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
    let wanted = take_number(dir.as_deref(), &name);
    if let Some(id) = session {
        say(&AgentEvent::Session { id, model, version: None })?;
    }
    let takes = count_takes(&path)?;
    let wanted = wanted.min(takes);
    let mut take = 1;
    for (number, line) in BufReader::new(script).lines().enumerate() {
        let line = line?;
        if silent(&line) {
            continue;
        }
        let line: Line = serde_json::from_str(&line)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("{}:{}: {e}", path.display(), number + 1)))?;
        if line.take {
            take += 1;
        }
        if take < wanted {
            continue;
        }
        if take > wanted {
            break;
        }
        if let Some(code) = perform(line)? {
            return Ok(code);
        }
    }
    Ok(0)
}

fn silent(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with("//")
}

/// Does what one line says; the exit code, if it says to leave.
fn perform(line: Line) -> io::Result<Option<u8>> {
    std::thread::sleep(Duration::from_millis(line.after_ms));
    if let Some(event) = &line.event {
        say(event)?;
    }
    if let Some(Refusal { kind, resets_in_s, message }) = line.limit {
        let resets_at = resets_in_s.map(|s| clock::now() + Duration::from_secs(s));
        say(&AgentEvent::Limited { limit: Limit { kind, resets_at, message } })?;
    }
    if let Some(text) = line.stderr {
        writeln!(io::stderr(), "{text}")?;
    }
    if let Some(text) = line.raw {
        write_line(text.as_bytes())?;
    }
    if let Some((program, args)) = line.spawn.split_first() {
        // Left behind on purpose: whoever ends the attempt has to find it.
        Command::new(program).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    }
    if line.hang {
        loop {
            std::thread::park();
        }
    }
    Ok(line.exit)
}

fn say(event: &AgentEvent) -> io::Result<()> {
    write_line(&serde_json::to_vec(event)?)
}

/// One write for a line, so that what is spawned cannot tear it.
fn write_line(bytes: &[u8]) -> io::Result<()> {
    let mut line = bytes.to_vec();
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

/// The session and the model that it is called with.
fn options(args: &[OsString]) -> io::Result<(Option<String>, Option<String>)> {
    let (mut session, mut model) = (None, None);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let into = match arg.to_str() {
            Some("--session") => &mut session,
            Some("--model") => &mut model,
            _ => return Err(io::Error::other(format!("there is no option {}: --session ID, --model NAME", arg.display()))),
        };
        *into = args.next().map(|value| value.to_string_lossy().into_owned());
    }
    Ok((session, model))
}

/// Reads the whole prompt, as an agent does, and finds the script's name in it.
fn script_name() -> io::Result<String> {
    let mut name = None;
    for line in io::stdin().lock().split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        if name.is_none() {
            name = line.strip_prefix(MARK).map(|name| name.trim().to_owned());
        }
    }
    name.filter(|name| !name.is_empty())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no line of the prompt is `{MARK}NAME`, so no script is named")))
}

/// Which attempt of its job this is, by marks that earlier ones left beside the scripts; 1 where none can be left.
fn take_number(dir: Option<&Path>, name: &str) -> u32 {
    let (Some(dir), Some(job)) = (dir, std::env::var("ORC_JOB").ok()) else { return 1 };
    let marks = dir.join("takes");
    if std::fs::create_dir_all(&marks).is_err() {
        return 1;
    }
    for n in 1..TAKES_MAX {
        match OpenOptions::new().write(true).create_new(true).open(marks.join(format!("{job}-{name}-{n}"))) {
            Ok(_) => return n,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => return 1,
        }
    }
    TAKES_MAX
}

fn count_takes(path: &Path) -> io::Result<u32> {
    let mut takes = 1;
    for line in BufReader::new(File::open(path)?).lines() {
        let line = line?;
        if !silent(&line) && serde_json::from_str::<Line>(&line).is_ok_and(|line| line.take) {
            takes += 1;
        }
    }
    Ok(takes)
}
