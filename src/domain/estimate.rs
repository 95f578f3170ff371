//! What a job is expected to cost in tokens, before it runs.

use super::job::Kind;
use super::tokens::BYTES_PER_TOKEN;
use std::collections::BTreeMap;

/// How much a new sample weighs.
const WEIGHT: f64 = 0.2;

/// Expected output tokens per kind: what history has taught, else a default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    learned: BTreeMap<Kind, (f64, u32)>,
}

impl Expected {
    /// From what the store has kept: value and number of samples per kind.
    pub fn new(learned: BTreeMap<Kind, (f64, u32)>) -> Expected {
        Expected { learned }
    }

    /// Expected output tokens.
    pub fn output(&self, kind: Kind) -> u64 {
        self.learned.get(&kind).map_or_else(|| default_output(kind), |(value, _)| value.max(0.0) as u64)
    }

    /// Takes in what a finished attempt wrote (exponentially weighted mean; plain mean of the first five). The new value and
    /// number of samples.
    pub fn learn(&mut self, kind: Kind, output: u64) -> (f64, u32) {
        let (value, n) = self.learned.get(&kind).copied().unwrap_or((output as f64, 0));
        let weight = WEIGHT.max(1.0 / f64::from(n + 1));
        let next = (value + (output as f64 - value) * weight, n.saturating_add(1));
        self.learned.insert(kind, next);
        next
    }
}

/// Before there is any history.
fn default_output(kind: Kind) -> u64 {
    match kind {
        Kind::Code => 6000,
        Kind::Writing | Kind::Research => 4000,
        Kind::Plan => 3000,
        Kind::Review => 2000,
        Kind::Other => 2000,
        Kind::Triage | Kind::Capture | Kind::Consolidate => 500,
        Kind::Maintenance => 0,
    }
}

/// The reservation of a job: prompt, context and expected output. A job without a model (shell) costs nothing.
pub fn reservation(prompt_bytes: u64, context_tokens: u64, output_tokens: u64, uses_model: bool) -> u64 {
    if uses_model { prompt_bytes.div_ceil(BYTES_PER_TOKEN) + context_tokens + output_tokens } else { 0 }
}
