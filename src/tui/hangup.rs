//! When the terminal is gone.

use rustix::fs::{Mode, OFlags};
use std::io;

/// Puts `/dev/null` on descriptors 0, 1 and 2. Writes to a dead terminal fail, and a print that fails is a panic; children
/// that are started later would inherit the dead descriptors.
///
/// # Errors
/// `/dev/null` cannot be opened.
pub fn detach_stdio() -> io::Result<()> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

/// What a read or a write says of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// So many bytes went over.
    Moved(usize),
    /// Nothing can move now.
    Busy,
    /// The terminal hung up: end of file, an I/O error, anything that will not get better.
    Gone,
}

impl Link {
    /// Reads a result of a non-blocking `read` or `write`. No bytes at all is end of file: only a terminal that is gone
    /// says so in raw mode.
    pub fn of(result: io::Result<usize>) -> Link {
        match result {
            Ok(0) => Link::Gone,
            Ok(n) => Link::Moved(n),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Link::Busy,
            Err(_) => Link::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn only_waiting_is_not_the_end() {
        assert_eq!(Link::of(Ok(3)), Link::Moved(3));
        for busy in [Errno::AGAIN, Errno::INTR] {
            assert_eq!(Link::of(Err(busy.into())), Link::Busy, "{busy:?}");
        }
        assert_eq!(Link::of(Ok(0)), Link::Gone);
        for gone in [Errno::IO, Errno::BADF, Errno::NODEV] {
            assert_eq!(Link::of(Err(gone.into())), Link::Gone, "{gone:?}");
        }
    }
}
