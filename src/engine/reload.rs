//! Settings and backends are read again when their files are saved. What cannot be read as a whole is not taken over: the last
//! good settings stay in use, and the operator is told which line is wrong.

use super::dispatch::backend_capacity;
use super::input::{Input, Reread};
use super::memories::MemoryRequest;
use super::state::{Effect, State};
use crate::config::{Settings, Workspace, backends, built_in_prices, prices};
use crate::domain::{Prices, Timestamp};
use crate::os::Saves;
use crate::store::{Event, StoreError, Tx};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

/// Between what tells of a save and the look at it: an editor takes several steps, and in the middle of them there is nothing to
/// read.
const SETTLED: Duration = Duration::from_millis(50);

/// The files whose saving matters to a running engine. The database lies in the same folder: its writes wake nobody here.
///
/// # Errors
/// The system watches no more files.
pub fn saves(workspace: &Workspace) -> io::Result<Saves> {
    Saves::of(&[&workspace.settings_file(), &workspace.prices_file()], &workspace.backends_dir())
}

/// The prices at the start: those of the program where the workspace's own cannot be read, which the first look at the files tells.
pub(super) fn prices_of(workspace: &Workspace) -> Prices {
    prices(workspace).unwrap_or_else(|e| {
        tracing::warn!("{e}");
        built_in_prices()
    })
}

/// Reads the files anew whenever they are saved, until the engine ends. Costs nothing while nothing is saved.
///
/// # Errors
/// The system watches no more files.
pub(super) fn watch(workspace: &Workspace, settings: Arc<Settings>, inputs: mpsc::Sender<Input>) -> io::Result<()> {
    #[expect(deprecated, reason = "its replacement asks for an unsafe block; the watch owns its descriptor")]
    let mut saves = AsyncFd::new(saves(workspace)?)?;
    let workspace = workspace.clone();
    tokio::spawn(async move {
        // First what was saved before the watch began.
        loop {
            let (at, old) = (workspace.clone(), settings.clone());
            let Ok(read) = tokio::task::spawn_blocking(move || read(&at, &old)).await else { return };
            if inputs.send(Input::Settings(Box::new(read))).await.is_err() {
                return;
            }
            if let Err(e) = next(&mut saves).await {
                tracing::warn!("settings are read at the next start only: {e}");
                return;
            }
        }
    });
    Ok(())
}

/// Waits until something has been saved.
pub(super) async fn next(saves: &mut AsyncFd<Saves>) -> io::Result<()> {
    loop {
        saves.readable().await?.clear_ready();
        if saves.get_mut().look()?.saved {
            tokio::time::sleep(SETTLED).await;
            saves.get_mut().look()?;
            return Ok(());
        }
    }
}

fn read(workspace: &Workspace, old: &Settings) -> Result<Reread, String> {
    let settings = old.reread(workspace).map_err(|problems| problems.to_string())?;
    let (backends, problems) = backends(workspace, &settings).map_err(|e| format!("{}: {e}", workspace.backends_dir().display()))?;
    let prices = prices(workspace).map_err(|e| e.to_string())?;
    if problems.is_empty() { Ok(Reread { settings, backends, prices }) } else { Err(problems.join("\n")) }
}

impl State {
    /// Takes over what was read, or says what is wrong with it.
    pub(super) fn on_settings(
        &mut self,
        tx: &Tx<'_>,
        read: Result<Reread, String>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let Reread { settings, backends, prices } = match read {
            Ok(read) => read,
            Err(problems) => {
                if self.unread.as_ref() != Some(&problems) {
                    let text = format!("not taken over: {}", problems.replace('\n', "; "));
                    tx.event(&Event { severity: "warn", ..Event::new(now, "engine", "settings", &text) })?;
                    self.unread = Some(problems);
                }
                return Ok(());
            }
        };
        let mut changes = self.settings.differences(&settings);
        changes.extend(backends.iter().filter(|(name, b)| self.backends.get(*name) != Some(b)).map(|(name, _)| format!("backend {name}")));
        if self.prices != prices {
            changes.push("prices".to_owned());
        }
        changes.extend(self.backends.keys().filter(|name| !backends.contains_key(*name)).map(|name| format!("no backend {name}")));
        if changes.is_empty() && self.unread.take().is_none() {
            return Ok(());
        }
        self.unread = None;
        self.settings = Arc::new(settings);
        crate::os::git::set_limit(self.settings.git_timeout);
        self.review_at = self.first_review(tx, now)?;
        self.rezone_cron(tx, now)?;
        out.push(Effect::Memory(MemoryRequest::Settings(self.settings.clone())));
        self.backends = backends;
        self.prices = prices;
        self.expected.set_defaults(self.settings.expected());
        self.capacity.limits = self.settings.capacity();
        let mut before = std::mem::take(&mut self.capacity.backends);
        for (name, backend) in &self.backends {
            let starts = before.remove(name).map(|b| b.starts).unwrap_or_default();
            self.capacity.backends.insert(name.clone(), crate::domain::BackendCapacity { starts, ..backend_capacity(backend) });
        }
        self.load_caps(tx, now)?;
        self.stand_ins = super::failover::stand_ins(&self.settings, &self.backends, &self.switches.pauses);
        // What each is expected to cost may have changed, and who takes it.
        for row in tx.queued()? {
            self.enqueue(row);
        }
        let text = if changes.is_empty() { "whole again".to_owned() } else { format!("taken over: {}", changes.join(", ")) };
        tx.event(&Event::new(now, "engine", "settings", &text)).map(drop)
    }
}
