//! Redis as the first tier, on a thread of its own: short timeouts, a new connection after every failure, and rests between.

use super::{DedupRequest, FirstTier, PATIENCE};
use crate::domain::JobId;
use crate::engine::input::Input;
use redis::{Client, Connection, RedisResult};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long one step (connect, write, read) may take.
const STEP: Duration = Duration::from_millis(200);
/// Between a failure and the next attempt to connect.
const REST: Duration = Duration::from_secs(2);
/// A key that nobody took back is gone after this: a day, in seconds.
const EXPIRES: u64 = 86_400;
/// Takes a key back only from the job that holds it.
const TAKE_BACK: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end";

/// Whether a server answers at an address, within a moment.
///
/// # Errors
/// It does not, or the address is none; in a few words. The address may hold a password: it is not repeated.
pub fn ping(url: &str) -> Result<(), String> {
    let asked = Client::open(url).and_then(|client| {
        let mut connection = connect(&client)?;
        redis::cmd("PING").exec(&mut connection)
    });
    asked.map_err(|e| e.category().to_owned())
}

fn connect(client: &Client) -> RedisResult<Connection> {
    let connection = client.get_connection_with_timeout(STEP)?;
    connection.set_read_timeout(Some(STEP))?;
    connection.set_write_timeout(Some(STEP))?;
    Ok(connection)
}

/// Redis, by way of its thread; that ends with this.
pub struct RedisTier {
    requests: std::sync::mpsc::Sender<DedupRequest>,
}

impl RedisTier {
    /// Starts the thread. `url` as in `redis_url`; `workspace` keeps workspaces that share a server apart. A server that is not
    /// there is no error: the engine is told.
    ///
    /// # Errors
    /// The address is none, or the thread cannot be started.
    pub fn start(url: &str, workspace: &str, inputs: mpsc::Sender<Input>) -> Result<RedisTier, String> {
        // The address may hold a password: it is not repeated.
        let client = Client::open(url).map_err(|e| format!("redis_url is no address of a Redis server: {}", e.category()))?;
        let (requests, inbox) = std::sync::mpsc::channel::<DedupRequest>();
        let mut link = Link { client, connection: None, rests_until: None, why: String::new(), prefix: format!("orc:{workspace}:dedup:") };
        let work = move || {
            while let Ok(request) = inbox.recv() {
                let began = Instant::now();
                let done = link.serve(&request);
                let answer = match (request, done) {
                    // Whoever asked has gone on by then.
                    (DedupRequest::Look { key }, found) if began.elapsed() < PATIENCE => Input::Looked { key: Some(key), found },
                    (_, Err(why)) => Input::Looked { key: None, found: Err(why) },
                    _ => continue,
                };
                if inputs.blocking_send(answer).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("redis".into()).spawn(work).map_err(|e| format!("no thread for Redis: {e}"))?;
        Ok(RedisTier { requests })
    }
}

impl FirstTier for RedisTier {
    fn ask(&mut self, request: DedupRequest) {
        // The thread ends only with this sender, or with the engine.
        let _ = self.requests.send(request);
    }
}

struct Link {
    client: Client,
    connection: Option<Connection>,
    rests_until: Option<Instant>,
    why: String,
    prefix: String,
}

impl Link {
    fn serve(&mut self, request: &DedupRequest) -> Result<Option<JobId>, String> {
        if self.rests_until.is_some_and(|t| t > Instant::now()) {
            return Err(self.why.clone());
        }
        match self.talk(request) {
            Ok(found) => {
                self.rests_until = None;
                Ok(found)
            }
            Err(e) => {
                self.connection = None;
                self.rests_until = Some(Instant::now() + REST);
                self.why = e.category().to_owned();
                Err(self.why.clone())
            }
        }
    }

    fn talk(&mut self, request: &DedupRequest) -> RedisResult<Option<JobId>> {
        if self.connection.is_none() {
            self.connection = Some(connect(&self.client)?);
        }
        let Some(connection) = &mut self.connection else { return Ok(None) };
        let name = |key: &str| format!("{}{key}", self.prefix);
        match request {
            DedupRequest::Look { key } => {
                let held: Option<String> = redis::cmd("GET").arg(name(key)).query(connection)?;
                // What is no number is nobody's job.
                Ok(held.and_then(|text| text.parse().ok()).map(JobId))
            }
            DedupRequest::Hold { key, job } => {
                redis::cmd("SET").arg(name(key)).arg(job.0).arg("EX").arg(EXPIRES).exec(connection)?;
                Ok(None)
            }
            DedupRequest::Forget { key, job } => {
                redis::cmd("EVAL").arg(TAKE_BACK).arg(1).arg(name(key)).arg(job.0).exec(connection)?;
                Ok(None)
            }
        }
    }
}
