//! A workspace on a real disk, and the engine that runs in it.

use crate::spread::{Spread, line};
use orc::config::Workspace;
use orc::domain::{JobSpec, Priority};
use orc::os::{clock, process, tree};
use orc::store::Store;
use orc::wire::{ControlFrame, ControlReply, Snapshot, attempt_mark};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ORC: &str = env!("CARGO_BIN_EXE_orc");
const PM: &str = env!("CARGO_BIN_EXE_pm");

/// How long a figure may take to come about.
pub const PATIENCE: Duration = Duration::from_secs(300);

pub struct Site {
    dir: tempfile::TempDir,
    pub workspace: Workspace,
    pub store: Store,
    engine: Option<Child>,
    settings: Vec<String>,
}

impl Site {
    pub fn new(settings: &[&str]) -> Site {
        let dir = tempfile::Builder::new().prefix("orc-bench-").tempdir_in(root()).unwrap();
        let (workspace, _) = orc::config::init(&dir.path().join("ws")).unwrap();
        let store = Store::open(&workspace.database()).unwrap();
        let settings = ["memory_low_water=0B", "disk_low_water=0B"].iter().chain(settings).map(|s| (*s).to_owned()).collect();
        Site { dir, workspace, store, engine: None, settings }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `orc` or `pm` in this workspace.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.dir.path()).env("ORC_WORKSPACE", self.workspace.root());
        command.current_dir(self.dir.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    pub fn pm(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(PM);
        command.args(arguments);
        command
    }

    /// `pm job add` of a script.
    pub fn submit(&self, script: &str, priority: &str) -> Command {
        self.pm(&["job", "add", "--type", "shell", "--title", "bench", "--priority", priority, "--prompt", script])
    }

    /// `orc` with this site's settings.
    pub fn orc(&self) -> Command {
        let mut command = self.command(ORC);
        for set in &self.settings {
            command.arg("--set").arg(set);
        }
        command
    }

    /// Starts an engine and waits until it answers; how long that took.
    pub fn start(&mut self) -> Duration {
        let began = Instant::now();
        let log = std::fs::File::create(self.path("engine.err")).unwrap();
        self.engine = Some(self.orc().arg("engine").stderr(log).spawn().unwrap());
        self.until("the engine answers", |s| s.status().is_some());
        began.elapsed()
    }

    pub fn pid(&self) -> i32 {
        self.engine.as_ref().expect("started").id() as i32
    }

    /// SIGTERM, and gone.
    pub fn stop(&mut self) {
        let Some(mut engine) = self.engine.take() else { return };
        if let Some(handle) = process::identity(engine.id() as i32).as_ref().and_then(process::Handle::of) {
            handle.signal(process::Signal::TERM);
        }
        engine.wait().unwrap();
    }

    /// The engine's newest snapshot.
    pub fn status(&self) -> Option<Snapshot> {
        let mut stream = UnixStream::connect(self.workspace.socket()).ok()?;
        stream.write_all((serde_json::to_string(&ControlFrame::Status).unwrap() + "\n").as_bytes()).ok()?;
        let mut text = String::new();
        BufReader::new(stream).read_line(&mut text).ok()?;
        match serde_json::from_str(&text) {
            Ok(ControlReply::Snapshot { snapshot }) => Some(*snapshot),
            _ => None,
        }
    }

    /// Adds many shell jobs in one transaction; how long that took.
    pub fn add(&mut self, script: &str, priority: Priority, n: usize) -> Duration {
        self.add_to("shell", script, priority, n)
    }

    /// The same for any backend.
    pub fn add_to(&mut self, backend: &str, prompt: &str, priority: Priority, n: usize) -> Duration {
        let began = Instant::now();
        let spec = JobSpec { priority, ..JobSpec::new("bench", backend, prompt) };
        self.store.write(|tx| (0..n).try_for_each(|_| tx.add_job(&spec, "operator", clock::now()).map(|_| ()))).unwrap();
        orc::engine::wake(&self.workspace.socket());
        began.elapsed()
    }

    /// Jobs in a final state.
    pub fn ended(&self) -> u64 {
        let now = clock::now();
        let day = self.store.day(orc::domain::Timestamp(now.0 - 86_400_000)).unwrap();
        day.done + day.failed
    }

    /// Waits for a condition. Looking costs CPU that the measured ones may want, so it is done seldom.
    pub fn until(&self, what: &str, mut holds: impl FnMut(&Site) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            let said = || std::fs::read_to_string(self.path("engine.err")).unwrap_or_default();
            assert!(Instant::now() < deadline, "never: {what}; the engine said: {}", said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A named pipe, open at both ends so that no writer waits.
    pub fn fifo(&self, name: &str) -> (PathBuf, std::fs::File) {
        let path = self.path(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        (path, file)
    }

    /// What an fsync costs in this place: a few pages appended, then `fdatasync`, as SQLite commits.
    pub fn fsync(&self) -> Spread {
        let path = self.path("fsync");
        let mut file = std::fs::File::create(&path).unwrap();
        let once = |file: &mut std::fs::File| {
            file.write_all(&[7; 16 << 10]).unwrap();
            let began = Instant::now();
            file.sync_data().unwrap();
            began.elapsed()
        };
        once(&mut file);
        (0..50).map(|_| once(&mut file)).collect()
    }

    pub fn say_fsync(&self) {
        line("an fsync there", self.fsync().show("ms"));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(engine) = &mut self.engine {
            let _ = engine.kill();
            let _ = engine.wait();
        }
        // A figure that failed leaves no job behind.
        let Ok(id) = self.store.workspace_id() else { return };
        for open in self.store.open_attempts().unwrap_or_default() {
            tree::Scope { mark: Some(&attempt_mark(&id, open.attempt.id)), ..Default::default() }.end(Duration::ZERO);
        }
    }
}

fn root() -> PathBuf {
    std::env::var_os("ORC_BENCH_DIR").map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned(), PathBuf::from)
}

/// CPU time of a process so far.
pub fn cpu(pid: i32) -> Duration {
    Duration::from_millis(crate::pty::cpu(pid) * 10)
}

/// A line of a file of `/proc/PID` that is a number in kB, in KiB.
pub fn kib(pid: i32, file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':')?.trim().trim_end_matches(" kB").parse().ok())
}
