//! The console on a real terminal: first frame, size, silence, clipboard, editor, a link that is stuck.

use super::pty::{Pty, eventually, state, written};
use super::workspace::{Workspace, send};
use rustix::process::Signal;

const CTRL_L: &str = "\x0c";
const CTRL_O: &str = "\x0f";

#[test]
fn the_first_frame_does_not_wait_for_the_engine() {
    let workspace = Workspace::new();
    // An engine's first act is a change to the database, which somebody else holds here.
    let database = rusqlite::Connection::open(workspace.path().join("pm.db")).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut pty = Pty::start(workspace.console_command());
    pty.wait_for("starting");
    pty.keys("?");
    pty.wait_for("Help");
    database.execute_batch("ROLLBACK").unwrap();
    pty.wait_for("● running");
    back(&mut pty);
    pty.keys("q");
    assert_eq!(pty.end(), 0);
}

#[test]
fn a_resize_draws_for_the_new_size_and_too_small_says_so() {
    let workspace = Workspace::new();
    let mut pty = workspace.console();
    for (rows, columns) in [(40, 120), (24, 80), (50, 200)] {
        pty.resize(rows, columns);
        pty.wait("the key line at the bottom, the frame's corner at the right", |seen| {
            let screen = seen.parser.screen();
            screen.contents_between(rows - 1, 0, rows - 1, columns).contains("q leave")
                && (0..rows).any(|row| screen.cell(row, columns - 1).is_some_and(|cell| cell.contents() == "╮"))
        });
    }
    pty.resize(4, 12);
    pty.wait("that it is too small", |seen| seen.parser.screen().contents().contains("orc needs"));
    pty.resize(24, 80);
    pty.wait_for("q leave");
    pty.keys("q");
    assert_eq!(pty.end(), 0);
}

#[test]
fn an_idle_console_writes_nothing() {
    let workspace = Workspace::new();
    let mut pty = workspace.console();
    pty.wait_for("engine took over");
    // Long enough for many frames, whose end a reader's work marks. The clock's minute may turn once meanwhile; of two
    // stretches it spares one.
    let quiet = (0..2).any(|_| {
        let before = pty.look(|seen| seen.bytes);
        for _ in 0..10 {
            workspace.orc(&["job", "ls"]);
        }
        pty.look(|seen| seen.bytes) == before
    });
    assert!(quiet, "an idle console writes");
    let before = pty.look(|seen| seen.bytes);
    pty.keys("?");
    pty.wait("help", |seen| seen.bytes > before);
    back(&mut pty);
    pty.keys("q");
    assert_eq!(pty.end(), 0);
}

#[test]
fn a_copy_goes_to_the_operators_clipboard_and_to_a_private_file() {
    let workspace = Workspace::new();
    let id = workspace.job("copied", "true");
    let mut pty = workspace.console();
    pty.wait_for("1 done");
    pty.keys("2");
    pty.wait_for("▌      #1 ✓ done");
    pty.keys("y");
    pty.wait("the copy", |seen| seen.parser.callbacks().copied == b"MQ==");
    pty.wait_for("to your clipboard; also in");
    eventually("the kept copy", || std::fs::read_to_string(workspace.path().join("run/clipboard")).is_ok_and(|kept| kept == id));
    pty.keys("q");
    assert_eq!(pty.end(), 0);
}

#[test]
fn the_editor_gets_the_terminal_and_its_text_comes_back() {
    let workspace = Workspace::new();
    let editor = workspace.path().join("editor");
    // It shows that it has a sane terminal and the old text, and then writes a new one.
    let script = "#!/bin/sh\nstty -a | grep -q ' icanon' && printf 'EDITING '; cat \"$2\"; read line; echo \"$1 $line\" > \"$2\"\n";
    std::fs::write(&editor, script).unwrap();
    assert!(std::process::Command::new("chmod").arg("+x").arg(&editor).status().unwrap().success());
    let mut command = workspace.console_command();
    command.env("VISUAL", format!("{} edited", editor.display()));
    let mut pty = Pty::start(command);
    pty.wait_for("● running");
    pty.keys("n");
    pty.wait_for("Dispatch a job");
    pty.keys("draft");
    pty.wait_for("draft");
    pty.keys(CTRL_O);
    pty.wait_for("EDITING draft");
    pty.look(|seen| assert!(!seen.parser.screen().alternate_screen()));
    pty.keys("by hand\n");
    pty.wait_for("edited by hand");
    pty.look(|seen| assert!(seen.parser.screen().alternate_screen()));
    let left: Vec<_> = std::fs::read_dir(workspace.path().join("run")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".md")), "{left:?}");
    send(pty.pid(), Signal::TERM);
    assert_eq!(pty.end(), 128 + 15);
    pty.assert_restored();
}

#[test]
fn a_stuck_link_holds_up_nothing_and_then_gets_the_newest_frame() {
    let workspace = Workspace::new();
    let mut pty = workspace.console();
    pty.stuck(|pty| {
        fill(pty);
        pty.keys("n");
    });
    pty.wait_for("Dispatch a job");

    pty.stuck(|pty| {
        fill(pty);
        send(pty.pid(), Signal::TERM);
        eventually("the end", || state(pty.pid()) == 'Z');
    });
    assert_eq!(pty.end(), 128 + 15);
}

/// Closes the help. A key right behind the ESC would make it an Alt key.
fn back(pty: &mut Pty) {
    pty.keys("\x1b");
    pty.wait("no help", |seen| !seen.parser.screen().contents().contains("Help"));
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
