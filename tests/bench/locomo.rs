//! How well memories are found: the questions of LoCoMo (<https://github.com/snap-research/LoCoMo>, CC BY-NC 4.0: for evaluation
//! only, so its file is never a part of this repository) against what its dialogues say, through the store's own recall.
//!
//! Each dialogue is a store. Its memories are, in one run, its turns ("Speaker: text", with the caption of a shared picture), and in
//! another the facts that the dataset's authors had drawn from them, each standing for the turns that it names. A question counts
//! when its category is 1 to 4 and it names turns that the dialogue has. Recall@k is the share of these turns that the first k memories
//! stand for, as a mean over all questions of all dialogues; for some turns no fact stands, so that facts cannot reach 100.

use crate::spread::line;
use chrono::{NaiveDateTime, TimeDelta};
use orc::domain::{Category, Formula, MemoryId, MemorySource, Recalled, Timestamp};
use orc::memory::{Added, NewMemory, Semantic, Shipped, Side, Tuning};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

const KS: [usize; 3] = [5, 10, 20];

/// A turn's number, as `D3:14` names it.
type Turn = (u32, u32);

/// What decides the order.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Alone(Side),
    /// The formula, every memory of a category that lasts.
    Score,
    /// The formula, every memory of a category that passes: by its shorter half-life.
    Passing,
}

const ALL: [(&str, &str, By); 5] = [
    ("words", "words alone (BM25)", By::Alone(Side::Words)),
    ("vectors", "vectors alone", By::Alone(Side::Vectors)),
    ("hybrid", "both (hybrid)", By::Alone(Side::Both)),
    ("score", "the full score", By::Score),
    ("passing", "the full score, all of it passing events", By::Passing),
];

/// One dialogue.
struct Dialogue {
    turns: Vec<Memo>,
    facts: Vec<Memo>,
    questions: Vec<(String, BTreeSet<Turn>)>,
    /// A day after the last session.
    now: Timestamp,
}

/// A text with what it stands for.
struct Memo {
    text: String,
    turns: Vec<Turn>,
    at: Timestamp,
}

pub fn run(arguments: &[String]) {
    let mut arguments = arguments.iter().map(String::as_str);
    let path = arguments.next().expect("locomo needs the path of a LoCoMo file, such as locomo10.json");
    let only = match (arguments.next(), arguments.next()) {
        (None, _) => None,
        (Some("--by"), Some(by)) if ALL.iter().any(|(name, ..)| *name == by) => Some(by),
        _ => panic!("after the path there is only --by words|vectors|hybrid|score|passing"),
    };
    let dialogues = read(Path::new(path));
    println!("locomo: {} dialogues, evidence recall within each, in percent; embedder {}", dialogues.len(), id());
    for (name, of) in [("turns", (|d| &d.turns) as fn(&Dialogue) -> &Vec<Memo>), ("facts", |d| &d.facts)] {
        let memories: usize = dialogues.iter().map(|d| of(d).len()).sum();
        if memories == 0 {
            println!("\nno {name} in this file");
            continue;
        }
        let mut figures = BTreeMap::new();
        let mut questions = 0;
        for (key, title, by) in ALL.iter().filter(|(key, ..)| only.is_none_or(|o| o == *key)) {
            let shares: Vec<[f64; 3]> = dialogues.iter().flat_map(|d| shares(d, of(d), *by)).collect();
            if questions == 0 {
                questions = shares.len();
                println!(
                    "\n{name}: {memories} memories, {questions} questions\n  {:<44} {}",
                    "",
                    KS.map(|k| format!("{:>6}", format!("@{k}"))).join("")
                );
            }
            let mean = [0, 1, 2].map(|i| 100.0 * shares.iter().map(|s| s[i]).sum::<f64>() / shares.len() as f64);
            line(title, mean.map(|m| format!("{m:6.1}")).join(""));
            figures.insert(*key, mean);
        }
        if let (Some(words), Some(vectors), Some(both), Some(score)) =
            (figures.get("words"), figures.get("vectors"), figures.get("hybrid"), figures.get("score"))
        {
            let least = (0..3).map(|i| both[i] - words[i].max(vectors[i])).fold(f64::INFINITY, f64::min);
            line("both beat the better of the two by at least", format!("{least:6.1}"));
            line("the full score costs", (0..3).map(|i| format!("{:6.1}", both[i] - score[i])).collect::<String>());
        }
    }
}

fn id() -> String {
    orc::memory::Embedder::id(&*Shipped::get()).to_owned()
}

/// For each question the share of its evidence among the first memories.
fn shares(dialogue: &Dialogue, memos: &[Memo], by: By) -> Vec<[f64; 3]> {
    let dir = tempfile::tempdir().unwrap();
    let defaults = orc::config::Settings::default();
    let tuning = Tuning { formula: Formula::default(), floor: defaults.recall_floor, merge: defaults.merge_threshold };
    let store = Semantic::open(dir.path(), Shipped::get(), tuning).unwrap();
    let mut stands_for = BTreeMap::<MemoryId, Vec<Turn>>::new();
    // Importance says nothing about what is asked: it is drawn, always alike.
    let mut rng = fastrand::Rng::with_seed(7);
    let new = |m: &Memo| NewMemory {
        text: m.text.clone(),
        category: if by == By::Passing { Category::Event } else { Category::Fact },
        importance: 0.3 + 0.6 * rng.f64(),
        source: MemorySource::Import { name: "LoCoMo".into() },
        external: false,
        created_at: Some(m.at),
    };
    let added = store.add_all(memos.iter().map(new).collect(), dialogue.now).unwrap();
    for (Added::New(id) | Added::Merged(id), memo) in added.into_iter().zip(memos) {
        stands_for.entry(id).or_default().extend(&memo.turns);
    }
    let there: BTreeSet<Turn> = dialogue.turns.iter().flat_map(|t| t.turns.iter().copied()).collect();
    let found = |question: &str, k: usize| -> Vec<Recalled> {
        match by {
            By::Alone(side) => store.likest(question, k, side).unwrap(),
            By::Score | By::Passing => store.recall(question, k, None, dialogue.now).unwrap(),
        }
    };
    let mut all = Vec::new();
    for (question, evidence) in &dialogue.questions {
        let evidence: BTreeSet<Turn> = evidence.intersection(&there).copied().collect();
        if evidence.is_empty() {
            continue;
        }
        all.push(KS.map(|k| {
            let seen: BTreeSet<Turn> = found(question, k).iter().flat_map(|r| stands_for[&r.memory.id].iter().copied()).collect();
            evidence.intersection(&seen).count() as f64 / evidence.len() as f64
        }));
    }
    all
}

fn read(path: &Path) -> Vec<Dialogue> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{} cannot be read: {e}", path.display()));
    let file: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{} is no JSON: {e}", path.display()));
    let all = file.as_array().map_or(std::slice::from_ref(&file), Vec::as_slice);
    let dialogues: Vec<Dialogue> = all.iter().filter_map(dialogue).collect();
    assert!(!dialogues.is_empty(), "{} holds no dialogue: one has `conversation` and `qa`", path.display());
    dialogues
}

fn dialogue(v: &Value) -> Option<Dialogue> {
    let conversation = v["conversation"].as_object()?;
    let at = |session: &str| {
        let said = conversation.get(&format!("{session}_date_time")).and_then(Value::as_str);
        said.map_or(Timestamp(0), date)
    };
    let sessions = conversation.iter().filter_map(|(name, turns)| Some((name, turns.as_array()?)));
    let mut turns = Vec::new();
    for (session, said) in sessions {
        for t in said {
            let text = |key: &str| t[key].as_str().map(str::trim).filter(|s| !s.is_empty());
            let shares = text("blip_caption").map(|c| format!(" [shares {c}]")).unwrap_or_default();
            let line = format!("{}: {}{shares}", text("speaker").unwrap_or("?"), text("text").unwrap_or_default());
            turns.push(Memo { text: line, turns: numbers(&t["dia_id"]), at: at(session) });
        }
    }
    let mut facts = Vec::new();
    for (name, of_session) in v["observation"].as_object().into_iter().flatten() {
        let by_speaker = of_session.as_object().into_iter().flatten();
        for fact in by_speaker.filter_map(|(_, facts)| facts.as_array()).flatten() {
            if let Some(text) = fact[0].as_str() {
                facts.push(Memo { text: text.to_owned(), turns: numbers(&fact[1]), at: at(name.trim_end_matches("_observation")) });
            }
        }
    }
    let asked = v["qa"].as_array()?.iter().filter(|q| q["category"].as_u64().is_some_and(|c| (1..=4).contains(&c)));
    let questions =
        asked.filter_map(|q| Some((q["question"].as_str()?.to_owned(), numbers(&q["evidence"]).into_iter().collect()))).collect();
    let last = turns.iter().map(|t: &Memo| t.at).max()?;
    // As they were said: numbers, and so the order of equals, follow time.
    turns.sort_by_key(|t| (t.at, t.turns.clone()));
    facts.sort_by_key(|f| (f.at, f.turns.clone()));
    Some(Dialogue { turns, facts, questions, now: last + Duration::from_secs(24 * 3600) })
}

/// Every `D3:14` in a text or a list of texts; several in one text (`D8:6; D9:17`) and odd spellings (`D:11:26`, `D30:05`) too.
fn numbers(v: &Value) -> Vec<Turn> {
    let texts: Vec<&str> = v.as_array().map_or_else(|| v.as_str().into_iter().collect(), |a| a.iter().filter_map(Value::as_str).collect());
    let mut all = Vec::new();
    for part in texts.iter().flat_map(|t| t.split(|c: char| !c.is_ascii_digit() && c != ':')) {
        let mut figures = part.trim_matches(':').split(':').map(str::parse);
        if let (Some(Ok(session)), Some(Ok(turn))) = (figures.next(), figures.next()) {
            all.push((session, turn));
        }
    }
    all
}

/// "1:56 pm on 8 May, 2023".
fn date(said: &str) -> Timestamp {
    let read = NaiveDateTime::parse_from_str(said.trim(), "%I:%M %p on %d %B, %Y");
    let at = read.unwrap_or_else(|e| panic!("`{said}` is no date as LoCoMo writes it: {e}"));
    Timestamp((at.and_utc() - chrono::DateTime::UNIX_EPOCH).max(TimeDelta::zero()).num_milliseconds())
}
