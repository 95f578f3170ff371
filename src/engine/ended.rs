//! The end of an attempt: one transaction for attempt, worker, budget and job.

use super::gate::undelivered;
use super::live::Live;
use super::plans::Delivered;
use super::state::{Effect, State};
use crate::domain::{
    Charge, DecisionState, ExitReport, Limit, LimitKind, Next, Origin, Outcome, Timestamp, after, charge, pause, reservation,
    with_questions,
};
use crate::store::{Finish, StoreError, Tx};
use std::time::Duration;

impl State {
    /// Takes a report. A second one for the same attempt has no effect.
    pub(super) fn ended(&mut self, tx: &Tx<'_>, report: &ExitReport, now: Timestamp, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        let attempt = report.attempt;
        let Some(live) = self.lives.get(&attempt).cloned() else { return Ok(()) };
        let Some(job) = tx.job(live.job)? else { return Ok(()) };
        // A schedule that was fired by hand, by another process, is not looked at yet.
        self.cron.look |= job.spec.origin == Origin::Cron;
        // What the operator wanted counts, even where the shim was gone before it could say so.
        let killed = live.kill_requested && report.outcome != Outcome::Ok;
        let report = if killed { ExitReport { outcome: Outcome::Killed, ..report.clone() } } else { report.clone() };
        // What a judge of memory answered has to be usable, or it has not done its job.
        let (report, lesson) = match self.lesson(&job, &report) {
            Ok(lesson) => (report, lesson),
            Err(message) => (ExitReport { outcome: Outcome::Error, message, ..report }, None),
        };
        let cards = tx.decisions_of(live.job)?;
        let open = cards.iter().filter(|c| c.state == DecisionState::Open).count();
        let answered = cards.iter().filter(|c| c.asked.attempt == Some(attempt) && c.state != DecisionState::Open).count();
        // An exit code of 0 is not yet a result: one that asked the operator has more time to deliver it.
        let idle = self.had_nothing_to_do(tx, &job, &report)?;
        let gated = self.gated(&job, &live.backend) && open + answered == 0 && !idle;
        let looked_at = report.outcome == Outcome::Ok && open + answered == 0 && !idle && (gated || !job.spec.artefacts.is_empty());
        let row = if looked_at { tx.attempt_row(attempt)? } else { None };
        let lack = row.as_ref().and_then(|a| if gated { self.lacks(&a.directory, &job, &report) } else { undelivered(&a.directory, &job) });
        let row = row.filter(|_| gated);
        let report = match lack {
            Some(message) => ExitReport { outcome: Outcome::Error, message, ..report },
            None => report,
        };
        // What a reviewer answered has to be a judgement.
        let (report, judged) = match self.judged(tx, &job, &report)? {
            Ok(judged) => (report, judged),
            Err(message) => (ExitReport { outcome: Outcome::Error, message, ..report }, None),
        };
        // What a planner delivered has to be a plan; one that asked the operator has more time.
        let planned = if open + answered == 0 { self.planned(tx, &job, &report)? } else { None };
        // What a triage answered has to be one.
        let (report, triage) = match self.sorted(tx, &job, &report, now)? {
            Ok(triage) => (report, triage),
            Err(message) => (ExitReport { outcome: Outcome::Error, message, ..report }, None),
        };
        if let Some(limit) = &report.limit
            && report.outcome != Outcome::Ok
        {
            self.refused(tx, &live.backend, limit, now)?;
        } else if report.outcome == Outcome::Ok {
            self.recovered(&live.backend, live.started_at);
        }
        let next = after(&report, job.attempts, job.spec.max_attempts, job.losses, &self.settings.retry(), self.rng.f64(), now);
        let next = with_questions(next, open, answered);
        let next = match row {
            _ if next == Next::Done && planned.as_ref().is_some_and(|p| p.read.is_err()) => Next::Reviewing,
            Some(a) if next == Next::Done && self.opens_gate(tx, &job, &a, now)? => Next::Reviewing,
            _ => next,
        };
        let uses_model = self.backends.get(&live.backend).is_some_and(|b| b.uses_model());
        // A killed run never told: the estimate stands in for it.
        let budgeted = if report.usage_known || !uses_model {
            report.usage.budgeted(self.settings.cache_read_weight)
        } else if matches!(report.outcome, Outcome::Interrupted) {
            0
        } else {
            live.estimate.max(live.spent)
        };
        let (done, reviewed) = (next == Next::Done, next == Next::Reviewing);
        let charge = self.charge(tx, &live, &report, budgeted, uses_model)?;
        let finish = Finish { report: &report, next, budgeted, recorded: live.spent, charge, drop_session: report.session_unknown };
        if tx.finish(&finish, now)? {
            self.capacity.budget.spend(Some(attempt), budgeted.saturating_sub(live.spent), now);
            self.settle_caps(&live, if report.usage_known { report.usage } else { live.usage }, &charge);
            if let Some(lesson) = lesson {
                self.keep(tx, lesson, now, out)?;
            }
            if done && !idle {
                self.capture(tx, &job, attempt, report.result_file.as_deref(), now)?;
            }
            if let Some((review, judgement)) = judged {
                self.keep_judgement(tx, &review, &judgement)?;
            }
            if let Some((message, triage)) = triage {
                tx.triaged(message, &triage, &live.backend, now)?;
            }
            match planned {
                Some(Delivered { plan, read: Err(why) }) if reviewed => self.send_back(tx, &plan, &job, attempt, &why, now)?,
                Some(Delivered { plan, read: Ok(document) }) => {
                    tx.keep_plan(plan.id, &document)?;
                    if reviewed {
                        tx.open_review(&job, attempt, 0, self.settings.review_threshold, now)?;
                    }
                }
                _ if reviewed => drop(tx.open_review(&job, attempt, 0, self.settings.review_threshold, now)?),
                _ => {}
            }
            if report.outcome == Outcome::Ok && report.usage_known && uses_model {
                let prompt = reservation(job.spec.prompt.len() as u64, self.context_tokens, 0, true);
                let (value, samples) = self.expected.learn(live.kind, budgeted.saturating_sub(prompt));
                tx.learn(live.kind, value, samples)?;
            }
        }
        if let Some(worker) = self.workers.iter().find(|w| w.attempt == Some(attempt)).map(|w| w.id) {
            self.reload_worker(tx, worker)?;
        }
        self.capacity.budget.release(attempt);
        self.lives.remove(&attempt);
        self.count_open();
        self.adopting.remove(&attempt);
        self.acked.remove(&attempt);
        self.starting.remove(&attempt);
        if let Some(link) = live.link {
            // The acknowledgement comes first where the shim itself sent the report.
            out.retain(|e| !matches!(e, Effect::Close(l) if *l == link));
        }
        Ok(())
    }

    /// What an attempt has cost: by its backend's own words, else by the table.
    fn charge(&self, tx: &Tx<'_>, live: &Live, report: &ExitReport, budgeted: u64, uses_model: bool) -> Result<Charge, StoreError> {
        let usage = if report.usage_known { report.usage } else { live.usage };
        let untold = if report.usage_known { 0 } else { budgeted.saturating_sub(usage.budgeted(self.settings.cache_read_weight)) };
        let model = tx.attempt_row(report.attempt)?.and_then(|a| a.model);
        let price = model.as_deref().and_then(|m| self.prices.of(m));
        Ok(charge(report.cost_usd.or(live.told_usd), usage, untold, uses_model, price))
    }

    /// A backend refused: it rests.
    pub(super) fn refused(&mut self, tx: &Tx<'_>, backend: &str, limit: &Limit, now: Timestamp) -> Result<(), StoreError> {
        let current = self.switches.pauses.get(backend);
        // One storm is one refusal: the attempts that run in parallel all hear of the same limit.
        if let Some((p, _)) = current
            && (p.limit.kind == LimitKind::Operator || (p.limit.kind == limit.kind && alike(limit.resets_at, p.limit.resets_at)))
        {
            return Ok(());
        }
        let streak = current.map_or(0, |(_, n)| *n).max(self.streaks.get(backend).map_or(0, |(n, _)| *n)) + 1;
        self.streaks.insert(backend.to_owned(), (streak, now));
        let pause = pause(limit, streak, self.rng.f64(), now);
        tx.pause_backend(backend, &pause, streak, "engine", now)?;
        self.switches.pauses.insert(backend.to_owned(), (pause, streak));
        Ok(())
    }

    /// A backend answered an attempt that began after its last refusal: the next refusal is the first again.
    pub(super) fn recovered(&mut self, backend: &str, began: Timestamp) {
        if self.streaks.get(backend).is_some_and(|(_, refused)| began > *refused) {
            self.streaks.remove(backend);
        }
    }

    /// Lifts the pauses whose time has come. One job tries first.
    pub(super) fn lift_pauses(&mut self, tx: &Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        let due: Vec<String> =
            self.switches.pauses.iter().filter(|(_, (p, _))| p.until.is_some_and(|t| t <= now)).map(|(name, _)| name.clone()).collect();
        for name in due {
            tx.resume_backend(&name, "its pause is over", "engine", now)?;
            self.switches.pauses.remove(&name);
        }
        self.fill_capacity(now);
        Ok(())
    }
}

/// How far two tellings of one reset may lie apart: clients work the time out from "in 120 s".
const SAME_RESET: Duration = Duration::from_secs(60);

/// True where a refusal tells nothing new about when a limit ends.
fn alike(told: Option<Timestamp>, known: Option<Timestamp>) -> bool {
    match (told, known) {
        (None, _) => true,
        (Some(a), Some(b)) => a.since(b).max(b.since(a)) < SAME_RESET,
        (Some(_), None) => false,
    }
}
