//! The command line as a user meets it: each case is one run of the real program, and its snapshot is exit code, standard
//! output and standard error.

mod doctor;
mod engine;
mod errors;
mod faults;
mod follow;
mod help;
mod jobs;
mod json;
mod lists;
mod memory;
mod plans;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A workspace of its own, and programs that run in it with nothing of this machine's environment.
pub struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    /// An empty folder: no workspace yet.
    pub fn bare() -> Bench {
        Bench { dir: tempfile::Builder::new().prefix("orc-cli-").tempdir().unwrap() }
    }

    /// A workspace made with `orc init`.
    pub fn new() -> Bench {
        let bench = Bench::bare();
        let made = bench.command("orc").args(["init", "--quiet"]).arg(bench.workspace()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // No test's outcome depends on the time of day: those about schedules write their own.
        std::fs::remove_file(bench.workspace().join("cron.toml")).unwrap();
        bench
    }

    pub fn workspace(&self) -> PathBuf {
        self.dir.path().join("ws")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn command(&self, program: &str) -> Command {
        let program = match program {
            "orc" => env!("CARGO_BIN_EXE_orc"),
            "pm" => env!("CARGO_BIN_EXE_pm"),
            other => panic!("{other} is not ours"),
        };
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.dir.path())
            .env("TZ", "UTC")
            .env("ORC_WORKSPACE", self.workspace())
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a line such as `pm job ls` (single quotes group) and renders what came of it.
    pub fn run(&self, line: &str) -> String {
        self.run_with(line, |c| c)
    }

    pub fn run_with(&self, line: &str, with: impl FnOnce(&mut Command) -> &mut Command) -> String {
        let words = split(line);
        let mut command = self.command(&words[0]);
        command.args(&words[1..]);
        let out = with(&mut command).output().unwrap();
        self.render(line, &out)
    }

    fn render(&self, line: &str, out: &Output) -> String {
        let mut text = format!("$ {line}\n[exit {}]\n", out.status.code().map_or("by a signal".to_owned(), |c| c.to_string()));
        for (name, bytes) in [("stdout", &out.stdout), ("stderr", &out.stderr)] {
            if !bytes.is_empty() {
                text += &format!("[{name}]\n{}", String::from_utf8_lossy(bytes));
                if !text.ends_with('\n') {
                    text += "[no newline]\n";
                }
            }
        }
        let root = self.dir.path().to_string_lossy().into_owned();
        text.replace(&root, "[DIR]")
    }

    /// Runs a line that has to succeed and gives its standard output as JSON.
    pub fn json(&self, line: &str) -> serde_json::Value {
        let words = split(line);
        let out = self.command(&words[0]).args(&words[1..]).output().unwrap();
        assert!(out.status.success(), "{}", self.render(line, &out));
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{line}: {e}\n{}", String::from_utf8_lossy(&out.stdout)))
    }

    /// Runs lines that have to succeed.
    pub fn do_all(&self, lines: &[&str]) {
        for line in lines {
            let words = split(line);
            let out = self.command(&words[0]).args(&words[1..]).output().unwrap();
            assert!(out.status.success(), "{}", self.render(line, &out));
        }
    }
}

fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (i, part) in line.split('\'').enumerate() {
        if i % 2 == 1 { words.push(part.to_owned()) } else { words.extend(part.split_whitespace().map(str::to_owned)) }
    }
    words
}

/// Snapshots one or several renderings, with what differs from run to run taken out.
macro_rules! snapshot {
    ($name:literal, $($text:expr),+ $(,)?) => {{
        let text = [$($text),+].join("\n");
        insta::with_settings!({
            prepend_module_to_snapshot => false,
            omit_expression => true,
            filters => vec![
                (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
                (r" +(\d+(ms|s|m|d)|\d+h\d\dm)\b", " [AGE]"),
                (r"\(\d+m?s\)", "([AGE])"),
                (r"knows up to \d+", "knows up to [SCHEMA]"),
                // The width of such a column is that of its longest age.
                (r" +(AGE|TIME|USED)\b", " $1"),
                (r"(process|pid) \d+", "$1 [PID]"),
                (concat!("\\b", env!("CARGO_PKG_VERSION"), "\\b"), "[VERSION]"),
            ],
        }, { insta::assert_snapshot!($name, text) });
    }};
}
pub(crate) use snapshot;

/// Writes a file with its folders.
pub fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
