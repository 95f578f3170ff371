//! Why a job that waits does not run: an ordered list of verdicts, each with what would unblock it.

use super::words::words;
use serde::{Deserialize, Serialize};

words!(
    /// The gates in the order in which they are asked.
    Gate {
        Engine = "engine",
        Dependency = "dependency",
        Date = "date",
        Decision = "decision",
        Lane = "lane",
        Slot = "slot",
        Budget = "budget",
        /// A spending cap.
        Cap = "cap",
        Backend = "backend",
        Host = "host",
        Worker = "worker",
        /// Other jobs are ahead in the claim order.
        Order = "order",
    }
);

/// What one gate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub gate: Gate,
    /// True: this gate lets the job through.
    pub open: bool,
    /// What it says, one line.
    pub says: String,
    /// What would unblock it: a time, a key, a command. Empty when open.
    pub unblock: String,
}
