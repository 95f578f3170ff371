//! A program on a real pseudo-terminal, and the screen that an operator would see.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What has come out of the terminal.
pub struct Seen {
    pub parser: vt100::Parser<Heard>,
    /// Every byte.
    pub bytes: usize,
    /// The program's side is closed.
    pub ended: bool,
}

/// Output that is no picture.
#[derive(Default)]
pub struct Heard {
    pub bells: usize,
    /// OSC 9: what the terminal was to show beside the bell.
    pub notices: Vec<String>,
    /// OSC 52: what was put on the clipboard, still in base64.
    pub copied: Vec<u8>,
}

impl vt100::Callbacks for Heard {
    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.bells += 1;
    }

    fn unhandled_osc(&mut self, _: &mut vt100::Screen, params: &[&[u8]]) {
        if let [b"9", says @ ..] = params {
            self.notices.push(String::from_utf8_lossy(&says.join(&b";"[..])).into_owned());
        }
    }

    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], data: &[u8]) {
        self.copied = data.to_vec();
    }
}

/// A program on a terminal.
pub struct Pty {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Option<Box<dyn Child + Send + Sync>>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    closing: Arc<AtomicBool>,
    /// Held while the link takes nothing.
    stuck: Arc<Mutex<()>>,
    reader: Option<JoinHandle<()>>,
    /// The terminal's modes before the program changed them.
    pub modes: String,
}

impl Pty {
    /// Starts a program on a terminal of 80 columns and 24 rows.
    pub fn start(command: CommandBuilder) -> Pty {
        Pty::sized(command, 24, 80)
    }

    /// Starts a program on a terminal of any size.
    pub fn sized(command: CommandBuilder, rows: u16, columns: u16) -> Pty {
        let pair = native_pty_system().openpty(size(rows, columns)).unwrap();
        let modes = modes(&*pair.master);
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut from = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let parser = vt100::Parser::new_with_callbacks(rows.try_into().unwrap(), columns.try_into().unwrap(), 0, Heard::default());
        let seen = Arc::new((Mutex::new(Seen { parser, bytes: 0, ended: false }), Condvar::new()));
        let closing = Arc::new(AtomicBool::new(false));
        let stuck = Arc::new(Mutex::new(()));
        let reader = std::thread::spawn({
            let (seen, closing, stuck) = (seen.clone(), closing.clone(), stuck.clone());
            move || {
                let mut chunk = [0; 65536];
                while !closing.load(Ordering::SeqCst) {
                    drop(stuck.lock().unwrap());
                    let got = from.read(&mut chunk).unwrap_or(0);
                    // A test that failed while it looked has said so already.
                    let Ok(mut now) = seen.0.lock() else { break };
                    now.parser.process(&chunk[..got]);
                    now.bytes += got;
                    now.ended = got == 0;
                    seen.1.notify_all();
                    if got == 0 {
                        break;
                    }
                }
            }
        });
        Pty { master: pair.master, writer, child: Some(child), seen, closing, stuck, reader: Some(reader), modes }
    }

    pub fn pid(&self) -> i32 {
        self.child.as_ref().unwrap().process_id().unwrap() as i32
    }

    /// Types.
    pub fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    pub fn resize(&mut self, rows: u16, columns: u16) {
        self.seen.0.lock().unwrap().parser.screen_mut().set_size(rows.try_into().unwrap(), columns.try_into().unwrap());
        self.master.resize(size(rows, columns)).unwrap();
    }

    /// The link takes no more bytes for as long as `during` runs, but for one read that is under way.
    pub fn stuck<T>(&mut self, during: impl FnOnce(&mut Pty) -> T) -> T {
        let stuck = self.stuck.clone();
        let _held = stuck.lock().unwrap();
        during(self)
    }

    /// Looks once.
    pub fn look<T>(&self, at: impl FnOnce(&Seen) -> T) -> T {
        at(&self.seen.0.lock().unwrap())
    }

    /// Waits until what was seen satisfies `wanted`.
    pub fn wait(&self, what: &str, wanted: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut now = self.seen.0.lock().unwrap();
        while !wanted(&now) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !now.ended || wanted(&now),
                "never seen: {what}; the screen is:\n{}",
                now.parser.screen().contents()
            );
            now = self.seen.1.wait_timeout(now, left).unwrap().0;
        }
    }

    /// Waits for a text on the screen.
    pub fn wait_for(&self, text: &str) {
        self.wait(text, |seen| seen.parser.screen().contents().contains(text));
    }

    /// The text on the screen now.
    pub fn text(&self) -> String {
        self.look(|seen| seen.parser.screen().contents())
    }

    /// The terminal's modes now.
    pub fn modes_now(&self) -> String {
        modes(&*self.master)
    }

    /// Asserts that the program left the terminal as it had found it.
    pub fn assert_restored(&self) {
        assert_eq!(self.modes_now(), self.modes, "the terminal's modes");
        self.look(|seen| {
            let screen = seen.parser.screen();
            assert!(!screen.alternate_screen(), "still on the alternate screen");
            assert!(!screen.hide_cursor(), "the cursor is hidden");
            assert!(!screen.bracketed_paste(), "pastes are still bracketed");
        });
    }

    /// Waits for the program's end and gives its exit code; everything that it wrote has been seen then.
    pub fn end(&mut self) -> u32 {
        self.wait("the end", |seen| seen.ended);
        let code = self.child.take().unwrap().wait().unwrap().exit_code();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        code
    }

    /// The link drops: nobody holds the terminal's other side any more. The reader must let go of it first, so the program
    /// is made to write something (`nudge`, a key).
    pub fn hang_up(mut self, nudge: &str) -> Box<dyn Child + Send + Sync> {
        self.closing.store(true, Ordering::SeqCst);
        self.keys(nudge);
        self.reader.take().unwrap().join().unwrap();
        self.child.take().unwrap()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // Only after a test has failed is there anything left.
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn modes(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().unwrap())
}

/// Waits for something outside the terminal.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// CPU time of a process so far, in clock ticks (a hundredth of a second).
pub fn cpu(pid: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// The state letter of a process.
pub fn state(pid: i32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.trim_start().chars().next().unwrap()
}

/// Bytes that a process has written so far, to anything.
pub fn written(pid: i32) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
}
