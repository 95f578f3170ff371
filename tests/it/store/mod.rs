//! The database: what it refuses, what two processes at once cannot break, what survives.

mod conflicts;
mod full;
mod impossible;
mod old;
mod processes;

use orc::domain::{Applied, AttemptId, Command, ExitReport, JobId, JobSpec, Next, Outcome, Timestamp, Usage, WorkerId};
use orc::store::{Claim, Finish, NewWorker, Store, StoreError, Tx, apply};
use std::path::PathBuf;

pub const NOW: Timestamp = Timestamp(1_763_994_725_000);

/// A database in a folder of its own.
pub struct Bench {
    _dir: tempfile::TempDir,
    pub path: PathBuf,
    pub store: Store,
}

impl Bench {
    pub fn new() -> Bench {
        let dir = tempfile::Builder::new().prefix("orc-store-").tempdir().unwrap();
        let path = dir.path().join("pm.db");
        let store = Store::open(&path).unwrap();
        Bench { _dir: dir, path, store }
    }

    pub fn add(&mut self, spec: JobSpec) -> JobId {
        add(&mut self.store, &spec).unwrap()
    }

    pub fn job(&mut self) -> JobId {
        self.add(spec())
    }

    pub fn worker(&mut self, name: &str) -> WorkerId {
        worker(&mut self.store, name)
    }

    pub fn apply(&mut self, command: Command) -> Applied {
        self.store.write(|tx| apply(tx, &command, &orc::domain::Actor::Operator, NOW)).unwrap()
    }

    pub fn claim(&mut self, job: JobId, worker: WorkerId) -> Option<AttemptId> {
        self.store.write(|tx| tx.claim(&claim(job, worker), NOW)).unwrap()
    }

    pub fn finish(&mut self, attempt: AttemptId, outcome: Outcome, next: Next) -> bool {
        self.store.write(|tx| finish(tx, attempt, outcome, next)).unwrap()
    }

    /// Everything that the database holds, for "nothing was written".
    pub fn dump(&self) -> String {
        let db = self.raw();
        let tables: Vec<String> = db
            .prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            .unwrap()
            .query_map([], |r| r.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let mut all = String::new();
        for table in tables {
            let mut rows = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = rows.column_count();
            let lines =
                rows.query_map([], |r| (0..columns).map(|i| r.get::<_, rusqlite::types::Value>(i)).collect::<Result<Vec<_>, _>>()).unwrap();
            lines.for_each(|line| all += &format!("{table} {:?}\n", line.unwrap()));
        }
        all
    }

    /// A connection that knows none of the rules of `store`.
    pub fn raw(&self) -> rusqlite::Connection {
        let db = rusqlite::Connection::open(&self.path).unwrap();
        db.execute_batch("PRAGMA foreign_keys = ON").unwrap();
        db
    }
}

pub fn spec() -> JobSpec {
    JobSpec::new("job", "claude", "work")
}

pub fn add(store: &mut Store, spec: &JobSpec) -> Result<JobId, StoreError> {
    store.write(|tx| tx.add_job(spec, "operator", NOW)).map(|added| added.job)
}

pub fn worker(store: &mut Store, name: &str) -> WorkerId {
    let new = NewWorker {
        name: name.into(),
        backend: "claude".into(),
        model: None,
        persona: None,
        skills: Vec::new(),
        persistent: true,
        project_id: None,
        directory: "drafts".into(),
    };
    store.write(|tx| tx.add_worker(&new, "operator", NOW)).unwrap()
}

pub fn claim(job: JobId, worker: WorkerId) -> Claim {
    Claim {
        job,
        worker,
        worker_name: format!("worker {worker}"),
        backend: "claude".into(),
        model: None,
        epoch: 1,
        host: "here".into(),
        token_hash: "hash".into(),
        session: None,
        directory: "drafts".into(),
        estimate: 100,
    }
}

pub fn finish(tx: &Tx<'_>, attempt: AttemptId, outcome: Outcome, next: Next) -> Result<bool, StoreError> {
    let report = ExitReport {
        attempt,
        outcome,
        exit_code: Some(0),
        signal: None,
        message: outcome.to_string(),
        usage: Usage { input: 10, output: 5, ..Usage::default() },
        usage_known: true,
        cost_usd: None,
        session_usage: None,
        session_cost_usd: None,
        session: None,
        session_unknown: false,
        result_file: None,
        result_bytes: 0,
        limit: None,
        strays: 0,
        ended_at: NOW,
    };
    tx.finish(
        &Finish {
            report: &report,
            next,
            budgeted: 15,
            recorded: 0,
            charge: orc::domain::charge(None, report.usage, 0, true, None),
            drop_session: false,
        },
        NOW,
    )
}
