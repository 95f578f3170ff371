//! Claude Code, `--output-format stream-json --verbose`.
//!
//! A message comes once a content block, each time with the message's usage: it counts once, by its id. `result.usage` leaves out
//! subagents and is zero where a budget ended the run; the figures by model leave out what a broken stream had used: the larger
//! of the two is taken. From 2.1.330 on `modelUsage` and `total_cost_usd` go on counting over resumes, with the run's own share
//! in `model_usage_since_last_result`; 2.1.197 begins anew with each run.

use super::refusal::one_line;
use super::seen::{Ended, Seen, Words, notice};
use super::{compact, number, text};
use crate::domain::{AgentEvent, Level, Limit, LimitKind, Timestamp, Usage};
use serde_json::Value;
use std::collections::VecDeque;

pub const WORDS: Words = Words {
    sign_in: "run `claude` and sign in with /login, or set ANTHROPIC_API_KEY",
    unknown_session: &["no conversation found with session id"],
};

/// Messages of subagents come between one another's blocks; so many are told apart.
const MESSAGES: usize = 64;

/// What is known of a stream of Claude Code.
#[derive(Default)]
pub struct Claude {
    /// The newest messages by id, with the usage that was counted for each.
    messages: VecDeque<(String, Usage)>,
}

impl Claude {
    pub fn take(&mut self, seen: &mut Seen, v: &Value) -> Vec<AgentEvent> {
        match text(v, "type") {
            "system" => system(seen, v),
            "assistant" => self.assistant(seen, v),
            "user" => user(v),
            "rate_limit_event" => rate_limit(seen, v),
            "result" => result(seen, v),
            _ => Vec::new(),
        }
    }

    fn assistant(&mut self, seen: &mut Seen, v: &Value) -> Vec<AgentEvent> {
        let Some(message) = v.get("message") else { return Vec::new() };
        let blocks = message.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        // The CLI itself speaks, in the model's name.
        if text(message, "model") == "<synthetic>" || !text(v, "error").is_empty() {
            let words: Vec<&str> = blocks.iter().map(|b| text(b, "text")).collect();
            return vec![seen.complain(Level::Error, &words.join(" "))];
        }
        seen.speaks();
        let inner = v.get("parent_tool_use_id").is_some_and(|p| !p.is_null());
        let mut events: Vec<AgentEvent> = blocks.iter().filter_map(|b| block(b, inner)).collect();
        events.extend(self.count(seen, text(message, "id"), message.get("usage")));
        events
    }

    /// Counts a message's tokens once.
    fn count(&mut self, seen: &mut Seen, id: &str, usage: Option<&Value>) -> Option<AgentEvent> {
        let now = usage_of(usage?);
        let at = match self.messages.iter().position(|(known, _)| known == id) {
            Some(at) => at,
            None => {
                if self.messages.len() == MESSAGES {
                    self.messages.pop_front();
                }
                self.messages.push_back((id.to_owned(), Usage::default()));
                self.messages.len() - 1
            }
        };
        let before = &mut self.messages[at].1;
        let more = now.less(*before);
        if more == Usage::default() {
            return None;
        }
        *before += more;
        seen.usage += more;
        seen.told = true;
        Some(AgentEvent::Usage { usage: seen.usage, cost_usd: None })
    }
}

fn system(seen: &mut Seen, v: &Value) -> Vec<AgentEvent> {
    match text(v, "subtype") {
        "init" => seen.in_session(text(v, "session_id"), text(v, "model"), text(v, "claude_code_version")).into_iter().collect(),
        "api_retry" => {
            let status = v.get("error_status").and_then(Value::as_u64);
            let (attempt, of) = (number(v, "attempt"), number(v, "max_retries"));
            let status_text = status.map_or(String::new(), |s| format!(" (HTTP {s})"));
            let message = format!("the API answers with {}{status_text}; retry {attempt} of {of}", text(v, "error"));
            // One retry is everyday life; a second one is news for all who would start now.
            seen.refusal(&message, status, attempt > 1)
        }
        "permission_denied" => {
            vec![notice(Level::Warn, one_line(&format!("{} was refused: {}", text(v, "tool_name"), text(v, "message")), 300))]
        }
        "compact_boundary" => vec![notice(Level::Info, "the conversation was compacted".to_owned())],
        "model_fallback" => vec![notice(Level::Warn, one_line(&format!("another model takes over: {}", compact(Some(v))), 300))],
        _ => Vec::new(),
    }
}

/// `inner`: a subagent's, whose words are for the agent that called it.
fn block(b: &Value, inner: bool) -> Option<AgentEvent> {
    let filled = |key: &str| Some(text(b, key).to_owned()).filter(|t| !t.trim().is_empty());
    match text(b, "type") {
        "text" if inner => Some(AgentEvent::Thinking { text: filled("text")? }),
        "text" => Some(AgentEvent::Text { text: filled("text")? }),
        "thinking" => Some(AgentEvent::Thinking { text: filled("thinking")? }),
        "tool_use" | "server_tool_use" => {
            Some(AgentEvent::ToolCall { id: text(b, "id").to_owned(), name: text(b, "name").to_owned(), input: compact(b.get("input")) })
        }
        kind if kind.ends_with("_tool_result") => tool_result(b),
        _ => None,
    }
}

fn tool_result(b: &Value) -> Option<AgentEvent> {
    let output = match b.get("content") {
        Some(Value::Array(parts)) => {
            let words = parts.iter().map(|p| match text(p, "type") {
                "text" => text(p, "text").to_owned(),
                "web_search_result" => format!("{} {}", text(p, "title"), text(p, "url")),
                kind => format!("[{kind}]"),
            });
            words.collect::<Vec<_>>().join("\n")
        }
        other => compact(other),
    };
    let is_error = b.get("is_error").and_then(Value::as_bool).unwrap_or(false);
    Some(AgentEvent::ToolResult { id: text(b, "tool_use_id").to_owned(), output, is_error })
}

fn user(v: &Value) -> Vec<AgentEvent> {
    let blocks = v.pointer("/message/content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let event = |b: &Value| match text(b, "type") {
        "tool_result" => tool_result(b),
        "text" if text(b, "text").starts_with("[Request interrupted") => Some(notice(Level::Warn, text(b, "text").to_owned())),
        _ => None,
    };
    blocks.iter().filter_map(event).collect()
}

fn rate_limit(seen: &mut Seen, v: &Value) -> Vec<AgentEvent> {
    let Some(info) = v.get("rate_limit_info") else { return Vec::new() };
    let window = text(info, "rateLimitType").replace('_', " ");
    match text(info, "status") {
        "rejected" => {
            let resets_at = info.get("resetsAt").and_then(Value::as_i64).filter(|s| *s > 0).map(|s| Timestamp(s.saturating_mul(1000)));
            let limit = Limit { kind: LimitKind::Window, resets_at, message: format!("the plan's {window} limit is used up") };
            seen.refused = Some(limit.clone());
            vec![AgentEvent::Limited { limit }]
        }
        "allowed_warning" => vec![notice(Level::Warn, format!("the plan's {window} limit is nearly used up"))],
        _ => Vec::new(),
    }
}

fn result(seen: &mut Seen, v: &Value) -> Vec<AgentEvent> {
    let ok = !v.get("is_error").and_then(Value::as_bool).unwrap_or(false) && text(v, "subtype") == "success";
    account(seen, v);
    let mut events = vec![AgentEvent::Usage { usage: seen.usage, cost_usd: seen.cost_usd }];
    if ok {
        // A result for an unknown session comes with a made-up one, so only a good result is believed.
        events.extend(seen.in_session(text(v, "session_id"), "", ""));
        seen.answer.add(text(v, "result"));
        seen.answer.close();
        seen.ended = Some(Ended::Well);
        let denied = v.get("permission_denials").and_then(Value::as_array).map_or(0, Vec::len);
        if denied > 0 {
            events.push(notice(Level::Warn, format!("{denied} tool calls were refused by the permission settings")));
        }
    } else {
        let errors = v.get("errors").and_then(Value::as_array).map(|e| e.iter().map(|e| compact(Some(e))).collect::<Vec<_>>().join("; "));
        let said = Some(text(v, "result")).filter(|t| !t.is_empty()).map(str::to_owned).or(errors).unwrap_or_default();
        let said = if said.starts_with("[ede_diagnostic]") { text(v, "terminal_reason").replace('_', " ") } else { said };
        let message = if said.is_empty() { text(v, "subtype").replace('_', " ") } else { said };
        seen.ended = Some(Ended::Badly { message, status: v.get("api_error_status").and_then(Value::as_u64) });
    }
    // A run that has more turns queued has not given its last result.
    if number(v, "queued_turn_count") == 0 {
        events.push(AgentEvent::Result { ok });
    }
    events
}

fn account(seen: &mut Seen, v: &Value) {
    let total_cost = v.get("total_cost_usd").and_then(Value::as_f64);
    let (session, session_cost) = by_model(v.get("modelUsage"));
    let told = v.get("usage").map(usage_of).unwrap_or_default();
    let (models, cost) = match v.get("model_usage_since_last_result") {
        Some(share) => {
            let (usage, cost) = by_model(Some(share));
            (usage, Some(cost))
        }
        // Cumulative figures hold at least what was there before and what this run says of itself.
        None if seen.resume && seen.usage_base.total() > 0 && session.total() >= seen.usage_base.total() + told.total() => {
            (session.less(seen.usage_base), total_cost.map(|c| (c - seen.cost_base).max(0.0)))
        }
        None => (session, total_cost),
    };
    let usage = if models.total() > told.total() { models } else { told };
    // A result with no figures at all (an aborted request) does not take back what the messages told.
    if usage.total() > 0 || seen.usage.total() == 0 {
        seen.usage = usage;
    }
    seen.told = true;
    seen.cost_usd = cost;
    if session.total() > 0 {
        seen.session_usage = Some(session);
        seen.session_cost_usd = Some(total_cost.unwrap_or(session_cost));
    }
}

fn by_model(models: Option<&Value>) -> (Usage, f64) {
    let models = models.and_then(Value::as_object);
    models.into_iter().flatten().fold((Usage::default(), 0.0), |(sum, cost), (_, m)| {
        let usage = Usage {
            input: number(m, "inputTokens"),
            output: number(m, "outputTokens"),
            cache_read: number(m, "cacheReadInputTokens"),
            cache_write: number(m, "cacheCreationInputTokens"),
        };
        (sum + usage, cost + m.get("costUSD").and_then(Value::as_f64).unwrap_or(0.0))
    })
}

fn usage_of(u: &Value) -> Usage {
    Usage {
        input: number(u, "input_tokens"),
        output: number(u, "output_tokens"),
        cache_read: number(u, "cache_read_input_tokens"),
        cache_write: number(u, "cache_creation_input_tokens"),
    }
}
