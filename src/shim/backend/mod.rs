//! What the agents' CLIs say, read into one vocabulary: one parser a dialect, one verdict for all.
//!
//! An exit code alone proves nothing (gemini leaves with 0 when it is told to stop, claude with 0 on an interrupt): success is
//! exit code 0 **and** the dialect's own word that it succeeded. The shapes are those of Claude Code 2.1.197 and 2.1.330, Codex
//! 0.169, Gemini CLI 0.61 and opencode 1.18; what is not known is passed over.

mod claude;
mod codex;
mod gemini;
mod native;
mod opencode;
mod refusal;
mod seen;
mod text;

pub use refusal::{classify, reset, retry_after};

use crate::domain::{AgentEvent, Limit, Outcome, Timestamp, Usage};
use crate::wire::{AttemptSpec, Dialect};
use chrono::FixedOffset;
use seen::Seen;
use serde_json::Value;

/// How the agent's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentExit {
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

/// What an attempt came to, as far as the agent's own words and its exit tell. Why the shim ended it, if it did, is not known here.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub outcome: Outcome,
    /// One line: what happened, and what to do about it.
    pub message: String,
    /// The answer.
    pub result: Option<String>,
    /// This attempt's own tokens.
    pub usage: Usage,
    /// False where the backend did not tell, although a model may have worked.
    pub usage_known: bool,
    /// This attempt's own cost in USD.
    pub cost_usd: Option<f64>,
    /// The session's cumulative figures as told, where the backend counts that way.
    pub session_usage: Option<Usage>,
    pub session_cost_usd: Option<f64>,
    pub session: Option<String>,
    /// The session that was to be gone on with is not known to the backend: the next attempt has to begin a new one.
    pub session_unknown: bool,
    pub limit: Option<Limit>,
}

/// Reads one attempt's standard output, line by line. Its memory is bounded whatever comes.
pub struct Parser {
    seen: Seen,
    dialect: Reader,
}

enum Reader {
    Claude(claude::Claude),
    Codex,
    Gemini(gemini::Gemini),
    Opencode(opencode::Opencode),
    Text(text::Text),
    Native,
}

impl Parser {
    /// For the dialect that the attempt's description names.
    pub fn new(spec: &AttemptSpec) -> Parser {
        let dialect = match spec.dialect {
            Dialect::Claude => Reader::Claude(claude::Claude::default()),
            Dialect::Codex => Reader::Codex,
            Dialect::Gemini => Reader::Gemini(gemini::Gemini::default()),
            Dialect::Opencode => Reader::Opencode(opencode::Opencode::new(spec.limits.max_unknown_steps)),
            Dialect::Text => Reader::Text(text::Text::default()),
            Dialect::Native => Reader::Native,
        };
        Parser { seen: Seen::new(spec), dialect }
    }

    /// Reads clock times in the agent's words ("try again at 7:19 AM") in this zone, not in the machine's.
    pub fn in_zone(mut self, zone: FixedOffset) -> Parser {
        self.seen.zone = Some(zone);
        self
    }

    /// Takes one line, without its newline, that came at `at`.
    pub fn line(&mut self, line: &[u8], at: Timestamp) -> Vec<AgentEvent> {
        self.seen.at = at;
        if let Reader::Text(text) = &mut self.dialect {
            return text.line(line);
        }
        let line = line.trim_ascii();
        if line.is_empty() {
            return Vec::new();
        }
        let value = match serde_json::from_slice::<Value>(line) {
            Ok(value @ Value::Object(_)) => value,
            _ => return self.seen.odd(line),
        };
        let seen = &mut self.seen;
        match &mut self.dialect {
            Reader::Claude(claude) => claude.take(seen, &value),
            Reader::Codex => codex::take(seen, &value),
            Reader::Gemini(gemini) => gemini.take(seen, &value),
            Reader::Opencode(opencode) => opencode.take(seen, &value),
            Reader::Native => native::take(seen, value),
            Reader::Text(_) => Vec::new(),
        }
    }

    /// Takes one line that it wrote to standard error: what some CLIs tell nowhere else is that they are refused, and wait.
    pub fn stderr(&mut self, line: &[u8], at: Timestamp) -> Vec<AgentEvent> {
        self.seen.at = at;
        match &mut self.dialect {
            Reader::Gemini(_) => gemini::stderr(&mut self.seen, &String::from_utf8_lossy(line)),
            Reader::Opencode(opencode) => opencode.stderr(&mut self.seen, &String::from_utf8_lossy(line)),
            _ => Vec::new(),
        }
    }

    /// The verdict, once the agent is gone; `stderr_tail` is the end of what it wrote to standard error.
    pub fn end(&mut self, exit: AgentExit, stderr_tail: &str, at: Timestamp) -> Verdict {
        self.seen.at = at;
        let words = match &mut self.dialect {
            Reader::Text(text) => return text.verdict(&self.seen, exit, stderr_tail),
            Reader::Claude(_) => &claude::WORDS,
            Reader::Codex => &codex::WORDS,
            Reader::Gemini(gemini) => {
                gemini.end(&mut self.seen, exit);
                &gemini::WORDS
            }
            Reader::Opencode(opencode) => {
                opencode.end(&mut self.seen);
                &opencode::WORDS
            }
            Reader::Native => &native::WORDS,
        };
        self.seen.verdict(words, exit, stderr_tail)
    }

    /// This attempt's tokens and cost so far.
    pub fn usage(&self) -> (Usage, Option<f64>) {
        (self.seen.usage, self.seen.cost_usd)
    }

    /// Why the agent has to be ended, if it has: it runs away.
    pub fn must_stop(&self) -> Option<String> {
        match &self.dialect {
            Reader::Opencode(opencode) => opencode.must_stop(&self.seen),
            _ => None,
        }
    }
}

/// The text of a field; empty where it is missing or something else.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// No count of tokens is believed beyond this: sums of them cannot overflow.
const TOKENS_MAX: u64 = 1 << 40;

/// The count in a field; 0 where it is missing or something else.
fn number(value: &Value, key: &str) -> u64 {
    let n = value.get(key).and_then(|n| n.as_u64().or_else(|| n.as_f64().filter(|f| *f >= 0.0).map(|f| f as u64)));
    n.unwrap_or(0).min(TOKENS_MAX)
}

/// A value as one line: a string as it stands, anything else as JSON.
fn compact(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
