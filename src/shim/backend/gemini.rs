//! Gemini CLI, `-o stream-json`. Its words come in pieces; they are put together up to a paragraph. Its exit code is the HTTP
//! status modulo 256 where a request failed, and 0 when it was told to stop. Its retries are told on standard error alone.

use super::refusal::one_line;
use super::seen::{Ended, Seen, Words, notice};
use super::{AgentExit, compact, number, text};
use crate::domain::{AgentEvent, Level, Usage};
use serde_json::Value;

pub const WORDS: Words = Words {
    sign_in: "run `gemini` and sign in, or set GEMINI_API_KEY",
    unknown_session: &["error resuming session", "invalid session identifier", "no previous sessions found"],
};

/// A paragraph that is longer than this is shown before it ends.
const PARAGRAPH: usize = 2000;

/// What is known of a stream of Gemini CLI.
#[derive(Default)]
pub struct Gemini {
    /// Words that have not been shown yet.
    pending: String,
}

impl Gemini {
    pub fn take(&mut self, seen: &mut Seen, v: &Value) -> Vec<AgentEvent> {
        let kind = text(v, "type");
        let said = kind == "message" && text(v, "role") == "assistant";
        let mut events = if said { self.say(seen, text(v, "content")) } else { self.flush() };
        match kind {
            "init" => events.extend(seen.in_session(text(v, "session_id"), text(v, "model"), "")),
            "tool_use" => {
                seen.speaks();
                seen.answer.close();
                let (id, name) = (text(v, "tool_id").to_owned(), text(v, "tool_name").to_owned());
                events.push(AgentEvent::ToolCall { id, name, input: compact(v.get("parameters")) });
            }
            "tool_result" => {
                let is_error = text(v, "status") == "error";
                let output = match v.get("output") {
                    Some(output) => compact(Some(output)),
                    None => v.pointer("/error/message").and_then(Value::as_str).unwrap_or_default().to_owned(),
                };
                events.push(AgentEvent::ToolResult { id: text(v, "tool_id").to_owned(), output, is_error });
            }
            "error" => {
                let level = if text(v, "severity") == "error" { Level::Error } else { Level::Warn };
                events.push(seen.complain(level, text(v, "message")));
            }
            "result" => events.extend(result(seen, v)),
            _ => {}
        }
        events
    }

    fn say(&mut self, seen: &mut Seen, words: &str) -> Vec<AgentEvent> {
        seen.speaks();
        seen.answer.add(words);
        self.pending.push_str(words);
        let end = match self.pending.rfind("\n\n") {
            Some(at) => at + 2,
            None if self.pending.len() > PARAGRAPH => self
                .pending
                .rfind(char::is_whitespace)
                .map_or(self.pending.len(), |at| at + self.pending[at..].chars().next().map_or(0, char::len_utf8)),
            None => return Vec::new(),
        };
        let rest = self.pending.split_off(end);
        let shown = std::mem::replace(&mut self.pending, rest);
        words_of(shown).into_iter().collect()
    }

    fn flush(&mut self) -> Vec<AgentEvent> {
        words_of(std::mem::take(&mut self.pending)).into_iter().collect()
    }

    /// What the exit code tells where the stream did not.
    pub fn end(&self, seen: &mut Seen, exit: AgentExit) {
        // A code of 128 and more is an HTTP status that lost its upper bits: 173 is 429, 247 is 503.
        let status = exit.code.filter(|c| *c >= 128).map(|c| c as u64 + 256);
        if let Some(Ended::Badly { status: told @ None, .. }) = &mut seen.ended {
            *told = status;
        }
    }
}

/// "Attempt 2 failed with status 503. Retrying with backoff... {…}", "Attempt 1 failed: …. Retrying after 5517ms..."
pub fn stderr(seen: &mut Seen, line: &str) -> Vec<AgentEvent> {
    let Some((attempt, said)) = line.strip_prefix("Attempt ").and_then(|rest| rest.split_once(" failed")) else { return Vec::new() };
    let status = said.strip_prefix(" with status ").and_then(|s| s.split('.').next()?.parse().ok());
    // One retry is everyday life; a second one is news for all who would start now.
    seen.refusal(line, status, attempt.parse::<u32>().is_ok_and(|n| n > 1))
}

fn words_of(text: String) -> Option<AgentEvent> {
    (!text.trim().is_empty()).then_some(AgentEvent::Text { text })
}

fn result(seen: &mut Seen, v: &Value) -> Vec<AgentEvent> {
    if let Some(stats) = v.get("stats") {
        let (all, input, cached) = (number(stats, "total_tokens"), number(stats, "input_tokens"), number(stats, "cached"));
        seen.usage = Usage {
            input: input.saturating_sub(cached),
            // Thoughts are in the total only.
            output: number(stats, "output_tokens").max(all.saturating_sub(input)),
            cache_read: cached,
            cache_write: 0,
        };
        seen.told = true;
    }
    let ok = text(v, "status") == "success";
    let mut events = vec![AgentEvent::Usage { usage: seen.usage, cost_usd: None }];
    if ok {
        seen.ended = Some(Ended::Well);
    } else {
        let (message, status) = api_error(v.pointer("/error/message").and_then(Value::as_str).unwrap_or_default());
        if !message.is_empty() {
            events.push(notice(Level::Error, message.clone()));
        }
        seen.ended = Some(Ended::Badly { message, status });
    }
    events.push(AgentEvent::Result { ok });
    events
}

/// "[API Error: {"error":{"code":400,"message":"…"}}]" or "[API Error: …]": what it says, and the status in it.
fn api_error(message: &str) -> (String, Option<u64>) {
    let inner = message.find('{').and_then(|from| {
        let to = message.rfind('}')?;
        serde_json::from_str::<Value>(message.get(from..=to)?).ok()
    });
    match inner.as_ref().and_then(|v| v.get("error")) {
        Some(error) => (one_line(text(error, "message"), 600), error.get("code").and_then(Value::as_u64)),
        None => (one_line(message, 600), None),
    }
}
