//! Codex, `exec --json`. Its `turn.completed.usage` counts over the whole thread, and its `input_tokens` hold the cached ones.

use super::seen::{Ended, Seen, Words, notice};
use super::{compact, number, text};
use crate::domain::{AgentEvent, Level, Usage};
use serde_json::Value;

pub const WORDS: Words = Words {
    sign_in: "run `codex login`, or set CODEX_API_KEY",
    unknown_session: &["no rollout found for thread id", "no rollout found", "session not found"],
};

pub fn take(seen: &mut Seen, v: &Value) -> Vec<AgentEvent> {
    match text(v, "type") {
        "thread.started" => seen.in_session(text(v, "thread_id"), "", "").into_iter().collect(),
        "item.started" => v.get("item").and_then(|item| started(seen, item)).into_iter().collect(),
        "item.completed" => v.get("item").map(|item| completed(seen, item)).unwrap_or_default(),
        "turn.completed" => {
            if let Some(usage) = v.get("usage") {
                let session = usage_of(usage);
                seen.usage = session.less(seen.usage_base);
                seen.session_usage = Some(session);
                seen.told = true;
            }
            seen.ended = Some(Ended::Well);
            vec![AgentEvent::Usage { usage: seen.usage, cost_usd: None }, AgentEvent::Result { ok: true }]
        }
        "turn.failed" => {
            let message = v.pointer("/error/message").and_then(Value::as_str).unwrap_or_default().to_owned();
            seen.ended = Some(Ended::Badly { message, status: None });
            vec![AgentEvent::Result { ok: false }]
        }
        // A retry, or what `turn.failed` is about to say again.
        "error" => match text(v, "message") {
            message if message.starts_with("Reconnecting") => seen.refusal(message, None, true),
            message => vec![seen.complain(Level::Error, message)],
        },
        _ => Vec::new(),
    }
}

/// What is called when an item begins; the other kinds are told when they are complete.
fn started(seen: &mut Seen, item: &Value) -> Option<AgentEvent> {
    let (name, input) = match text(item, "type") {
        "command_execution" => ("shell".to_owned(), text(item, "command").to_owned()),
        "mcp_tool_call" => (format!("{}.{}", text(item, "server"), text(item, "tool")), compact(item.get("arguments"))),
        "web_search" => ("web_search".to_owned(), text(item, "query").to_owned()),
        "collab_tool_call" => (text(item, "tool").to_owned(), text(item, "prompt").to_owned()),
        _ => return None,
    };
    seen.speaks();
    seen.answer.close();
    Some(AgentEvent::ToolCall { id: text(item, "id").to_owned(), name, input })
}

fn completed(seen: &mut Seen, item: &Value) -> Vec<AgentEvent> {
    let id = || text(item, "id").to_owned();
    let failed = text(item, "status") == "failed";
    let done = |output: String| vec![AgentEvent::ToolResult { id: id(), output, is_error: failed }];
    let kind = text(item, "type");
    // An item of this kind is a warning, not a failure.
    if kind == "error" {
        return vec![notice(Level::Warn, text(item, "message").to_owned())];
    }
    seen.speaks();
    match kind {
        "agent_message" => {
            let words = text(item, "text");
            seen.answer.close();
            seen.answer.add(words);
            vec![AgentEvent::Text { text: words.to_owned() }]
        }
        "reasoning" => vec![AgentEvent::Thinking { text: text(item, "text").to_owned() }],
        "command_execution" => {
            let output = text(item, "aggregated_output").to_owned();
            let code = item.get("exit_code").and_then(Value::as_i64);
            let is_error = failed || code.is_some_and(|c| c != 0);
            let output = match code {
                Some(code) if code != 0 => format!("{output}[exit code {code}]"),
                _ => output,
            };
            vec![AgentEvent::ToolResult { id: id(), output, is_error }]
        }
        "mcp_tool_call" => done(compact(item.get("error").filter(|e| !e.is_null()).or(item.get("result")))),
        "web_search" | "collab_tool_call" => done(compact(item.get("action"))),
        "file_change" => {
            let changes = item.get("changes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let files = changes.iter().map(|c| format!("{} {}", text(c, "kind"), text(c, "path"))).collect::<Vec<_>>().join(", ");
            seen.answer.close();
            let call = AgentEvent::ToolCall { id: id(), name: "edit".to_owned(), input: files };
            vec![call, AgentEvent::ToolResult { id: id(), output: text(item, "status").to_owned(), is_error: failed }]
        }
        _ => Vec::new(),
    }
}

fn usage_of(u: &Value) -> Usage {
    let (read, write) = (number(u, "cached_input_tokens"), number(u, "cache_write_input_tokens"));
    Usage {
        input: number(u, "input_tokens").saturating_sub(read).saturating_sub(write),
        output: number(u, "output_tokens"),
        cache_read: read,
        cache_write: write,
    }
}
