//! What the engine asks of memory. Everything that comes of it comes back as an `Input`.

use super::digest::digest;
use super::input::Input;
use super::library::{Library, learn};
use super::review::Span;
use crate::config::{Settings, Workspace};
use crate::domain::{AttemptId, MemoryId, Timestamp};
use crate::memory::{MemoryError, Semantic};
use crate::os::clock;
use crate::store::Lesson;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// One wish.
#[derive(Debug)]
pub enum MemoryRequest {
    /// What bears on a prompt. Answered by `Input::Recalled`. Where it `counts`, what was found counts as recalled from then on: of two
    /// jobs that start together the second sees what the first was given.
    Recall { attempt: AttemptId, query: String, wanted: usize, without: Vec<MemoryId>, counts: bool, now: Timestamp },
    /// Keep what a job taught. Answered by `Input::Learned`.
    Learn { lesson: Lesson, now: Timestamp },
    /// Make the prompt of a review. Answered by `Input::Digest`.
    Digest { span: Span, now: Timestamp },
    /// The settings have changed.
    Settings(Arc<Settings>),
}

/// Who is asked. Two implementations: the memory store's thread, and the simulation's.
pub trait Memories {
    /// Takes a request and returns at once.
    fn ask(&mut self, request: MemoryRequest);
}

/// The memory store's thread: it answers what the loop asks, one after the other, and ends with its sender.
pub struct MemoryThread {
    requests: std::sync::mpsc::Sender<MemoryRequest>,
}

/// Between two looks at what the store and the raw log need.
const UPKEEP: Duration = Duration::from_secs(60);

impl MemoryThread {
    /// Starts it, and a second one for upkeep, which may take long and keeps nobody waiting.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(library: Library, workspace: Workspace, settings: Arc<Settings>, inputs: mpsc::Sender<Input>) -> std::io::Result<Self> {
        let (requests, inbox) = std::sync::mpsc::channel();
        // Ends the upkeep's thread with the one that answers, and wakes it before its time.
        let (upkeep, woken) = std::sync::mpsc::channel::<()>();
        let newest = Arc::new(Mutex::new(settings));
        let (kept, log) = (library.clone(), workspace.episodic_dir());
        let (seen, progresses) = (newest.clone(), inputs.clone());
        std::thread::Builder::new().name("upkeep".into()).spawn(move || {
            let (mut first, mut known) = (true, None);
            loop {
                let settings = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let now = clock::now();
                let mut last = None;
                let mut told = |progress: Option<_>| {
                    // Twice a second is enough to see it move.
                    if progress.is_none() || last.is_none_or(|at: Instant| at.elapsed() >= Duration::from_millis(500)) {
                        last = Some(Instant::now());
                        // Without a loop nobody looks.
                        let _ = progresses.blocking_send(Input::Reembedding(progress));
                    }
                };
                let looked = |store: &Semantic| if first { store.check() } else { Ok(()) };
                let done = kept.store(&settings).and_then(|store| looked(&store).and_then(|()| store.maintain(&mut told)));
                let dropped = crate::memory::drop_old_days(&log, &settings.day(now - settings.log_window));
                let trouble = done.err().map(|e| e.to_string());
                let trouble = trouble.or_else(|| dropped.err().map(|e| format!("old days of the raw log in {}: {e}", log.display())));
                if trouble != known {
                    if let Some(message) = &trouble {
                        tracing::warn!("upkeep of what is remembered: {message}");
                    }
                    known.clone_from(&trouble);
                    // Without a loop nobody looks.
                    let _ = progresses.blocking_send(Input::Upkeep(trouble));
                }
                first = false;
                if woken.recv_timeout(UPKEEP) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
                while woken.try_recv().is_ok() {}
            }
        })?;
        std::thread::Builder::new().name("memory".into()).spawn(move || {
            // Loading begins before anybody asks.
            let first = newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Err(e) = library.store(&first) {
                tracing::warn!("{e}");
            }
            while let Ok(request) = inbox.recv() {
                if let MemoryRequest::Settings(settings) = request {
                    *newest.lock().unwrap_or_else(PoisonError::into_inner) = settings.clone();
                    // Opened by other settings, it makes no more vectors by the old ones; those are made now.
                    if let Err(e) = library.store(&settings) {
                        tracing::warn!("{e}");
                    }
                    let _ = upkeep.send(());
                    continue;
                }
                let settings = newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let (answer, given) = answer(&library, &workspace, &settings, request);
                if let Some(answer) = answer
                    && inputs.blocking_send(answer).is_err()
                {
                    return;
                }
                // Nobody waits for this; the next question does.
                if let Some((memories, now)) = given
                    && let Err(e) = library.store(&settings).and_then(|store| store.mark_recalled(&memories, now))
                {
                    tracing::warn!("recalls are not counted: {e}");
                }
            }
        })?;
        Ok(MemoryThread { requests })
    }
}

impl Memories for MemoryThread {
    fn ask(&mut self, request: MemoryRequest) {
        // The thread ends only with this sender, or with the engine.
        let _ = self.requests.send(request);
    }
}

/// What counts as recalled, and since when.
type Given = (Vec<MemoryId>, Timestamp);

fn answer(library: &Library, workspace: &Workspace, settings: &Settings, request: MemoryRequest) -> (Option<Input>, Option<Given>) {
    let said = |e: MemoryError| e.to_string();
    match request {
        MemoryRequest::Recall { attempt, query, wanted, without, counts, now } => {
            let found = library.store(settings).and_then(|store| {
                let mut found = store.recall(&query, wanted + without.len(), None, now)?;
                found.retain(|r| !without.contains(&r.memory.id));
                found.truncate(wanted);
                Ok(found)
            });
            let ids = found.iter().flatten().map(|r| r.memory.id).collect::<Vec<_>>();
            let given = (counts && !ids.is_empty()).then_some((ids, now));
            (Some(Input::Recalled { attempt, found: found.map_err(said) }), given)
        }
        MemoryRequest::Learn { lesson, now } => {
            let outcome = library.store(settings).and_then(|store| learn(&store, &lesson, settings, now)).map_err(said);
            (Some(Input::Learned { attempt: lesson.attempt, outcome }), None)
        }
        MemoryRequest::Digest { span, now } => {
            let prompt = library.store(settings).map_err(said).and_then(|store| digest(&store, workspace, settings, &span, now));
            (Some(Input::Digest { span, prompt }), None)
        }
        MemoryRequest::Settings(_) => (None, None),
    }
}
