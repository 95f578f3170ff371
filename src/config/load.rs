//! The layers: defaults < `orc.toml` < environment (`ORC_<KEY>`) < command line (`--set key=value`). Strict, and never stops at
//! the first mistake: a problem for each, with its place and its remedy.

use super::keys::{assign, is_table, keys};
use super::settings::Settings;
use super::shape::{Raw, time_text};
use super::workspace::Workspace;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Who set a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody: the built-in default.
    Default,
    /// A line of a file.
    File { path: PathBuf, line: usize },
    /// An environment variable.
    Environment(String),
    /// `--set`.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Environment(name) => write!(f, "${name}"),
            Origin::CommandLine => f.write_str("--set"),
        }
    }
}

/// One mistake in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.origin, self.what, self.fix)
    }
}

/// Every mistake in the settings, in the order of the layers. Nothing of a broken configuration is used: whoever has good
/// settings keeps them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// What there is to read, lowest layer first.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// `orc.toml`: its path and text.
    pub file: Option<(PathBuf, String)>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// `key=value` from the command line.
    pub set: Vec<String>,
}

/// Reads the settings of a workspace, with this process's environment and the `--set key=value` of its command line.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn load(workspace: &Workspace, set: &[String]) -> Result<Settings, Problems> {
    let path = workspace.settings_file();
    let text = std::fs::read_to_string(&path).map_err(|e| {
        let origin = Origin::File { path: path.clone(), line: 1 };
        Problems(vec![Problem {
            origin,
            what: format!("cannot read it: {e}"),
            fix: "`orc init` makes a new one where it is missing".into(),
        }])
    })?;
    let environment = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    Layers { file: Some((path, text)), environment: environment.filter(|(k, _)| k.starts_with("ORC_")).collect(), set: set.to_vec() }.read()
}

/// Whether a `key=value` of the command line sets something, whatever stands in the file.
///
/// # Errors
/// There is no such setting, or it does not take this value.
pub fn check_assignment(text: &str) -> Result<(), Problem> {
    let mut reading = Reading { settings: Settings::default(), problems: Vec::new() };
    reading.assignment(text);
    reading.problems.pop().map_or(Ok(()), Err)
}

impl Settings {
    /// Reads the settings again, with the same command line.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn reread(&self, workspace: &Workspace) -> Result<Settings, Problems> {
        load(workspace, &self.command_line)
    }
}

impl Layers {
    /// Reads every layer, then checks what concerns several keys.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn read(&self) -> Result<Settings, Problems> {
        let mut reading = Reading { settings: Settings::default(), problems: Vec::new() };
        if let Some((path, text)) = &self.file {
            reading.file(path, text);
        }
        for (name, value) in &self.environment {
            reading.variable(name, value);
        }
        for assignment in &self.set {
            reading.assignment(assignment);
        }
        reading.relations();
        reading.settings.command_line.clone_from(&self.set);
        if reading.problems.is_empty() { Ok(reading.settings) } else { Err(Problems(reading.problems)) }
    }
}

struct Reading {
    settings: Settings,
    problems: Vec<Problem>,
}

impl Reading {
    fn put(&mut self, path: &[&str], raw: &Raw<'_>, origin: Origin) {
        match assign(&mut self.settings, path, raw) {
            Ok(()) => drop(self.settings.origins.insert(path.join("."), origin)),
            Err((what, fix)) => self.problems.push(Problem { origin, what, fix }),
        }
    }

    fn file(&mut self, path: &Path, text: &str) {
        let at = |offset: usize| Origin::File {
            path: path.to_path_buf(),
            line: 1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|b| **b == b'\n').count(),
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let origin = at(error.span().map_or(0, |s| s.start));
            let message = error.message().lines().next().unwrap_or("it cannot be parsed");
            let (what, fix) = match message {
                "duplicate key" => ("it is set twice".to_owned(), "Keep one of the two lines, or one of the two tables"),
                _ => (format!("not TOML: {message}"), "A line is `key = value`; texts, times and sizes are in quotes"),
            };
            self.problems.push(Problem { origin, what, fix: fix.to_owned() });
        }
        self.table(&mut Vec::new(), table.get_ref(), &at);
        self.problems.sort_by_key(|p| if let Origin::File { line, .. } = p.origin { line } else { 0 });
    }

    fn table<'t>(&mut self, prefix: &mut Vec<&'t str>, table: &'t DeTable<'_>, at: &dyn Fn(usize) -> Origin) {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            prefix.push(key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) if is_table(prefix) || !inner.is_empty() => self.table(prefix, inner, at),
                leaf => self.put(prefix, &Raw::Toml(leaf), at(key.span().start)),
            }
            prefix.pop();
        }
    }

    fn variable(&mut self, name: &str, value: &str) {
        let origin = Origin::Environment(name.to_owned());
        match keys().iter().find(|k| k.env() == name) {
            Some(key) => {
                let path: Vec<&str> = key.name.split('.').collect();
                self.put(&path, &Raw::Text(value), origin);
            }
            // Other ORC_ variables have other readers; only what is a slip of the pen away from a setting is one.
            None => {
                if let Some(key) = keys().iter().find(|k| strsim::damerau_levenshtein(&k.env(), name) <= 2) {
                    let what = format!("there is no setting `{name}`");
                    self.problems.push(Problem { origin, what, fix: format!("Did you mean `{}`? Correct or unset it", key.env()) });
                }
            }
        }
    }

    fn assignment(&mut self, text: &str) {
        match text.split_once('=') {
            Some((key, value)) => {
                let path: Vec<&str> = key.trim().split('.').collect();
                self.put(&path, &Raw::Text(value.trim()), Origin::CommandLine);
            }
            None => self.problems.push(Problem {
                origin: Origin::CommandLine,
                what: format!("{text:?} sets nothing"),
                fix: "Write --set key=value, such as --set max_running=4".into(),
            }),
        }
    }

    /// What has to hold between settings.
    fn relations(&mut self) {
        let s = &self.settings;
        let rules = [
            (
                s.backpressure_low < s.backpressure_high,
                ["backpressure_low", "backpressure_high"],
                format!("`backpressure_low` ({}) is not below `backpressure_high` ({})", s.backpressure_low, s.backpressure_high),
                "Lower the one or raise the other: the room between them keeps it from flapping",
            ),
            (
                s.retry_base <= s.retry_max,
                ["retry_base", "retry_max"],
                format!("`retry_base` ({}) is longer than `retry_max` ({})", time_text(s.retry_base), time_text(s.retry_max)),
                "Shorten the one or lengthen the other",
            ),
            (
                s.stall_after > s.heartbeat,
                ["stall_after", "heartbeat"],
                format!("`stall_after` ({}) is not longer than `heartbeat` ({})", time_text(s.stall_after), time_text(s.heartbeat)),
                "Every agent would count as stalled: lengthen the one or shorten the other",
            ),
            (
                s.weight_similarity + s.weight_recency + s.weight_importance + s.weight_access > 0.0,
                ["weight_similarity", "weight_recency"],
                "every weight of a memory's score is 0".to_owned(),
                "Give one of them some weight, or switch `memory` off",
            ),
        ];
        for (holds, keys, what, fix) in rules {
            if !holds {
                let origin = keys.into_iter().map(|k| s.origin(k)).find(|o| **o != Origin::Default).cloned().unwrap_or(Origin::Default);
                self.problems.push(Problem { origin, what, fix: fix.to_owned() });
            }
        }
    }
}
