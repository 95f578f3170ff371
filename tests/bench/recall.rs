//! What recall costs: 1,000, 10,000 and 100,000 memories, in the journal and folded into the dataset; a single append; opening, in a
//! process of its own as `orc memory search` and an engine have it; memory.

use crate::site::{Site, kib};
use crate::spread::{Spread, line};
use orc::config::Settings;
use orc::domain::{Category, Formula, MemorySource, Timestamp};
use orc::memory::{NewMemory, Semantic, Shipped, Tuning};
use orc::os::clock;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The hidden argument of the process that only opens and asks.
pub const OPENS: &str = "--opens";
const RECALLS: usize = 500;
const APPENDS: usize = 200;
const OPENINGS: usize = 5;
/// As many as a job gets.
const WANTED: usize = 6;

pub fn run(most: usize) {
    println!("recall: each figure p50 / p99 / max of {RECALLS} recalls, {APPENDS} appends, {OPENINGS} openings");
    for n in [1000, 10_000, 100_000].into_iter().filter(|n| *n <= most) {
        size(n);
    }
}

fn size(n: usize) {
    let mut site = Site::new(&[]);
    let dir = site.workspace.memory_dir();
    let mut texts = Texts::new(n as u64);
    println!("\n{n} memories");
    site.say_fsync();
    let store = open(&dir);
    let began = Instant::now();
    for from in (0..n).step_by(1000) {
        store.add_all((from..n.min(from + 1000)).map(|_| texts.memory()).collect(), clock::now()).unwrap();
    }
    line("kept, in thousands", format!("{:.1} s", began.elapsed().as_secs_f64()));
    recalls("recall before compaction, a question", &store, || texts.question());
    opens(&dir, "opening before compaction");
    append(&store, &mut texts, "append before compaction");

    let began = Instant::now();
    store.fold().unwrap();
    line("folded into the dataset", format!("{:.2} s", began.elapsed().as_secs_f64()));
    // As weeks of use leave it: one small fold after the other.
    for _ in 0..12 {
        store.add_all((0..10).map(|_| texts.memory()).collect(), clock::now()).unwrap();
        store.fold().unwrap();
    }
    recalls("recall after compaction, a question", &store, || texts.question());
    recalls("... a prompt of 4 KiB", &store, || texts.prompt());
    append(&store, &mut texts, "append after compaction");
    meanwhile(&store, &mut texts);
    store.fold().unwrap();
    opens(&dir, "opening after compaction");
    // As many as may wait for a fold.
    store.add_all((0..127).map(|_| texts.memory()).collect(), clock::now()).unwrap();
    opens(&dir, "... with 127 new texts");
    store.fold().unwrap();
    drop(store);

    let mut search = Spread::default();
    for _ in 0..OPENINGS {
        let mut command = site.orc();
        command.args(["memory", "search", &texts.question()]).stderr(Stdio::inherit());
        let began = Instant::now();
        assert!(command.status().unwrap().success());
        search.time(began.elapsed());
    }
    say("`orc memory search`, start to end", &search);
    let before = {
        let mut empty = Site::new(&["memory=false"]);
        empty.start();
        private(empty.pid())
    };
    site.start();
    site.until("the memories are loaded", |s| s.status().is_some() && loaded(s.pid()));
    let with = private(site.pid());
    line("an engine's private memory; without memories", format!("{with:.0} MiB; {before:.0} MiB"));
    site.stop();
}

/// The thread that loads is gone.
fn loaded(pid: i32) -> bool {
    std::thread::sleep(Duration::from_secs(1));
    let names = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    names.filter_map(|t| std::fs::read_to_string(t.path().join("comm")).ok()).all(|name| name.trim() != "memories")
}

pub fn private(pid: i32) -> f64 {
    ["Private_Clean", "Private_Dirty"].iter().filter_map(|name| kib(pid, "smaps_rollup", name)).sum::<u64>() as f64 / 1024.0
}

pub fn open(dir: &Path) -> Semantic {
    let s = Settings::default();
    Semantic::open(dir, Shipped::get(), Tuning { formula: Formula::default(), floor: s.recall_floor, merge: s.merge_threshold }).unwrap()
}

fn recalls(what: &str, store: &Semantic, mut question: impl FnMut() -> String) {
    let mut spread = Spread::default();
    for _ in 0..RECALLS {
        let question = question();
        let began = Instant::now();
        let found = store.recall(&question, WANTED, None, clock::now()).unwrap();
        spread.time(began.elapsed());
        assert!(!found.is_empty());
    }
    say(what, &spread);
}

fn append(store: &Semantic, texts: &mut Texts, what: &str) {
    let mut spread = Spread::default();
    for _ in 0..APPENDS {
        let memory = texts.memory();
        let began = Instant::now();
        store.add(memory, clock::now()).unwrap();
        spread.time(began.elapsed());
    }
    say(what, &spread);
}

/// Folds go on in another thread; who recalls and who keeps does not wait for them.
fn meanwhile(store: &Semantic, texts: &mut Texts) {
    let over = AtomicBool::new(false);
    let (mut recall, mut append, mut folds) = (Spread::default(), Spread::default(), 0);
    std::thread::scope(|scope| {
        let folding = scope.spawn(|| {
            let mut folds = 0;
            while folds < 5 {
                folds += u32::from(store.fold().unwrap());
            }
            over.store(true, Ordering::SeqCst);
            folds
        });
        while !over.load(Ordering::SeqCst) {
            let memory = texts.memory();
            let began = Instant::now();
            store.add(memory, clock::now()).unwrap();
            append.time(began.elapsed());
            let question = texts.question();
            let began = Instant::now();
            store.recall(&question, WANTED, None, clock::now()).unwrap();
            recall.time(began.elapsed());
        }
        folds = folding.join().unwrap();
    });
    line("meanwhile: folds, appends", format!("{folds}, {}", append.len()));
    say("recall while it is folded", &recall);
    say("append while it is folded", &append);
}

/// A process that opens the store and asks one question.
fn opens(dir: &Path, what: &str) {
    let (mut spread, mut memory) = (Spread::default(), 0.0f64);
    for _ in 0..OPENINGS {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let child = command.arg(OPENS).arg(dir).stdout(Stdio::piped()).stdin(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        spread.number(line.trim().parse().unwrap());
        memory = memory.max(private(child.id() as i32));
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
    say(what, &spread);
    line("... that process's private memory", format!("{memory:.0} MiB"));
}

/// That process: says how many milliseconds it took from opening to the first answer, and waits to be looked at.
pub fn opening(dir: &str) {
    let question = Texts::new(1).question();
    let began = Instant::now();
    let store = open(Path::new(dir));
    let found = store.recall(&question, WANTED, None, clock::now()).unwrap();
    assert!(!found.is_empty());
    println!("{}", began.elapsed().as_secs_f64() * 1e3);
    let _ = std::io::stdin().read_line(&mut String::new());
}

pub fn say(what: &str, spread: &Spread) {
    line(what, format!("{:7.2} {:7.2} {:7.2} ms", spread.median(), spread.at(0.99), spread.most()));
}

/// Memories and questions about them: the words are made up, some of them frequent and most of them rare, as words are.
pub struct Texts {
    rng: fastrand::Rng,
    words: Vec<String>,
}

impl Texts {
    pub fn new(seed: u64) -> Texts {
        let mut rng = fastrand::Rng::with_seed(11);
        let syllables =
            ["ba", "con", "de", "fi", "gra", "in", "lo", "men", "no", "per", "qui", "ra", "ser", "ta", "ver", "ment", "tion", "ing"];
        let words = (0..20_000).map(|_| (0..rng.usize(2..5)).map(|_| syllables[rng.usize(..syllables.len())]).collect()).collect();
        Texts { rng: fastrand::Rng::with_seed(seed), words }
    }

    fn words(&mut self, n: usize) -> String {
        // Rank by a power of a uniform figure: near enough to Zipf's law.
        let mut word = || self.words[(self.rng.f64().powi(3) * self.words.len() as f64) as usize].as_str();
        let mut text = word().to_owned();
        for i in 1..n {
            // English words between, as in any text.
            let glue = ["the", "of", "to", "in", "is", "and"][i % 6];
            text.push(' ');
            if i % 3 == 0 {
                text.push_str(glue);
                text.push(' ');
            }
            text.push_str(word());
        }
        text
    }

    pub fn memory(&mut self) -> NewMemory {
        let n = self.rng.usize(8..24);
        let number = self.rng.u32(..);
        NewMemory {
            text: format!("{} {number}.", self.words(n)),
            category: Category::ALL[self.rng.usize(..Category::ALL.len())],
            importance: self.rng.f64(),
            source: MemorySource::Operator,
            external: false,
            created_at: Some(Timestamp(clock::now().0 - self.rng.i64(0..20_000_000_000))),
        }
    }

    pub fn question(&mut self) -> String {
        format!("What is {}?", self.words(8))
    }

    fn prompt(&mut self) -> String {
        self.words(500).chars().take(4096).collect()
    }
}
