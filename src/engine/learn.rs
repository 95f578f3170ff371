//! Auto-capture: after a job, another one judges what is worth keeping. Its answer is checked before its job counts as done, and
//! stays in the database until it is in the memory store.

use super::memories::MemoryRequest;
use super::state::{Effect, State};
use crate::config::Backend;
use crate::domain::{
    AttemptId, ExitReport, Job, JobSpec, Kind, MOST_OF_DAY, MOST_OF_JOB, Origin, Outcome, Priority, Timestamp, fill, learned,
};
use crate::store::{Event, Lesson, Store, StoreError, Tx};
use std::io::Read;
use std::time::Duration;

const TEMPLATE: &str = include_str!("../../config/templates/capture.md");
/// How much of a job's prompt and result the judge gets, in bytes.
const PROMPT_CUT: usize = 6 * 1024;
const RESULT_CUT: usize = 16 * 1024;
/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: u64 = 256 * 1024;
/// Between attempts to keep what could not be kept.
const AGAIN: Duration = Duration::from_secs(60);
/// Attempts of a capture or a review: what is no JSON twice will be none.
pub(super) const ATTEMPTS: u32 = 2;

/// Tags of a capture: the job that it is about, and whether that rests on text from outside.
const OF: &str = "of:";
const OUTSIDE: &str = "outside:";

/// True for the kinds whose answer is for the memory store.
fn learns(kind: Kind) -> bool {
    matches!(kind, Kind::Capture | Kind::Consolidate)
}

impl State {
    /// What is due in memory's name.
    pub(super) fn remember(&mut self, tx: &Tx<'_>, now: Timestamp, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        self.start_late(tx, now, out)?;
        if self.remembers && self.learn_at.is_some_and(|t| t <= now) {
            let open = tx.open_lessons()?;
            // Each is told of when it is kept or cannot be: only the latter asks again.
            self.learn_at = None;
            out.extend(open.into_iter().map(|lesson| Effect::Memory(MemoryRequest::Learn { lesson, now })));
        }
        self.review(tx, now, out)
    }

    /// The answer of a capture or a review, read and checked: `None` for every other job, an error where it cannot be used.
    pub(super) fn lesson(&self, job: &Job, report: &ExitReport) -> Result<Option<Lesson>, String> {
        if report.outcome != Outcome::Ok || job.spec.origin != Origin::Engine || !learns(job.spec.kind) {
            return Ok(None);
        }
        let most = if job.spec.kind == Kind::Capture { MOST_OF_JOB } else { MOST_OF_DAY };
        let wrong = |e: String| format!("its answer cannot be used: {e}");
        let text = read_head(report.result_file.as_deref(), LONGEST_ANSWER).ok_or_else(|| wrong("there is none".into()))?;
        let mut learned = learned(&text, most).map_err(wrong)?;
        let tag = |name: &str| job.spec.tags.iter().find_map(|t| t.strip_prefix(name));
        if tag(OUTSIDE) == Some("true") {
            learned.memories.iter_mut().for_each(|m| m.external = true);
        }
        let answer = serde_json::to_string(&learned).map_err(|e| wrong(e.to_string()))?;
        let of = tag(OF).and_then(|id| id.parse().ok()).unwrap_or(job.id);
        Ok(Some(Lesson { attempt: report.attempt, job: of, answer }))
    }

    /// Keeps a checked answer.
    pub(super) fn keep(&mut self, tx: &Tx<'_>, lesson: Lesson, now: Timestamp, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        tx.keep_lesson(&lesson, now)?;
        self.review_kept(tx, lesson.attempt)?;
        out.push(Effect::Memory(MemoryRequest::Learn { lesson, now }));
        Ok(())
    }

    /// What became of an answer.
    pub(super) fn on_learned(
        &mut self,
        tx: &Tx<'_>,
        attempt: AttemptId,
        outcome: Result<String, String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match outcome {
            Ok(outcome) => {
                if tx.lesson_applied(attempt, &outcome, now)? {
                    let job = tx.attempt_job(attempt)?;
                    let text = match job {
                        Some(job) => format!("job {job}: {outcome}"),
                        None => outcome,
                    };
                    tx.event(&Event { job, attempt: Some(attempt), ..Event::new(now, "engine", "memory", &text) })?;
                }
            }
            Err(message) => {
                if self.forgetful.as_ref() != Some(&message) {
                    let text = format!("what a job taught cannot be kept yet: {message}");
                    tx.event(&Event { severity: "warn", attempt: Some(attempt), ..Event::new(now, "engine", "memory", &text) })?;
                }
                self.forgetful = Some(message);
                self.learn_at = Some(now + AGAIN);
            }
        }
        Ok(())
    }

    /// What the memories' upkeep met with, or that it goes well again.
    pub(super) fn on_upkeep(&mut self, tx: &Tx<'_>, trouble: Option<String>, now: Timestamp) -> Result<(), StoreError> {
        if trouble == self.upkeep {
            return Ok(());
        }
        let (severity, text) = match &trouble {
            Some(message) => ("warn", format!("upkeep of what is remembered: {message}")),
            None => ("info", "upkeep of what is remembered goes well again".to_owned()),
        };
        tx.event(&Event { severity, ..Event::new(now, "engine", "memory", &text) })?;
        self.upkeep = trouble;
        Ok(())
    }

    /// After a job that ended well: another one that judges what is worth keeping, where the settings want it.
    pub(super) fn capture(
        &mut self,
        tx: &Tx<'_>,
        job: &Job,
        attempt: AttemptId,
        result_file: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let s = &self.settings;
        if !self.remembers || !s.memory || !s.capture[job.spec.kind] || learns(job.spec.kind) {
            return Ok(());
        }
        if !self.backends.get(&job.spec.backend).is_some_and(Backend::uses_model) {
            return Ok(());
        }
        let Ok(judge) = self.memory_judge().map(|b| b.name.clone()) else { return Ok(()) };
        let Some(result) = read_head(result_file, LONGEST_ANSWER).filter(|r| !r.trim().is_empty()) else {
            return Ok(());
        };
        let recalled: Vec<String> = tx
            .recalls(job.id)?
            .iter()
            .filter(|r| r.attempt == attempt)
            .map(|r| format!("- id {}: {}", r.memory, r.text.trim_start_matches("- ")))
            .collect();
        let recalled = if recalled.is_empty() { "Nothing.".to_owned() } else { recalled.join("\n") };
        let prompt = fill(
            TEMPLATE,
            &[
                ("most", &MOST_OF_JOB.to_string()),
                ("title", &job.spec.title),
                ("prompt", &ends(&job.spec.prompt, PROMPT_CUT)),
                ("recalled", &recalled),
                ("result", &ends(&result, RESULT_CUT)),
            ],
        );
        let spec = JobSpec {
            kind: Kind::Capture,
            priority: Priority::P5,
            max_attempts: ATTEMPTS,
            dedup_key: Some(format!("capture:{attempt}")),
            origin: Origin::Engine,
            tags: vec![format!("{OF}{}", job.id), format!("{OUTSIDE}{}", rests_outside(tx, job)?)],
            ..JobSpec::new(format!("What job {} taught", job.id), judge, prompt)
        };
        tx.add_job(&spec, "engine", now).map(|_| ())
    }
}

/// True for a job whose result rests on text from outside: a message, mail, the web, or a memory that does.
pub(super) fn rests_outside(store: &Store, job: &Job) -> Result<bool, StoreError> {
    Ok(from_outside(job) || store.recalls(job.id)?.iter().any(|r| r.external))
}

/// What the job itself says of that: its marks, its kind, the names of its skills.
fn from_outside(job: &Job) -> bool {
    const MARKS: &[&str] = &["mail", "web", "browser", "inbox", "research", "scrape", "crawl"];
    let marked = |name: &String| MARKS.iter().any(|m| name.to_lowercase().contains(m));
    job.spec.tags.iter().any(|t| t == super::converse::OUTSIDE)
        || job.spec.kind == Kind::Research
        || job.spec.skills.iter().chain(&job.spec.tags).any(marked)
}

/// The first bytes of a file, as text.
pub(in crate::engine) fn read_head(path: Option<&str>, bytes: u64) -> Option<String> {
    let mut head = Vec::new();
    std::fs::File::open(path?).ok()?.take(bytes).read_to_end(&mut head).ok()?;
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// A text's beginning and end, where it is longer than `most` bytes: what was wanted stands first, what came of it last.
pub(super) fn ends(text: &str, most: usize) -> String {
    let text = text.trim();
    if text.len() <= most {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(most / 3);
    let tail = text.ceil_char_boundary(text.len() - (most - most / 3));
    format!("{}\n\n[… {} bytes left out …]\n\n{}", &text[..head], tail - head, &text[tail..])
}
