//! What must hold of the database, whatever happens: read after every step, from the audit log on.

use super::talk::Talk;
use super::{DEEP, HIGH, MAX_RUNNING, RESERVED, TOKENS, WINDOW_MS};
use orc::domain::{JobState, allowed};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;

pub struct Ledger {
    db: Connection,
    last: i64,
    state: BTreeMap<i64, JobState>,
    pub priority: BTreeMap<i64, u8>,
    /// Open attempts, with their estimates.
    open: BTreeMap<i64, i64>,
    /// What was used: when, by which attempt, how much.
    spent: Vec<(i64, i64, i64)>,
    last_spent: i64,
    pub seen: Seen,
}

/// How much there was to check.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub starts: u32,
    /// Starts that left less room in the token budget than they took: the next one of their kind has to wait.
    pub tight: u32,
    /// Urgent starts in a reserved slot.
    pub reserved: u32,
    /// Rounds of review, by how they ended.
    pub rounds: Rounds,
    pub talk: Talk,
}

/// Rounds of review that passed, sent a job back, were void, were for the operator, were dropped.
pub type Rounds = [u32; 5];

impl std::iter::Sum for Seen {
    fn sum<I: Iterator<Item = Seen>>(all: I) -> Seen {
        all.fold(Seen::default(), |a, b| Seen {
            starts: a.starts + b.starts,
            tight: a.tight + b.tight,
            reserved: a.reserved + b.reserved,
            rounds: std::array::from_fn(|i| a.rounds[i] + b.rounds[i]),
            talk: a.talk + b.talk,
        })
    }
}

struct Line {
    id: i64,
    at: i64,
    what: String,
    job: Option<i64>,
    attempt: Option<i64>,
    from: Option<String>,
    to: Option<String>,
    text: String,
}

impl Ledger {
    pub fn open(path: &Path) -> Ledger {
        let db = Connection::open(path).unwrap();
        Ledger {
            db,
            last: 0,
            state: BTreeMap::new(),
            priority: BTreeMap::new(),
            open: BTreeMap::new(),
            spent: Vec::new(),
            last_spent: 0,
            seen: Seen::default(),
        }
    }

    fn number(&self, sql: &str, params: impl rusqlite::Params) -> i64 {
        self.db.prepare_cached(sql).unwrap().query_row(params, |r| r.get(0)).unwrap()
    }

    /// How the rounds of review ended.
    pub fn rounds(&self) -> Rounds {
        let count = |which: &str| self.number(&format!("SELECT count(*) FROM reviews WHERE outcome IN ({which})"), []) as u32;
        ["'passed'", "'fixes'", "'void'", "'accepted', 'failed'", "'dropped'"].map(count)
    }

    /// Reads what is new.
    pub fn check(&mut self) -> Result<(), String> {
        let lines: Vec<Line> = self
            .db
            .prepare_cached("SELECT id, at, what, job_id, attempt_id, state_from, state_to, text FROM events WHERE id > ?1 ORDER BY id")
            .unwrap()
            .query_map([self.last], |r| {
                Ok(Line {
                    id: r.get(0)?,
                    at: r.get(1)?,
                    what: r.get(2)?,
                    job: r.get(3)?,
                    attempt: r.get(4)?,
                    from: r.get(5)?,
                    to: r.get(6)?,
                    text: r.get(7)?,
                })
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        if lines.is_empty() {
            return Ok(());
        }
        let fresh: Vec<(i64, i64, i64, i64)> = self
            .db
            .prepare_cached("SELECT id, at, attempt_id, tokens FROM spending WHERE id > ?1 ORDER BY id")
            .unwrap()
            .query_map([self.last_spent], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        self.last_spent = fresh.last().map_or(self.last_spent, |row| row.0);
        self.spent.extend(fresh.into_iter().map(|(_, at, attempt, tokens)| (at, attempt, tokens)));
        for line in &lines {
            self.take(line)?;
        }
        let doubled = self
            .number("SELECT count(*) FROM (SELECT job_id FROM attempts WHERE ended_at IS NULL GROUP BY job_id HAVING count(*) > 1)", []);
        if doubled > 0 {
            return Err(format!("{doubled} job(s) with two open attempts"));
        }
        let split = self.number(
            "SELECT count(*) FROM jobs j WHERE (j.state = 'running') <> EXISTS (SELECT 1 FROM attempts a WHERE a.job_id = j.id AND a.id = j.attempt_id AND a.ended_at IS NULL)",
            [],
        );
        if split > 0 {
            return Err(format!("{split} job(s) are running without an open attempt, or the other way round"));
        }
        for job in lines.iter().filter_map(|line| line.job) {
            let state = self.state[&job];
            let stored: String =
                self.db.prepare_cached("SELECT state FROM jobs WHERE id = ?1").unwrap().query_row([job], |r| r.get(0)).unwrap();
            if stored != state.as_str() {
                return Err(format!("job {job} is {stored}, the audit log says {state}"));
            }
        }
        Ok(())
    }

    fn take(&mut self, line: &Line) -> Result<(), String> {
        if line.id != self.last + 1 {
            return Err(format!("the audit log goes from {} to {}", self.last, line.id));
        }
        self.last = line.id;
        let Some(job) = line.job else { return Ok(()) };
        if line.what == "priority" {
            let level = line.text.rsplit("-> P").next().unwrap().parse().unwrap();
            self.priority.insert(job, level);
        }
        let Some(to) = &line.to else { return Ok(()) };
        let to: JobState = to.parse().unwrap();
        let known = self.state.insert(job, to);
        let from = line.from.as_deref().map(|s| s.parse::<JobState>().unwrap());
        if known != from {
            return Err(format!("event {}: job {job} went from {from:?}, it was {known:?}", line.id));
        }
        if let Some(from) = from
            && !allowed(from, to)
        {
            return Err(format!("event {}: job {job} went {from} -> {to}", line.id));
        }
        if from == Some(JobState::Running) {
            let attempt = line.attempt.ok_or("an end without its attempt")?;
            if self.open.remove(&attempt).is_none() {
                return Err(format!("attempt {attempt} ended twice"));
            }
        }
        if to == JobState::Running {
            self.start(job, line.attempt.ok_or("a start without an attempt")?, line.at)?;
        }
        Ok(())
    }

    /// Tokens that an attempt had used before an instant; of one that is over, by then.
    fn spent_by(&self, attempt: i64, at: i64) -> i64 {
        self.spent.iter().filter(|(t, a, _)| *a == attempt && *t < at).map(|(_, _, n)| n).sum()
    }

    fn start(&mut self, job: i64, attempt: i64, at: i64) -> Result<(), String> {
        self.seen.starts += 1;
        // What the engine adds is as urgent as what it is for.
        let stored = || self.db.query_row("SELECT priority FROM jobs WHERE id = ?1", [job], |r| r.get(0)).unwrap();
        let level = self.priority.get(&job).copied().unwrap_or_else(stored);
        let (urgent, running) = (level == 0, self.open.len());
        let slots = MAX_RUNNING + if urgent { RESERVED } else { 0 };
        if running >= slots as usize {
            return Err(format!("job {job} (P{level}) started as number {} of {slots}", running + 1));
        }
        self.seen.reserved += u32::from(running >= MAX_RUNNING as usize);
        let estimate = self.number("SELECT estimate FROM attempts WHERE id = ?1", [attempt]);
        // What memory adds to a prompt is reserved at its most, until it is known.
        for attempt in self.open.keys().copied().collect::<Vec<_>>() {
            let now = self.number("SELECT estimate FROM attempts WHERE id = ?1", [attempt]);
            self.open.insert(attempt, now);
        }
        // What an open attempt tells in this very millisecond may come before or after this start: it counts as reserved still.
        // An estimate is put right once it is known what memory has added to the prompt.
        let estimated = |a: &i64, first: &i64| self.number("SELECT min(estimate, ?2) FROM attempts WHERE id = ?1", [*a, *first]);
        let reserved: i64 = self.open.iter().map(|(a, first)| (estimated(a, first) - self.spent_by(*a, at)).max(0)).sum();
        let counts = |t: i64, a: i64| t > at - WINDOW_MS && (t < at || t == at && !self.open.contains_key(&a));
        let used: i64 = self.spent.iter().filter(|(t, a, _)| counts(*t, *a)).map(|(_, _, n)| n).sum();
        let (taken, budget) = (used + reserved, TOKENS as i64);
        if !urgent && running > 0 {
            if taken + estimate > budget {
                return Err(format!("job {job} started with {used} tokens used, {reserved} reserved and {estimate} estimated of {budget}"));
            }
            // This one has left the queue by now.
            let queued = 1 + self.state.values().filter(|s| **s == JobState::Queued).count();
            if taken as f64 > HIGH * budget as f64 && queued >= DEEP {
                return Err(format!("job {job} started under backpressure: {taken} of {budget} tokens taken, {queued} queued"));
            }
            self.seen.tight += u32::from(taken + 2 * estimate > budget);
        }
        self.open.insert(attempt, estimate);
        Ok(())
    }
}
