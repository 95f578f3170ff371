//! The languages in which agents report.

use serde::{Deserialize, Serialize};

/// How a backend's stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    Claude,
    Codex,
    Gemini,
    Opencode,
    /// Plain text on stdout; the exit code decides. (`shell`)
    Text,
    /// Our own events as JSON lines. (`http`, `replay`)
    Native,
}
