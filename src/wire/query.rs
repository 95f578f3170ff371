//! What a console asks for on demand, and the answers: pages of long lists, one job in full, a stretch of a transcript.

use super::frame::SpooledEvent;
use super::snapshot::WorkerRow;
use crate::domain::{
    Applied, Attempt, AttemptId, Category, Command, Injected, Job, JobFilter, JobId, JobPage, JobRow, LogFilter, LogLine, Memory,
    MemoryFilter, MemoryId, Page, PromptPart, Recalled, Review, StateCounts, Verdict, WorkerId,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A question to the desk (`engine::desk`).
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// A page of jobs, in the list's order.
    Jobs { filter: JobFilter, page: JobPage },
    /// One job in full.
    Job { job: JobId },
    /// A stretch of an attempt's transcript.
    Transcript { attempt: AttemptId, from: From, limit: usize },
    /// A page of the audit log.
    Log { filter: LogFilter, page: Page },
    /// One worker with its newest attempts.
    Worker { worker: WorkerId },
    /// Lease a worker for its operator: it is paused, and the answer says how its session is gone on with by hand.
    Step { worker: WorkerId },
    /// Memories that a text finds, with their scores; counts as no recall.
    MemorySearch { text: String, category: Option<Category>, limit: usize },
    /// Memories by filter, newest first.
    Memories { filter: MemoryFilter, page: Page },
    /// One memory.
    Memory { memory: MemoryId },
    /// What a job was given from memory, by attempt, best first.
    Recalls { job: JobId },
    /// Not a question: a command to apply.
    Command(Command),
}

/// An answer. It repeats what was asked, so that a late one is known as such.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Jobs {
        filter: JobFilter,
        page: JobPage,
        rows: Vec<JobRow>,
        counts: StateCounts,
        /// There are further ones in the direction of reading.
        more: bool,
    },
    Job(Box<JobDetail>),
    Transcript {
        attempt: AttemptId,
        from: From,
        events: Vec<SpooledEvent>,
        more_before: bool,
        more_after: bool,
    },
    Log {
        filter: LogFilter,
        page: Page,
        lines: Vec<LogLine>,
        more: bool,
    },
    Worker(Box<WorkerDetail>),
    Step(Box<Step>),
    /// Best first.
    MemorySearch {
        text: String,
        category: Option<Category>,
        found: Vec<Recalled>,
    },
    Memories {
        filter: MemoryFilter,
        page: Page,
        rows: Vec<Memory>,
        more: bool,
    },
    Memory(Box<Memory>),
    Recalls {
        job: JobId,
        recalls: Vec<Injected>,
    },
    Applied {
        command: Command,
        applied: Applied,
    },
    /// The question could not be answered; one line that says what, where and what to do.
    Failed {
        query: Query,
        message: String,
    },
}

/// Which part of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The newest ones.
    End,
    /// Those after this sequence number.
    After(u64),
    /// Those before this sequence number.
    Before(u64),
}

/// How a worker's session is gone on with on the operator's terminal.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub worker: WorkerId,
    pub name: String,
    /// The backend's own interactive program with its arguments.
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// Not inherited. A trailing `*` matches any ending.
    pub env_remove: Vec<String>,
    /// Where the session belongs.
    pub cwd: PathBuf,
    /// What gives the worker back afterwards; `None` where it had been paused before.
    pub release: Option<Command>,
}

/// One job in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobDetail {
    pub job: Job,
    pub attempts: Vec<Attempt>,
    /// The newest events, oldest first.
    pub events: Vec<LogLine>,
    /// What it depends on, and what depends on it.
    pub dependencies: Vec<JobRow>,
    pub dependents: Vec<JobRow>,
    /// The parts of the newest attempt's prompt, without their text.
    pub prompt_parts: Vec<PromptPart>,
    /// Why it does not run; empty when it does or is over.
    pub why: Vec<Verdict>,
    /// Its rounds of review, oldest first.
    #[serde(default)]
    pub reviews: Vec<Review>,
    /// The result's text, cut at 256 KiB.
    pub result: Option<String>,
}

/// One worker in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerDetail {
    pub worker: WorkerRow,
    pub directory: String,
    pub skills: Vec<String>,
    pub session_tokens: u64,
    pub attempts: Vec<Attempt>,
}
