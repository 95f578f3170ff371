//! Work, counted: fsyncs, heartbeats, processes, memory. How long things take is measured in `tests/bench`, never asserted.

use crate::engine::Bench;
use orc::domain::{JobState, Liveness, Priority};
use orc::wire::{ControlFrame, ControlReply, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

const PM: &str = env!("CARGO_BIN_EXE_pm");
const ORC: &str = env!("CARGO_BIN_EXE_orc");

/// `strace` of a program's fsyncs, its children's left out; `None`, and said so, where it is missing or not allowed.
fn counted(log: &Path, program: &str) -> Option<Command> {
    let tries = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !tries.is_ok_and(|s| s.success()) {
        eprintln!("skipped: strace is not installed, or may not trace here");
        return None;
    }
    let mut command = Command::new("strace");
    // The child stays the program itself (-D). Threads are followed; other programs are left out when the log is read.
    command.args(["-D", "-f", "-e", "trace=fsync,fdatasync,execve", "-y", "-o"]).arg(log).arg(program);
    Some(command)
}

/// What a traced program has fsynced, in order: file names. Of processes that became another program nothing counts.
fn synced(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap();
    let pid = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
    let mut first = None;
    let others: BTreeSet<String> =
        text.lines().filter(|l| l.contains("execve(")).map(pid).filter(|p| *first.get_or_insert_with(|| p.clone()) != *p).collect();
    let name = |line: &str| Some(line.split_once('<')?.1.split_once('>')?.0.rsplit('/').next()?.to_owned());
    text.lines().filter(|l| l.contains("sync(") && !others.contains(&pid(l))).filter_map(name).collect()
}

#[test]
fn a_submission_costs_one_fsync_of_the_log() {
    let b = Bench::new(&[]);
    let log = b.path("trace");
    let Some(mut pm) = counted(&log, PM) else { return };
    pm.args(["job", "add", "--type", "shell", "--prompt", ":"]).env("ORC_WORKSPACE", b.workspace.root()).stdout(Stdio::null());
    assert!(pm.status().unwrap().success());
    // SQLite also fsyncs the folder with the first commit of a connection.
    assert_eq!(synced(&log), ["pm.db-wal", "ws"]);
}

#[test]
fn a_job_costs_the_engine_two_fsyncs_its_claim_and_its_end() {
    let mut b = Bench::new(&[]);
    let log = b.path("trace");
    let Some(mut engine) = counted(&log, ORC) else { return };
    engine.arg("engine").env("ORC_WORKSPACE", b.workspace.root()).env("HOME", b.path("home"));
    engine.args(["--set", "memory_low_water=0B", "--set", "disk_low_water=0B"]);
    b.engine = Some(engine.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let first = b.run(":");
    assert_eq!(b.ends(first), JobState::Done);
    // Its shim leaves once it is acknowledged; then this job has no fsync left to come.
    let attempt = b.attempts(first)[0].id;
    b.within(|| b.marked(attempt).is_empty().then_some(()));
    let before = synced(&log).len();
    const JOBS: usize = 8;
    for _ in 0..JOBS {
        let job = b.run("echo one; echo two >&2");
        assert_eq!(b.ends(job), JobState::Done);
        let attempt = b.attempts(job)[0].id;
        b.within(|| b.marked(attempt).is_empty().then_some(()));
    }
    // The engine may have something of its own to note meanwhile, but not for each job.
    let after = synced(&log)[before..].to_vec();
    let of_log = after.iter().filter(|name| *name == "pm.db-wal").count();
    assert!(after.len() < 3 * JOBS && (2 * JOBS..=2 * JOBS + 3).contains(&of_log), "{after:?}");
    b.stop();
}

fn status(b: &Bench) -> Option<Snapshot> {
    let mut stream = UnixStream::connect(b.workspace.socket()).ok()?;
    writeln!(stream, "{}", serde_json::to_string(&ControlFrame::Status).unwrap()).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    match serde_json::from_str(&line).ok()? {
        ControlReply::Snapshot { snapshot } => Some(*snapshot),
        _ => None,
    }
}

/// Memory that a process shares with no other, in KiB.
fn private(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let kib = |line: &str| line.strip_prefix("Private_")?.split_whitespace().nth(1)?.parse::<u64>().ok();
    text.lines().filter_map(kib).sum()
}

#[test]
fn sixty_job_processes_beat_stay_small_and_leave_the_reserved_slot() {
    const N: usize = 60;
    let mut b = Bench::new(&["max_running=60", "reserved_slots=1", "heartbeat=1s"]);
    b.start();
    let gate = b.path("gate");
    assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
    let script = format!(": < {}", gate.display());
    let jobs: Vec<_> = (0..N).map(|_| b.run(&script)).collect();
    // Three heartbeats of each, told apart by their times.
    let mut beats: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    b.within(|| {
        for live in status(&b)?.workers.iter().filter_map(|w| w.live.as_ref()) {
            beats.entry(live.attempt).or_default().extend(live.last_heartbeat);
        }
        (beats.len() == N && beats.values().all(|b| b.len() >= 3)).then_some(())
    });
    let silent = |s: &Snapshot| s.workers.iter().filter(|w| w.live.as_ref().is_some_and(|l| l.liveness == Liveness::Silent)).count();
    assert_eq!(status(&b).map(|s| (s.slots.running as usize, silent(&s))), Some((N, 0)));

    let open = b.store.open_attempts().unwrap();
    for attempt in &open {
        let shim = attempt.attempt.shim.as_ref().expect("it has said hello");
        assert!(private(shim.pid) < 4096, "{} KiB", private(shim.pid));
    }
    // No room for the next of the same priority; a P0 job goes past it.
    let held = b.run(":");
    let mut urgent = b.spec(":");
    urgent.priority = Priority::P0;
    let urgent = b.add(urgent);
    assert_eq!(b.ends(urgent), JobState::Done);
    assert_eq!(b.job(held).state, JobState::Queued);

    drop(std::fs::OpenOptions::new().write(true).open(&gate).unwrap());
    for job in jobs.into_iter().chain([held]) {
        assert_eq!(b.ends(job), JobState::Done);
    }
    assert_eq!(b.store.open_attempts().unwrap(), []);
    b.within(|| open.iter().all(|o| b.marked(o.attempt.id).is_empty()).then_some(()));
    b.stop();
}
