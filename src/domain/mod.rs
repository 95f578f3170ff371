//! The words and decisions of the product. Pure: no I/O, no runtime, no clock, no randomness; those are arguments.

mod agent;
mod attempt;
mod command;
mod ids;
mod job;
mod prompt;
mod rows;
mod time;
mod tokens;
mod verdict;
pub mod words;
mod worker;

pub use agent::{AgentEvent, Hang, Level, Limit, LimitKind};
pub use attempt::{Attempt, ExitReport, Outcome, ProcessIdentity, Usage};
pub use command::{Applied, Command, Seen};
pub use ids::{AttemptId, JobId, ProjectId, TaskId, WorkerId};
pub use job::{Job, JobSpec, JobState, Kind, Lane, NotAPriority, Origin, Priority, WaitReason, default_kind};
pub use prompt::{PartKind, PromptPart, sha256_hex};
pub use rows::{BackendPause, JobFilter, JobRow, LogFilter, LogLine, Page, Severity, StateCounts};
pub use time::Timestamp;
pub use tokens::{BYTES_PER_TOKEN, estimate};
pub use verdict::{Gate, Verdict};
pub use words::UnknownWord;
pub use worker::{Liveness, Worker, WorkerStatus, liveness};
