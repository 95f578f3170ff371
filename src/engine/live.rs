//! What the engine knows of running attempts beyond the database: connections, heartbeats, the newest word. In memory only.

use super::input::Link;
use crate::domain::{AgentEvent, AttemptId, Hang, JobId, Kind, Level, Priority, ProjectId, Timestamp, Usage, tool_gist};
use crate::wire::Heartbeat;

/// A running attempt.
#[derive(Clone, Debug)]
pub struct Live {
    pub job: JobId,
    pub title: String,
    pub kind: Kind,
    pub priority: Priority,
    pub project: Option<ProjectId>,
    pub backend: String,
    pub worker_name: String,
    pub started_at: Timestamp,
    pub estimate: u64,
    pub token_hash: String,
    pub link: Option<Link>,
    /// Frames up to here are in the store.
    pub acked: u64,
    pub heartbeat: Option<Heartbeat>,
    pub usage: Usage,
    /// The model, as far as it is known.
    pub model: Option<String>,
    /// What the backend says that it has cost so far, and what it has by whoever says so.
    pub told_usd: Option<f64>,
    pub cost_usd: f64,
    /// Budgeted tokens recorded so far.
    pub spent: u64,
    pub hang: Option<Hang>,
    /// The newest thing that it said or did, one line.
    pub last: String,
    pub kill_requested: bool,
    /// A look at it is under way, or its shim is known to be gone.
    pub probing: bool,
}

/// The part of an event that fits on one line of a list.
pub fn one_line(event: &AgentEvent) -> Option<String> {
    let text = match event {
        AgentEvent::Text { text } | AgentEvent::Thinking { text } => text.trim(),
        AgentEvent::ToolCall { name, input, .. } => return Some(cut(&format!("{name} {}", tool_gist(input)))),
        AgentEvent::ToolResult { output, is_error: true, .. } => return Some(cut(&format!("tool failed: {}", output.trim()))),
        AgentEvent::Limited { limit } => &limit.message,
        AgentEvent::Notice { level: Level::Warn | Level::Error, text } => text,
        AgentEvent::Hanging { verdict } => return Some(format!("it {}", verdict.says())),
        _ => return None,
    };
    let line = text.lines().find(|l| !l.trim().is_empty())?;
    Some(cut(line.trim()))
}

/// At most 160 characters, with an ellipsis where something is left out.
pub fn cut(text: &str) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match flat.char_indices().nth(160) {
        Some((at, _)) => format!("{}…", &flat[..at]),
        None => flat,
    }
}

/// The live attempts, by id.
pub type Lives = std::collections::BTreeMap<AttemptId, Live>;
