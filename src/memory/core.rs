//! Core memory: `core-memory.md`, in every job's prompt, and therefore short.

use crate::domain::strip_comments;
use std::io;
use std::path::{Path, PathBuf};

/// The budget, in lines of the file (its comments, which no agent gets, are not counted).
pub const LINE_BUDGET: usize = 80;

/// The longest line that still counts as one, in bytes: a paragraph on one line would make the budget meaningless.
pub const LINE_LENGTH: usize = 400;

/// The core memory as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreMemory {
    pub path: PathBuf,
    /// What agents get: without comments. Empty when the file is missing or says nothing.
    pub text: String,
    /// Lines against the budget.
    pub lines: usize,
    /// What is wrong with it, each a line for people. An over-long core memory is told, not cut: agents get all of it.
    pub problems: Vec<String>,
}

/// The file is there and cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the core memory {}: {source}. It goes into every prompt, so no job starts without it; repair or remove the file", path.display())]
pub struct CoreMemoryError {
    pub path: PathBuf,
    source: io::Error,
}

impl CoreMemory {
    /// Reads it. A missing file is an empty one.
    ///
    /// # Errors
    /// The file is there and cannot be read, or is not UTF-8.
    pub fn load(path: &Path) -> Result<CoreMemory, CoreMemoryError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(CoreMemory::of(path, &text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(CoreMemory::of(path, "")),
            Err(source) => Err(CoreMemoryError { path: path.to_path_buf(), source }),
        }
    }

    /// A text as it would be read from this file.
    pub fn of(path: &Path, file: &str) -> CoreMemory {
        let text = strip_comments(file);
        let lines = text.lines().count();
        let mut problems = Vec::new();
        if lines > LINE_BUDGET {
            let over = lines - LINE_BUDGET;
            problems.push(format!(
                "{}: {lines} lines, {over} over its budget of {LINE_BUDGET}. Every job pays for each of them: take out what not every job needs",
                path.display()
            ));
        }
        for (i, line) in crate::domain::blank_comments(file).lines().enumerate().filter(|(_, l)| l.len() > LINE_LENGTH) {
            problems.push(format!(
                "{}:{}: a line of {} bytes, more than {LINE_LENGTH}. Split it, so that the line budget says how long the memory is",
                path.display(),
                i + 1,
                line.len()
            ));
        }
        CoreMemory { path: path.to_path_buf(), text, lines, problems }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> CoreMemory {
        CoreMemory::of(Path::new("core-memory.md"), text)
    }

    #[test]
    fn eighty_lines_pass_and_eighty_one_are_told() {
        let lines = |n: usize| "line\n".repeat(n);
        assert_eq!(of(&lines(80)).problems, Vec::<String>::new());
        let over = of(&lines(83));
        assert!(over.problems[0].contains("83 lines, 3 over its budget of 80"), "{:?}", over.problems);
        assert_eq!(over.text.lines().count(), 83);
        assert_eq!(of(&format!("<!--\n{}-->\n{}", lines(50), lines(80))).problems, Vec::<String>::new());
    }

    #[test]
    fn a_paragraph_on_one_line_is_told_with_its_number() {
        let long = of(&format!("# Core\n<!-- a\nb -->\n{}\n", "x".repeat(401)));
        assert!(long.problems[0].starts_with("core-memory.md:4: a line of 401 bytes"), "{:?}", long.problems);
    }
}
