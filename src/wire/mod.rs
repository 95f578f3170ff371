//! What processes say to each other: plain data with serde, over any stream. No I/O here.

mod frame;
mod query;
mod snapshot;
mod spec;

pub use frame::{EngineFrame, Heartbeat, Hello, MAX_FRAME, PROTOCOL, ShimFrame, SpooledEvent};
pub use query::{Answer, From, JobDetail, JobFilter, LogFilter, Page, Query, WorkerDetail};
pub use snapshot::{
    Attention, BackendPause, BackendRow, BudgetView, EngineMode, EngineView, HostView, JobRow, LaneView, LiveAttempt, LogLine, Severity,
    Slots, Snapshot, StateCounts, Today, WorkerRow,
};
pub use spec::{AttemptLimits, AttemptSpec, Dialect, attempt_mark, files};
