//! Memory at work: what one job taught is given to the next, with real engines and job processes; with the real Claude Code
//! against the model server where it is installed.

use super::Bench;
use crate::agents::{Mock, installed};
use orc::domain::{Applied, Command, Job, JobId, JobSpec, JobState, Kind, MemoryFilter, MemoryId, Origin};
use orc::engine::Library;
use orc::memory::Semantic;
use orc::store::StoreError;
use serde_json::json;

const QUESTION: &str = "Deploy the billing service to staging";
const FACT: &str = "The billing service is deployed with tools/ship, never with kubectl: kubectl skips the migration.";

/// A script of the replay backend that gives this answer.
fn plays(answer: &str) -> String {
    let text = json!({"event": {"type": "text", "text": answer}});
    format!("replay:\n{text}\n{}\n", json!({"event": {"type": "result", "ok": true}}))
}

impl Bench {
    pub(super) fn memory(&self) -> Semantic {
        let settings = orc::config::load(&self.workspace, &[]).unwrap();
        Library::new(self.workspace.clone()).store(&settings).unwrap()
    }

    /// The job that judges another, once it is there.
    pub(super) fn judge_of(&self, of: JobId) -> Job {
        self.within(|| {
            let all = self.store.jobs(&Default::default(), orc::domain::Page { before: None, limit: 100 }).unwrap();
            let jobs = all.iter().filter_map(|row| self.store.job(row.id).unwrap());
            jobs.into_iter().find(|j| j.spec.tags.contains(&format!("of:{of}")))
        })
    }

    fn prompt(&self, job: JobId) -> String {
        let attempt = self.job(job).attempt.unwrap();
        std::fs::read_to_string(self.workspace.attempt_dir(attempt).join(orc::wire::files::PROMPT)).unwrap()
    }

    pub(super) fn remember(&self, text: &str) {
        let line = ["memory", "add", text, "--category", "lesson", "--importance", "0.9"];
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_orc"))
            .env_clear()
            .arg("--workspace")
            .arg(self.path("ws"))
            .args(line)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn said(&self, job: JobId, text: &str) -> bool {
        let filter = orc::domain::LogFilter { job: Some(job), text: text.to_owned() };
        !self.store.log(&filter, orc::domain::Page { before: None, limit: 10 }).unwrap().is_empty()
    }
}

fn asks(question: &str) -> JobSpec {
    JobSpec::new(question, "replay", format!("{question}.\n{}", plays("done")))
}

#[test]
fn a_job_gets_what_bears_on_it_and_a_veto_keeps_it_away() -> Result<(), StoreError> {
    let mut b = Bench::new(&[]);
    b.remember(FACT);
    b.start();
    let job = b.add(asks(QUESTION));
    assert_eq!(b.ends(job), JobState::Done);
    let prompt = b.prompt(job);
    assert!(prompt.contains("# What is remembered") && prompt.contains(FACT) && prompt.contains("the operator]"), "{prompt}");
    let given = b.store.recalls(job)?;
    assert_eq!((given.len(), given[0].rank, given[0].memory), (1, 1, MemoryId(1)));
    assert!(given[0].score > 0.0 && given[0].terms.similarity > 0.0 && !given[0].penalised, "{given:?}");
    assert_eq!(b.within(|| b.memory().get(MemoryId(1)).unwrap().filter(|m| m.access_count == 1)).access_count, 1);

    assert!(matches!(b.apply(Command::VetoMemory { job, memory: MemoryId(1), on: true }), Applied::Done { .. }));
    assert!(b.store.recalls(job)?[0].vetoed);
    b.apply(Command::Retry { job, seen: None });
    b.within(|| (b.attempts(job).len() == 2 && b.job(job).state == JobState::Done).then_some(()));
    assert!(!b.prompt(job).contains(FACT));
    // Its own prompt is a script: memory is for what uses a model.
    let shell = b.run("true");
    assert_eq!(b.ends(shell), JobState::Done);
    assert!(b.store.recalls(shell)?.is_empty());
    Ok(())
}

#[test]
fn what_a_judge_answers_is_kept_even_across_a_crash() -> Result<(), StoreError> {
    let mut b = Bench::new(&[]);
    // A judge by hand: what the engine makes of any answer, without a model.
    let answer = json!({"memories": [{"text": FACT, "category": "lesson", "importance": 0.8}]}).to_string();
    let judge = |answer: &str| JobSpec {
        kind: Kind::Capture,
        origin: Origin::Engine,
        max_attempts: 2,
        tags: vec!["of:1".into(), "outside:true".into()],
        ..JobSpec::new("judge", "replay", plays(answer))
    };
    // The store cannot be opened: the answer waits in the database.
    let dir = b.workspace.memory_dir();
    std::fs::rename(&dir, dir.with_extension("away")).unwrap();
    std::fs::write(&dir, "").unwrap();
    let of = b.run("true");
    let first = b.add(judge(&answer));
    b.start();
    assert_eq!((b.ends(of), b.ends(first)), (JobState::Done, JobState::Done));
    b.within(|| (!b.store.open_lessons().unwrap().is_empty()).then_some(()));
    b.crash();
    std::fs::remove_file(&dir).unwrap();
    std::fs::rename(dir.with_extension("away"), &dir).unwrap();
    b.start();
    b.within(|| b.store.open_lessons().unwrap().is_empty().then_some(()));
    let kept = b.memory().list(&MemoryFilter::default(), None, 10).unwrap();
    assert_eq!((kept.len(), kept[0].text.as_str(), kept[0].external), (1, FACT, true));
    b.within(|| b.said(first, "1 kept").then_some(()));

    let bad = b.add(judge("I found nothing of interest."));
    assert_eq!(b.ends(bad), JobState::Failed);
    assert_eq!(b.attempts(bad).len(), 2, "tried once more");
    assert!(b.job(bad).note.unwrap().contains("its answer cannot be used: it holds no JSON object"));
    Ok(())
}

#[test]
fn a_store_that_cannot_be_opened_costs_the_memories_and_no_job() {
    let mut b = Bench::new(&[]);
    let dir = b.workspace.memory_dir();
    std::fs::remove_dir_all(&dir).unwrap();
    std::fs::write(&dir, "").unwrap();
    b.start();
    let job = b.add(asks(QUESTION));
    assert_eq!(b.ends(job), JobState::Done);
    assert!(b.said(job, "starts without memories"));
    // It shows before any job has met with it, and the job says why it went without.
    let log = b.within(|| Some(b.store.log_after(0, 9999).unwrap()).filter(|l| l.iter().any(|l| l.text.contains("upkeep of what"))));
    assert!(log.iter().any(|l| l.what == "memory" && l.severity == orc::domain::Severity::Warn), "{log:?}");
    let why = b.command("orc").args(["memory", "why", &job.to_string()]).output().unwrap();
    let why = String::from_utf8_lossy(&why.stdout).into_owned() + &String::from_utf8_lossy(&why.stderr);
    assert!(why.contains("was given nothing from memory: it starts without memories: "), "{why}");
}

#[test]
fn claude_captures_a_fact_from_one_job_and_gets_it_in_the_next() -> Result<(), StoreError> {
    let Some(program) = installed("claude") else { return Ok(()) };
    let mock = Mock::start();
    let answer = json!({"memories": [{"text": FACT, "category": "lesson", "importance": 0.9}]}).to_string();
    mock.scenario(&json!({"rules": [
        {"match": {"prompt": "Judge whether a finished job taught something"}, "turns": [{"text": answer}]},
        {"match": {"prompt": "Find out how billing is shipped"}, "turns": [{"text": "It is tools/ship; kubectl skips the migration."}]},
        {"match": {"prompt": "Deploy the billing service"}, "turns": [{"text": "Deployed."}]},
    ]}));
    let mut b = Bench::new(&["memory_backend=claude", &format!("backend.claude.program={}", program.display())]);
    b.env.insert("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{}", mock.port));
    b.env.insert("ANTHROPIC_API_KEY", "test-key".to_owned());
    b.start();
    let first = b.add(JobSpec::new("Billing", "claude", "Find out how billing is shipped."));
    assert_eq!(b.ends(first), JobState::Done, "{:?}", b.job(first).note);
    let judge = b.judge_of(first);
    assert_eq!((judge.spec.kind, judge.spec.backend.as_str()), (Kind::Capture, "claude"));
    assert_eq!(b.ends(judge.id), JobState::Done, "{:?}", b.job(judge.id).note);
    b.within(|| b.said(judge.id, "1 kept").then_some(()));
    mock.requests();

    let next = b.add(JobSpec::new("Billing again", "claude", QUESTION));
    assert_eq!(b.ends(next), JobState::Done, "{:?}", b.job(next).note);
    assert!(mock.requests().iter().any(|r| r.contains("never with kubectl") && r.contains("What is remembered")), "the model has seen it");
    let why = std::process::Command::new(env!("CARGO_BIN_EXE_orc"))
        .env_clear()
        .arg("--workspace")
        .arg(b.path("ws"))
        .args(["memory", "why", &next.to_string(), "--json"])
        .output()
        .unwrap();
    let why: serde_json::Value = serde_json::from_slice(&why.stdout).unwrap();
    assert!(why[0]["text"].as_str().unwrap().contains(&format!("job {first}] {FACT}")), "{why}");
    assert!(why[0]["terms"]["similarity"].as_f64().unwrap() > 0.0 && why[0]["score"].as_f64().unwrap() > 0.0, "{why}");
    Ok(())
}
