//! Which worker takes a claimed job, and in which session.

use super::ids::WorkerId;
use super::queue::QueuedJob;
use super::worker::{Worker, WorkerStatus};

/// The four steps' answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolution {
    /// This worker, which is idle.
    Use(WorkerId),
    /// A new ephemeral worker.
    New,
    /// The worker that was asked for is not free.
    Wait(String),
}

/// 1 explicit assignment; 2 a worker of the same project; 3 an idle worker with a matching backend, model and persona; 4 a
/// new ephemeral worker. Before all of them: a retry goes back to the worker, and so to the session, of its last attempt.
///
/// An ephemeral worker belongs to its job; only that job's retry finds it. A persistent worker that is busy makes only jobs
/// wait that are assigned to it.
pub fn resolve(job: &QueuedJob, workers: &[Worker]) -> Resolution {
    if let Some(name) = &job.worker {
        return match workers.iter().find(|w| w.name == *name) {
            Some(w) if free(w) => Resolution::Use(w.id),
            Some(w) => Resolution::Wait(format!("worker {name} is {}", w.status)),
            None => Resolution::Wait(format!("there is no worker named {name}")),
        };
    }
    let fits = |w: &&Worker| {
        free(w)
            && w.backend == job.backend
            && (job.model.is_none() || w.model.is_none() || w.model == job.model)
            && (job.persona.is_none() || w.persona == job.persona)
    };
    let last = job.last_worker.and_then(|id| workers.iter().find(|w| w.id == id)).filter(fits);
    let project = || job.project_id.and_then(|p| workers.iter().filter(fits).find(|w| w.persistent && w.project_id == Some(p)));
    let idle = || workers.iter().filter(fits).find(|w| w.persistent && w.project_id.is_none());
    match last.or_else(project).or_else(idle) {
        Some(w) => Resolution::Use(w.id),
        None => Resolution::New,
    }
}

fn free(w: &Worker) -> bool {
    w.status == WorkerStatus::Idle && w.attempt.is_none()
}

/// When a session has grown old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    pub max_jobs: u32,
    pub max_tokens: u64,
}

impl Default for SessionLimits {
    fn default() -> Self {
        SessionLimits { max_jobs: 50, max_tokens: 150_000 }
    }
}

/// Why a worker's session has to be replaced before its next job; `None` = it goes on.
pub fn rotation(w: &Worker, limits: &SessionLimits) -> Option<String> {
    w.session.as_ref()?;
    if w.session_jobs >= limits.max_jobs {
        return Some(format!("its session has handled {} jobs", w.session_jobs));
    }
    if w.session_tokens >= limits.max_tokens {
        return Some(format!("its session has used {} tokens", w.session_tokens));
    }
    None
}
