//! Rounds of review: opened when an attempt ended well, moved on step by step, over when the job is.

use super::events::Event;
use super::jobs::Move;
use super::row::{self, to_json};
use super::{Store, StoreError, Tx};
use crate::domain::{
    AttemptId, DecisionId, Fix, Job, JobId, JobState, Judgement, Review, ReviewId, ReviewOutcome, Rubric, Stage, Timestamp, WaitReason,
};
use rusqlite::{Row, params};

impl Tx<'_> {
    /// Opens a round for an attempt's result. One that is open still, of an attempt that was superseded, is dropped.
    ///
    /// # Errors
    /// The database.
    pub fn open_review(&self, job: &Job, attempt: AttemptId, voids: u32, threshold: f64, now: Timestamp) -> Result<ReviewId, StoreError> {
        if let Some(old) = self.open_review_of(job.id)? {
            self.end_review(old.id, ReviewOutcome::Dropped, "superseded", now)?;
        }
        self.run(
            "INSERT INTO reviews (job_id, attempt_id, round, stage, threshold, voids, began_at) VALUES (?1, ?2, ?3, 'gather', ?4, ?5, ?6)",
            params![job.id.0, attempt.0, job.rounds + 1, threshold, voids, now.0],
        )?;
        Ok(ReviewId(self.last_id()))
    }

    /// What is judged is fixed: its hash, its copy, and what it is judged by.
    ///
    /// # Errors
    /// The database.
    pub fn gathered(&self, id: ReviewId, hash: &str, copy: &str, rubric: &Rubric, threshold: f64, next: Stage) -> Result<(), StoreError> {
        self.run(
            "UPDATE reviews SET hash = ?1, copy = ?2, rubric = ?3, threshold = ?4, stage = ?5 WHERE id = ?6 AND stage = 'gather'",
            params![hash, copy, to_json(rubric), threshold, next.as_str(), id.0],
        )
        .map(drop)
    }

    /// Moves an open round on.
    ///
    /// # Errors
    /// The database.
    pub fn set_stage(&self, id: ReviewId, stage: Stage) -> Result<(), StoreError> {
        self.run("UPDATE reviews SET stage = ?1 WHERE id = ?2 AND ended_at IS NULL", params![stage.as_str(), id.0]).map(drop)
    }

    /// The job that runs the project's tests.
    ///
    /// # Errors
    /// The database.
    pub fn set_test_job(&self, id: ReviewId, job: JobId) -> Result<(), StoreError> {
        self.run("UPDATE reviews SET test_job_id = ?1 WHERE id = ?2", params![job.0, id.0]).map(drop)
    }

    /// Whether the tests passed.
    ///
    /// # Errors
    /// The database.
    pub fn set_tests(&self, id: ReviewId, passed: bool) -> Result<(), StoreError> {
        self.run("UPDATE reviews SET tests_passed = ?1 WHERE id = ?2", params![passed, id.0]).map(drop)
    }

    /// The job that judges, and by whom it is done.
    ///
    /// # Errors
    /// The database.
    pub fn set_reviewer(&self, id: ReviewId, job: JobId, reviewer: &str) -> Result<(), StoreError> {
        self.run("UPDATE reviews SET review_job_id = ?1, reviewer = ?2 WHERE id = ?3", params![job.0, reviewer, id.0]).map(drop)
    }

    /// Nobody judges any more: somebody else is to be found.
    ///
    /// # Errors
    /// The database.
    pub fn drop_reviewer(&self, id: ReviewId) -> Result<(), StoreError> {
        self.run("UPDATE reviews SET review_job_id = NULL, reviewer = NULL WHERE id = ?1", [id.0]).map(drop)
    }

    /// The checked answer of the reviewer.
    ///
    /// # Errors
    /// The database.
    pub fn set_judgement(&self, id: ReviewId, judged: &Judgement, score: f64) -> Result<(), StoreError> {
        self.run("UPDATE reviews SET judgement = ?1, score = ?2 WHERE id = ?3 AND ended_at IS NULL", params![to_json(judged), score, id.0])
            .map(drop)
    }

    /// The fixes of a round: those that it asks for, or what became of them.
    ///
    /// # Errors
    /// The database.
    pub fn set_fixes(&self, id: ReviewId, fixes: &[Fix]) -> Result<(), StoreError> {
        self.run("UPDATE reviews SET fixes = ?1 WHERE id = ?2", params![to_json(&fixes), id.0]).map(drop)
    }

    /// The card that settles a round.
    ///
    /// # Errors
    /// The database.
    pub fn set_review_card(&self, id: ReviewId, decision: DecisionId) -> Result<(), StoreError> {
        self.run("UPDATE reviews SET decision_id = ?1, stage = 'operator' WHERE id = ?2 AND ended_at IS NULL", params![decision.0, id.0])
            .map(drop)
    }

    /// Ends a round. False if it was over.
    ///
    /// # Errors
    /// The database.
    pub fn end_review(&self, id: ReviewId, outcome: ReviewOutcome, note: &str, now: Timestamp) -> Result<bool, StoreError> {
        let n = self.run(
            "UPDATE reviews SET stage = 'over', outcome = ?1, note = ?2, ended_at = ?3 WHERE id = ?4 AND ended_at IS NULL",
            params![outcome.as_str(), note, now.0, id.0],
        )?;
        Ok(n > 0)
    }

    /// What the gate says of a job that it holds.
    ///
    /// # Errors
    /// The database.
    pub fn say_of_review(&self, job: &Job, severity: &'static str, text: &str, now: Timestamp) -> Result<(), StoreError> {
        self.run("UPDATE jobs SET note = ?1 WHERE id = ?2 AND state = 'reviewing'", params![text, job.id.0])?;
        self.event(&Event { severity, job: Some(job.id), attempt: job.attempt, ..Event::new(now, "engine", "review", text) }).map(drop)
    }

    /// The result is taken: the job is done.
    ///
    /// # Errors
    /// The database.
    pub fn review_done(&self, job: &Job, note: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.run("UPDATE jobs SET attempts = attempts + 1, rounds = rounds + 1, guide = NULL WHERE id = ?1", [job.id.0])?;
        self.move_job(job.id, JobState::Reviewing, job.attempt, &Move { note: Some(note), ..Move::to(JobState::Done, note) }, "engine", now)
    }

    /// The job goes back to its worker, to close the fixes of `review`.
    ///
    /// # Errors
    /// The database.
    pub fn review_fixes(&self, job: &Job, review: ReviewId, note: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.run("UPDATE jobs SET rounds = rounds + 1, guide = ?1 WHERE id = ?2", params![review.0, job.id.0])?;
        let mv = Move { note: Some(note), severity: "warn", ..Move::to(JobState::Queued, note) };
        self.move_job(job.id, JobState::Reviewing, job.attempt, &mv, "engine", now)
    }

    /// The job waits for the operator's word on its review.
    ///
    /// # Errors
    /// The database.
    pub fn review_waits(&self, job: &Job, note: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mv = Move { wait_reason: Some(WaitReason::Deadlock), note: Some(note), severity: "warn", ..Move::to(JobState::Waiting, note) };
        self.move_job(job.id, JobState::Reviewing, job.attempt, &mv, "engine", now)
    }

    /// The operator has spoken: the job is under review again.
    ///
    /// # Errors
    /// The database.
    pub fn review_resumes(&self, job: &Job, note: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.move_job(
            job.id,
            JobState::Waiting,
            job.attempt,
            &Move { note: Some(note), ..Move::to(JobState::Reviewing, note) },
            "engine",
            now,
        )
    }

    /// The operator has given the job up.
    ///
    /// # Errors
    /// The database.
    pub fn review_failed(&self, job: &Job, note: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mv = Move { note: Some(note), severity: "fail", ..Move::to(JobState::Failed, note) };
        self.move_job(job.id, JobState::Reviewing, job.attempt, &mv, "engine", now)
    }
}

impl Store {
    /// The rounds that are not over, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn open_reviews(&self) -> Result<Vec<Review>, StoreError> {
        row::all(self, "SELECT * FROM reviews WHERE ended_at IS NULL ORDER BY id", [], read)
    }

    /// A job's round that is not over.
    ///
    /// # Errors
    /// The database.
    pub fn open_review_of(&self, job: JobId) -> Result<Option<Review>, StoreError> {
        row::optional(self, "SELECT * FROM reviews WHERE job_id = ?1 AND ended_at IS NULL", [job.0], read)
    }

    /// One round.
    ///
    /// # Errors
    /// The database.
    pub fn review(&self, id: ReviewId) -> Result<Option<Review>, StoreError> {
        row::optional(self, "SELECT * FROM reviews WHERE id = ?1", [id.0], read)
    }

    /// The rounds of a job, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn reviews(&self, job: JobId) -> Result<Vec<Review>, StoreError> {
        row::all(self, "SELECT * FROM reviews WHERE job_id = ?1 ORDER BY id", [job.0], read)
    }

    /// The round that a job serves, as its reviewer or by running its tests.
    ///
    /// # Errors
    /// The database.
    pub fn review_by(&self, job: JobId) -> Result<Option<Review>, StoreError> {
        row::optional(
            self,
            "SELECT * FROM reviews WHERE id IN (SELECT id FROM reviews WHERE review_job_id = ?1 UNION SELECT id FROM reviews WHERE test_job_id = ?1)",
            [job.0],
            read,
        )
    }

    /// Who wanted a job's end, or ended it.
    ///
    /// # Errors
    /// The database.
    pub fn ended_by(&self, job: JobId) -> Result<Option<String>, StoreError> {
        row::optional(
            self,
            "SELECT actor FROM events WHERE job_id = ?1 AND (what = 'kill' OR state_to = 'killed') ORDER BY what = 'kill' DESC, id DESC LIMIT 1",
            [job.0],
            |r| r.get(0),
        )
    }

    /// True for a card that settles a review.
    ///
    /// # Errors
    /// The database.
    pub fn is_review_card(&self, card: DecisionId) -> Result<bool, StoreError> {
        Ok(row::optional(self, "SELECT 1 FROM reviews WHERE decision_id = ?1 LIMIT 1", [card.0], |_| Ok(()))?.is_some())
    }
}

fn read(r: &Row<'_>) -> rusqlite::Result<Review> {
    let opt_json = |column: &str| r.get::<_, Option<String>>(column);
    let job = |column: &str| Ok::<_, rusqlite::Error>(r.get::<_, Option<i64>>(column)?.map(JobId));
    Ok(Review {
        id: ReviewId(r.get("id")?),
        job: JobId(r.get("job_id")?),
        attempt: AttemptId(r.get("attempt_id")?),
        round: r.get("round")?,
        stage: row::word(r, "stage")?,
        hash: r.get("hash")?,
        copy: r.get("copy")?,
        rubric: if opt_json("rubric")?.is_some() { Some(row::json(r, "rubric")?) } else { None },
        test_job: job("test_job_id")?,
        tests_passed: r.get("tests_passed")?,
        review_job: job("review_job_id")?,
        reviewer: r.get("reviewer")?,
        judgement: if opt_json("judgement")?.is_some() { Some(row::json(r, "judgement")?) } else { None },
        score: r.get("score")?,
        threshold: r.get("threshold")?,
        fixes: row::json(r, "fixes")?,
        decision: r.get::<_, Option<i64>>("decision_id")?.map(DecisionId),
        outcome: row::opt_word(r, "outcome")?,
        note: r.get("note")?,
        voids: r.get("voids")?,
        began_at: row::time(r, "began_at")?,
        ended_at: row::opt_time(r, "ended_at")?,
    })
}
