//! The words and decisions of the product. Pure: no I/O, no runtime, no clock, no randomness; those are arguments.

mod actor;
mod agent;
mod artefact;
mod attempt;
mod budget;
mod caps;
#[cfg(test)]
mod cases;
mod clock;
mod command;
mod cost;
mod cron;
mod decision;
mod deliverable;
mod dialect;
mod dispatch;
mod estimate;
mod health;
mod ids;
mod job;
mod lesson;
mod memory;
mod message;
mod pause;
mod plan;
mod project;
mod prompt;
mod queue;
mod recall;
mod resolve;
mod retry;
mod review;
mod reviewer;
mod rows;
mod score;
mod skill;
mod time;
mod tokens;
mod transition;
mod triage;
mod verdict;
mod when;
mod why;
pub mod words;
mod worker;

pub use actor::{Act, Actor, Inside, Refusal, Rule, Target, act_of};
pub use agent::{AgentEvent, Hang, Level, Limit, LimitKind, tool_gist};
pub use artefact::{NoName, name_below};
pub use attempt::{Attempt, ExitReport, Outcome, ProcessIdentity, Usage};
pub use budget::{Budget, BudgetLimits};
pub use caps::{Amount, CapLimits, CapStanding, CapUnit, Caps, HOLD, Hold, MORE, amount};
#[cfg(test)]
pub(crate) use cases::cases;
pub use clock::{CLOCK_TOLERANCE, ClockMark, ClockStep};
pub use command::{Applied, Command, Seen};
pub use cost::{
    Accuracy, Charge, CostBy, CostRow, CostSource, Found, Overview, Price, Prices, Spend, UPKEEP_LEAST, UPKEEP_USUAL, Upkeep, charge,
    is_upkeep,
};
pub use cron::{
    BadSchedule, Catch, CronEntry, CronRow, CronStep, CronView, Due, Fire, FireOutcome, MOST_FIRES, NOTHING, Overlap, Quiet, Schedule,
    Upcoming, due, for_project, found_nothing, jitter, next_due, says_nothing,
};
pub use decision::{BadCard, CardKind, Choice, Decision, DecisionState, IN_WORDS, Question};
pub use deliverable::{Deliverable, FileForm, HEAD, Picture, form_of, kind_of, picture};
pub use dialect::Dialect;
pub use dispatch::{BackendCapacity, Capacity, CapacityLimits, Named, held_by_caps, pick};
pub use estimate::{Expected, reservation};
pub use health::{Component, ComponentHealth, Finding, Health, components};
pub use ids::{AttemptId, DecisionId, EntryId, JobId, MemoryId, MessageId, PlanId, ProjectId, ReviewId, TaskId, WorkerId};
pub use job::{Job, JobSpec, JobState, Kind, Lane, NotAPriority, Origin, Priority, WaitReason, default_kind};
pub use lesson::{LONGEST_MEMORY, Learned, MOST_OF_DAY, MOST_OF_JOB, NewFact, fill, learned, looks_secret, memory_text};
pub use memory::{Category, Memory, MemorySource};
pub use message::{Class, Entry, LONGEST_MESSAGE, Message, MessageStage, OPERATOR, Reading, Says, Triage, triage_of};
pub use pause::pause;
pub use plan::{
    BadPlan, Basis, Branch, KindHistory, MOST_TASKS, OnFailure, Plan, PlanDocument, PlanJob, PlanRow, PlanState, PlanTask, Preview,
    PreviewTask, Progress, Totals, one_line, plan_of, preview,
};
pub use project::ProjectState;
pub use prompt::{PartKind, PromptDocument, PromptPart, blank_comments, sha256_hex, strip_comments};
pub use queue::{ClaimOrder, Queue, QueuedJob, Rank, rank};
pub use recall::{Injected, MemoryFilter, Reembedding, Settle, Standing, WITHOUT, memory_line, recall_ceiling};
pub use resolve::{CONVERSATION, Resolution, SessionLimits, resolve, rotation};
pub use retry::{Next, RetryPolicy, after, backoff, with_questions};
pub use review::{
    Conclusion, Criterion, Fix, Judgement, MOST_FIXES, MOST_VOIDS, Review, ReviewOutcome, Rubric, Score, Stage, conclude, hollow,
    judgement, score as review_score, settled, tests_failed,
};
pub use reviewer::{Author, Distance, Eligible, Reviewer, choose as choose_reviewer, family};
pub use rows::{BackendPause, JobFilter, JobGroup, JobPage, JobPlace, JobRow, JobsFrom, LogFilter, LogLine, Page, Severity, StateCounts};
pub use score::{Candidate, Formula, Recalled, Terms, hybrid, pool};
pub use skill::{
    Phrases, SkillFile, SkillFrom, SkillGiven, SkillHold, SkillHow, SkillOutput, SkillUse, SkillVersion, fingerprint, in_canary,
};
pub use time::Timestamp;
pub use tokens::{BYTES_PER_TOKEN, estimate};
pub use transition::allowed;
pub use triage::triage_by_rules;
pub use verdict::{Gate, Verdict};
pub use when::when;
pub use why::why;
pub use words::UnknownWord;
pub use worker::{Liveness, Worker, WorkerStatus, liveness};
