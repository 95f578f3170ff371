//! The engine's socket: shims, consoles and wake-ups come in here. It parses and passes on; it decides nothing.

use super::actor;
use super::input::{Input, Link};
use crate::config::Workspace;
use crate::domain::Act;
use crate::os::{clock, process};
use crate::store::{Store, StoreError};
use crate::wire::{ControlFrame, ControlReply, EngineFrame, MAX_FRAME, ShimFrame, Snapshot};
use futures::{SinkExt, StreamExt};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio_util::codec::{Framed, LinesCodec};

/// What the gateway hands to the core beside the inputs: where to send answers for a link.
pub type Outbox = mpsc::Sender<EngineFrame>;

/// The doors of one engine.
#[derive(Clone)]
pub struct Gateway {
    inputs: mpsc::Sender<Input>,
    outboxes: mpsc::UnboundedSender<(Link, Outbox)>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    next: Arc<AtomicU64>,
    /// Where it is looked up who calls.
    workspace: Option<Workspace>,
}

impl Gateway {
    /// `outboxes` receives every new shim link before its first frame is passed on.
    pub fn new(
        inputs: mpsc::Sender<Input>,
        outboxes: mpsc::UnboundedSender<(Link, Outbox)>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
    ) -> Gateway {
        Gateway { inputs, outboxes, snapshots, next: Arc::new(AtomicU64::new(1)), workspace: None }
    }

    /// It asks of whoever wants the engine's end whether they may.
    #[must_use]
    pub fn guarded(self, workspace: Workspace) -> Gateway {
        Gateway { workspace: Some(workspace), ..self }
    }

    /// Accepts for as long as the listener lives.
    pub async fn accept(self, listener: UnixListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let gateway = self.clone();
                    // As the kernel knows them, whatever they say; 0 is nobody.
                    let caller = stream.peer_cred().ok().and_then(|c| c.pid()).unwrap_or(0);
                    tokio::spawn(async move { gateway.talk(stream, Some(caller)).await });
                }
                Err(e) => {
                    // Out of descriptors: shims keep their spools and come back.
                    tracing::warn!("accept: {e}");
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                }
            }
        }
    }

    /// One connection of this process itself, whatever it turns out to be.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        self.talk(stream, None).await;
    }

    async fn talk(&self, stream: impl AsyncRead + AsyncWrite + Unpin, caller: Option<i32>) {
        let mut lines = Framed::new(stream, LinesCodec::new_with_max_length(MAX_FRAME));
        let Some(Ok(first)) = lines.next().await else { return };
        if let Ok(frame) = serde_json::from_str::<ShimFrame>(&first) {
            self.serve_shim(frame, lines).await;
            return;
        }
        match serde_json::from_str::<ControlFrame>(&first) {
            Ok(ControlFrame::Wake) => {
                let _ = self.inputs.send(Input::Wake).await;
            }
            Ok(ControlFrame::Status) => {
                let _ = send(&mut lines, &self.newest()).await;
            }
            Ok(ControlFrame::Stop) => {
                if let Some(message) = self.forbids(caller).await {
                    let _ = send(&mut lines, &ControlReply::Refused { message }).await;
                    return;
                }
                let (pid, running) = {
                    let s = self.snapshots.borrow();
                    (s.engine.pid, s.slots.running)
                };
                let _ = send(&mut lines, &ControlReply::Stopping { pid, running }).await;
                let _ = self.inputs.send(Input::Stop { why: "asked over the socket".into() }).await;
                // The connection closes when the engine is gone.
                while lines.next().await.is_some() {}
            }
            Ok(ControlFrame::Subscribe) => self.serve_console(lines).await,
            Err(e) => tracing::warn!("a connection sent a line that is no frame: {e}"),
        }
    }

    /// Why a caller may not end the engine; `None` where they may.
    async fn forbids(&self, caller: Option<i32>) -> Option<String> {
        let (workspace, pid) = self.workspace.clone().zip(caller)?;
        let asked = tokio::task::spawn_blocking(move || refusal(&workspace, pid));
        asked.await.unwrap_or_else(|e| Some(format!("who asks cannot be told: {e}")))
    }

    async fn serve_shim<S: AsyncRead + AsyncWrite + Unpin>(&self, hello: ShimFrame, mut lines: Framed<S, LinesCodec>) {
        let link = Link(self.next.fetch_add(1, Ordering::Relaxed));
        let (outbox, mut out) = mpsc::channel::<EngineFrame>(64);
        if self.outboxes.send((link, outbox)).is_err() || self.inputs.send(Input::Frame { link, frame: Box::new(hello) }).await.is_err() {
            return;
        }
        loop {
            tokio::select! {
                frame = out.recv() => {
                    let Some(frame) = frame else { break };
                    let last = matches!(frame, EngineFrame::Bye { .. });
                    if send(&mut lines, &frame).await.is_err() || last {
                        break;
                    }
                }
                line = lines.next() => {
                    let Some(Ok(line)) = line else { break };
                    match serde_json::from_str::<ShimFrame>(&line) {
                        Ok(frame) => {
                            if self.inputs.send(Input::Frame { link, frame: Box::new(frame) }).await.is_err() {
                                return;
                            }
                        }
                        Err(e) => tracing::warn!("link {}: a line that is no frame: {e}", link.0),
                    }
                }
            }
        }
        let _ = self.inputs.send(Input::LinkGone { link }).await;
    }

    fn newest(&self) -> ControlReply {
        ControlReply::Snapshot { snapshot: Box::new((**self.snapshots.borrow()).clone()) }
    }

    /// The newest snapshot whenever it changes; a slow reader misses the ones between.
    async fn serve_console<S: AsyncRead + AsyncWrite + Unpin>(&self, mut lines: Framed<S, LinesCodec>) {
        let mut snapshots = self.snapshots.clone();
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            let reply = ControlReply::Snapshot { snapshot: Box::new((*snapshot).clone()) };
            if send(&mut lines, &reply).await.is_err() {
                return;
            }
            tokio::select! {
                changed = snapshots.changed() => if changed.is_err() { return },
                line = lines.next() => if !matches!(line, Some(Ok(_))) { return },
            }
        }
    }
}

fn refusal(workspace: &Workspace, pid: i32) -> Option<String> {
    let asked = || {
        let mut store = Store::open(&workspace.database())?;
        let who = actor::of_process(&store, workspace, pid, None)?;
        store.write(|tx| tx.permit(&who, &Act::Steer("ending the engine"), clock::now()))
    };
    match asked() {
        Ok(Err(refusal)) => Some(refusal.to_string()),
        // Whoever has left since has no ancestors to be told by.
        Ok(Ok(())) if process::identity(pid).is_none() => Some("who asked is gone, so nobody can tell whether they may".into()),
        Ok(Ok(())) => None,
        // An engine whose database is broken can still be ended.
        Err::<_, StoreError>(e) => {
            tracing::warn!("who asks for the engine's end cannot be looked up: {e}");
            None
        }
    }
}

async fn send<S: AsyncRead + AsyncWrite + Unpin>(lines: &mut Framed<S, LinesCodec>, value: &impl Serialize) -> Result<(), String> {
    let line = serde_json::to_string(value).map_err(|e| e.to_string())?;
    lines.send(line).await.map_err(|e| e.to_string())
}

/// Binds the socket, owner-only. A socket file of an engine that is gone is replaced: the caller holds the engine's lock.
///
/// # Errors
/// The folder is not writable or the path is too long for a socket.
pub fn bind(path: &Path) -> std::io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
