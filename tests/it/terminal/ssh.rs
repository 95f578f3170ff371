//! The console at the other end of a real ssh, with no terminal multiplexer that would keep a hang-up away from it. The server
//! talks over the client's pipe: it listens nowhere, and is gone with the client.

use super::pty::{Pty, eventually};
use super::workspace::{Workspace, send};
use orc::os::{process, tree};
use portable_pty::CommandBuilder;
use rustix::process::Signal;
use std::path::Path;
use std::process::Command;

/// A server and a key that are made for one test.
struct Ssh {
    folder: tempfile::TempDir,
}

impl Ssh {
    /// `None`, and the reason printed, where nobody can log in here by ssh.
    fn new() -> Option<Ssh> {
        let ssh = Ssh { folder: tempfile::tempdir().unwrap() };
        let file = |name: &str| ssh.folder.path().join(name).display().to_string();
        for name in ["host", "key"] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &file(name)]).status();
            if !made.is_ok_and(|status| status.success()) {
                println!("skipped: ssh-keygen is not there; install openssh-client and openssh-server");
                return None;
            }
        }
        let server = ["HostKey", "AuthorizedKeysFile"].iter().zip(["host", "key.pub"]).map(|(key, name)| format!("{key} {}\n", file(name)));
        let config = server.collect::<String>() + "UsePAM no\nStrictModes no\nPrintMotd no\nPrintLastLog no\nPidFile none\n";
        std::fs::write(ssh.folder.path().join("config"), config).unwrap();
        match ssh.client(&["true"]).output() {
            Ok(probe) if probe.status.success() => Some(ssh),
            Ok(probe) => {
                let log = std::fs::read_to_string(ssh.folder.path().join("log")).unwrap_or_default();
                println!("skipped: no login by ssh here: {}{log}", String::from_utf8_lossy(&probe.stderr));
                None
            }
            Err(e) => {
                println!("skipped: ssh cannot be run: {e}");
                None
            }
        }
    }

    fn words(&self) -> Vec<String> {
        let dir = self.folder.path().display();
        let sshd =
            ["/usr/sbin/sshd", "/usr/bin/sshd", "/sbin/sshd"].into_iter().find(|at| Path::new(at).exists()).unwrap_or("/usr/sbin/sshd");
        let proxy = format!("ProxyCommand={sshd} -i -f {dir}/config -E {dir}/log");
        let mut words = vec!["-F".to_owned(), "none".to_owned(), "-i".to_owned(), format!("{dir}/key")];
        let options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes", &proxy];
        words.extend(options.iter().flat_map(|o| ["-o".to_owned(), (*o).to_owned()]));
        words.push("here".to_owned());
        words
    }

    fn client(&self, command: &[&str]) -> Command {
        let mut client = Command::new("ssh");
        client.args(self.words()).args(command);
        client
    }

    /// A console in this workspace, on a terminal that ssh brings.
    fn console(&self, workspace: &Workspace) -> Pty {
        let mut client = CommandBuilder::new("ssh");
        client.arg("-t");
        client.args(self.words());
        let (at, orc) = (workspace.path().display(), env!("CARGO_BIN_EXE_orc"));
        client.arg(format!("LC_ALL=C.UTF-8 ORC_WORKSPACE='{at}' exec '{orc}' tui"));
        client.env("TERM", "xterm-256color");
        let pty = Pty::start(client);
        pty.wait_for("● running");
        pty
    }
}

/// The server's side of the link is gone, from one moment to the next.
fn cut(client: &Pty, console: i32) {
    let jobs: Vec<i32> = tree::descendants(console).iter().map(|stat| stat.pid).chain([console]).collect();
    let servers: Vec<_> = tree::descendants(client.pid()).into_iter().filter(|stat| !jobs.contains(&stat.pid)).collect();
    assert!(!servers.is_empty());
    for server in servers {
        if let Some(server) = process::Handle::open(server.pid, server.start_time) {
            server.signal(Signal::KILL);
        }
    }
}

#[test]
fn a_bare_ssh_that_is_cut_takes_nothing_along() {
    let Some(ssh) = Ssh::new() else { return };
    let workspace = Workspace::new();
    let mut first = ssh.console(&workspace);
    let engine = workspace.engine_pid();
    let held = workspace.held_job();
    let attempt = workspace.running_attempt(&held);
    first.wait_for("held");

    // A link that takes nothing any more holds up no job, and then it is cut.
    send(first.pid(), Signal::STOP);
    let numbers = workspace.job("many words", "seq 20000");
    workspace.orc(&["job", "wait", &numbers]);
    cut(&first, engine);
    send(first.pid(), Signal::CONT);
    first.end();
    eventually("the dead terminal is let go", || {
        (0..3).all(|fd| std::fs::read_link(format!("/proc/{engine}/fd/{fd}")).is_ok_and(|path| path.as_os_str() == "/dev/null"))
    });
    let after = workspace.job("after the cut", "true");
    workspace.orc(&["job", "wait", &after]);
    assert_eq!((workspace.engine_pid(), workspace.running_attempt(&held)), (engine, attempt));

    // The operator comes back: it is the same engine and the same attempt, and it all goes on.
    let mut second = ssh.console(&workspace);
    second.wait_for("held");
    workspace.release();
    workspace.orc(&["job", "wait", &held]);
    second.wait_for("3 done");
    second.keys("q");
    assert_eq!(second.end(), 0);
    assert_eq!(workspace.engine_pid(), engine);
}
