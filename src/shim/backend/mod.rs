//! Plain text on standard output.
use crate::domain::{AgentEvent, Limit, Outcome, Timestamp, Usage};
use crate::wire::AttemptSpec;

pub struct AgentExit {
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

pub struct Verdict {
    pub outcome: Outcome,
    pub message: String,
    pub result: Option<String>,
    pub usage: Usage,
    pub usage_known: bool,
    pub cost_usd: Option<f64>,
    pub session_usage: Option<Usage>,
    pub session_cost_usd: Option<f64>,
    pub session: Option<String>,
    pub limit: Option<Limit>,
}

pub struct Parser {
    text: String,
    native: bool,
}

impl Parser {
    pub fn new(spec: &AttemptSpec) -> Parser {
        Parser { text: String::new(), native: spec.dialect == crate::wire::Dialect::Native }
    }

    pub fn line(&mut self, line: &[u8], _at: Timestamp) -> Vec<AgentEvent> {
        if self.native {
            return serde_json::from_slice(line).into_iter().collect();
        }
        let text = String::from_utf8_lossy(line).into_owned();
        if self.text.len() < 65536 {
            self.text.push_str(&text);
            self.text.push('\n');
        }
        vec![AgentEvent::Text { text }]
    }

    pub fn end(&mut self, exit: AgentExit, stderr_tail: &str, _at: Timestamp) -> Verdict {
        let outcome = if exit.code == Some(0) { Outcome::Ok } else { Outcome::Error };
        let message = match (exit.code, exit.signal) {
            (Some(0), _) => "done".to_owned(),
            (Some(code), _) => format!("exit code {code}: {stderr_tail}"),
            (None, signal) => format!("ended by signal {}", signal.unwrap_or(0)),
        };
        let result = (!self.text.is_empty()).then(|| std::mem::take(&mut self.text));
        Verdict {
            outcome,
            message,
            result,
            usage: Usage::default(),
            usage_known: true,
            cost_usd: None,
            session_usage: None,
            session_cost_usd: None,
            session: None,
            limit: None,
        }
    }

    pub fn usage(&self) -> (Usage, Option<f64>) {
        (Usage::default(), None)
    }

    pub fn must_stop(&self) -> Option<String> {
        None
    }
}
