//! An embedding behind an OpenAI-compatible endpoint: `POST {url}/embeddings` with `model`, `input: [texts]` and, where a number of
//! dimensions is set, `dimensions` (<https://platform.openai.com/docs/api-reference/embeddings>). Ollama, llama.cpp, vLLM and
//! others answer alike.

use super::{EmbedError, Embedder};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Texts in one request.
const BATCH: usize = 64;
/// A batch of the widest vectors that are in use takes a tenth of this.
const ANSWER_MAX: usize = 64 << 20;
/// An endpoint that let somebody wait in vain is not asked by those who wait for this long.
const REST: Duration = Duration::from_secs(30);

/// Where the endpoint is, and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Without the final `/embeddings`.
    pub url: String,
    /// As the endpoint spells it.
    pub model: String,
    /// The environment variable that holds the key; unset or empty: none is sent.
    pub key_env: String,
    /// Asked of the model; `None`: its own number.
    pub dimensions: Option<u32>,
    /// For one request.
    pub timeout: Duration,
    /// For one that somebody waits for.
    pub query_timeout: Duration,
}

/// The embedding behind an endpoint. Nothing is asked, and no thread started, before the first text.
pub struct Http {
    asker: Arc<Asker>,
    id: String,
    runtime: Mutex<Option<Runtime>>,
    /// When the last one who waited was let down.
    failed: Mutex<Option<Instant>>,
}

struct Asker {
    endpoint: Endpoint,
    client: OnceLock<Client>,
    /// Of every answer so far.
    dim: OnceLock<usize>,
}

impl Http {
    /// The embedding of this endpoint.
    pub fn new(endpoint: Endpoint) -> Http {
        let model = &endpoint.model;
        let id = endpoint.dimensions.map_or_else(|| format!("http:{model}"), |d| format!("http:{model}@{d}"));
        let asker = Arc::new(Asker { endpoint, client: OnceLock::new(), dim: OnceLock::new() });
        Http { asker, id, runtime: Mutex::default(), failed: Mutex::default() }
    }

    /// Asks on the runtime's own thread and waits: so it can be called from anywhere, also from within another runtime.
    fn ask(&self, texts: &[&str], within: Duration) -> Result<Vec<Vec<f32>>, EmbedError> {
        // Endpoints refuse an empty text; it has no vector anyway.
        let asked: Vec<String> = texts.iter().filter(|t| !t.trim().is_empty()).map(|t| (*t).to_owned()).collect();
        let mut made = Vec::with_capacity(asked.len());
        for batch in asked.chunks(BATCH) {
            let (asker, batch) = (self.asker.clone(), batch.to_vec());
            let (sender, answer) = mpsc::sync_channel(1);
            self.spawn(async move {
                let late = asker.failed(&format!("gave no answer within {} s", within.as_secs_f64()));
                let answer = tokio::time::timeout(within, asker.ask(&batch)).await;
                // Without a receiver nobody waits any more.
                let _ = sender.send(answer.unwrap_or(Err(late)));
            })?;
            made.extend(answer.recv().map_err(|_| self.asker.failed("was not asked: the process is ending"))??);
        }
        let dim = self.asker.dim.get().copied().unwrap_or_default();
        let mut made = made.into_iter();
        Ok(texts.iter().map(|t| if t.trim().is_empty() { vec![0.0; dim] } else { made.next().unwrap_or_default() }).collect())
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> Result<(), EmbedError> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = match &mut *runtime {
            Some(runtime) => runtime,
            none => {
                let made = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("embedder").enable_all().build();
                none.insert(made.map_err(|e| EmbedError(format!("no thread for asking an endpoint: {e}")))?)
            }
        };
        runtime.spawn(work);
        Ok(())
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        // Waiting for it would panic within another runtime.
        if let Some(runtime) = self.runtime.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            runtime.shutdown_background();
        }
    }
}

impl Embedder for Http {
    fn id(&self) -> &str {
        &self.id
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let made = self.ask(texts, self.asker.endpoint.timeout)?;
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(made)
    }

    fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_some_and(|at| at.elapsed() < REST) {
            return Err(self.asker.failed(&format!("let somebody wait in vain less than {} s ago and is not asked", REST.as_secs())));
        }
        let made = self.ask(&[text], self.asker.endpoint.query_timeout);
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = made.is_err().then(Instant::now);
        Ok(made?.pop().unwrap_or_default())
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    /// The text's place; some leave it out and keep the order.
    index: Option<usize>,
    embedding: Vec<f32>,
}

impl Asker {
    async fn ask(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let e = &self.endpoint;
        let mut body = json!({ "model": e.model, "input": texts });
        if let Some(dimensions) = e.dimensions {
            body["dimensions"] = dimensions.into();
        }
        let mut request = self.client()?.post(self.address()).json(&body);
        let key = self.key();
        if let Some(key) = &key {
            request = request.bearer_auth(key);
        }
        let response = request.send().await.map_err(|e| self.failed(&format!("cannot be reached ({})", causes(&e))))?;
        let status = response.status();
        let answer = self.body(response).await?;
        if !status.is_success() {
            return Err(self.refusal(status, &answer, key.as_deref()));
        }
        let answer: Answer = serde_json::from_slice(&answer)
            .map_err(|e| self.failed(&format!("answered with something else than embeddings ({e}); does the address end in /v1?")))?;
        self.vectors(answer, texts.len())
    }

    fn client(&self) -> Result<&Client, EmbedError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::builder().build().map_err(|e| EmbedError(format!("no HTTP client: {}", causes(&e))))?;
        Ok(self.client.get_or_init(|| client))
    }

    fn address(&self) -> String {
        format!("{}/embeddings", self.endpoint.url.trim_end_matches('/'))
    }

    fn key(&self) -> Option<String> {
        std::env::var(&self.endpoint.key_env).ok().map(|key| key.trim().to_owned()).filter(|key| !key.is_empty())
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, EmbedError> {
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await.map_err(|e| self.failed(&format!("broke off its answer ({})", causes(&e))))?;
            let Some(chunk) = chunk else { return Ok(body) };
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_MAX {
                return Err(self.failed("answered with more than embeddings can take"));
            }
        }
    }

    fn refusal(&self, status: StatusCode, body: &[u8], key: Option<&str>) -> EmbedError {
        let body = String::from_utf8_lossy(body);
        let said = serde_json::from_str::<serde_json::Value>(&body).ok();
        let said = said.as_ref().map(|v| v.get("error").unwrap_or(v));
        let said = said.and_then(|e| e.get("message").unwrap_or(e).as_str()).unwrap_or(&body);
        let mut said = said.split_whitespace().take(40).collect::<Vec<_>>().join(" ");
        if let Some(key) = key {
            said = said.replace(key, "…");
        }
        let what = format!("refused with {} {}: {said}", status.as_u16(), status.canonical_reason().unwrap_or_default());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if key.is_none() => self.failed(&format!(
                "{what}. No key was sent: put it into the environment variable {} before the engine starts",
                self.endpoint.key_env
            )),
            StatusCode::NOT_FOUND => self.failed(&format!("{what}. Is the model `{}` there, and the address right?", self.endpoint.model)),
            _ => self.failed(&what),
        }
    }

    /// The answer's vectors in the order of the texts, at unit length.
    fn vectors(&self, answer: Answer, texts: usize) -> Result<Vec<Vec<f32>>, EmbedError> {
        if answer.data.len() != texts {
            return Err(self.failed(&format!("answered with {} vectors for {texts} texts", answer.data.len())));
        }
        let mut all: Vec<Option<Vec<f32>>> = vec![None; texts];
        for (place, row) in answer.data.into_iter().enumerate() {
            let dim = row.embedding.len();
            let due = self.endpoint.dimensions.map(|d| d as usize).or_else(|| self.dim.get().copied()).unwrap_or(dim.max(1));
            if dim != due {
                let what = format!("answered with a vector of {dim} dimensions where {due} were due: has its model changed?");
                return Err(self.failed(&what));
            }
            self.dim.get_or_init(|| dim);
            let slot = all.get_mut(row.index.unwrap_or(place)).filter(|slot| slot.is_none());
            let Some(slot) = slot else { return Err(self.failed("answered with vectors for other texts than were asked")) };
            *slot = Some(unit(row.embedding).ok_or_else(|| self.failed("answered with a vector that is no figure"))?);
        }
        Ok(all.into_iter().flatten().collect())
    }

    fn failed(&self, what: &str) -> EmbedError {
        EmbedError(format!(
            "the embedding endpoint {} {what}. `orc doctor` tries it; `embedder_url` and `embedder_model` in orc.toml say what is asked, \
             `embedder = \"shipped\"` needs none",
            self.address()
        ))
    }
}

/// At unit length; zero stays zero. `None` where it is not finite.
fn unit(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
    length.is_finite().then_some(vector)
}

/// An error with what lies behind it, without the address, which the message has.
fn causes(e: &dyn std::error::Error) -> String {
    let all = std::iter::successors(Some(e), |e| e.source()).map(ToString::to_string).filter(|text| !text.contains("for url"));
    all.collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests;
