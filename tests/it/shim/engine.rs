//! An engine as the job process sees it, played by a test.

use super::DEADLINE;
use futures::StreamExt;
use orc::domain::AgentEvent;
use orc::wire::{EngineFrame, Hello, MAX_FRAME, ShimFrame, SpooledEvent};
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use tokio_util::codec::{FramedRead, LinesCodec};

/// Listens; gone, socket and all, when dropped.
pub struct Engine {
    listener: UnixListener,
    path: PathBuf,
}

impl Engine {
    pub fn at(path: &Path) -> Engine {
        Engine { listener: UnixListener::bind(path).unwrap(), path: path.to_owned() }
    }

    /// The next job process that calls, and what it says first.
    pub async fn call(&self) -> (Conversation, Hello) {
        let (stream, _) = timeout(DEADLINE, self.listener.accept()).await.unwrap().unwrap();
        let mut conversation = Conversation::over(stream);
        match conversation.next().await {
            ShimFrame::Hello(hello) => (conversation, hello),
            other => panic!("expected hello: {other:?}"),
        }
    }

    /// As `call`, answered with what has been acknowledged so far.
    pub async fn welcome(&self, acked: u64) -> Conversation {
        let (mut conversation, _) = self.call().await;
        conversation.send(EngineFrame::Welcome { epoch: 1, acked }).await;
        conversation
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

pub struct Conversation {
    lines: FramedRead<OwnedReadHalf, LinesCodec>,
    write: OwnedWriteHalf,
}

impl Conversation {
    fn over(stream: UnixStream) -> Conversation {
        let (read, write) = stream.into_split();
        Conversation { lines: FramedRead::new(read, LinesCodec::new_with_max_length(MAX_FRAME)), write }
    }

    pub async fn send(&mut self, frame: EngineFrame) {
        let mut line = serde_json::to_vec(&frame).unwrap();
        line.push(b'\n');
        self.write.write_all(&line).await.unwrap();
    }

    pub async fn ack(&mut self, seq: u64) {
        self.send(EngineFrame::Ack { seq }).await;
    }

    pub async fn next(&mut self) -> ShimFrame {
        self.try_next().await.expect("the job process hung up")
    }

    /// `None` when the other side has hung up.
    pub async fn try_next(&mut self) -> Option<ShimFrame> {
        let line = timeout(DEADLINE, self.lines.next()).await.unwrap()?.unwrap();
        Some(serde_json::from_str(&line).unwrap())
    }

    /// The next event; heartbeats are passed over.
    pub async fn event(&mut self) -> SpooledEvent {
        loop {
            match self.next().await {
                ShimFrame::Event(event) => return event,
                ShimFrame::Heartbeat(_) => {}
                other => panic!("expected an event: {other:?}"),
            }
        }
    }

    /// The next event that `wanted` recognises.
    pub async fn until<T>(&mut self, wanted: impl Fn(&AgentEvent) -> Option<T>) -> T {
        loop {
            if let Some(it) = wanted(&self.event().await.event) {
                return it;
            }
        }
    }

    /// Waits for a line of text.
    pub async fn text(&mut self, text: &str) {
        self.until(|event| matches!(event, AgentEvent::Text { text: t } if t.trim_end() == text).then_some(())).await;
    }

    /// All events up to the report, and the report.
    pub async fn until_exit(&mut self) -> (Vec<SpooledEvent>, u64, orc::domain::ExitReport) {
        let mut events = Vec::new();
        loop {
            match self.next().await {
                ShimFrame::Event(event) => events.push(event),
                ShimFrame::Heartbeat(_) => {}
                ShimFrame::Exit { seq, report } => return (events, seq, report),
                other => panic!("{other:?}"),
            }
        }
    }
}
