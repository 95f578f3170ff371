//! What processes say to each other: plain data with serde, over any stream. No I/O here.

mod control;
mod frame;
mod project;
mod query;
mod snapshot;
mod spec;

pub use crate::domain::{
    BackendPause, Dialect, JobFilter, JobPage, JobPlace, JobRow, JobsFrom, LogFilter, LogLine, Page, Severity, StateCounts,
};
pub use control::{ControlFrame, ControlReply};
pub use frame::{EngineFrame, Heartbeat, Hello, MAX_FRAME, PROTOCOL, ShimFrame, SpooledEvent};
pub use project::{BranchRow, ProjectDetail, ProjectDisk, ProjectRow, TaskRow};
pub use query::{Answer, FileContent, From, JobDetail, PlanDetail, Query, SkillDetail, SkillRow, Step, WorkerDetail};
pub use snapshot::{
    Attention, BackendRow, BudgetView, EngineMode, EngineView, HostView, LaneView, LiveAttempt, PendingProject, Slots, Snapshot, Today,
    WorkerRow,
};
pub use spec::{AttemptLimits, AttemptSpec, attempt_mark, files};
