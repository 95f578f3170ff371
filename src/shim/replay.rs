//! `orc-shim --replay [--session ID] [--model NAME] [--script NAME]`: an agent that is played from a script, for the demo, tests
//! and drills. It reads its prompt like any other agent and writes our own events (`backend::native`).
//!
//! The prompt's first line of the form `replay: NAME` names the script: a path, or `NAME.jsonl` in `$ORC_REPLAY_DIR`. After a bare
//! `replay:` the lines of the prompt that begin with a brace are the script itself. With `--script` the prompt does not matter. A
//! script has one JSON object a line; lines that are empty or begin with `//` say nothing. What a line can do, after `after_ms`
//! (divided by `$ORC_REPLAY_SPEED`; 0 there: at once):
//!
//! ```text
//! {"after_ms": 800, "event": {"type": "text", "text": "..."}}     say an event
//! {"limit": {"kind": "window", "resets_in_s": 90, "message": "..."}}   refuse; the reset counts from now
//! {"stderr": "..."}  {"raw": "..."}                               write a line as it stands
//! {"spawn": ["sleep", "60"]}                                      start a process and leave it behind
//! {"run": "echo $ORC_JOB >> done.txt"}                            run a shell command and wait for it
//! {"repeat": {"times": 9, "lines": [...]}}                        do these lines so many times
//! {"ignore_term": true}                                           take no notice of SIGTERM from here on
//! {"spin_ms": 5000}                                               use a whole core for so long
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
use std::time::{Duration, Instant};

const MARK: &str = "replay:";
/// A job that is tried more often than this plays its last take again.
const TAKES_MAX: u32 = 100;

#[derive(Clone, Deserialize)]
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
    run: Option<String>,
    repeat: Option<Repeat>,
    #[serde(default)]
    ignore_term: bool,
    #[serde(default)]
    spin_ms: u64,
    #[serde(default)]
    hang: bool,
    exit: Option<u8>,
    #[serde(default)]
    take: bool,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    times: u32,
    lines: Vec<Line>,
}

#[derive(Clone, Deserialize)]
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
    let Options { session, model, script } = options(args)?;
    let Asked { name, inline } = match script {
        Some(name) => {
            // Whoever feeds the prompt shall not find the door shut.
            io::copy(&mut io::stdin().lock(), &mut io::sink())?;
            Asked { name, inline: String::new() }
        }
        None => asked()?,
    };
    let speed = speed()?;
    if let Some(id) = session {
        say(&AgentEvent::Session { id, model, version: None })?;
    }
    if !inline.is_empty() {
        return take(inline.as_bytes(), Path::new("the prompt"), 1, speed);
    }
    let dir = std::env::var_os("ORC_REPLAY_DIR").map(PathBuf::from);
    let path = match &dir {
        Some(dir) if !name.contains('/') => dir.join(format!("{name}.jsonl")),
        _ => PathBuf::from(&name),
    };
    let open = || File::open(&path).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())));
    let takes = count_takes(BufReader::new(open()?))?;
    take(BufReader::new(open()?), &path, take_number(dir.as_deref(), &name).min(takes), speed)
}

/// Plays one take of a script; the exit code.
fn take(script: impl BufRead, path: &Path, wanted: u32, speed: f64) -> io::Result<u8> {
    let mut take = 1;
    for (number, line) in script.lines().enumerate() {
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
        if let Some(code) = perform(line, speed)? {
            return Ok(code);
        }
    }
    Ok(0)
}

/// How many times faster than written; 0 = without waiting.
fn speed() -> io::Result<f64> {
    let Ok(text) = std::env::var("ORC_REPLAY_SPEED") else { return Ok(1.0) };
    let speed = text.parse().ok().filter(|s: &f64| s.is_finite() && *s >= 0.0);
    speed.ok_or_else(|| io::Error::other(format!("ORC_REPLAY_SPEED is {text:?}: it has to be a number")))
}

fn silent(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with("//")
}

/// Does what one line says; the exit code, if it says to leave.
fn perform(line: Line, speed: f64) -> io::Result<Option<u8>> {
    if line.after_ms > 0 && speed > 0.0 {
        std::thread::sleep(Duration::from_millis(line.after_ms).div_f64(speed));
    }
    if line.ignore_term {
        ignore_term()?;
    }
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
    if let Some(command) = &line.run {
        let status = Command::new("/bin/sh").args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        if !status.success() {
            return Err(io::Error::other(format!("`{command}` ended with {status}")));
        }
    }
    let until = Instant::now() + Duration::from_millis(line.spin_ms);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    if let Some(Repeat { times, lines }) = line.repeat {
        for _ in 0..times {
            for line in &lines {
                if let Some(code) = perform(line.clone(), speed)? {
                    return Ok(Some(code));
                }
            }
        }
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
#[derive(Default)]
struct Options {
    session: Option<String>,
    model: Option<String>,
    script: Option<String>,
}

fn options(args: &[OsString]) -> io::Result<Options> {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let into = match arg.to_str() {
            Some("--session") => &mut options.session,
            Some("--model") => &mut options.model,
            Some("--script") => &mut options.script,
            _ => return Err(io::Error::other(format!("there is no option {}: --session ID, --model NAME, --script NAME", arg.display()))),
        };
        *into = args.next().map(|value| value.to_string_lossy().into_owned());
    }
    Ok(options)
}

/// A handler that does nothing, installed for good: what tokio does without our having to be unsafe.
fn ignore_term() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map(drop)
}

/// What the prompt asks for: a script by its name, or one of its own.
#[derive(Default)]
struct Asked {
    name: String,
    inline: String,
}

/// Reads the whole prompt, as an agent does, and finds the script in it.
fn asked() -> io::Result<Asked> {
    let mut found: Option<Asked> = None;
    let mut inside = false;
    for line in io::stdin().lock().split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        match &mut found {
            None => {
                found = line.strip_prefix(MARK).map(|name| Asked { name: name.trim().to_owned(), inline: String::new() });
                inside = found.as_ref().is_some_and(|asked| asked.name.is_empty());
            }
            Some(asked) if inside && line.starts_with('{') => asked.inline += &(line + "\n"),
            Some(_) => inside = false,
        }
    }
    found
        .filter(|asked| !asked.name.is_empty() || !asked.inline.is_empty())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no line of the prompt is `{MARK} NAME`, so no script is named")))
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

fn count_takes(script: impl BufRead) -> io::Result<u32> {
    let mut takes = 1;
    for line in script.lines() {
        let line = line?;
        if !silent(&line) && serde_json::from_str::<Line>(&line).is_ok_and(|line| line.take) {
            takes += 1;
        }
    }
    Ok(takes)
}
