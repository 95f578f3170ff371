//! `cron.toml` is read again whenever it is saved.

use crate::config::Workspace;
use crate::engine::input::Input;
use crate::engine::reload;
use crate::os::Saves;
use std::io;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

/// Reads it at once and whenever it is saved, until the engine ends. Costs nothing while nothing is saved.
///
/// # Errors
/// The system watches no more files.
pub(in crate::engine) fn watch(workspace: &Workspace, inputs: mpsc::Sender<Input>) -> io::Result<()> {
    let path = workspace.cron_file();
    #[expect(deprecated, reason = "its replacement asks for an unsafe block; the watch owns its descriptor")]
    let mut saves = AsyncFd::new(Saves::file(&path)?)?;
    tokio::spawn(async move {
        loop {
            let at = path.clone();
            let Ok(read) = tokio::task::spawn_blocking(move || std::fs::read_to_string(at)).await else { return };
            let read = match read {
                Ok(text) => Ok(Some(text)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(e) => Err(format!("{}: cannot read it: {e}", path.display())),
            };
            if inputs.send(Input::Cron(read)).await.is_err() {
                return;
            }
            if let Err(e) = reload::next(&mut saves).await {
                tracing::warn!("schedules are read at the next start only: {e}");
                return;
            }
        }
    });
    Ok(())
}
