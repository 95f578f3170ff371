//! What a job is expected to cost in tokens, before it runs.

use super::job::Kind;
use super::tokens::BYTES_PER_TOKEN;
use std::collections::BTreeMap;

/// How much a new sample weighs.
const WEIGHT: f64 = 0.2;

/// Tokens that a job of each kind is expected to use beyond its prompt and context, as the budget counts them: what the agent
/// writes, and what its tools and its own system prompt bring in. What history has taught, else a default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    defaults: BTreeMap<Kind, u64>,
    learned: BTreeMap<Kind, (f64, u32)>,
}

impl Expected {
    /// From the settings, and from what the store has kept: value and number of samples per kind.
    pub fn new(defaults: BTreeMap<Kind, u64>, learned: BTreeMap<Kind, (f64, u32)>) -> Expected {
        Expected { defaults, learned }
    }

    /// Expected tokens beyond prompt and context.
    pub fn work(&self, kind: Kind) -> u64 {
        let default = || self.defaults.get(&kind).copied().unwrap_or_default();
        self.learned.get(&kind).map_or_else(default, |(value, _)| value.max(0.0) as u64)
    }

    /// Other defaults; what was learned stays.
    pub fn set_defaults(&mut self, defaults: BTreeMap<Kind, u64>) {
        self.defaults = defaults;
    }

    /// Takes in what a finished attempt used beyond its prompt and context (exponentially weighted mean; plain mean of the first
    /// five). The new value and number of samples.
    pub fn learn(&mut self, kind: Kind, work: u64) -> (f64, u32) {
        let (value, n) = self.learned.get(&kind).copied().unwrap_or((work as f64, 0));
        let weight = WEIGHT.max(1.0 / f64::from(n + 1));
        let next = (value + (work as f64 - value) * weight, n.saturating_add(1));
        self.learned.insert(kind, next);
        next
    }
}

/// The reservation of a job: prompt, context and expected work. A job without a model (shell) costs nothing.
pub fn reservation(prompt_bytes: u64, context_tokens: u64, work_tokens: u64, uses_model: bool) -> u64 {
    if uses_model { prompt_bytes.div_ceil(BYTES_PER_TOKEN) + context_tokens + work_tokens } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_reservation_is_prompt_context_and_expected_work() {
        assert_eq!(reservation(4001, 900, 2000, true), 1001 + 900 + 2000);
        assert_eq!(reservation(4001, 900, 2000, false), 0);
    }

    #[test]
    fn history_replaces_the_default_and_follows_slowly() {
        let mut e = Expected::new([(Kind::Code, 6000), (Kind::Writing, 4000)].into(), BTreeMap::new());
        assert_eq!(e.work(Kind::Code), 6000);
        assert_eq!(e.learn(Kind::Code, 1000), (1000.0, 1));
        assert_eq!(e.learn(Kind::Code, 2000), (1500.0, 2));
        for _ in 0..3 {
            e.learn(Kind::Code, 1500);
        }
        assert_eq!(e.work(Kind::Code), 1500, "a plain mean so far");
        assert_eq!(e.learn(Kind::Code, 6500), (2500.0, 6));
        assert_eq!(e.work(Kind::Writing), 4000, "each kind for itself");
        e.set_defaults(BTreeMap::new());
        assert_eq!(Expected::new(BTreeMap::new(), [(Kind::Code, (2500.0, 6))].into()), e, "and it survives a restart");
    }

    proptest! {
        #![proptest_config(crate::domain::cases())]

        #[test]
        fn what_is_learned_stays_within_what_was_seen(samples in prop::collection::vec(0u64..1_000_000, 1..50)) {
            let mut e = Expected::default();
            samples.iter().for_each(|n| { e.learn(Kind::Other, *n); });
            let (low, high) = (samples.iter().min().unwrap(), samples.iter().max().unwrap());
            prop_assert!((low.saturating_sub(1)..=high + 1).contains(&e.work(Kind::Other)));
        }
    }
}
