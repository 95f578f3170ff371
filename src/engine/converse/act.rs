//! What follows from a message's class.

use super::{OUTSIDE, TALK};
use crate::domain::{
    CONVERSATION, Choice, Class, IN_WORDS, JobSpec, Kind, Message, Origin, Priority, Question, Reading, Says, Timestamp, Triage,
    WorkerStatus, fill, one_line, when,
};
use crate::engine::learn::ends;
use crate::engine::state::State;
use crate::store::{Goes, NewEntry, NewPlan, NewWorker, StoreError, Tx};
use std::time::Duration;

const CONVERSE: &str = include_str!("../../../config/templates/converse.md");
const QUICK: &str = include_str!("../../../config/templates/quick.md");
/// Small work is under five minutes; what takes twice as long is none.
const SMALL: Duration = Duration::from_secs(10 * 60);
/// How much of a message a prompt holds, in bytes.
const CUT: usize = 64 << 10;
/// Keys of a card's options.
const KEYS: &[&str] = &["a", "b", "c", "d", "e", "f", "g", "h"];
/// The option that ends it.
pub(super) const DROP: &str = "drop";

impl State {
    pub(super) fn act(&mut self, tx: &Tx<'_>, m: &Message, t: &Triage, now: Timestamp) -> Result<bool, StoreError> {
        let class = match t.class {
            // Somebody else's words start no work: the operator says yes to a plan, or does not.
            Class::Quick if m.is_external() => Class::Big,
            Class::Clarify if m.clarified.is_some() => Class::Big,
            class => class,
        };
        match class {
            Class::Respond => self.respond(tx, m, t, now),
            Class::Quick => self.quick(tx, m, t, now),
            Class::Big => self.big(tx, m, t, now),
            Class::Clarify => self.clarify(tx, m, t, now),
            Class::Defer => self.defer(tx, m, t, now),
        }
    }

    fn respond(&mut self, tx: &Tx<'_>, m: &Message, t: &Triage, now: Timestamp) -> Result<bool, StoreError> {
        if self.settings.message_backend.trim() == "none" {
            // Nobody converses: an answer is work like any other, with the same guard for somebody else's words.
            return if m.is_external() { self.big(tx, m, t, now) } else { self.quick(tx, m, t, now) };
        }
        let backend = match self.speaker() {
            Ok(backend) => backend,
            Err(why) => return self.nobody(tx, m, &why, now),
        };
        let prompt = fill(CONVERSE, &self.told(tx, m, None)?.iter().map(|(k, v)| (*k, v.as_str())).collect::<Vec<_>>());
        let spec = JobSpec {
            worker: Some(self.conversation(tx, &backend, now)?),
            timeout: Some(SMALL.min(self.settings.timeout[Kind::Other])),
            ..self.serving_message(m, &backend, format!("Answer to message {}: {}", m.id, one_line(&m.text, 60)), prompt)
        };
        let spec = JobSpec { tags: spec.tags.iter().cloned().chain([TALK.to_owned()]).collect(), ..spec };
        match self.add(tx, &spec, now)? {
            Ok(job) => tx.message_goes(m, Goes::Work(job), None, now),
            Err(why) => self.nobody(tx, m, &why, now),
        }
    }

    fn quick(&mut self, tx: &Tx<'_>, m: &Message, t: &Triage, now: Timestamp) -> Result<bool, StoreError> {
        let backend = match self.agent("work_backend", &self.settings.work_backend) {
            Ok(backend) => backend,
            Err(why) => return self.nobody(tx, m, &why, now),
        };
        let prompt = fill(QUICK, &self.told(tx, m, t.reading.as_deref())?.iter().map(|(k, v)| (*k, v.as_str())).collect::<Vec<_>>());
        let kind = t.kind.filter(|k| matches!(k, Kind::Code | Kind::Writing | Kind::Research | Kind::Maintenance)).unwrap_or(Kind::Other);
        let title = t.title.clone().unwrap_or_else(|| m.title());
        let spec = JobSpec {
            kind,
            timeout: Some(SMALL.min(self.settings.timeout[kind])),
            ..self.serving_message(m, &backend, one_line(&title, 80), prompt)
        };
        match self.add(tx, &spec, now)? {
            Ok(job) => {
                let text = t.reply.clone().unwrap_or_else(|| "On it.".to_owned());
                let text = format!("{text} (job {job})");
                tx.say(&NewEntry { job: Some(job), ..NewEntry::to(m, Says::Acknowledgement, &text) }, now)?;
                tx.message_goes(m, Goes::Work(job), None, now)
            }
            Err(why) => self.nobody(tx, m, &why, now),
        }
    }

    fn big(&mut self, tx: &Tx<'_>, m: &Message, t: &Triage, now: Timestamp) -> Result<bool, StoreError> {
        let mut request = m.whole();
        if let Some(reading) = &t.reading {
            request += &format!("\n\nIt was taken to mean: {reading}");
        }
        let priority = t.priority.unwrap_or(Priority::P2).max(Priority::P0.lowered());
        let new = NewPlan { request: &request, project: m.project, message: Some(m.id), priority, on_failure: None };
        let plan = match tx.attempt(|| tx.add_plan(&new, "engine", now)) {
            Ok(plan) => plan,
            Err(e @ (StoreError::Invalid(_) | StoreError::Unknown { .. })) => return self.nobody(tx, m, &e.to_string(), now),
            Err(e) => return Err(e),
        };
        let first = t.reply.as_ref().map(|r| format!("{r} ")).unwrap_or_default();
        let text =
            format!("{first}That is work for a plan: plan {plan} is being made, and nothing of it runs before you have approved it.");
        tx.say(&NewEntry { plan: Some(plan), ..NewEntry::to(m, Says::Acknowledgement, &text) }, now)?;
        tx.message_goes(m, Goes::Plan(plan), None, now)
    }

    fn clarify(&mut self, tx: &Tx<'_>, m: &Message, t: &Triage, now: Timestamp) -> Result<bool, StoreError> {
        let question = t.question.clone().unwrap_or_else(|| format!("What is to be done with this: \"{}\"?", m.title()));
        self.ask_about(tx, m, &question, &t.options, now)
    }

    /// Puts a card before the operator; the message waits for it.
    fn ask_about(&mut self, tx: &Tx<'_>, m: &Message, question: &str, options: &[Reading], now: Timestamp) -> Result<bool, StoreError> {
        let mut choices: Vec<Choice> = options
            .iter()
            .zip(KEYS)
            .map(|(o, key)| Choice { key: (*key).to_owned(), label: one_line(&o.label, 80), detail: one_line(&o.detail, 200) })
            .collect();
        if choices.is_empty() {
            let detail = "your answer stands in the remark".to_owned();
            choices.push(Choice { key: IN_WORDS.into(), label: "Go on".into(), detail });
        }
        choices.push(Choice { key: DROP.into(), label: "Never mind".into(), detail: "nothing is done".into() });
        let card = Question {
            question: format!("{question}\n(about your message {}: \"{}\")", m.id, m.title()),
            choices,
            deadline: None,
            default: None,
            task: None,
            project: m.project,
            job: None,
            attempt: None,
        };
        let id = tx.ask(&card, "engine", now)?;
        tx.say(&NewEntry { decision: Some(id), ..NewEntry::to(m, Says::Question, question) }, now)?;
        tx.message_goes(m, Goes::Ask(id), None, now)
    }

    fn defer(&mut self, tx: &Tx<'_>, m: &Message, t: &Triage, now: Timestamp) -> Result<bool, StoreError> {
        let here = self.settings.local(now);
        let said = m.clarified.as_deref().and_then(|c| when(c, here)).or_else(|| when(&m.text, here));
        let due = t.until.or_else(|| said.map(|at| self.settings.instant(at))).filter(|due| *due > now);
        let due = match due {
            Some(due) => due,
            None if m.clarified.is_none() => {
                let option = |label: &str| Reading { label: label.to_owned(), detail: String::new() };
                let options = ["In 2 hours", "Tomorrow at 9", "Next week"].map(option);
                return self.ask_about(tx, m, "When do you want to be reminded?", &options, now);
            }
            // Asked, and still no time: tomorrow morning is never too late by much.
            None => when("tomorrow at 9", here).map_or(now + Duration::from_secs(86_400), |at| self.settings.instant(at)),
        };
        let text = format!("I remind you on {}.", self.settings.local_text(due));
        tx.say(&NewEntry::to(m, Says::Acknowledgement, &text), now)?;
        tx.message_goes(m, Goes::Wait(due), None, now)
    }

    /// Nobody can act on it yet: it is kept, the operator is told once, and it is tried again.
    fn nobody(&mut self, tx: &Tx<'_>, m: &Message, why: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.look_again_soon(now);
        if m.note.as_deref() == Some(why) {
            return Ok(false);
        }
        let text = format!("Nobody can take this up yet: {why}. It is kept, and taken up as soon as somebody can.");
        tx.say(&NewEntry::to(m, Says::Notice, &text), now)?;
        tx.note_message(m.id, why, now)?;
        Ok(false)
    }

    /// A job that serves a message: somebody waits for it.
    fn serving_message(&self, m: &Message, backend: &str, title: String, prompt: String) -> JobSpec {
        let mut tags = vec![format!("message:{}", m.id)];
        tags.extend(m.is_external().then(|| OUTSIDE.to_owned()));
        JobSpec {
            kind: Kind::Other,
            priority: Priority::P0,
            project_id: m.project,
            max_attempts: self.settings.max_attempts,
            origin: Origin::Message,
            tags,
            ..JobSpec::new(title, backend, prompt)
        }
    }

    /// What a prompt about a message is filled with.
    fn told(&self, tx: &Tx<'_>, m: &Message, reading: Option<&str>) -> Result<Vec<(&'static str, String)>, StoreError> {
        let reading = reading.map(|r| format!("\nIt was taken to mean: {}\n", one_line(r, 500))).unwrap_or_default();
        let external = if m.is_external() { super::outside(&m.sender) } else { String::new() };
        Ok(vec![("reading", reading), ("outside", external), ("before", self.before(tx, m)?), ("message", ends(&m.whole(), CUT))])
    }

    /// The worker that converses on a backend, with a session of its own; made when it is first needed.
    fn conversation(&mut self, tx: &Tx<'_>, backend: &str, now: Timestamp) -> Result<String, StoreError> {
        let name = format!("{CONVERSATION}{backend}");
        if tx.worker_named(&name)?.is_some_and(|w| w.status != WorkerStatus::Retired) {
            return Ok(name);
        }
        let new = NewWorker {
            name: name.clone(),
            backend: backend.to_owned(),
            model: None,
            persona: None,
            skills: Vec::new(),
            persistent: true,
            project_id: None,
            directory: self.workspace.root().join("drafts").to_string_lossy().into_owned(),
        };
        let id = tx.add_worker(&new, "engine", now)?;
        self.reload_worker(tx, id)?;
        Ok(name)
    }
}
