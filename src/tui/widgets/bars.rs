//! Gauges, sparklines and the heartbeat bar.

use super::pen::Pen;
use crate::domain::Liveness;
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::wire::LiveAttempt;

const EIGHTHS: [&str; 9] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];
const LEVELS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// A share of 1 as a bar of `width` columns: what is full, and the rest. One column is a bar of eight heights.
pub fn share(value: f64, width: usize) -> (String, String) {
    let value = if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 };
    if width <= 1 {
        return (LEVELS[((value * 8.0).ceil() as usize).clamp(1, 8)].repeat(width), String::new());
    }
    let eighths = (value * width as f64 * 8.0).round() as usize;
    let mut full = "█".repeat(eighths / 8);
    full.push_str(EIGHTHS[eighths % 8]);
    let used = eighths.div_ceil(8);
    (full, "░".repeat(width - used))
}

/// A gauge of `width` columns: `used` solid, `reserved` hatched, the rest dotted, and a line where `mark` is. All are shares of 1.
pub fn gauge(pen: &mut Pen<'_>, width: u16, used: f64, reserved: f64, mark: Option<f64>, theme: &Theme) {
    let width = width.min(pen.left());
    let share = |s: f64| (s.clamp(0.0, 1.0) * f64::from(width)).round() as u16;
    let solid = share(used).max(u16::from(used > 0.0)).min(width);
    let hatched = share(used + reserved).max(solid);
    let at = mark.map(|m| share(m).min(width.saturating_sub(1)));
    let fill = match used + reserved {
        s if s >= 1.0 => theme.fail,
        s if mark.is_some_and(|m| s >= m) => theme.warn,
        _ => theme.gauge,
    };
    for x in 0..width {
        let (symbol, style) = match x {
            x if at == Some(x) => ("│", theme.text),
            x if x < solid => ("█", fill),
            x if x < hatched => ("▓", theme.gauge_reserved),
            _ => ("░", theme.gauge_empty),
        };
        pen.put(symbol, style);
    }
}

/// The newest `width` values as bars of eight heights; a value that is not zero always shows.
pub fn sparkline(pen: &mut Pen<'_>, width: u16, values: &[u64], theme: &Theme) {
    let width = usize::from(width.min(pen.left()));
    let shown = &values[values.len().saturating_sub(width)..];
    let max = shown.iter().copied().max().unwrap_or(0);
    pen.gap((width - shown.len()) as u16);
    for &v in shown {
        let level = if v == 0 || max == 0 { 0 } else { (v as u128 * 8).div_ceil(u128::from(max)) as usize };
        if level == 0 {
            pen.put("▁", theme.gauge_empty);
        } else {
            pen.put(LEVELS[level.min(8)], theme.gauge);
        }
    }
}

/// The heartbeat of a running attempt in ten columns: a bar that empties over the interval while it is fresh, words when it is not.
pub fn heartbeat(pen: &mut Pen<'_>, live: &LiveAttempt, age_ms: Option<u64>, theme: &Theme) {
    const BAR: u16 = 8;
    let Some(age) = age_ms else {
        pen.cell("starting", 10, theme.dim);
        return;
    };
    if !live.connected {
        pen.cell(&format!("○ away {}", text::age(age)), 10, theme.warn);
        return;
    }
    match live.liveness {
        Liveness::Fresh => {
            let eighths = (u64::from(BAR) * 8)
                .saturating_sub(age * u64::from(BAR) * 8 / live.heartbeat_interval_ms.max(1))
                .min(u64::from(BAR) * 8) as usize;
            let mut bar = "█".repeat(eighths / 8);
            bar.push_str(EIGHTHS[eighths % 8]);
            pen.put("♥", theme.ok).cell(&bar, BAR + 1, theme.ok);
        }
        Liveness::Late => {
            pen.cell(&format!("▲ late {}", text::age(age)), 10, theme.warn);
        }
        Liveness::Silent => {
            pen.cell(&format!("✗ none {}", text::age(age)), 10, theme.fail);
        }
    }
}
