//! A process that keeps, folds and embeds anew is killed again and again: what it acknowledged is there. `ORC_CHAOS_KILLS=500` kills
//! more often, `ORC_CHAOS_SEED` repeats a run.

use super::{fact, open};
use orc::domain::{Memory, MemoryFilter, MemoryId, Standing, Timestamp};
use orc::memory::{Added, Change, EmbedError, Embedder, Semantic};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

const DIR: &str = "ORC_TEST_MEMORY_CHILD";
const SEED: &str = "ORC_TEST_MEMORY_SEED";
const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// Nothing takes this long, unless it never comes.
const DEADLINE: Duration = Duration::from_secs(120);

/// An embedding that is no local one, so that its vectors are made in the background and saved on the way.
struct Toy(String);

impl Toy {
    /// Each run has another one than the run before, and one out of two has other dimensions.
    fn of(run: u64) -> Arc<Toy> {
        Arc::new(Toy(format!("toy:{}@{}", run / 2, 8 + 8 * (run / 2 % 2))))
    }
}

impl Embedder for Toy {
    fn id(&self) -> &str {
        &self.0
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let dim = self.0.rsplit('@').next().unwrap().parse().unwrap();
        let of = |text: &&str| {
            let mut v = vec![0.1f32; dim];
            text.bytes().for_each(|b| v[usize::from(b) % dim] += 1.0);
            let length = v.iter().map(|x| x * x).sum::<f32>().sqrt();
            v.iter_mut().for_each(|x| *x /= length);
            v
        };
        Ok(texts.iter().map(of).collect())
    }
}

fn say(line: &str) {
    // One write: a line is whole or was never said.
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// The process that is killed: one thread keeps and changes memories and says what was acknowledged, another one tidies.
#[test]
#[ignore = "a program for the test below"]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let run: u64 = std::env::var(SEED).unwrap().parse().unwrap();
    let mut rng = fastrand::Rng::with_seed(run);
    let store = open(Path::new(&dir), Toy::of(run));
    let ids: Vec<MemoryId> = all(&store).iter().map(|m| m.id).collect();
    say("open");
    let tidying = store.clone();
    std::thread::spawn(move || {
        loop {
            say("~ tidies");
            tidying.maintain(&mut |progress| say(if progress.is_some() { "~ embeds anew" } else { "~ embedded" })).unwrap();
            say("~ folds");
            tidying.fold().unwrap();
        }
    });
    keeps(&store, &mut rng, run, ids);
}

/// What is said: `add ID TEXT`, `changed ID OPERATION`, `recalled ID`, `forgot ID`. Each number of an operation is greater than those before.
fn keeps(store: &Semantic, rng: &mut fastrand::Rng, run: u64, mut ids: Vec<MemoryId>) {
    for n in 0..u64::MAX {
        let operation = run * 1_000_000 + n;
        match (rng.u32(0..10), ids.is_empty()) {
            (0..5, _) | (_, true) => {
                let text = format!("word{operation} of run {run}");
                let Added::New(id) = store.add(fact(&text), NOW).unwrap() else { panic!("{text} is new") };
                ids.push(id);
                say(&format!("add {id} {text}"));
            }
            (5, _) => {
                let texts: Vec<String> = (0..20).map(|i| format!("word{operation}x{i} of a batch of run {run}")).collect();
                let added = store.add_all(texts.iter().map(|t| fact(t)).collect(), NOW).unwrap();
                for (added, text) in added.into_iter().zip(texts) {
                    let Added::New(id) = added else { panic!("{text} is new") };
                    ids.push(id);
                    say(&format!("add {id} {text}"));
                }
            }
            (what, _) => {
                let id = ids[rng.usize(..ids.len())];
                match what {
                    6 | 7 => {
                        let change = Change { importance: Some(operation as f64), ..Change::default() };
                        store.edit(id, change, NOW).unwrap();
                        say(&format!("changed {id} {operation}"));
                    }
                    8 => {
                        store.mark_recalled(&[id], NOW).unwrap();
                        say(&format!("recalled {id}"));
                    }
                    _ => {
                        store.forget(id, NOW).unwrap();
                        say(&format!("forgot {id}"));
                    }
                }
            }
        }
    }
}

fn all(store: &Semantic) -> Vec<Memory> {
    store.list(&MemoryFilter { standing: Standing::Any, ..MemoryFilter::default() }, None, usize::MAX >> 1).unwrap()
}

/// What was acknowledged of one memory.
#[derive(Debug, Default)]
struct Told {
    text: String,
    importance: f64,
    recalls: u32,
    forgotten: bool,
}

#[derive(Default)]
struct Ledger {
    told: BTreeMap<MemoryId, Told>,
    /// Every number that was ever seen, with its text: also of what was kept and not acknowledged any more.
    seen: BTreeMap<MemoryId, String>,
    /// What the tidying thread has said last.
    at: String,
    /// How often it was killed at what.
    killed: BTreeMap<String, u32>,
    /// How often something was kept that nobody was told of any more: the kill came amid an append.
    unheard: u32,
}

impl Ledger {
    fn hear(&mut self, line: &str) {
        let mut words = line.splitn(3, ' ');
        if let Some(at) = line.strip_prefix("~ ") {
            self.at = at.to_owned();
        }
        let (what, id) = (words.next().unwrap(), words.next().and_then(|w| w.parse().ok()).map(MemoryId));
        let Some(id) = id else { return };
        match what {
            "add" => {
                assert!(self.seen.keys().next_back().is_none_or(|last| *last < id), "{line}: the number was given before");
                let text = words.next().unwrap().to_owned();
                self.seen.insert(id, text.clone());
                self.told.insert(id, Told { text, ..Told::default() });
            }
            "changed" => self.told.entry(id).or_default().importance = words.next().unwrap().parse().unwrap(),
            "recalled" => self.told.entry(id).or_default().recalls += 1,
            "forgot" => self.told.entry(id).or_default().forgotten = true,
            _ => {}
        }
    }

    /// Everything acknowledged is in the store; what more there is, is one that was not acknowledged in time.
    fn check(&mut self, store: &Semantic, when: &str) {
        let rows = all(store);
        let by_id: BTreeMap<MemoryId, &Memory> = rows.iter().map(|m| (m.id, m)).collect();
        assert_eq!(by_id.len(), rows.len(), "{when}: a number twice");
        for (id, told) in &self.told {
            let m = by_id.get(id).unwrap_or_else(|| panic!("{when}: memory {id} is lost: {told:?}"));
            let whole = (told.text.is_empty() || m.text == told.text)
                && m.importance >= told.importance
                && m.access_count >= told.recalls
                && (m.forgotten_at.is_some() || !told.forgotten);
            assert!(whole, "{when}: {told:?} was acknowledged, and there is {m:?}");
        }
        let untold = |m: &Memory| self.told.get(&m.id).is_none_or(|t| t.recalls < m.access_count || t.importance < m.importance);
        self.unheard += u32::from(rows.iter().any(untold));
        for m in rows {
            let before = self.seen.entry(m.id).or_insert_with(|| m.text.clone());
            assert_eq!(*before, m.text, "{when}: number {} was another memory's", m.id);
            // Nobody else changes it: from now on it counts as acknowledged.
            let forgotten = m.forgotten_at.is_some();
            self.told.insert(m.id, Told { text: m.text, importance: m.importance, recalls: m.access_count, forgotten });
        }
    }
}

/// A child, and what it says.
struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Running {
    fn start(dir: &Path, run: u64) -> Running {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "memory::crash::child", "--ignored", "--nocapture"])
            .env(DIR, dir)
            .env(SEED, run.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        Running { child, lines }
    }

    /// Hears so many lines, or fewer if the tidying thread is at something, and whatever comes within a time after them.
    fn hear(&self, ledger: &mut Ledger, lines: usize, at: &str, then: Duration) {
        let mut heard = 0;
        while heard < lines {
            let line = self.lines.recv_timeout(DEADLINE).expect("the child says something or has died");
            // Before it, the test harness has said what it is about to run.
            heard += usize::from(heard > 0 || line.ends_with("open"));
            ledger.hear(&line);
            if ledger.at == at {
                break;
            }
        }
        match self.lines.recv_timeout(then) {
            Ok(line) => ledger.hear(&line),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the child has died"),
        }
    }

    /// SIGKILL, and what was said before.
    fn kill(mut self, ledger: &mut Ledger) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.iter().for_each(|line| ledger.hear(&line));
        *ledger.killed.entry(std::mem::take(&mut ledger.at)).or_default() += 1;
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

#[test]
fn whatever_was_acknowledged_is_there_however_often_the_process_is_killed() {
    let (kills, seed) = (number("ORC_CHAOS_KILLS").unwrap_or(50), number("ORC_CHAOS_SEED").unwrap_or(1));
    println!("ORC_CHAOS_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::default();
    for kill in 0..kills {
        let running = Running::start(dir.path(), kill);
        // Each moment in turn; the vectors of a run are anew in every second one, and then the first thing that is done.
        match ["embeds anew", "folds", "", "tidies"][kill as usize % 4] {
            "" => running.hear(&mut ledger, rng.usize(1..150), "", Duration::from_micros(rng.u64(0..3000))),
            at => running.hear(&mut ledger, 300, at, Duration::from_micros(rng.u64(0..3000))),
        }
        running.kill(&mut ledger);
        let when = format!("after kill {kill}");
        // The index's image spares reading the dataset: the dataset has to have it all, too.
        if rng.u32(0..3) == 0 && dir.path().join("index").exists() {
            std::fs::remove_dir_all(dir.path().join("index")).unwrap();
        }
        let store = open(dir.path(), Toy::of(kill));
        ledger.check(&store, &when);
        store.check().unwrap_or_else(|e| panic!("{when}: {e}"));
        // One fold in four comes to its end for sure: then the next run has vectors that it makes anew.
        if kill % 4 == 3 {
            store.maintain(&mut |_| ()).unwrap();
            store.fold().unwrap();
        }
    }
    let last = Toy::of(kills + 2);
    let store = open(dir.path(), last.clone());
    store.maintain(&mut |_| ()).unwrap();
    store.fold().unwrap();
    drop(store);
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let store = open(dir.path(), last.clone());
    ledger.check(&store, "at the end, from the dataset alone");
    let standings = store.standings().unwrap();
    assert_eq!((standings.embedder.as_deref(), standings.without_vector, standings.damaged), (Some(last.id()), 0, 0));
    let (id, told) = ledger.told.iter().find(|(_, told)| !told.forgotten).unwrap();
    let found = store.recall(told.text.split(' ').next().unwrap(), 3, None, NOW).unwrap();
    assert!(found.iter().any(|r| r.memory.id == *id), "{told:?} is not among {found:?}");
    if kills >= 50 {
        let hit = |at: &str| ledger.killed.get(at).copied().unwrap_or(0);
        let hits = (hit("embeds anew"), hit("folds"), hit("tidies"), ledger.unheard);
        assert!(
            hits.0 > 0 && hits.1 > 0 && hits.2 > 0 && hits.3 > 0,
            "a moment was never hit: {:?}, {} amid an append",
            ledger.killed,
            ledger.unheard
        );
    }
    println!("{} times amid an append", ledger.unheard);
    println!("{kills} kills, by what was going on beside the writing: {:?}; {} memories", ledger.killed, ledger.told.len());
}
