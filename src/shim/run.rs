//! `orc-shim run DIR`: one attempt from beginning to end.

use super::ShimError;
use super::agent::{self, Agent};
use super::backend::Parser;
use super::end::{self, Ended, Why};
use super::link::{self, Caller, LinkState, Order, Outbox};
use super::output::{Lines, Log, STDERR_LINE_MAX, STDOUT_LINE_MAX, Stderr};
use super::part::{Parting, Stop};
use super::prepare::{Prepared, prepare};
use super::spool::Spool;
use super::watch::Clocks;
use crate::domain::{AgentEvent, ExitReport, Hang, Level};
use crate::os::{OsError, clock, files, tree};
use crate::wire::{Hello, PROTOCOL, files as names};
use std::io;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// How much of the agent's output is in memory at a time.
const CHUNK: usize = 16 << 10;
/// What is left in the pipes after the agent's end is there at once, unless something that could not be killed holds them.
const DRAIN_WITHIN: Duration = Duration::from_secs(2);
/// Between two attempts to kill what does not die.
const AGAIN: Duration = Duration::from_secs(5);

/// Runs one attempt. The exit code says whether this process did its part, not how the attempt ended.
pub fn main(dir: &Path) -> ExitCode {
    let run = || -> Result<(), ShimError> {
        let prepared = prepare(dir)?;
        // Output that never pauses must not keep orders waiting: sockets and signals are looked at often.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().event_interval(7).build();
        runtime.map_err(ShimError::start("start the runtime"))?.block_on(attempt(prepared))
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // Not ours: whoever owns it does the rest.
        Err(ShimError::Owned) => ExitCode::SUCCESS,
        Err(e) => {
            say(&e.to_string());
            ExitCode::from(2)
        }
    }
}

/// A line in `shim.log`, which is this process's standard error.
pub fn say(text: &str) {
    eprintln!("{} {text}", clock::now());
}

async fn attempt(prepared: Prepared) -> Result<(), ShimError> {
    let stop = Stop::listen()?;
    let dir = &prepared.dir;
    let started = open(dir).map_err(|e| e.to_string()).and_then(|open| Ok((open, agent::start(&prepared)?)));
    let (outbox, seen) = watch::channel(Outbox::default());
    let (state, link_state) = watch::channel(LinkState::default());
    let (sender, orders) = mpsc::channel(8);
    let hello = Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        attempt: prepared.spec.attempt,
        token: prepared.token.clone(),
        identity: prepared.identity.clone(),
        next_seq: 1,
    };
    let mut caller = Caller { hello, spool: dir.join(names::SPOOL), outbox: seen, state, orders: sender };
    let socket = prepared.spec.socket.clone();
    let link = tokio::spawn(async move { link::keep(&socket, &mut caller, say).await });
    let mut parting = Parting { outbox, link_state, orders, stop };
    let report = match started {
        Ok((open, agent)) => run(&prepared, open, agent, &mut parting).await,
        Err(message) => Some(end::report_unstarted(prepared.spec.attempt, &message)),
    };
    match report {
        Some(report) => {
            say(&format!("ended: {}, {}", report.outcome, report.message));
            parting.report(dir, report).await;
        }
        None => say("superseded: left without a report"),
    }
    link.abort();
    // The attempt's private folder for temporary files ends with it.
    let _ = std::fs::remove_dir_all(dir.join(names::TMP));
    say(&format!("left after {} fsyncs", files::fsyncs()));
    Ok(())
}

/// The files that are written while the agent runs.
struct Open {
    spool: Spool,
    stdout: Log,
    stderr: Log,
}

fn open(dir: &Path) -> Result<Open, OsError> {
    let log = |name: &str| files::append_to(&dir.join(name)).map(Log::new);
    Ok(Open { spool: Spool::create(&dir.join(names::SPOOL))?, stdout: log(names::STDOUT)?, stderr: log(names::STDERR)? })
}

/// Runs a started agent to its end; `None` when there is nothing to report (superseded).
async fn run(prepared: &Prepared, open: Open, agent: Agent, parting: &mut Parting) -> Option<ExitReport> {
    let Agent { child, identity, stdin, stdout, stderr, prompt, cgroup } = agent;
    let mut run = Run {
        prepared,
        outbox: &parting.outbox,
        pid: identity.pid,
        parser: Parser::new(&prepared.spec),
        clocks: Clocks::start(prepared.spec.limits, Instant::now()),
        spool: open.spool,
        stdout_log: open.stdout,
        stderr_log: open.stderr,
        lines: Lines::new(STDOUT_LINE_MAX),
        stderr_lines: Lines::new(STDERR_LINE_MAX),
        stderr: Stderr::default(),
        output_bytes: 0,
        result_ok: None,
        beats: 0,
        ending: None,
        cgroup,
    };
    run.emit(vec![AgentEvent::Started { pid: identity.pid, start_time: identity.start_time }]);
    let pipes = Pipes { child, stdout, stderr };
    let ended = run.until_end(pipes, agent::feed(stdin, prompt), &mut parting.orders, &mut parting.stop).await;
    ended.unwrap_or_else(|e| {
        end::kill(identity.pid, None);
        Some(end::report_unstarted(prepared.spec.attempt, &format!("cannot wait for the agent: {e}")))
    })
}

/// The agent's process and what it says.
struct Pipes {
    child: Child,
    stdout: ChildStdout,
    stderr: ChildStderr,
}

/// An end under way.
struct Ending {
    why: Why,
    kill_at: Instant,
    killed: u32,
}

/// A running attempt.
struct Run<'a> {
    prepared: &'a Prepared,
    outbox: &'a watch::Sender<Outbox>,
    pid: i32,
    parser: Parser,
    clocks: Clocks,
    spool: Spool,
    stdout_log: Log,
    stderr_log: Log,
    lines: Lines,
    stderr_lines: Lines,
    stderr: Stderr,
    output_bytes: u64,
    /// What the agent's result said, once it has given one.
    result_ok: Option<bool>,
    beats: u64,
    ending: Option<Ending>,
    cgroup: Option<crate::os::cgroup::Cgroup>,
}

impl Run<'_> {
    async fn until_end(
        &mut self,
        mut pipes: Pipes,
        feeding: impl Future<Output = io::Result<()>>,
        orders: &mut mpsc::Receiver<Order>,
        stop: &mut Stop,
    ) -> io::Result<Option<ExitReport>> {
        let mut feeding = std::pin::pin!(feeding);
        let (mut fed, mut out_open, mut err_open, mut linked) = (false, true, true, true);
        let (mut out, mut err) = (vec![0; CHUNK], vec![0; CHUNK / 4]);
        let status = loop {
            // Output that never pauses keeps the runtime from its timers, so the clock is read here as well.
            if self.next_due().is_some_and(|due| due <= Instant::now()) {
                self.on_time();
            }
            let due = self.next_due();
            tokio::select! {
                status = pipes.child.wait() => break status?,
                done = &mut feeding, if !fed => {
                    fed = true;
                    if let Err(e) = done {
                        self.notice(Level::Error, format!("the prompt could not be passed on whole: {e}"));
                    }
                }
                n = pipes.stdout.read(&mut out), if out_open => match n {
                    Ok(n) if n > 0 => self.take_stdout(&out[..n]),
                    _ => out_open = false,
                },
                n = pipes.stderr.read(&mut err), if err_open => match n {
                    Ok(n) if n > 0 => self.take_stderr(&err[..n]),
                    _ => err_open = false,
                },
                order = orders.recv(), if linked => match order {
                    Some(order) => self.obey(order),
                    None => linked = false,
                },
                () = stop.asked() => self.end(Why::Cancelled("the job process was told to stop".to_owned()), self.kill_grace()),
                () = sleep_until(due) => self.on_time(),
            }
        };
        Ok(self.finish(status, &mut pipes, &mut out).await)
    }

    fn kill_grace(&self) -> Duration {
        Duration::from_millis(self.prepared.spec.limits.kill_grace_ms)
    }

    fn next_due(&self) -> Option<Instant> {
        self.clocks.next_due().into_iter().chain(self.ending.as_ref().map(|ending| ending.kill_at)).min()
    }

    fn on_time(&mut self) {
        let now = Instant::now();
        self.clocks.look(now);
        if let Some(ending) = &mut self.ending
            && ending.kill_at <= now
        {
            ending.killed += end::kill(self.pid, self.cgroup.as_ref());
            ending.kill_at = now + AGAIN;
        }
        if self.clocks.timed_out(now) {
            self.end(Why::Timeout(self.prepared.spec.limits.timeout_ms), self.kill_grace());
        }
        self.judge(now);
        if self.clocks.beat_due(now) {
            self.beat();
            if self.forsaken() {
                say("the attempt's folder is gone: nobody waits for this any more");
                self.end(Why::Superseded, self.kill_grace());
            }
        }
    }

    /// True when the workspace has been deleted behind the attempt.
    fn forsaken(&self) -> bool {
        !self.prepared.dir.exists()
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Beat => self.beat(),
            Order::Cancel { grace, reason } => self.end(Why::Cancelled(reason), grace),
            Order::Bye { .. } => self.end(Why::Superseded, self.kill_grace()),
        }
    }

    /// Begins to end the agent. The first reason stands, except that one who is superseded has nothing more to say; a second
    /// call can only bring the kill closer.
    fn end(&mut self, why: Why, grace: Duration) {
        let kill_at = Instant::now() + grace;
        match &mut self.ending {
            Some(ending) => {
                ending.kill_at = ending.kill_at.min(kill_at);
                if why == Why::Superseded {
                    ending.why = why;
                }
            }
            None => {
                say(&format!("ending the agent: {why:?}"));
                end::ask(self.pid);
                self.ending = Some(Ending { why, kill_at, killed: 0 });
            }
        }
    }

    fn take_stdout(&mut self, chunk: &[u8]) {
        self.stdout_log.write(chunk);
        self.count(chunk.len());
        let (at, parser) = (clock::now(), &mut self.parser);
        let mut events = Vec::new();
        self.lines.push(chunk, |line, whole| events.extend(parse(parser, line, whole, at)));
        self.emit(events);
        self.stop_if_it_must();
    }

    fn stop_if_it_must(&mut self) {
        if let Some(reason) = self.parser.must_stop() {
            self.end(Why::MustStop(reason), self.kill_grace());
        }
    }

    fn take_stderr(&mut self, chunk: &[u8]) {
        self.stderr_log.write(chunk);
        self.count(chunk.len());
        let (now, at) = (Instant::now(), clock::now());
        let (stderr, parser) = (&mut self.stderr, &mut self.parser);
        let mut events = Vec::new();
        self.stderr_lines.push(chunk, |line, _| {
            events.extend(stderr.line(line, now));
            events.extend(parser.stderr(line, at));
        });
        self.emit(events);
        self.stop_if_it_must();
    }

    fn count(&mut self, bytes: usize) {
        self.clocks.byte(Instant::now());
        self.output_bytes += bytes as u64;
        let max = self.prepared.spec.limits.max_output_bytes;
        if max > 0 && self.output_bytes > max {
            self.end(Why::MustStop(format!("ended: it wrote more than {max} bytes, the limit for one attempt")), self.kill_grace());
        }
    }

    /// Spools events, lets the clocks know, and shows the link that there is more.
    fn emit(&mut self, events: Vec<AgentEvent>) {
        if events.is_empty() {
            return;
        }
        let now = Instant::now();
        for event in &events {
            if event.is_progress() {
                self.clocks.progress(now);
            }
            if let AgentEvent::Result { ok } = event {
                self.result_ok = Some(*ok);
                self.clocks.result(now);
            }
        }
        self.append(events);
        if self.clocks.hang.is_some() {
            self.judge(now);
        }
    }

    fn append(&mut self, events: Vec<AgentEvent>) {
        match self.spool.append(clock::now(), events) {
            Ok(tip) => self.outbox.send_modify(|outbox| outbox.tip = tip),
            Err(e) => say(&e.to_string()),
        }
    }

    fn notice(&mut self, level: Level, text: String) {
        self.append(vec![AgentEvent::Notice { level, text }]);
    }

    fn judge(&mut self, now: Instant) {
        let Some(verdict) = self.clocks.judge(now) else { return };
        self.append(vec![verdict.map_or(AgentEvent::Moving, |verdict| AgentEvent::Hanging { verdict })]);
        self.beat();
        let limits = &self.prepared.spec.limits;
        match verdict {
            Some(Hang::NoExit) => self.end(Why::NoExit(limits.exit_grace_ms), self.kill_grace()),
            Some(hang) if limits.stall_kill => self.end(Why::Stalled(hang), self.kill_grace()),
            _ => {}
        }
    }

    fn beat(&mut self) {
        tree::reap(Some(self.pid));
        self.beats += 1;
        let (usage, _) = self.parser.usage();
        let beat = self.clocks.beat(Instant::now(), clock::now(), true, usage);
        self.outbox.send_modify(|outbox| outbox.beat = Some((self.beats, beat)));
    }

    /// The agent's process is gone: the rest of its tree, the rest of its words, the verdict.
    async fn finish(&mut self, status: ExitStatus, pipes: &mut Pipes, buffer: &mut [u8]) -> Option<ExitReport> {
        let ending = self.ending.take();
        let killed = ending.as_ref().map_or(0, |ending| ending.killed);
        let strays = end::sweep(self.pid, self.cgroup.as_ref(), &self.prepared.spec.mark(), ending.is_some()) + killed;
        let until = Instant::now() + DRAIN_WITHIN;
        while let Ok(Ok(n @ 1..)) = tokio::time::timeout_at(until, pipes.stdout.read(buffer)).await {
            self.take_stdout(&buffer[..n]);
        }
        while let Ok(Ok(n @ 1..)) = tokio::time::timeout_at(until, pipes.stderr.read(buffer)).await {
            self.take_stderr(&buffer[..n]);
        }
        let (at, now) = (clock::now(), Instant::now());
        let mut events = Vec::new();
        let Run { lines, parser, stderr_lines, stderr: seen, .. } = self;
        lines.finish(|line, whole| events.extend(parse(parser, line, whole, at)));
        stderr_lines.finish(|line, _| events.extend(seen.line(line, now)));
        events.extend(seen.rest());
        events.extend(end::lost_output(self.stdout_log.lost, self.stderr_log.lost));
        self.emit(events);
        // A ceiling that is passed by what was left in the pipes ends nothing any more.
        let why = ending.map(|ending| ending.why);
        // No report into a workspace that is gone either: its folders would be made anew.
        if why == Some(Why::Superseded) || self.forsaken() {
            return None;
        }
        let tail = self.stderr.tail();
        let verdict = self.parser.end(end::exit_for_parser(why.as_ref(), self.result_ok, status), &tail, at);
        let out_of_memory = self.cgroup.take().is_some_and(|group| group.oom_kills() > 0);
        Some(end::report(self.prepared, Ended { status, why, verdict, stderr_tail: &tail, strays, out_of_memory }))
    }
}

/// What a line means. Of one that is too long to parse only the beginning is at hand, and half a line of JSON means nothing.
fn parse(parser: &mut Parser, line: &[u8], whole: usize, at: crate::domain::Timestamp) -> Vec<AgentEvent> {
    if whole > line.len() {
        let text = format!("a line of {whole} bytes was not read; see stdout.log");
        return vec![AgentEvent::Notice { level: Level::Warn, text }];
    }
    parser.line(line, at)
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
