//! The only SQLite. Reads are methods of `Store`; writes are methods of `Tx`, which exists only inside one immediate
//! transaction. One file per aggregate. `now` is always an argument.

mod attempts;
mod board;
mod branches;
mod capacity;
mod caps;
mod commands;
mod costs;
mod cron;
mod cron_each;
mod decisions;
mod error;
mod events;
mod jobs;
mod list;
mod messages;
mod migrate;
mod pages;
mod plan_rows;
mod plans;
mod progress;
mod projects;
mod recalls;
mod reviews;
mod row;
mod skills;
mod tidy;
mod workers;

pub use attempts::{Claim, Finish, OpenAttempt};
pub use board::{Changes, EngineState, QueuedRow};
pub use branches::Branch;
pub use capacity::Spent;
pub use commands::apply;
pub use costs::{Period, Purse};
pub use cron::{CRON_GOOD, CronState, NewFire};
pub use error::StoreError;
pub use events::Event;
pub use jobs::Added;
pub use messages::{Goes, NewEntry, ORC};
pub use pages::Day;
pub use plans::NewPlan;
pub use progress::{ProjectSums, TaskJobs};
pub use projects::{Project, Task};
pub use recalls::Lesson;
pub use skills::RuleOrigin;
pub use workers::NewWorker;

use rusqlite::{Connection, OpenFlags};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a writer waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(10);

/// An open database.
pub struct Store {
    conn: Connection,
    path: PathBuf,
}

impl Store {
    /// Opens for writing; makes the database or migrates it (after a backup) where needed.
    ///
    /// # Errors
    /// The file cannot be opened or written, is no database of ours, or was made by a newer version.
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        let mut conn = Connection::open(path).map_err(|e| StoreError::open(path, e))?;
        owner_only(path);
        conn.busy_timeout(BUSY).map_err(|e| StoreError::open(path, e))?;
        migrate::to_newest(&mut conn, path)?;
        // FULL: what is acknowledged has reached the disk. MEMORY: what a savepoint could take back is kept there, and not in a file
        // made for each larger transaction. NO_CKPT_ON_CLOSE: a short-lived writer (`pm job add`) leaves the checkpoint to the
        // engine instead of paying for it at exit.
        conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON;")
            .map_err(|e| StoreError::open(path, e))?;
        conn.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(|e| StoreError::open(path, e))?;
        conn.set_prepared_statement_cache_capacity(64);
        Ok(Store { conn, path: path.to_owned() })
    }

    /// Opens an existing database for reading.
    ///
    /// # Errors
    /// There is none, or it was made by another version.
    pub fn open_reader(path: &Path) -> Result<Store, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|e| StoreError::open(path, e))?;
        conn.busy_timeout(BUSY).map_err(|e| StoreError::open(path, e))?;
        migrate::check(&conn, path)?;
        conn.set_prepared_statement_cache_capacity(64);
        Ok(Store { conn, path: path.to_owned() })
    }

    /// The database's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `f` in one immediate transaction: all of it is on disk when this returns `Ok`, none of it otherwise.
    ///
    /// # Errors
    /// What `f` returned, or the database cannot be locked or written (a full disk is `StoreError::Full`).
    pub fn write<T, E: From<StoreError>>(&mut self, f: impl FnOnce(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        self.conn.execute_batch("BEGIN IMMEDIATE").map_err(|e| E::from(self.error(e)))?;
        let done = f(&Tx { store: self });
        let end = match &done {
            Ok(_) => self.conn.execute_batch("COMMIT"),
            Err(_) => self.conn.execute_batch("ROLLBACK"),
        };
        if let Err(e) = end {
            // A failed commit leaves the transaction open.
            if !self.conn.is_autocommit() {
                let _ = self.conn.execute_batch("ROLLBACK");
            }
            if done.is_ok() {
                return Err(E::from(self.error(e)));
            }
        }
        done
    }

    /// As `write`, without an fsync: what is written outlives every process, but a loss of power may undo it, until the next
    /// `write` has come back.
    ///
    /// # Errors
    /// As `write`.
    pub fn write_soft<T, E: From<StoreError>>(&mut self, f: impl FnOnce(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        self.conn.execute_batch("PRAGMA synchronous = NORMAL").map_err(|e| E::from(self.error(e)))?;
        let done = self.write(f);
        self.conn.execute_batch("PRAGMA synchronous = FULL").map_err(|e| E::from(self.error(e)))?;
        done
    }

    /// Moves what the write-ahead log holds into the database, as far as readers allow.
    ///
    /// # Errors
    /// The disk.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map_err(|e| self.error(e))
    }

    /// Moves what the write-ahead log holds into the database and empties the log, unless somebody else uses it just now. For a
    /// process that is alone: the next one that is reads the whole log before it can do anything, and a merely
    /// checkpointed log is not known as such by then (that knowledge is in shared memory, which goes with its last user).
    ///
    /// # Errors
    /// The disk.
    pub fn empty_log(&self) -> Result<(), StoreError> {
        let now = |wait| self.conn.busy_timeout(wait).map_err(|e| self.error(e));
        now(Duration::ZERO)?;
        let done = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(|e| self.error(e));
        now(BUSY)?;
        done
    }

    /// Asks SQLite whether the file is whole; the problems it names, none if it is.
    ///
    /// # Errors
    /// The file cannot be read at all.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        let mut stmt = self.conn.prepare("PRAGMA quick_check").map_err(|e| self.error(e))?;
        let rows = stmt.query_map([], |r| r.get::<_, String>(0)).map_err(|e| self.error(e))?;
        let lines: Vec<String> = rows.collect::<Result<_, _>>().map_err(|e| self.error(e))?;
        Ok(lines.into_iter().filter(|l| l != "ok").collect())
    }

    /// A value of the table `meta`.
    ///
    /// # Errors
    /// The database.
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        row::optional(self, "SELECT value FROM meta WHERE key = ?1", [key], |r| r.get(0))
    }

    /// The workspace's own id, made when the database was.
    ///
    /// # Errors
    /// The database, or one that is not ours.
    pub fn workspace_id(&self) -> Result<String, StoreError> {
        self.meta("workspace_id")?.ok_or_else(|| StoreError::Foreign { path: self.path.clone() })
    }

    fn error(&self, e: rusqlite::Error) -> StoreError {
        StoreError::sqlite(&self.path, e)
    }
}

/// An open transaction. Everything that reads works in it too.
pub struct Tx<'a> {
    store: &'a Store,
}

impl Deref for Tx<'_> {
    type Target = Store;
    fn deref(&self) -> &Store {
        self.store
    }
}

impl Tx<'_> {
    /// Runs `f` so that its writes are undone if it fails, while the rest of the transaction stands.
    ///
    /// # Errors
    /// What `f` returned.
    pub fn attempt<T>(&self, f: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.conn.execute_batch("SAVEPOINT step").map_err(|e| self.error(e))?;
        let done = f();
        let end = if done.is_ok() { "RELEASE step" } else { "ROLLBACK TO step; RELEASE step" };
        self.conn.execute_batch(end).map_err(|e| self.error(e))?;
        done
    }

    fn run(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize, StoreError> {
        self.conn.prepare_cached(sql).and_then(|mut s| s.execute(params)).map_err(|e| self.error(e))
    }

    fn last_id(&self) -> i64 {
        self.conn.last_insert_rowid()
    }
}

/// The database holds prompts: nobody else's business.
fn owner_only(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    // A workspace on a file system without modes still works; the directory above is private too.
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
}
