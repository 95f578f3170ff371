//! What jobs were given from memory, what they may not be given again, and what was learned and is not yet in the memory store.

use super::events::Event;
use super::row::{self};
use super::{Store, StoreError, Tx};
use crate::domain::{Applied, AttemptId, Command, Injected, JobId, MemoryId, Terms, Timestamp};
use rusqlite::{Row, params};

/// What a capture or a consolidation answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesson {
    pub attempt: AttemptId,
    /// The job that it is about: the one that was judged, or the review itself.
    pub job: JobId,
    /// The checked answer, as JSON.
    pub answer: String,
}

impl Tx<'_> {
    /// Notes what an attempt's prompt was given.
    ///
    /// # Errors
    /// The database.
    pub fn note_recalls(&self, recalls: &[Injected]) -> Result<(), StoreError> {
        for r in recalls {
            let t = &r.terms;
            self.run(
                "INSERT INTO recalls (job_id, attempt_id, rank, memory_id, category, text, external, score, similarity, recency,
                                      importance, access, penalised, at, factor)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
                params![
                    r.job.0,
                    r.attempt.0,
                    r.rank,
                    r.memory.0,
                    r.category.as_str(),
                    r.text,
                    r.external,
                    r.score,
                    t.similarity,
                    t.recency,
                    t.importance,
                    t.access,
                    r.penalised,
                    r.at.0,
                    r.factor
                ],
            )?;
        }
        Ok(())
    }

    /// Puts another estimate on an open attempt.
    ///
    /// # Errors
    /// The database.
    pub fn set_estimate(&self, attempt: AttemptId, estimate: u64) -> Result<(), StoreError> {
        self.run("UPDATE attempts SET estimate = ?1 WHERE id = ?2 AND ended_at IS NULL", params![estimate as i64, attempt.0]).map(|_| ())
    }

    /// Keeps a memory away from a job's next attempts, or lets it come again.
    pub(super) fn veto(&self, job: JobId, memory: MemoryId, on: bool, actor: &str, now: Timestamp) -> Result<Applied, StoreError> {
        if self.job(job)?.is_none() {
            return Ok(Applied::Refused { message: StoreError::NoJob(job).to_string() });
        }
        let changed = if on {
            self.run("INSERT OR IGNORE INTO vetoes (job_id, memory_id, at) VALUES (?1, ?2, ?3)", params![job.0, memory.0, now.0])?
        } else {
            self.run("DELETE FROM vetoes WHERE job_id = ?1 AND memory_id = ?2", params![job.0, memory.0])?
        };
        let message = match (on, changed) {
            (true, 0) => return Ok(Applied::Refused { message: format!("memory {memory} is kept away from job {job} already") }),
            (false, 0) => return Ok(Applied::Refused { message: format!("memory {memory} is not kept away from job {job}") }),
            (true, _) => format!("memory {memory} is not given to job {job} again"),
            (false, _) => format!("memory {memory} may be given to job {job} again"),
        };
        self.event(&Event { job: Some(job), ..Event::new(now, actor, "memory", &message) })?;
        Ok(Applied::Done { message, undo: Some(Command::VetoMemory { job, memory, on: !on }) })
    }

    /// Keeps a checked answer until it is in the memory store.
    ///
    /// # Errors
    /// The database.
    pub fn keep_lesson(&self, lesson: &Lesson, now: Timestamp) -> Result<(), StoreError> {
        self.run(
            "INSERT OR IGNORE INTO lessons (attempt_id, job_id, answer, at) VALUES (?1, ?2, ?3, ?4)",
            params![lesson.attempt.0, lesson.job.0, lesson.answer, now.0],
        )
        .map(|_| ())
    }

    /// Notes that an answer is in the memory store, and what came of it.
    ///
    /// # Errors
    /// The database.
    pub fn lesson_applied(&self, attempt: AttemptId, outcome: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.run(
            "UPDATE lessons SET applied_at = ?1, outcome = ?2 WHERE attempt_id = ?3 AND applied_at IS NULL",
            params![now.0, outcome, attempt.0],
        )
        .map(|n| n > 0)
    }

    /// Sets a value of the table `meta`.
    ///
    /// # Errors
    /// The database.
    pub fn set_meta(&self, key: &str, value: &str) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            params![key, value],
        )
        .map(|_| ())
    }
}

impl Store {
    /// What a job was given, attempt by attempt, best first; with the vetoes as they stand now.
    ///
    /// # Errors
    /// The database.
    pub fn recalls(&self, job: JobId) -> Result<Vec<Injected>, StoreError> {
        row::all(
            self,
            "SELECT r.*, EXISTS (SELECT 1 FROM vetoes v WHERE v.job_id = r.job_id AND v.memory_id = r.memory_id) AS vetoed
             FROM recalls r WHERE r.job_id = ?1 ORDER BY r.attempt_id, r.rank",
            [job.0],
            read,
        )
    }

    /// The job of an attempt.
    ///
    /// # Errors
    /// The database.
    pub fn attempt_job(&self, attempt: AttemptId) -> Result<Option<JobId>, StoreError> {
        row::optional(self, "SELECT job_id FROM attempts WHERE id = ?1", [attempt.0], row::job_ids)
    }

    /// The memories that are kept away from a job.
    ///
    /// # Errors
    /// The database.
    pub fn vetoes(&self, job: JobId) -> Result<Vec<MemoryId>, StoreError> {
        row::all(self, "SELECT memory_id FROM vetoes WHERE job_id = ?1 ORDER BY memory_id", [job.0], |r| r.get(0).map(MemoryId))
    }

    /// Answers that are not yet in the memory store, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn open_lessons(&self) -> Result<Vec<Lesson>, StoreError> {
        row::all(self, "SELECT attempt_id, job_id, answer FROM lessons WHERE applied_at IS NULL ORDER BY attempt_id", [], |r| {
            Ok(Lesson { attempt: AttemptId(r.get(0)?), job: JobId(r.get(1)?), answer: r.get(2)? })
        })
    }
}

fn read(r: &Row<'_>) -> rusqlite::Result<Injected> {
    Ok(Injected {
        job: JobId(r.get("job_id")?),
        attempt: AttemptId(r.get("attempt_id")?),
        rank: r.get("rank")?,
        memory: MemoryId(r.get("memory_id")?),
        category: row::word(r, "category")?,
        text: r.get("text")?,
        external: r.get("external")?,
        score: r.get("score")?,
        terms: Terms {
            similarity: r.get("similarity")?,
            recency: r.get("recency")?,
            importance: r.get("importance")?,
            access: r.get("access")?,
        },
        penalised: r.get("penalised")?,
        factor: r.get::<_, Option<f64>>("factor")?.unwrap_or(if r.get("penalised")? { 0.5 } else { 1.0 }),
        vetoed: r.get("vetoed")?,
        at: row::time(r, "at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Actor, Category, JobSpec};
    use crate::store::{Claim, NewWorker, apply};

    const NOW: Timestamp = Timestamp(1_000);

    fn running(store: &mut Store) -> (JobId, AttemptId) {
        store
            .write::<_, StoreError>(|tx| {
                let job = tx.add_job(&JobSpec::new("t", "claude", "p"), "operator", NOW)?.job;
                let new = NewWorker {
                    name: "claude-#".into(),
                    backend: "claude".into(),
                    model: None,
                    persona: None,
                    skills: Vec::new(),
                    persistent: false,
                    project_id: None,
                    directory: "/".into(),
                };
                let worker = tx.add_worker(&new, "engine", NOW)?;
                let claim = Claim {
                    job,
                    worker,
                    worker_name: "claude-1".into(),
                    backend: "claude".into(),
                    model: None,
                    epoch: 1,
                    host: String::new(),
                    token_hash: String::new(),
                    session: None,
                    directory: "/".into(),
                    estimate: 10,
                };
                Ok((job, tx.claim(&claim, NOW)?.unwrap()))
            })
            .unwrap()
    }

    #[test]
    fn what_a_job_was_given_reads_back_and_a_veto_shows_and_can_be_undone() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(&dir.path().join("pm.db")).unwrap();
        let (job, attempt) = running(&mut store);
        let given = |rank, memory| Injected {
            job,
            attempt,
            rank,
            memory: MemoryId(memory),
            category: Category::Lesson,
            text: format!("- memory {memory}"),
            external: memory == 7,
            score: 0.5,
            terms: Terms { similarity: 0.1, recency: 0.2, importance: 0.3, access: 0.4 },
            penalised: true,
            factor: 0.25,
            vetoed: false,
            at: NOW,
        };
        let all = [given(1, 9), given(2, 7)];
        store.write::<_, StoreError>(|tx| tx.note_recalls(&all)).unwrap();
        assert_eq!(store.recalls(job).unwrap(), all);
        let veto = |on| Command::VetoMemory { job, memory: MemoryId(7), on };
        let done = store.write(|tx| apply(tx, &veto(true), &Actor::Operator, NOW)).unwrap();
        assert!(matches!(&done, Applied::Done { undo: Some(u), .. } if *u == veto(false)), "{done:?}");
        assert_eq!(store.vetoes(job).unwrap(), [MemoryId(7)]);
        assert_eq!(store.recalls(job).unwrap().iter().map(|r| r.vetoed).collect::<Vec<_>>(), [false, true]);
        assert!(matches!(store.write(|tx| apply(tx, &veto(true), &Actor::Operator, NOW)).unwrap(), Applied::Refused { .. }));
        store.write(|tx| apply(tx, &veto(false), &Actor::Operator, NOW)).unwrap();
        assert_eq!(store.vetoes(job).unwrap(), []);
    }

    #[test]
    fn an_answer_stays_until_it_is_applied_and_is_applied_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(&dir.path().join("pm.db")).unwrap();
        let (job, attempt) = running(&mut store);
        let lesson = Lesson { attempt, job, answer: "{\"memories\":[]}".into() };
        store.write::<_, StoreError>(|tx| tx.keep_lesson(&lesson, NOW)).unwrap();
        store.write::<_, StoreError>(|tx| tx.keep_lesson(&lesson, NOW)).unwrap();
        assert_eq!(store.open_lessons().unwrap(), std::slice::from_ref(&lesson));
        assert!(store.write::<_, StoreError>(|tx| tx.lesson_applied(attempt, "kept", NOW)).unwrap());
        assert!(!store.write::<_, StoreError>(|tx| tx.lesson_applied(attempt, "again", NOW)).unwrap());
        assert_eq!(store.open_lessons().unwrap(), []);
    }
}
