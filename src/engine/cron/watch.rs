//! `cron.toml` is read again whenever it is saved, or a file that it takes a prompt from.

use crate::config::{Workspace, prompt_files};
use crate::engine::input::Input;
use crate::engine::reload;
use crate::os::Saves;
use std::io;
use std::path::{Path, PathBuf};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

/// Reads it at once and whenever it is saved, until the engine ends. Costs nothing while nothing is saved.
///
/// # Errors
/// The system watches no more files.
pub(in crate::engine) fn watch(workspace: &Workspace, inputs: mpsc::Sender<Input>) -> io::Result<()> {
    let path = workspace.cron_file();
    let mut watched = vec![path.clone()];
    let mut saves = saves(&watched)?;
    tokio::spawn(async move {
        loop {
            let at = path.clone();
            let Ok(read) = tokio::task::spawn_blocking(move || std::fs::read_to_string(at)).await else { return };
            let named = named(&path, read.as_deref().unwrap_or_default());
            if named != watched {
                watched = named;
                match self::saves(&watched) {
                    // What was saved before the new watch began is read too.
                    Ok(new) => {
                        saves = new;
                        continue;
                    }
                    Err(e) => tracing::warn!("prompts in files are read again only when cron.toml is saved: {e}"),
                }
            }
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

/// What has to be watched: the file, and the prompts that it names, where their folders are there.
fn named(path: &Path, text: &str) -> Vec<PathBuf> {
    let prompts = prompt_files(path, text).into_iter().filter(|file| file.parent().is_some_and(Path::is_dir));
    std::iter::once(path.to_owned()).chain(prompts).collect()
}

#[expect(deprecated, reason = "its replacement asks for an unsafe block; the watch owns its descriptor")]
fn saves(files: &[PathBuf]) -> io::Result<AsyncFd<Saves>> {
    AsyncFd::new(Saves::files(files)?)
}
