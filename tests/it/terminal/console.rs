//! The console on a real terminal: start, idle, resize, leave, suspend, hang-up.

use super::pty::{Pty, cpu, eventually, state, written};
use portable_pty::CommandBuilder;
use rustix::process::{Pid, Signal, kill_process};

const CTRL_L: &str = "\x0c";
const CTRL_O: &str = "\x0f";
const CTRL_Z: &str = "\x1a";

fn console() -> CommandBuilder {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_orc"));
    for (name, value) in [("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8")] {
        command.env(name, value);
    }
    command
}

fn open() -> Pty {
    let pty = Pty::start(console());
    pty.wait_for("Dashboard");
    pty
}

fn send(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[test]
fn leaving_restores_the_terminal_and_says_what_goes_on() {
    let mut pty = open();
    assert_ne!(pty.modes_now(), pty.modes, "raw mode");
    pty.look(|seen| assert!(seen.parser.screen().alternate_screen() && seen.parser.screen().bracketed_paste()));
    pty.keys("q");
    assert_eq!(pty.end(), 0);
    pty.assert_restored();
    assert!(pty.text().contains("The engine goes on in the background"), "{}", pty.text());
}

#[test]
fn a_signal_restores_the_terminal() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut pty = open();
        send(pty.pid(), signal);
        assert_eq!(pty.end(), 128 + signal.as_raw() as u32);
        pty.assert_restored();
    }
}

#[test]
fn a_resize_draws_for_the_new_size() {
    let mut pty = open();
    pty.resize(40, 120);
    pty.wait("the new size", |seen| seen.parser.screen().contents().contains("120x40"));
    pty.resize(10, 30);
    pty.wait("the new size", |seen| seen.parser.screen().contents().contains("30x10"));
}

#[test]
fn an_idle_console_writes_nothing() {
    let mut pty = open();
    let before = pty.look(|seen| seen.bytes);
    for _ in 0..20 {
        assert!(std::process::Command::new("/bin/true").status().unwrap().success());
    }
    assert_eq!(pty.look(|seen| seen.bytes), before);
    pty.keys("?");
    pty.wait("help", |seen| seen.bytes > before);
}

#[test]
fn suspend_gives_the_shell_its_terminal_and_fg_comes_back() {
    let mut shell = CommandBuilder::new("/bin/sh");
    shell.args(["-i"]);
    for (name, value) in [("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8"), ("PS1", "READY> ")] {
        shell.env(name, value);
    }
    let mut pty = Pty::start(shell);
    pty.wait_for("READY>");
    pty.modes = pty.modes_now();
    pty.keys(&format!("{}\n", env!("CARGO_BIN_EXE_orc")));
    pty.wait_for("Dashboard");
    pty.keys(CTRL_Z);
    pty.wait("the shell", |seen| !seen.parser.screen().alternate_screen() && seen.parser.screen().contents().contains("Stopped"));
    pty.keys("echo modes $(stty -a | grep -c ' icanon') end\n");
    pty.wait_for("modes 1 end");
    pty.keys("fg\n");
    pty.wait("the console", |seen| seen.parser.screen().alternate_screen() && seen.parser.screen().contents().contains("Dashboard"));
    pty.keys("q");
    pty.wait("the shell", |seen| !seen.parser.screen().alternate_screen());
    pty.keys("exit\n");
    assert_eq!(pty.end(), 0);
}

#[test]
fn without_a_shell_above_it_suspending_is_refused() {
    let mut pty = open();
    pty.keys(CTRL_Z);
    pty.wait_for("no shell to go back to");
    assert_ne!(state(pty.pid()), 'T');
    pty.keys("q");
    assert_eq!(pty.end(), 0);
}

#[test]
fn the_editor_gets_the_terminal_and_its_text_comes_back() {
    let mut command = console();
    // An editor that shows that it has a sane terminal, and changes the text.
    command.env("VISUAL", "f() { stty -a | grep -q ' icanon' && printf 'EDITING '; cat \"$1\"; read line; echo \"$line\" > \"$1\"; }; f");
    let mut pty = Pty::start(command);
    pty.wait_for("Dashboard");
    pty.keys(CTRL_O);
    pty.wait_for("EDITING old text");
    pty.look(|seen| assert!(!seen.parser.screen().alternate_screen()));
    pty.keys("new text\n");
    pty.wait_for("Ok(\"new text\")");
    pty.look(|seen| assert!(seen.parser.screen().alternate_screen()));
    pty.keys("q");
    assert_eq!(pty.end(), 0);
    pty.assert_restored();
}

#[test]
fn after_a_hang_up_the_engine_goes_on_without_a_terminal_and_without_spinning() {
    let pty = open();
    let pid = pty.pid();
    let mut child = pty.hang_up(CTRL_L);
    eventually("the dead terminal is let go", || {
        (0..3).all(|fd| std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).is_ok_and(|path| path.as_os_str() == "/dev/null"))
    });
    let before = cpu(pid);
    for _ in 0..20 {
        assert!(std::process::Command::new("/bin/sleep").arg("0.1").status().unwrap().success());
    }
    assert!(cpu(pid) - before < 20, "it spins");
    send(pid, Signal::TERM);
    assert_eq!(child.wait().unwrap().exit_code(), 128 + 15);
}

#[test]
fn a_copy_goes_to_the_operators_clipboard_and_the_bell_rings() {
    let mut pty = open();
    pty.keys("yb");
    pty.wait("the copy", |seen| seen.parser.callbacks().copied == b"Y29waWVk");
    pty.wait("the bell", |seen| seen.parser.callbacks().bells == 1);
    pty.keys("q");
    assert_eq!(pty.end(), 0);
}

#[test]
fn a_stuck_link_holds_up_nothing_and_then_gets_the_newest_frame() {
    let mut pty = open();
    pty.stuck(|pty| {
        fill(pty);
        pty.keys("?");
    });
    pty.wait_for("help");

    pty.stuck(|pty| {
        fill(pty);
        send(pty.pid(), Signal::TERM);
        eventually("the end", || state(pty.pid()) == 'Z');
    });
    assert_eq!(pty.end(), 128 + 15);
}

/// Makes the console draw until its terminal takes no more.
fn fill(pty: &mut Pty) {
    let (mut last, mut same) = (0, 0);
    eventually("the terminal is full", || {
        pty.keys(CTRL_L);
        let now = written(pty.pid());
        same = if now == last { same + 1 } else { 0 };
        last = now;
        // Longer than several frames take.
        same > 40
    });
}
