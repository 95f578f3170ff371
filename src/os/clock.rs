//! The clock. The only place that reads it on behalf of the domain, whose instants are arguments.

use crate::domain::{ClockMark, Timestamp};
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

/// The wall clock beside the kernel's own count, which nobody can set; `None` where that cannot be read.
pub fn mark() -> Option<ClockMark> {
    let up = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = up.split(' ').next()?.parse().ok()?;
    Some(ClockMark { boot: super::process::boot_id().to_owned(), clock: now(), up_ms: (seconds * 1000.0) as i64 })
}
