//! What all dialects have in common: what has been seen so far, and the verdict that follows from it.

use super::refusal::{Zone, classify, last_words, one_line, reset};
use super::{AgentExit, Verdict};
use crate::domain::{AgentEvent, Level, Limit, LimitKind, Outcome, Timestamp, Usage};
use crate::wire::AttemptSpec;

/// The longest answer that is kept; the transcript and `stdout.log` have all of it.
const ANSWER_MAX: usize = 1 << 20;
/// So many lines that make no sense are shown; the log has the rest.
const ODD_MAX: u32 = 10;

/// A dialect's own words.
pub struct Words {
    /// How one signs in.
    pub sign_in: &'static str,
    /// What the CLI says of a session that it does not know, in lower case.
    pub unknown_session: &'static [&'static str],
}

/// The agent's own word on how it ended.
#[derive(Clone, Debug)]
pub enum Ended {
    Well,
    /// With what it said, and the HTTP status behind it, if it told.
    Badly {
        message: String,
        status: Option<u64>,
    },
    /// By a refusal that it named itself.
    Refused(Limit),
}

/// What has been seen of an attempt so far.
pub struct Seen {
    pub backend: String,
    pub zone: Zone,
    /// When the line that is being read came.
    pub at: Timestamp,
    /// The session that was asked for, and whether it existed.
    pub given: Option<String>,
    pub resume: bool,
    /// The session as the stream told it.
    pub session: Option<String>,
    pub usage: Usage,
    pub usage_base: Usage,
    /// The backend has told the attempt's tokens.
    pub told: bool,
    pub cost_usd: Option<f64>,
    pub cost_base: f64,
    pub session_usage: Option<Usage>,
    pub session_cost_usd: Option<f64>,
    /// A refusal that nothing good has followed yet.
    pub refused: Option<Limit>,
    /// A model has answered, or a tool has been called.
    pub spoke: bool,
    pub ended: Option<Ended>,
    pub answer: Answer,
    /// The newest complaint.
    pub complaint: String,
    odd: u32,
}

impl Seen {
    pub fn new(spec: &AttemptSpec) -> Seen {
        Seen {
            backend: spec.backend.clone(),
            zone: None,
            at: Timestamp::default(),
            given: spec.session.clone(),
            resume: spec.resume,
            session: None,
            usage: Usage::default(),
            usage_base: if spec.resume { spec.usage_base } else { Usage::default() },
            told: false,
            cost_usd: None,
            cost_base: if spec.resume { spec.cost_base } else { 0.0 },
            session_usage: None,
            session_cost_usd: None,
            refused: None,
            spoke: false,
            ended: None,
            answer: Answer::default(),
            complaint: String::new(),
            odd: 0,
        }
    }

    /// A line that is no JSON object.
    pub fn odd(&mut self, line: &[u8]) -> Vec<AgentEvent> {
        self.odd = self.odd.saturating_add(1);
        let shown = match self.odd {
            n if n < ODD_MAX => one_line(&String::from_utf8_lossy(&line[..line.len().min(1000)]), 200),
            ODD_MAX => "more lines that make no sense; see stdout.log".to_owned(),
            _ => return Vec::new(),
        };
        if self.complaint.is_empty() {
            self.complaint.clone_from(&shown);
        }
        vec![notice(Level::Warn, shown)]
    }

    /// The session, as the stream tells it; an event where it is news.
    pub fn in_session(&mut self, id: &str, model: &str, version: &str) -> Option<AgentEvent> {
        if id.is_empty() || self.session.as_deref() == Some(id) {
            return None;
        }
        self.session = Some(id.to_owned());
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Some(AgentEvent::Session { id: id.to_owned(), model: given(model), version: given(version) })
    }

    /// The model has answered: whatever was refused before is over.
    pub fn speaks(&mut self) {
        self.spoke = true;
        self.refused = None;
    }

    /// A refusal that the CLI may yet overcome by itself. `loud`: the engine should hear of it now, and hold other starts back.
    pub fn refusal(&mut self, message: &str, status: Option<u64>, loud: bool) -> Vec<AgentEvent> {
        let shown = one_line(message, 300);
        self.complaint.clone_from(&shown);
        match self.limit(&shown, status) {
            Some(limit) => {
                self.refused = Some(limit.clone());
                // A refused key is for the operator, once it is certain: the verdict tells.
                if loud && limit.kind != LimitKind::Auth { vec![AgentEvent::Limited { limit }] } else { vec![notice(Level::Warn, shown)] }
            }
            None => vec![notice(Level::Warn, shown)],
        }
    }

    /// A complaint that is shown, and that explains the end if nothing better does.
    pub fn complain(&mut self, level: Level, message: &str) -> AgentEvent {
        self.complaint = one_line(message, 600);
        notice(level, self.complaint.clone())
    }

    fn limit(&self, message: &str, status: Option<u64>) -> Option<Limit> {
        let kind = classify(message, status)?;
        Some(Limit { kind, resets_at: reset(message, self.at, self.zone), message: one_line(message, 300) })
    }

    /// The verdict.
    pub fn verdict(&mut self, words: &Words, exit: AgentExit, stderr: &str) -> Verdict {
        let said = last_words(stderr);
        let session_unknown = self.resume && self.knows_not(words, stderr);
        let (outcome, message, limit) = match self.ended.clone() {
            _ if session_unknown => (Outcome::Error, self.unknown_session(), None),
            Some(Ended::Well) if exit.code == Some(0) => (Outcome::Ok, "done".to_owned(), None),
            Some(Ended::Well) => {
                (Outcome::Error, format!("{}: it gave its result, but then {}{}", self.backend, left(exit), after(&said)), None)
            }
            Some(Ended::Badly { message, status }) => {
                let message = if message.is_empty() { self.complaint.clone() } else { one_line(&message, 600) };
                let message = if message.is_empty() { said } else { message };
                let limit = self.limit(&message, status).map(|own| self.with_what_was_told(own));
                self.failed(words, message, limit)
            }
            Some(Ended::Refused(limit)) => self.failed(words, limit.message.clone(), Some(limit)),
            None => {
                // What it wrote to standard error explains the end only of one that never got to work.
                let about = [self.complaint.as_str(), &said].into_iter().find(|t| !t.is_empty() && (!self.spoke || exit.code.is_some()));
                let message = match about {
                    Some(about) => format!("{} without a result: {about}", left(exit)),
                    None => format!("{} without a result", left(exit)),
                };
                // Silence after a refusal is that refusal: the CLI slept it out.
                let limit = self.refused.clone().or_else(|| self.limit(if self.spoke { "" } else { stderr }, None));
                self.failed(words, message, limit)
            }
        };
        // What refused at once has used nothing; a killed run may have used anything.
        let refused = !self.spoke && exit.code.is_some_and(|c| c != 0 && c != 130 && c != 143);
        let usage_known = self.told && (self.usage.total() > 0 || !self.spoke) || refused;
        let result = (outcome == Outcome::Ok).then(|| self.answer.take()).flatten();
        Verdict {
            outcome,
            message,
            result,
            usage: self.usage,
            usage_known,
            cost_usd: self.cost_usd,
            session_usage: self.session_usage,
            session_cost_usd: self.session_cost_usd,
            session: if session_unknown { None } else { self.session.clone().or_else(|| self.given.clone().filter(|_| self.resume)) },
            session_unknown,
            limit,
        }
    }

    /// A refusal at the end, with what was told of it earlier on.
    fn with_what_was_told(&self, own: Limit) -> Limit {
        match &self.refused {
            Some(told) if told.kind == own.kind || (told.kind, own.kind) == (LimitKind::Window, LimitKind::Throttle) => {
                Limit { kind: told.kind, resets_at: told.resets_at.or(own.resets_at), message: own.message }
            }
            _ => own,
        }
    }

    /// A failure with what it means and what helps.
    fn failed(&self, words: &Words, message: String, limit: Option<Limit>) -> (Outcome, String, Option<Limit>) {
        let backend = &self.backend;
        let message = message.trim_end_matches(['.', ' ']);
        match limit {
            // The pause that follows tells the same: whoever looks at the backend sees what to do.
            Some(limit) if limit.kind == LimitKind::Auth => {
                let message = format!("{message}. To mend it: {}", words.sign_in);
                let text = format!("{backend}: {message}; then `orc backend resume {backend}`");
                (Outcome::Error, text, Some(Limit { message, ..limit }))
            }
            Some(_) => (Outcome::RateLimited, format!("{backend}: {message}"), limit),
            None => (Outcome::Error, format!("{backend}: {message}{}", hint(message)), None),
        }
    }

    fn knows_not(&self, words: &Words, stderr: &str) -> bool {
        let said = |text: &str| {
            let text = text.to_lowercase();
            words.unknown_session.iter().any(|w| text.contains(w))
        };
        let ended = matches!(&self.ended, Some(Ended::Badly { message, .. }) if said(message));
        !self.spoke && (ended || self.ended.is_none() && said(stderr))
    }

    fn unknown_session(&self) -> String {
        let id = self.given.as_deref().unwrap_or("?");
        format!("session unknown: {} does not know session {id} here (any more); the next attempt begins a new one", self.backend)
    }
}

/// How a process left, in words.
fn left(exit: AgentExit) -> String {
    match exit {
        AgentExit { signal: Some(n), .. } => format!("it was ended by {}", signal_name(n)),
        AgentExit { code: Some(code), .. } => format!("it left with exit code {code}"),
        _ => "it left".to_owned(),
    }
}

fn signal_name(n: i32) -> String {
    let name = match n {
        1 => "SIGHUP",
        2 => "SIGINT",
        6 => "SIGABRT",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        _ => return format!("signal {n}"),
    };
    name.to_owned()
}

fn after(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

/// What helps against failures that are no refusal.
fn hint(message: &str) -> &'static str {
    let text = message.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|w| text.contains(w));
    if any(&["prompt is too long", "context window", "token count exceeds", "contextoverflow"]) {
        ". Shorten the prompt, or give the job a worker with a new session"
    } else if any(&["econnrefused", "connection refused", "cannot connect", "unable to connect", "fetch failed", "error sending request"]) {
        ". Check the network, and the backend's address if you have set one"
    } else {
        ""
    }
}

pub fn notice(level: Level, text: String) -> AgentEvent {
    AgentEvent::Notice { level, text }
}

/// The agent's last block of text, which is its answer: what it says after its last tool.
#[derive(Default)]
pub struct Answer {
    block: String,
    /// The last block that was not empty; the answer where nothing follows the last tool.
    before: String,
    cut: bool,
}

impl Answer {
    pub fn add(&mut self, text: &str) {
        let room = ANSWER_MAX.saturating_sub(self.block.len());
        let end = text.floor_char_boundary(room.min(text.len()));
        self.block.push_str(&text[..end]);
        self.cut |= end < text.len();
    }

    /// The block is over: a tool is called, or another message begins.
    pub fn close(&mut self) {
        if std::mem::take(&mut self.cut) {
            self.block.push_str("\n\n[cut here: the transcript has the rest]");
        }
        if !self.block.trim().is_empty() {
            self.before = std::mem::take(&mut self.block);
        }
        self.block.clear();
    }

    pub fn take(&mut self) -> Option<String> {
        self.close();
        let text = std::mem::take(&mut self.before);
        (!text.is_empty()).then_some(text)
    }
}
