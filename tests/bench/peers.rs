//! The other queues, where they are installed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A queue that runs shell commands.
pub struct Peer {
    pub name: &'static str,
    program: PathBuf,
    before: &'static [&'static str],
    /// It starts a shell by itself.
    own_shell: bool,
    env: Vec<(&'static str, PathBuf)>,
    /// A server that has to be there first, and how it is told to end.
    server: Option<Child>,
}

impl Peer {
    /// The submission of a script.
    pub fn submit(&self, script: &str) -> Command {
        let mut command = self.command(&self.program);
        command.args(self.before);
        if !self.own_shell {
            command.args(["sh", "-c"]);
        }
        command.arg(script);
        command
    }

    /// Task-spooler only: many trivial jobs on some slots, each submitted by its own command line, until the last has ended.
    pub fn drain(&self, slots: usize, n: usize) -> Duration {
        self.command(&self.program).args(["-S", &slots.to_string()]).status().unwrap();
        let began = Instant::now();
        for _ in 0..n {
            self.submit(":").status().unwrap();
        }
        let open = || {
            let list = Command::new(&self.program).envs(self.env.iter().map(|(k, v)| (k, v))).output().unwrap();
            String::from_utf8_lossy(&list.stdout).lines().any(|l| l.contains("running") || l.contains("queued"))
        };
        while open() {
            std::thread::sleep(Duration::from_millis(2));
        }
        began.elapsed()
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.envs(self.env.iter().map(|(k, v)| (k, v))).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if self.name == "task-spooler" {
            let _ = self.command(&self.program).arg("-K").status();
        }
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Every peer, or why it is not here.
pub fn all(dir: &Path) -> Vec<Result<Peer, &'static str>> {
    vec![task_spooler(dir).ok_or("task-spooler"), nq(dir).ok_or("nq"), pueue(dir).ok_or("pueue")]
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|d| d.join(name)).find(|p| p.is_file())
}

/// Its server starts with the first job.
pub fn task_spooler(dir: &Path) -> Option<Peer> {
    let env = vec![("TS_SOCKET", dir.join("tsp.sock")), ("TMPDIR", dir.to_owned())];
    Some(Peer { name: "task-spooler", program: find("tsp")?, before: &["-n"], own_shell: false, env, server: None })
}

fn nq(dir: &Path) -> Option<Peer> {
    Some(Peer { name: "nq", program: find("nq")?, before: &[], own_shell: false, env: vec![("NQDIR", dir.join("nq"))], server: None })
}

fn pueue(dir: &Path) -> Option<Peer> {
    let (client, daemon) = (find("pueue")?, find("pueued")?);
    let home = dir.join("pueue");
    std::fs::create_dir_all(&home).ok()?;
    let config = home.join("pueue.yml");
    let text = format!("shared:\n  pueue_directory: {0}\n  runtime_directory: {0}\n  use_unix_socket: true\n", home.display());
    std::fs::write(&config, text).ok()?;
    let env = vec![("PUEUE_CONFIG_PATH", config)];
    let mut peer = Peer { name: "pueue", program: client, before: &["add", "--"], own_shell: true, env, server: None };
    peer.server = Some(peer.command(&daemon).spawn().ok()?);
    let answers = || peer.command(&peer.program).arg("status").status().is_ok_and(|s| s.success());
    let came = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        answers()
    });
    came.then_some(peer)
}
