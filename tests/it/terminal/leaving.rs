//! Leaving the console in every way, and what becomes of the engine and its jobs then.

use super::pty::{Pty, cpu, eventually, state};
use super::workspace::{Workspace, send};
use portable_pty::CommandBuilder;
use rustix::process::Signal;

const CTRL_L: &str = "\x0c";
const CTRL_Z: &str = "\x1a";

#[test]
fn leaving_restores_the_terminal() {
    let workspace = Workspace::new();
    let mut pty = workspace.console();
    assert_ne!(pty.modes_now(), pty.modes, "raw mode");
    pty.look(|seen| assert!(seen.parser.screen().alternate_screen() && seen.parser.screen().bracketed_paste()));
    pty.keys("q");
    assert_eq!(pty.end(), 0);
    pty.assert_restored();
    assert!(pty.text().contains("The engine has ended. No job is running."), "{}", pty.text());
    assert!(!workspace.has_engine());
}

#[test]
fn with_work_running_a_headless_engine_takes_over() {
    let workspace = Workspace::new();
    let mut pty = workspace.console();
    let job = workspace.held_job();
    let attempt = workspace.running_attempt(&job);
    let console = pty.pid();
    assert_eq!(workspace.engine_pid(), console);
    pty.wait_for("held");
    pty.keys("q");
    pty.wait_for("a headless engine takes over");
    pty.keys("\r");
    assert_eq!(pty.end(), 0);
    pty.assert_restored();
    assert!(pty.text().contains("The engine goes on in the background"), "{}", pty.text());
    assert_ne!(workspace.engine_pid(), console);
    assert_eq!(workspace.running_attempt(&job), attempt, "the job goes on untouched");

    // A console attaches to it, and leaving that one asks nothing.
    let mut second = workspace.console();
    second.wait_for("held");
    second.keys("q");
    assert_eq!(second.end(), 0);
    assert!(workspace.has_engine());

    workspace.release();
    workspace.orc(&["job", "wait", &job]);
}

#[test]
fn ending_the_engine_leaves_the_job_running() {
    let workspace = Workspace::new();
    let mut pty = workspace.console();
    let job = workspace.held_job();
    let attempt = workspace.running_attempt(&job);
    pty.wait_for("held");
    pty.keys("q");
    pty.wait_for("end the engine and leave");
    pty.keys("e");
    assert_eq!(pty.end(), 0);
    assert!(pty.text().contains("The engine has ended. 1 job is running"), "{}", pty.text());
    assert!(!workspace.has_engine());

    let mut next = workspace.console();
    next.wait_for("held");
    assert_eq!(workspace.running_attempt(&job), attempt, "adopted, not started again");
    workspace.release();
    next.wait_for("1 done");
    next.keys("q");
    assert_eq!(next.end(), 0);
}

#[test]
fn a_signal_restores_the_terminal_and_releases_the_lock() {
    for signal in [Signal::TERM, Signal::INT] {
        let workspace = Workspace::new();
        let mut pty = workspace.console();
        send(pty.pid(), signal);
        assert_eq!(pty.end(), 128 + signal.as_raw() as u32);
        pty.assert_restored();
        assert!(!workspace.has_engine());
    }
}

#[test]
fn suspending_hands_over_gives_the_shell_its_terminal_and_fg_comes_back() {
    let workspace = Workspace::new();
    let mut shell = CommandBuilder::new("/bin/sh");
    shell.args(["-i"]);
    for (name, value) in [("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8"), ("PS1", "READY> ")] {
        shell.env(name, value);
    }
    shell.env("ORC_WORKSPACE", workspace.path());
    let mut pty = Pty::start(shell);
    pty.wait_for("READY>");
    pty.keys(&format!("{} tui\n", env!("CARGO_BIN_EXE_orc")));
    pty.wait_for("● running");
    let console = workspace.engine_pid();
    pty.keys(CTRL_Z);
    pty.wait("the shell", |seen| !seen.parser.screen().alternate_screen() && seen.parser.screen().contents().contains("Stopped"));
    assert_eq!(state(console), 'T');
    let engine = workspace.engine_pid();
    assert_ne!(engine, console, "a stopped process is no engine");
    pty.keys("echo modes $(stty -a | grep -c ' icanon') end\n");
    pty.wait_for("modes 1 end");
    // Work goes on meanwhile.
    let job = workspace.job("meanwhile", "true");
    workspace.orc(&["job", "wait", &job]);
    pty.resize(30, 100);
    pty.keys("fg\n");
    pty.wait("the console", |seen| {
        let screen = seen.parser.screen();
        screen.alternate_screen() && screen.contents().contains("1 done") && screen.contents_between(29, 0, 29, 100).contains("q leave")
    });
    pty.keys("q");
    pty.wait("the shell", |seen| !seen.parser.screen().alternate_screen());
    pty.keys("exit\n");
    assert_eq!(pty.end(), 0);
    assert_eq!(workspace.engine_pid(), engine, "the engine is not the console's to end any more");
}

#[test]
fn a_stopped_console_can_be_killed() {
    let workspace = Workspace::new();
    let mut shell = CommandBuilder::new("/bin/sh");
    shell.args(["-i"]);
    for (name, value) in [("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8"), ("PS1", "READY> ")] {
        shell.env(name, value);
    }
    shell.env("ORC_WORKSPACE", workspace.path());
    let mut pty = Pty::start(shell);
    pty.wait_for("READY>");
    pty.keys(&format!("{} tui\n", env!("CARGO_BIN_EXE_orc")));
    pty.wait_for("● running");
    let console = workspace.engine_pid();
    pty.keys(CTRL_Z);
    pty.wait("the shell", |seen| !seen.parser.screen().alternate_screen() && seen.parser.screen().contents().contains("Stopped"));
    pty.keys(&format!("kill %1; kill -CONT {console}\n"));
    eventually("the console ends", || !std::fs::exists(format!("/proc/{console}")).unwrap() || state(console) == 'Z');
    // The first line lets the shell notice; where its last thread was slower than that, the shell wants to be told twice.
    pty.keys("\nexit\nexit\n");
    pty.end();
}

#[test]
fn without_a_shell_above_it_suspending_is_refused() {
    let workspace = Workspace::new();
    let mut pty = workspace.console();
    pty.keys(CTRL_Z);
    pty.wait_for("no shell to go back to");
    assert_ne!(state(pty.pid()), 'T');
    assert_eq!(workspace.engine_pid(), pty.pid(), "nothing was handed over");
    pty.keys("q");
    assert_eq!(pty.end(), 0);
}

#[test]
fn after_a_hang_up_the_process_goes_on_as_the_engine() {
    let workspace = Workspace::new();
    let pty = workspace.console();
    let pid = pty.pid();
    let held = workspace.held_job();
    let attempt = workspace.running_attempt(&held);
    let mut child = pty.hang_up(CTRL_L);
    eventually("the dead terminal is let go", || {
        (0..3).all(|fd| std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).is_ok_and(|path| path.as_os_str() == "/dev/null"))
    });
    let before = cpu(pid);
    let job = workspace.job("a second", "sleep 1");
    workspace.orc(&["job", "wait", &job]);
    assert!(cpu(pid) - before < 50, "a second's work took half a second of CPU: it spins");
    assert_eq!(workspace.engine_pid(), pid);
    assert_eq!(workspace.running_attempt(&held), attempt);
    workspace.release();
    workspace.orc(&["job", "wait", &held]);

    // The operator comes back and sees what happened, and the engine listens to signals.
    let mut second = workspace.console();
    second.wait_for("the console's terminal is gone");
    second.keys("q");
    assert_eq!(second.end(), 0);
    send(pid, Signal::TERM);
    assert_eq!(child.wait().unwrap().exit_code(), 128 + 15);
    assert!(!workspace.has_engine());
}

#[test]
fn an_attached_console_ends_when_its_terminal_hangs_up() {
    let workspace = Workspace::new();
    let mut host = workspace.console();
    let attached = workspace.console();
    let mut child = attached.hang_up(CTRL_L);
    assert_eq!(child.wait().unwrap().exit_code(), 128 + 1);
    assert_eq!(workspace.engine_pid(), host.pid());
    host.keys("q");
    assert_eq!(host.end(), 0);
}

#[test]
fn a_console_that_only_watches_hosts_nothing_and_changes_nothing() {
    let workspace = Workspace::new();
    let mut command = workspace.console_command();
    command.arg("--watch");
    let mut watching = Pty::start(command);
    watching.wait_for("disconnected");
    assert!(!workspace.has_engine());
    let mut host = workspace.console();
    watching.wait_for("● running");
    let job = workspace.held_job();
    watching.wait_for("held");
    let attempt = workspace.running_attempt(&job);
    watching.keys("2");
    watching.wait_for("id state");
    watching.keys("x");
    watching.keys("\r");
    watching.keys("q");
    assert_eq!(watching.end(), 0);
    assert_eq!(workspace.running_attempt(&job), attempt);
    workspace.release();
    host.wait_for("1 done");
    host.keys("q");
    assert_eq!(host.end(), 0);
}

#[test]
fn an_attached_console_outlives_the_engine_and_finds_the_next_one() {
    let workspace = Workspace::new();
    let mut host = workspace.console();
    let mut attached = workspace.console();
    host.keys("q");
    assert_eq!(host.end(), 0);
    attached.wait("that the engine is gone", |seen| !seen.parser.screen().contents().contains("● running"));
    let mut next = workspace.console();
    attached.wait_for("● running");
    attached.keys("q");
    assert_eq!(attached.end(), 0);
    next.keys("q");
    assert_eq!(next.end(), 0);
}
