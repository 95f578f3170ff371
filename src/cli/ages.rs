//! Times, sizes and counts as people read them.

use crate::domain::{Attempt, CostSource, Timestamp};
use std::time::Duration;

/// A length of time in at most two units: `45s`, `3m`, `2h05m`, `4d`.
pub fn span(d: Duration) -> String {
    let s = d.as_secs();
    match s {
        0 if d.as_millis() > 0 => format!("{}ms", d.as_millis()),
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m", s / 60),
        3600..86_400 => format!("{}h{:02}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d", s / 86_400),
    }
}

/// How long ago.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    span(now.since(then))
}

/// A count in at most four characters: `950`, `12k`, `3.4M`.
pub fn count(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{}k", n / 1000),
        _ => format!("{:.1}M", n as f64 / 1e6),
    }
}

/// A number of things: `1 job`, `2 jobs`.
pub fn many(n: usize, thing: &str) -> String {
    if n == 1 { format!("1 {thing}") } else { format!("{n} {thing}s") }
}

/// Bytes: `512 B`, `3.0 MiB`.
pub fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{n} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// Dollars.
pub fn money(usd: f64) -> String {
    if usd > 0.0 && usd < 0.1 { format!("${usd:.4}") } else { format!("${usd:.2}") }
}

/// What an attempt has cost, with a mark where its backend does not say so itself.
pub fn cost(a: &Attempt) -> String {
    let usd = || money(a.cost_usd.unwrap_or(0.0));
    match a.cost_source {
        None | Some(CostSource::Free) => "-".to_owned(),
        Some(CostSource::Reported) => usd(),
        Some(CostSource::Computed) => format!("{} computed", usd()),
        Some(CostSource::Estimated) => format!("{} estimated", usd()),
        Some(CostSource::Unpriced) => "unpriced".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_counts_and_sizes() {
        let s = |secs| span(Duration::from_secs(secs));
        assert_eq!([s(0), s(59), s(60), s(3599), s(3600), s(7500), s(90_000)], ["0s", "59s", "1m", "59m", "1h00m", "2h05m", "1d"]);
        assert_eq!(span(Duration::from_millis(20)), "20ms");
        assert_eq!([count(9_999), count(12_345), count(3_400_000)], ["9999", "12k", "3.4M"]);
        assert_eq!([bytes(512), bytes(3 << 20), bytes(5 << 40)], ["512 B", "3.0 MiB", "5.0 TiB"]);
    }
}
