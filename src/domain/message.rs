//! Messages to the workforce, and the conversation that they begin. Each is triaged into a class, and each class has its action.

use super::job::{Kind, Priority};
use super::plan::one_line;
use super::words::words;
use super::{DecisionId, EntryId, JobId, MessageId, PlanId, ProjectId, Timestamp};
use serde::{Deserialize, Serialize};

/// The longest message, in bytes.
pub const LONGEST_MESSAGE: usize = 256 << 10;
/// The longest text of a triage's answer, in bytes.
const LONGEST_TEXT: usize = 16 << 10;
/// Who the operator is, as the sender of a message.
pub const OPERATOR: &str = "operator";

words!(
    /// What a message comes to.
    Class {
        /// An answer: nothing has to be looked up or done.
        Respond = "respond",
        /// Work with one result, under five minutes.
        Quick = "quick",
        /// Work for a plan that the operator approves.
        Big = "big",
        /// One question decides what is to be done.
        Clarify = "clarify",
        /// Nothing before a certain time.
        Defer = "defer",
    }
);

words!(
    /// What a message waits for.
    MessageStage {
        /// It is being classified.
        Triage = "triage",
        /// The job that answers it, or does it.
        Work = "work",
        /// Its plan: to be proposed or given up.
        Plan = "plan",
        /// The operator's answer to a question.
        Ask = "ask",
        /// Its time.
        Wait = "wait",
        /// Nothing more.
        Over = "over",
    }
);

words!(
    /// What is said in the conversation.
    Says {
        /// The message itself.
        Message = "message",
        /// What follows from it, said at once.
        Acknowledgement = "acknowledgement",
        /// A question; its card waits for the answer.
        Question = "question",
        /// The answer that the operator gave to one.
        Answer = "answer",
        /// The reply or the result.
        Reply = "reply",
        /// Its time has come.
        Reminder = "reminder",
        /// What became of it otherwise: a failure, a plan that is ready or over.
        Notice = "notice",
    }
);

/// A message as the database holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub id: MessageId,
    /// How it came: `console`, `command line`, later a chat or mail.
    pub channel: String,
    /// `operator`, or whoever the channel says wrote it.
    pub sender: String,
    pub text: String,
    /// The work that comes of it belongs there.
    pub project: Option<ProjectId>,
    pub stage: MessageStage,
    pub triage: Option<Triage>,
    /// Who classified it: `rules` and why, or the model's backend.
    pub triaged_by: Option<String>,
    /// When its classification began.
    pub triage_at: Option<Timestamp>,
    pub triage_job: Option<JobId>,
    /// The job that answers or does it.
    pub job: Option<JobId>,
    pub plan: Option<PlanId>,
    pub decision: Option<DecisionId>,
    /// What was asked, and what was answered.
    pub clarified: Option<String>,
    /// When its reminder fires.
    pub due_at: Option<Timestamp>,
    /// Why it stands where it stands, one line.
    pub note: Option<String>,
    pub received_at: Timestamp,
    pub triaged_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}

impl Message {
    /// True for what somebody else wrote: material, and no order of the operator.
    pub fn is_external(&self) -> bool {
        self.sender != OPERATOR
    }

    /// Its text with what was asked and answered since.
    pub fn whole(&self) -> String {
        match &self.clarified {
            Some(more) => format!("{}\n\n{more}", self.text.trim()),
            None => self.text.trim().to_owned(),
        }
    }

    /// Its first words.
    pub fn title(&self) -> String {
        one_line(&self.text, 80)
    }
}

/// One thing that was said in the conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub id: EntryId,
    pub at: Timestamp,
    /// `None` for what answers no message.
    pub message: Option<MessageId>,
    pub says: Says,
    /// `operator`, `orc`, or whoever else wrote it.
    pub author: String,
    /// Somebody else's words, or what rests on them.
    pub external: bool,
    pub text: String,
    pub job: Option<JobId>,
    pub plan: Option<PlanId>,
    pub decision: Option<DecisionId>,
    /// The operator has seen it.
    pub read: bool,
}

/// One option of a question of clarification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    pub label: String,
    /// What happens then.
    #[serde(default)]
    pub detail: String,
}

/// What triage has decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Triage {
    pub class: Class,
    /// One line for people.
    #[serde(default)]
    pub title: Option<String>,
    /// What the operator reads at once; for `respond` perhaps the whole answer.
    #[serde(default)]
    pub reply: Option<String>,
    /// What it was taken to mean, where that was a choice.
    #[serde(default)]
    pub reading: Option<String>,
    /// Of the work.
    #[serde(default)]
    pub kind: Option<Kind>,
    #[serde(default)]
    pub priority: Option<Priority>,
    /// For `clarify`.
    #[serde(default)]
    pub question: Option<String>,
    #[serde(default)]
    pub options: Vec<Reading>,
    /// For `defer`: when the reminder fires.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// 0 to 1.
    #[serde(default)]
    pub confidence: Option<f64>,
}

impl Triage {
    /// A class and nothing more.
    pub fn of(class: Class) -> Triage {
        Triage {
            class,
            title: None,
            reply: None,
            reading: None,
            kind: None,
            priority: None,
            question: None,
            options: Vec::new(),
            until: None,
            confidence: None,
        }
    }
}

/// Below this a model does not believe its own word.
const UNSURE: f64 = 0.3;
/// A reminder further ahead than this is a slip.
const FARTHEST: std::time::Duration = std::time::Duration::from_secs(20 * 365 * 86_400);

/// Reads what a model has answered to a triage: the first JSON object in it with a class.
///
/// # Errors
/// What makes it useless, in a line.
pub fn triage_of(answer: &str, now: Timestamp) -> Result<Triage, String> {
    let mut wrong = "it holds no JSON object".to_owned();
    for (at, _) in answer.match_indices('{') {
        let mut values = serde_json::Deserializer::from_str(&answer[at..]).into_iter::<serde_json::Value>();
        if let Some(Ok(value)) = values.next() {
            if value.get("class").is_none() {
                wrong = "its object has no `class`".into();
                continue;
            }
            let t: Triage = serde_json::from_value(value).map_err(|e| format!("its JSON is not of the asked form: {e}"))?;
            return checked(t, now);
        }
    }
    Err(wrong)
}

fn checked(mut t: Triage, now: Timestamp) -> Result<Triage, String> {
    for text in [&mut t.title, &mut t.reply, &mut t.reading, &mut t.question] {
        *text = text.take().map(|s| s.trim().to_owned()).filter(|s| !s.is_empty());
        if text.as_ref().is_some_and(|s| s.len() > LONGEST_TEXT) {
            return Err(format!("one of its texts has more than {LONGEST_TEXT} bytes"));
        }
    }
    if t.confidence.is_some_and(|c| !(0.0..=1.0).contains(&c)) {
        return Err("its confidence is not 0 to 1".into());
    }
    if t.confidence.is_some_and(|c| c < UNSURE) {
        return Err("it is not sure enough of its own word".into());
    }
    match t.class {
        Class::Clarify if t.question.is_none() => Err("it asks for clarification and has no question".into()),
        Class::Clarify if t.options.len() > 8 => Err(format!("{} options, and 8 is the most", t.options.len())),
        Class::Clarify if t.options.iter().any(|o| o.label.trim().is_empty()) => Err("an option without a label".into()),
        // What has passed is not when to come back; one without a time is looked for in the message.
        Class::Defer if t.until.is_some_and(|u| u <= now) => Err("the time of its reminder has passed".into()),
        Class::Defer if t.until.is_some_and(|u| u > now + FARTHEST) => Err("its reminder is years ahead".into()),
        _ => Ok(t),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_764_000_000_000);

    #[test]
    fn an_answer_is_read_out_of_what_stands_around_it() {
        let t = triage_of("I'd say {so}:\n```json\n{\"class\": \"quick\", \"kind\": \"code\", \"title\": \" Fix it \"}\n```", NOW).unwrap();
        assert_eq!((t.class, t.kind, t.title.as_deref()), (Class::Quick, Some(Kind::Code), Some("Fix it")));
    }

    #[test]
    fn a_useless_answer_says_why() {
        for (answer, says) in [
            ("quick", "no JSON object"),
            (r#"{"kind":"code"}"#, "no `class`"),
            (r#"{"class":"urgent"}"#, "unknown variant `urgent`"),
            (r#"{"class":"quick","do":"it"}"#, "unknown field `do`"),
            (r#"{"class":"clarify"}"#, "has no question"),
            (r#"{"class":"clarify","question":"Which?","options":[{"label":" "}]}"#, "without a label"),
            (r#"{"class":"defer","until":"2020-01-01T00:00:00Z"}"#, "has passed"),
            (r#"{"class":"defer","until":"2090-01-01T00:00:00Z"}"#, "years ahead"),
            (r#"{"class":"respond","confidence":0.1}"#, "not sure enough"),
        ] {
            let wrong = triage_of(answer, NOW).unwrap_err();
            assert!(wrong.contains(says), "{answer}: {wrong}");
        }
    }
}
