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
