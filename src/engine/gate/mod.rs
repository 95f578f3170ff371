//! The completion gate: what an attempt of a gated kind has delivered is judged by somebody else before its job is done. A round of
//! review stands in the database, and each step is one change of it, so that it goes on wherever an engine has ended.

mod judge;
mod verdict;

use super::evidence::{EvidenceRequest, Subject};
use super::learn::read_head;
use super::state::{Effect, State};
use crate::config::rubric;
use crate::domain::{
    Attempt, ExitReport, Job, JobState, Kind, MOST_VOIDS, Origin, Review, ReviewId, ReviewOutcome, Stage, Timestamp, WaitReason, conclude,
    hollow, review_score, settled,
};
use crate::os::zone::within;
use crate::store::{StoreError, Tx};
use std::path::{Path, PathBuf};
use verdict::End;

/// The longest answer and the longest result that are read, in bytes.
const LONGEST: u64 = 256 << 10;

impl State {
    /// True where the result of such a job is reviewed. What uses no model has nobody whose session could close a fix.
    pub(super) fn gated(&self, job: &Job, backend: &str) -> bool {
        self.settings.review[job.spec.kind]
            && job.spec.origin != Origin::Review
            && !super::converse::is_talk(job)
            && self.backends.get(backend).is_some_and(|b| b.uses_model() && !matches!(job.spec.kind, Kind::Review))
    }

    /// What is missing from an attempt that says that it went well, before anybody is paid to look at it.
    pub(super) fn lacks(&self, directory: &str, job: &Job, report: &ExitReport) -> Option<String> {
        let result = read_head(report.result_file.as_deref(), LONGEST).unwrap_or_default();
        hollow(&result).or_else(|| undelivered(directory, job))
    }

    /// Opens the gate's first round for a job whose attempt has just ended well; false where nobody could review it and it has no
    /// tests: then it is done, and its log says why nobody looked.
    pub(super) fn opens_gate(&mut self, tx: &Tx<'_>, job: &Job, attempt: &Attempt, now: Timestamp) -> Result<bool, StoreError> {
        if self.tests(tx, job)?.is_some() {
            return Ok(true);
        }
        match self.reviewer(attempt) {
            Ok(_) => Ok(true),
            // Switched off is no news.
            Err(None) => Ok(false),
            Err(Some(why)) => {
                self.note(tx, "review", "warn", job.id, attempt.id, &format!("not reviewed: {why}"), now)?;
                Ok(false)
            }
        }
    }

    /// Moves every open round on as far as it goes by itself; true where something changed.
    pub(super) fn gate(&mut self, tx: &Tx<'_>, now: Timestamp, out: &mut Vec<Effect>) -> Result<bool, StoreError> {
        if !std::mem::take(&mut self.gate_due) {
            return Ok(false);
        }
        let open = tx.open_reviews()?;
        if !std::mem::replace(&mut self.swept, true) {
            let keep = open.iter().filter_map(|r| r.copy.as_ref().map(PathBuf::from)).collect();
            out.push(Effect::Evidence(EvidenceRequest::Sweep { below: self.workspace.review_dir(), keep }));
        }
        let mut moved = false;
        for r in open {
            let Some(job) = tx.job(r.job)? else { continue };
            let held = job.state == JobState::Reviewing || job.state == JobState::Waiting && job.wait_reason == Some(WaitReason::Deadlock);
            if !held || job.attempt != Some(r.attempt) {
                self.close(tx, &r, &End { outcome: ReviewOutcome::Dropped, note: "its job went on otherwise" }, now, out)?;
                moved = true;
                continue;
            }
            moved |= match r.stage {
                Stage::Gather => self.ask_for(tx, &r, &job, true, out)?,
                Stage::Confirm => self.ask_for(tx, &r, &job, false, out)?,
                Stage::Test => self.test(tx, &r, &job, now, out)?,
                Stage::Judge => self.judge(tx, &r, &job, now, out)?,
                Stage::Operator => self.settle(tx, &r, &job, now, out)?,
                Stage::Over => false,
            };
        }
        self.gate_due |= moved;
        Ok(moved)
    }

    fn subject(&self, tx: &Tx<'_>, r: &Review, job: &Job) -> Result<Option<Subject>, StoreError> {
        let Some(attempt) = tx.attempt_row(r.attempt)? else { return Ok(None) };
        Ok(Some(Subject {
            directory: attempt.directory.into(),
            result_file: attempt.result_file.map(PathBuf::from),
            artefacts: job.spec.artefacts.clone(),
            branch: tx.branch(job.id)?,
        }))
    }

    fn ask_for(&mut self, tx: &Tx<'_>, r: &Review, job: &Job, gather: bool, out: &mut Vec<Effect>) -> Result<bool, StoreError> {
        if !self.asked.insert((r.id, r.stage)) {
            return Ok(false);
        }
        if let Some(subject) = self.subject(tx, r, job)? {
            let copy = self.workspace.review_dir().join(r.id.to_string());
            out.push(Effect::Evidence(match gather {
                true => EvidenceRequest::Gather { review: r.id, subject, copy },
                false => EvidenceRequest::Confirm { review: r.id, subject },
            }));
        }
        Ok(false)
    }

    /// A round in this stage, and its job, if both are still as they were when something was asked for.
    fn awaited(&mut self, tx: &Tx<'_>, id: ReviewId, stage: Stage) -> Result<Option<(Review, Job)>, StoreError> {
        self.asked.remove(&(id, stage));
        self.gate_due = true;
        let Some(r) = tx.review(id)?.filter(|r| r.stage == stage) else { return Ok(None) };
        let job = tx.job(r.job)?.filter(|j| j.state == JobState::Reviewing && j.attempt == Some(r.attempt));
        Ok(job.map(|job| (r, job)))
    }

    /// What is judged is fixed and copied.
    pub(super) fn on_gathered(
        &mut self,
        tx: &Tx<'_>,
        id: ReviewId,
        found: Result<String, String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some((r, job)) = self.awaited(tx, id, Stage::Gather)? else { return Ok(()) };
        let ready = found.and_then(|hash| Ok((hash, rubric(&self.workspace, job.spec.kind).map_err(|e| e.to_string())?)));
        match ready {
            Ok((hash, rubric)) => {
                let copy = self.workspace.review_dir().join(id.to_string());
                let threshold = rubric.threshold.unwrap_or(self.settings.review_threshold);
                // Tests that passed once, on the same content, need not run again.
                let next = if self.tests(tx, &job)?.is_some() && r.tests_passed.is_none() { Stage::Test } else { Stage::Judge };
                tx.gathered(id, &hash, &copy.to_string_lossy(), &rubric, threshold, next)
            }
            Err(message) => self.ask_operator(tx, &r, &job, &format!("the review cannot be made: {message}"), now),
        }
    }

    /// What was judged has been looked at once more.
    pub(super) fn on_confirmed(
        &mut self,
        tx: &Tx<'_>,
        id: ReviewId,
        hash: Result<String, String>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let Some((r, job)) = self.awaited(tx, id, Stage::Confirm)? else { return Ok(()) };
        let hash = match hash {
            Ok(hash) => hash,
            Err(message) => return self.ask_operator(tx, &r, &job, &format!("what was reviewed cannot be read any more: {message}"), now),
        };
        if Some(&hash) != r.hash.as_ref() {
            if r.voids + 1 >= MOST_VOIDS {
                return self.ask_operator(tx, &r, &job, "what is reviewed changes again and again while it is reviewed", now);
            }
            let note = "what was judged has changed meanwhile: it is judged anew";
            self.close(tx, &r, &End { outcome: ReviewOutcome::Void, note }, now, out)?;
            tx.say_of_review(&job, "warn", &format!("{}: {note}", self.round(&r)), now)?;
            return tx.open_review(&job, r.attempt, r.voids + 1, self.settings.review_threshold, now).map(drop);
        }
        let (Some(judged), Some(rubric)) = (&r.judgement, &r.rubric) else {
            // To judge again would end here again.
            return self.ask_operator(tx, &r, &job, &format!("{} has ended, but no judgement of it was kept", words(&r)), now);
        };
        let earlier = self.earlier(tx, &job)?;
        let open = earlier.as_ref().map(Review::open_fixes).unwrap_or_default();
        if let Some(earlier) = &earlier {
            tx.set_fixes(earlier.id, &settled(&earlier.fixes, judged))?;
        }
        let score = review_score(judged, rubric);
        let says = format!("{} scores {score:.2} of {:.2}", words(&r), r.threshold);
        let follows = conclude(judged, rubric, r.threshold, &open, r.round, self.settings.review_rounds);
        self.follow(tx, &r, &job, follows, &says, now, out)
    }

    /// The round whose fixes the judged attempt had to close.
    fn earlier(&self, tx: &Tx<'_>, job: &Job) -> Result<Option<Review>, StoreError> {
        Ok(job.guide.map(|g| tx.review(g)).transpose()?.flatten())
    }

    fn round(&self, r: &Review) -> String {
        format!("round {} of {}", r.round, self.settings.review_rounds.max(r.round))
    }
}

/// What of a job's declared files is not there, is empty, or must not be read. Of any kind: an exit code of 0 delivers nothing.
pub(super) fn undelivered(directory: &str, job: &Job) -> Option<String> {
    let wrong = |name: &String| match within(Path::new(directory), name) {
        Ok(path) if path.is_dir() => std::fs::read_dir(&path).is_ok_and(|mut d| d.next().is_none()).then(|| name.clone()),
        Ok(path) => std::fs::metadata(&path).is_ok_and(|m| m.len() == 0).then(|| name.clone()),
        Err(e) if e.missing() => Some(name.clone()),
        Err(e) => Some(format!("{name} ({e})")),
    };
    let wrong: Vec<String> = job.spec.artefacts.iter().filter_map(wrong).collect();
    (!wrong.is_empty()).then(|| format!("it ended well, but what it has to deliver is missing or empty: {}", wrong.join(", ")))
}

/// Who reviews, short.
fn words(r: &Review) -> String {
    r.reviewer.as_deref().and_then(|w| w.split(',').next()).unwrap_or("the reviewer").to_owned()
}
