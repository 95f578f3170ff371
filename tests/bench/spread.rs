//! Least, median and most of what was measured.

use std::time::Duration;

/// Measurements of one thing.
#[derive(Clone, Debug, Default)]
pub struct Spread(Vec<f64>);

impl Spread {
    /// A time, kept in milliseconds.
    pub fn time(&mut self, t: Duration) {
        self.0.push(t.as_secs_f64() * 1e3);
    }

    pub fn number(&mut self, n: f64) {
        self.0.push(n);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn sorted(&self) -> Vec<f64> {
        let mut all = self.0.clone();
        all.sort_by(f64::total_cmp);
        all
    }

    pub fn median(&self) -> f64 {
        self.sorted().get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The figure that this share of all does not exceed.
    pub fn at(&self, share: f64) -> f64 {
        let s = self.sorted();
        s.get(((s.len() as f64 * share).ceil() as usize).saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    pub fn most(&self) -> f64 {
        self.sorted().last().copied().unwrap_or(f64::NAN)
    }

    /// `min / median / max` with a unit.
    pub fn show(&self, unit: &str) -> String {
        let s = self.sorted();
        let at = |i: usize| s.get(i).copied().unwrap_or(f64::NAN);
        format!("{:7.2} {:7.2} {:7.2} {unit}", at(0), self.median(), self.most())
    }
}

impl FromIterator<Duration> for Spread {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Spread {
        let mut all = Spread::default();
        times.into_iter().for_each(|t| all.time(t));
        all
    }
}

/// One line of a table.
pub fn line(what: &str, value: impl std::fmt::Display) {
    println!("  {what:<44} {value}");
}

pub fn head(what: &str) {
    println!("\n{what}\n  {:<44} {:>7} {:>7} {:>7}", "", "min", "median", "max");
}
