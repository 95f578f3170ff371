//! Everything that can happen to the engine: one closed set.

use crate::config::{Backend, Settings};
use crate::domain::{AttemptId, ExitReport, ProcessIdentity};
use crate::wire::ShimFrame;
use std::collections::BTreeMap;

/// A connection of the gateway; never reused in an engine's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Link(pub u64);

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// Somebody changed the database.
    Wake,
    /// A shim spoke.
    Frame { link: Link, frame: Box<ShimFrame> },
    /// A shim's connection is gone. Means nothing by itself.
    LinkGone { link: Link },
    /// The shim of an attempt was started, or could not be.
    Launched { attempt: AttemptId, result: Result<ProcessIdentity, String> },
    /// The process of an attempt's shim is gone.
    ShimGone { attempt: AttemptId },
    /// What a look at an attempt's directory and processes has shown.
    Probed { attempt: AttemptId, probe: Probe },
    /// Settings and backends were read again, or this is wrong with them.
    Settings(Box<Result<Reread, String>>),
    /// End the engine; running jobs go on.
    Stop { why: String },
}

/// What a look at the settings' files has given.
#[derive(Clone, Debug)]
pub struct Reread {
    pub settings: Settings,
    pub backends: BTreeMap<String, Backend>,
}

/// What stands behind an open attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// Its shim lives and will say hello.
    Alive(ProcessIdentity),
    /// It left its report.
    Exited(Box<ExitReport>),
    /// It never started, and now never will: the attempt is fenced.
    Never,
    /// Its shim is gone without a report, and no process with the attempt's mark is left.
    Lost,
    /// Its shim is gone without a report, but this many processes with the attempt's mark could not be ended yet.
    Leftovers(usize),
}
