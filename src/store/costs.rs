//! What was spent: sums over attempts, by whatever they are put together. Each attempt is in exactly one line of each rollup, so
//! every rollup adds up to the same figures.

use super::row;
use super::{Store, StoreError};
use crate::domain::{Accuracy, CostBy, CostRow, Found, Kind, ProjectId, Spend, Timestamp, Upkeep, Usage};
use rusqlite::{Row, params};
use std::collections::{BTreeMap, BTreeSet};

/// Every change of a clock on this planet falls on a quarter of an hour of UTC: days are put together from these.
const QUARTER: i64 = 15 * 60 * 1000;

/// The sums of a group of attempts `a`.
const SUMS: &str = "count(DISTINCT a.job_id) AS jobs, count(*) AS attempts,
    coalesce(sum(a.input), 0) AS input, coalesce(sum(a.output), 0) AS output,
    coalesce(sum(a.cache_read), 0) AS cache_read, coalesce(sum(a.cache_write), 0) AS cache_write,
    coalesce(sum(a.estimated), 0) AS estimated,
    coalesce(sum(CASE WHEN a.cost_source = 'reported' THEN a.cost_usd END), 0.0) AS reported_usd,
    coalesce(sum(CASE WHEN a.cost_source = 'computed' THEN a.cost_usd END), 0.0) AS computed_usd,
    coalesce(sum(CASE WHEN a.cost_source = 'estimated' THEN a.cost_usd END), 0.0) AS estimated_usd,
    coalesce(sum(CASE WHEN a.cost_source = 'unpriced' THEN a.input + a.output + a.cache_write + a.estimated END), 0) AS unpriced";

/// The attempts that ended in a period, and from `?3` on those that run: an attempt belongs to the moment of its end, one that
/// runs to now. Each half by its own index.
const WITHIN: &str = "a.id IN (SELECT id FROM attempts WHERE ended_at >= ?1 AND ended_at < ?2
    UNION ALL SELECT id FROM attempts WHERE ended_at IS NULL AND ?3)";

/// A stretch of time, its end excluded; `running`: with what runs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub since: Timestamp,
    pub until: Timestamp,
    pub running: bool,
}

impl Period {
    /// From an instant on, what runs included.
    pub fn since(since: Timestamp) -> Period {
        Period { since, until: Timestamp(i64::MAX), running: true }
    }

    /// Everything.
    pub fn ever() -> Period {
        Period::since(Timestamp(i64::MIN))
    }
}

/// What a spending cap looks at: a project's spending, or that of what belongs to none.
#[derive(Clone, Debug, PartialEq)]
pub struct Purse {
    pub project: Option<ProjectId>,
    pub tokens: u64,
    pub usd: f64,
    /// Tokens that no money stands for.
    pub unpriced: u64,
}

impl Store {
    /// The sum over all attempts of a period.
    ///
    /// # Errors
    /// The database.
    pub fn spend(&self, p: Period) -> Result<Spend, StoreError> {
        row::one(self, &format!("SELECT {SUMS} FROM attempts a WHERE {WITHIN}"), params![p.since.0, p.until.0, p.running], read)
    }

    /// A rollup, the dearest line first; days in their order. `day` says on which of the operator's days an instant is; `now` is when
    /// what runs counts.
    ///
    /// # Errors
    /// The database.
    pub fn costs(&self, by: CostBy, p: Period, now: Timestamp, day: impl Fn(Timestamp) -> String) -> Result<Vec<CostRow>, StoreError> {
        self.costs_within(by, None, p, now, day)
    }

    /// The same of one line of another rollup only, by its key (no day: that is a period).
    ///
    /// # Errors
    /// The database.
    pub fn costs_within(
        &self,
        by: CostBy,
        within: Option<(CostBy, &str)>,
        p: Period,
        now: Timestamp,
        day: impl Fn(Timestamp) -> String,
    ) -> Result<Vec<CostRow>, StoreError> {
        let (key, label) = grouping(by, now);
        let outer = within.map_or_else(|| "?4".to_owned(), |(by, _)| grouping(by, now).0);
        let sql = format!(
            "SELECT {key} AS key, max({label}) AS label, {SUMS} FROM attempts a JOIN jobs j ON j.id = a.job_id
             LEFT JOIN projects p ON p.id = j.project_id LEFT JOIN tasks t ON t.id = j.task_id
             WHERE {WITHIN} AND {outer} = ?4 GROUP BY 1"
        );
        let read_row = |r: &Row<'_>| Ok(CostRow { key: r.get("key")?, label: r.get("label")?, spend: read(r)?, found: None });
        let mut rows = row::all(self, &sql, params![p.since.0, p.until.0, p.running, within.map_or("", |(_, key)| key)], read_row)?;
        if by == CostBy::Day {
            return self.days(rows, p, now, day);
        }
        if by == CostBy::Cron {
            let found = self.cron_found(p)?;
            for row in rows.iter_mut().filter(|r| !r.key.is_empty()) {
                row.found = Some(found.get(&row.key).copied().unwrap_or_default());
            }
        }
        rows.sort_by(|a, b| {
            let weight = |r: &CostRow| (r.spend.usd(), r.spend.tokens() as f64);
            weight(b).partial_cmp(&weight(a)).unwrap_or(std::cmp::Ordering::Equal).then_with(|| a.label.cmp(&b.label))
        });
        Ok(rows)
    }

    /// Quarters of an hour become days.
    fn days(
        &self,
        quarters: Vec<CostRow>,
        p: Period,
        now: Timestamp,
        day: impl Fn(Timestamp) -> String,
    ) -> Result<Vec<CostRow>, StoreError> {
        let mut days = BTreeMap::<String, Spend>::new();
        for q in quarters {
            let at = Timestamp(q.key.parse::<i64>().unwrap_or_default().saturating_mul(QUARTER));
            *days.entry(day(at)).or_default() += q.spend;
        }
        // A job with attempts in several quarters of a day is one job of it.
        let ended = row::all(
            self,
            &format!("SELECT DISTINCT a.job_id, coalesce(a.ended_at, {}) / {QUARTER} FROM attempts a WHERE {WITHIN}", now.0),
            params![p.since.0, p.until.0, p.running],
            |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?)),
        )?;
        let mut jobs = BTreeMap::<String, BTreeSet<i64>>::new();
        for (job, quarter) in ended {
            jobs.entry(day(Timestamp(quarter.saturating_mul(QUARTER)))).or_default().insert(job);
        }
        Ok(days
            .into_iter()
            .map(|(key, spend)| {
                let spend = Spend { jobs: jobs.get(&key).map_or(spend.jobs, |j| j.len() as u64), ..spend };
                CostRow { label: key.clone(), key, spend, found: None }
            })
            .collect())
    }

    /// How often the jobs of each cron entry found something to do, of those that were over in a period and that somebody looked at.
    /// Known as far back as fires are kept.
    ///
    /// # Errors
    /// The database.
    pub fn cron_found(&self, p: Period) -> Result<BTreeMap<String, Found>, StoreError> {
        let sql = "SELECT name, count(*) AS judged, coalesce(sum(found), 0) AS changed FROM cron_fires
                   WHERE settled_at >= ?1 AND settled_at < ?2 AND found IS NOT NULL GROUP BY name";
        let all = row::all(self, sql, params![p.since.0, p.until.0], |r| Ok((r.get("name")?, read_found(r)?)))?;
        Ok(all.into_iter().collect())
    }

    /// What was spent in a period by each project, and by what belongs to none: for the caps.
    ///
    /// # Errors
    /// The database.
    pub fn purses(&self, p: Period) -> Result<Vec<Purse>, StoreError> {
        let sql = format!(
            "SELECT j.project_id AS project, {SUMS} FROM attempts a JOIN jobs j ON j.id = a.job_id WHERE {WITHIN} GROUP BY j.project_id"
        );
        row::all(self, &sql, params![p.since.0, p.until.0, p.running], |r| {
            let spend = read(r)?;
            let project = r.get::<_, Option<i64>>("project")?.map(ProjectId);
            Ok(Purse { project, tokens: spend.tokens(), usd: spend.usd(), unpriced: spend.unpriced })
        })
    }

    /// How good the estimates were, by kind: over attempts of a period that ended well and told what they used.
    ///
    /// # Errors
    /// The database.
    pub fn accuracy(&self, p: Period) -> Result<Vec<Accuracy>, StoreError> {
        let sql = "SELECT j.kind, count(*) AS attempts, avg(a.estimate) AS estimate, avg(u) AS actual,
                          avg(abs(a.estimate - u) * 1.0 / max(u, 1)) AS error, avg(u > a.estimate) AS over
                   FROM (SELECT *, input + output + cache_write AS u FROM attempts
                         WHERE ended_at >= ?1 AND ended_at < ?2 AND usage_known = 1 AND outcome = 'ok' AND estimate > 0) a
                   JOIN jobs j ON j.id = a.job_id GROUP BY j.kind ORDER BY attempts DESC, j.kind";
        row::all(self, sql, params![p.since.0, p.until.0], |r| {
            Ok(Accuracy {
                kind: row::word(r, "kind")?,
                attempts: row::count(r, "attempts")?,
                estimate: r.get("estimate")?,
                actual: r.get("actual")?,
                error: r.get("error")?,
                over: r.get("over")?,
            })
        })
    }

    /// What upkeep has cost in a period, by category, and how often it changed anything: a review that did not simply pass; a capture
    /// or a day's review that kept or forgot something; a schedule's maintenance or triage that found something to do; a message's
    /// triage whose word counted and came to more than an answer.
    ///
    /// # Errors
    /// The database.
    pub fn upkeep(&self, p: Period) -> Result<Vec<Upkeep>, StoreError> {
        let sql = format!(
            "SELECT j.kind AS kind, {SUMS} FROM attempts a JOIN jobs j ON j.id = a.job_id
             WHERE {WITHIN} AND j.kind IN ('review', 'triage', 'capture', 'consolidate', 'maintenance') GROUP BY j.kind ORDER BY j.kind"
        );
        let rows = row::all(self, &sql, params![p.since.0, p.until.0, p.running], |r| Ok((row::word::<Kind>(r, "kind")?, read(r)?)))?;
        let judged = row::all(
            self,
            "SELECT 'review' AS kind, count(*) AS judged, coalesce(sum(outcome = 'fixes'), 0) AS changed FROM reviews
                 WHERE ended_at >= ?1 AND ended_at < ?2 AND review_job_id IS NOT NULL AND outcome IN ('passed', 'fixes', 'accepted')
             UNION ALL
             SELECT j.kind, count(*), coalesce(sum(coalesce(json_array_length(l.answer, '$.memories'), 0) + coalesce(json_array_length(l.answer, '$.forget'), 0) > 0), 0)
                 FROM lessons l JOIN jobs j ON j.id = l.job_id WHERE l.at >= ?1 AND l.at < ?2 GROUP BY j.kind
             UNION ALL
             SELECT j.kind, count(*), coalesce(sum(f.found), 0) FROM cron_fires f JOIN jobs j ON j.id = f.job_id
                 WHERE f.settled_at >= ?1 AND f.settled_at < ?2 AND f.found IS NOT NULL AND j.kind IN ('maintenance', 'triage') GROUP BY j.kind
             UNION ALL
             SELECT 'triage', count(*), coalesce(sum(triaged_by NOT LIKE 'rules%' AND json_extract(triage, '$.class') <> 'respond'), 0)
                 FROM messages WHERE triaged_at >= ?1 AND triaged_at < ?2 AND triage_job_id IS NOT NULL AND triage IS NOT NULL",
            params![p.since.0, p.until.0],
            |r| Ok((row::word::<Kind>(r, "kind")?, read_found(r)?)),
        )?;
        Ok(rows
            .into_iter()
            .map(|(category, spend)| {
                let mut found = Found::default();
                judged.iter().filter(|(kind, _)| *kind == category).for_each(|(_, f)| found += *f);
                Upkeep { category, spend, found }
            })
            .collect())
    }
}

/// The key of a rollup's lines, and what people call them.
fn grouping(by: CostBy, now: Timestamp) -> (String, String) {
    match by {
        CostBy::Project => ("coalesce(CAST(j.project_id AS TEXT), '')".into(), "coalesce(p.title, '(no project)')".into()),
        CostBy::Task => ("coalesce(CAST(j.task_id AS TEXT), '')".into(), "coalesce(t.title, '(no task)')".into()),
        CostBy::Job => ("CAST(j.id AS TEXT)".into(), "j.title".into()),
        CostBy::Worker => named("a.worker"),
        // Without a name it is the backend's own choice, which only some tell.
        CostBy::Model => (
            "coalesce(a.model, '')||CASE WHEN a.model IS NULL THEN '('||a.backend||')' ELSE '' END".into(),
            "coalesce(a.model, '('||a.backend||', its own choice)')".into(),
        ),
        CostBy::Backend => named("a.backend"),
        CostBy::Kind => named("j.kind"),
        CostBy::Cron => ("coalesce(j.cron, '')".into(), "coalesce(j.cron, '(no cron entry)')".into()),
        CostBy::Skill => given("s.skill"),
        CostBy::Version => given("s.skill || '@' || substr(s.hash, 1, 12)"),
        CostBy::Day => (format!("CAST(coalesce(a.ended_at, {}) / {QUARTER} AS TEXT)", now.0), "''".into()),
    }
}

/// The set of skills that an attempt was given, its worker's and those of triggers included.
fn given(one: &str) -> (String, String) {
    let all = format!(
        "coalesce((SELECT group_concat(v, ' + ') FROM (SELECT {one} AS v FROM attempt_skills s WHERE s.attempt_id = a.id ORDER BY s.skill)), '')"
    );
    let label = format!("coalesce(nullif({all}, ''), '(no skill)')");
    (all, label)
}

fn read_found(r: &Row<'_>) -> rusqlite::Result<Found> {
    Ok(Found { judged: row::count(r, "judged")?, changed: row::count(r, "changed")? })
}

fn named(column: &str) -> (String, String) {
    (column.to_owned(), column.to_owned())
}

fn read(r: &Row<'_>) -> rusqlite::Result<Spend> {
    let usage: Usage = row::usage(r)?;
    Ok(Spend {
        jobs: row::count(r, "jobs")?,
        attempts: row::count(r, "attempts")?,
        usage,
        estimated: row::count(r, "estimated")?,
        reported_usd: r.get("reported_usd")?,
        computed_usd: r.get("computed_usd")?,
        estimated_usd: r.get("estimated_usd")?,
        unpriced: row::count(r, "unpriced")?,
    })
}
