//! What follows from a round: the result is taken, goes back with fixes, or is for the operator to settle.

use crate::domain::{Actor, Choice, Command, Conclusion, DecisionState, Fix, Job, JobState, Question, Review, ReviewOutcome, Timestamp};
use crate::engine::evidence::EvidenceRequest;
use crate::engine::state::{Effect, State};
use crate::store::{StoreError, Tx, apply};

/// What became of a round.
pub(super) struct End<'a> {
    pub outcome: ReviewOutcome,
    pub note: &'a str,
}

impl State {
    #[expect(clippy::too_many_arguments, reason = "a round, its job, and what follows")]
    pub(super) fn follow(
        &mut self,
        tx: &Tx<'_>,
        r: &Review,
        job: &Job,
        follows: Conclusion,
        says: &str,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        match follows {
            Conclusion::Passed => {
                let note = format!("{} passed: {says}", self.round(r));
                self.pass(tx, r, job, &End { outcome: ReviewOutcome::Passed, note: &note }, now, out)
            }
            Conclusion::Fixes(fixes) => {
                tx.set_fixes(r.id, &fixes)?;
                let note = format!("{}: {says}; {} to do", self.round(r), count(&fixes));
                self.close(tx, r, &End { outcome: ReviewOutcome::Fixes, note: &note }, now, out)?;
                tx.review_fixes(job, r.id, &note, now).map(drop)
            }
            Conclusion::Deadlock(fixes) => {
                tx.set_fixes(r.id, &fixes)?;
                let r = Review { fixes, ..r.clone() };
                self.ask_operator(tx, &r, job, &format!("after {} of review {says}", rounds(r.round)), now)
            }
        }
    }

    /// Puts a card before the operator; the job waits for it.
    pub(in crate::engine) fn ask_operator(
        &mut self,
        tx: &Tx<'_>,
        r: &Review,
        job: &Job,
        why: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut question = format!("Job {} ({}) is not through its review: {why}.", job.id, job.spec.title);
        for fix in r.fixes.iter().filter(|f| !f.closed) {
            let line = fix.text.lines().next().unwrap_or_default();
            question += &format!("\n{}. {line}", fix.number);
        }
        let choice = |key: &str, label: &str, detail: &str| Choice { key: key.into(), label: label.into(), detail: detail.into() };
        let again =
            if r.fixes.is_empty() { "it is reviewed once more" } else { "its worker gets these fixes, and it is reviewed once more" };
        let mut choices = vec![
            choice("accept", "Accept as is", "the job is done"),
            choice("again", "Another round", again),
            choice("fail", "Fail the job", "its result stays, but it does not count"),
        ];
        if tx.plan_by(job.id)?.is_some_and(|p| p.document.is_none()) {
            // What is no plan cannot be taken as one.
            choices.remove(0);
        }
        let card = Question {
            question,
            choices,
            deadline: None,
            default: None,
            task: None,
            project: job.spec.project_id,
            job: Some(job.id),
            attempt: Some(r.attempt),
        };
        let note = format!("{}: {why}", self.round(r));
        let id = match tx.ask(&card, "engine", now) {
            Ok(id) => id,
            // It has asked more than any job may: nobody is asked again.
            Err(e @ StoreError::Invalid(_)) => {
                tx.end_review(r.id, ReviewOutcome::Failed, &format!("{note}; {e}"), now)?;
                return tx.review_failed(job, &note, now).map(drop);
            }
            Err(e) => return Err(e),
        };
        tx.set_review_card(r.id, id)?;
        tx.review_waits(job, &note, now).map(drop)
    }

    /// The operator's word, once it is there.
    pub(super) fn settle(&mut self, tx: &Tx<'_>, r: &Review, job: &Job, now: Timestamp, out: &mut Vec<Effect>) -> Result<bool, StoreError> {
        let Some(card) = r.decision.map(|d| tx.decision(d)).transpose()?.flatten() else { return Ok(false) };
        if card.state == DecisionState::Open || job.state != JobState::Waiting {
            return Ok(false);
        }
        let remark = card.remark.as_deref().map(|r| format!(": {r}")).unwrap_or_default();
        tx.review_resumes(job, &format!("decision {} is answered", card.id), now)?;
        let Some(job) = tx.job(job.id)? else { return Ok(true) };
        match card.answer.as_deref() {
            Some("accept") => {
                let note = format!("accepted as it is by the operator{remark}");
                self.pass(tx, r, &job, &End { outcome: ReviewOutcome::Accepted, note: &note }, now, out)?;
            }
            Some("again") => {
                let note = format!("another round, by the operator{remark}");
                let fixes = !r.open_fixes().is_empty();
                let outcome = if fixes { ReviewOutcome::Fixes } else { ReviewOutcome::Void };
                self.close(tx, r, &End { outcome, note: &note }, now, out)?;
                if fixes {
                    tx.review_fixes(&job, r.id, &note, now)?;
                } else {
                    tx.open_review(&job, r.attempt, 0, self.settings.review_threshold, now)?;
                    tx.say_of_review(&job, "info", &note, now)?;
                }
            }
            _ => {
                let note = format!("given up by the operator{remark}");
                self.close(tx, r, &End { outcome: ReviewOutcome::Failed, note: &note }, now, out)?;
                tx.review_failed(&job, &note, now)?;
            }
        }
        Ok(true)
    }

    /// The result is taken.
    pub(super) fn pass(
        &mut self,
        tx: &Tx<'_>,
        r: &Review,
        job: &Job,
        end: &End<'_>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        self.close(tx, r, end, now, out)?;
        if tx.review_done(job, end.note, now)?
            && let Some(attempt) = tx.attempt_row(r.attempt)?
        {
            self.capture(tx, job, attempt.id, attempt.result_file.as_deref(), now)?;
        }
        Ok(())
    }

    /// Ends a round: who still works for it stops, and its copy goes.
    pub(super) fn close(
        &mut self,
        tx: &Tx<'_>,
        r: &Review,
        end: &End<'_>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        for job in [r.test_job, r.review_job].into_iter().flatten() {
            if tx.job(job)?.is_some_and(|j| !j.state.is_final() && !j.kill_requested) {
                apply(tx, &Command::Kill { job, seen: None }, &Actor::Engine, now)?;
            }
        }
        tx.end_review(r.id, end.outcome, end.note, now)?;
        out.extend(r.copy.as_ref().map(|copy| Effect::Evidence(EvidenceRequest::Drop { copy: copy.into() })));
        Ok(())
    }
}
fn count(fixes: &[Fix]) -> String {
    if fixes.len() == 1 { "1 fix".to_owned() } else { format!("{} fixes", fixes.len()) }
}

fn rounds(n: u32) -> String {
    if n == 1 { "1 round".to_owned() } else { format!("{n} rounds") }
}
