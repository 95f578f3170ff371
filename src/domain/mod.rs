//! The words and decisions of the product. Pure: no I/O, no runtime, no clock, no randomness; those are arguments.

mod actor;
mod agent;
mod attempt;
mod budget;
#[cfg(test)]
mod cases;
mod command;
mod decision;
mod dialect;
mod dispatch;
mod estimate;
mod ids;
mod job;
mod memory;
mod pause;
mod project;
mod prompt;
mod queue;
mod resolve;
mod retry;
mod rows;
mod time;
mod tokens;
mod transition;
mod verdict;
mod why;
pub mod words;
mod worker;

pub use actor::{Act, Actor, Inside, Refusal, Rule, act_of};
pub use agent::{AgentEvent, Hang, Level, Limit, LimitKind, tool_gist};
pub use attempt::{Attempt, ExitReport, Outcome, ProcessIdentity, Usage};
pub use budget::{Budget, BudgetLimits};
#[cfg(test)]
pub(crate) use cases::cases;
pub use command::{Applied, Command, Seen};
pub use decision::{BadCard, Choice, Decision, DecisionState, Question};
pub use dialect::Dialect;
pub use dispatch::{BackendCapacity, Capacity, CapacityLimits, Named, pick};
pub use estimate::{Expected, reservation};
pub use ids::{AttemptId, DecisionId, JobId, MemoryId, ProjectId, TaskId, WorkerId};
pub use job::{Job, JobSpec, JobState, Kind, Lane, NotAPriority, Origin, Priority, WaitReason, default_kind};
pub use memory::{Category, Memory, MemorySource};
pub use pause::pause;
pub use project::ProjectState;
pub use prompt::{PartKind, PromptDocument, PromptPart, blank_comments, sha256_hex, strip_comments};
pub use queue::{ClaimOrder, Queue, QueuedJob, Rank, rank};
pub use resolve::{Resolution, SessionLimits, resolve, rotation};
pub use retry::{Next, RetryPolicy, after, backoff, with_questions};
pub use rows::{BackendPause, JobFilter, JobGroup, JobPage, JobPlace, JobRow, JobsFrom, LogFilter, LogLine, Page, Severity, StateCounts};
pub use time::Timestamp;
pub use tokens::{BYTES_PER_TOKEN, estimate};
pub use transition::allowed;
pub use verdict::{Gate, Verdict};
pub use why::why;
pub use words::UnknownWord;
pub use worker::{Liveness, Worker, WorkerStatus, liveness};
