//! What a long queue costs those who add to it and those who claim from it.

use crate::site::{Site, cpu, kib};
use crate::spread::Spread;
use orc::domain::{Command, Lane, Priority};
use orc::os::clock;
use std::io::Read;
use std::time::{Duration, Instant};

/// Measurements for each length.
const TIMES: usize = 20;

pub fn run(most: usize) {
    println!("queue: adding and claiming behind a queue, each figure a median of {TIMES}");
    let mut site = Site::new(&["max_running=1"]);
    println!();
    site.say_fsync();
    let titles = ["queued", "pm job add", "add to start", "a job done", "engine start", "CPU a job", "engine RSS"];
    println!("  {}", titles.map(|t| format!("{t:>13}")).join(""));
    let (path, mut pipe) = site.fifo("go");
    let script = format!("echo > {}", path.display());
    let mut queued = 0;
    for n in [0, 1000, 10_000, 100_000].into_iter().filter(|n| *n <= most) {
        site.pause_background(true);
        site.add(&format!("echo > {}", path.display()), Priority::new(4).unwrap(), n - queued);
        queued = n;
        let start = site.start();
        // Held in its lane while others come and go in theirs.
        let (mut add, mut through) = (Spread::default(), Spread::default());
        for _ in 0..TIMES {
            std::thread::sleep(Duration::from_millis(30));
            let began = Instant::now();
            assert!(site.submit(&script, "P2").status().unwrap().success());
            add.time(began.elapsed());
            pipe.read_exact(&mut [0]).unwrap();
            through.time(began.elapsed());
        }
        // Claimed from the long queue itself.
        let (mut each, mut used) = (f64::NAN, f64::NAN);
        if n > 0 {
            let before = cpu(site.pid());
            site.pause_background(false);
            pipe.read_exact(&mut [0]).unwrap();
            let began = Instant::now();
            pipe.read_exact(&mut [0; TIMES]).unwrap();
            each = began.elapsed().as_secs_f64() * 1e3 / TIMES as f64;
            used = (cpu(site.pid()) - before).as_secs_f64() * 1e3 / (TIMES + 1) as f64;
            site.pause_background(true);
            site.until("nothing runs", |s| s.status().is_some_and(|s| s.slots.running == 0));
            queued = site.status().map_or(0, |s| s.lanes[Lane::Background as usize].queued as usize);
            site.drain_pipe(&mut pipe);
        }
        let rss = kib(site.pid(), "status", "VmRSS").unwrap_or(0) / 1024;
        println!(
            "  {n:>13}{:>10.2} ms{:>10.2} ms{each:>10.2} ms{:>10.0} ms{used:>10.2} ms{rss:>9} MiB",
            add.median(),
            through.median(),
            start.as_secs_f64() * 1e3
        );
        site.stop();
    }
}

impl Site {
    fn pause_background(&mut self, paused: bool) {
        let command = Command::PauseLane { lane: Lane::Background, paused };
        self.store.write(|tx| orc::store::apply(tx, &command, &orc::domain::Actor::Operator, clock::now())).unwrap();
        orc::engine::wake(&self.workspace.socket());
    }

    /// Takes what jobs have written since they were counted.
    fn drain_pipe(&self, pipe: &mut std::fs::File) {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let waiting = |pipe: &std::fs::File| {
            poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|n| n > 0)
        };
        while waiting(pipe) {
            pipe.read_exact(&mut [0]).unwrap();
        }
    }
}
