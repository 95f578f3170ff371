//! From the start of the submitting program to the job's first instruction, with an idle engine. Each job writes a line to a
//! named pipe that the bench reads. The parts are seen from outside: what appears in the workspace, and when.

use crate::peers;
use crate::site::{PATIENCE, Site};
use crate::spread::{Spread, head, line};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Between two submissions, so that each finds an idle engine.
const REST: Duration = Duration::from_millis(60);

pub fn run(n: usize) {
    let mut site = Site::new(&[]);
    site.start();
    println!("submit: {n} submissions each, one after the other, engine idle");
    head("from outside");
    site.say_fsync();
    let (path, mut pipe) = site.fifo("go");
    let script = format!("echo > {}", path.display());
    let dir = site.path("peers");
    std::fs::create_dir_all(&dir).unwrap();
    let peers: Vec<_> = peers::all(&dir);
    let (mut ours, mut acknowledged) = (Spread::default(), Spread::default());
    let mut theirs = vec![Spread::default(); peers.len()];
    // Turn by turn, so that whatever else the machine does meets all of them. The first turn is not counted.
    for turn in 0..=n {
        let (first, answered) = once(&mut site.submit(&script, "P2"), &mut pipe);
        for (peer, spread) in peers.iter().zip(&mut theirs) {
            let Ok(peer) = peer else { continue };
            let (first, _) = once(&mut peer.submit(&script), &mut pipe);
            if turn > 0 {
                spread.time(first);
            }
        }
        if turn > 0 {
            ours.time(first);
            acknowledged.time(answered);
        }
    }
    line("orc: pm's start to the first instruction", ours.show("ms"));
    line("orc: until pm has answered", acknowledged.show("ms"));
    let mut best = f64::INFINITY;
    for (peer, spread) in peers.iter().zip(&theirs) {
        match peer {
            Ok(peer) => {
                line(&format!("{} (nothing fsynced)", peer.name), spread.show("ms"));
                best = best.min(spread.median());
            }
            Err(name) => line(name, "not installed"),
        }
    }
    if best.is_finite() {
        let (ratio, behind) = (ours.median() / best, ours.median() - best);
        line("median against the best of them", format!("{ratio:.1} times, {behind:+.1} ms"));
    }
    drop(peers);
    parts(&site, n, &script, &mut pipe);
    site.stop();
}

/// One submission: until the pipe has its line, and until the submitting program has ended.
fn once(command: &mut Command, pipe: &mut std::fs::File) -> (Duration, Duration) {
    std::thread::sleep(REST);
    let began = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let waiter = std::thread::spawn(move || {
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}");
        Instant::now()
    });
    let mut byte = [0; 1];
    pipe.read_exact(&mut byte).unwrap();
    (began.elapsed(), waiter.join().unwrap() - began)
}

/// What appeared when, since the submitting program was started.
#[derive(Default)]
struct Seen {
    /// The first page in the write-ahead log: pm commits.
    commit: Option<Duration>,
    /// The last page before the attempt's folder: the engine claims.
    claim: Option<Duration>,
    /// The attempt's folder: the claim is on the disk.
    folder: Option<Duration>,
    /// `owner`: the shim is up.
    shim: Option<Duration>,
    /// `agent.json`: the agent's process is there.
    agent: Option<Duration>,
    first: Duration,
}

fn parts(site: &Site, n: usize, script: &str, pipe: &mut std::fs::File) {
    let start: Spread = (0..n)
        .map(|_| {
            let began = Instant::now();
            site.pm(&["--version"]).status().unwrap();
            began.elapsed()
        })
        .collect();
    head("its parts, watched from outside (which costs a little)");
    line("pm --version: a program's start and end", start.show("ms"));
    let all: Vec<Seen> = (0..n).map(|_| watched(site, script, pipe)).collect();
    let part = |what: &str, from: &dyn Fn(&Seen) -> Option<Duration>, to: &dyn Fn(&Seen) -> Option<Duration>| {
        let spread: Spread = all.iter().filter_map(|s| to(s)?.checked_sub(from(s)?)).collect();
        if spread.len() > 0 {
            line(what, spread.show("ms"));
        }
    };
    part("pm's start to its first page in the log", &|_| Some(Duration::ZERO), &|s| s.commit);
    part("pm's fsync, wake, the engine's claim", &|s| s.commit, &|s| s.claim);
    part("the claim's fsync", &|s| s.claim, &|s| s.folder);
    part("files of the attempt, the shim's start", &|s| s.folder, &|s| s.shim);
    part("the agent's process", &|s| s.shim, &|s| s.agent);
    part("its first instruction", &|s| s.agent, &|s| Some(s.first));
    part("all", &|_| Some(Duration::ZERO), &|s| Some(s.first));
}

fn watched(site: &Site, script: &str, pipe: &mut std::fs::File) -> Seen {
    std::thread::sleep(REST);
    let watch = Watch::new(site);
    let began = Instant::now();
    let mut child = site.submit(script, "P2").spawn().unwrap();
    let mut seen = Seen::default();
    let deadline = began + PATIENCE;
    loop {
        let mut fds = [PollFd::new(&watch.fd, PollFlags::IN), PollFd::new(&*pipe, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 1, tv_nsec: 0 })).unwrap();
        let (names, first) = (fds[0].revents().contains(PollFlags::IN), fds[1].revents().contains(PollFlags::IN));
        let at = began.elapsed();
        if names {
            watch.read(site, at, &mut seen);
        }
        if first {
            seen.first = at;
            pipe.read_exact(&mut [0; 1]).unwrap();
            break;
        }
        assert!(Instant::now() < deadline, "the job never ran");
    }
    assert!(child.wait().unwrap().success());
    seen
}

struct Watch {
    fd: OwnedFd,
    log: i32,
    spool: i32,
}

impl Watch {
    fn new(site: &Site) -> Watch {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        let mut log = site.workspace.database().into_os_string();
        log.push("-wal");
        let log = inotify::add_watch(&fd, std::path::Path::new(&log), WatchFlags::MODIFY).unwrap();
        let spool = inotify::add_watch(&fd, site.workspace.spool_dir(), WatchFlags::CREATE).unwrap();
        Watch { fd, log, spool }
    }

    fn read(&self, site: &Site, at: Duration, seen: &mut Seen) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.fd, &mut buffer);
        while let Ok(event) = events.next() {
            let name = event.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if event.wd() == self.log {
                seen.commit.get_or_insert(at);
                if seen.folder.is_none() {
                    seen.claim = Some(at);
                }
            } else if event.wd() == self.spool {
                seen.folder.get_or_insert(at);
                // Late by as much as the bench is slow: the engine's first files may be missed, the shim's are not.
                let _ = inotify::add_watch(&self.fd, site.workspace.spool_dir().join(&name), WatchFlags::CREATE | WatchFlags::MOVED_TO);
            } else if name == orc::wire::files::OWNER {
                seen.shim.get_or_insert(at);
            } else if name == orc::wire::files::AGENT {
                seen.agent.get_or_insert(at);
            }
        }
    }
}
