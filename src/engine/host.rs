//! An engine in this process: the lock, the socket, the loop on a thread of its own.

use super::core::{Core, Parts};
use super::evidence::EvidenceThread;
use super::gateway::{Gateway, bind};
use super::input::Input;
use super::launcher::OsLauncher;
use super::library::Library;
use super::memories::MemoryThread;
use super::run::{Clock, run};
use crate::config::{Settings, Workspace, backends};
use crate::os::cgroup::{self, Containment};
use crate::os::{Lock, OsError, clock};
use crate::store::{Store, StoreError};
use crate::wire::Snapshot;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use tokio::sync::{mpsc, watch};

/// Why there is no engine here.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("an engine runs already{}", pid.map(|p| format!(" (pid {p})")).unwrap_or_default())]
    Held { pid: Option<i32> },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Os(#[from] OsError),
    #[error("{0}")]
    Config(String),
    #[error("cannot listen on {}: {source}", path.display())]
    Socket { path: PathBuf, source: std::io::Error },
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
    #[error("{0}. No engine runs now: start one with `orc engine`")]
    HandOver(String),
}

/// A running engine. Dropping it leaves it running; `stop` ends it.
pub struct Host {
    inputs: mpsc::Sender<Input>,
    over: Arc<Over>,
}

/// Tells when the engine's thread has ended, and how.
#[derive(Default)]
pub struct Over {
    why: Mutex<Option<String>>,
    changed: Condvar,
}

impl Over {
    fn set(&self, why: String) {
        if let Ok(mut slot) = self.why.lock() {
            *slot = Some(why);
        }
        self.changed.notify_all();
    }

    /// Blocks until the engine has ended; why it did.
    pub fn wait(&self) -> String {
        let Ok(mut slot) = self.why.lock() else { return String::new() };
        loop {
            if let Some(why) = slot.as_ref() {
                return why.clone();
            }
            slot = match self.changed.wait(slot) {
                Ok(slot) => slot,
                Err(_) => return String::new(),
            };
        }
    }
}

impl Host {
    /// Takes the lock and starts the engine's thread. What it finds shows in the snapshots.
    ///
    /// # Errors
    /// Another engine holds the workspace; the database, the socket or the backends cannot be used.
    pub fn start(
        workspace: Workspace,
        settings: Arc<Settings>,
        library: Library,
        publish: watch::Sender<Arc<Snapshot>>,
    ) -> Result<Host, HostError> {
        prepare(&workspace)?;
        let lock = Lock::acquire(&workspace.lock_file()).map_err(|e| match e {
            OsError::Held { pid, .. } => HostError::Held { pid },
            other => HostError::Os(other),
        })?;
        let store = Store::open(&workspace.database())?;
        let (backends, problems) = backends(&workspace, &settings)
            .map_err(|e| HostError::Config(format!("cannot read {}: {e}", workspace.backends_dir().display())))?;
        for problem in problems {
            tracing::warn!("{problem}");
        }
        let demo = workspace.is_demo();
        let (inputs, inbox) = mpsc::channel(1024);
        let over = Arc::new(Over::default());
        let engine = Engine { workspace, settings, library, backends, demo, publish, store, lock, inputs: inputs.clone(), inbox };
        let ended = over.clone();
        std::thread::Builder::new().name("engine".into()).spawn(move || {
            let why = engine.run().unwrap_or_else(|e| {
                tracing::error!("{e}");
                e.to_string()
            });
            tracing::info!("engine left: {why}");
            ended.set(why);
        })?;
        Ok(Host { inputs, over })
    }

    /// Tells the engine to end and waits until it has released the lock. Running jobs go on.
    pub fn stop(&self, why: &str) {
        // Not `blocking_send`: the console calls this from within a runtime of its own, where that panics.
        if futures::executor::block_on(self.inputs.send(Input::Stop { why: why.to_owned() })).is_ok() {
            self.over.wait();
        }
    }

    /// Where things that happen go.
    pub fn inputs(&self) -> mpsc::Sender<Input> {
        self.inputs.clone()
    }

    /// For waiting until the engine has ended.
    pub fn over(&self) -> Arc<Over> {
        self.over.clone()
    }

    /// Blocks until the engine has ended; why it did.
    pub fn wait(&self) -> String {
        self.over.wait()
    }
}

struct Engine {
    workspace: Workspace,
    settings: Arc<Settings>,
    library: Library,
    backends: std::collections::BTreeMap<String, crate::config::Backend>,
    demo: bool,
    publish: watch::Sender<Arc<Snapshot>>,
    store: Store,
    /// Held until the thread ends.
    lock: Lock,
    inputs: mpsc::Sender<Input>,
    inbox: mpsc::Receiver<Input>,
}

impl Engine {
    fn run(self) -> Result<String, HostError> {
        let Engine { workspace, settings, library, backends, demo, publish, mut store, lock, inputs, mut inbox } = self;
        // Before anything is started: the group that has been handed to us may hold no process itself, once it is divided.
        if let Containment::Cgroup { base } = cgroup::containment()
            && let Err(e) = cgroup::settle(&base)
        {
            tracing::warn!("attempts get no control group of their own: {e}");
        }
        crate::os::git::set_limit(settings.git_timeout);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let socket = workspace.socket();
        let why = runtime.block_on(async {
            if let Err(e) = super::reload::watch(&workspace, settings.clone(), inputs.clone()) {
                tracing::warn!("settings are read at the next start only: {e}");
            }
            if let Err(e) = super::skills::watch(&workspace, inputs.clone()) {
                tracing::warn!("changes of skills are not reported: {e}. Jobs get them nevertheless");
            }
            match super::metrics::address(&settings.metrics_listen) {
                Ok(Some(address)) => drop(tokio::spawn(super::metrics::serve(address, workspace.clone(), publish.subscribe()))),
                Ok(None) => {}
                Err(e) => tracing::warn!("{e}"),
            }
            tokio::spawn(super::tidy::nightly(workspace.clone(), settings.clone()));
            let listener = bind(&socket).map_err(|source| HostError::Socket { path: socket.clone(), source })?;
            let (outbox, outboxes) = mpsc::unbounded_channel();
            let gateway = Gateway::new(inputs.clone(), outbox, publish.subscribe()).guarded(workspace.clone());
            tokio::spawn(gateway.accept(listener));
            let shim = crate::os::program("orc-shim");
            let memories = MemoryThread::start(library, workspace.clone(), settings.clone(), inputs.clone())?;
            if let Err(e) = super::cron::watch(&workspace, inputs.clone()) {
                tracing::warn!("nothing starts by the clock: {e}");
            }
            let url = settings.redis_url.as_str();
            let dedup = match url {
                "none" => None,
                url => match super::RedisTier::start(url, &store.workspace_id()?, inputs.clone()) {
                    Ok(tier) => Some(Box::new(tier) as Box<dyn super::FirstTier>),
                    Err(why) => {
                        let says = format!("Redis is not in use, the database alone keeps duplicates out: {why}");
                        store.write(|tx| {
                            tx.event(&crate::store::Event {
                                severity: "warn",
                                ..crate::store::Event::new(clock::now(), "engine", "dedup", &says)
                            })
                        })?;
                        None
                    }
                },
            };
            let evidence = EvidenceThread::start(inputs.clone())?;
            let launcher = OsLauncher::new(shim.clone(), workspace.spool_dir(), store.workspace_id()?, inputs);
            let parts = Parts {
                store,
                workspace,
                settings,
                backends,
                launcher,
                memories: Some(Box::new(memories)),
                dedup,
                evidence: Box::new(evidence),
                usable: crate::config::Backend::is_ready,
                shim,
                outboxes,
                publish,
                demo,
                seed: fastrand::u64(..),
                watch_host: true,
            };
            let mut core = Core::start(parts, clock::now())?;
            let why = run(&mut core, &mut inbox, Clock::System).await;
            core.close(&why, clock::now());
            Ok::<_, HostError>(why)
        })?;
        // Connections end with the runtime, the socket's name goes, then the lock: whoever takes it next finds nothing of ours.
        drop(runtime);
        let _ = std::fs::remove_file(&socket);
        drop(lock);
        Ok(why)
    }
}

/// Makes what a running engine needs: folders, and `orc` and `pm` first on every job's PATH.
fn prepare(workspace: &Workspace) -> Result<(), HostError> {
    for dir in [workspace.run_dir(), workspace.spool_dir(), workspace.bin_dir(), workspace.log_dir()] {
        crate::os::files::private_dir(&dir)?;
    }
    for name in ["orc", "pm"] {
        let (at, to) = (workspace.bin_dir().join(name), crate::os::program(name));
        if std::fs::read_link(&at).is_ok_and(|old| old == to) {
            continue;
        }
        let _ = std::fs::remove_file(&at);
        if let Err(e) = std::os::unix::fs::symlink(&to, &at) {
            tracing::warn!("cannot link {} to {}: {e}", at.display(), to.display());
        }
    }
    Ok(())
}
