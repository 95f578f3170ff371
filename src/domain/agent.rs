//! What an agent says, in one vocabulary for all backends. Parsers make these; the spool, the wire and the console carry them.

use super::attempt::Usage;
use super::time::Timestamp;
use super::words::words;
use serde::{Deserialize, Serialize};

words!(
    /// Why a backend refuses: each asks for another reaction.
    LimitKind {
        /// Too many requests for the moment: wait a little.
        Throttle = "throttle",
        /// The plan's window (five hours, a week, a day) is used up: wait until it resets.
        Window = "window",
        /// The key or login is refused, or money is out: nothing helps but the operator.
        Auth = "auth",
        /// The provider is over capacity: wait and try again.
        Overload = "overload",
        /// Not the backend's doing: the operator holds it by hand.
        Operator = "operator",
    }
);

/// A refusal for want of quota, capacity or credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    pub kind: LimitKind,
    /// When it ends, if the backend said so. Never invented: `None` is shown as "reset unknown".
    pub resets_at: Option<Timestamp>,
    /// The backend's own words, one line.
    pub message: String,
}

words!(
    /// How bad a notice is.
    Level { Info = "info", Warn = "warn", Error = "error" }
);

words!(
    /// What the four clocks say of an attempt that does not move.
    Hang {
        /// No byte came since the start.
        NoOutput = "no_output",
        /// Output stopped while it works: its processes use CPU.
        SilentBusy = "silent_busy",
        /// Output stopped and its processes are idle.
        SilentIdle = "silent_idle",
        /// Bytes come but no event that means progress (retries, unknown lines).
        NoProgress = "no_progress",
        /// The result was seen, but the CLI does not exit.
        NoExit = "no_exit",
    }
);

impl Hang {
    /// The verdict as the rest of a sentence that begins with the worker's name.
    pub fn says(self) -> &'static str {
        match self {
            Hang::NoOutput => "has said nothing since it started",
            Hang::SilentBusy => "is silent but uses CPU: probably a long tool run",
            Hang::SilentIdle => "is silent and idle: probably stuck",
            Hang::NoProgress => "prints but does not get on: probably retrying",
            Hang::NoExit => "gave its result but does not exit",
        }
    }
}

/// What a tool call is about, in one line: its command, file or question instead of its JSON.
pub fn tool_gist(input: &str) -> String {
    const TELLING: [&str; 12] = [
        "command",
        "cmd",
        "file_path",
        "filePath",
        "absolute_path",
        "pattern",
        "query",
        "url",
        "path",
        "dir_path",
        "description",
        "prompt",
    ];
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Ok(serde_json::Value::Object(map)) = serde_json::from_str(input) {
        // without a telling name, the first text in it tells most
        let told = TELLING.iter().filter_map(|key| map.get(*key)).chain(map.values());
        for value in told {
            match value {
                serde_json::Value::String(s) if !s.trim().is_empty() => return flat(s),
                serde_json::Value::Array(a) => {
                    let words: Vec<&str> = a.iter().filter_map(serde_json::Value::as_str).collect();
                    if !words.is_empty() {
                        return flat(&words.join(" "));
                    }
                }
                _ => {}
            }
        }
    }
    // a patch begins with the file that it changes
    let patch = input.trim_start().strip_prefix("*** Begin Patch").unwrap_or(input).trim_start();
    let file = ["*** Update File: ", "*** Add File: ", "*** Delete File: "].iter().find_map(|head| patch.strip_prefix(head));
    file.and_then(|rest| rest.lines().next()).map_or_else(|| flat(input), flat)
}

/// One thing that an agent said or did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AgentEvent {
    /// The agent's process exists.
    Started { pid: i32, start_time: u64 },
    /// The session that it runs in.
    Session {
        id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        /// The CLI's version, where its stream tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// Words to the reader (Markdown).
    Text { text: String },
    /// Words to itself.
    Thinking { text: String },
    /// A tool is called; `input` is compact JSON or a command line.
    ToolCall { id: String, name: String, input: String },
    /// A tool has answered.
    ToolResult { id: String, output: String, is_error: bool },
    /// This attempt's tokens and cost so far.
    Usage { usage: Usage, cost_usd: Option<f64> },
    /// The backend refuses. Not the end yet: the CLI may retry by itself.
    Limited { limit: Limit },
    /// Something that the operator may want to know: a retry, a denied permission, a line that made no sense.
    Notice { level: Level, text: String },
    /// A line that the agent wrote to its standard error.
    Stderr { text: String },
    /// A hang verdict began to hold.
    Hanging { verdict: Hang },
    /// The hang verdict no longer holds.
    Moving,
    /// The agent has given its result; what follows is only its exit.
    Result { ok: bool },
}

impl AgentEvent {
    /// True for events that mean progress (they re-arm the semantic clock).
    pub fn is_progress(&self) -> bool {
        match self {
            AgentEvent::Session { .. }
            | AgentEvent::Text { .. }
            | AgentEvent::Thinking { .. }
            | AgentEvent::ToolCall { .. }
            | AgentEvent::ToolResult { .. }
            | AgentEvent::Result { .. }
            | AgentEvent::Usage { .. } => true,
            AgentEvent::Started { .. }
            | AgentEvent::Limited { .. }
            | AgentEvent::Notice { .. }
            | AgentEvent::Stderr { .. }
            | AgentEvent::Hanging { .. }
            | AgentEvent::Moving => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_call_says_what_it_is_about() {
        for (input, gist) in [
            (r#"{"command":"cargo test\n  -p billing","timeout":5}"#, "cargo test -p billing"),
            (r#"{"timeout":5,"file_path":"src/a.rs"}"#, "src/a.rs"),
            (r#"{"command":["bash","-lc","ls"]}"#, "bash -lc ls"),
            (r#"{"n":3,"subject":"invoices"}"#, "invoices"),
            ("*** Begin Patch\n*** Update File: src/b.rs\n@@", "src/b.rs"),
            ("ls -l", "ls -l"),
            ("{}", "{}"),
        ] {
            assert_eq!(tool_gist(input), gist, "{input}");
        }
    }
}
