//! An engine without a console: until a signal, a drain or `orc engine stop`.

use super::host::{Host, HostError};
use super::library::Library;
use crate::config::{Settings, Workspace};
use crate::os::clock;
use crate::wire::Snapshot;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Runs an engine in this process until it ends; why it did. SIGTERM and SIGINT release the lock and leave jobs running;
/// SIGHUP means nothing to it (a handler, not "ignore": children would inherit that).
///
/// # Errors
/// Another engine holds the workspace, or it cannot start.
pub fn run_headless(workspace: Workspace, settings: Arc<Settings>) -> Result<String, HostError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut term, mut int, mut hup) = {
        let _inside = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?)
    };
    let (publish, _keep) = watch::channel(Arc::new(Snapshot::starting(clock::now(), workspace.name())));
    let library = Library::new(workspace.clone());
    let host = Host::start(workspace, settings, library, publish)?;
    let inputs = host.inputs();
    runtime.block_on(async {
        let over = host.over();
        let ended = tokio::task::spawn_blocking(move || over.wait());
        tokio::pin!(ended);
        loop {
            tokio::select! {
                why = &mut ended => return why.unwrap_or_default(),
                _ = term.recv() => { let _ = inputs.send(super::Input::Stop { why: "SIGTERM".into() }).await; }
                _ = int.recv() => { let _ = inputs.send(super::Input::Stop { why: "interrupted".into() }).await; }
                _ = hup.recv() => tracing::info!("hang-up: going on"),
            }
        }
    });
    Ok(host.wait())
}
