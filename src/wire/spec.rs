//! What the engine hands to a shim: `spec.json` in the attempt's spool directory. It holds no secret: the token comes through
//! the shim's standard input, the backends' keys through the inherited environment.

use crate::domain::{AttemptId, Dialect, JobId, Usage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Everything that a shim needs to run one attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptSpec {
    /// `PROTOCOL` of the engine that wrote it.
    pub protocol: u32,
    pub attempt: AttemptId,
    pub job: JobId,
    /// The workspace's own id: with the attempt's id it names the attempt on this machine (`ORC_ATTEMPT` in the agent's
    /// environment, which is how strays are found).
    pub workspace_id: String,
    /// The engine's socket.
    pub socket: PathBuf,
    /// The backend's name, for messages.
    pub backend: String,
    pub dialect: Dialect,
    /// Program and arguments. The program is resolved on the agent's PATH.
    pub argv: Vec<String>,
    /// Where the agent runs; made if it is missing.
    pub cwd: PathBuf,
    /// Set in the agent's environment, on top of what it inherits.
    pub env: BTreeMap<String, String>,
    /// Names that the agent must not inherit. A trailing `*` matches any ending.
    pub env_remove: Vec<String>,
    /// Put first on the agent's PATH.
    pub path_prefix: Vec<PathBuf>,
    /// Fed to the agent's standard input, then end of file.
    pub prompt_file: PathBuf,
    /// Where the result text goes (written whole, then renamed).
    pub result_file: PathBuf,
    /// The session chosen beforehand or to be resumed, if the backend has one.
    pub session: Option<String>,
    /// True when `session` existed before.
    pub resume: bool,
    /// What the session had used before this attempt, for backends that report cumulative figures.
    pub usage_base: Usage,
    pub cost_base: f64,
    pub limits: AttemptLimits,
}

/// The clocks and ceilings of one attempt. All times in milliseconds; 0 switches a watchdog off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptLimits {
    /// Wall clock.
    pub timeout_ms: u64,
    /// No progress for this long is a hang verdict.
    pub stall_after_ms: u64,
    /// End an attempt whose hang verdict holds.
    pub stall_kill: bool,
    /// Time that the CLI has to exit after its result.
    pub exit_grace_ms: u64,
    /// Between SIGTERM and SIGKILL.
    pub kill_grace_ms: u64,
    pub heartbeat_ms: u64,
    /// Consecutive steps without a finish reason after which the agent counts as running away (opencode).
    pub max_unknown_steps: u32,
    /// Stop the agent when its raw output passes this many bytes.
    pub max_output_bytes: u64,
    /// Memory ceiling of the agent's cgroup, where there is one; 0 = none.
    pub memory_max_bytes: u64,
}

impl AttemptSpec {
    /// The value of `ORC_ATTEMPT` in the agent's environment.
    pub fn mark(&self) -> String {
        attempt_mark(&self.workspace_id, self.attempt)
    }
}

/// The value of `ORC_ATTEMPT` for an attempt of a workspace: unique on the machine.
pub fn attempt_mark(workspace_id: &str, attempt: AttemptId) -> String {
    format!("{workspace_id}/{attempt}")
}

/// Names of the files in an attempt's spool directory `run/spool/<attempt>/`.
pub mod files {
    /// `AttemptSpec`, written by the engine.
    pub const SPEC: &str = "spec.json";
    /// Made with O_EXCL by whoever decides the attempt: the shim before it starts the agent, or an engine that fences the
    /// attempt because no shim has shown up. Its content is `shim` or `fenced`.
    pub const OWNER: &str = "owner";
    /// `ProcessIdentity` of the shim.
    pub const SHIM: &str = "shim.json";
    /// `ProcessIdentity` of the agent, on disk before the prompt is fed. The agent's process group is its pid.
    pub const AGENT: &str = "agent.json";
    /// `SpooledEvent` a line.
    pub const SPOOL: &str = "spool.jsonl";
    /// The agent's standard output, verbatim.
    pub const STDOUT: &str = "stdout.log";
    /// The agent's standard error, verbatim.
    pub const STDERR: &str = "stderr.log";
    /// `ExitReport`.
    pub const EXIT: &str = "exit.json";
    /// The system text (rules, core memory, persona, skills) that was given to the agent.
    pub const SYSTEM: &str = "system.md";
    /// What was fed to the agent's standard input.
    pub const PROMPT: &str = "prompt.md";
    /// `PromptDocument`: each part with its source, hash and token count.
    pub const PARTS: &str = "parts.json";
    /// The attempt's private TMPDIR.
    pub const TMP: &str = "tmp";
    /// The shim's own messages.
    pub const SHIM_LOG: &str = "shim.log";
}
