//! Row ids. Each is a newtype, so that a job's id never lands where an attempt's is wanted.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.trim_start_matches('#').parse().map($name)
            }
        }
    };
}

id!(
    /// A job: one piece of work, through all its attempts.
    JobId
);
id!(
    /// One attempt at a job: one agent process.
    AttemptId
);
id!(
    /// A worker: an agent session with state.
    WorkerId
);
id!(
    /// A project.
    ProjectId
);
id!(
    /// A memory: one remembered fact. Counted up, never used again.
    MemoryId
);
id!(
    /// A question to the operator.
    DecisionId
);
id!(
    /// A task of a project.
    TaskId
);
id!(
    /// A round of review of a job's result.
    ReviewId
);
id!(
    /// A plan: proposed work, as tasks with dependencies.
    PlanId
);
id!(
    /// A message of the operator, or one that was forwarded to them.
    MessageId
);
id!(
    /// One thing that was said in the conversation.
    EntryId
);
