//! Which worker takes a claimed job, and in which session.

use super::ids::{ProjectId, WorkerId};
use super::job::Kind;
use super::queue::QueuedJob;
use super::worker::{Worker, WorkerStatus};
use std::cmp::Reverse;

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
/// new ephemeral worker. Before all but the first: a retry goes back to the worker, and so to the session, of its last attempt.
///
/// A session belongs to a folder: where the job's project has one (`folder`), a worker of no project takes it only if it works there.
/// An ephemeral worker belongs to its job; only that job's retry finds it. A worker of a project takes no other project's jobs.
/// A persistent worker that is busy makes only jobs wait that are assigned to it. Of several that match, the closest match
/// (a job that names no model or persona fits any), then the one used last, whose context is warmest.
pub fn resolve(job: &QueuedJob, folder: Option<&str>, workers: &[Worker]) -> Resolution {
    if let Some(name) = &job.worker {
        return match workers.iter().find(|w| w.name == *name && w.status != WorkerStatus::Retired) {
            Some(w) if w.backend != job.backend => Resolution::Wait(format!("worker {name} runs {}, the job {}", w.backend, job.backend)),
            Some(w) if free(w) => Resolution::Use(w.id),
            Some(w) => Resolution::Wait(format!("worker {name} is {}", w.status)),
            None => Resolution::Wait(format!("there is no worker named {name}")),
        };
    }
    // A judgement on other work is made by itself: no session shall remember it, and none shall colour it.
    if matches!(job.kind, Kind::Capture | Kind::Consolidate | Kind::Review | Kind::Triage) {
        return Resolution::New;
    }
    let fits = |w: &&Worker| {
        free(w)
            && w.backend == job.backend
            && (job.model.is_none() || w.model.is_none() || w.model == job.model)
            && (job.persona.is_none() || w.persona == job.persona)
    };
    let closest = |of: Option<ProjectId>| {
        workers
            .iter()
            .filter(fits)
            // Who converses is there for the operator, and remembers nothing but the conversation.
            .filter(|w| !w.name.starts_with(CONVERSATION))
            .filter(|w| w.persistent && w.project_id == of && (of.is_some() || folder.is_none_or(|dir| w.directory == dir)))
            .min_by_key(|w| (w.persona != job.persona, w.model != job.model, Reverse(w.last_used_at), w.id))
    };
    let last = job.last_worker.and_then(|id| workers.iter().filter(fits).find(|w| w.id == id));
    match last.or_else(|| job.project_id.and_then(|p| closest(Some(p)))).or_else(|| closest(None)) {
        Some(w) => Resolution::Use(w.id),
        None => Resolution::New,
    }
}

fn free(w: &Worker) -> bool {
    w.status == WorkerStatus::Idle && w.attempt.is_none()
}

/// How the names of the workers begin that converse with the operator: they take only jobs that name them.
pub const CONVERSATION: &str = "conversation-";

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

#[cfg(test)]
mod tests {
    use super::super::attempt::Usage;
    use super::super::ids::AttemptId;
    use super::super::queue::tests::job;
    use super::super::time::Timestamp;
    use super::*;

    fn worker(id: i64, name: &str) -> Worker {
        Worker {
            id: WorkerId(id),
            name: name.into(),
            backend: "claude".into(),
            model: None,
            persona: None,
            skills: Vec::new(),
            persistent: true,
            project_id: None,
            status: WorkerStatus::Idle,
            session: Some("s".into()),
            directory: "/w".into(),
            session_jobs: 0,
            session_tokens: 0,
            session_usage: Usage::default(),
            session_cost_usd: 0.0,
            handover: None,
            attempt: None,
            total_jobs: 0,
            total_tokens: 0,
            total_cost_usd: 0.0,
            created_at: Timestamp(0),
            last_used_at: None,
        }
    }

    fn any() -> QueuedJob {
        job(1, 2, 0)
    }

    fn used(id: i64) -> Resolution {
        Resolution::Use(WorkerId(id))
    }

    #[test]
    fn a_project_s_job_runs_in_the_project_s_folder() {
        let of_project = QueuedJob { project_id: Some(ProjectId(1)), ..any() };
        let workers = [worker(1, "ada"), Worker { directory: "/shop".into(), ..worker(2, "bob") }];
        assert_eq!(resolve(&of_project, Some("/shop"), &workers), used(2));
        assert_eq!(resolve(&of_project, Some("/shop"), &workers[..1]), Resolution::New, "a warm session elsewhere is of no use");
        let asked = QueuedJob { worker: Some("ada".into()), ..of_project };
        assert_eq!(resolve(&asked, Some("/shop"), &workers), used(1), "the operator may know better");
    }

    #[test]
    fn who_converses_takes_only_what_names_it_and_a_judgement_is_made_by_itself() {
        let workers = [worker(1, "conversation-claude")];
        assert_eq!(resolve(&any(), None, &workers), Resolution::New);
        assert_eq!(resolve(&QueuedJob { worker: Some("conversation-claude".into()), ..any() }, None, &workers), used(1));
        for kind in [Kind::Triage, Kind::Review] {
            assert_eq!(resolve(&QueuedJob { kind, ..any() }, None, &[worker(1, "ada")]), Resolution::New);
        }
    }

    #[test]
    fn the_four_steps_in_order() {
        let p = Some(ProjectId(1));
        let workers = [worker(1, "ada"), worker(2, "bob"), Worker { project_id: p, ..worker(3, "pro") }];
        let asked = QueuedJob { worker: Some("bob".into()), project_id: p, last_worker: Some(WorkerId(1)), ..any() };
        assert_eq!(resolve(&asked, None, &workers), used(2), "1");
        assert_eq!(resolve(&QueuedJob { project_id: p, ..any() }, None, &workers), used(3), "2");
        assert_eq!(resolve(&any(), None, &workers), used(1), "3");
        assert_eq!(
            resolve(&QueuedJob { project_id: Some(ProjectId(2)), ..any() }, None, &workers[2..]),
            Resolution::New,
            "4: not another project's"
        );
        assert_eq!(resolve(&any(), None, &[]), Resolution::New, "4");
    }

    #[test]
    fn a_busy_paused_or_foreign_worker_makes_only_those_wait_that_ask_for_it() {
        let busy = Worker { status: WorkerStatus::Working, attempt: Some(AttemptId(1)), ..worker(1, "ada") };
        let paused = Worker { status: WorkerStatus::Paused, ..worker(2, "bob") };
        let codex = Worker { backend: "codex".into(), ..worker(3, "cy") };
        let gone = Worker { status: WorkerStatus::Retired, ..worker(4, "dee") };
        let workers = [busy, paused, codex, gone];
        let asks = |name: &str| resolve(&QueuedJob { worker: Some(name.into()), ..any() }, None, &workers);
        assert_eq!(asks("ada"), Resolution::Wait("worker ada is working".into()));
        assert_eq!(asks("bob"), Resolution::Wait("worker bob is paused".into()));
        assert_eq!(asks("cy"), Resolution::Wait("worker cy runs codex, the job claude".into()));
        assert_eq!(asks("dee"), Resolution::Wait("there is no worker named dee".into()));
        assert_eq!(resolve(&any(), None, &workers), Resolution::New);
    }

    #[test]
    fn the_gate_says_the_same_as_the_resolution() {
        use super::super::dispatch::Capacity;
        use super::super::verdict::Gate;
        let workers = [
            worker(1, "ada"),
            Worker { status: WorkerStatus::Working, attempt: Some(AttemptId(1)), ..worker(2, "bob") },
            Worker { status: WorkerStatus::Unhealthy, ..worker(3, "cy") },
            Worker { backend: "codex".into(), ..worker(4, "dee") },
            Worker { status: WorkerStatus::Retired, ..worker(5, "eve") },
        ];
        let mut c = Capacity::default();
        c.set_workers(&workers);
        for name in ["ada", "bob", "cy", "dee", "eve", "nobody"] {
            let j = QueuedJob { worker: Some(name.into()), ..any() };
            assert_eq!(c.opens(Gate::Worker, &j, Timestamp(0)), matches!(resolve(&j, None, &workers), Resolution::Use(_)), "{name}");
        }
    }

    #[test]
    fn an_ephemeral_worker_is_its_own_job_s_alone() {
        let workers = [Worker { persistent: false, project_id: Some(ProjectId(1)), ..worker(7, "claude-7") }];
        assert_eq!(resolve(&QueuedJob { project_id: Some(ProjectId(1)), ..any() }, None, &workers), Resolution::New);
        assert_eq!(resolve(&QueuedJob { last_worker: Some(WorkerId(7)), ..any() }, None, &workers), used(7));
        assert_eq!(
            resolve(&QueuedJob { last_worker: Some(WorkerId(7)), backend: "codex".into(), ..any() }, None, &workers),
            Resolution::New
        );
    }

    #[test]
    fn the_closest_match_then_the_warmest() {
        let critic = Worker { persona: Some("critic".into()), last_used_at: Some(Timestamp(9)), ..worker(1, "a") };
        let opus = Worker { model: Some("opus".into()), last_used_at: Some(Timestamp(5)), ..worker(2, "b") };
        let plain = worker(3, "c");
        let warm = Worker { last_used_at: Some(Timestamp(1)), ..worker(4, "d") };
        let workers = [critic, opus, plain, warm];
        assert_eq!(resolve(&any(), None, &workers), used(4));
        assert_eq!(resolve(&QueuedJob { model: Some("opus".into()), ..any() }, None, &workers), used(2));
        assert_eq!(
            resolve(&QueuedJob { model: Some("haiku".into()), ..any() }, None, &workers),
            used(4),
            "a worker without a model takes any"
        );
        assert_eq!(resolve(&QueuedJob { persona: Some("critic".into()), ..any() }, None, &workers), used(1));
        assert_eq!(resolve(&QueuedJob { persona: Some("pulse".into()), ..any() }, None, &workers), Resolution::New);
        assert_eq!(resolve(&any(), None, &workers[..1]), used(1), "a job that names no persona fits any");
    }

    #[test]
    fn a_session_grows_old_by_jobs_or_tokens() {
        let l = SessionLimits::default();
        let w = |jobs, tokens| Worker { session_jobs: jobs, session_tokens: tokens, ..worker(1, "ada") };
        assert_eq!(rotation(&w(49, 149_999), &l), None);
        assert_eq!(rotation(&w(50, 0), &l).as_deref(), Some("its session has handled 50 jobs"));
        assert_eq!(rotation(&w(0, 150_000), &l).as_deref(), Some("its session has used 150000 tokens"));
        assert_eq!(rotation(&Worker { session: None, ..w(99, 999_999) }, &l), None, "there is none to replace");
    }
}
