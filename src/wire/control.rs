//! What command lines and consoles say to the engine, on the same socket as the shims: one JSON object a line. The first
//! line tells who calls, since no `frame` word is used by both protocols. The engine's truth is the database; nothing
//! here changes a job.

use super::snapshot::Snapshot;
use serde::{Deserialize, Serialize};

/// From a command line or a console to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum ControlFrame {
    /// The database has changed: look. No answer; the caller closes at once.
    Wake,
    /// One `Snapshot` is wanted.
    Status,
    /// Release the lock and leave; running jobs go on. Answered with `Stopping`; the stream ends when the engine is gone.
    Stop,
    /// A `Snapshot` now, and one after each change, the newest only, until the caller closes.
    Subscribe,
}

/// From the engine to a command line or a console.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum ControlReply {
    Snapshot {
        snapshot: Box<Snapshot>,
    },
    /// The engine ends; `running` jobs go on without it.
    Stopping {
        pid: i32,
        running: u32,
    },
    /// The request cannot be served; one line that says why and what to do.
    Refused {
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ShimFrame;

    #[test]
    fn control_frames_are_one_word_and_are_no_shim_frames() {
        for (frame, line) in [
            (ControlFrame::Wake, r#"{"frame":"wake"}"#),
            (ControlFrame::Status, r#"{"frame":"status"}"#),
            (ControlFrame::Stop, r#"{"frame":"stop"}"#),
            (ControlFrame::Subscribe, r#"{"frame":"subscribe"}"#),
        ] {
            assert_eq!(serde_json::to_string(&frame).unwrap(), line);
            assert_eq!(serde_json::from_str::<ControlFrame>(line).unwrap(), frame);
            assert!(serde_json::from_str::<ShimFrame>(line).is_err());
        }
    }
}
