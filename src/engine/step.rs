//! The operator steps into a worker's session: the worker is leased as paused, and the backend's own interactive program goes
//! on with that session on the terminal. Never with one that runs: two would write into the same session.

use crate::config::{Settings, Workspace, backends, find_program};
use crate::domain::{Command, JobId, Timestamp, WorkerId, WorkerStatus};
use crate::store::{Store, StoreError};
use crate::wire::Step;
use std::path::{Path, PathBuf};

/// Why a session cannot be stepped into, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot read {}: {source}", dir.display())]
    Backends { dir: PathBuf, source: std::io::Error },
    #[error("there is no worker {0}: `orc worker ls` lists them")]
    NoWorker(WorkerId),
    #[error("{0} has retired: its session is over for orc")]
    Retired(String),
    #[error("{name} works on job {job}: step in when that has ended, or end it first (`orc job kill {job}`)")]
    Working { name: String, job: JobId },
    #[error("{0} has no session yet: its first job begins one")]
    NoSession(String),
    #[error("{backend} has no interactive form (`interactive_args` in its description)")]
    NoForm { backend: String },
    #[error("`{program}` is not there: {fix}")]
    NoProgram { program: String, fix: String },
    #[error("the session of {name} belongs to {}, which is gone", dir.display())]
    NoFolder { name: String, dir: PathBuf },
}

/// Leases a worker for its operator, and says how its session is gone on with. Give it back with the step's `release`.
///
/// # Errors
/// The worker runs, has no session, or its backend no interactive form; the database.
pub fn into(
    store: &mut Store,
    workspace: &Workspace,
    settings: &Settings,
    worker: WorkerId,
    actor: &str,
    now: Timestamp,
) -> Result<Step, StepError> {
    let (known, _) = backends(workspace, settings).map_err(|source| StepError::Backends { dir: workspace.backends_dir(), source })?;
    store.write(|tx| {
        let w = tx.worker(worker)?.ok_or(StepError::NoWorker(worker))?;
        if w.status == WorkerStatus::Retired {
            return Err(StepError::Retired(w.name));
        }
        if let Some(attempt) = w.attempt {
            let running = tx.open_attempts()?.into_iter().find(|o| o.attempt.id == attempt);
            let job = running.map_or(JobId(0), |o| o.attempt.job_id);
            return Err(StepError::Working { name: w.name, job });
        }
        let Some(session) = &w.session else { return Err(StepError::NoSession(w.name)) };
        let form = known.get(&w.backend).and_then(|b| Some((b, b.interactive(session, &w, workspace)?)));
        let Some((backend, form)) = form else { return Err(StepError::NoForm { backend: w.backend }) };
        let program = form.argv.first().cloned().unwrap_or_default();
        if find_program(Path::new(&program)).is_none() {
            return Err(StepError::NoProgram { program, fix: backend.fix.clone() });
        }
        let cwd = PathBuf::from(&w.directory);
        if !cwd.is_dir() {
            return Err(StepError::NoFolder { name: w.name, dir: cwd });
        }
        let release = (w.status != WorkerStatus::Paused).then_some(Command::PauseWorker { worker, paused: false });
        let text = format!("{actor} stepped into the session of {}: it takes no job meanwhile", w.name);
        tx.set_worker_status(worker, WorkerStatus::Paused, &text, actor, now)?;
        Ok(Step { worker, name: w.name, argv: form.argv, env: form.env, env_remove: form.env_remove, cwd, release })
    })
}
