//! The spool: every event, a line of JSON each, on disk before it is sent. The link reads it back from the file, so what an
//! engine has not acknowledged costs no memory.

use crate::domain::{AgentEvent, Level, Timestamp};
use crate::os::{OsError, files};
use crate::wire::SpooledEvent;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The longest text in one event, in bytes. JSON spells a byte with six at worst, so a frame stays below `MAX_FRAME`.
const TEXT_MAX: usize = 128 << 10;
/// The longest id, name or other short text in one event.
const WORD_MAX: usize = 4 << 10;
/// How much of the spool is read at a time; a longer line makes for one longer read.
const READ_CHUNK: usize = 16 << 10;

/// How far the spool goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tip {
    /// The last event's number; 0 when there is none.
    pub seq: u64,
    /// The file's length in bytes.
    pub bytes: u64,
}

/// The writing end.
#[derive(Debug)]
pub struct Spool {
    file: File,
    path: PathBuf,
    tip: Tip,
    lost: u64,
}

impl Spool {
    /// Begins an attempt's spool.
    ///
    /// # Errors
    /// The folder is not writable.
    pub fn create(path: &Path) -> Result<Spool, OsError> {
        let file = files::append_to(path)?;
        let bytes = file.metadata().map_err(OsError::file("measure", path))?.len();
        Ok(Spool { file, path: path.to_owned(), tip: Tip { seq: 0, bytes }, lost: 0 })
    }

    /// Appends events, numbered, in one write. A write that fails loses them and leaves the spool as it was; how many were lost
    /// is the next thing that it says, once it can.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn append(&mut self, at: Timestamp, events: Vec<AgentEvent>) -> Result<Tip, OsError> {
        let missing = (self.lost > 0).then(|| AgentEvent::Notice {
            level: Level::Error,
            text: format!("{} events are missing here: they could not be written to {}", self.lost, self.path.display()),
        });
        let count = events.len() as u64;
        let mut lines = Vec::new();
        let mut seq = self.tip.seq;
        for event in missing.into_iter().chain(events) {
            seq += 1;
            serde_json::to_writer(&mut lines, &SpooledEvent { seq, at, event: cut(event) }).expect("plain data serialises");
            lines.push(b'\n');
        }
        if let Err(e) = self.file.write_all(&lines) {
            self.lost += count;
            // Half a line must not stay. Shortening a file needs no room on the disk.
            self.file.set_len(self.tip.bytes).map_err(OsError::file("cut back", &self.path))?;
            return Err(OsError::file("write", &self.path)(e));
        }
        self.lost = 0;
        self.tip = Tip { seq, bytes: self.tip.bytes + lines.len() as u64 };
        Ok(self.tip)
    }

    /// How far it goes.
    pub fn tip(&self) -> Tip {
        self.tip
    }
}

/// Shortens what is too long for a frame, and says so.
fn cut(mut event: AgentEvent) -> AgentEvent {
    let long = |text: &mut String| shorten(text, TEXT_MAX);
    let word = |text: &mut String| shorten(text, WORD_MAX);
    match &mut event {
        AgentEvent::Text { text } | AgentEvent::Thinking { text } | AgentEvent::Notice { text, .. } | AgentEvent::Stderr { text } => {
            long(text);
        }
        AgentEvent::ToolCall { id, name, input } => {
            word(id);
            word(name);
            long(input);
        }
        AgentEvent::ToolResult { id, output, .. } => {
            word(id);
            long(output);
        }
        AgentEvent::Session { id, model, version } => {
            word(id);
            model.iter_mut().chain(version).for_each(word);
        }
        AgentEvent::Limited { limit } => word(&mut limit.message),
        AgentEvent::Started { .. }
        | AgentEvent::Usage { .. }
        | AgentEvent::Hanging { .. }
        | AgentEvent::Moving
        | AgentEvent::Result { .. } => {}
    }
    event
}

fn shorten(text: &mut String, max: usize) {
    if text.len() > max {
        let whole = text.len();
        text.truncate(text.floor_char_boundary(max));
        text.push_str(&format!("… ({whole} bytes in all; see stdout.log)"));
    }
}

/// The reading end: frames for the engine, from the event after the last acknowledged one on.
#[derive(Debug)]
pub struct Cursor {
    path: PathBuf,
    /// Opened when there is something to read.
    file: Option<File>,
    at: u64,
    buffer: Vec<u8>,
}

impl Cursor {
    /// Goes to the event after `acked`. Numbers have no gaps, so that is a matter of counting lines.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn after(path: &Path, acked: u64, tip: Tip) -> io::Result<Cursor> {
        let mut cursor = Cursor { path: path.to_owned(), file: None, at: 0, buffer: Vec::new() };
        let mut to_pass = acked;
        while to_pass > 0 && cursor.at < tip.bytes {
            let n = cursor.fill(READ_CHUNK, tip)?;
            let mut ends = cursor.buffer[..n].iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i);
            match ends.by_ref().nth((to_pass - 1) as usize) {
                Some(last) => {
                    cursor.at += last as u64 + 1;
                    to_pass = 0;
                }
                None => {
                    to_pass -= cursor.buffer[..n].iter().filter(|b| **b == b'\n').count() as u64;
                    cursor.at += n as u64;
                }
            }
        }
        Ok(cursor)
    }

    fn fill(&mut self, want: usize, tip: Tip) -> io::Result<usize> {
        let want = want.min(usize::try_from(tip.bytes - self.at).unwrap_or(want));
        self.buffer.resize(want, 0);
        let file = match self.file.take() {
            Some(file) => file,
            None => File::open(&self.path)?,
        };
        file.read_exact_at(&mut self.buffer, self.at)?;
        self.file = Some(file);
        Ok(want)
    }

    /// Puts the next few events into `out` as `event` frames; false when there are no more up to `tip`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn frames(&mut self, tip: Tip, out: &mut Vec<u8>) -> io::Result<bool> {
        let mut want = READ_CHUNK;
        while self.at < tip.bytes {
            let n = self.fill(want, tip)?;
            let Some(end) = self.buffer[..n].iter().rposition(|b| *b == b'\n') else {
                want = want.saturating_mul(2);
                continue;
            };
            for line in self.buffer[..end].split(|b| *b == b'\n') {
                // A spooled line is the frame's content; the tag goes in front (`ShimFrame` is tagged from inside).
                out.extend_from_slice(br#"{"frame":"event","#);
                out.extend_from_slice(line.strip_prefix(b"{").unwrap_or(line));
                out.push(b'\n');
            }
            self.at += end as u64 + 1;
            if self.buffer.capacity() > READ_CHUNK {
                self.buffer = Vec::new();
            }
            return Ok(true);
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{MAX_FRAME, ShimFrame};

    fn text(text: &str) -> AgentEvent {
        AgentEvent::Text { text: text.to_owned() }
    }

    fn frames(path: &Path, acked: u64, tip: Tip) -> Vec<SpooledEvent> {
        let mut cursor = Cursor::after(path, acked, tip).unwrap();
        let mut out = Vec::new();
        while cursor.frames(tip, &mut out).unwrap() {}
        let lines = out.split(|b| *b == b'\n').filter(|l| !l.is_empty());
        lines
            .map(|line| match serde_json::from_slice(line).unwrap() {
                ShimFrame::Event(event) => event,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn what_is_appended_comes_back_from_any_point() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.jsonl");
        let mut spool = Spool::create(&path).unwrap();
        let long = "x".repeat(3 * READ_CHUNK);
        for i in 0..2000 {
            let event = if i % 500 == 7 { text(&long) } else { text(&format!("line {i}")) };
            spool.append(Timestamp(i), vec![event]).unwrap();
        }
        let tip = spool.tip();
        assert_eq!(tip.seq, 2000);
        assert_eq!(tip.bytes, std::fs::metadata(&path).unwrap().len());
        for acked in [0, 1, 7, 8, 508, 1234, 1999, 2000, 9999] {
            let seqs: Vec<u64> = frames(&path, acked, tip).iter().map(|e| e.seq).collect();
            assert_eq!(seqs, (acked + 1..=2000).collect::<Vec<_>>(), "after {acked}");
        }
        assert_eq!(frames(&path, 1233, tip)[0].event, text("line 1233"));
    }

    #[test]
    fn only_what_the_tip_covers_is_sent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.jsonl");
        let mut spool = Spool::create(&path).unwrap();
        let tip = spool.append(Timestamp(1), vec![text("one")]).unwrap();
        spool.append(Timestamp(2), vec![text("two")]).unwrap();
        assert_eq!(frames(&path, 0, tip).len(), 1);
        assert_eq!(frames(&path, 0, spool.tip()).len(), 2);
    }

    #[test]
    fn the_longest_event_fits_a_frame_and_says_that_it_was_cut() {
        let worst = "\u{1}".repeat(MAX_FRAME);
        let event = AgentEvent::ToolCall { id: worst.clone(), name: worst.clone(), input: worst };
        let frame = ShimFrame::Event(SpooledEvent { seq: u64::MAX, at: Timestamp(0), event: cut(event) });
        let line = serde_json::to_string(&frame).unwrap();
        assert!(line.len() < MAX_FRAME, "{}", line.len());
        assert!(line.contains("(1048576 bytes in all; see stdout.log)"));
        let mut umlauts = "ü".repeat(TEXT_MAX);
        shorten(&mut umlauts, 7);
        assert!(umlauts.starts_with("üüü…"));
    }
}
