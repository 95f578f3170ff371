//! The console on a real terminal: start, idle, resize, leave, suspend, hang-up.

const CTRL_L: &str = "\x0c";
const CTRL_O: &str = "\x0f";
use super::workspace::Workspace;
#[test]
fn shows() {
    let w = Workspace::new();
    let mut pty = w.console();
    pty.wait("frame", |s| s.bytes > 1000);
    std::thread::sleep(std::time::Duration::from_secs(2));
    eprintln!("{}", pty.text());
    pty.keys("n");
    std::thread::sleep(std::time::Duration::from_secs(1));
    eprintln!("{}", pty.text());
    pty.keys("\x1b");
    pty.keys("?");
    std::thread::sleep(std::time::Duration::from_secs(1));
    eprintln!("{}", pty.text());
}
