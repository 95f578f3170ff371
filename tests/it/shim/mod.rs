//! The job process, for real: real processes, a real socket, and an engine that the test plays.

mod ends;
mod engine;
mod lasts;
mod life;
mod limits;

use engine::Engine;
use orc::domain::{AttemptId, ExitReport, JobId, ProcessIdentity, Usage};
use orc::os::{process, tree};
use orc::wire::{AttemptLimits, AttemptSpec, Dialect, PROTOCOL, SpooledEvent, files};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const SHIM: &str = env!("CARGO_BIN_EXE_orc-shim");
pub const TOKEN: &str = "secret-of-this-attempt";
/// Nothing that a test waits for takes this long, unless it never comes.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// One attempt: its folder, its description, and its job process once started. What it started is ended with it.
pub struct Attempt {
    pub dir: tempfile::TempDir,
    pub spec: AttemptSpec,
    shim: Option<Child>,
}

impl Attempt {
    /// An attempt that runs this shell script; nothing is started yet.
    pub fn of(script: &str) -> Attempt {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at(files::PROMPT), "the prompt\n").unwrap();
        let spec = AttemptSpec {
            protocol: PROTOCOL,
            attempt: AttemptId(7),
            job: JobId(3),
            workspace_id: format!("ws-{}", dir.path().file_name().unwrap().to_string_lossy()),
            socket: at("engine.sock"),
            backend: "shell".to_owned(),
            dialect: Dialect::Text,
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            cwd: at("work/here"),
            env: Default::default(),
            env_remove: Vec::new(),
            path_prefix: Vec::new(),
            prompt_file: at(files::PROMPT),
            result_file: at("results/result.md"),
            session: None,
            resume: false,
            usage_base: Usage::default(),
            cost_base: 0.0,
            limits: AttemptLimits {
                timeout_ms: 0,
                stall_after_ms: 0,
                stall_kill: false,
                exit_grace_ms: 0,
                kill_grace_ms: 10_000,
                heartbeat_ms: 0,
                max_unknown_steps: 0,
                max_output_bytes: 0,
                memory_max_bytes: 0,
            },
        };
        Attempt { dir, spec, shim: None }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts the job process as an engine does.
    pub fn start(&mut self) -> &mut Attempt {
        self.start_through(Command::new(SHIM))
    }

    /// Starts the job process through a program that becomes it.
    pub fn start_through(&mut self, mut program: Command) -> &mut Attempt {
        std::fs::write(self.path(files::SPEC), serde_json::to_vec(&self.spec).unwrap()).unwrap();
        let mut shim = program
            .arg("run")
            .arg(self.dir.path())
            .env("ORC_TEST_SECRET", "must not be inherited")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(shim.stdin.take().unwrap(), "{TOKEN}").unwrap();
        self.shim = Some(shim);
        self
    }

    pub fn pid(&self) -> i32 {
        self.shim.as_ref().unwrap().id() as i32
    }

    /// Waits until the job process has left by itself; its exit code.
    pub fn left(&mut self) -> Option<i32> {
        let shim = self.shim.as_mut().unwrap();
        within(|| shim.try_wait().unwrap()).code()
    }

    /// SIGKILL, and gone.
    pub fn kill_shim(&mut self) {
        let shim = self.shim.as_mut().unwrap();
        shim.kill().unwrap();
        shim.wait().unwrap();
    }

    pub fn terminate_shim(&self) {
        let id = process::identity(self.pid()).unwrap();
        process::Handle::of(&id).unwrap().signal(process::Signal::TERM);
    }

    /// Waits for a file that appears whole.
    pub fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> T {
        let path = self.path(name);
        serde_json::from_slice(&within(|| std::fs::read(&path).ok())).unwrap()
    }

    pub fn exit(&self) -> ExitReport {
        self.json(files::EXIT)
    }

    /// For an attempt without an engine: waits for its report, then lets the job process leave.
    pub fn ended(&mut self) -> ExitReport {
        let report = self.exit();
        self.terminate_shim();
        assert_eq!(self.left(), Some(0), "{}", self.read(files::SHIM_LOG));
        report
    }

    pub fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path(name)).unwrap_or_default()).into_owned()
    }

    pub fn spool(&self) -> Vec<SpooledEvent> {
        self.read(files::SPOOL).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn engine(&self) -> Engine {
        Engine::at(&self.spec.socket)
    }

    pub fn agent(&self) -> ProcessIdentity {
        self.json(files::AGENT)
    }

    /// The living processes of this attempt.
    pub fn marked(&self) -> Vec<process::Stat> {
        tree::marked(&self.spec.mark())
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(shim) = &mut self.shim {
            let _ = shim.kill();
            let _ = shim.wait();
        }
        tree::Scope { mark: Some(&self.spec.mark()), ..Default::default() }.end(Duration::ZERO);
    }
}

/// Waits for a condition.
#[track_caller]
pub fn within<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + DEADLINE;
    loop {
        if let Some(it) = condition() {
            return it;
        }
        assert!(Instant::now() < until, "it never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}
