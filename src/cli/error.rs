//! The one error of the command line: what happened, what to do, and the exit code that it means.

use crate::config::{ConfigError, Problems};
use crate::store::StoreError;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// What sort of failure: each has its own exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was tried and did not succeed.
    Failure,
    /// The command line itself is wrong.
    Usage,
    /// What was named does not exist.
    NotFound,
    /// It exists, but may not or can no longer be done.
    Refused,
    /// An engine is needed and none answers.
    NoEngine,
    /// The workspace, its configuration or its database.
    Workspace,
    /// It did not happen within the time that was given.
    TimedOut,
    /// Nobody reads our output any more: not an error to tell anyone.
    Pipe,
}

/// Every exit code, with its meaning: the table of `orc help exit-codes` and of the manual page.
pub const EXIT_CODES: &[(u8, &str)] = &[
    (0, "Success. `job wait`: every job is done. `doctor`: nothing fails (warnings are no failure)."),
    (1, "Failure. `job wait`: a job failed or was killed. `doctor`, `lint`, `skill lint`, `backend check`: something fails."),
    (2, "The command line is wrong: an unknown flag, a missing or impossible value."),
    (3, "What was named does not exist: a job, worker, project, task, backend, skill, persona."),
    (4, "Refused: it exists, but what was asked may not be done, or what was seen no longer holds."),
    (5, "No engine answers, and this needs one."),
    (6, "The workspace, its configuration or its database: missing, broken, full, locked, or from a newer version."),
    (7, "Not within the time given by --timeout."),
    (130, "Interrupted with Ctrl-C."),
];

impl Kind {
    fn code(self) -> u8 {
        match self {
            Kind::Failure => 1,
            Kind::Usage => 2,
            Kind::NotFound => 3,
            Kind::Refused => 4,
            Kind::NoEngine => 5,
            Kind::Workspace => 6,
            Kind::TimedOut => 7,
            Kind::Pipe => 0,
        }
    }
}

/// A failed command.
#[derive(Debug)]
pub struct CliError {
    pub kind: Kind,
    /// What and why. Empty when the output has said it already.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// What every verb returns.
pub type Result<T = ()> = std::result::Result<T, CliError>;

impl CliError {
    /// An error of a kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> CliError {
        CliError { kind, message: message.into(), hint: None }
    }

    /// A failure that the output has told already: only the exit code is left to say.
    pub fn told(kind: Kind) -> CliError {
        CliError::new(kind, "")
    }

    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> CliError {
        CliError::new(Kind::Usage, message)
    }

    /// What was named does not exist.
    pub fn not_found(message: impl Into<String>) -> CliError {
        CliError::new(Kind::NotFound, message)
    }

    /// It may not be done.
    pub fn refused(message: impl Into<String>) -> CliError {
        CliError::new(Kind::Refused, message)
    }

    /// The workspace or what is in it.
    pub fn workspace(message: impl Into<String>) -> CliError {
        CliError::new(Kind::Workspace, message)
    }

    /// The same error with what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> CliError {
        self.hint = Some(hint.into());
        self
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind.code())
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CliError {}

impl From<StoreError> for CliError {
    fn from(e: StoreError) -> CliError {
        let kind = match &e {
            StoreError::NoJob(_) | StoreError::Unknown { .. } => Kind::NotFound,
            StoreError::Refused { .. } => Kind::Refused,
            StoreError::Invalid(_) => Kind::Usage,
            _ => Kind::Workspace,
        };
        CliError::new(kind, e.to_string())
    }
}

impl From<ConfigError> for CliError {
    fn from(e: ConfigError) -> CliError {
        CliError::workspace(e.to_string())
    }
}

impl From<Problems> for CliError {
    fn from(e: Problems) -> CliError {
        CliError::workspace(format!("the configuration cannot be used\n{e}"))
    }
}

/// Writing to standard output.
impl From<io::Error> for CliError {
    fn from(e: io::Error) -> CliError {
        match e.kind() {
            io::ErrorKind::BrokenPipe => CliError::told(Kind::Pipe),
            _ => CliError::new(Kind::Failure, format!("cannot write the output: {e}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_that_is_used_is_in_the_table() {
        use Kind::*;
        for kind in [Failure, Usage, NotFound, Refused, NoEngine, Workspace, TimedOut, Pipe] {
            assert!(EXIT_CODES.iter().any(|(code, _)| *code == kind.code()), "{kind:?} is not documented");
        }
    }
}
