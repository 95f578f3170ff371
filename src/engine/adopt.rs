//! What stands behind an open attempt whose shim does not speak: it lives and will, it left its report, or it is lost, and that
//! takes proof.

use super::input::Probe;
use super::live::Live;
use super::state::{Effect, State};
use crate::domain::{AttemptId, CostSource, ExitReport, Kind, Outcome, Priority, ProjectId, Timestamp};
use crate::store::{OpenAttempt, StoreError, Tx};

impl State {
    /// Its shim is gone: it has left a report, or it is lost, and that takes proof.
    pub(super) fn look_again(&mut self, tx: &Tx<'_>, attempt: AttemptId, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        let Some(live) = self.lives.get_mut(&attempt) else { return Ok(()) };
        live.probing = true;
        if let Some(open) = tx.open_attempt(attempt)? {
            out.push(Effect::Probe(Box::new(open)));
        }
        Ok(())
    }

    pub(super) fn on_probe(
        &mut self,
        tx: &Tx<'_>,
        attempt: AttemptId,
        probe: Probe,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        self.adopting.remove(&attempt);
        if !self.lives.contains_key(&attempt) {
            return Ok(());
        }
        match probe {
            Probe::Alive(identity) => {
                if let Some(live) = self.lives.get_mut(&attempt) {
                    live.probing = false;
                }
                tx.set_shim(attempt, &identity).map(|_| ())
            }
            Probe::Exited(report) => self.take_report(tx, &report, now, out),
            Probe::Never => {
                let report = self.imagined(attempt, "it was claimed but never started", now);
                self.ended(tx, &report, now, out)
            }
            Probe::Lost => {
                let message = "its process is gone and left no report; nothing of it is left";
                let report = ExitReport { outcome: Outcome::Lost, ..self.imagined(attempt, message, now) };
                self.take_report(tx, &report, now, out)
            }
            Probe::Leftovers(n) => {
                // Not lost until nothing is left: the job does not run again before.
                self.adopting.insert(attempt);
                let text = format!("{n} process(es) of a lost attempt cannot be ended yet");
                if let Some(live) = self.lives.get_mut(&attempt)
                    && live.last != text
                {
                    live.last.clone_from(&text);
                    let job = live.job;
                    self.note(tx, "leftovers", "fail", job, attempt, &text, now)?;
                }
                self.look_again(tx, attempt, out)
            }
        }
    }

    /// A report for an attempt that left none.
    pub(super) fn imagined(&self, attempt: AttemptId, message: &str, now: Timestamp) -> ExitReport {
        let live = self.lives.get(&attempt);
        let known = live.is_some_and(|l| l.usage.total() > 0);
        ExitReport {
            attempt,
            outcome: Outcome::Interrupted,
            exit_code: None,
            signal: None,
            message: message.to_owned(),
            usage: live.map(|l| l.usage).unwrap_or_default(),
            usage_known: known,
            cost_usd: None,
            session_usage: None,
            session_cost_usd: None,
            session: None,
            session_unknown: false,
            result_file: None,
            result_bytes: 0,
            limit: None,
            strays: 0,
            ended_at: now,
        }
    }

    pub(super) fn enter(&mut self, o: &OpenAttempt, job: Option<(Kind, Priority, Option<ProjectId>)>, spent: u64) {
        let a = &o.attempt;
        let (kind, priority, project) = job.unwrap_or((Kind::Other, Priority::P2, None));
        self.lives.insert(
            a.id,
            Live {
                job: a.job_id,
                title: o.job_title.clone(),
                kind,
                priority,
                project,
                model: a.model.clone(),
                told_usd: a.cost_usd.filter(|_| a.cost_source == Some(CostSource::Reported)),
                backend: a.backend.clone(),
                worker_name: a.worker.clone(),
                started_at: a.started_at,
                estimate: a.estimate,
                token_hash: o.token_hash.clone(),
                link: None,
                acked: a.acked_seq,
                heartbeat: None,
                usage: a.usage,
                cost_usd: a.cost_usd.unwrap_or(0.0),
                spent,
                hang: None,
                last: String::new(),
                kill_requested: o.kill_requested,
                probing: false,
            },
        );
    }
}
