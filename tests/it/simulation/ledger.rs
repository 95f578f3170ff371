//! What must hold of the database, whatever happens: read after every step, from the audit log on.

use super::{MAX_RUNNING, RESERVED, TOKENS, WINDOW_MS};
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
    /// What ended attempts used, and when.
    spent: Vec<(i64, i64)>,
    pub starts: u32,
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
        Ledger { db, last: 0, state: BTreeMap::new(), priority: BTreeMap::new(), open: BTreeMap::new(), spent: Vec::new(), starts: 0 }
    }

    fn number(&self, sql: &str, params: impl rusqlite::Params) -> i64 {
        self.db.prepare_cached(sql).unwrap().query_row(params, |r| r.get(0)).unwrap()
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
            let mut stmt = self.db.prepare_cached("SELECT at, tokens FROM spending WHERE attempt_id = ?1").unwrap();
            let rows = stmt.query_map([attempt], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
            self.spent.extend(rows.map(Result::unwrap));
        }
        if to == JobState::Running {
            self.start(job, line.attempt.ok_or("a start without an attempt")?, line.at)?;
        }
        Ok(())
    }

    fn start(&mut self, job: i64, attempt: i64, at: i64) -> Result<(), String> {
        self.starts += 1;
        let urgent = self.priority[&job] == 0;
        let running = self.open.len();
        let slots = MAX_RUNNING + if urgent { RESERVED } else { 0 };
        if running >= slots as usize {
            return Err(format!("job {job} (P{}) started as number {} of {slots}", self.priority[&job], running + 1));
        }
        let estimate = self.number("SELECT estimate FROM attempts WHERE id = ?1", [attempt]);
        // The agents of this world never use more than their estimate: what is open counts with its estimate.
        let reserved: i64 = self.open.values().sum();
        let used: i64 = self.spent.iter().filter(|(t, _)| *t > at - WINDOW_MS && *t <= at).map(|(_, n)| n).sum();
        if !urgent && running > 0 && estimate > 0 && used + reserved + estimate > TOKENS as i64 {
            return Err(format!("job {job} started with {used} tokens used, {reserved} reserved and {estimate} estimated of {TOKENS}"));
        }
        self.open.insert(attempt, estimate);
        Ok(())
    }
}
