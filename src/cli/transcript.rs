//! What an agent says and does, as lines for people.

use super::ages;
use super::error::Result;
use super::output::{Out, Tone};
use crate::domain::{AgentEvent, Level};
use crate::wire::SpooledEvent;

/// Lines of a tool's answer that are shown.
const ANSWER_LINES: usize = 4;

/// Prints an event.
///
/// # Errors
/// The output cannot be written.
pub fn print(out: &mut Out, event: &SpooledEvent) -> Result {
    match &event.event {
        AgentEvent::Started { pid, .. } => out.toned(Tone::Dim, &format!("- {} agent started, process {pid}", clock(event))),
        AgentEvent::Session { id, model, version } => {
            let model = model.as_deref().map(|m| format!(", {m}")).unwrap_or_default();
            let version = version.as_deref().map(|v| format!(", version {v}")).unwrap_or_default();
            out.toned(Tone::Dim, &format!("- {} session {id}{model}{version}", clock(event)))
        }
        AgentEvent::Text { text } => out.block(text),
        AgentEvent::Thinking { text } => each(out, Tone::Dim, "~ ", text, usize::MAX),
        AgentEvent::ToolCall { name, input, .. } => out.toned(Tone::Busy, &format!("> {name} {input}")),
        AgentEvent::ToolResult { output, is_error, .. } => {
            each(out, if *is_error { Tone::Bad } else { Tone::Dim }, if *is_error { "! " } else { "| " }, output, ANSWER_LINES)
        }
        AgentEvent::Usage { usage, cost_usd } => {
            let cost = cost_usd.map(|c| format!(", {}", ages::money(c))).unwrap_or_default();
            out.toned(
                Tone::Dim,
                &format!(
                    "- {} tokens: {} in, {} out, {} cached{cost}",
                    clock(event),
                    ages::count(usage.input + usage.cache_write),
                    ages::count(usage.output),
                    ages::count(usage.cache_read)
                ),
            )
        }
        AgentEvent::Limited { limit } => {
            let until = limit.resets_at.map_or_else(|| "reset unknown".to_owned(), |t| format!("resets {t}"));
            out.toned(Tone::Warn, &format!("! {} limited ({}): {}; {until}", clock(event), limit.kind, limit.message))
        }
        AgentEvent::Notice { level, text } => {
            let tone = match level {
                Level::Info => Tone::Dim,
                Level::Warn => Tone::Warn,
                Level::Error => Tone::Bad,
            };
            out.toned(tone, &format!("- {} {level}: {text}", clock(event)))
        }
        AgentEvent::Stderr { text } => each(out, Tone::Dim, "stderr: ", text, usize::MAX),
        AgentEvent::Hanging { verdict } => out.toned(Tone::Warn, &format!("! {} it {}", clock(event), verdict.says())),
        AgentEvent::Moving => out.toned(Tone::Dim, &format!("- {} moves again", clock(event))),
        AgentEvent::Result { ok: true } => out.toned(Tone::Good, &format!("- {} result given", clock(event))),
        AgentEvent::Result { ok: false } => out.toned(Tone::Bad, &format!("! {} gave up", clock(event))),
    }
}

fn each(out: &mut Out, tone: Tone, mark: &str, text: &str, most: usize) -> Result {
    let count = text.lines().count();
    for line in text.lines().take(most) {
        out.toned(tone, &format!("{mark}{line}"))?;
    }
    if count > most { out.toned(tone, &format!("{mark}… {} more lines", count - most)) } else { Ok(()) }
}

/// The hour in UTC, as in every other list.
fn clock(event: &SpooledEvent) -> String {
    event.at.rfc3339().get(11..19).unwrap_or_default().to_owned()
}
