//! Plain text: each line is a word to the reader, and the exit code decides.

use super::refusal::last_words;
use super::seen::Seen;
use super::{AgentExit, Verdict};
use crate::domain::{AgentEvent, Outcome, Usage};
use std::collections::VecDeque;

/// The beginning and the end of a long output are kept, each so long; `stdout.log` has it all.
const KEEP: usize = 128 << 10;

/// What is known of plain output.
#[derive(Default)]
pub struct Text {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// Bytes between the two that were not kept.
    left_out: u64,
}

impl Text {
    pub fn line(&mut self, line: &[u8]) -> Vec<AgentEvent> {
        let room = KEEP.saturating_sub(self.head.len());
        let bytes = line.iter().chain(b"\n");
        if line.len() < room && self.tail.is_empty() {
            self.head.extend(bytes);
        } else {
            self.tail.extend(bytes);
            let over = self.tail.len().saturating_sub(KEEP);
            self.tail.drain(..over);
            self.left_out += over as u64;
        }
        vec![AgentEvent::Text { text: String::from_utf8_lossy(line).into_owned() }]
    }

    pub fn verdict(&mut self, seen: &Seen, exit: AgentExit, stderr: &str) -> Verdict {
        let (outcome, message) = match exit {
            AgentExit { code: Some(0), .. } => (Outcome::Ok, "done".to_owned()),
            AgentExit { code, signal, .. } => {
                let how = match (code, signal) {
                    (Some(code), _) => format!("exit code {code}"),
                    (_, signal) => format!("ended by signal {}", signal.unwrap_or(0)),
                };
                let said = last_words(stderr);
                (Outcome::Error, if said.is_empty() { how } else { format!("{how}: {said}") })
            }
        };
        Verdict {
            outcome,
            message,
            result: self.output(),
            usage: Usage::default(),
            usage_known: true,
            cost_usd: None,
            session_usage: None,
            session_cost_usd: None,
            session: seen.given.clone().filter(|_| seen.resume),
            session_unknown: false,
            limit: None,
        }
    }

    /// What a script printed is its result, also that of one that failed: it says why.
    fn output(&mut self) -> Option<String> {
        let mut text = String::from_utf8_lossy(&std::mem::take(&mut self.head)).into_owned();
        if self.left_out > 0 {
            text.push_str(&format!("[… {} bytes left out; see stdout.log …]\n", self.left_out));
        }
        text.push_str(&String::from_utf8_lossy(self.tail.make_contiguous()));
        self.tail.clear();
        (!text.trim().is_empty()).then_some(text)
    }
}
