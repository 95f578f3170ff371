//! The operator's terminal: raw mode, the alternate screen, and back. Everything that enters it can also leave it, from
//! any path: quit, error, panic, signal, suspend.
//!
//! The console opens the terminal anew instead of using descriptors 0 and 1. The new open file description can be
//! non-blocking without changing the shell's, so that no read and no write of the console ever blocks: a dead link delays
//! nothing but the frames that it swallows.

use super::hangup::Link;
use ratatui::layout::Size;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr, ttyname};
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::PanicHookInfo;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Alternate screen, bracketed paste, no cursor, cleared. The mouse stays the terminal's, for selecting text.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[?25l\x1b[0m\x1b[2J";
/// The reverse. It begins with ESC, which ends any sequence that a cut write left open; then the end of a synchronized
/// frame, since a terminal that waits for one shows nothing.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?25h\x1b[?1049l";
/// How long leaving waits for a link that takes no bytes.
const LEAVE_PATIENCE: Duration = Duration::from_millis(500);
/// What a terminal that does not know its size is taken for.
const UNKNOWN_SIZE: Size = Size { width: 80, height: 24 };

/// No screen is larger; a size beyond it is a mistake that would cost gigabytes.
const LARGEST: Size = Size { width: 2_000, height: 1_000 };

/// The terminal could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    #[error(
        "standard input and output are not a terminal: `orc tui` needs one; in scripts use `orc job`, `orc log` and the like with `--json`"
    )]
    NotATerminal,
    #[error("the terminal cannot be opened: {0}; is it another user's? log in as this user, or use `ssh -t`")]
    Open(io::Error),
    #[error("the terminal does not take raw mode: {0}")]
    Mode(io::Error),
}

/// The terminal, opened for this console alone. Dropping it leaves the console's screen.
#[derive(Debug)]
pub struct Terminal {
    tty: Arc<Tty>,
    inside: bool,
}

/// The open terminal and the modes that it had before.
#[derive(Debug)]
struct Tty {
    fd: OwnedFd,
    before: Termios,
    stderr: Option<Stderr>,
}

/// Where standard error goes while the console has the screen, and where it went before. Libraries print there, and a
/// line in the middle of a frame stays until that cell changes.
#[derive(Debug)]
struct Stderr {
    file: OwnedFd,
    before: OwnedFd,
}

impl Terminal {
    /// Opens the terminal behind standard input. Nothing is changed yet. `stderr` takes standard error while the console has
    /// the screen.
    ///
    /// # Errors
    /// There is no terminal, or it cannot be opened.
    pub fn open(stderr: Option<File>) -> Result<Terminal, TerminalError> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(TerminalError::NotATerminal);
        }
        let fd = reopen(io::stdin().as_fd()).map_err(TerminalError::Open)?;
        let before = tcgetattr(&fd).map_err(|e| TerminalError::Mode(e.into()))?;
        let stderr = stderr.map(Stderr::new).transpose().map_err(TerminalError::Open)?;
        Ok(Terminal { tty: Arc::new(Tty { fd, before, stderr }), inside: false })
    }

    /// Raw mode and the console's screen. From here on a panic of this thread restores the terminal first, and panics of
    /// other threads go to the log instead of the screen.
    ///
    /// # Errors
    /// The terminal refuses raw mode, or is gone.
    pub fn enter(&mut self) -> Result<(), TerminalError> {
        let mut raw = self.tty.before.clone();
        raw.make_raw();
        install_hook();
        *occupant() = Some(Occupant { thread: thread::current().id(), tty: self.tty.clone() });
        self.inside = true;
        if let Some(stderr) = &self.tty.stderr {
            let _ = rustix::stdio::dup2_stderr(&stderr.file);
        }
        tcsetattr(&self.tty.fd, OptionalActions::Now, &raw).map_err(|e| TerminalError::Mode(e.into()))?;
        self.tty.write_patiently(ENTER, LEAVE_PATIENCE).map_err(TerminalError::Mode)
    }

    /// Back to what the terminal was. Waits a moment for a link that takes no bytes, then gives up; a terminal that is
    /// gone needs nothing.
    pub fn leave(&mut self) {
        if std::mem::take(&mut self.inside) {
            // Whoever clears the occupant restores: a panic hook may have been first.
            if let Some(occupant) = occupant().take() {
                occupant.tty.restore();
            }
        }
    }

    /// Columns and rows.
    pub fn size(&self) -> Size {
        match tcgetwinsize(&self.tty.fd) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Size { width: size.ws_col.min(LARGEST.width), height: size.ws_row.min(LARGEST.height) }
            }
            _ => UNKNOWN_SIZE,
        }
    }

    /// The terminal listens to this process's group. The kernel stops a group in the background that touches the modes.
    pub fn is_foreground(&self) -> bool {
        self.tty.is_foreground()
    }

    /// The bytes in and out. Call it inside a runtime.
    ///
    /// # Errors
    /// The runtime cannot wait for this descriptor.
    // The successor of `with_interest` is `unsafe`: its caller promises that the descriptor stays open and the same, which
    // `Tty` does by owning it behind an `Arc`.
    #[allow(deprecated)]
    pub fn line(&self) -> Result<Line, TerminalError> {
        let both = Interest::READABLE | Interest::WRITABLE;
        AsyncFd::with_interest(self.tty.clone(), both).map(Line).map_err(TerminalError::Open)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The terminal as a line of bytes that never blocks.
#[derive(Debug)]
pub struct Line(AsyncFd<Arc<Tty>>);

impl Line {
    /// Waits until there may be something to read, a hang-up included.
    ///
    /// # Errors
    /// The runtime is going away.
    pub async fn readable(&self) -> io::Result<()> {
        self.0.readable().await.map(drop)
    }

    /// Waits until the terminal may take bytes.
    ///
    /// # Errors
    /// The runtime is going away.
    pub async fn writable(&self) -> io::Result<()> {
        self.0.writable().await.map(drop)
    }

    /// Reads what is there.
    pub fn read(&self, into: &mut [u8]) -> Link {
        Link::of(self.0.try_io(Interest::READABLE, |tty| Ok(rustix::io::read(&tty.fd, into)?)))
    }

    /// Writes what it takes.
    pub fn write(&self, bytes: &[u8]) -> Link {
        Link::of(self.0.try_io(Interest::WRITABLE, |tty| Ok(rustix::io::write(&tty.fd, bytes)?)))
    }
}

impl AsRawFd for Tty {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl Tty {
    fn is_foreground(&self) -> bool {
        match tcgetpgrp(&self.fd) {
            Ok(group) => group.as_raw_pid() == super::suspend::own_group(),
            // The terminal's group lies outside this container; this process's may as well.
            Err(error) => error == Errno::OPNOTSUPP && super::suspend::own_group() == 0,
        }
    }

    /// Best effort by nature: it runs on the way out, and a terminal that fails here is gone.
    fn restore(&self) {
        if let Some(stderr) = &self.stderr {
            let _ = rustix::stdio::dup2_stderr(&stderr.before);
        }
        if !self.is_foreground() {
            return;
        }
        let _ = self.write_patiently(LEAVE, LEAVE_PATIENCE);
        // Not `Drain`: that would wait for a link that takes no bytes.
        let _ = tcsetattr(&self.fd, OptionalActions::Now, &self.before);
    }

    fn write_patiently(&self, mut bytes: &[u8], patience: Duration) -> io::Result<()> {
        let deadline = Instant::now() + patience;
        while !bytes.is_empty() {
            match rustix::io::write(&self.fd, bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
                    match poll(&mut [PollFd::new(&self.fd, PollFlags::OUT)], Some(&timeout)) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(e) => return Err(e.into()),
                    }
                }
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }
}

impl Stderr {
    fn new(file: File) -> io::Result<Stderr> {
        Ok(Stderr { file: file.into(), before: rustix::io::fcntl_dupfd_cloexec(io::stderr().as_fd(), 3)? })
    }
}

/// A new open file description of the same terminal. By name first; `/dev/tty` works where the name is another user's
/// (after `su`) but only for the controlling terminal.
fn reopen(terminal: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let named = ttyname(terminal, Vec::new()).and_then(|name| rustix::fs::open(name, flags, Mode::empty()));
    named.or_else(|_| rustix::fs::open("/dev/tty", flags, Mode::empty())).map_err(io::Error::from)
}

/// Who has the terminal now: the one piece of process-wide state, since a panic hook is process-wide.
struct Occupant {
    thread: ThreadId,
    tty: Arc<Tty>,
}

static OCCUPANT: Mutex<Option<Occupant>> = Mutex::new(None);

fn occupant() -> std::sync::MutexGuard<'static, Option<Occupant>> {
    OCCUPANT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wraps the hook that is in force: the console's own thread gives the terminal back before that one prints; another
/// thread's panic, the hosted engine's say, must not be printed over the screen.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            let mut occupant = occupant();
            match occupant.as_ref().map(|o| o.thread == thread::current().id()) {
                Some(true) => {
                    if let Some(occupant) = occupant.take() {
                        occupant.tty.restore();
                    }
                    drop(occupant);
                    before(info);
                }
                Some(false) => {
                    drop(occupant);
                    tracing::error!(thread = thread::current().name().unwrap_or("?"), "{info}");
                }
                None => {
                    drop(occupant);
                    before(info);
                }
            }
        }));
    });
}
