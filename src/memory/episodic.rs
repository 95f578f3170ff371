//! The raw log: one JSON Lines file a day, append-only, one line one event. Written from the audit log, which is the truth: what
//! a crash kept from being written is written at the next start.

use crate::domain::{JobId, LogLine};
use std::collections::{BTreeMap, BTreeSet};
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
    /// The file that was written last, and how many lines it has.
    lines: Option<(String, usize)>,
    /// Entries of a day that stand as they are.
    keep: usize,
}

impl Episodes {
    /// Opens the folder, and finds out how far it goes.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub fn open(dir: &Path, keep: usize) -> io::Result<Episodes> {
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
        Ok(Episodes { dir: dir.to_owned(), last, lines: None, keep })
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

    fn write(&mut self, day: &str, lines: &[LogLine]) -> io::Result<()> {
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
        file.write_all(&text)?;
        let before = match self.lines.take() {
            Some((known, count)) if known == day => count,
            _ => {
                whole_frames(&raw_file(&self.dir, day))?;
                read_lines(&self.path(day))?.iter().filter(|l| l.what != SUMMARY).count().saturating_sub(lines.len())
            }
        };
        let count = before + lines.len();
        let count = if count > self.keep { self.compact(day)? } else { count };
        self.lines = Some((day.to_owned(), count));
        Ok(())
    }

    fn path(&self, day: &str) -> PathBuf {
        self.dir.join(format!("{day}.jsonl"))
    }

    /// Makes a day's older entries into one summary, with the raw lines in a compressed file beside it; how many entries are left. Half of
    /// what may stand stays, so that this is not done for each entry.
    /// The raw lines are safe before the others go: a crash between the two leaves both, and a reader tells them by their ids.
    fn compact(&self, day: &str) -> io::Result<usize> {
        let path = self.path(day);
        let lines = read_lines(&path)?;
        let (summaries, entries): (Vec<LogLine>, Vec<LogLine>) = lines.into_iter().partition(|l| l.what == SUMMARY);
        let (old, new) = entries.split_at(entries.len().saturating_sub(self.keep / 2));
        let Some(summary) = summary(old) else { return Ok(new.len()) };
        // Frames stand one after the other: together they are one stream.
        let frame = zstd::encode_all(json_lines(old)?.as_slice(), 0)?;
        let mut raw = OpenOptions::new().append(true).create(true).mode(0o600).open(raw_file(&self.dir, day))?;
        raw.write_all(&frame)?;
        raw.sync_all()?;
        let left: Vec<LogLine> = summaries.into_iter().chain([summary]).chain(new.iter().cloned()).collect();
        replace(&path, &json_lines(&left)?)?;
        Ok(new.len())
    }
}

/// What a summary is called among the entries.
const SUMMARY: &str = "summary";

fn raw_file(dir: &Path, day: &str) -> PathBuf {
    dir.join(format!("{day}.raw.zst"))
}

/// Cuts off a frame that a crash has torn: what is appended behind it could not be read. Its lines stand in the plain file still.
fn whole_frames(path: &Path) -> io::Result<()> {
    let bytes = match std::fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read?,
    };
    let mut whole = 0;
    while whole < bytes.len() {
        let mut rest = &bytes[whole..];
        let mut frame = zstd::Decoder::with_buffer(&mut rest)?.single_frame();
        if io::copy(&mut frame, &mut io::sink()).is_err() {
            break;
        }
        drop(frame);
        whole = bytes.len() - rest.len();
    }
    if whole < bytes.len() {
        OpenOptions::new().write(true).open(path)?.set_len(whole as u64)?;
    }
    Ok(())
}

/// Puts a file in another's place, whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

fn json_lines(lines: &[LogLine]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
    }
    Ok(text)
}

fn read_lines(path: &Path) -> io::Result<Vec<LogLine>> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(e),
    };
    Ok(text.split(|b| *b == b'\n').filter_map(|l| serde_json::from_slice(l).ok()).collect())
}

/// One entry for many: how many of what, and from when to when. It bears the last one's id.
fn summary(lines: &[LogLine]) -> Option<LogLine> {
    let (first, last) = (lines.first()?, lines.last()?);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut jobs: BTreeSet<JobId> = BTreeSet::new();
    for line in lines {
        *counts.entry(&line.what).or_default() += 1;
        jobs.extend(line.job);
    }
    let counts: Vec<String> = counts.iter().map(|(what, n)| format!("{n} {what}")).collect();
    let time = |l: &LogLine| l.at.rfc3339().get(..19).unwrap_or_default().to_owned();
    let text = format!("{} entries of {} job(s), {}Z to {}Z: {}", lines.len(), jobs.len(), time(first), time(last), counts.join(", "));
    let severity = lines.iter().map(|l| l.severity).max().unwrap_or(last.severity);
    Some(LogLine {
        id: last.id,
        at: first.at,
        severity,
        actor: "engine".into(),
        what: SUMMARY.into(),
        job: None,
        attempt: None,
        title: None,
        text,
    })
}

/// Every entry of a day as it was written, oldest first: those that stand in summaries are read from the compressed file.
///
/// # Errors
/// A file cannot be read.
pub fn day_lines(dir: &Path, day: &str) -> io::Result<Vec<LogLine>> {
    let mut lines: BTreeMap<i64, LogLine> = BTreeMap::new();
    match File::open(raw_file(dir, day)) {
        Ok(file) => {
            let mut raw = Vec::new();
            // A frame that a crash has torn ends the reading: its lines stand in the plain file still.
            let torn = zstd::Decoder::new(file)?.read_to_end(&mut raw);
            if let Err(e) = torn {
                tracing::warn!("the raw log of {day} is torn: {e}");
            }
            let whole = raw.split(|b| *b == b'\n').filter_map(|l| serde_json::from_slice::<LogLine>(l).ok());
            lines.extend(whole.map(|l| (l.id, l)));
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let plain = read_lines(&dir.join(format!("{day}.jsonl")))?;
    lines.extend(plain.into_iter().filter(|l| l.what != SUMMARY).map(|l| (l.id, l)));
    Ok(lines.into_values().collect())
}

/// Removes the days before `first` (`YYYY-MM-DD`); how many files.
///
/// # Errors
/// The folder cannot be read, or a file not removed.
pub fn drop_old_days(dir: &Path, first: &str) -> io::Result<usize> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(e),
    };
    let mut dropped = 0;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some((day, rest)) = name.to_str().and_then(|n| n.split_once('.')) else { continue };
        let ours = matches!(rest, "jsonl" | "raw.zst" | "part" | "raw.part")
            && day.len() == 10
            && day.chars().all(|c| c.is_ascii_digit() || c == '-');
        if ours && day < first {
            std::fs::remove_file(entry.path())?;
            dropped += 1;
        }
    }
    Ok(dropped)
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
        let mut episodes = Episodes::open(dir.path(), 100).unwrap();
        assert_eq!(episodes.last(), 0);
        episodes.append(&all[..4], day).unwrap();
        // A crash in the middle of a line.
        let second = dir.path().join("2026-01-02.jsonl");
        OpenOptions::new().append(true).open(&second).unwrap().write_all(b"{\"id\":5,\"at").unwrap();
        let mut episodes = Episodes::open(dir.path(), 100).unwrap();
        assert_eq!(episodes.last(), 4);
        episodes.append(&all, day).unwrap();
        episodes.append(&all, day).unwrap();
        assert_eq!(ids(&dir.path().join("2026-01-01.jsonl")), [1, 2]);
        assert_eq!(ids(&second), [3, 4, 5]);
    }

    #[test]
    fn a_long_day_becomes_summaries_and_loses_no_line() {
        let dir = tempfile::tempdir().unwrap();
        let day = |_: &LogLine| "2026-01-01".to_owned();
        let all: Vec<LogLine> = (1..=57).map(line).collect();
        let mut episodes = Episodes::open(dir.path(), 10).unwrap();
        for part in all[..40].chunks(3) {
            episodes.append(part, day).unwrap();
        }
        let mut episodes = Episodes::open(dir.path(), 10).unwrap();
        assert_eq!(episodes.last(), 40);
        episodes.append(&all, day).unwrap();
        let plain = read_lines(&dir.path().join("2026-01-01.jsonl")).unwrap();
        assert!(plain.iter().filter(|l| l.what != SUMMARY).count() <= 10, "{plain:?}");
        assert!(plain.iter().any(|l| l.what == SUMMARY && l.text.contains(" entries of 0 job(s)")), "{plain:?}");
        assert_eq!(day_lines(dir.path(), "2026-01-01").unwrap(), all);
        // A crash in the middle of a frame: its lines are in the plain file still, and what comes later can be read.
        let raw = std::fs::read(raw_file(dir.path(), "2026-01-01")).unwrap();
        std::fs::write(raw_file(dir.path(), "2026-01-01"), [raw.clone(), raw[..raw.len() / 3].to_vec()].concat()).unwrap();
        assert_eq!(day_lines(dir.path(), "2026-01-01").unwrap(), all);
        let all: Vec<LogLine> = (1..=90).map(line).collect();
        let mut episodes = Episodes::open(dir.path(), 10).unwrap();
        for part in all[57..].chunks(2) {
            episodes.append(part, day).unwrap();
        }
        assert_eq!(day_lines(dir.path(), "2026-01-01").unwrap(), all);
    }

    #[test]
    fn days_past_the_window_go_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["2026-01-01.jsonl", "2026-01-01.raw.zst", "2026-01-02.jsonl", "notes.jsonl", "2025.txt"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(drop_old_days(dir.path(), "2026-01-02").unwrap(), 2);
        let mut left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["2025.txt", "2026-01-02.jsonl", "notes.jsonl"]);
    }
}
