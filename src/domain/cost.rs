//! What attempts cost: prices by model, who said a figure, and sums of both tokens and money.

use super::attempt::Usage;
use super::words::words;
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

words!(
    /// Who says what an attempt has cost.
    CostSource {
        /// The backend itself.
        Reported = "reported",
        /// Its tokens, by the table of prices.
        Computed = "computed",
        /// It never told its tokens (a killed run): the estimate, by the table of prices.
        Estimated = "estimated",
        /// Nobody: its model is not in the table.
        Unpriced = "unpriced",
        /// It used nothing that costs.
        Free = "free",
    }
);

/// What a model's tokens cost, in US dollars per million.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    pub input: f64,
    pub output: f64,
    pub cache_read: f64,
    pub cache_write: f64,
}

impl Price {
    /// What was used, in dollars.
    pub fn of(&self, usage: Usage) -> f64 {
        (usage.input as f64 * self.input
            + usage.output as f64 * self.output
            + usage.cache_read as f64 * self.cache_read
            + usage.cache_write as f64 * self.cache_write)
            / 1e6
    }

    /// Dollars for one token of an estimate, which does not say what sort of tokens it is about: three read to one written.
    pub fn mixed(&self) -> f64 {
        (3.0 * self.input + self.output) / 4.0 / 1e6
    }
}

/// Prices by the models' names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prices {
    by_name: Vec<(String, Price)>,
}

impl Prices {
    /// From names and prices; a name that ends in `*` stands for all that begin so. Of several entries of one name the first counts.
    pub fn new(entries: impl IntoIterator<Item = (String, Price)>) -> Prices {
        let mut by_name: Vec<(String, Price)> = Vec::new();
        for (name, price) in entries {
            if !by_name.iter().any(|(known, _)| *known == name) {
                by_name.push((name, price));
            }
        }
        Prices { by_name }
    }

    /// A model's price: the entry of its name, else the longest beginning of it. A provider before a slash
    /// (`anthropic/claude-sonnet-4-5`) does not count, unless an entry names it too.
    pub fn of(&self, model: &str) -> Option<&Price> {
        let bare = model.rsplit('/').next().unwrap_or(model);
        self.named(model).or_else(|| self.named(bare))
    }

    fn named(&self, model: &str) -> Option<&Price> {
        let fits = |name: &str| match name.strip_suffix('*') {
            Some(start) => model.starts_with(start).then_some(start.len()),
            None => (name == model).then_some(usize::MAX),
        };
        self.by_name.iter().filter_map(|(name, price)| Some((fits(name)?, price))).max_by_key(|(fit, _)| *fit).map(|(_, price)| price)
    }

    /// The highest `Price::mixed` of the table: what a token of a model counts against a spending cap whose price nobody knows.
    pub fn dearest(&self) -> f64 {
        self.by_name.iter().map(|(_, p)| p.mixed()).fold(0.0, f64::max)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

/// What one attempt has cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Charge {
    pub source: CostSource,
    /// In US dollars; `None` where nobody knows.
    pub usd: Option<f64>,
    /// Tokens that stand in for what the backend never told.
    pub estimated: u64,
}

/// What an attempt has cost. `told` is the backend's own figure, which goes before the table's; `estimated` are the tokens that
/// stand in for what it did not tell.
pub fn charge(told: Option<f64>, usage: Usage, estimated: u64, uses_model: bool, price: Option<&Price>) -> Charge {
    let (source, usd) = match (told, price) {
        _ if !uses_model || usage.total() + estimated == 0 && told.is_none_or(|usd| usd == 0.0) => (CostSource::Free, Some(0.0)),
        (Some(usd), _) if estimated == 0 => (CostSource::Reported, Some(usd)),
        (_, Some(p)) if estimated > 0 => (CostSource::Estimated, Some(told.unwrap_or(0.0).max(p.of(usage)) + p.mixed() * estimated as f64)),
        (_, Some(p)) => (CostSource::Computed, Some(p.of(usage))),
        (told, None) => (CostSource::Unpriced, told),
    };
    Charge { source, usd, estimated }
}

words!(
    /// By what costs are put together.
    CostBy {
        Project = "project",
        Task = "task",
        Job = "job",
        Worker = "worker",
        Model = "model",
        Backend = "backend",
        Kind = "kind",
        /// The cron entry that made the job.
        Cron = "cron",
        /// The set of skills that the attempt was given, each set once: so nothing is counted twice.
        Skill = "skill",
        /// The same, by version: `NAME@HASH`, with the first twelve digits of the hash.
        Version = "version",
        /// The operator's day on which the attempt ended.
        Day = "day",
    }
);

/// A sum over attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spend {
    pub jobs: u64,
    pub attempts: u64,
    #[serde(flatten)]
    pub usage: Usage,
    /// Tokens that stand in for what backends never told.
    pub estimated: u64,
    /// In US dollars: what backends said, ...
    pub reported_usd: f64,
    /// ... what the table of prices says, ...
    pub computed_usd: f64,
    /// ... and what it says of estimates.
    pub estimated_usd: f64,
    /// Tokens of models without a price: no money stands for them.
    pub unpriced: u64,
}

impl Spend {
    /// Tokens as the budget and the caps count them: without those read from a cache.
    pub fn tokens(&self) -> u64 {
        self.usage.budgeted(0.0) + self.estimated
    }

    /// In US dollars, whoever said so.
    pub fn usd(&self) -> f64 {
        self.reported_usd + self.computed_usd + self.estimated_usd
    }
}

impl AddAssign for Spend {
    fn add_assign(&mut self, o: Spend) {
        self.jobs += o.jobs;
        self.attempts += o.attempts;
        self.usage += o.usage;
        self.estimated += o.estimated;
        self.reported_usd += o.reported_usd;
        self.computed_usd += o.computed_usd;
        self.estimated_usd += o.estimated_usd;
        self.unpriced += o.unpriced;
    }
}

/// One line of a rollup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostRow {
    /// What it is about: a number, a name, a day; empty for what belongs to none.
    pub key: String,
    /// The same for people.
    pub label: String,
    #[serde(flatten)]
    pub spend: Spend,
    /// How often it came to something, where that is looked at: of cron entries.
    #[serde(default)]
    pub found: Option<Found>,
}

/// Of so many ended jobs it is known whether they came to anything, and so many did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub judged: u64,
    pub changed: u64,
}

impl Found {
    /// In words: `12 of 31 (39 %)`, or that nobody looked.
    pub fn says(self) -> String {
        match self.judged {
            0 => "unknown".to_owned(),
            n => format!("{} of {n} ({:.0} %)", self.changed, self.changed as f64 * 100.0 / n as f64),
        }
    }
}

impl AddAssign for Found {
    fn add_assign(&mut self, o: Found) {
        self.judged += o.judged;
        self.changed += o.changed;
    }
}

/// How good the estimates of a kind of job are, over attempts that told what they used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    pub kind: super::job::Kind,
    pub attempts: u64,
    /// Tokens that were reserved and used, in the mean.
    pub estimate: f64,
    pub actual: f64,
    /// The mean distance between the two, as a share of what was used.
    pub error: f64,
    /// The share of attempts that used more than was reserved.
    pub over: f64,
}

/// What upkeep of one category has cost, and how often it came to something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upkeep {
    pub category: super::job::Kind,
    #[serde(flatten)]
    pub spend: Spend,
    /// How often its jobs changed anything.
    #[serde(flatten)]
    pub found: Found,
}

/// True for the kinds of job that keep the system going rather than make something: the article's "maintenance".
pub fn is_upkeep(kind: super::job::Kind) -> bool {
    use super::job::Kind::*;
    matches!(kind, Review | Triage | Capture | Consolidate | Maintenance)
}

/// The marks that the share of upkeep is held against: a system that keeps itself in order spends a third at least, ...
pub const UPKEEP_LEAST: f64 = 1.0 / 3.0;
/// ... and about this share.
pub const UPKEEP_USUAL: f64 = 0.4;

/// The headline figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overview {
    pub today: Spend,
    pub period: Spend,
    pub caps: Vec<super::caps::CapStanding>,
    /// The share of the period's tokens that went into upkeep; `None` where nothing was spent.
    pub share: Option<f64>,
    pub upkeep: Vec<Upkeep>,
}

impl Overview {
    /// The share of upkeep against its marks, in words.
    pub fn upkeep_says(&self) -> String {
        let Some(share) = self.share else { return "nothing was spent yet".to_owned() };
        let against = if share < UPKEEP_LEAST {
            "less than the third that a system in good order spends on itself"
        } else if share <= UPKEEP_USUAL + 0.1 {
            "as usual: a third at least, about 40 %"
        } else {
            "more than usual (about 40 %): see what it changed"
        };
        format!("{:.0} % of the tokens; {against}", share * 100.0)
    }

    /// A category's share of all tokens, in percent.
    pub fn percent(&self, u: &Upkeep) -> f64 {
        match self.period.tokens() {
            0 => 0.0,
            all => u.spend.tokens() as f64 * 100.0 / all as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Price = Price { input: 1.0, output: 10.0, cache_read: 0.1, cache_write: 1.25 };
    const USED: Usage = Usage { input: 1_000_000, output: 100_000, cache_read: 2_000_000, cache_write: 400_000 };

    #[test]
    fn a_price_counts_each_sort_of_token() {
        assert!((P.of(USED) - (1.0 + 1.0 + 0.2 + 0.5)).abs() < 1e-12);
    }

    #[test]
    fn the_closest_name_counts_and_an_unknown_one_has_no_price() {
        let at = |input| Price { input, ..P };
        let names = [("a*", 1.0), ("a-2*", 2.0), ("a-2-mini", 3.0), ("far/a-2*", 4.0), ("a-2*", 9.0)];
        let prices = Prices::new(names.map(|(n, input)| (n.to_owned(), at(input))));
        let of = |model: &str| prices.of(model).map(|p| p.input);
        assert_eq!(["a-1", "a-2", "a-2-20260101", "a-2-mini"].map(of), [Some(1.0), Some(2.0), Some(2.0), Some(3.0)]);
        assert_eq!(["near/a-2", "far/a-2", "b", ""].map(of), [Some(2.0), Some(4.0), None, None]);
        assert_eq!(prices.len(), 4);
        assert_eq!(prices.dearest(), at(4.0).mixed());
    }

    #[test]
    fn the_backends_own_figure_goes_first_and_nothing_unknown_is_zero() {
        let none = Usage::default();
        let of = |told, usage, estimated, model, price| {
            let c = charge(told, usage, estimated, model, price);
            (c.source, c.usd)
        };
        assert_eq!(of(Some(0.5), USED, 0, true, Some(&P)), (CostSource::Reported, Some(0.5)));
        assert_eq!(of(None, USED, 0, true, Some(&P)), (CostSource::Computed, Some(P.of(USED))));
        assert_eq!(of(None, USED, 0, true, None), (CostSource::Unpriced, None));
        assert_eq!(of(None, none, 4000, true, Some(&P)), (CostSource::Estimated, Some(P.mixed() * 4000.0)));
        assert_eq!(of(None, none, 4000, true, None), (CostSource::Unpriced, None));
        assert_eq!(of(None, none, 0, true, None), (CostSource::Free, Some(0.0)), "it never started");
        assert_eq!(of(None, USED, 0, false, None), (CostSource::Free, Some(0.0)));
    }
}
