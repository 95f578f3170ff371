//! What a message waited for has come: the end of its job, its plan, the operator's answer, its time.

use super::act::DROP;
use crate::domain::{DecisionState, JobState, Message, OPERATOR, PlanState, Says, Timestamp, one_line};
use crate::engine::learn::read_head;
use crate::engine::state::State;
use crate::store::{Goes, NewEntry, StoreError, Tx};

/// The longest reply that is kept in the conversation, in bytes; the result file has all of it.
const LONGEST: u64 = 64 << 10;
/// What is noted of a message whose plan the operator has been told of.
const TOLD: &str = "its plan waits for the operator";

impl State {
    /// The job that answers, or does it.
    pub(super) fn worked(&mut self, tx: &Tx<'_>, m: &Message, now: Timestamp) -> Result<bool, StoreError> {
        let Some(job) = m.job.map(|j| tx.job(j)).transpose()?.flatten() else { return Ok(false) };
        let (says, text) = match job.state {
            JobState::Done => {
                let attempts = tx.attempts(job.id)?;
                let result = attempts.last().and_then(|a| read_head(a.result_file.as_deref(), LONGEST)).unwrap_or_default();
                let result = result.trim();
                (Says::Reply, if result.is_empty() { format!("Job {} is done and says nothing.", job.id) } else { result.to_owned() })
            }
            JobState::Failed => {
                let why = job.note.as_deref().unwrap_or("it does not say why");
                (
                    Says::Notice,
                    format!("That did not work out: {why}. `orc job show {0}` has more, `orc job retry {0}` tries again.", job.id),
                )
            }
            JobState::Killed => (Says::Notice, format!("Job {} was ended, so there is no reply.", job.id)),
            _ => return Ok(false),
        };
        if !tx.message_goes(m, Goes::Over, None, now)? {
            return Ok(false);
        }
        tx.say(&NewEntry { job: Some(job.id), ..NewEntry::to(m, says, &text) }, now)?;
        Ok(true)
    }

    /// Its plan: the operator is told when it is ready, and when it is over.
    pub(super) fn planned_for(&mut self, tx: &Tx<'_>, m: &Message, now: Timestamp) -> Result<bool, StoreError> {
        let Some(plan) = m.plan.map(|p| tx.plan(p)).transpose()?.flatten() else { return Ok(false) };
        let id = plan.id;
        let (goes, note, text) = match plan.state {
            PlanState::Proposed if m.note.as_deref() != Some(TOLD) => {
                let tasks = plan.document.as_ref().map_or(0, |d| d.tasks.len());
                let text = format!(
                    "Plan {id} is ready: {} ({tasks} task{}). `orc plan show {id}` shows it, `orc plan approve {id}` starts it.",
                    plan.title(),
                    if tasks == 1 { "" } else { "s" }
                );
                (Goes::Plan(id), Some(TOLD), text)
            }
            PlanState::Rejected if plan.decided_by.as_deref() == Some("engine") => {
                let why = plan.note.as_deref().unwrap_or("it does not say why");
                (Goes::Over, None, format!("No plan could be made: {why}."))
            }
            PlanState::Rejected => {
                let why = plan.remark.as_deref().map(|r| format!(": {}", one_line(r, 200))).unwrap_or_default();
                (Goes::Over, None, format!("Plan {id} is rejected{why}. Nothing of it runs."))
            }
            PlanState::Dispatched if plan.finished_at.is_some() => (
                Goes::Over,
                None,
                format!("Plan {id} is over: {}. `orc plan show {id}` shows the results.", tx.plan_progress(&plan)?.says()),
            ),
            _ => return Ok(false),
        };
        if !tx.message_goes(m, goes, note, now)? {
            return Ok(false);
        }
        tx.say(&NewEntry { plan: Some(id), job: plan.job, ..NewEntry::to(m, Says::Notice, &text) }, now)?;
        Ok(true)
    }

    /// The operator's answer to its question.
    pub(super) fn asked(&mut self, tx: &Tx<'_>, m: &Message, now: Timestamp) -> Result<bool, StoreError> {
        let Some(card) = m.decision.map(|d| tx.decision(d)).transpose()?.flatten() else { return Ok(false) };
        if card.state == DecisionState::Open {
            return Ok(false);
        }
        let answer = card.answer.as_deref().and_then(|key| card.asked.choice(key));
        let dropped = answer.is_some_and(|c| c.key == DROP);
        let goes = if dropped { Goes::Over } else { Goes::Triage };
        if !tx.message_goes(m, goes, dropped.then_some("the operator does not mind any more"), now)? {
            return Ok(false);
        }
        let question = card.asked.question.lines().next().unwrap_or_default();
        let remark = card.remark.as_deref().map(str::trim).filter(|r| !r.is_empty());
        let said = match (answer, remark) {
            (Some(c), Some(remark)) => format!("{}: {remark}", c.label),
            (Some(c), None) => c.label.clone(),
            (None, _) => "the question was taken back: take the most sensible reading".to_owned(),
        };
        tx.clarified(m.id, &format!("The operator was asked: {question}\nThe answer: {said}"))?;
        let entry = NewEntry { author: OPERATOR, external: false, decision: Some(card.id), ..NewEntry::to(m, Says::Answer, &said) };
        let id = tx.say(&entry, now)?;
        tx.read_entry(id, now)?;
        Ok(true)
    }

    /// Its time has come.
    pub(super) fn remind(&mut self, tx: &Tx<'_>, m: &Message, now: Timestamp) -> Result<bool, StoreError> {
        if m.due_at.is_none_or(|t| t > now) || !tx.message_goes(m, Goes::Over, None, now)? {
            return Ok(false);
        }
        let since = self.settings.local_text(m.received_at);
        let title = m.triage.as_ref().and_then(|t| t.title.as_deref());
        let text = match title.filter(|t| !m.text.trim().eq_ignore_ascii_case(t)) {
            Some(title) => format!("It is time: {title}\n\nYou wrote ({since}): {}", m.text.trim()),
            None => format!("It is time ({since}): {}", m.text.trim()),
        };
        tx.say(&NewEntry::to(m, Says::Reminder, &text), now)?;
        Ok(true)
    }
}
