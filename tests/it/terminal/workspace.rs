//! A workspace for a console, and the command line beside it.

use super::pty::{Pty, eventually};
use portable_pty::CommandBuilder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Sends a signal to a process.
pub fn send(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// A new workspace; its engine ends with it.
pub struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    pub fn new() -> Workspace {
        let workspace = Workspace { folder: tempfile::tempdir().unwrap() };
        workspace.orc(&["init"]);
        // No test's outcome depends on the time of day.
        std::fs::remove_file(workspace.path().join("cron.toml")).unwrap();
        workspace
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The command line in this workspace; it has to succeed.
    pub fn orc(&self, arguments: &[&str]) -> String {
        let output = self.try_orc(arguments);
        assert!(output.status.success(), "orc {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn try_orc(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orc"));
        command.env("ORC_WORKSPACE", self.path()).current_dir(self.path()).args(arguments).output().unwrap()
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.orc(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// The process of the engine that runs.
    pub fn engine_pid(&self) -> i32 {
        self.json(&["engine", "status"])["engine"]["pid"].as_i64().unwrap() as i32
    }

    /// An engine answers.
    pub fn has_engine(&self) -> bool {
        self.try_orc(&["engine", "status"]).status.success()
    }

    /// Waits until a job runs, and gives its attempt.
    pub fn running_attempt(&self, job: &str) -> i64 {
        let mut attempt = None;
        eventually("the job runs", || {
            let shown = self.json(&["job", "show", job]);
            attempt = shown["attempt"].as_i64();
            shown["state"] == "running"
        });
        attempt.unwrap()
    }

    /// Submits a script; the job's number.
    pub fn job(&self, title: &str, script: &str) -> String {
        self.json(&["job", "add", "--type", "shell", "--title", title, "--prompt", script])["id"].to_string()
    }

    /// A job that runs until `release`; its number.
    pub fn held_job(&self) -> String {
        let fifo = self.path().join("held");
        if !fifo.exists() {
            assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        }
        let script = format!("timeout 120 cat '{}'", fifo.display());
        self.job("held", &script)
    }

    /// Lets the held job end.
    pub fn release(&self) {
        std::fs::write(self.path().join("held"), "released\n").unwrap();
    }

    /// `orc tui` as a command for a terminal.
    pub fn console_command(&self) -> CommandBuilder {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_orc"));
        command.arg("tui");
        for (name, value) in [("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8")] {
            command.env(name, value);
        }
        command.env("ORC_WORKSPACE", self.path());
        command.cwd(self.path());
        command
    }

    /// A console on a terminal, its engine running.
    pub fn console(&self) -> Pty {
        let pty = Pty::start(self.console_command());
        pty.wait_for("● running");
        pty
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        self.try_orc(&["engine", "stop"]);
    }
}
