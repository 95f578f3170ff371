//! A program that has the operator's terminal for a while: an editor, an agent's own console.

use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long it may take to leave when it is told to.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// A running one. It is in this process's group, so the terminal's keys reach it as they reach us.
#[derive(Debug)]
pub struct Guest(Child);

impl Guest {
    /// Starts a program on the terminal. Call it inside a runtime.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(argv: &[String]) -> io::Result<Guest> {
        Guest::start_in(argv, None, &BTreeMap::new(), &[])
    }

    /// Starts a program in a folder, with variables set and others not inherited (a trailing `*` matches any ending).
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_in(argv: &[String], dir: Option<&Path>, env: &BTreeMap<String, String>, env_remove: &[String]) -> io::Result<Guest> {
        let Some((program, args)) = argv.split_first() else { return Err(io::ErrorKind::InvalidInput.into()) };
        let mut command = Command::new(program);
        command.args(args);
        if let Some(dir) = dir {
            command.current_dir(dir);
        }
        for (name, _) in std::env::vars_os() {
            let named = name.to_string_lossy();
            if env_remove.iter().any(|r| r.strip_suffix('*').map_or(*r == named, |start| named.starts_with(start))) {
                command.env_remove(&name);
            }
        }
        command.envs(env).spawn().map(Guest)
    }

    /// Waits until it has left. Cancel-safe.
    ///
    /// # Errors
    /// Never in practice: a process may wait for its own child.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.0.wait().await
    }

    /// Ends it: it may ask nothing any more, but it may clean up.
    pub async fn end(&mut self) {
        if let Some(pid) = self.0.id().and_then(|id| Pid::from_raw(id as i32)) {
            let _ = kill_process(pid, Signal::TERM);
            if timeout(END_PATIENCE, self.0.wait()).await.is_err() {
                let _ = self.0.kill().await;
            }
        }
    }
}
