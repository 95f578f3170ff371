//! Stepping into a worker's session: the backend's own program gets the terminal, the worker is leased meanwhile.

use super::pty::{Pty, eventually};
use super::workspace::{Workspace, send};
use portable_pty::CommandBuilder;
use rustix::process::Signal;

/// A backend whose interactive form says which session it is in and waits for a line.
const BACKEND: &str = r#"
name = "mine"
dialect = "text"
program = "/bin/sh"
args = ["-c", "cat"]
interactive_args = ["-c", 'echo "IN SESSION $0 AT $(basename $PWD)"; read word; echo "HEARD $word"', "{session}"]
"#;

/// A workspace with the worker `ada`, idle, in a session.
fn workspace() -> Workspace {
    let workspace = Workspace::new();
    std::fs::write(workspace.path().join("backends/mine.toml"), BACKEND).unwrap();
    let folder = workspace.path().join("desk");
    std::fs::create_dir(&folder).unwrap();
    workspace.orc(&["worker", "add", "--name", "ada", "--type", "mine", "--dir", folder.to_str().unwrap()]);
    set(&workspace, "session = 's-1815'");
    workspace
}

fn set(workspace: &Workspace, what: &str) {
    let db = rusqlite::Connection::open(workspace.path().join("pm.db")).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    assert_eq!(db.execute(&format!("UPDATE workers SET {what} WHERE name = 'ada'"), []).unwrap(), 1);
}

fn status(workspace: &Workspace) -> String {
    workspace.json(&["worker", "show", "ada"])["status"].as_str().unwrap().to_owned()
}

/// `orc worker step ada` on a terminal.
fn step(workspace: &Workspace) -> Pty {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_orc"));
    command.args(["worker", "step", "ada"]);
    command.env("TERM", "xterm-256color");
    command.env("ORC_WORKSPACE", workspace.path());
    command.cwd(workspace.path());
    Pty::start(command)
}

#[test]
fn the_console_steps_aside_for_a_session_and_comes_back() {
    let workspace = workspace();
    let mut pty = workspace.console();
    pty.keys("3");
    pty.wait_for("ada");
    pty.keys("s");
    pty.wait_for("IN SESSION s-1815 AT desk");
    pty.look(|seen| assert!(!seen.parser.screen().alternate_screen(), "the console has left the screen"));
    assert_eq!(status(&workspace), "paused", "nobody else may have it meanwhile");
    // these keys are the session's: the console reads nothing
    pty.keys("q2 hello\n");
    pty.wait_for("back from the session of ada");
    pty.look(|seen| assert!(seen.parser.screen().alternate_screen()));
    pty.wait_for("▸Workers");
    eventually("the worker is given back", || status(&workspace) == "idle");
}

#[test]
fn the_command_line_steps_in_and_gives_the_worker_back_whatever_ends_the_visit() {
    let workspace = workspace();
    let mut pty = step(&workspace);
    pty.wait_for("IN SESSION s-1815 AT desk");
    assert_eq!(status(&workspace), "paused");
    pty.keys("hello\n");
    pty.wait_for("HEARD hello");
    pty.wait_for("back from the session of ada");
    assert_eq!(pty.end(), 0);
    assert_eq!(status(&workspace), "idle");

    let mut pty = step(&workspace);
    pty.wait_for("IN SESSION");
    send(pty.pid(), Signal::TERM);
    assert_eq!(pty.end(), 1);
    assert_eq!(status(&workspace), "idle");
}

#[test]
fn what_cannot_be_stepped_into_is_refused_with_the_reason() {
    let workspace = workspace();
    let refused = |what: &str, says: &str| {
        set(&workspace, what);
        let mut pty = step(&workspace);
        pty.wait_for(says);
        assert_eq!(pty.end(), 4, "{what}");
    };
    refused("session = NULL", "ada has no session yet");
    refused("session = 's', backend = 'shell'", "shell has no interactive form");
    refused("backend = 'mine', directory = '/no/such/folder'", "which is gone");
    assert_eq!(status(&workspace), "idle", "a refusal leases nothing");
    let piped = workspace.try_orc(&["worker", "step", "ada"]);
    assert_eq!(piped.status.code(), Some(2));
}
