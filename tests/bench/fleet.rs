//! Hundreds of job processes at once: heartbeats, the engine's cost, memory, a P0 job through the reserved slot, the console,
//! and whether anything is left over.

use crate::console::{Terminal, presses};
use crate::site::{PATIENCE, Site, cpu, kib};
use crate::spread::{Spread, head, line};
use orc::domain::{AttemptId, Liveness, Priority, Timestamp};
use orc::os::tree;
use orc::wire::attempt_mark;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::time::{Duration, Instant};

/// The heartbeat's interval; the product's default is six times this.
const BEAT: Duration = Duration::from_secs(5);
/// How long it is watched, in intervals.
const WATCH: u32 = 4;

pub fn run(n: usize) {
    let running = format!("max_running={n}");
    let mut site = Site::new(&[&running, "reserved_slots=1", "heartbeat=5s"]);
    println!("fleet: {n} job processes at once, a heartbeat every {} s", BEAT.as_secs());
    site.start();
    let gate = site.path("gate");
    assert!(std::process::Command::new("mkfifo").arg(&gate).status().unwrap().success());
    // The shell waits in `open` until somebody writes: one process, no CPU.
    let began = Instant::now();
    site.add(&format!(": < {}", gate.display()), Priority::P2, n);
    let all_up =
        |s: &Site| s.status().is_some_and(|s| s.workers.iter().filter(|w| w.live.as_ref().is_some_and(|l| l.connected)).count() == n);
    site.until("all run and are connected", all_up);
    println!();
    line("until all run and have said hello", format!("{:.1} s", began.elapsed().as_secs_f64()));

    head("at rest, nobody looks");
    let (seen, used) = beats(&site, BEAT * WATCH);
    let expected = n * (WATCH as usize - 1);
    line("heartbeats seen", format!("{} (at least {expected} have to be), late or silent: {}", seen.beats, seen.late.len()));
    line("the engine's CPU", format!("{:.1} % of one core", used * 100.0));
    line("the engine's memory, private", mib(memory(site.pid())));
    let open = site.store.open_attempts().unwrap();
    let mut shims = Spread::default();
    for kib in open.iter().filter_map(|o| memory(o.attempt.shim.as_ref()?.pid)) {
        shims.number(kib as f64 / 1024.0);
    }
    line("a shim's memory, private", shims.show("MiB"));

    head("a P0 job meanwhile, through the reserved slot");
    let (path, mut pipe) = site.fifo("go");
    let mut urgent = Spread::default();
    for _ in 0..20 {
        let began = Instant::now();
        let mut pm = site.submit(&format!("echo > {}", path.display()), "P0").spawn().unwrap();
        pipe.read_exact(&mut [0]).unwrap();
        urgent.time(began.elapsed());
        pm.wait().unwrap();
        site.until("its slot is free", |s| s.status().is_some_and(|s| s.slots.running == n as u32));
    }
    line("pm's start to its first instruction", urgent.show("ms"));

    head("a console meanwhile");
    let mut terminal = Terminal::attach(&site);
    presses(&mut terminal, "a key to the screen");
    let before = (cpu(terminal.pid()), cpu(site.pid()), terminal.bytes(), Instant::now());
    std::thread::sleep(BEAT * 2);
    let time = before.3.elapsed().as_secs_f64();
    line("the console's CPU", format!("{:.1} % of one core", (cpu(terminal.pid()) - before.0).as_secs_f64() / time * 100.0));
    line("the engine's CPU with it", format!("{:.1} % of one core", (cpu(site.pid()) - before.1).as_secs_f64() / time * 100.0));
    line("bytes to the terminal a second", format!("{:.0}", (terminal.bytes() - before.2) as f64 / time));
    drop(terminal);

    head("the end");
    let began = Instant::now();
    drop(std::fs::OpenOptions::new().write(true).open(&gate).unwrap());
    let all = n as u64 + 20;
    site.until("the last job's end", |s| s.ended() == all);
    line("until all have ended", format!("{:.1} s", began.elapsed().as_secs_f64()));
    let id = site.store.workspace_id().unwrap();
    let left = |s: &Site| {
        open.iter().map(|o| tree::marked(&attempt_mark(&id, o.attempt.id)).len()).sum::<usize>() + s.store.open_attempts().unwrap().len()
    };
    // A shim leaves a moment after its job is done.
    let deadline = Instant::now() + Duration::from_secs(5);
    while left(&site) > 0 && Instant::now() < deadline {}
    line("processes and open attempts left", left(&site));
    line("failed", site.store.day(Timestamp(0)).unwrap().failed);
    site.stop();
    talking(n);
}

/// The same number of agents, each of which says something twice a second.
fn talking(n: usize) {
    let running = format!("max_running={n}");
    let mut site = Site::new(&[&running, "token_budget=1000000000"]);
    site.start();
    let text = r#"{"after_ms":500,"event":{"type":"text","text":"Looking at the next of many files, and finding nothing new"}}"#;
    let script = format!("replay:\n{{\"repeat\":{{\"times\":80,\"lines\":[{text}]}}}}\n{{\"event\":{{\"type\":\"result\",\"ok\":true}}}}");
    site.add_to("replay", &script, Priority::P2, n);
    site.until("all run", |s| s.status().is_some_and(|s| s.slots.running as usize == n));
    std::thread::sleep(Duration::from_secs(2));
    head(&format!("{n} agents, each saying a line twice a second"));
    let share = |before: Duration, after: Duration, time: Duration| (after - before).as_secs_f64() / time.as_secs_f64() * 100.0;
    let (before, began) = (cpu(site.pid()), Instant::now());
    std::thread::sleep(Duration::from_secs(8));
    line("the engine's CPU, nobody looks", format!("{:.1} % of one core", share(before, cpu(site.pid()), began.elapsed())));
    let mut terminal = Terminal::attach(&site);
    let (before, began) = ((cpu(site.pid()), cpu(terminal.pid()), terminal.bytes()), Instant::now());
    std::thread::sleep(Duration::from_secs(8));
    let time = began.elapsed();
    line("the engine's CPU with a console", format!("{:.1} % of one core", share(before.0, cpu(site.pid()), time)));
    line("the console's CPU", format!("{:.1} % of one core", share(before.1, cpu(terminal.pid()), time)));
    line("bytes to the terminal a second", format!("{:.0}", (terminal.bytes() - before.2) as f64 / time.as_secs_f64()));
    presses(&mut terminal, "a key to the screen");
    drop(terminal);
    site.until("the last job's end", |s| s.ended() == n as u64);
    line("failed", site.store.day(Timestamp(0)).unwrap().failed);
    site.stop();
}

#[derive(Default)]
struct Beats {
    beats: usize,
    late: BTreeSet<AttemptId>,
}

/// Looks at the snapshot four times an interval; also gives the engine's share of a core.
fn beats(site: &Site, time: Duration) -> (Beats, f64) {
    let mut last: BTreeMap<AttemptId, Timestamp> = BTreeMap::new();
    let mut seen = Beats::default();
    let (began, used) = (Instant::now(), cpu(site.pid()));
    while began.elapsed() < time {
        for live in site.status().unwrap().workers.iter().filter_map(|w| w.live.as_ref()) {
            if let Some(at) = live.last_heartbeat
                && last.insert(live.attempt, at) != Some(at)
            {
                seen.beats += 1;
            }
            if live.liveness != Liveness::Fresh {
                seen.late.insert(live.attempt);
            }
        }
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(BEAT / 4);
    }
    // The first look has found one of each, and it does not count.
    seen.beats -= last.len();
    (seen, (cpu(site.pid()) - used).as_secs_f64() / began.elapsed().as_secs_f64())
}

/// A process's private memory, in KiB.
fn memory(pid: i32) -> Option<u64> {
    let part = |name| kib(pid, "smaps_rollup", name);
    Some(part("Private_Clean")? + part("Private_Dirty")?)
}

fn mib(kib: Option<u64>) -> String {
    kib.map_or_else(|| "unknown".to_owned(), |k| format!("{:.1} MiB", k as f64 / 1024.0))
}
