//! The end of an attempt: why it was ended, if it was; what is left of its tree; the report, on disk before it is sent.

use super::agent::not_started;
use super::backend::{AgentExit, Verdict};
use super::prepare::Prepared;
use crate::domain::{AgentEvent, AttemptId, ExitReport, Hang, LimitKind, Outcome, Usage};
use crate::os::cgroup::Cgroup;
use crate::os::files::{self, Durable};
use crate::os::process::{Signal, signal_group};
use crate::os::tree::{self, Scope};
use crate::os::{OsError, clock};
use crate::wire::files as names;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

/// What the agent left running gets a SIGTERM and this long, before it is killed.
const STRAY_GRACE: Duration = Duration::from_millis(250);

/// Why the shim ends an agent that would have gone on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The operator's or the engine's order; the reason is theirs.
    Cancelled(String),
    /// Past its wall clock, in milliseconds.
    Timeout(u64),
    /// A hang verdict held, and the limits say that it ends the attempt.
    Stalled(Hang),
    /// The result was seen, and the CLI did not exit within its grace: milliseconds.
    NoExit(u64),
    /// Running away, or past a ceiling: what the message says.
    MustStop(String),
    /// This attempt is another's now: no report.
    Superseded,
}

/// Asks the agent's process group to end.
pub fn ask(pid: i32) {
    signal_group(pid, Signal::TERM);
    // A stopped process takes the SIGTERM when it continues.
    signal_group(pid, Signal::CONT);
}

/// Kills the agent and everything below this process.
pub fn kill(pid: i32, cgroup: Option<&Cgroup>) -> u32 {
    cgroup.map(Cgroup::kill);
    let swept = Scope { roots: &[std::process::id() as i32], group: Some(pid), mark: None }.end(Duration::ZERO);
    swept.found.saturating_sub(1)
}

/// Ends what an agent that is gone has left behind, and counts it. As the subreaper this process is an ancestor of all of it;
/// only what was handed to a service elsewhere is not, and has to be found by the mark. That costs a read of the whole of
/// `/proc`, so it is done where something was left or the agent was ended by force.
pub fn sweep(pid: i32, cgroup: Option<&Cgroup>, mark: &str, thorough: bool) -> u32 {
    tree::reap(Some(pid));
    let me = [std::process::id() as i32];
    let mut swept = Scope { roots: &me, group: None, mark: None }.end(STRAY_GRACE);
    if thorough || swept.found > 0 {
        if let Some(cgroup) = cgroup {
            swept.found += cgroup.pids().len() as u32;
            cgroup.kill();
        }
        let marked = Scope { roots: &me, group: None, mark: Some(mark) }.end(Duration::ZERO);
        swept.found += marked.found;
        swept.left = marked.left;
    }
    tree::reap(Some(pid));
    if !swept.left.is_empty() {
        super::run::say(&format!("these processes do not end: {:?}", swept.left));
    }
    swept.found
}

/// How the agent's exit looks to its parser. One that was ended after its result would have exited as the result says.
pub fn exit_for_parser(why: Option<&Why>, result_ok: Option<bool>, status: ExitStatus) -> AgentExit {
    match (why, result_ok) {
        (Some(Why::NoExit(_)), Some(ok)) => AgentExit { code: Some(i32::from(!ok)), signal: None },
        _ => AgentExit { code: status.code(), signal: status.signal() },
    }
}

/// What is known when an attempt is over.
pub struct Ended<'a> {
    pub status: ExitStatus,
    pub why: Option<Why>,
    pub verdict: Verdict,
    pub stderr_tail: &'a str,
    pub strays: u32,
    /// The cgroup's memory ceiling had a process killed.
    pub out_of_memory: bool,
}

/// Writes the result, and makes the report.
pub fn report(prepared: &Prepared, ended: Ended<'_>) -> ExitReport {
    let spec = &prepared.spec;
    let Ended { status, why, verdict, stderr_tail, strays, out_of_memory } = ended;
    let (mut outcome, mut message) = match &why {
        None => match not_started(status.code(), stderr_tail, &spec.backend) {
            Some(message) => (Outcome::Error, message),
            None if out_of_memory => (Outcome::Error, memory_message(spec.limits.memory_max_bytes)),
            None => (verdict.outcome, verdict.message),
        },
        // What heals it is in the verdict.
        Some(Why::MustStop(_)) if verdict.limit.as_ref().is_some_and(|l| l.kind == LimitKind::Auth) => (verdict.outcome, verdict.message),
        Some(why) => overruled(why, verdict.outcome, verdict.message),
    };
    let (mut result_file, mut result_bytes) = (None, 0);
    if let Some(text) = verdict.result {
        match write_result(&spec.result_file, &text) {
            Ok(()) => {
                result_file = Some(spec.result_file.display().to_string());
                result_bytes = text.len() as u64;
            }
            Err(e) => {
                outcome = if outcome == Outcome::Ok { Outcome::Error } else { outcome };
                message = format!("the result could not be kept ({e}); {message}");
            }
        }
    }
    ExitReport {
        attempt: spec.attempt,
        outcome,
        exit_code: status.code(),
        signal: status.signal(),
        message: one_line(&message),
        usage: verdict.usage,
        usage_known: verdict.usage_known,
        cost_usd: verdict.cost_usd,
        session_usage: verdict.session_usage,
        session_cost_usd: verdict.session_cost_usd,
        session: verdict.session,
        session_unknown: verdict.session_unknown,
        result_file,
        result_bytes,
        limit: verdict.limit,
        strays,
        ended_at: clock::now(),
    }
}

/// The report of an attempt whose agent never began.
pub fn report_unstarted(attempt: AttemptId, message: &str) -> ExitReport {
    ExitReport {
        attempt,
        outcome: Outcome::Error,
        exit_code: None,
        signal: None,
        message: one_line(message),
        usage: Usage::default(),
        usage_known: true,
        cost_usd: None,
        session_usage: None,
        session_cost_usd: None,
        session: None,
        session_unknown: false,
        result_file: None,
        result_bytes: 0,
        limit: None,
        strays: 0,
        ended_at: clock::now(),
    }
}

fn overruled(why: &Why, outcome: Outcome, message: String) -> (Outcome, String) {
    // A CLI that sleeps out a refusal is not slow or stuck: its backend refuses.
    let unless_refused = |by: Outcome, text: String| match outcome {
        Outcome::RateLimited => (outcome, format!("{message}; {text}")),
        _ => (by, text),
    };
    match why {
        Why::Cancelled(reason) => (Outcome::Killed, format!("ended: {reason}")),
        Why::Timeout(ms) => unless_refused(Outcome::Timeout, format!("ended after its time limit of {}", seconds(*ms))),
        Why::Stalled(hang) => unless_refused(Outcome::Stalled, format!("ended by the watchdog: {}", in_words(*hang))),
        Why::NoExit(ms) => (outcome, format!("{message} (it did not exit within {} of its result and was ended)", seconds(*ms))),
        Why::MustStop(reason) if outcome == Outcome::RateLimited => (outcome, reason.clone()),
        Why::MustStop(reason) => (Outcome::Error, reason.clone()),
        Why::Superseded => (Outcome::Interrupted, "superseded".to_owned()),
    }
}

fn in_words(hang: Hang) -> &'static str {
    match hang {
        Hang::NoOutput => "it never wrote anything",
        Hang::SilentBusy => "its output stopped while its processes used the CPU",
        Hang::SilentIdle => "its output stopped and its processes were idle",
        Hang::NoProgress => "it wrote, but nothing that means progress",
        Hang::NoExit => "it gave its result and did not exit",
    }
}

fn memory_message(max: u64) -> String {
    format!("killed at its memory limit of {} MiB; raise the limit, or give it less to do at once", max >> 20)
}

fn seconds(ms: u64) -> String {
    humantime::format_duration(Duration::from_millis(ms)).to_string()
}

/// The report's message is one line; what a CLI says may be many.
fn one_line(message: &str) -> String {
    let words: Vec<&str> = message.split_whitespace().collect();
    let mut line = words.join(" ");
    line.truncate(line.floor_char_boundary(2000));
    line
}

fn write_result(path: &Path, text: &str) -> Result<(), OsError> {
    if let Some(dir) = path.parent() {
        files::private_dir(dir)?;
    }
    files::write_atomic(path, text.as_bytes(), Durable::Yes)
}

/// Puts the report on disk, for good. Until this has succeeded the attempt has not ended.
///
/// # Errors
/// The disk refuses.
pub fn write_exit(dir: &Path, report: &ExitReport) -> Result<(), OsError> {
    let json = serde_json::to_vec(report).expect("plain data serialises");
    files::write_atomic(&dir.join(names::EXIT), &json, Durable::Yes)
}

/// The event that says so, where a stream could not be kept whole.
pub fn lost_output(stdout: u64, stderr: u64) -> Option<AgentEvent> {
    let text = format!("{stdout} bytes of stdout.log and {stderr} of stderr.log could not be written");
    (stdout + stderr > 0).then_some(AgentEvent::Notice { level: crate::domain::Level::Error, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_for_the_end_decides_unless_the_backend_refused() {
        let ok = || "done".to_owned();
        assert_eq!(overruled(&Why::Timeout(60_000), Outcome::Ok, ok()).0, Outcome::Timeout);
        assert!(overruled(&Why::Timeout(60_000), Outcome::Ok, ok()).1.contains("1m"));
        assert_eq!(overruled(&Why::Stalled(Hang::SilentIdle), Outcome::RateLimited, ok()).0, Outcome::RateLimited);
        assert_eq!(overruled(&Why::Cancelled("by the operator".to_owned()), Outcome::Ok, ok()).0, Outcome::Killed);
        let (outcome, message) = overruled(&Why::NoExit(5000), Outcome::Ok, ok());
        assert_eq!((outcome, message.as_str()), (Outcome::Ok, "done (it did not exit within 5s of its result and was ended)"));
    }

    #[test]
    fn an_exit_after_the_result_is_read_as_the_result_says() {
        let killed = ExitStatus::from_raw(15);
        let exit = exit_for_parser(Some(&Why::NoExit(1)), Some(true), killed);
        assert_eq!((exit.code, exit.signal), (Some(0), None));
        let exit = exit_for_parser(Some(&Why::Timeout(1)), Some(true), killed);
        assert_eq!((exit.code, exit.signal), (None, Some(15)));
    }

    #[test]
    fn a_message_is_one_bounded_line() {
        assert_eq!(one_line("a\n  b\tc\n"), "a b c");
        assert_eq!(one_line(&"ü".repeat(5000)).len(), 2000);
    }
}
