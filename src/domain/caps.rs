//! Spending caps: what may be spent in a day, and on a project. A hard cap holds every start that would pass it, of whatever priority,
//! until the operator lets more be spent or the day is over; a soft one only warns.

use super::ids::ProjectId;
use super::time::Timestamp;
use super::words::words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

words!(
    /// What a cap counts.
    CapUnit {
        /// Input, output and cache writes, as the token budget counts them.
        Tokens = "tokens",
        /// US dollars.
        Usd = "usd",
    }
);

/// Tokens and US dollars; as a cap, 0 = none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Amount {
    pub tokens: u64,
    pub usd: f64,
}

impl Amount {
    fn of(self, unit: CapUnit) -> f64 {
        match unit {
            CapUnit::Tokens => self.tokens as f64,
            CapUnit::Usd => self.usd,
        }
    }

    fn add(&mut self, o: Amount) {
        self.tokens = self.tokens.saturating_add(o.tokens);
        self.usd += o.usd;
    }

    fn is_zero(self) -> bool {
        self.tokens == 0 && self.usd == 0.0
    }
}

/// The settings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CapLimits {
    pub soft_day: Amount,
    pub hard_day: Amount,
    /// Of each project, in its whole life.
    pub soft_project: Amount,
    pub hard_project: Amount,
}

impl CapLimits {
    /// True where there is any.
    pub fn any(&self) -> bool {
        self.projects() || !self.soft_day.is_zero() || !self.hard_day.is_zero()
    }

    /// True where projects have any.
    pub fn projects(&self) -> bool {
        !self.soft_project.is_zero() || !self.hard_project.is_zero()
    }
}

/// A share of a cap that the operator allowed on top of it: by the answer to a card.
pub const MORE: [(&str, f64, &str); 2] = [("quarter", 0.25, "A quarter more"), ("double", 1.0, "As much again")];

/// The answer that keeps a hold.
pub const HOLD: &str = "hold";

/// What was spent and may be, kept up to date by the engine so that no start has to add anything up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caps {
    pub limits: CapLimits,
    /// Shares of the cap that the operator allowed on top: of today's, and of projects'.
    pub more_day: f64,
    pub more: BTreeMap<ProjectId, f64>,
    /// By attempts that ended: today, and on each project ever.
    pub day: Amount,
    pub projects: BTreeMap<ProjectId, Amount>,
    /// By those that run: what they used, and what of their estimate they still may.
    pub open_day: Amount,
    pub open: BTreeMap<ProjectId, Amount>,
    /// Dollars that a token of a backend's estimate is expected to cost.
    pub rates: BTreeMap<String, f64>,
    /// The same of a backend that is not among them.
    pub dearest: f64,
}

/// Why a start is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hold {
    /// The project whose cap it is; `None`: the day's.
    pub project: Option<ProjectId>,
    pub unit: CapUnit,
    pub spent: f64,
    /// By those that run.
    pub open: f64,
    /// By the one that is held.
    pub wants: f64,
    pub cap: f64,
}

impl Hold {
    /// In words.
    pub fn says(&self) -> String {
        let of = |x| amount(self.unit, x);
        let whose = self.project.map_or_else(|| "today".to_owned(), |p| format!("on project {p}"));
        format!("{} spent {whose} + {} of what runs + {} for this job of {}", of(self.spent), of(self.open), of(self.wants), of(self.cap))
    }
}

/// A figure with its unit.
pub fn amount(unit: CapUnit, x: f64) -> String {
    match unit {
        CapUnit::Tokens => format!("{x:.0} tokens"),
        CapUnit::Usd => format!("${x:.2}"),
    }
}

impl Caps {
    /// What a start of this size is expected to cost.
    pub fn expects(&self, backend: &str, tokens: u64) -> Amount {
        Amount { tokens, usd: tokens as f64 * self.rate(backend) }
    }

    /// Dollars for a token of a backend's estimate.
    pub fn rate(&self, backend: &str) -> f64 {
        self.rates.get(backend).copied().unwrap_or(self.dearest)
    }

    /// The first hard cap that a start would pass. What costs no tokens passes all.
    pub fn hold(&self, backend: &str, project: Option<ProjectId>, estimate: u64) -> Option<Hold> {
        if estimate == 0 {
            return None;
        }
        let wants = self.expects(backend, estimate);
        let check = |project: Option<ProjectId>, spent: Amount, open: Amount, cap: Amount, more: f64| {
            CapUnit::ALL.iter().find_map(|&unit| {
                let (spent, open, wants, cap) = (spent.of(unit), open.of(unit), wants.of(unit), cap.of(unit) * (1.0 + more));
                (cap > 0.0 && spent + open + wants > cap).then_some(Hold { project, unit, spent, open, wants, cap })
            })
        };
        let of = |all: &BTreeMap<ProjectId, Amount>, id| all.get(&id).copied().unwrap_or_default();
        check(None, self.day, self.open_day, self.limits.hard_day, self.more_day).or_else(|| {
            let id = project?;
            let more = self.more.get(&id).copied().unwrap_or(0.0);
            check(Some(id), of(&self.projects, id), of(&self.open, id), self.limits.hard_project, more)
        })
    }

    /// Accounts for a start, or for what runs.
    pub fn reserve(&mut self, project: Option<ProjectId>, wants: Amount) {
        self.open_day.add(wants);
        if let Some(id) = project {
            self.open.entry(id).or_default().add(wants);
        }
    }

    /// Forgets what runs, to count it anew.
    pub fn clear_open(&mut self) {
        self.open_day = Amount::default();
        self.open.clear();
    }

    /// Accounts for an attempt that has ended.
    pub fn settle(&mut self, project: Option<ProjectId>, spent: Amount) {
        self.day.add(spent);
        if let Some(id) = project {
            self.projects.entry(id).or_default().add(spent);
        }
    }

    /// Every cap there is, with how near it is: the day's, then those of projects that have spent a tenth of theirs.
    pub fn standing(&self) -> Vec<CapStanding> {
        let mut all = Vec::new();
        let mut add = |project, spent: Amount, open: Amount, soft: Amount, hard: Amount, more: f64, least: f64| {
            for &unit in CapUnit::ALL {
                let (soft, hard) = (soft.of(unit), hard.of(unit));
                let spent = spent.of(unit) + open.of(unit);
                if soft > 0.0 || hard > 0.0 {
                    let hard = hard * (1.0 + more);
                    let standing = CapStanding { project, unit, spent, soft, hard, by_midnight: None, reached_at: None };
                    if standing.share() >= least {
                        all.push(standing);
                    }
                }
            }
        };
        add(None, self.day, self.open_day, self.limits.soft_day, self.limits.hard_day, self.more_day, 0.0);
        let ids: std::collections::BTreeSet<ProjectId> = self.projects.keys().chain(self.open.keys()).copied().collect();
        for id in ids {
            let of = |all: &BTreeMap<ProjectId, Amount>| all.get(&id).copied().unwrap_or_default();
            let more = self.more.get(&id).copied().unwrap_or(0.0);
            add(Some(id), of(&self.projects), of(&self.open), self.limits.soft_project, self.limits.hard_project, more, 0.1);
        }
        all
    }
}

/// How near a cap is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapStanding {
    /// `None`: the day's.
    pub project: Option<ProjectId>,
    pub unit: CapUnit,
    /// Spent by what ended, and used and reserved by what runs.
    pub spent: f64,
    /// 0 = none.
    pub soft: f64,
    /// With what the operator allowed on top; 0 = none.
    pub hard: f64,
    /// What will have been spent at midnight, if it goes on as in the last hours.
    pub by_midnight: Option<f64>,
    /// When the hard cap is reached at that rate, if that is before midnight.
    pub reached_at: Option<Timestamp>,
}

impl CapStanding {
    /// Spent, as a share of the hard cap, or else of the soft one.
    pub fn share(&self) -> f64 {
        self.spent / if self.hard > 0.0 { self.hard } else { self.soft }
    }

    /// True past the soft cap.
    pub fn warns(&self) -> bool {
        self.soft > 0.0 && self.spent >= self.soft
    }

    /// Fills in the forecast: `rate` is spent in an hour, `hours` are left of the day.
    pub fn foresee(&mut self, rate: f64, hours: f64, now: Timestamp) {
        self.by_midnight = Some(self.spent + rate * hours);
        let left = (self.hard - self.spent).max(0.0);
        if self.hard > 0.0 && rate > 0.0 && left / rate <= hours {
            self.reached_at = Some(Timestamp(now.0 + (left / rate * 3_600_000.0) as i64));
        }
    }

    /// In words, without a time zone.
    pub fn says(&self) -> String {
        let mut text = self.stands();
        if self.hard == 0.0 {
            text += " (a soft cap: it only warns)";
        } else if self.soft > 0.0 {
            text += &format!(", warning from {}", amount(self.unit, self.soft));
        }
        text + &self.forecast()
    }

    /// The same where there is little room: what is spent, and the forecast.
    pub fn brief(&self) -> String {
        self.stands() + &self.forecast()
    }

    fn stands(&self) -> String {
        let of = |x| amount(self.unit, x);
        let whose = self.project.map_or_else(|| "today".to_owned(), |p| format!("project {p}"));
        format!("{whose}: {} of {}", of(self.spent), of(if self.hard > 0.0 { self.hard } else { self.soft }))
    }

    fn forecast(&self) -> String {
        match (self.reached_at, self.by_midnight) {
            (Some(t), _) => format!("; reached at {t} at this rate"),
            (None, Some(x)) if self.project.is_none() => format!("; {} by midnight at this rate", amount(self.unit, x)),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Option<ProjectId> = Some(ProjectId(7));

    fn caps() -> Caps {
        let limits =
            CapLimits { hard_day: Amount { tokens: 1000, usd: 0.0 }, hard_project: Amount { tokens: 0, usd: 2.0 }, ..CapLimits::default() };
        Caps { limits, rates: [("cheap".to_owned(), 0.001)].into(), dearest: 0.1, ..Caps::default() }
    }

    #[test]
    fn a_start_that_would_pass_a_cap_is_held_and_one_that_fits_is_not() {
        let mut c = caps();
        assert_eq!((c.hold("cheap", None, 1000), c.hold("cheap", None, 0)), (None, None), "exactly the cap may be spent");
        let hold = c.hold("cheap", None, 1001).unwrap();
        assert_eq!((hold.project, hold.unit, hold.wants, hold.cap), (None, CapUnit::Tokens, 1001.0, 1000.0));
        c.reserve(None, c.expects("cheap", 600));
        assert!(c.hold("cheap", None, 401).is_some() && c.hold("cheap", None, 400).is_none(), "what runs counts before it has ended");
        c.clear_open();
        c.settle(P, Amount { tokens: 600, usd: 1.9 });
        assert_eq!(c.hold("cheap", P, 101).unwrap().says(), "$1.90 spent on project 7 + $0.00 of what runs + $0.10 for this job of $2.00");
        assert_eq!(c.hold("cheap", None, 400), None, "only the project is held");
    }

    #[test]
    fn a_backend_without_a_price_is_expected_to_be_the_dearest() {
        let c = caps();
        assert_eq!(c.hold("cheap", P, 21), None);
        assert_eq!(c.hold("unheard-of", P, 21).unwrap().unit, CapUnit::Usd);
    }

    #[test]
    fn what_the_operator_allows_comes_on_top() {
        let mut c = caps();
        c.settle(P, Amount { tokens: 1000, usd: 0.0 });
        assert!(c.hold("cheap", P, 250).is_some());
        c.more_day = 0.25;
        assert!(c.hold("cheap", P, 250).is_none() && c.hold("cheap", P, 251).is_some());
    }

    #[test]
    fn the_forecast_says_when() {
        let mut c = caps();
        c.settle(None, Amount { tokens: 400, usd: 0.0 });
        let mut s = c.standing().remove(0);
        s.foresee(100.0, 5.0, Timestamp(0));
        assert_eq!((s.by_midnight, s.reached_at), (Some(900.0), None));
        s.foresee(150.0, 5.0, Timestamp(0));
        assert_eq!(s.reached_at, Some(Timestamp(4 * 3_600_000)));
        assert!(s.says().contains("today: 400 tokens of 1000 tokens"), "{}", s.says());
    }
}
