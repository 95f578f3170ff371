//! `orc cost`: what was spent, on what, and how near the caps are.

use super::ages;
use super::args;
use super::context::Context;
use super::error::{CliError, Result};
use super::output::{Cell, Table, Tone};
use crate::domain::{CostBy, CostRow, Found, Overview, Spend, Timestamp, Upkeep};
use crate::engine::costs;
use crate::store::{Period, Store};
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub struct Cost {
    /// Put together by this; without it: the headline figures
    #[arg(long, value_name = "WHAT", value_parser = args::word(CostBy::ALL, CostBy::as_str))]
    by: Option<CostBy>,
    /// Only what ended from then on (and what runs): an instant, or an age such as 7days
    #[arg(long, value_name = "TIME", value_parser = args::past)]
    since: Option<Timestamp>,
    /// Only what ended before then
    #[arg(long, value_name = "TIME", value_parser = args::past)]
    until: Option<Timestamp>,
    /// How good the estimates were, by kind of job
    #[arg(long, conflicts_with = "by")]
    accuracy: bool,
    /// Print the rollup as CSV
    #[arg(long, requires = "by", conflicts_with = "accuracy")]
    csv: bool,
}

/// Says what was spent.
///
/// # Errors
/// The database; the configuration.
pub fn run(cx: &mut Context, cost: &Cost) -> Result {
    if cost.csv && cx.out.json {
        return Err(CliError::usage("--csv and --json at once: choose one"));
    }
    let store = cx.reader()?;
    let now = cx.now();
    let p = period(cost);
    if cost.accuracy {
        return accuracy(cx, &store, p);
    }
    match cost.by {
        Some(by) => {
            let settings = cx.settings()?;
            let rows = store.costs(by, p, now, |at| settings.day(at))?;
            let total = store.spend(p)?;
            match (cost.csv, cx.out.json) {
                (true, _) => csv(cx, &rows),
                (_, true) => cx.out.value(&rows.iter().map(of_row).collect::<Vec<_>>()),
                _ => print(cx, by, &rows, &total),
            }
        }
        None => {
            let settings = cx.settings()?;
            let prices = crate::config::prices(cx.workspace()?).map_err(|e| CliError::workspace(e.to_string()))?;
            let (backends, _) = cx.backends()?;
            let overview = costs::overview(&store, &settings, &backends, &prices, p, now)?;
            if cx.out.json { cx.out.value(&of_overview(&overview)) } else { headline(cx, &overview) }
        }
    }
}

fn period(cost: &Cost) -> Period {
    let since = cost.since.unwrap_or(Timestamp(i64::MIN));
    match cost.until {
        Some(until) => Period { since, until, running: false },
        None => Period::since(since),
    }
}

fn of_spend(s: &Spend) -> Value {
    let mut value = serde_json::to_value(s).unwrap_or_default();
    value["tokens"] = s.tokens().into();
    value["cost_usd"] = s.usd().into();
    value
}

fn of_row(row: &CostRow) -> Value {
    let mut value = of_spend(&row.spend);
    value["key"] = row.key.as_str().into();
    value["label"] = row.label.as_str().into();
    if let Some(found) = row.found {
        value["judged"] = found.judged.into();
        value["changed"] = found.changed.into();
    }
    value
}

fn of_upkeep(u: &Upkeep) -> Value {
    let mut value = of_spend(&u.spend);
    value["category"] = u.category.as_str().into();
    value["judged"] = u.found.judged.into();
    value["changed"] = u.found.changed.into();
    value
}

fn of_overview(o: &Overview) -> Value {
    json!({
        "today": of_spend(&o.today),
        "period": of_spend(&o.period),
        "caps": o.caps,
        "maintenance": {
            "share": o.share, "least": crate::domain::UPKEEP_LEAST, "usual": crate::domain::UPKEEP_USUAL,
            "categories": o.upkeep.iter().map(of_upkeep).collect::<Vec<_>>(),
        },
    })
}

fn print(cx: &mut Context, by: CostBy, rows: &[CostRow], total: &Spend) -> Result {
    let head = match by {
        CostBy::Project => "PROJECT",
        CostBy::Task => "TASK",
        CostBy::Job => "JOB",
        CostBy::Worker => "WORKER",
        CostBy::Model => "MODEL",
        CostBy::Backend => "BACKEND",
        CostBy::Kind => "KIND",
        CostBy::Cron => "CRON ENTRY",
        CostBy::Skill => "SKILLS",
        CostBy::Version => "SKILL VERSIONS",
        CostBy::Day => "DAY",
    };
    let numbered = matches!(by, CostBy::Project | CostBy::Task | CostBy::Job);
    let mut columns = vec![head, ">JOBS", ">INPUT", ">OUTPUT", ">CACHE READ", ">CACHE WRITE", ">ESTIMATED", ">COST", "SAID BY"];
    let judges = by == CostBy::Cron;
    columns.extend(judges.then_some(">CHANGED SOMETHING"));
    let mut table = Table::new(&columns, head);
    let line = |label: String, s: &Spend, found: Option<Found>, tone: Tone| {
        let mut cells = vec![
            Cell::toned(tone, label),
            s.jobs.into(),
            ages::count(s.usage.input).into(),
            ages::count(s.usage.output).into(),
            ages::count(s.usage.cache_read).into(),
            ages::count(s.usage.cache_write).into(),
            ages::count(s.estimated).into(),
            ages::money(s.usd()).into(),
            said(s).into(),
        ];
        cells.extend(judges.then(|| found.map_or_else(String::new, Found::says).into()));
        cells
    };
    for r in rows {
        let label = if numbered && !r.key.is_empty() { format!("{} {}", r.key, r.label) } else { r.label.clone() };
        table.row(line(label, &r.spend, r.found, Tone::Plain));
    }
    if !rows.is_empty() {
        table.row(line("in all".to_owned(), total, None, Tone::Head));
    }
    cx.out.table(&table, "nothing was spent: no attempt has ended in that time")
}

/// Who says what a sum is, in a few words.
fn said(s: &Spend) -> String {
    let mut by = Vec::new();
    if s.reported_usd > 0.0 {
        by.push("backend".to_owned());
    }
    if s.computed_usd > 0.0 {
        by.push("prices".to_owned());
    }
    if s.estimated_usd > 0.0 {
        by.push("estimate".to_owned());
    }
    if s.unpriced > 0 {
        by.push(format!("unpriced: {} tokens", ages::count(s.unpriced)));
    }
    by.join(", ")
}

fn csv(cx: &mut Context, rows: &[CostRow]) -> Result {
    let wrong = |e: csv::Error| CliError::from(std::io::Error::other(e.to_string()));
    let mut to = csv::Writer::from_writer(Vec::new());
    to.write_record([
        "key",
        "label",
        "jobs",
        "attempts",
        "input",
        "output",
        "cache_read",
        "cache_write",
        "estimated",
        "tokens",
        "unpriced",
        "reported_usd",
        "computed_usd",
        "estimated_usd",
        "cost_usd",
        "judged",
        "changed",
    ])
    .map_err(wrong)?;
    for r in rows {
        let s = &r.spend;
        let counts = [
            s.jobs,
            s.attempts,
            s.usage.input,
            s.usage.output,
            s.usage.cache_read,
            s.usage.cache_write,
            s.estimated,
            s.tokens(),
            s.unpriced,
        ];
        let money = [s.reported_usd, s.computed_usd, s.estimated_usd, s.usd()];
        let found = r.found.map_or([const { String::new() }; 2], |f| [f.judged.to_string(), f.changed.to_string()]);
        let figures = counts.iter().map(u64::to_string).chain(money.iter().map(f64::to_string)).chain(found);
        // A title that begins like a formula is run as one by what opens such files.
        let text = |t: &str| if t.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{t}") } else { t.to_owned() };
        to.write_record([text(&r.key), text(&super::text::line(&r.label))].into_iter().chain(figures)).map_err(wrong)?;
    }
    let bytes = to.into_inner().map_err(|e| CliError::from(std::io::Error::other(e.to_string())))?;
    cx.out.bytes(&bytes)
}

fn accuracy(cx: &mut Context, store: &Store, p: Period) -> Result {
    let rows = store.accuracy(p)?;
    if cx.out.json {
        return cx.out.value(&rows);
    }
    let mut table = Table::new(&["KIND", ">ATTEMPTS", ">ESTIMATED", ">USED", ">OFF BY", ">ABOVE ESTIMATE"], "KIND");
    for a in &rows {
        table.row(vec![
            a.kind.into(),
            a.attempts.into(),
            ages::count(a.estimate as u64).into(),
            ages::count(a.actual as u64).into(),
            percent(a.error).into(),
            percent(a.over).into(),
        ]);
    }
    cx.out.table(&table, "no attempt has ended well and told its tokens: there is nothing to compare")
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn headline(cx: &mut Context, o: &Overview) -> Result {
    let of = |s: &Spend| {
        let unpriced = if s.unpriced > 0 { format!(", and {} tokens without a price", ages::count(s.unpriced)) } else { String::new() };
        format!("{}, {} tokens, {}{unpriced}", ages::money(s.usd()), ages::count(s.tokens()), ages::many(s.jobs as usize, "job"))
    };
    let mut fields = vec![("today", of(&o.today)), ("in all", of(&o.period))];
    for cap in &o.caps {
        fields.push(("cap", cap.says()));
    }
    if o.caps.is_empty() {
        fields.push(("caps", "none: `cap_day_usd` and its like in orc.toml set them".to_owned()));
    }
    fields.push(("upkeep", o.upkeep_says()));
    cx.out.fields(&fields)?;
    if o.upkeep.is_empty() {
        return Ok(());
    }
    cx.out.line("")?;
    let mut table = Table::new(&["UPKEEP", ">JOBS", ">TOKENS", ">SHARE", ">COST", ">CHANGED SOMETHING"], "UPKEEP");
    for u in &o.upkeep {
        table.row(vec![
            u.category.into(),
            u.spend.jobs.into(),
            ages::count(u.spend.tokens()).into(),
            format!("{:.0} %", o.percent(u)).into(),
            ages::money(u.spend.usd()).into(),
            u.found.says().into(),
        ]);
    }
    cx.out.table(&table, "")
}
