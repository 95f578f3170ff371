//! Into which class a message belongs: a model is asked, for seconds; rules answer where it does not.

use super::OUTSIDE;
use crate::domain::{
    Class, ExitReport, Job, JobSpec, JobState, Kind, LimitKind, Message, MessageId, Origin, Outcome, Priority, Timestamp, Triage, fill,
    triage_by_rules, triage_of,
};
use crate::engine::learn::{ends, read_head};
use crate::engine::state::State;
use crate::store::{StoreError, Tx};
use std::time::Duration;

const TEMPLATE: &str = include_str!("../../../config/templates/triage.md");
/// Whatever the time limit of triage is set to, no look with tools takes longer.
const TOOLS: Duration = Duration::from_secs(60);
/// How much of a message is sorted by, in bytes.
const CUT: usize = 16 << 10;
/// The longest answer that is read, in bytes.
const LONGEST: u64 = 256 << 10;

impl State {
    /// One that is not sorted yet, or is and waits for somebody who can act on it.
    pub(super) fn triage(&mut self, tx: &Tx<'_>, m: &Message, now: Timestamp) -> Result<bool, StoreError> {
        if let (Some(_), Some(triage)) = (m.triaged_at, &m.triage) {
            return self.act(tx, m, triage, now);
        }
        let (Some(id), Some(began)) = (m.triage_job, m.triage_at) else { return self.call_triage(tx, m, now) };
        let Some(job) = tx.job(id)? else { return Ok(false) };
        let limit = self.triage_limit();
        let why = match job.state {
            JobState::Done => "the model left no answer".to_owned(),
            JobState::Failed => format!("the model's answer is of no use: {}", job.note.as_deref().unwrap_or("it failed")),
            JobState::Killed => "its triage was ended".to_owned(),
            _ if now >= began + limit => {
                if !job.kill_requested {
                    crate::store::apply(tx, &crate::domain::Command::Kill { job: id, seen: None }, &crate::domain::Actor::Engine, now)?;
                }
                format!("the model did not answer within {} s", limit.as_secs())
            }
            _ => {
                self.next_message = self.next_message.into_iter().chain([began + limit]).min();
                return Ok(false);
            }
        };
        self.sort_by_rules(tx, m, &why, now)
    }

    fn triage_limit(&self) -> Duration {
        self.settings.timeout[Kind::Triage].min(TOOLS)
    }

    fn sort_by_rules(&mut self, tx: &Tx<'_>, m: &Message, why: &str, now: Timestamp) -> Result<bool, StoreError> {
        let triage = triage_by_rules(&m.text, m.clarified.as_deref(), self.settings.local(now));
        tx.triaged(m.id, &triage, &format!("rules: {why}"), now)
    }

    /// The backend that sorts and answers messages.
    pub(super) fn speaker(&self) -> Result<String, String> {
        match self.settings.message_backend.trim() {
            "auto" => self.agent("work_backend", &self.settings.work_backend),
            wish => self.agent("message_backend", wish),
        }
    }

    fn call_triage(&mut self, tx: &Tx<'_>, m: &Message, now: Timestamp) -> Result<bool, StoreError> {
        let backend = match self.speaker() {
            Ok(backend) => backend,
            Err(why) => return self.sort_by_rules(tx, m, &why, now),
        };
        // A pause outlasts those seconds.
        let paused = self.switches.pauses.get(&backend).filter(|(p, _)| p.limit.kind != LimitKind::Throttle);
        if paused.is_some() && !self.stand_ins.contains_key(&backend) {
            return self.sort_by_rules(tx, m, &format!("{backend} is paused"), now);
        }
        let external = if m.is_external() { super::outside(&m.sender) } else { String::new() };
        let asked = if m.clarified.is_some() { "\nThe operator was asked once already: no `clarify` any more." } else { "" };
        let limit = self.triage_limit();
        let prompt = fill(
            TEMPLATE,
            &[
                ("seconds", &limit.as_secs().to_string()),
                ("now", &self.settings.local_text(now)),
                ("asked", asked),
                ("before", &self.before(tx, m)?),
                ("outside", &external),
                ("message", &ends(&m.whole(), CUT)),
            ],
        );
        let mut tags = vec![format!("message:{}", m.id)];
        tags.extend(m.is_external().then(|| OUTSIDE.to_owned()));
        let spec = JobSpec {
            kind: Kind::Triage,
            priority: Priority::P0,
            project_id: None,
            // What is no answer at once is none in time.
            max_attempts: 1,
            timeout: Some(limit),
            origin: Origin::Message,
            tags,
            ..JobSpec::new(format!("Triage of message {}", m.id), &backend, prompt)
        };
        match self.add(tx, &spec, now)? {
            Ok(job) => tx.set_triage_job(m.id, job, now),
            Err(why) => self.sort_by_rules(tx, m, &why, now),
        }
    }

    /// The answer of a triage, read and checked: `None` for every other job, an error where it cannot be used.
    pub(in crate::engine) fn sorted(
        &self,
        tx: &Tx<'_>,
        job: &Job,
        report: &ExitReport,
        now: Timestamp,
    ) -> Result<Result<Option<(MessageId, Triage)>, String>, StoreError> {
        if report.outcome != Outcome::Ok || job.spec.kind != Kind::Triage || job.spec.origin != Origin::Message {
            return Ok(Ok(None));
        }
        let Some(m) = tx.message_by(job.id)?.filter(|m| m.triage_job == Some(job.id)) else { return Ok(Ok(None)) };
        let text = read_head(report.result_file.as_deref(), LONGEST).unwrap_or_default();
        let read = triage_of(&text, now).and_then(|t| match t.class {
            Class::Clarify if m.clarified.is_some() => Err("it asks a second time".to_owned()),
            _ => Ok(t),
        });
        Ok(read.map(|t| Some((m.id, t))).map_err(|e| format!("its triage cannot be used: {e}")))
    }
}
