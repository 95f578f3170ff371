//! The agent's two streams: verbatim logs, whole lines of bounded length, and the end of what it said on standard error.

use crate::domain::{AgentEvent, Level};
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::time::Duration;
use tokio::time::Instant;

/// The longest line of standard output that is parsed; tool results with images in them are megabytes.
pub const STDOUT_LINE_MAX: usize = 4 << 20;
/// The longest line of standard error that is shown; the log has the rest.
pub const STDERR_LINE_MAX: usize = 4 << 10;
/// What a line buffer keeps between lines.
const KEEP: usize = 16 << 10;
/// How much of standard error is kept for the verdict.
const TAIL: usize = 8 << 10;
/// At most so many lines of standard error become events in each window; the log has them all.
const STDERR_BURST: u32 = 100;
const STDERR_WINDOW: Duration = Duration::from_secs(10);

/// Makes lines out of chunks.
#[derive(Debug)]
pub struct Lines {
    max: usize,
    line: Vec<u8>,
    /// The length of the line so far, also of what was not kept.
    length: usize,
}

impl Lines {
    pub fn new(max: usize) -> Lines {
        Lines { max, line: Vec::new(), length: 0 }
    }

    /// Calls `each` with every line that ends in this chunk, without its newline, and with the length that it really had:
    /// of a longer line than `max` only the beginning was kept.
    pub fn push(&mut self, chunk: &[u8], mut each: impl FnMut(&[u8], usize)) {
        let mut rest = chunk;
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            if self.length == 0 && end <= self.max {
                each(&rest[..end], end);
            } else {
                self.keep(&rest[..end]);
                self.flush(&mut each);
            }
            rest = &rest[end + 1..];
        }
        self.keep(rest);
    }

    /// Calls `each` with a last line that has no newline.
    pub fn finish(&mut self, mut each: impl FnMut(&[u8], usize)) {
        if self.length > 0 {
            self.flush(&mut each);
        }
    }

    fn keep(&mut self, part: &[u8]) {
        let room = self.max.saturating_sub(self.line.len());
        self.line.extend_from_slice(&part[..part.len().min(room)]);
        self.length += part.len();
    }

    fn flush(&mut self, each: &mut impl FnMut(&[u8], usize)) {
        each(&self.line, self.length);
        self.length = 0;
        self.line.clear();
        self.line.shrink_to(KEEP);
    }
}

/// A verbatim log. A full disk costs the log, not the attempt.
#[derive(Debug)]
pub struct Log {
    file: File,
    /// Bytes that could not be written.
    pub lost: u64,
}

impl Log {
    pub fn new(file: File) -> Log {
        Log { file, lost: 0 }
    }

    pub fn write(&mut self, bytes: &[u8]) {
        if self.file.write_all(bytes).is_err() {
            self.lost += bytes.len() as u64;
        }
    }
}

/// The lines of standard error as events, not more of them than anyone reads, and the last few kilobytes for the verdict.
#[derive(Debug, Default)]
pub struct Stderr {
    tail: VecDeque<u8>,
    window: Option<Instant>,
    shown: u32,
    held_back: u64,
}

impl Stderr {
    /// Takes one line at `now` and gives the events to spool.
    pub fn line(&mut self, line: &[u8], now: Instant) -> Vec<AgentEvent> {
        self.tail.extend(line.iter().chain(b"\n"));
        let over = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..over);
        let mut events = Vec::new();
        if self.window.is_none_or(|start| now.duration_since(start) >= STDERR_WINDOW) {
            events.extend(self.rest());
            self.window = Some(now);
            self.shown = 0;
        }
        self.shown = self.shown.saturating_add(1);
        if self.shown > STDERR_BURST {
            self.held_back += 1;
        } else {
            events.push(AgentEvent::Stderr { text: String::from_utf8_lossy(line).into_owned() });
        }
        events
    }

    /// Says how many lines were held back, if any were.
    pub fn rest(&mut self) -> Option<AgentEvent> {
        let held = std::mem::take(&mut self.held_back);
        let text = format!("{held} more lines on standard error; see stderr.log");
        (held > 0).then_some(AgentEvent::Notice { level: Level::Info, text })
    }

    /// The last few kilobytes, from the beginning of a line on where one begins there.
    pub fn tail(&self) -> String {
        let bytes: Vec<u8> = self.tail.iter().copied().collect();
        let from = if bytes.len() < TAIL { 0 } else { bytes.iter().position(|b| *b == b'\n').map_or(0, |i| i + 1) };
        String::from_utf8_lossy(&bytes[from..]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(max: usize, chunks: &[&str]) -> Vec<(String, usize)> {
        let mut lines = Lines::new(max);
        let mut got = Vec::new();
        for chunk in chunks {
            lines.push(chunk.as_bytes(), |line, whole| got.push((String::from_utf8(line.to_vec()).unwrap(), whole)));
        }
        lines.finish(|line, whole| got.push((String::from_utf8(line.to_vec()).unwrap(), whole)));
        got
    }

    #[test]
    fn chunks_become_lines() {
        let own = |l: &[(&str, usize)]| l.iter().map(|(s, n)| ((*s).to_owned(), *n)).collect::<Vec<_>>();
        assert_eq!(lines(9, &["a\nb", "c\n", "\nd"]), own(&[("a", 1), ("bc", 2), ("", 0), ("d", 1)]));
        assert_eq!(lines(3, &["12", "345\nx\n12345\n"]), own(&[("123", 5), ("x", 1), ("123", 5)]), "the beginning stays");
        assert_eq!(lines(3, &["\n"]), own(&[("", 0)]));
    }

    #[test]
    fn a_flood_without_newlines_stays_bounded() {
        let mut lines = Lines::new(1000);
        for _ in 0..1000 {
            lines.push(&[b'x'; 1000], |_, _| panic!("there is no line yet"));
        }
        assert_eq!((lines.line.len(), lines.length), (1000, 1_000_000));
        assert!(lines.line.capacity() <= 4000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_on_standard_error_is_counted_not_shown() {
        let mut stderr = Stderr::default();
        let start = Instant::now();
        let shown: usize = (0..5000).map(|i| stderr.line(format!("line {i}").as_bytes(), start).len()).sum();
        assert_eq!(shown, STDERR_BURST as usize);
        let later = stderr.line(b"later", start + STDERR_WINDOW);
        assert!(matches!(&later[0], AgentEvent::Notice { text, .. } if text.starts_with("4900 more lines")), "{later:?}");
        assert_eq!(later.len(), 2);
        let tail = stderr.tail();
        assert!(tail.len() <= TAIL && tail.starts_with("line ") && tail.ends_with("later\n"));
        assert_eq!(stderr.rest(), None);
    }
}
