//! The link to the engine. It comes and goes with engines; the attempt does not notice. What is sent is read from the spool's
//! file, so a slow engine slows the link, not the agent, and costs no memory.

use super::spool::{Cursor, Tip};
use crate::domain::ExitReport;
use crate::wire::{EngineFrame, Heartbeat, Hello, MAX_FRAME, ShimFrame};
use futures::StreamExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

/// The first wait before another try, and the longest.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(2);
/// An engine that has accepted the connection answers `hello` within this time, or the link is given up and tried anew.
const WELCOME_WITHIN: Duration = Duration::from_secs(10);

/// What there is to send. The link looks here; nothing is queued.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    pub tip: Tip,
    /// The newest heartbeat, and its number: an older one is of no use to anyone.
    pub beat: Option<(u64, Heartbeat)>,
    /// The last thing to say: its number and how it ended.
    pub exit: Option<(u64, Arc<ExitReport>)>,
}

/// How things stand with the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkState {
    /// Welcomed, and not broken off since.
    pub connected: bool,
    /// Everything up to this number is in the engine's store.
    pub acked: u64,
}

/// What the engine asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// It has welcomed us and wants a heartbeat.
    Beat,
    /// End the agent and report `killed`.
    Cancel { grace: Duration, reason: String },
    /// End the agent and leave without a report.
    Bye { reason: String },
}

/// This attempt's side of every conversation.
pub struct Caller {
    /// `next_seq` is brought up to date for each conversation.
    pub hello: Hello,
    pub spool: PathBuf,
    pub outbox: watch::Receiver<Outbox>,
    pub state: watch::Sender<LinkState>,
    pub orders: mpsc::Sender<Order>,
}

/// Why a conversation ended.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
    #[error("a line from the engine could not be read: {0}")]
    Line(#[from] LinesCodecError),
    #[error("the engine closed the connection")]
    Closed,
    #[error("the engine did not answer hello")]
    NoWelcome,
    #[error("the engine said bye: {0}")]
    Bye(String),
}

/// Keeps calling the engine for as long as it is polled, and says when that changes. Returns when the engine has said bye.
pub async fn keep(socket: &Path, caller: &mut Caller, log: impl Fn(&str)) {
    let mut wait = RETRY_MIN;
    loop {
        if let Ok(stream) = UnixStream::connect(socket).await {
            let error = converse(stream, caller).await;
            let welcomed = caller.state.borrow().connected;
            caller.state.send_modify(|state| state.connected = false);
            log(&format!("link: {error}"));
            if matches!(error, LinkError::Bye(_)) {
                return;
            }
            if welcomed {
                wait = RETRY_MIN;
            }
        }
        // Between half and all of it, so that the shims of a returning engine do not all call at once.
        tokio::time::sleep(wait.mul_f64(0.5 + 0.5 * fastrand::f64())).await;
        wait = (wait * 2).min(RETRY_MAX);
    }
}

/// Holds one conversation, from hello until it breaks.
pub async fn converse<S: AsyncRead + AsyncWrite>(stream: S, caller: &mut Caller) -> LinkError {
    let (read, mut write) = tokio::io::split(stream);
    let mut lines = FramedRead::new(read, LinesCodec::new_with_max_length(MAX_FRAME));
    caller.hello.next_seq = caller.outbox.borrow().tip.seq + 1;
    let hello = ShimFrame::Hello(caller.hello.clone());
    if let Err(e) = send(&mut write, &hello, &mut Vec::new()).await {
        return e.into();
    }
    let acked = match tokio::time::timeout(WELCOME_WITHIN, next(&mut lines)).await {
        Ok(Ok(EngineFrame::Welcome { acked, .. })) => acked,
        Ok(Ok(EngineFrame::Bye { reason })) => return bye(caller, reason),
        Ok(Ok(_)) | Err(_) => return LinkError::NoWelcome,
        Ok(Err(e)) => return e,
    };
    caller.state.send_modify(|state| *state = LinkState { connected: true, acked });
    // A full channel has an order in it that makes the heartbeat moot.
    let _ = caller.orders.try_send(Order::Beat);
    let listening = async {
        loop {
            match next(&mut lines).await {
                Ok(EngineFrame::Ack { seq }) => caller.state.send_modify(|state| state.acked = state.acked.max(seq)),
                Ok(EngineFrame::Cancel { grace_ms, reason }) => {
                    let _ = caller.orders.try_send(Order::Cancel { grace: Duration::from_millis(grace_ms), reason });
                }
                Ok(EngineFrame::Bye { reason }) => return bye(caller, reason),
                Ok(EngineFrame::Welcome { .. }) => {}
                Err(e) => return e,
            }
        }
    };
    let telling = tell(write, &caller.spool, caller.outbox.clone(), acked);
    tokio::select! {
        biased;
        error = listening => error,
        Err(error) = telling => error.into(),
        else => LinkError::Closed,
    }
}

fn bye(caller: &Caller, reason: String) -> LinkError {
    let _ = caller.orders.try_send(Order::Bye { reason: reason.clone() });
    LinkError::Bye(reason)
}

/// Sends what the outbox holds, and what it comes to hold, until the connection breaks.
async fn tell<W: AsyncWrite + Unpin>(
    mut write: W,
    spool: &Path,
    mut outbox: watch::Receiver<Outbox>,
    acked: u64,
) -> std::io::Result<std::convert::Infallible> {
    let mut cursor = Cursor::after(spool, acked, outbox.borrow().tip)?;
    let mut buffer = Vec::new();
    let (mut beat_sent, mut exit_sent) = (0, false);
    loop {
        let Outbox { tip, beat, exit } = outbox.borrow_and_update().clone();
        if let Some((number, beat)) = beat.filter(|(number, _)| *number > beat_sent) {
            beat_sent = number;
            send(&mut write, &ShimFrame::Heartbeat(beat), &mut buffer).await?;
        }
        buffer.clear();
        if cursor.frames(tip, &mut buffer)? {
            write.write_all(&buffer).await?;
            write.flush().await?;
            buffer.shrink_to(MAX_FRAME / 16);
            continue;
        }
        if let Some((seq, report)) = exit.filter(|(seq, _)| !exit_sent && *seq > acked) {
            exit_sent = true;
            send(&mut write, &ShimFrame::Exit { seq, report: (*report).clone() }, &mut buffer).await?;
        }
        if outbox.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn send<W: AsyncWrite + Unpin>(write: &mut W, frame: &ShimFrame, buffer: &mut Vec<u8>) -> std::io::Result<()> {
    buffer.clear();
    serde_json::to_writer(&mut *buffer, frame).expect("plain data serialises");
    buffer.push(b'\n');
    write.write_all(buffer).await?;
    write.flush().await
}

/// The next frame that this program knows; a newer engine may say more.
async fn next<R: AsyncRead + Unpin>(lines: &mut FramedRead<R, LinesCodec>) -> Result<EngineFrame, LinkError> {
    loop {
        match lines.next().await {
            Some(Ok(line)) => {
                if let Ok(frame) = serde_json::from_str(&line) {
                    return Ok(frame);
                }
            }
            Some(Err(e)) => return Err(e.into()),
            None => return Err(LinkError::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AgentEvent, AttemptId, ProcessIdentity, Timestamp};
    use crate::shim::spool::Spool;
    use crate::wire::PROTOCOL;
    use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf, duplex, split};

    struct Far {
        lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
        write: WriteHalf<DuplexStream>,
    }

    impl Far {
        async fn next(&mut self) -> ShimFrame {
            serde_json::from_str(&self.lines.next_line().await.unwrap().unwrap()).unwrap()
        }

        async fn say(&mut self, line: &str) {
            self.write.write_all(line.as_bytes()).await.unwrap();
            self.write.write_all(b"\n").await.unwrap();
        }
    }

    struct Near {
        caller: Caller,
        outbox: watch::Sender<Outbox>,
        state: watch::Receiver<LinkState>,
        orders: mpsc::Receiver<Order>,
        spool: Spool,
        _dir: tempfile::TempDir,
    }

    fn near() -> Near {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.jsonl");
        let (outbox, seen) = watch::channel(Outbox::default());
        let (state, link_state) = watch::channel(LinkState::default());
        let (sender, orders) = mpsc::channel(8);
        let hello = Hello {
            protocol: PROTOCOL,
            version: "0".to_owned(),
            attempt: AttemptId(1),
            token: "t".to_owned(),
            identity: ProcessIdentity { pid: 1, start_time: 1, boot_id: String::new() },
            next_seq: 0,
        };
        let spool = Spool::create(&path).unwrap();
        let caller = Caller { hello, spool: path, outbox: seen, state, orders: sender };
        Near { caller, outbox, state: link_state, orders, spool, _dir: dir }
    }

    /// A pipe that holds `room` bytes each way.
    fn pipe(room: usize) -> (DuplexStream, Far) {
        let (ours, theirs) = duplex(room);
        let (read, write) = split(theirs);
        (ours, Far { lines: BufReader::new(read).lines(), write })
    }

    fn spooled(near: &mut Near, text: &str) {
        let tip = near.spool.append(Timestamp(1), vec![AgentEvent::Text { text: text.to_owned() }]).unwrap();
        near.outbox.send_modify(|outbox| outbox.tip = tip);
    }

    #[tokio::test(start_paused = true)]
    async fn hello_comes_first_and_orders_are_passed_on() {
        let mut near = near();
        spooled(&mut near, "one");
        let (stream, mut far) = pipe(1 << 16);
        let engine = async {
            let ShimFrame::Hello(hello) = far.next().await else { panic!("no hello") };
            assert_eq!(hello.next_seq, 2);
            far.say(r#"{"frame":"welcome","epoch":3,"acked":0}"#).await;
            assert!(matches!(far.next().await, ShimFrame::Event(e) if e.seq == 1));
            far.say(r#"{"frame":"ack","seq":1}"#).await;
            far.say(r#"{"frame":"of a newer engine"}"#).await;
            far.say(r#"{"frame":"cancel","grace_ms":5,"reason":"why not"}"#).await;
            far.say(r#"{"frame":"bye","reason":"superseded"}"#).await;
        };
        let (error, ()) = tokio::join!(converse(stream, &mut near.caller), engine);
        assert!(matches!(error, LinkError::Bye(reason) if reason == "superseded"));
        assert_eq!(*near.state.borrow(), LinkState { connected: true, acked: 1 });
        let mut orders = Vec::new();
        while let Ok(order) = near.orders.try_recv() {
            orders.push(order);
        }
        let cancel = Order::Cancel { grace: Duration::from_millis(5), reason: "why not".to_owned() };
        assert_eq!(orders, [Order::Beat, cancel, Order::Bye { reason: "superseded".to_owned() }]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_never_answers_is_given_up() {
        let mut near = near();
        let (stream, far) = pipe(1 << 16);
        let start = tokio::time::Instant::now();
        assert!(matches!(converse(stream, &mut near.caller).await, LinkError::NoWelcome));
        assert_eq!(start.elapsed(), WELCOME_WITHIN);
        assert!(!near.state.borrow().connected);
        drop(far);
    }

    #[tokio::test(start_paused = true)]
    async fn behind_a_slow_engine_only_the_newest_heartbeat_waits() {
        let mut near = near();
        let (stream, mut far) = pipe(256);
        let long = "x".repeat(40 << 10);
        spooled(&mut near, &long);
        let Near { caller, outbox, spool, .. } = &mut near;
        let engine = async {
            far.next().await;
            far.say(r#"{"frame":"welcome","epoch":1,"acked":0}"#).await;
            // The link is stuck in the first event; meanwhile there are a hundred heartbeats, and another event.
            tokio::task::yield_now().await;
            for number in 1..=100 {
                let beat = Heartbeat { cpu_ms: number, ..Heartbeat::default() };
                outbox.send_modify(|outbox| outbox.beat = Some((number, beat)));
                tokio::task::yield_now().await;
            }
            let tip = spool.append(Timestamp(2), vec![AgentEvent::Text { text: "two".to_owned() }]).unwrap();
            outbox.send_modify(|outbox| outbox.tip = tip);
            let mut got = Vec::new();
            while got.len() < 3 {
                got.push(match far.next().await {
                    ShimFrame::Event(event) => format!("event {}", event.seq),
                    ShimFrame::Heartbeat(beat) => format!("beat {}", beat.cpu_ms),
                    other => panic!("{other:?}"),
                });
            }
            got
        };
        let got = tokio::select! {
            biased;
            got = engine => got,
            error = converse(stream, caller) => panic!("{error}"),
        };
        assert_eq!(got, ["event 1", "beat 100", "event 2"]);
    }
}
