//! Our own events, one JSON object a line: what `orc-shim --http` and `--replay` write, and any program of yours may.

use super::TOKENS_MAX;
use super::seen::{Ended, Seen, Words};
use crate::domain::{AgentEvent, Level, Usage};
use serde_json::Value;

pub const WORDS: Words =
    Words { sign_in: "check the key and the address that the backend is given", unknown_session: &["session unknown"] };

pub fn take(seen: &mut Seen, value: Value) -> Vec<AgentEvent> {
    let line = value.to_string();
    let Ok(event) = serde_json::from_value::<AgentEvent>(value) else { return seen.odd(line.as_bytes()) };
    match &event {
        AgentEvent::Session { id, .. } => seen.session = Some(id.clone()),
        AgentEvent::Text { text } => {
            seen.speaks();
            seen.answer.add(text);
        }
        AgentEvent::Thinking { .. } | AgentEvent::ToolResult { .. } => seen.speaks(),
        AgentEvent::ToolCall { .. } => {
            seen.speaks();
            seen.answer.close();
        }
        AgentEvent::Usage { usage, cost_usd } => {
            let counted = |n: u64| n.min(TOKENS_MAX);
            seen.usage = Usage {
                input: counted(usage.input),
                output: counted(usage.output),
                cache_read: counted(usage.cache_read),
                cache_write: counted(usage.cache_write),
            };
            seen.told = true;
            seen.cost_usd = cost_usd.or(seen.cost_usd);
        }
        AgentEvent::Limited { limit } => {
            seen.complaint.clone_from(&limit.message);
            seen.refused = Some(limit.clone());
        }
        AgentEvent::Notice { level: Level::Error, text } => seen.complaint.clone_from(text),
        AgentEvent::Result { ok: true } => seen.ended = Some(Ended::Well),
        AgentEvent::Result { ok: false } => {
            seen.ended = Some(match seen.refused.take() {
                Some(limit) => Ended::Refused(limit),
                None => Ended::Badly { message: String::new(), status: None },
            });
        }
        AgentEvent::Notice { .. } => {}
        // What only the shim can know is not for the agent to say.
        AgentEvent::Started { .. } | AgentEvent::Stderr { .. } | AgentEvent::Hanging { .. } | AgentEvent::Moving => return Vec::new(),
    }
    vec![event]
}
