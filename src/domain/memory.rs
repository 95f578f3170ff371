//! The middle layer of memory: single facts, with where each came from and whether it still holds.

use super::words::words;
use super::{AttemptId, JobId, MemoryId, Timestamp};
use serde::{Deserialize, Serialize};

words!(
    /// What kind of thing a memory is.
    Category {
        /// How the operator likes things.
        Preference = "preference",
        /// What was decided, and why.
        Decision = "decision",
        /// What went wrong or right, and what follows from it.
        Lesson = "lesson",
        /// What is so.
        Fact = "fact",
        /// Who somebody is.
        Person = "person",
        /// What happened.
        Event = "event",
        /// What is going on at present.
        Context = "context",
    }
);

impl Category {
    /// True for what loses its worth within weeks; the rest holds for months.
    pub fn is_passing(self) -> bool {
        matches!(self, Category::Event | Category::Context)
    }
}

/// Who or what a memory comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum MemorySource {
    /// The operator wrote it.
    Operator,
    /// A file that the operator imported; the name is the line's own `source`, or the file's.
    Import { name: String },
    /// Captured from a job's work.
    Job { job: JobId, attempt: Option<AttemptId> },
}

/// One memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    pub id: MemoryId,
    pub text: String,
    pub category: Category,
    /// 0 to 1.
    pub importance: f64,
    pub source: MemorySource,
    /// It rests on text from outside (mail, the web, a file from elsewhere): shown as such, and never a rule by itself.
    pub external: bool,
    pub created_at: Timestamp,
    /// The last injection into a job's prompt.
    pub last_recalled_at: Option<Timestamp>,
    /// Injections into jobs' prompts.
    pub access_count: u32,
    /// A newer memory says otherwise: this one is readable and no longer recalled.
    pub superseded_by: Option<MemoryId>,
    pub superseded_at: Option<Timestamp>,
    /// The operator has not yet said whether superseding it was right.
    pub disputed: bool,
    /// Forgotten: not recalled, still readable, and restorable.
    pub forgotten_at: Option<Timestamp>,
}

impl Memory {
    /// It may be recalled.
    pub fn holds(&self) -> bool {
        self.superseded_by.is_none() && self.forgotten_at.is_none()
    }
}
