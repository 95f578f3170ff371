//! The raw log: one JSON Lines file a day, append-only, one line one event. Written from the audit log, which is the truth: what
//! a crash kept from being written is written at the next start.

use crate::domain::LogLine;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How much of a file's end is looked at for its last line.
const TAIL: u64 = 64 * 1024;

/// The folder of daily files.
#[derive(Clone, Debug)]
pub struct Episodes {
    dir: PathBuf,
    /// The newest event that is in a file.
    last: i64,
}

impl Episodes {
    /// Opens the folder, and finds out how far it goes.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub fn open(dir: &Path) -> io::Result<Episodes> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let mut names: Vec<PathBuf> =
            std::fs::read_dir(dir)?.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "jsonl")).collect();
        names.sort();
        let mut last = 0;
        // The newest file may hold nothing readable yet.
        for path in names.iter().rev() {
            last = last_id(path)?;
            if last > 0 {
                break;
            }
        }
        Ok(Episodes { dir: dir.to_owned(), last })
    }

    /// The newest event that is in a file: those after it are still to be appended.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// Appends events, oldest first, each to the file of its day (`YYYY-MM-DD`); those that are there already are passed over.
    ///
    /// # Errors
    /// A file cannot be written: the rest can be appended later.
    pub fn append(&mut self, lines: &[LogLine], day: impl Fn(&LogLine) -> String) -> io::Result<()> {
        let mut rest: &[LogLine] = &lines[lines.partition_point(|l| l.id <= self.last)..];
        while let Some(first) = rest.first() {
            let name = day(first);
            let until = rest.iter().position(|l| day(l) != name).unwrap_or(rest.len());
            let (now, later) = rest.split_at(until);
            self.write(&name, now)?;
            self.last = now.last().map_or(self.last, |l| l.id);
            rest = later;
        }
        Ok(())
    }

    fn write(&self, day: &str, lines: &[LogLine]) -> io::Result<()> {
        let path = self.dir.join(format!("{day}.jsonl"));
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let mut text = Vec::new();
        // What a crash left in the middle of a line stays as it is, on a line of its own.
        if !ends_whole(&mut file)? {
            text.push(b'\n');
        }
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        file.write_all(&text)
    }
}

fn ends_whole(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    Ok(byte == *b"\n")
}

fn last_id(path: &Path) -> io::Result<i64> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let ids = tail.split(|b| *b == b'\n').rev().filter_map(|line| serde_json::from_slice::<LogLine>(line).ok());
    Ok(ids.map(|l| l.id).next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Severity, Timestamp};

    fn line(id: i64) -> LogLine {
        LogLine {
            id,
            at: Timestamp(id),
            severity: Severity::Info,
            actor: "engine".into(),
            what: "w".into(),
            job: None,
            title: None,
            attempt: None,
            text: "t".into(),
        }
    }

    fn ids(path: &Path) -> Vec<i64> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().filter_map(|l| serde_json::from_str::<LogLine>(l).ok()).map(|l| l.id).collect()
    }

    #[test]
    fn each_event_stands_once_in_the_file_of_its_day_across_restarts_and_torn_lines() {
        let dir = tempfile::tempdir().unwrap();
        let day = |l: &LogLine| if l.id < 3 { "2026-01-01".to_owned() } else { "2026-01-02".to_owned() };
        let all: Vec<LogLine> = (1..=5).map(line).collect();
        let mut episodes = Episodes::open(dir.path()).unwrap();
        assert_eq!(episodes.last(), 0);
        episodes.append(&all[..4], day).unwrap();
        // A crash in the middle of a line.
        let second = dir.path().join("2026-01-02.jsonl");
        OpenOptions::new().append(true).open(&second).unwrap().write_all(b"{\"id\":5,\"at").unwrap();
        let mut episodes = Episodes::open(dir.path()).unwrap();
        assert_eq!(episodes.last(), 4);
        episodes.append(&all, day).unwrap();
        episodes.append(&all, day).unwrap();
        assert_eq!(ids(&dir.path().join("2026-01-01.jsonl")), [1, 2]);
        assert_eq!(ids(&second), [3, 4, 5]);
    }
}
