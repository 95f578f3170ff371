//! A pile of trivial jobs on two slots, with task-spooler beside it.

use crate::peers;
use crate::site::{Site, cpu};
use crate::spread::{head, line};
use orc::domain::Priority;
use std::time::Instant;

pub fn run(n: usize) {
    println!("drain: {n} trivial jobs on two slots");
    head("from outside");
    let mut site = Site::new(&["max_running=2", "reserved_slots=0"]);
    site.start();
    site.say_fsync();
    // The first job finds cold caches.
    site.add(":", Priority::P2, 1);
    site.until("the first job's end", |s| s.ended() == 1);
    let (before, began) = (cpu(site.pid()), Instant::now());
    let adding = site.add(":", Priority::P2, n);
    let all = n as u64 + 1;
    site.until("the last job's end", |s| s.ended() == all);
    let took = began.elapsed();
    line("orc, from the submission to the last job's end", format!("{:.2} s", took.as_secs_f64()));
    line("orc, a job", format!("{:.2} ms", took.as_secs_f64() * 1e3 / n as f64));
    line("adding them in one transaction", format!("{:.2} ms", adding.as_secs_f64() * 1e3));
    line("the engine's CPU a job", format!("{:.2} ms", (cpu(site.pid()) - before).as_secs_f64() * 1e3 / n as f64));
    site.stop();
    let dir = site.path("peers");
    std::fs::create_dir_all(&dir).unwrap();
    match peers::task_spooler(&dir) {
        Some(tsp) => line("task-spooler (nothing fsynced)", format!("{:.2} s", tsp.drain(2, n).as_secs_f64())),
        None => line("task-spooler", "not installed"),
    }
}
