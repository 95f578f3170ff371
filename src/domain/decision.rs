//! A question to the operator, as a card with options: whoever asked waits for the answer.

use super::caps::HOLD;
use super::words::words;
use super::{AttemptId, DecisionId, JobId, ProjectId, TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::str::FromStr;

/// The most options that a card may have: each is one digit key.
const MOST_CHOICES: usize = 9;

words!(
    /// Where a card stands.
    DecisionState {
        /// Nobody has answered.
        Open = "open",
        /// The operator has.
        Answered = "answered",
        /// Nobody did in time: the default holds.
        Expired = "expired",
        /// Taken back: whoever asked goes on without an answer.
        Cancelled = "cancelled",
    }
);

words!(
    /// What a card is about.
    CardKind {
        /// Somebody at work asks.
        Question = "question",
        /// A message of the operator's own that can be read in several ways.
        Clarification = "clarification",
        /// A result that is not through its review.
        Review = "review",
        /// A spending cap that is reached.
        Spending = "spending",
    }
);

/// The option of a card of clarification whose answer is the remark.
pub const IN_WORDS: &str = "go";

/// One option of a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// A short word for the command line; case does not matter.
    pub key: String,
    pub label: String,
    /// What follows from it; may be empty.
    #[serde(default)]
    pub detail: String,
}

impl FromStr for Choice {
    type Err = BadCard;

    /// `key:Label` or `key:Label:Detail`; the detail may hold colons.
    fn from_str(text: &str) -> Result<Choice, BadCard> {
        let mut parts = text.splitn(3, ':').map(str::trim);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(key), Some(label), detail) if !key.is_empty() && !label.is_empty() && !key.contains(char::is_whitespace) => {
                Ok(Choice { key: key.to_owned(), label: label.to_owned(), detail: detail.unwrap_or_default().to_owned() })
            }
            _ => Err(BadCard::Choice(text.to_owned())),
        }
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    pub question: String,
    pub choices: Vec<Choice>,
    /// When the default is taken; without a default, the card is only marked as overdue.
    #[serde(default)]
    pub deadline: Option<Timestamp>,
    /// The key of the option that holds when nobody answers in time.
    #[serde(default)]
    pub default: Option<String>,
    #[serde(default)]
    pub task: Option<TaskId>,
    #[serde(default)]
    pub project: Option<ProjectId>,
    /// The job that asks, and waits, and the attempt in which it did.
    #[serde(default)]
    pub job: Option<JobId>,
    #[serde(default)]
    pub attempt: Option<AttemptId>,
}

/// What makes a card useless.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCard {
    #[error("the question is empty")]
    NoQuestion,
    #[error("`{0}` is no option: give key:Label or key:Label:Detail, the key without blanks")]
    Choice(String),
    #[error("{0} option(s): a card needs 2 to {MOST_CHOICES}")]
    Count(usize),
    #[error("the option `{0}` is there twice")]
    Twice(String),
    #[error("the default `{key}` is none of the options: {known}")]
    Default { key: String, known: String },
    #[error("the deadline {0} has passed")]
    Past(Timestamp),
}

impl Question {
    /// Finds what makes it useless.
    ///
    /// # Errors
    /// Each as its variant says.
    pub fn check(&self, now: Timestamp) -> Result<(), BadCard> {
        if self.question.trim().is_empty() {
            return Err(BadCard::NoQuestion);
        }
        if !(2..=MOST_CHOICES).contains(&self.choices.len()) {
            return Err(BadCard::Count(self.choices.len()));
        }
        let mut keys = BTreeSet::new();
        if let Some(twice) = self.choices.iter().find(|c| !keys.insert(c.key.to_lowercase())) {
            return Err(BadCard::Twice(twice.key.clone()));
        }
        if let Some(key) = &self.default
            && self.choice(key).is_none()
        {
            return Err(BadCard::Default { key: key.clone(), known: self.keys() });
        }
        match self.deadline {
            Some(t) if t <= now => Err(BadCard::Past(t)),
            _ => Ok(()),
        }
    }

    /// The option with a key.
    pub fn choice(&self, key: &str) -> Option<&Choice> {
        self.choices.iter().find(|c| c.key.eq_ignore_ascii_case(key.trim()))
    }

    /// Its keys, for a message.
    pub fn keys(&self) -> String {
        self.choices.iter().map(|c| c.key.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// A card as the database holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub id: DecisionId,
    #[serde(flatten)]
    pub asked: Question,
    /// Who asked, as in the audit log.
    pub asked_by: String,
    pub state: DecisionState,
    /// The key of the option that holds.
    pub answer: Option<String>,
    /// What the operator added in their own words.
    pub remark: Option<String>,
    pub created_at: Timestamp,
    pub answered_at: Option<Timestamp>,
}

impl Decision {
    /// What it is about. Only the engine asks in its own name: about a job's review, about a cap, about a message.
    pub fn kind(&self) -> CardKind {
        match (self.asked_by.as_str(), self.asked.job) {
            ("engine", Some(_)) => CardKind::Review,
            ("engine", None) if self.asked.choice(HOLD).is_some() => CardKind::Spending,
            ("engine", None) => CardKind::Clarification,
            _ => CardKind::Question,
        }
    }

    /// True for an option that says nothing without a remark.
    pub fn wants_words(&self, key: &str) -> bool {
        self.kind() == CardKind::Clarification && key.eq_ignore_ascii_case(IN_WORDS)
    }

    /// True where nobody answered in time and there is no default to take.
    pub fn overdue(&self, now: Timestamp) -> bool {
        self.state == DecisionState::Open && self.asked.deadline.is_some_and(|t| t <= now)
    }

    /// What the asker is told; `None` while it is open.
    pub fn told(&self) -> Option<String> {
        let chosen = || {
            let choice = self.answer.as_deref().and_then(|key| self.asked.choice(key));
            let mut text = choice.map_or_else(|| self.answer.clone().unwrap_or_default(), |c| format!("{} ({})", c.label, c.key));
            if let Some(detail) = choice.map(|c| c.detail.as_str()).filter(|d| !d.is_empty()) {
                text += &format!(": {detail}");
            }
            if let Some(remark) = self.remark.as_deref().filter(|r| !r.trim().is_empty()) {
                text += &format!("\nThe operator adds: {}", remark.trim());
            }
            text
        };
        match self.state {
            DecisionState::Open => None,
            DecisionState::Answered => Some(chosen()),
            DecisionState::Expired => Some(format!("{}\nNobody answered in time: this is the default.", chosen())),
            DecisionState::Cancelled => {
                Some("The question was taken back. Take the most sensible reading and name it in your result.".into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(options: &[&str]) -> Question {
        Question {
            question: "Which host?".into(),
            choices: options.iter().map(|o| o.parse().unwrap()).collect(),
            deadline: None,
            default: None,
            task: None,
            project: None,
            job: None,
            attempt: None,
        }
    }

    const NOW: Timestamp = Timestamp(1_000);

    #[test]
    fn an_option_has_a_key_a_label_and_perhaps_a_detail_with_colons() {
        assert_eq!(
            "a:Fly.io: from 5 $: a month".parse(),
            Ok(Choice { key: "a".into(), label: "Fly.io".into(), detail: "from 5 $: a month".into() })
        );
        assert_eq!("b : Own server".parse::<Choice>().unwrap().label, "Own server");
        for bad in ["", "a", ":Label", "a:", "two words:Label"] {
            assert_eq!(bad.parse::<Choice>(), Err(BadCard::Choice(bad.into())));
        }
    }

    #[test]
    fn a_card_that_nobody_could_answer_is_refused() {
        let good = question(&["a:A", "b:B"]);
        assert_eq!(good.check(NOW), Ok(()));
        assert_eq!(question(&["a:A"]).check(NOW), Err(BadCard::Count(1)));
        assert_eq!(question(&["a:A"; 10]).check(NOW), Err(BadCard::Count(10)));
        assert_eq!(question(&["a:A", "A:B"]).check(NOW), Err(BadCard::Twice("A".into())));
        assert_eq!(Question { question: " ".into(), ..good.clone() }.check(NOW), Err(BadCard::NoQuestion));
        let lost = Question { default: Some("c".into()), ..good.clone() };
        assert_eq!(lost.check(NOW), Err(BadCard::Default { key: "c".into(), known: "a, b".into() }));
        assert_eq!(Question { deadline: Some(NOW), ..good }.check(NOW), Err(BadCard::Past(NOW)));
    }

    #[test]
    fn a_card_is_of_the_kind_of_who_asks_and_about_what() {
        let card = |by: &str, job: Option<i64>, options: &[&str]| Decision {
            id: DecisionId(1),
            asked: Question { job: job.map(JobId), ..question(options) },
            asked_by: by.into(),
            state: DecisionState::Open,
            answer: None,
            remark: None,
            created_at: NOW,
            answered_at: None,
        };
        assert_eq!(card("worker:web", Some(3), &["a:A", "b:B"]).kind(), CardKind::Question);
        assert_eq!(card("operator", None, &["hold:A", "go:B"]).kind(), CardKind::Question);
        assert_eq!(card("engine", Some(3), &["accept:A", "fail:B"]).kind(), CardKind::Review);
        assert_eq!(card("engine", None, &["quarter:A", "hold:B"]).kind(), CardKind::Spending);
        let unclear = card("engine", None, &["go:A", "drop:B"]);
        assert_eq!(unclear.kind(), CardKind::Clarification);
        assert!(unclear.wants_words("Go") && !unclear.wants_words("drop") && !card("x", None, &["go:A", "b:B"]).wants_words("go"));
    }

    #[test]
    fn the_asker_is_told_what_holds_and_why() {
        let card = |state, answer: Option<&str>, remark: Option<&str>| Decision {
            id: DecisionId(1),
            asked: question(&["a:Fly:5 $ a month", "b:Own server"]),
            asked_by: "worker:web".into(),
            state,
            answer: answer.map(str::to_owned),
            remark: remark.map(str::to_owned),
            created_at: NOW,
            answered_at: None,
        };
        assert_eq!(card(DecisionState::Open, None, None).told(), None);
        assert_eq!(
            card(DecisionState::Answered, Some("a"), Some("but keep it small ")).told().unwrap(),
            "Fly (a): 5 $ a month\nThe operator adds: but keep it small"
        );
        assert_eq!(
            card(DecisionState::Expired, Some("B"), None).told().unwrap(),
            "Own server (b)\nNobody answered in time: this is the default."
        );
        assert!(card(DecisionState::Cancelled, None, None).told().unwrap().starts_with("The question was taken back"));
    }
}
