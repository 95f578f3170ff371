//! Real engines, real job processes, and SIGKILL. A job's script appends its job and attempt to a file, so that the test
//! counts what ran and not what was written down.

mod asking;
mod chaos;
mod clock_set;
mod cron;
mod day;
mod failover;
mod gate;
mod life;
mod memory;
mod messages;
mod plans;
mod settings;

use orc::config::Workspace;
use orc::domain::{Applied, Attempt, AttemptId, Command, Job, JobId, JobSpec, JobState, Timestamp};
use orc::os::{clock, process, tree};
use orc::store::{Store, apply};
use orc::wire::attempt_mark;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Nothing that a test waits for takes this long, unless it never comes.
const DEADLINE: Duration = Duration::from_secs(120);

/// A workspace in a folder of its own, and the engine that runs in it, if one does.
pub struct Bench {
    pub dir: tempfile::TempDir,
    pub workspace: Workspace,
    pub store: Store,
    pub engine: Option<Child>,
    /// More of the engine's environment; it stands over what every engine here has.
    pub env: BTreeMap<&'static str, String>,
    settings: Vec<String>,
}

impl Bench {
    pub fn new(settings: &[&str]) -> Bench {
        let dir = tempfile::Builder::new().prefix("orc-engine-").tempdir().unwrap();
        let (workspace, _) = orc::config::init(&dir.path().join("ws")).unwrap();
        let store = Store::open(&workspace.database()).unwrap();
        // Who is installed on this machine shall make no difference.
        let low = ["memory_low_water=0B", "disk_low_water=0B", "kill_grace=1s", "tick=1s", "reviewer=none"];
        let settings = low.iter().chain(settings).map(|s| s.to_string()).collect();
        Bench { dir, workspace, store, engine: None, env: BTreeMap::new(), settings }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts an engine; it need not answer yet.
    pub fn start(&mut self) {
        assert!(self.engine.is_none());
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_orc"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.dir.path()).envs(&self.env);
        command.arg("--workspace").arg(self.path("ws"));
        for set in &self.settings {
            command.arg("--set").arg(set);
        }
        let err = std::fs::File::create(self.path("engine.err")).unwrap();
        self.engine = Some(command.arg("engine").stdin(Stdio::null()).stdout(Stdio::null()).stderr(err).spawn().unwrap());
    }

    pub fn engine_error(&self) -> String {
        std::fs::read_to_string(self.path("engine.err")).unwrap_or_default()
    }

    /// A program of ours as the operator starts it.
    pub fn command(&self, program: &str) -> std::process::Command {
        let path = if program == "pm" { env!("CARGO_BIN_EXE_pm") } else { env!("CARGO_BIN_EXE_orc") };
        let mut command = std::process::Command::new(path);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.dir.path()).env("ORC_WORKSPACE", self.path("ws"));
        command
    }

    /// SIGKILL.
    pub fn crash(&mut self) {
        let mut engine = self.engine.take().unwrap();
        engine.kill().unwrap();
        engine.wait().unwrap();
    }

    /// SIGTERM, and gone.
    pub fn stop(&mut self) {
        let mut engine = self.engine.take().unwrap();
        let id = process::identity(engine.id() as i32).unwrap();
        process::Handle::of(&id).unwrap().signal(process::Signal::TERM);
        assert!(engine.wait().unwrap().success(), "{}", self.engine_error());
    }

    pub fn spec(&self, script: &str) -> JobSpec {
        JobSpec::new("job", "shell", script)
    }

    pub fn add(&mut self, spec: JobSpec) -> JobId {
        match self.apply(Command::AddJob { spec: Box::new(spec) }) {
            Applied::Added { job, .. } => job,
            other => panic!("{other:?}"),
        }
    }

    pub fn run(&mut self, script: &str) -> JobId {
        self.add(self.spec(script))
    }

    pub fn apply(&mut self, command: Command) -> Applied {
        let applied = self.store.write(|tx| apply(tx, &command, &orc::domain::Actor::Operator, clock::now())).unwrap();
        orc::engine::wake(&self.workspace.socket());
        applied
    }

    pub fn job(&self, id: JobId) -> Job {
        self.store.job(id).unwrap().unwrap()
    }

    pub fn attempts(&self, id: JobId) -> Vec<Attempt> {
        self.store.attempts(id).unwrap()
    }

    #[track_caller]
    pub fn ends(&self, id: JobId) -> JobState {
        self.within(|| Some(self.job(id).state).filter(|s| s.is_final()))
    }

    /// Waits for a condition.
    #[track_caller]
    pub fn within<T>(&self, mut condition: impl FnMut() -> Option<T>) -> T {
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(it) = condition() {
                return it;
            }
            assert!(Instant::now() < until, "it never came; the engine said: {}", self.engine_error());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[track_caller]
    pub fn appears(&self, name: &str) -> String {
        let path = self.path(name);
        self.within(|| std::fs::read_to_string(&path).ok().filter(|s| s.ends_with('\n')))
    }

    pub fn touch(&self, name: &str) {
        std::fs::write(self.path(name), "\n").unwrap();
    }

    pub fn marked(&self, attempt: AttemptId) -> Vec<process::Stat> {
        tree::marked(&attempt_mark(&self.store.workspace_id().unwrap(), attempt))
    }

    /// A script that says its agent's process id in `name` and goes on once `gate` is there.
    pub fn gated(&self, name: &str, gate: &str) -> String {
        let d = self.dir.path().display();
        format!("echo $$ >> {d}/{name}; while ! test -e {d}/{gate}; do sleep 0.02; done; echo $ORC_JOB $ORC_ATTEMPT >> {d}/ran")
    }

    pub fn later(&self, wait: Duration) -> Timestamp {
        clock::now() + wait
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(engine) = &mut self.engine {
            let _ = engine.kill();
            let _ = engine.wait();
        }
        // No job outlives its test.
        for open in self.store.open_attempts().unwrap_or_default() {
            if let Ok(id) = self.store.workspace_id() {
                tree::Scope { mark: Some(&attempt_mark(&id, open.attempt.id)), ..Default::default() }.end(Duration::ZERO);
            }
        }
    }
}
