//! What a judge's answer does to the store: what is new, said already, contradicted, over, or from outside.

use orc::config::Settings;
use orc::domain::{AttemptId, Category, Formula, JobId, Memory, MemoryId, MemorySource, Timestamp};
use orc::engine::learn;
use orc::memory::{NewMemory, Semantic, Shipped, Tuning};
use orc::store::Lesson;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_770_000_000_000);
const HOST: &str = "The billing service is deployed to the staging host with the script tools/ship.";

struct Bench {
    _dir: tempfile::TempDir,
    store: Semantic,
}

impl Bench {
    fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let tuning = Tuning { formula: Formula::default(), floor: 0.3, merge: 0.95 };
        let store = Semantic::open(&dir.path().join("memory"), Shipped::get(), tuning).unwrap();
        Bench { _dir: dir, store }
    }

    fn keep(&self, text: &str, category: Category, source: MemorySource, external: bool) -> MemoryId {
        let new = NewMemory { text: text.into(), category, importance: 0.4, source, external, created_at: None };
        match self.store.add(new, NOW).unwrap() {
            orc::memory::Added::New(id) | orc::memory::Added::Merged(id) => id,
        }
    }

    fn learn(&self, memories: Value, forget: &[i64]) -> String {
        let answer = json!({ "memories": memories, "forget": forget }).to_string();
        let lesson = Lesson { attempt: AttemptId(9), job: JobId(7), answer };
        learn(&self.store, &lesson, &Settings::default(), NOW).unwrap()
    }

    fn get(&self, id: MemoryId) -> Memory {
        self.store.get(id).unwrap().unwrap()
    }
}

fn job() -> MemorySource {
    MemorySource::Job { job: JobId(3), attempt: None }
}

fn fact(text: &str, external: bool, supersedes: &[MemoryId]) -> Value {
    json!({ "text": text, "category": "fact", "importance": 0.7, "external": external, "supersedes": supersedes })
}

#[test]
fn what_contradicts_supersedes_and_waits_to_be_judged() {
    let b = Bench::new();
    let old = b.keep("The proxy listens on port 8443.", Category::Fact, MemorySource::Operator, false);
    let said = b.learn(json!([fact("The proxy listens on port 9443.", false, &[old])]), &[]);
    assert!(said.contains("1 kept, 1 superseded"), "{said}");
    assert_eq!((b.get(old).superseded_by, b.get(old).disputed), (Some(MemoryId(2)), true));
    assert_eq!(b.store.conflicts().unwrap().len(), 1);
    // Done twice it changes nothing.
    b.learn(json!([fact("The proxy listens on port 9443.", false, &[old])]), &[]);
    assert_eq!((b.store.conflicts().unwrap().len(), b.store.standings().unwrap().memories), (1, 2));
}

#[test]
fn what_is_from_outside_stays_that_and_overrules_nothing_else() {
    let b = Bench::new();
    let mail = b.keep("The carrier refuses parcels over 30 kg.", Category::Fact, job(), true);
    let ours = b.keep("Invoices go out as PDF.", Category::Preference, MemorySource::Operator, false);
    // Said anew without the mark, it has it still.
    let said = b.learn(json!([fact("The carrier takes no parcels over 30 kg since May.", false, &[mail])]), &[]);
    assert!(said.contains("1 kept, 1 superseded"), "{said}");
    let new = b.get(mail).superseded_by.unwrap();
    assert!(b.get(new).external);
    // And through that it overrules nothing of ours.
    let said = b.learn(json!([fact("Invoices go out as Word files.", false, &[new, ours])]), &[]);
    assert!(said.contains("1 left as they are"), "{said}");
    assert!(b.get(ours).holds());
    // A job that repeats it does not take the mark away; the operator does.
    let said = b.learn(json!([fact("The carrier takes no parcels over 25 kg.", true, &[])]), &[]);
    assert!(said.contains("1 kept"), "{said}");
    let claim = MemoryId(b.store.standings().unwrap().memories as i64);
    for (source, external) in [(job(), true), (MemorySource::Import { name: "wiki".into() }, true), (MemorySource::Operator, false)] {
        assert_eq!(b.keep("The carrier takes no parcels over 25 kg.", Category::Fact, source, false), claim);
        assert_eq!(b.get(claim).external, external);
    }
}

#[test]
fn what_is_said_in_nearly_the_same_words_is_kept_once() {
    let b = Bench::new();
    let old = b.keep(HOST, Category::Fact, MemorySource::Operator, false);
    let said = b.learn(json!([fact("The billing service is deployed onto the staging host with the script tools/ship.", false, &[])]), &[]);
    assert!(said.contains("1 merged"), "{said}");
    assert_eq!((b.get(old).text.as_str(), b.get(old).importance), (HOST, 0.7));
    // Other figures, or a "never", are another fact.
    let said =
        b.learn(json!([fact("The billing service is never deployed to the staging host with the script tools/ship.", false, &[])]), &[]);
    assert!(said.contains("1 kept"), "{said}");
}

#[test]
fn a_models_word_forgets_only_what_passes_or_matters_little() {
    let b = Bench::new();
    let event = b.keep("The server room was painted.", Category::Event, job(), false);
    let ours = b.keep("Invoices go out as PDF.", Category::Preference, MemorySource::Operator, false);
    let said = b.learn(json!([]), &[event.0, ours.0, 99]);
    assert!(said.contains("1 forgotten, 1 left as they are"), "{said}");
    assert!(b.get(event).forgotten_at.is_some() && b.get(ours).holds());
}
