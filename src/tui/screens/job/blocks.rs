//! The blocks of a transcript: words, thoughts, tool calls with their answers, notices.

use super::markdown;
use crate::domain::{AgentEvent, Level, Timestamp, tool_gist};
use crate::tui::screens::look;
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::wire::SpooledEvent;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use std::collections::VecDeque;

/// Lines of a tool's input or output that are shown when unfolded.
const MAX_LINES: usize = 400;

/// What a block is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Text(String),
    Thinking(String),
    Tool { id: String, name: String, input: String, result: Option<(String, bool)> },
    Stderr(String),
    Note { mark: &'static str, level: Level, text: String },
}

/// A block, laid out for some width.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Its first event, and the last one that was merged into it.
    pub seq: u64,
    pub last: u64,
    pub at: Timestamp,
    pub kind: Kind,
    pub open: bool,
    /// Empty until laid out.
    pub lines: Vec<Line<'static>>,
}

impl Block {
    /// Adds an event to the blocks; returns the bytes of text that it brought.
    pub fn absorb(blocks: &mut VecDeque<Block>, e: &SpooledEvent, plain: bool) -> usize {
        let note = |mark, level, text: String| Kind::Note { mark, level, text };
        let kind = match &e.event {
            AgentEvent::Text { text } => {
                if plain
                    && let Some(Block { kind: Kind::Text(all), lines, last, .. }) = blocks.back_mut()
                    && all.len() < 64 << 10
                {
                    all.push('\n');
                    all.push_str(text.trim_end_matches('\n'));
                    lines.clear();
                    *last = e.seq;
                    return text.len();
                }
                Kind::Text(text.trim_end_matches('\n').to_owned())
            }
            AgentEvent::Thinking { text } => Kind::Thinking(text.clone()),
            AgentEvent::ToolCall { id, name, input } => {
                Kind::Tool { id: id.clone(), name: name.clone(), input: input.clone(), result: None }
            }
            AgentEvent::ToolResult { id, output, is_error } => {
                let call = blocks.iter_mut().rev().find(|b| matches!(&b.kind, Kind::Tool { id: call, .. } if call == id));
                if let Some(block) = call
                    && let Kind::Tool { result, .. } = &mut block.kind
                {
                    *result = Some((output.clone(), *is_error));
                    block.lines.clear();
                    return output.len();
                }
                Kind::Tool { id: id.clone(), name: String::new(), input: String::new(), result: Some((output.clone(), *is_error)) }
            }
            AgentEvent::Stderr { text } => {
                if let Some(Block { kind: Kind::Stderr(all), lines, last, .. }) = blocks.back_mut()
                    && all.len() < 64 << 10
                {
                    all.push('\n');
                    all.push_str(text.trim_end_matches('\n'));
                    lines.clear();
                    *last = e.seq;
                    return text.len();
                }
                Kind::Stderr(text.trim_end_matches('\n').to_owned())
            }
            AgentEvent::Started { pid, .. } => note("·", Level::Info, format!("agent started, pid {pid}")),
            AgentEvent::Session { id, model, version } => {
                let extra: String = [model, version].into_iter().flatten().map(|s| format!(" · {s}")).collect();
                note("·", Level::Info, format!("session {id}{extra}"))
            }
            AgentEvent::Limited { limit } => note("‖", Level::Warn, format!("{}: {}", look::limit(limit.kind), limit.message)),
            AgentEvent::Notice { level, text } => note(if *level == Level::Info { "·" } else { "▲" }, *level, text.clone()),
            AgentEvent::Hanging { verdict } => note("▲", Level::Warn, format!("it {}", verdict.says())),
            AgentEvent::Moving => note("·", Level::Info, "it moves again".to_owned()),
            AgentEvent::Result { ok: true } => note("✓", Level::Info, "the agent gave its result".to_owned()),
            AgentEvent::Result { ok: false } => note("✗", Level::Error, "the agent says that it failed".to_owned()),
            AgentEvent::Usage { .. } => return 0,
        };
        let block = Block { seq: e.seq, last: e.seq, at: e.at, kind, open: false, lines: Vec::new() };
        let bytes = block.bytes();
        blocks.push_back(block);
        bytes
    }

    /// Older blocks come before newer ones: calls there get the answers that were found here.
    pub fn join(older: &mut VecDeque<Block>, newer: &mut VecDeque<Block>) {
        newer.retain_mut(|block| {
            let Kind::Tool { id, name, result, .. } = &mut block.kind else { return true };
            if !name.is_empty() {
                return true;
            }
            let call = older.iter_mut().rev().find_map(|b| match &mut b.kind {
                Kind::Tool { id: call, result, .. } if call == id && result.is_none() => Some(result),
                _ => None,
            });
            match call {
                Some(slot) => {
                    *slot = result.take();
                    false
                }
                None => true,
            }
        });
    }

    /// Bytes of text in it.
    pub fn bytes(&self) -> usize {
        match &self.kind {
            Kind::Text(t) | Kind::Thinking(t) | Kind::Stderr(t) => t.len(),
            Kind::Tool { input, result, .. } => input.len() + result.as_ref().map_or(0, |r| r.0.len()),
            Kind::Note { text, .. } => text.len(),
        }
    }

    /// Its text, for the clipboard.
    pub fn content(&self) -> String {
        match &self.kind {
            Kind::Text(t) | Kind::Thinking(t) | Kind::Stderr(t) => t.clone(),
            Kind::Tool { input, result, .. } => match result {
                Some((output, _)) => format!("{input}\n{output}"),
                None => input.clone(),
            },
            Kind::Note { text, .. } => text.clone(),
        }
    }

    /// True for blocks that are one line until they are unfolded.
    pub fn folds(&self) -> bool {
        matches!(self.kind, Kind::Tool { .. } | Kind::Thinking(_) | Kind::Stderr(_))
    }

    /// Lays the block out for `width` columns. It has at least one line afterwards.
    pub fn layout(&mut self, width: usize, plain: bool, t: &Theme) {
        let thought = t.dim.add_modifier(Modifier::ITALIC);
        self.lines = match &self.kind {
            Kind::Text(source) if plain => body(source, width, t.text, "  ", t),
            Kind::Text(source) => {
                let mut lines: Vec<Line<'static>> =
                    markdown::lines(source, width - 2, t).into_iter().map(|l| prefixed(Span::raw("  "), l)).collect();
                lines.push(Line::default());
                lines
            }
            Kind::Thinking(source) if self.open => body(source, width, thought, "  ", t),
            Kind::Thinking(source) => {
                let first = text::clean(source).lines().find(|l| !l.trim().is_empty()).unwrap_or("").trim().to_owned();
                vec![Line::from(vec![
                    Span::styled("▸ ", t.dim),
                    Span::styled(text::fit(&format!("thinking: {first}"), width - 2).into_owned(), thought),
                ])]
            }
            Kind::Stderr(source) => {
                let clean = text::clean(source);
                let n = clean.lines().count();
                let head = format!("stderr, {}", text::plural(n as u64, "line"));
                let last = clean.lines().last().unwrap_or("").to_owned();
                let mut lines = vec![head_line(&head, &last, "", t.dim, width, self.open, t)];
                if self.open {
                    lines.extend(body(source, width, t.dim, "  │ ", t));
                }
                lines
            }
            Kind::Tool { name, input, result, .. } => tool(name, input, result.as_ref(), width, self.open, t),
            Kind::Note { mark, level, text } => {
                let style = match level {
                    Level::Info => t.dim,
                    Level::Warn => t.warn,
                    Level::Error => t.fail,
                };
                body(text, width, style, &format!("{mark} "), t)
            }
        };
        if self.lines.is_empty() {
            self.lines.push(Line::default());
        }
    }
}

fn prefixed(prefix: Span<'static>, line: Line<'static>) -> Line<'static> {
    let style = line.style;
    let mut spans = vec![prefix];
    spans.extend(line.spans.into_iter().map(|s| Span::styled(s.content, style.patch(s.style))));
    Line::from(spans)
}

/// Plain text as lines, each behind a prefix, cut at `MAX_LINES`.
fn body(source: &str, width: usize, style: Style, prefix: &str, t: &Theme) -> Vec<Line<'static>> {
    let clean = text::clean(source);
    let room = width.saturating_sub(text::width(prefix)).max(1);
    let total = clean.lines().count();
    let mut lines = Vec::new();
    for (i, line) in clean.lines().take(MAX_LINES).enumerate() {
        for (j, part) in text::wrap(Line::styled(line.to_owned(), style), room, 0).into_iter().enumerate() {
            let first = i == 0 && j == 0;
            let bar = prefix.contains('│');
            let lead = if first || bar { prefix.to_owned() } else { " ".repeat(text::width(prefix)) };
            lines.push(prefixed(Span::styled(lead, if bar { t.border } else { style }), part));
        }
    }
    if total > MAX_LINES {
        lines.push(Line::styled(format!("{prefix}… {} more", text::plural((total - MAX_LINES) as u64, "line")), t.dim));
    }
    lines
}

/// `▸ Bash  cargo test            ✓ 38 lines`
fn head_line(name: &str, gist: &str, status: &str, status_style: Style, width: usize, open: bool, t: &Theme) -> Line<'static> {
    let room = width.saturating_sub(2);
    let status_width = if status.is_empty() { 0 } else { text::width(status) + 2 };
    let name = text::fit(name, room.saturating_sub(status_width).min(24)).into_owned();
    let left = room.saturating_sub(text::width(&name) + 2 + status_width);
    let gist = text::fit(gist, left).into_owned();
    let pad = left.saturating_sub(text::width(&gist)) + if status.is_empty() { 0 } else { 2 };
    Line::from(vec![
        Span::styled(if open { "▾ " } else { "▸ " }, t.accent),
        Span::styled(name, t.title),
        Span::raw("  "),
        Span::styled(gist, t.dim),
        Span::raw(" ".repeat(pad)),
        Span::styled(text::fit(status, room).into_owned(), status_style),
    ])
}

fn tool(name: &str, input: &str, result: Option<&(String, bool)>, width: usize, open: bool, t: &Theme) -> Vec<Line<'static>> {
    let (status, style) = match result {
        None => ("▶ running".to_owned(), t.accent),
        Some((_, true)) => ("✗ error".to_owned(), t.fail),
        Some((output, false)) => match output.lines().count() {
            0 => ("✓".to_owned(), t.ok),
            n => (format!("✓ {}", text::plural(n as u64, "line")), t.ok),
        },
    };
    let name = if name.is_empty() { "answer".to_owned() } else { text::clean_line(name).into_owned() };
    let mut lines = vec![head_line(&name, &text::clean_line(&tool_gist(input)), &status, style, width, open, t)];
    if open {
        if !input.is_empty() {
            lines.extend(body(&pretty(input), width, t.dim, "  │ ", t));
        }
        if let Some((output, is_error)) = result {
            lines.push(Line::styled("  ├─", t.border));
            lines.extend(body(output, width, if *is_error { t.fail } else { t.text }, "  │ ", t));
        }
    }
    lines
}

fn pretty(input: &str) -> String {
    serde_json::from_str::<serde_json::Value>(input)
        .ok()
        .filter(serde_json::Value::is_object)
        .and_then(|v| serde_json::to_string_pretty(&v).ok())
        .unwrap_or_else(|| input.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_call_is_one_line_that_says_what_it_is_about() {
        let result = ("a\nb\nc".to_owned(), false);
        let lines = tool("Bash", r#"{"command":"cargo test -p billing","timeout":5}"#, Some(&result), 50, false, &Theme::default());
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].to_string(), "▸ Bash  cargo test -p billing            ✓ 3 lines");
        assert_eq!(lines[0].width(), 50);
    }

    #[test]
    fn an_endless_output_is_cut_and_says_so() {
        let result = ("x\n".repeat(10_000), false);
        let lines = tool("Read", "{}", Some(&result), 50, true, &Theme::default());
        assert!(lines.len() < MAX_LINES + 10);
        assert!(lines.last().unwrap().to_string().contains("9,600 lines more"));
    }
}
