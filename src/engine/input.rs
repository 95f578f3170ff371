//! Everything that can happen to the engine: one closed set.

use super::review::Span;
use crate::config::{Backend, Settings};
use crate::domain::{AgentEvent, AttemptId, ExitReport, JobId, Prices, ProcessIdentity, Recalled, Reembedding, ReviewId};
use crate::os::worktree::Ready;
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
    /// The shim of an attempt could not be started. (One that was says hello.)
    NotLaunched { attempt: AttemptId, message: String },
    /// The process of an attempt's shim is gone.
    ShimGone { attempt: AttemptId },
    /// What a look at an attempt's directory and processes has shown.
    Probed { attempt: AttemptId, probe: Probe },
    /// Settings and backends were read again, or this is wrong with them.
    Settings(Box<Result<Reread, String>>),
    /// `cron.toml` was read again: its text, `None` where there is none; or why it cannot be read.
    Cron(Result<Option<String>, String>),
    /// Which job holds a dedup key, says the first tier; or why it says nothing. No key: it was about no question.
    Looked { key: Option<String>, found: Result<Option<JobId>, String> },
    /// The skills were read again.
    Skills(Box<crate::config::Skills>),
    /// What memory has for an attempt that is about to start, or why there is nothing.
    Recalled { attempt: AttemptId, found: Result<Vec<Recalled>, String> },
    /// What a job taught is in the memory store (what came of it, one line), or could not be put there.
    Learned { attempt: AttemptId, outcome: Result<String, String> },
    /// The prompt of a review is made, or there is nothing to review, or it could not be made.
    Digest { span: Span, prompt: Result<Option<String>, String> },
    /// What is wrong with the upkeep of memories and raw log, told when it changes; `None`: nothing any more.
    Upkeep(Option<String>),
    /// How far the making of all memories' vectors anew has come; `None`: it is over.
    Reembedding(Option<Reembedding>),
    /// What is to be reviewed is fixed and copied: its hash; or why it cannot be.
    Gathered { review: ReviewId, found: Result<String, String> },
    /// The hash of what was reviewed, as it stands now.
    Confirmed { review: ReviewId, hash: Result<String, String> },
    /// The work tree of an attempt that is about to start is ready, or cannot be made so.
    Tree { attempt: AttemptId, ready: Result<Ready, String> },
    /// End the engine; running jobs go on.
    Stop { why: String },
}

/// What a look at the settings' files has given.
#[derive(Clone, Debug)]
pub struct Reread {
    pub settings: Settings,
    pub backends: BTreeMap<String, Backend>,
    pub prices: Prices,
}

impl Input {
    /// True where the loss of power may undo what this writes, so that it costs no fsync: who the shim is, and how far its events
    /// were taken. After a loss of power that process is gone, and events that write nothing else have no effect twice.
    pub fn is_soft(&self) -> bool {
        use AgentEvent as E;
        let Input::Frame { frame, .. } = self else {
            // What a prompt was given matters only if its agent starts, and that does not outlive the power.
            return matches!(self, Input::Recalled { .. });
        };
        match &**frame {
            ShimFrame::Hello(_) | ShimFrame::Heartbeat(_) => true,
            ShimFrame::Exit { .. } => false,
            ShimFrame::Event(e) => match &e.event {
                E::Session { .. } | E::Usage { .. } | E::Limited { .. } | E::Hanging { .. } | E::Moving => false,
                E::Started { .. }
                | E::Text { .. }
                | E::Thinking { .. }
                | E::ToolCall { .. }
                | E::ToolResult { .. }
                | E::Notice { .. }
                | E::Stderr { .. }
                | E::Result { .. } => true,
            },
        }
    }
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
