//! Settings and backends are read again when their files are saved. What cannot be read as a whole is not taken over: the last
//! good settings stay in use, and the operator is told which line is wrong.

use super::dispatch::backend_capacity;
use super::input::{Input, Reread};
use super::memories::MemoryRequest;
use super::state::{Effect, State};
use crate::config::{SETTINGS_FILE, Settings, Workspace, backends};
use crate::domain::Timestamp;
use crate::store::{Event, StoreError, Tx};
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Watches the files until it is dropped. Costs nothing while nothing is saved.
///
/// # Errors
/// The system watches no more files.
pub(super) fn watch(workspace: &Workspace, settings: Arc<Settings>, inputs: mpsc::Sender<Input>) -> notify::Result<RecommendedWatcher> {
    let (at, descriptions) = (workspace.clone(), workspace.backends_dir());
    let concerns = move |e: &notify::Event| {
        saved(e.kind)
            && e.paths.iter().any(|p| p.file_name().is_some_and(|n| n == SETTINGS_FILE) || p.parent().is_some_and(|d| d == descriptions))
    };
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // An error means that events were missed.
        if event.map_or(true, |e| concerns(&e)) {
            let _ = inputs.blocking_send(Input::Settings(Box::new(read(&at, &settings))));
        }
    })?;
    watcher.watch(workspace.root(), RecursiveMode::NonRecursive)?;
    if workspace.backends_dir().is_dir() {
        watcher.watch(&workspace.backends_dir(), RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// True where a file is whole again, or gone: in the middle of a save there is nothing to read.
fn saved(kind: EventKind) -> bool {
    use EventKind::{Access, Modify, Remove};
    matches!(
        kind,
        Access(AccessKind::Close(AccessMode::Write))
            | Modify(ModifyKind::Name(RenameMode::To | RenameMode::From | RenameMode::Both))
            | Remove(_)
    )
}

fn read(workspace: &Workspace, old: &Settings) -> Result<Reread, String> {
    let settings = old.reread(workspace).map_err(|problems| problems.to_string())?;
    let (backends, problems) = backends(workspace, &settings).map_err(|e| format!("{}: {e}", workspace.backends_dir().display()))?;
    if problems.is_empty() { Ok(Reread { settings, backends }) } else { Err(problems.join("\n")) }
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
        let Reread { settings, backends } = match read {
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
        changes.extend(self.backends.keys().filter(|name| !backends.contains_key(*name)).map(|name| format!("no backend {name}")));
        if changes.is_empty() && self.unread.take().is_none() {
            return Ok(());
        }
        self.unread = None;
        self.settings = Arc::new(settings);
        self.review_at = self.settings.next_review(now);
        out.push(Effect::Memory(MemoryRequest::Settings(self.settings.clone())));
        self.backends = backends;
        self.expected.set_defaults(self.settings.expected());
        self.capacity.limits = self.settings.capacity();
        let mut before = std::mem::take(&mut self.capacity.backends);
        for (name, backend) in &self.backends {
            let starts = before.remove(name).map(|b| b.starts).unwrap_or_default();
            self.capacity.backends.insert(name.clone(), crate::domain::BackendCapacity { starts, ..backend_capacity(backend) });
        }
        self.stand_ins = super::failover::stand_ins(&self.settings, &self.backends, &self.switches.pauses);
        // What each is expected to cost may have changed, and who takes it.
        for row in tx.queued()? {
            self.enqueue(row);
        }
        let text = if changes.is_empty() { "whole again".to_owned() } else { format!("taken over: {}", changes.join(", ")) };
        tx.event(&Event::new(now, "engine", "settings", &text)).map(drop)
    }
}
