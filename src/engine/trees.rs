//! Work trees: a code job of a project with a git repository works in the tree of its worker's session, on a branch of its own. The
//! tree's folder is part of the session's identity, so a worker keeps it for life.

use super::evidence::EvidenceRequest;
use super::state::{Effect, State};
use crate::domain::{AttemptId, ExitReport, Job, Kind, Origin, Outcome, Stage, Timestamp, Worker, WorkerId};
use crate::os::git::is_checkout;
use crate::os::worktree::Ready;
use crate::store::{Branch, StoreError, Tx};
use std::path::{Path, PathBuf};

/// The longest part of a branch's name that comes from a title.
const SLUG: usize = 32;

impl State {
    /// The project's checkout, for a job that works in a tree of its own.
    pub(super) fn repository(&self, tx: &Tx<'_>, job: &Job) -> Result<Option<String>, StoreError> {
        if job.spec.kind != Kind::Code || job.spec.origin == Origin::Review {
            return Ok(None);
        }
        Ok(super::dispatch::project_folder(tx, job)?.filter(|dir| is_checkout(Path::new(dir))))
    }

    /// Where a worker's tree is.
    pub(super) fn tree_of(&self, worker: WorkerId) -> String {
        self.workspace.trees_dir().join(format!("w{worker}")).to_string_lossy().into_owned()
    }

    /// Gives a worker of the project its own tree, if it works in the project's checkout still. Its session stays behind: a
    /// session belongs to its folder.
    pub(super) fn move_to_tree(&mut self, tx: &Tx<'_>, worker: &mut Worker, repository: &str, now: Timestamp) -> Result<(), StoreError> {
        if worker.project_id.is_none() || worker.directory != repository {
            return Ok(());
        }
        if worker.session.is_some() {
            self.rotate(tx, worker, "it gets a work tree of its own", now)?;
        }
        worker.directory = self.tree_of(worker.id);
        tx.set_directory(worker.id, &worker.directory)?;
        if let Some(known) = self.workers.iter_mut().find(|w| w.id == worker.id) {
            known.directory.clone_from(&worker.directory);
        }
        Ok(())
    }

    /// True where a worker works in a tree of ours.
    pub(super) fn has_tree(&self, worker: &Worker) -> bool {
        Path::new(&worker.directory).starts_with(self.workspace.trees_dir())
    }

    /// True while another job's work is being fixed or tested in a tree: its branch has to stay where it is.
    pub(super) fn tree_is_held(&self, tx: &Tx<'_>, worker: &Worker, job: &Job) -> Result<bool, StoreError> {
        for r in tx.open_reviews()?.iter().filter(|r| r.job != job.id && matches!(r.stage, Stage::Gather | Stage::Test)) {
            if tx.attempt_row(r.attempt)?.is_some_and(|a| a.directory == worker.directory) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Asks for an attempt's tree.
    pub(super) fn ask_for_tree(
        &self,
        tx: &Tx<'_>,
        attempt: AttemptId,
        job: &Job,
        worker: &Worker,
        repository: &str,
    ) -> Result<Effect, StoreError> {
        Ok(Effect::Evidence(EvidenceRequest::Tree {
            attempt,
            repository: PathBuf::from(repository),
            tree: PathBuf::from(&worker.directory),
            known: tx.branch(job.id)?.map(|b| b.name),
            wanted: branch_name(job),
        }))
    }

    /// The tree of an attempt is ready: it starts, once it has its memories too.
    pub(super) fn on_tree(
        &mut self,
        tx: &Tx<'_>,
        attempt: AttemptId,
        ready: Result<Ready, String>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let Some(starting) = self.starting.get_mut(&attempt) else { return Ok(()) };
        let ready = match ready {
            Ok(ready) => ready,
            Err(message) => {
                let message = format!("its work tree cannot be made ready: {message}");
                let report = ExitReport { outcome: Outcome::Error, ..self.imagined(attempt, &message, now) };
                return self.ended(tx, &report, now, out);
            }
        };
        let Some(repository) = starting.awaits_tree.take() else { return Ok(()) };
        let (job, tree) = (starting.job.clone(), starting.worker.directory.clone());
        if let Some(project) = job.spec.project_id
            && tx.branch(job.id)?.is_none_or(|b| b.tree != tree)
        {
            let text = format!("branch {} in {tree}", ready.branch);
            tx.set_branch(&Branch {
                job: job.id,
                project,
                repository,
                tree,
                name: ready.branch,
                base: ready.base,
                made_at: now,
                merged_at: None,
            })?;
            self.note(tx, "branch", "info", job.id, attempt, &text, now)?;
        }
        self.start_if_ready(tx, attempt, now, out)
    }
}

/// `orc/job-7-fix-the-login`
fn branch_name(job: &Job) -> String {
    let words: Vec<String> =
        job.spec.title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
    let mut slug = String::new();
    for word in words {
        if slug.len() + word.len() > SLUG {
            break;
        }
        slug += "-";
        slug += &word;
    }
    format!("orc/job-{}{slug}", job.id)
}
