//! The live part of what the console shows: one value, made by the engine whenever something changed, shared with every
//! console. Long lists are not in it; they are pages, fetched on demand.

use crate::domain::{
    AttemptId, BackendPause, CapStanding, Decision, Entry, Hang, JobId, JobRow, Lane, Liveness, LogLine, PlanRow, Priority, ProjectId,
    Reembedding, Severity, Timestamp, WorkerId, WorkerStatus,
};
use serde::{Deserialize, Serialize};

/// The engine as a console sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The engine's clock when it was made: the console's "now".
    pub at: Timestamp,
    pub engine: EngineView,
    pub workspace: String,
    /// The workspace is the throw-away demo.
    pub demo: bool,
    pub today: Today,
    pub slots: Slots,
    /// In claim order, always three.
    pub lanes: Vec<LaneView>,
    /// Working ones first, then by name.
    pub workers: Vec<WorkerRow>,
    pub budget: BudgetView,
    pub backends: Vec<BackendRow>,
    pub host: HostView,
    /// While all memories get new vectors: how far that has come.
    pub reembedding: Option<Reembedding>,
    /// The spending caps, and how near they are.
    #[serde(default)]
    pub caps: Vec<CapStanding>,
    /// What needs the operator, most urgent first.
    pub attention: Vec<Attention>,
    /// The questions that wait for an answer.
    #[serde(default)]
    pub cards: Vec<Decision>,
    /// The plans that wait for a yes or no, oldest first.
    #[serde(default)]
    pub plans: Vec<PlanRow>,
    /// The projects that say they are done, and wait for a yes or no.
    #[serde(default)]
    pub pending: Vec<PendingProject>,
    /// How much of the conversation the operator has not seen, and the newest of it, oldest first; bounded.
    #[serde(default)]
    pub unread: u64,
    #[serde(default)]
    pub said: Vec<Entry>,
    /// The newest events, oldest first; bounded.
    pub log: Vec<LogLine>,
}

/// What the engine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineMode {
    /// No engine yet: it takes the lock, migrates, adopts.
    Starting,
    Running,
    /// Dispatching is paused by the operator.
    Paused,
    Draining,
    /// The connection to the engine is gone; what is shown is old.
    Disconnected,
}

/// The engine itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineView {
    pub mode: EngineMode,
    pub pid: i32,
    pub epoch: u64,
    pub version: String,
    pub started_at: Timestamp,
    /// Set while backpressure holds: why.
    pub backpressure: Option<String>,
}

/// Figures since the operator's midnight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Today {
    /// Jobs that were made today.
    pub created: u64,
    pub done: u64,
    pub failed: u64,
    pub tokens: u64,
    pub cost_usd: f64,
}

/// How many jobs run, and how many may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    pub max_running: u32,
    pub reserved: u32,
    /// Running jobs, those in the reserved slots included.
    pub running: u32,
}

/// One lane and what comes next in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaneView {
    pub lane: Lane,
    pub paused: bool,
    pub running: u32,
    pub queued: u32,
    pub waiting: u32,
    /// The next ones in claim order; bounded.
    pub next: Vec<JobRow>,
}

/// A worker and, while it works, the live state of its attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerRow {
    pub id: WorkerId,
    pub name: String,
    pub backend: String,
    pub model: Option<String>,
    pub persona: Option<String>,
    pub persistent: bool,
    pub status: WorkerStatus,
    pub project_id: Option<ProjectId>,
    pub session: Option<String>,
    pub session_jobs: u32,
    pub total_jobs: u64,
    pub total_tokens: u64,
    pub live: Option<LiveAttempt>,
}

/// What is known of a running attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveAttempt {
    pub attempt: AttemptId,
    pub job: JobId,
    pub title: String,
    pub priority: Priority,
    pub started_at: Timestamp,
    pub connected: bool,
    pub last_heartbeat: Option<Timestamp>,
    pub heartbeat_interval_ms: u64,
    pub liveness: Liveness,
    pub hang: Option<Hang>,
    pub byte_age_ms: u64,
    pub progress_age_ms: u64,
    pub cpu_ms: u64,
    pub rss_bytes: u64,
    pub processes: u32,
    pub tokens: u64,
    pub cost_usd: f64,
    /// The newest thing that the agent said or did, one line.
    pub last: String,
    pub kill_requested: bool,
}

/// The rolling token window, in tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BudgetView {
    /// Tokens per window.
    pub budget: u64,
    pub window_ms: u64,
    /// Actual tokens in the window.
    pub used: u64,
    /// Open reservations.
    pub reserved: u64,
    /// Backpressure begins above this share of the budget (0 to 1) with a deep queue, and ends below `low`.
    pub high: f64,
    pub low: f64,
    /// Tokens of each of the last 30 minutes, oldest first.
    pub history: Vec<u64>,
}

/// A backend: what runs on it, and why it takes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackendRow {
    pub name: String,
    pub running: u32,
    /// 0 = no limit.
    pub max_running: u32,
    pub pause: Option<BackendPause>,
}

/// What the host has left, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostView {
    pub memory_available: u64,
    pub memory_low_water: u64,
    pub disk_available: u64,
    pub disk_low_water: u64,
    /// Set while new starts are held: what is short.
    pub held: Option<String>,
}

/// Something that needs the operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attention {
    pub severity: Severity,
    pub says: String,
    /// The key or command that helps.
    pub remedy: String,
    pub job: Option<JobId>,
}

/// A project that waits for the operator's word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingProject {
    pub id: ProjectId,
    pub title: String,
    pub submitted_at: Option<Timestamp>,
    /// What the operator said of it last.
    pub remark: Option<String>,
    pub jobs: u32,
    pub done: u32,
    /// Failed or killed.
    pub failed: u32,
    pub tasks: u32,
    pub tasks_done: u32,
    pub tokens: u64,
    pub cost_usd: f64,
    /// Its newest jobs.
    pub newest: Vec<JobRow>,
}

impl Snapshot {
    /// What a console shows before there is an engine.
    pub fn starting(at: Timestamp, workspace: String) -> Snapshot {
        Snapshot {
            at,
            engine: EngineView {
                mode: EngineMode::Starting,
                pid: 0,
                epoch: 0,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                started_at: at,
                backpressure: None,
            },
            workspace,
            demo: false,
            today: Today::default(),
            slots: Slots::default(),
            lanes: Lane::ALL
                .iter()
                .map(|&lane| LaneView { lane, paused: false, running: 0, queued: 0, waiting: 0, next: Vec::new() })
                .collect(),
            workers: Vec::new(),
            budget: BudgetView::default(),
            backends: Vec::new(),
            host: HostView::default(),
            reembedding: None,
            caps: Vec::new(),
            attention: Vec::new(),
            cards: Vec::new(),
            plans: Vec::new(),
            pending: Vec::new(),
            unread: 0,
            said: Vec::new(),
            log: Vec::new(),
        }
    }
}
