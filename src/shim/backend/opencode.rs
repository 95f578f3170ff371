//! opencode, `run --format json`. It has no event for its end: it is done when a step finishes with `stop` and the process exits
//! with 0. An answer without a finish reason makes it ask again at once, for ever: that is counted, and ended. Where it is refused
//! it sleeps and says nothing, for as long as it was told: only its log (`--print-logs --log-level ERROR`) tells.

use super::refusal::retry_after;
use super::seen::{Ended, Seen, Words};
use super::{compact, number, text};
use crate::domain::{AgentEvent, Level, LimitKind, Usage};
use serde_json::Value;

pub const WORDS: Words =
    Words { sign_in: "run `opencode auth login`, or set the key of your provider", unknown_session: &["session not found"] };

/// So many requests in a row may fail before it is ended: it would go on for ever.
const IN_VAIN: u32 = 8;

/// What is known of a stream of opencode.
pub struct Opencode {
    max_unknown: u32,
    /// Steps in a row that ended without a reason.
    unknown: u32,
    /// How the newest step ended; empty while one is under way.
    reason: String,
    /// A step is under way.
    open: bool,
    /// Requests that failed since it last got an answer.
    failed: u32,
}

impl Opencode {
    pub fn new(max_unknown: u32) -> Opencode {
        Opencode { max_unknown, unknown: 0, reason: String::new(), open: false, failed: 0 }
    }

    pub fn take(&mut self, seen: &mut Seen, v: &Value) -> Vec<AgentEvent> {
        let mut events: Vec<AgentEvent> = seen.in_session(text(v, "sessionID"), "", "").into_iter().collect();
        let none = Value::Null;
        let part = v.get("part").unwrap_or(&none);
        match text(v, "type") {
            "step_start" => {
                if self.open {
                    events.push(seen.complain(Level::Warn, "the answer broke off; opencode asks again"));
                }
                self.open = true;
                self.reason.clear();
                seen.ended = None;
            }
            "text" => {
                let words = text(part, "text");
                self.failed = 0;
                seen.speaks();
                seen.answer.add(words);
                events.push(AgentEvent::Text { text: words.to_owned() });
            }
            "reasoning" => events.push(AgentEvent::Thinking { text: text(part, "text").to_owned() }),
            "tool_use" => {
                self.failed = 0;
                seen.speaks();
                seen.answer.close();
                events.extend(tool(part));
            }
            "step_finish" => events.extend(self.finished(seen, part)),
            "error" => events.extend(error(seen, v.get("error").unwrap_or(&none))),
            _ => {}
        }
        events
    }

    fn finished(&mut self, seen: &mut Seen, part: &Value) -> Vec<AgentEvent> {
        self.open = false;
        self.reason = text(part, "reason").to_owned();
        let usage = part.get("tokens").map(usage_of).unwrap_or_default();
        seen.usage += usage;
        seen.told = true;
        if let Some(cost) = part.get("cost").and_then(Value::as_f64) {
            seen.cost_usd = Some(seen.cost_usd.unwrap_or(0.0) + cost);
        }
        let mut events = Vec::new();
        if usage.total() > 0 {
            events.push(AgentEvent::Usage { usage: seen.usage, cost_usd: seen.cost_usd });
        }
        match self.reason.as_str() {
            "unknown" | "" => {
                self.unknown += 1;
                seen.answer.close();
                events.push(seen.complain(Level::Warn, "the model's answer ended without a reason; opencode asks again"));
            }
            "tool-calls" => {
                self.unknown = 0;
                seen.speaks();
            }
            "stop" => {
                self.unknown = 0;
                seen.speaks();
                seen.ended = Some(Ended::Well);
                events.push(AgentEvent::Result { ok: true });
            }
            // Out of room, filtered: it goes no further.
            _ => {
                self.unknown = 0;
                seen.spoke = true;
                seen.ended = Some(Ended::Badly { message: format!("the model's answer ended with `{}`", self.reason), status: None });
                events.push(AgentEvent::Result { ok: false });
            }
        }
        events
    }

    /// A line of its log: `… level=ERROR … message="stream error" … error.error="AI_APICallError: …"`.
    pub fn stderr(&mut self, seen: &mut Seen, line: &str) -> Vec<AgentEvent> {
        let said = line.split_once("error.error=\"").map(|(_, said)| said.trim_end_matches('"'));
        let Some(said) = said.filter(|_| line.contains("message=\"stream error\"")) else { return Vec::new() };
        self.failed += 1;
        seen.refusal(said.trim_start_matches("AI_APICallError: "), None, true)
    }

    pub fn must_stop(&self, seen: &Seen) -> Option<String> {
        let backend = &seen.backend;
        let refused = seen.refused.as_ref().filter(|l| self.failed > 0 && matches!(l.kind, LimitKind::Window | LimitKind::Auth));
        if let Some(limit) = refused {
            Some(format!("{backend}: {}; ended, since it would only have waited", limit.message))
        } else if self.failed >= IN_VAIN {
            Some(format!("{backend}: ended after {} requests in vain: {}", self.failed, seen.complaint))
        } else if self.max_unknown > 0 && self.unknown >= self.max_unknown {
            let why = "The model's endpoint is broken or cuts its answers";
            Some(format!("{backend}: ended as a runaway: {} answers in a row without a finish reason. {why}", self.unknown))
        } else {
            None
        }
    }

    /// What the newest step tells of an end that was not announced.
    pub fn end(&self, seen: &mut Seen) {
        if seen.ended.is_none() && self.reason == "tool-calls" {
            let why = "it ended after a tool call without an answer: it had to ask for a permission, and nobody was there to give it";
            if seen.complaint.is_empty() {
                why.clone_into(&mut seen.complaint);
            }
        }
    }
}

fn tool(part: &Value) -> Vec<AgentEvent> {
    let none = Value::Null;
    let (id, state) = (text(part, "callID"), part.get("state").unwrap_or(&none));
    let is_error = text(state, "status") == "error";
    let output = if is_error { compact(state.get("error")) } else { compact(state.get("output")) };
    vec![
        AgentEvent::ToolCall { id: id.to_owned(), name: text(part, "tool").to_owned(), input: compact(state.get("input")) },
        AgentEvent::ToolResult { id: id.to_owned(), output, is_error },
    ]
}

fn error(seen: &mut Seen, error: &Value) -> Vec<AgentEvent> {
    let none = Value::Null;
    let data = error.get("data").unwrap_or(&none);
    let said = text(data, "message");
    let name = text(error, "name");
    let message = match name {
        // It hides what went wrong; the commonest cause is a model that it does not know.
        "UnknownError" => format!("{said} (often a model that it does not know: see `opencode models`)"),
        _ if said.is_empty() => name.to_owned(),
        _ => said.to_owned(),
    };
    let status = data.get("statusCode").and_then(Value::as_u64);
    let mut events = seen.refusal(&message, status, true);
    let told = data.pointer("/responseHeaders/retry-after").and_then(Value::as_str).and_then(|value| retry_after(value, seen.at));
    if let (Some(limit), Some(told)) = (&mut seen.refused, told) {
        limit.resets_at = Some(told);
        if let [AgentEvent::Limited { limit: shown }] = events.as_mut_slice() {
            shown.resets_at = Some(told);
        }
    }
    seen.ended = Some(Ended::Badly { message, status });
    events.push(AgentEvent::Result { ok: false });
    events
}

fn usage_of(t: &Value) -> Usage {
    let none = Value::Null;
    let cache = t.get("cache").unwrap_or(&none);
    let (input, read, write) = (number(t, "input"), number(cache, "read"), number(cache, "write"));
    // Versions differ in whether `output` holds the reasoning; the total always does.
    let output = match number(t, "total") {
        0 => number(t, "output").saturating_add(number(t, "reasoning")),
        total => total.saturating_sub(input.saturating_add(read).saturating_add(write)),
    };
    Usage { input, output, cache_read: read, cache_write: write }
}
