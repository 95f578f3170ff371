//! The console on a real pseudo-terminal: its first frame, a key, and what it costs at rest.

use crate::pty::Pty;
use crate::site::{Site, cpu};
use crate::spread::{Spread, head, line};
use orc::domain::{Command, Lane, Priority};
use orc::os::clock;
use portable_pty::CommandBuilder;
use std::time::{Duration, Instant};

/// How long it is watched at rest.
const WATCH: Duration = Duration::from_secs(10);
/// Between two keys: more than two frames.
const BETWEEN: Duration = Duration::from_millis(80);
const ROWS: u16 = 40;
const COLUMNS: u16 = 120;

pub fn run() {
    println!("console: {COLUMNS}x{ROWS}, hosting the engine");
    let mut site = Site::new(&[]);
    head("a workspace with nothing in it");
    let mut first = Spread::default();
    for _ in 0..10 {
        let (terminal, took) = Terminal::open(&site);
        first.time(took);
        terminal.leave();
    }
    line("start to the first frame", first.show("ms"));
    let (mut terminal, _) = Terminal::open(&site);
    terminal.pty.wait_for("running");
    presses(&mut terminal, "a key to the screen");
    rest(&terminal, "nothing runs");
    let gate = site.path("gate");
    assert!(std::process::Command::new("mkfifo").arg(&gate).status().unwrap().success());
    site.add(&format!(": < {}", gate.display()), Priority::P2, 8);
    site.until("eight run", |s| s.status().is_some_and(|s| s.slots.running == 8));
    rest(&terminal, "eight jobs run, silent");
    drop(std::fs::OpenOptions::new().write(true).open(&gate).unwrap());
    site.until("all ended", |s| s.ended() == 8);
    terminal.leave();

    head("100,000 queued jobs");
    let pause = Command::PauseLane { lane: Lane::Normal, paused: true };
    site.store.write(|tx| orc::store::apply(tx, &pause, &orc::domain::Actor::Operator, clock::now())).unwrap();
    site.add(":", Priority::P2, 100_000);
    let (mut terminal, took) = Terminal::open(&site);
    line("start to the first frame", format!("{:.2} ms", took.as_secs_f64() * 1e3));
    let began = Instant::now();
    terminal.pty.wait_for("running");
    line("from there until the engine runs", format!("{:.0} ms", began.elapsed().as_secs_f64() * 1e3));
    presses(&mut terminal, "a key to the screen");
    scroll(&mut terminal);
    rest(&terminal, "nothing runs");
    terminal.leave();
}

/// A console on a terminal.
pub struct Terminal {
    pub pty: Pty,
}

impl Terminal {
    fn spawn(site: &Site) -> Terminal {
        let plain = site.orc();
        let mut command = CommandBuilder::new(plain.get_program());
        command.args(plain.get_args());
        command.arg("tui");
        command.env_clear();
        for (name, value) in plain.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        for (name, value) in [("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8")] {
            command.env(name, value);
        }
        command.cwd(site.workspace.root());
        Terminal { pty: Pty::sized(command, ROWS, COLUMNS) }
    }

    /// A console, as soon as something is on the screen, and how long that took.
    fn open(site: &Site) -> (Terminal, Duration) {
        let began = Instant::now();
        let terminal = Terminal::spawn(site);
        terminal.pty.wait("a frame", |seen| !seen.parser.screen().contents().trim().is_empty());
        (terminal, began.elapsed())
    }

    /// A console beside a running engine, showing it.
    pub fn attach(site: &Site) -> Terminal {
        let terminal = Terminal::spawn(site);
        terminal.pty.wait_for("running");
        terminal
    }

    pub fn pid(&self) -> i32 {
        self.pty.pid()
    }

    pub fn bytes(&self) -> usize {
        self.pty.look(|seen| seen.bytes)
    }

    /// Presses a key and waits until the screen is as `wanted` (what it is, what it was); how long, and how many bytes.
    fn press(&mut self, key: &str, wanted: impl Fn(&str, &str) -> bool) -> (Duration, usize) {
        let (before, bytes, began) = (self.pty.text(), self.bytes(), Instant::now());
        self.pty.keys(key);
        self.pty.wait("what the key does", |seen| wanted(&seen.parser.screen().contents(), &before));
        let took = began.elapsed();
        (took, self.bytes() - bytes)
    }

    /// `q`, and no engine stays.
    fn leave(mut self) {
        self.pty.keys("q");
        let asks = |seen: &crate::pty::Seen| seen.ended || seen.parser.screen().contents().contains("leave");
        self.pty.wait("the end or the question", asks);
        if !self.pty.look(|seen| seen.ended) {
            self.pty.keys("e");
        }
        self.pty.end();
    }
}

/// Goes between two views: a whole screen each time.
pub fn presses(terminal: &mut Terminal, what: &str) {
    let (mut time, mut bytes) = (Spread::default(), Spread::default());
    for _ in 0..20 {
        for (key, text) in [("2", "id state"), ("1", "Token budget")] {
            std::thread::sleep(BETWEEN);
            let (took, sent) = terminal.press(key, |screen, _| screen.contains(text));
            time.time(took);
            bytes.number(sent as f64);
        }
    }
    line(&format!("{what}, a whole new view"), time.show("ms"));
    line("its bytes", bytes.show("bytes"));
}

/// Through the list of jobs, a line and a page at a time.
fn scroll(terminal: &mut Terminal) {
    terminal.press("2", |screen, _| screen.contains("#100") && screen.contains("id state"));
    for (what, key) in [("a line further in the list", "j"), ("a page further", "\x1b[6~")] {
        let (mut time, mut bytes) = (Spread::default(), Spread::default());
        for _ in 0..30 {
            std::thread::sleep(BETWEEN);
            let (took, sent) = terminal.press(key, |screen, before| screen != before);
            time.time(took);
            bytes.number(sent as f64);
        }
        line(what, time.show("ms"));
        line("its bytes", bytes.show("bytes"));
    }
}

/// What the console and its engine cost while nobody touches them.
fn rest(terminal: &Terminal, when: &str) {
    // What was begun is over by then.
    std::thread::sleep(Duration::from_secs(1));
    let pid = terminal.pid();
    let before = (cpu(pid), wakeups(pid), terminal.bytes());
    std::thread::sleep(WATCH);
    let (used, woken, sent) = (cpu(pid) - before.0, wakeups(pid) - before.1, terminal.bytes() - before.2);
    line(&format!("{} s while {when}", WATCH.as_secs()), format!("{} ms of CPU, {woken} wake-ups, {sent} bytes", used.as_millis()));
}

/// How often the threads of a process have gone to sleep of their own accord.
fn wakeups(pid: i32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let status = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
    let count = |text: String| text.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:")?.trim().parse::<u64>().ok());
    tasks.filter_map(|t| count(status(t))).sum()
}
