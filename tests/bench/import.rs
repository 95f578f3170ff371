//! What `orc memory import` of many memories costs beside an engine, and who recalls meanwhile.

use crate::recall::{Texts, open, private, say};
use crate::site::{Site, kib};
use crate::spread::{Spread, line};
use orc::os::clock;
use std::io::Write;
use std::time::{Duration, Instant};

pub fn run(n: usize) {
    println!("\nimport: {n} memories beside an engine");
    let mut site = Site::new(&[]);
    let mut texts = Texts::new(n as u64);
    let file = site.path("memories.jsonl");
    let mut out = std::io::BufWriter::new(std::fs::File::create(&file).unwrap());
    for _ in 0..n {
        let m = texts.memory();
        let row = serde_json::json!({ "text": m.text, "category": m.category, "importance": m.importance });
        writeln!(out, "{row}").unwrap();
    }
    out.into_inner().unwrap();
    site.start();
    let store = open(&site.workspace.memory_dir());
    store.add(texts.memory(), clock::now()).unwrap();

    let began = Instant::now();
    let mut import = site.orc().args(["memory", "import"]).arg(&file).spawn().unwrap();
    let (mut recall, mut most) = (Spread::default(), 0);
    while import.try_wait().unwrap().is_none() {
        most = kib(import.id() as i32, "status", "VmHWM").unwrap_or(most);
        let question = texts.question();
        let asked = Instant::now();
        store.recall(&question, 6, None, clock::now()).unwrap();
        recall.time(asked.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    line("imported and folded", format!("{:.1} s", began.elapsed().as_secs_f64()));
    line("that process's peak resident memory", format!("{} MiB", most / 1024));
    say("recall meanwhile", &recall);
    let began = Instant::now();
    while store.standings().unwrap().memories < n {
        std::thread::sleep(Duration::from_millis(5));
    }
    line("until who recalled has all", format!("{:.2} s", began.elapsed().as_secs_f64()));
    // The engine looks after its memories each minute.
    std::thread::sleep(Duration::from_secs(65));
    let peak = kib(site.pid(), "status", "VmHWM").unwrap_or_default() / 1024;
    line("the engine's private memory; its peak resident", format!("{:.0} MiB; {peak} MiB", private(site.pid())));
    site.stop();
}
