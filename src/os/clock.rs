//! The clock. The only place that reads it on behalf of the domain, whose instants are arguments.

use crate::domain::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock, in milliseconds. It may step back; ages and deadlines belong on [`monotonic`].
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A clock that never steps back and stands still while the machine sleeps.
pub fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}
