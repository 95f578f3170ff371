//! The terminal after a panic. The program is this test binary itself, running one of the ignored tests below.

use super::pty::Pty;
use orc::tui::terminal::Terminal;
use portable_pty::CommandBuilder;

const ASKED: &str = "ORC_TEST_TERMINAL_CHILD";

fn child(name: &str) -> Pty {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("terminal::panic::{name}"), "--ignored", "--nocapture"]);
    command.env(ASKED, "1");
    command.env("RUST_BACKTRACE", "0");
    command.env("TERM", "xterm-256color");
    Pty::start(command)
}

fn asked() -> bool {
    std::env::var_os(ASKED).is_some()
}

#[test]
#[ignore = "a program for the test below"]
fn own_thread_child() {
    if asked() {
        let mut terminal = Terminal::open(None).unwrap();
        terminal.enter().unwrap();
        panic!("the console broke");
    }
}

#[test]
fn a_panic_restores_the_terminal_before_it_is_told() {
    let mut pty = child("own_thread_child");
    assert_ne!(pty.end(), 0);
    pty.assert_restored();
    assert!(pty.text().contains("the console broke"), "{}", pty.text());
}

#[test]
#[ignore = "a program for the test below"]
fn other_thread_child() {
    if asked() {
        let mut terminal = Terminal::open(None).unwrap();
        terminal.enter().unwrap();
        std::thread::spawn(|| panic!("the engine broke")).join().unwrap_err();
        println!("still on the console's screen");
        let mut key = String::new();
        std::io::stdin().read_line(&mut key).unwrap_or_default();
        drop(terminal);
    }
}

#[test]
fn a_panic_of_another_thread_leaves_the_screen_alone() {
    let mut pty = child("other_thread_child");
    pty.wait_for("still on the console's screen");
    pty.look(|seen| assert!(seen.parser.screen().alternate_screen()));
    assert!(!pty.text().contains("the engine broke"), "{}", pty.text());
    pty.keys("\n");
    assert_eq!(pty.end(), 0);
    pty.assert_restored();
    assert!(!pty.text().contains("the engine broke"), "{}", pty.text());
}

#[test]
#[ignore = "a program for the test below"]
fn stderr_child() {
    if asked() {
        let file = tempfile::tempfile().unwrap();
        let mut terminal = Terminal::open(Some(file)).unwrap();
        terminal.enter().unwrap();
        std::process::Command::new("/bin/sh").args(["-c", "echo a library complains >&2"]).status().unwrap();
        println!("on the console's screen");
        let mut key = String::new();
        std::io::stdin().read_line(&mut key).unwrap_or_default();
        terminal.leave();
        eprintln!("back on standard error");
    }
}

#[test]
fn what_is_printed_on_standard_error_does_not_reach_the_screen() {
    let mut pty = child("stderr_child");
    pty.wait_for("on the console's screen");
    assert!(!pty.text().contains("complains"), "{}", pty.text());
    pty.keys("\n");
    assert_eq!(pty.end(), 0);
    assert!(pty.text().contains("back on standard error"), "{}", pty.text());
}
