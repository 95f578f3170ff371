//! `orc-shim --http`: one chat completion at an OpenAI-compatible endpoint (Ollama, llama.cpp, vLLM, LiteLLM, a vendor's own), told
//! as our own events. No tools, no session, no retry: the engine retries, and knows what else waits for this backend.
//!
//! The format is `POST {base}/chat/completions` with `stream: true`: server-sent events whose data is a `chat.completion.chunk`, and
//! `[DONE]` at the end. Servers that answer with one `chat.completion` object are taken as well.

use super::backend::{classify, reset, retry_after};
use crate::domain::{AgentEvent, Level, Limit, LimitKind, Usage};
use crate::os::clock;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::Duration;

const CONNECT_WITHIN: Duration = Duration::from_secs(20);
/// A local model may read a long prompt for minutes before it says its first word.
const SILENT_AT_MOST: Duration = Duration::from_secs(600);
/// The longest line of a stream, and the longest answer that comes in one piece.
const LINE_MAX: usize = 8 << 20;
/// A paragraph that is longer than this is shown before it ends.
const PARAGRAPH: usize = 2000;

/// Asks once; `args` follow `--http`.
pub fn main(args: &[OsString]) -> ExitCode {
    let call = match Call::parse(args) {
        Ok(call) => call,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("error: no runtime: {e}");
            return ExitCode::FAILURE;
        }
    };
    let mut told = Teller::default();
    let ok = match runtime.block_on(ask(&call, &mut told)) {
        Ok(()) => true,
        Err(Failed::Refused(limit)) => {
            told.say(&AgentEvent::Notice { level: Level::Error, text: limit.message.clone() });
            told.say(&AgentEvent::Limited { limit });
            false
        }
        Err(Failed::Broken(text)) => {
            told.say(&AgentEvent::Notice { level: Level::Error, text });
            false
        }
    };
    told.say(&AgentEvent::Result { ok });
    ExitCode::from(u8::from(!ok))
}

/// What is asked, and where.
struct Call {
    url: String,
    model: String,
    key: Option<String>,
    key_env: String,
    system: Option<String>,
    prompt: String,
}

impl Call {
    fn parse(args: &[OsString]) -> Result<Call, String> {
        let var = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
        let (mut base, mut model, mut key_env, mut system) = (None, None, "ORC_HTTP_KEY".to_owned(), None);
        let mut args = args.iter().map(|a| a.to_string_lossy().into_owned());
        while let Some(arg) = args.next() {
            let value = args.next().ok_or(format!("{arg} needs a value"))?;
            match arg.as_str() {
                "--base-url" => base = Some(value),
                "--model" => model = Some(value),
                "--key-env" => key_env = value,
                "--system" => {
                    system = Some(std::fs::read_to_string(&value).map_err(|e| format!("cannot read the system text {value}: {e}"))?)
                }
                _ => return Err(format!("unknown argument {arg}; there are --base-url, --model, --key-env, --system")),
            }
        }
        let base = base.or_else(|| var("ORC_HTTP_BASE_URL")).ok_or(
            "no address: set ORC_HTTP_BASE_URL (for example http://127.0.0.1:11434/v1) before the engine starts, or pass --base-url in the backend's description",
        )?;
        let model = model
            .or_else(|| var("ORC_HTTP_MODEL"))
            .ok_or("no model: name one on the job (`--model`), for the tier in orc.toml (`[backend.http.models]`), or in ORC_HTTP_MODEL")?;
        let mut prompt = String::new();
        std::io::stdin().read_to_string(&mut prompt).map_err(|e| format!("cannot read the prompt from standard input: {e}"))?;
        let url = format!("{}/chat/completions", base.trim_end_matches('/'));
        Ok(Call { url, model, key: var(&key_env), key_env, system: system.filter(|s| !s.trim().is_empty()), prompt })
    }

    fn body(&self) -> Value {
        let system = self.system.iter().map(|text| json!({"role": "system", "content": text}));
        let messages: Vec<Value> = system.chain([json!({"role": "user", "content": self.prompt})]).collect();
        json!({"model": self.model, "messages": messages, "stream": true, "stream_options": {"include_usage": true}})
    }
}

/// Why there is no answer.
enum Failed {
    Refused(Limit),
    Broken(String),
}

async fn ask(call: &Call, told: &mut Teller) -> Result<(), Failed> {
    let client = Client::builder().connect_timeout(CONNECT_WITHIN).read_timeout(SILENT_AT_MOST).build();
    let client = client.map_err(|e| Failed::Broken(format!("no HTTP client: {e}")))?;
    let mut request = client.post(&call.url).json(&call.body());
    if let Some(key) = &call.key {
        request = request.bearer_auth(key);
    }
    let response = request.send().await.map_err(|e| Failed::Broken(unreachable(&call.url, &e)))?;
    if !response.status().is_success() {
        return Err(refusal(call, response).await);
    }
    let mut answer = Answer::default();
    let mut lines = Lines::default();
    let mut response = response;
    loop {
        let chunk = response.chunk().await.map_err(|e| Failed::Broken(format!("the answer broke off: {}", causes(&e))))?;
        let Some(chunk) = chunk else { break };
        lines.push(&chunk, |line| answer.line(line, told))?;
    }
    lines.finish(|line| answer.line(line, told))?;
    answer.end(told)
}

/// An answer as it comes in.
#[derive(Default)]
struct Answer {
    /// Words that have not been shown yet.
    pending: String,
    spoke: bool,
    finish: Option<String>,
    done: bool,
    /// What came and was no stream: one JSON object, or a page for people.
    other: String,
}

impl Answer {
    fn line(&mut self, line: &[u8], told: &mut Teller) -> Result<(), Failed> {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches('\r');
        match line.strip_prefix("data:").map(str::trim) {
            Some("[DONE]") => self.done = true,
            Some(data) => {
                let chunk: Value = serde_json::from_str(data).map_err(|e| Failed::Broken(format!("the stream makes no sense: {e}")))?;
                self.chunk(&chunk, told)?;
            }
            // Comments and event names of the stream.
            None if line.starts_with(':') || line.starts_with("event:") || line.starts_with("id:") || line.starts_with("retry:") => {}
            None if self.other.len() + line.len() <= LINE_MAX => {
                self.other.push_str(line);
                self.other.push('\n');
            }
            None => return Err(Failed::Broken("the answer is too long, and no stream".to_owned())),
        }
        Ok(())
    }

    fn chunk(&mut self, v: &Value, told: &mut Teller) -> Result<(), Failed> {
        if let Some(error) = v.get("error").filter(|e| !e.is_null()) {
            return Err(said_no(&message_of(error), error.get("code").and_then(Value::as_u64), None));
        }
        let choice = &v["choices"][0];
        // A stream has deltas, a single answer has a message.
        let part = choice.get("delta").or_else(|| choice.get("message"));
        let words = |key: &str| part.and_then(|p| p.get(key)).and_then(Value::as_str).unwrap_or_default();
        for key in ["reasoning_content", "reasoning"] {
            if !words(key).is_empty() {
                told.think(words(key));
            }
        }
        if !words("content").is_empty() {
            told.thought();
            self.spoke = true;
            self.pending.push_str(words("content"));
            self.show(told);
        }
        if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
            self.finish = Some(reason.to_owned());
        }
        if let Some(usage) = v.get("usage").filter(|u| !u.is_null()) {
            told.say(&AgentEvent::Usage { usage: usage_of(usage), cost_usd: usage.get("cost").and_then(Value::as_f64) });
        }
        Ok(())
    }

    /// Shows whole paragraphs; a long one up to its last word.
    fn show(&mut self, told: &mut Teller) {
        let end = match self.pending.rfind("\n\n") {
            Some(at) => at + 2,
            None if self.pending.len() > PARAGRAPH => self.pending.rfind(' ').map_or(self.pending.len(), |at| at + 1),
            None => return,
        };
        let rest = self.pending.split_off(end);
        told.say(&AgentEvent::Text { text: std::mem::replace(&mut self.pending, rest) });
    }

    fn end(mut self, told: &mut Teller) -> Result<(), Failed> {
        if !self.spoke && self.finish.is_none() && !self.done && !self.other.trim().is_empty() {
            let whole: Value = serde_json::from_str(&self.other).map_err(|_| {
                Failed::Broken(
                    "the endpoint answered with a page, not with a completion: is the address right (it usually ends in /v1)?".to_owned(),
                )
            })?;
            self.chunk(&whole, told)?;
        }
        told.thought();
        if !self.pending.is_empty() {
            told.say(&AgentEvent::Text { text: std::mem::take(&mut self.pending) });
        }
        match self.finish.as_deref() {
            Some("stop" | "eos" | "end_turn") => Ok(()),
            Some("length") => Err(Failed::Broken("the answer was cut at the model's limit of output tokens".to_owned())),
            Some(other) => Err(Failed::Broken(format!("the answer ended with `{other}`"))),
            None if self.done && self.spoke => Ok(()),
            None if self.spoke => Err(Failed::Broken("the answer broke off: the stream ended without a finish reason".to_owned())),
            None => Err(Failed::Broken("the endpoint gave an empty answer".to_owned())),
        }
    }
}

/// `prompt_tokens` hold the cached ones.
fn usage_of(u: &Value) -> Usage {
    let n = |v: &Value| v.as_u64().unwrap_or(0);
    let cached = n(&u["prompt_tokens_details"]["cached_tokens"]);
    Usage { input: n(&u["prompt_tokens"]).saturating_sub(cached), output: n(&u["completion_tokens"]), cache_read: cached, cache_write: 0 }
}

/// What an answer with an error status means.
async fn refusal(call: &Call, response: Response) -> Failed {
    let status = response.status();
    let header = response.headers().get("retry-after").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let body = response.text().await.unwrap_or_default();
    let said = serde_json::from_str::<Value>(&body).ok();
    let said = said.as_ref().map(|v| message_of(v.get("error").unwrap_or(v))).filter(|m| !m.is_empty());
    let mut message = said.unwrap_or_else(|| body.split_whitespace().take(40).collect::<Vec<_>>().join(" "));
    message = format!("{} {}: {message}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    if status == StatusCode::UNAUTHORIZED && call.key.is_none() {
        message = format!("{message}. No key was sent: {} is not set", call.key_env);
    }
    if status == StatusCode::NOT_FOUND {
        message = format!("{message}. Is the address right ({}), and is the model `{}` there?", call.url, call.model);
    }
    said_no(&message, Some(u64::from(status.as_u16())), header.as_deref())
}

fn said_no(message: &str, status: Option<u64>, retry: Option<&str>) -> Failed {
    let now = clock::now();
    match classify(message, status) {
        Some(kind) => {
            let resets_at =
                retry.and_then(|r| retry_after(r, now)).or_else(|| reset(message, now, None)).filter(|_| kind != LimitKind::Auth);
            Failed::Refused(Limit { kind, resets_at, message: message.to_owned() })
        }
        None => Failed::Broken(message.to_owned()),
    }
}

/// `{"message": …}`, or a text.
fn message_of(error: &Value) -> String {
    error.get("message").and_then(Value::as_str).or_else(|| error.as_str()).unwrap_or_default().to_owned()
}

fn unreachable(url: &str, e: &reqwest::Error) -> String {
    let what = if e.is_timeout() { "did not answer in time" } else { "cannot be reached" };
    format!("{url} {what} ({}). Is the server running, and is the address right?", causes(e))
}

/// An error with what lies behind it; reqwest's own text names only the outermost.
fn causes(e: &dyn std::error::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next: Option<&dyn std::error::Error> = Some(e);
    while let Some(e) = next {
        let text = e.to_string();
        // The address is in the message already.
        if !text.contains("for url") && texts.last() != Some(&text) {
            texts.push(text);
        }
        next = e.source();
    }
    texts.join(": ")
}

/// Splits a stream into lines of bounded length.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn push(&mut self, chunk: &[u8], mut each: impl FnMut(&[u8]) -> Result<(), Failed>) -> Result<(), Failed> {
        let mut parts = chunk.split(|b| *b == b'\n').peekable();
        while let Some(part) = parts.next() {
            if self.0.len() + part.len() > LINE_MAX {
                return Err(Failed::Broken("a line of the stream is too long".to_owned()));
            }
            self.0.extend_from_slice(part);
            if parts.peek().is_some() && !self.0.is_empty() {
                each(&self.0)?;
                self.0.clear();
            }
        }
        Ok(())
    }

    fn finish(self, mut each: impl FnMut(&[u8]) -> Result<(), Failed>) -> Result<(), Failed> {
        if self.0.is_empty() { Ok(()) } else { each(&self.0) }
    }
}

/// Writes events to standard output. Thoughts are gathered up to a paragraph.
#[derive(Default)]
struct Teller {
    thinking: String,
}

impl Teller {
    fn say(&mut self, event: &AgentEvent) {
        let mut line = serde_json::to_vec(event).expect("plain data serialises");
        line.push(b'\n');
        // Without a reader there is nobody to tell; the exit code remains.
        let _ = std::io::stdout().write_all(&line).and_then(|()| std::io::stdout().flush());
    }

    fn think(&mut self, words: &str) {
        self.thinking.push_str(words);
        if self.thinking.len() > PARAGRAPH || self.thinking.ends_with("\n\n") {
            self.thought();
        }
    }

    fn thought(&mut self) {
        let text = std::mem::take(&mut self.thinking);
        if !text.trim().is_empty() {
            self.say(&AgentEvent::Thinking { text });
        }
    }
}
