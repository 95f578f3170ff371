//! The shim protocol: one JSON object a line, at most `MAX_FRAME` bytes, over any byte stream.
//!
//! The shim opens with `hello`; the engine answers `welcome` with the last event that it holds; the shim sends everything
//! after that, oldest first, from its spool. Every event is in the spool before it is sent, and the engine ignores a
//! repeat by (attempt, seq): at least once on the wire, once in effect.

use crate::domain::{AgentEvent, AttemptId, ExitReport, Hang, ProcessIdentity, Timestamp, Usage};
use serde::{Deserialize, Serialize};

/// The protocol's version. A shim outlives the engine that started it, so an engine accepts every version up to its own.
pub const PROTOCOL: u32 = 1;

/// The longest line that either side accepts, in bytes. Longer payloads are cut, and say so (`shim::spool`).
pub const MAX_FRAME: usize = 1 << 20;

/// From the shim to the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum ShimFrame {
    Hello(Hello),
    Event(SpooledEvent),
    Heartbeat(Heartbeat),
    /// The attempt is over; `exit.json` is already on disk. `seq` follows the last event's. Acknowledged like an event.
    Exit {
        seq: u64,
        report: ExitReport,
    },
}

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    /// The program's version, for the operator.
    pub version: String,
    pub attempt: AttemptId,
    /// The attempt's secret; the database holds its SHA-256.
    pub token: String,
    pub identity: ProcessIdentity,
    /// The next sequence number that the spool will give.
    pub next_seq: u64,
}

/// One line of the spool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpooledEvent {
    /// From 1, without gaps.
    pub seq: u64,
    pub at: Timestamp,
    pub event: AgentEvent,
}

/// The process's pulse, every heartbeat interval. It carries the four clocks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    pub at: Timestamp,
    /// The agent's process is there.
    pub agent_alive: bool,
    /// Milliseconds since the agent's last byte on stdout or stderr.
    pub byte_age_ms: u64,
    /// Milliseconds since the last event that means progress.
    pub progress_age_ms: u64,
    /// CPU time of the agent's tree so far.
    pub cpu_ms: u64,
    /// CPU time of the agent's tree since the last heartbeat.
    pub cpu_delta_ms: u64,
    /// Resident bytes of the agent's tree.
    pub rss_bytes: u64,
    /// Processes in the agent's tree.
    pub processes: u32,
    pub usage: Usage,
    pub hang: Option<Hang>,
}

/// From the engine to the shim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum EngineFrame {
    /// The hello was accepted. `acked` is the last sequence number that the store holds.
    Welcome { epoch: u64, acked: u64 },
    /// Everything up to `seq` is in the store.
    Ack { seq: u64 },
    /// End the agent: SIGTERM, `grace_ms`, SIGKILL; then report `killed`.
    Cancel { grace_ms: u64, reason: String },
    /// This shim is not the attempt's owner (superseded, unknown or wrong token): end the agent and leave, without a report.
    Bye { reason: String },
}
