//! Starts: who is picked, which worker and session, what the agent is told, and the claim.

use super::launcher::Launch;
use super::prompt::{Guide, PromptInput, assemble};
use super::skills::Outfit;
use super::state::{Effect, State};
use crate::config::{Backend, RenderInput, Skill, in_repository};
use crate::domain::{
    AttemptId, BackendCapacity, ExitReport, Job, JobId, Origin, Outcome, PromptDocument, QueuedJob, Resolution, Timestamp, Worker,
    WorkerStatus, held_by_caps, pick, recall_ceiling, resolve, rotation, sha256_hex,
};
use crate::store::{Claim, NewWorker, QueuedRow, StoreError, Tx};
use crate::wire::{AttemptLimits, AttemptSpec, PROTOCOL, files};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// How much of its last result a session is given that does not remember it, in bytes.
const LAST_RESULT: u64 = 32 << 10;

/// A backend's room before anything runs.
pub(super) fn backend_capacity(backend: &Backend) -> BackendCapacity {
    BackendCapacity { max_running: backend.concurrent, per_minute: backend.per_minute, ..BackendCapacity::default() }
}

/// What a start needs, once its job is claimed.
pub(super) struct Starting {
    pub job: Job,
    backend: Backend,
    pub worker: Worker,
    model: Option<String>,
    session: Option<String>,
    resume: bool,
    token: String,
    pub document: PromptDocument,
    /// So long it waits for its memories.
    pub until: Timestamp,
    pub awaits_memories: bool,
    /// The repository whose work tree is being made ready.
    pub awaits_tree: Option<String>,
}

impl State {
    /// Starts what may start, in claim order.
    pub(super) fn dispatch(&mut self, tx: &Tx<'_>, now: Timestamp, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        self.fill_capacity(now);
        let mut passed = BTreeSet::new();
        for _ in 0..self.capacity.limits.burst {
            self.queue.ripen(now);
            let Some(job) = pick(&self.queue, &self.capacity, &passed, now).cloned() else {
                if self.capacity.caps.limits.any() {
                    let holds = held_by_caps(&self.queue, &self.capacity, &passed, now);
                    self.ask_for_more(tx, &holds, now)?;
                }
                return Ok(());
            };
            passed.insert(job.id);
            if self.start(tx, &job, now, out)? {
                self.capacity.started(&job, now);
                self.queue.remove(job.id);
            }
        }
        // More may start: again at once, after this batch is on the disk.
        self.more = true;
        Ok(())
    }

    /// Brings the counts of the capacity up to date with what runs.
    pub(super) fn fill_capacity(&mut self, now: Timestamp) {
        let c = &mut self.capacity;
        c.running = self.lives.len() as u32;
        c.paused_lanes = self.switches.paused_lanes.iter().map(|l| l.number()).collect();
        c.closed = if !self.adopting.is_empty() {
            Some((format!("{} attempt(s) of the last engine are being looked at", self.adopting.len()), "a moment".into()))
        } else if self.switches.draining {
            Some(("the engine drains".into(), "`orc engine resume`".into()))
        } else if self.switches.paused {
            Some(("dispatching is paused".into(), "`orc engine resume`".into()))
        } else {
            None
        };
        for (name, b) in &mut c.backends {
            b.running = self.lives.values().filter(|l| l.backend == *name).count() as u32;
            b.pause = self.switches.pauses.get(name).map(|(p, _)| p.clone());
            let refused = self.streaks.get(name).map(|(_, at)| *at).filter(|_| b.pause.is_none());
            b.probing = refused.is_some();
            b.probes = self.lives.values().filter(|l| l.backend == *name && refused.is_some_and(|at| l.started_at > at)).count() as u32;
        }
        if std::mem::take(&mut self.workers_changed) {
            c.set_workers(&self.workers);
        }
        c.budget.press(&c.limits.budget, self.queue.len(), now);
        self.count_open();
    }

    /// A queued row with its estimate.
    pub(super) fn queued_job(&self, row: QueuedRow) -> QueuedJob {
        let row = super::failover::placed(row, &self.stand_ins);
        let uses_model = self.backends.get(&row.backend).is_none_or(Backend::uses_model);
        let work = self.expected.work(row.kind);
        super::why::queued_job(row, self.context_tokens, work, uses_model, &self.capacity.caps)
    }

    /// Claims a job and prepares its launch; false where it cannot start after all.
    fn start(&mut self, tx: &Tx<'_>, queued: &QueuedJob, now: Timestamp, out: &mut Vec<Effect>) -> Result<bool, StoreError> {
        let Some(job) = tx.job(queued.id)? else { return Ok(false) };
        // Its own, or the one that stands in for it.
        let Some(backend) = self.backends.get(&queued.backend).cloned() else { return Ok(false) };
        let repository = self.repository(tx, &job)?;
        // In a tree of its own no worker of another folder is at home.
        let folder = match &repository {
            Some(_) => Some(self.workspace.trees_dir().to_string_lossy().into_owned()),
            None => project_folder(tx, &job)?,
        };
        let mut known = match resolve(queued, folder.as_deref(), &self.workers) {
            Resolution::Use(id) => self.workers.iter().find(|w| w.id == id).cloned(),
            Resolution::New => None,
            Resolution::Wait(_) => return Ok(false),
        };
        if let (Some(worker), Some(repository)) = (&mut known, &repository) {
            self.move_to_tree(tx, worker, repository, now)?;
            if self.has_tree(worker) && self.tree_is_held(tx, worker, &job)? {
                return Ok(false);
            }
        }
        // Fixes are for the session that made what is to be fixed, however old it is.
        if let Some(worker) = known.as_mut().filter(|_| job.guide.is_none())
            && let Some(why) = rotation(worker, &self.settings.session())
        {
            self.rotate(tx, worker, &why, now)?;
        }
        let outfit = match backend.uses_model() {
            true => self.skills_for(tx, &job, known.as_ref(), now).map_err(|e| e.to_string()),
            false => Ok(Outfit::default()),
        };
        let (outfit, assembled) = match outfit {
            Ok(outfit) => {
                let document = self.assemble(tx, &job, &backend, known.as_ref(), repository.is_some(), &outfit.skills);
                (outfit, document)
            }
            Err(message) => (Outfit::default(), Err(message)),
        };
        let (document, broken) = match assembled {
            Ok(document) => {
                self.context_tokens = crate::domain::estimate(&document.system);
                (document, None)
            }
            Err(message) => (PromptDocument::default(), Some(message)),
        };
        // What memory will add is not known yet: at most this.
        let wanted = self.recall_count(&job).filter(|_| broken.is_none() && backend.uses_model());
        let (recalls, ceiling) = (wanted.is_some(), wanted.map_or(0, recall_ceiling));
        let estimate = if backend.uses_model() { document.tokens + ceiling + self.expected.work(job.spec.kind) } else { 0 };
        if !self.capacity.affordable(queued.priority, estimate, now) || self.capacity.cap_hold(queued, estimate).is_some() {
            // The prompt turned out longer than it was taken for: it is weighed again by what it really is.
            self.queue.insert(QueuedJob { estimate, ..queued.clone() });
            return Ok(false);
        }
        let worker = match known {
            Some(worker) => worker,
            None => self.new_worker(tx, &job, &backend.name, repository.is_some(), now)?,
        };
        let resume = worker.session.is_some() && backend.resumes();
        let session = if resume { worker.session.clone() } else { backend.chosen_session() };
        let token = self.secret();
        let model = job.spec.model.clone().or_else(|| worker.model.clone()).or_else(|| backend.model_for(&self.settings, job.spec.kind));
        let claim = Claim {
            job: job.id,
            worker: worker.id,
            worker_name: worker.name.clone(),
            backend: backend.name.clone(),
            model: model.clone(),
            epoch: self.epoch,
            host: self.host_name.clone(),
            token_hash: sha256_hex(token.as_bytes()),
            session: session.clone(),
            directory: worker.directory.clone(),
            estimate,
        };
        let Some(attempt) = tx.claim(&claim, now)? else { return Ok(false) };
        let Some(open) = tx.open_attempt(attempt)? else { return Ok(false) };
        tx.note_skills(attempt, &outfit.given)?;
        if backend.uses_model() {
            tx.suggest_skills(job.id, &outfit.suggested)?;
        }
        if backend.name != job.spec.backend && job.guide.is_none() {
            let text = format!("{} is paused: {} takes it", job.spec.backend, backend.name);
            self.note(tx, "failover", "info", job.id, attempt, &text, now)?;
        }
        self.enter(&open, Some((job.spec.kind, job.spec.priority, job.spec.project_id)), 0);
        self.capacity.budget.reserve(attempt, estimate);
        let takes = self.capacity.caps.expects(&backend.name, estimate);
        self.capacity.caps.reserve(job.spec.project_id, takes);
        if let Some(w) = self.workers.iter_mut().find(|w| w.id == worker.id) {
            w.status = WorkerStatus::Working;
            w.attempt = Some(attempt);
        }
        if let Some(message) = broken {
            let report = ExitReport { outcome: Outcome::Error, ..self.imagined(attempt, &message, now) };
            self.ended(tx, &report, now, out)?;
            return Ok(true);
        }
        let until = now + self.settings.recall_wait;
        let awaits_tree = repository.filter(|_| self.has_tree(&worker));
        if let Some(repository) = &awaits_tree {
            out.push(self.ask_for_tree(tx, attempt, &job, &worker, repository)?);
        }
        let starting =
            Starting { job, backend, worker, model, session, resume, token, document, until, awaits_memories: recalls, awaits_tree };
        if recalls {
            out.push(Effect::Memory(self.recall_request(tx, attempt, &starting.job, now)?));
        }
        if starting.awaits_memories || starting.awaits_tree.is_some() {
            self.starting.insert(attempt, starting);
            return Ok(true);
        }
        self.go(tx, attempt, &starting, now, out)?;
        Ok(true)
    }

    /// Starts what is claimed and has its prompt.
    pub(super) fn go(
        &mut self,
        tx: &Tx<'_>,
        attempt: AttemptId,
        starting: &Starting,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        match self.launch(attempt, starting) {
            Ok(launch) => out.push(Effect::Launch(Box::new(launch))),
            Err(message) => {
                let report = ExitReport { outcome: Outcome::Error, ..self.imagined(attempt, &message, now) };
                self.ended(tx, &report, now, out)?;
            }
        }
        Ok(())
    }

    /// An ephemeral worker for one job, named after backend and row.
    fn new_worker(&mut self, tx: &Tx<'_>, job: &Job, backend: &str, tree: bool, now: Timestamp) -> Result<Worker, StoreError> {
        let spec = &job.spec;
        let directory = match self.review_folder(tx, job)?.map_or_else(|| project_folder(tx, job), |dir| Ok(Some(dir)))? {
            Some(dir) => dir,
            None => self.workspace.root().join("drafts").to_string_lossy().into_owned(),
        };
        let new = NewWorker {
            name: format!("{backend}-#"),
            backend: backend.to_owned(),
            model: spec.model.clone(),
            persona: spec.persona.clone(),
            skills: Vec::new(),
            persistent: false,
            project_id: spec.project_id,
            directory,
        };
        let id = tx.add_worker(&new, "engine", now)?;
        if tree {
            tx.set_directory(id, &self.tree_of(id))?;
        }
        let worker = tx.worker(id)?.ok_or(StoreError::Unknown { what: "worker", name: id.to_string() })?;
        self.workers.push(worker.clone());
        Ok(worker)
    }

    /// Where a job of a review runs: tests in the author's folder, the reviewer in its copy.
    fn review_folder(&self, tx: &Tx<'_>, job: &Job) -> Result<Option<String>, StoreError> {
        if job.spec.origin != Origin::Review {
            return Ok(None);
        }
        let Some(r) = tx.review_by(job.id)? else { return Ok(None) };
        if r.test_job == Some(job.id) { Ok(tx.attempt_row(r.attempt)?.map(|a| a.directory)) } else { Ok(r.copy) }
    }

    /// Replaces a worker's session; the new one is told what the old one did last.
    pub(super) fn rotate(&mut self, tx: &Tx<'_>, worker: &mut Worker, why: &str, now: Timestamp) -> Result<(), StoreError> {
        let handover = super::handover::summary(tx, &self.workspace, worker.id)?;
        let text = format!("{}: new session, {why}", worker.name);
        tx.reset_session(worker.id, Some(&handover), &text, now)?;
        worker.session = None;
        worker.session_jobs = 0;
        worker.session_tokens = 0;
        worker.session_usage = crate::domain::Usage::default();
        worker.session_cost_usd = 0.0;
        worker.handover = Some(handover);
        Ok(())
    }

    fn assemble(
        &self,
        tx: &Tx<'_>,
        job: &Job,
        backend: &Backend,
        worker: Option<&Worker>,
        repository: bool,
        skills: &[Skill],
    ) -> Result<PromptDocument, String> {
        let project = job.spec.project_id.and_then(|p| tx.project(p).ok().flatten()).map(|p| p.title);
        let wrong = |e: StoreError| e.to_string();
        let mut answers = tx.decisions_of(job.id).map_err(wrong)?;
        let review = job.guide.map(|g| tx.review(g)).transpose().map_err(wrong)?.flatten();
        let remark = answers.iter().find(|d| review.as_ref().is_some_and(|r| r.decision == Some(d.id))).and_then(|d| d.remark.clone());
        // What the operator said of a review is no answer to a question of the job's own.
        let mut own = Vec::with_capacity(answers.len());
        for d in answers.drain(..) {
            if !tx.is_review_card(d.id).map_err(wrong)? {
                own.push(d);
            }
        }
        let answers = own;
        let resumed = worker.is_some_and(|w| w.session.is_some()) && backend.resumes();
        let last = review.as_ref().filter(|_| !resumed).map(|r| tx.attempt_row(r.attempt)).transpose().map_err(wrong)?.flatten();
        let result = last.and_then(|a| super::learn::read_head(a.result_file.as_deref(), LAST_RESULT));
        let result = result.as_deref();
        let guide = review.as_ref().map(|review| Guide { review, remark: remark.as_deref(), resumed, result });
        assemble(
            &self.workspace,
            &PromptInput {
                job,
                answers: &answers,
                // A worker that was named works where it is.
                tree: repository && worker.is_none_or(|w| self.has_tree(w)),
                guide,
                project: project.as_deref(),
                persona: job.spec.persona.as_deref().or(worker.and_then(|w| w.persona.as_deref())),
                skills,
                handover: worker.filter(|w| w.session.is_none()).and_then(|w| w.handover.as_deref()),
                uses_model: backend.uses_model(),
            },
        )
        .map_err(|e| e.to_string())
    }

    fn launch(&self, attempt: AttemptId, start: &Starting) -> Result<Launch, String> {
        let s = &self.settings;
        let (job, backend) = (&start.job, &start.backend);
        let dir = self.workspace.attempt_dir(attempt);
        let cwd = PathBuf::from(&start.worker.directory);
        let rendered = backend.render(&RenderInput {
            model: start.model.as_deref(),
            session: start.session.as_deref(),
            resume: start.resume,
            title: &job.spec.title,
            attempt_dir: &dir,
            system_file: &dir.join(files::SYSTEM),
            prompt_file: &dir.join(files::PROMPT),
            cwd: &cwd,
            workspace: self.workspace.root(),
            in_repository: in_repository(&cwd, self.workspace.root()),
            version: backend.version(),
            system: &start.document.system,
            prompt: &start.document.prompt,
            inside_workspace: cwd.starts_with(self.workspace.root()),
            root: crate::os::process::is_root(),
            shim: &self.shim,
        });
        let timeout = job.spec.timeout.unwrap_or(s.timeout[job.spec.kind]);
        let base = if start.resume { (start.worker.session_usage, start.worker.session_cost_usd) } else { Default::default() };
        let spec = AttemptSpec {
            protocol: PROTOCOL,
            attempt,
            job: job.id,
            workspace_id: self.workspace_id.clone(),
            socket: self.workspace.socket(),
            backend: backend.name.clone(),
            dialect: backend.dialect,
            argv: rendered.argv,
            cwd,
            env: rendered.env.into_iter().chain(self.job_env(job.id)).collect(),
            env_remove: rendered.env_remove,
            path_prefix: vec![self.workspace.bin_dir()],
            prompt_file: dir.join(crate::wire::files::PROMPT),
            result_file: self.workspace.result_dir(job.id).join(format!("{attempt}.md")),
            session: start.session.clone(),
            resume: start.resume,
            usage_base: base.0,
            cost_base: base.1,
            limits: AttemptLimits {
                timeout_ms: timeout.as_millis() as u64,
                stall_after_ms: s.stall_after.as_millis() as u64,
                stall_kill: s.stall_kill,
                exit_grace_ms: s.exit_grace.as_millis() as u64,
                kill_grace_ms: s.kill_grace.as_millis() as u64,
                heartbeat_ms: s.heartbeat.as_millis() as u64,
                max_unknown_steps: s.max_unknown_steps,
                max_output_bytes: s.max_output,
                memory_max_bytes: s.memory_max,
            },
        };
        let parts = serde_json::to_string(&start.document.parts).map_err(|e| e.to_string())?;
        Ok(Launch { spec, token: start.token.clone(), system: rendered.system, prompt: rendered.prompt, parts, files: rendered.files })
    }

    /// What every process of a job may read of where it is. No secret.
    fn job_env(&self, job: JobId) -> Vec<(String, String)> {
        vec![("ORC_WORKSPACE".into(), self.workspace.root().to_string_lossy().into_owned()), ("ORC_JOB".into(), job.to_string())]
    }

    /// 128 random bits from the operating system.
    fn secret(&mut self) -> String {
        uuid::Uuid::new_v4().simple().to_string()
    }
}

/// The folder of the job's project, where it has one.
pub(super) fn project_folder(tx: &Tx<'_>, job: &Job) -> Result<Option<String>, StoreError> {
    Ok(job.spec.project_id.map(|p| tx.project(p)).transpose()?.flatten().and_then(|p| p.dir))
}
