//! Where a console sits: hosting the engine in its own process, or attached to one that runs elsewhere. Both look the same
//! to the console: snapshots come, questions go to a desk.

use super::desk::Desk;
use super::host::{Host, HostError, Over};
use super::library::Library;
use crate::config::{Settings, Workspace};
use crate::os::clock;
use crate::store::{Event, Store};
use crate::wire::{Answer, ControlFrame, ControlReply, EngineMode, Query, Snapshot};
use futures::{SinkExt, StreamExt};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio_util::codec::{Framed, LinesCodec};

/// How long a headless engine may take to answer after a hand-over.
const TAKE_OVER: Duration = Duration::from_secs(10);
/// Between attempts to reach an engine.
const RECONNECT: Duration = Duration::from_millis(250);

/// What a seat is opened with.
#[derive(Clone, Debug)]
pub struct SeatOptions {
    /// The program `orc`, for a headless engine.
    pub program: PathBuf,
    /// Never host an engine: only look at the one that runs, now or later.
    pub only_attach: bool,
}

/// A console's seat.
pub struct Seat {
    workspace: Workspace,
    settings: Arc<Settings>,
    options: SeatOptions,
    /// The engine, where this process hosts it.
    host: Arc<Mutex<Option<Host>>>,
    desk: Desk,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    answers: Option<mpsc::Receiver<Answer>>,
}

impl Seat {
    /// Takes a seat; returns at once. An engine starts on its own thread if none runs; what comes of it shows in the snapshots.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn open(workspace: Workspace, settings: Arc<Settings>, options: SeatOptions) -> std::io::Result<Seat> {
        let (publish, snapshots) = watch::channel(Arc::new(Snapshot::starting(clock::now(), workspace.name())));
        let (answer, answers) = mpsc::channel(64);
        let socket = workspace.socket();
        let library = Library::new(workspace.clone());
        let desk = Desk::start(workspace.clone(), settings.clone(), library.clone(), answer, Arc::new(move || super::wake(&socket)))?;
        let host = Arc::new(Mutex::new(None));
        let only_attach = options.only_attach;
        let thread = Follow { workspace: workspace.clone(), settings: settings.clone(), library, only_attach, host: host.clone(), publish };
        std::thread::Builder::new().name("seat".into()).spawn(move || thread.run())?;
        Ok(Seat { workspace, settings, options, host, desk, snapshots, answers: Some(answers) })
    }

    /// True while the engine runs in this process.
    pub fn hosting(&self) -> bool {
        self.host.lock().is_ok_and(|h| h.is_some())
    }

    /// True for the demo's workspace: nobody comes back to it once the terminal is gone.
    pub fn throw_away(&self) -> bool {
        self.workspace.is_demo()
    }

    /// The newest snapshot, always.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// Asks the desk. Never blocks.
    pub fn ask(&self, query: Query) {
        self.desk.ask(query);
    }

    /// Where the desk's answers come; once.
    pub fn answers(&mut self) -> mpsc::Receiver<Answer> {
        self.answers.take().unwrap_or_else(|| mpsc::channel(1).1)
    }

    /// Hands the engine over to a headless one: starts it, releases the lock, waits until it answers. Running jobs go on.
    ///
    /// # Errors
    /// The headless engine could not be started or did not answer in time; then no engine runs, and the message says how to
    /// start one.
    pub fn hand_over(&self) -> Result<(), HostError> {
        let Some(host) = self.take() else { return Ok(()) };
        host.stop("handed over to a headless engine");
        let log =
            crate::os::files::append_to(&self.workspace.log_dir().join("engine.out")).map_err(|e| HostError::HandOver(e.to_string()))?;
        let err = log.try_clone().map_err(|e| HostError::HandOver(e.to_string()))?;
        let mut child = std::process::Command::new(&self.options.program)
            .arg("--workspace")
            .arg(self.workspace.root())
            .args(self.settings.command_line().iter().flat_map(|set| ["--set", set]))
            .args(["engine", "--detached"])
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(err)
            .spawn()
            .map_err(|e| HostError::HandOver(format!("cannot start {}: {e}", self.options.program.display())))?;
        let socket = self.workspace.socket();
        let until = Instant::now() + TAKE_OVER;
        while Instant::now() < until {
            if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = child.try_wait() {
                return Err(HostError::HandOver(format!(
                    "the headless engine ended at once ({status}); see {}",
                    self.workspace.log_dir().display()
                )));
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Err(HostError::HandOver(format!("the headless engine does not answer; see {}", self.workspace.log_dir().display())))
    }

    /// Ends the engine of this process; running jobs go on, nothing new starts.
    pub fn end_engine(&self) {
        if let Some(host) = self.take() {
            host.stop("ended by the operator");
        }
    }

    /// For waiting until the engine of this process has ended; `None` when there is none here.
    pub fn over(&self) -> Option<Arc<Over>> {
        self.host.lock().ok()?.as_ref().map(Host::over)
    }

    /// Puts into the log that the console is gone and its process goes on as the engine: whoever comes back shall see what happened.
    pub fn say_headless(&self) {
        let text = format!("the console's terminal is gone: process {} goes on as the engine", std::process::id());
        let wrote = Store::open(&self.workspace.database()).and_then(|mut store| {
            store.write(|tx| tx.event(&Event { severity: "warn", ..Event::new(clock::now(), "engine", "engine", &text) }))
        });
        match wrote {
            Ok(_) => super::wake(&self.workspace.socket()),
            Err(e) => tracing::warn!("{e}"),
        }
    }

    fn take(&self) -> Option<Host> {
        self.host.lock().ok().and_then(|mut h| h.take())
    }
}

/// The thread that gets a seat its snapshots: hosts the engine, or follows one, and follows again when that one is gone.
struct Follow {
    workspace: Workspace,
    settings: Arc<Settings>,
    library: Library,
    only_attach: bool,
    host: Arc<Mutex<Option<Host>>>,
    publish: watch::Sender<Arc<Snapshot>>,
}

impl Follow {
    fn run(self) {
        if !self.only_attach {
            self.host();
        }
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            while !self.publish.is_closed() {
                self.follow().await;
                self.say(|s| s.engine.mode = EngineMode::Disconnected);
                tokio::time::sleep(RECONNECT).await;
            }
        });
    }

    /// Hosts the engine until it has ended, if none runs elsewhere.
    fn host(&self) {
        match Host::start(self.workspace.clone(), self.settings.clone(), self.library.clone(), self.publish.clone()) {
            Ok(host) => {
                let over = host.over();
                if let Ok(mut slot) = self.host.lock() {
                    *slot = Some(host);
                }
                // When this engine has ended or been handed over, its successor is followed.
                over.wait();
                if let Ok(mut slot) = self.host.lock() {
                    slot.take();
                }
            }
            Err(HostError::Held { .. }) => {}
            Err(e) => self.say(|s| {
                s.engine.mode = EngineMode::Disconnected;
                s.attention = vec![crate::wire::Attention {
                    severity: crate::wire::Severity::Fail,
                    says: format!("the engine cannot start: {e}"),
                    remedy: "orc doctor".into(),
                    job: None,
                }];
            }),
        }
    }

    fn say(&self, change: impl FnOnce(&mut Snapshot)) {
        self.publish.send_if_modified(|current| {
            let mut next = (**current).clone();
            change(&mut next);
            let changed = next != **current;
            *current = Arc::new(next);
            changed
        });
    }

    async fn follow(&self) {
        let Ok(stream) = UnixStream::connect(self.workspace.socket()).await else { return };
        // A snapshot of 500 workers is longer than a frame of the shim protocol.
        let mut lines = Framed::new(stream, LinesCodec::new_with_max_length(64 << 20));
        let Ok(subscribe) = serde_json::to_string(&ControlFrame::Subscribe) else { return };
        if lines.send(subscribe).await.is_err() {
            return;
        }
        loop {
            tokio::select! {
                line = lines.next() => {
                    let Some(Ok(line)) = line else { return };
                    if let Ok(ControlReply::Snapshot { snapshot }) = serde_json::from_str(&line) {
                        let _ = self.publish.send(Arc::new(*snapshot));
                    }
                }
                () = self.publish.closed() => return,
            }
        }
    }
}
