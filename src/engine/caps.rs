//! Spending caps at work: the figures are read once and kept up to date, a hold becomes a card, and its answer lets more be spent.

use super::live::Live;
use super::state::State;
use crate::config::{Backend, Settings};
use crate::domain::{Amount, CapStanding, Caps, Charge, Choice, Hold, MORE, Prices, ProjectId, Question, Timestamp, Usage, amount};
use crate::store::{Event, Period, Purse, Store, StoreError, Tx};
use std::collections::BTreeMap;
use std::time::Duration;

/// The caps as settings and database tell: all but what runs.
pub(super) fn read(
    store: &Store,
    settings: &Settings,
    backends: &BTreeMap<String, Backend>,
    prices: &Prices,
    now: Timestamp,
) -> Result<Caps, StoreError> {
    let limits = settings.caps();
    let dearest = prices.dearest();
    let rate = |b: &Backend| {
        let models = b.known_models(settings);
        let of = |m: &String| prices.of(m).map_or(dearest, |p| p.mixed());
        if !b.uses_model() { 0.0 } else { models.iter().map(of).reduce(f64::max).unwrap_or(dearest) }
    };
    let rates = backends.iter().map(|(name, b)| (name.clone(), rate(b))).collect();
    let mut caps = Caps { limits, rates, dearest, ..Caps::default() };
    if !limits.any() {
        return Ok(caps);
    }
    let midnight = settings.midnight(now);
    // What nobody knows the price of counts as the dearest: a cap that it does not reach would be none.
    let of = |p: &Purse| Amount { tokens: p.tokens, usd: p.usd + p.unpriced as f64 * dearest };
    let ended = |since| Period { running: false, ..Period::since(since) };
    for purse in store.purses(ended(midnight))? {
        caps.settle(None, of(&purse));
    }
    if limits.projects() {
        let all = store.purses(ended(Timestamp(i64::MIN)))?;
        caps.projects = all.iter().filter_map(|p| Some((p.project?, of(p)))).collect();
    }
    allow(&mut caps, store, midnight)?;
    Ok(caps)
}

/// Takes over what the operator has allowed.
pub(super) fn allow(caps: &mut Caps, store: &Store, midnight: Timestamp) -> Result<(), StoreError> {
    caps.more_day = 0.0;
    caps.more.clear();
    if !caps.limits.any() {
        return Ok(());
    }
    for (project, since, key) in store.cap_answers(midnight)? {
        let share = MORE.iter().find(|(k, ..)| k.eq_ignore_ascii_case(&key)).map_or(0.0, |(_, share, _)| *share);
        match project {
            Some(id) => *caps.more.entry(id).or_default() += share,
            None if since >= midnight => caps.more_day += share,
            None => {}
        }
    }
    Ok(())
}

/// What a running attempt takes of the caps: what it used, and what of its estimate it still may.
pub(super) fn of_running(caps: &Caps, backend: &str, used: Usage, usd: f64, estimate: u64) -> Amount {
    let tokens = used.budgeted(0.0);
    let left = caps.expects(backend, estimate.saturating_sub(tokens));
    let usd = if usd > 0.0 { usd } else { tokens as f64 * caps.rate(backend) };
    Amount { tokens: tokens + left.tokens, usd: usd + left.usd }
}

impl State {
    /// Reads the caps' figures anew: at the start, when settings change, and as a day begins.
    pub(super) fn load_caps(&mut self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        self.capacity.caps = read(store, &self.settings, &self.backends, &self.prices, now)?;
        self.midnight = self.settings.midnight(now);
        // Days have 23 to 25 hours: the beginning of the next is looked for from its middle on.
        self.next_midnight = self.settings.midnight(self.midnight + Duration::from_secs(36 * 3600));
        self.count_open();
        Ok(())
    }

    /// A new day has new caps.
    pub(super) fn begin_day(&mut self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        // A clock that was set back has its old day again.
        if now >= self.next_midnight || now < self.midnight {
            self.load_caps(store, now)?;
        }
        Ok(())
    }

    /// Counts what runs. There are as many as run, not as many as wait.
    pub(super) fn count_open(&mut self) {
        let caps = &mut self.capacity.caps;
        caps.clear_open();
        if !caps.limits.any() {
            return;
        }
        for live in self.lives.values() {
            let takes = of_running(caps, &live.backend, live.usage, live.cost_usd, live.estimate);
            caps.reserve(live.project, takes);
        }
    }

    /// An attempt is over: what it cost is spent.
    pub(super) fn settle_caps(&mut self, live: &Live, usage: Usage, charge: &Charge) {
        let caps = &mut self.capacity.caps;
        let tokens = usage.budgeted(0.0) + charge.estimated;
        let usd = charge.usd.unwrap_or(tokens as f64 * caps.dearest);
        caps.settle(live.project, Amount { tokens, usd });
    }

    /// Puts a card before the operator for each cap that holds a job, unless there is one or they said to hold.
    pub(super) fn ask_for_more(&mut self, tx: &Tx<'_>, holds: &[Hold], now: Timestamp) -> Result<(), StoreError> {
        for hold in holds {
            if tx.cap_card(hold.project, self.midnight)?.is_some() {
                continue;
            }
            tx.ask_for_more(hold.project, self.midnight, &question(hold, self.next_midnight), now)?;
        }
        Ok(())
    }

    /// Says once a day that a soft cap is passed.
    pub(super) fn warn_of_caps(&mut self, tx: &Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        if !self.capacity.caps.limits.any() {
            return Ok(());
        }
        for s in self.capacity.caps.standing().iter().filter(|s| s.warns()) {
            if self.warned.insert((s.project, s.unit, self.midnight)) {
                let text = format!("soft cap passed, {}", s.says());
                tx.event(&Event { severity: "warn", ..Event::new(now, "engine", "cap", &text) })?;
            }
        }
        self.warned.retain(|(.., day)| *day == self.midnight);
        Ok(())
    }

    /// The caps as a console shows them.
    pub(super) fn cap_standings(&self) -> Vec<CapStanding> {
        self.capacity.caps.standing()
    }
}

fn question(hold: &Hold, until: Timestamp) -> Question {
    let of = |x| amount(hold.unit, x);
    let whose = hold.project.map_or_else(|| "Today's cap".to_owned(), |p| format!("The cap of project {p}"));
    let mut choices: Vec<Choice> = MORE
        .iter()
        .map(|(key, share, label)| Choice {
            key: (*key).to_owned(),
            label: (*label).to_owned(),
            detail: format!("{} on top{}", of(hold.cap * share), if hold.project.is_none() { ", for today" } else { "" }),
        })
        .collect();
    choices.push(Choice {
        key: crate::domain::HOLD.to_owned(),
        label: "Hold".to_owned(),
        detail: "Nothing that costs starts until tomorrow".to_owned(),
    });
    Question {
        question: format!(
            "{whose} is reached: {} spent, {} taken by what runs, {} for the next job, of {}. Spend more?",
            of(hold.spent),
            of(hold.open),
            of(hold.wants),
            of(hold.cap)
        ),
        choices,
        deadline: Some(until),
        default: Some(crate::domain::HOLD.to_owned()),
        task: None,
        project: hold.project,
        job: None,
        attempt: None,
    }
}

/// The project of a job, for a purse of its own: only where projects have caps.
pub(super) fn purse(caps: &Caps, project: Option<ProjectId>) -> Option<ProjectId> {
    project.filter(|_| caps.limits.projects())
}
