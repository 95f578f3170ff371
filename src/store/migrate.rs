//! Numbered migrations, append-only, with a backup before each run on a database that holds something.

use super::StoreError;
use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};
use std::path::{Path, PathBuf};

const STEPS: &[M<'static>] = &[
    M::up(include_str!("migrations/0001_spine.sql")),
    M::up(include_str!("migrations/0002_decisions.sql")),
    M::up(include_str!("migrations/0003_memory.sql")),
    M::up(include_str!("migrations/0004_reviews.sql")),
    M::up(include_str!("migrations/0005_cron.sql")),
    M::up(include_str!("migrations/0006_plans.sql")),
    M::up(include_str!("migrations/0007_skills.sql")),
    M::up(include_str!("migrations/0008_costs.sql")),
    M::up(include_str!("migrations/0009_cron_projects.sql")),
    M::up(include_str!("migrations/0010_recall_factor.sql")),
];
const SET: Migrations<'static> = Migrations::from_slice(STEPS);

/// The schema that this program knows.
pub const NEWEST: i64 = STEPS.len() as i64;

/// Marks the file as ours (`PRAGMA application_id`): "orc1".
const APPLICATION_ID: i64 = 0x6f72_6331;

/// Brings the database to the newest schema.
pub fn to_newest(conn: &mut Connection, path: &Path) -> Result<(), StoreError> {
    bring(conn, path, &SET, NEWEST)
}

fn bring(conn: &mut Connection, path: &Path, set: &Migrations<'_>, newest: i64) -> Result<(), StoreError> {
    let found = version(conn, path)?;
    if found == newest {
        return Ok(());
    }
    if found > newest {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: newest });
    }
    conn.pragma_update(None, "journal_mode", "WAL").map_err(|e| StoreError::open(path, e))?;
    if found > 0 {
        backup(conn, path, found)?;
    }
    let fail = |message: String| StoreError::Migrate { path: path.to_owned(), message };
    // Two processes may get here at once: the second waits for the lock inside, and then finds nothing to do.
    if let Err(e) = set.to_latest(conn)
        && version(conn, path)? != newest
    {
        return Err(fail(e.to_string()));
    }
    // What a whole schema leaves in the log is not for the first submission to bring in. If somebody reads just now, they do it. The
    // writes below begin the log again, so that its header is on the disk.
    let _ = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    conn.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('workspace_id', ?1)", [uuid::Uuid::new_v4().simple().to_string()])
        .map_err(|e| fail(e.to_string()))?;
    conn.pragma_update(None, "application_id", APPLICATION_ID).map_err(|e| fail(e.to_string()))?;
    Ok(())
}

/// Refuses a database whose schema is not exactly ours.
pub fn check(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = version(conn, path)?;
    match found.cmp(&NEWEST) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(StoreError::Newer { path: path.to_owned(), found, known: NEWEST }),
        std::cmp::Ordering::Less => Err(StoreError::Older { path: path.to_owned(), found, known: NEWEST }),
    }
}

fn version(conn: &Connection, path: &Path) -> Result<i64, StoreError> {
    let found: i64 = conn.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(|e| StoreError::open(path, e))?;
    let application: i64 = conn.query_row("PRAGMA application_id", [], |r| r.get(0)).map_err(|e| StoreError::open(path, e))?;
    if found == 0 {
        let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_master", [], |r| r.get(0)).map_err(|e| StoreError::open(path, e))?;
        if tables > 0 {
            return Err(StoreError::Foreign { path: path.to_owned() });
        }
    } else if application != APPLICATION_ID && application != 0 {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    Ok(found)
}

fn backup(conn: &Connection, path: &Path, found: i64) -> Result<(), StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".schema-{found}.bak"));
    let backup = PathBuf::from(name);
    // One that another process is making just now, or that an earlier attempt left whole.
    if backup.is_file() {
        return Ok(());
    }
    // Under its name only once it is whole: a disk that fills up leaves half a file.
    let part = backup.with_extension(format!("part-{}", std::process::id()));
    let made = conn.execute("VACUUM INTO ?1", [part.to_string_lossy()]).map_err(|e| e.to_string());
    made.and_then(|_| std::fs::rename(&part, &backup).map_err(|e| e.to_string())).map_err(|message| {
        let _ = std::fs::remove_file(&part);
        StoreError::Backup { path: path.to_owned(), backup, message }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_are_valid() {
        SET.validate().unwrap();
    }

    /// The database of today, and what the next version does to it.
    fn next(dir: &Path, step: &'static str) -> (PathBuf, Result<(), StoreError>) {
        let path = dir.join("pm.db");
        let mut conn = Connection::open(&path).unwrap();
        to_newest(&mut conn, &path).unwrap();
        conn.execute("INSERT INTO projects (title, created_at) VALUES ('kept', 1)", []).unwrap();
        let steps: Vec<M<'_>> = STEPS.iter().cloned().chain([M::up(step)]).collect();
        let done = bring(&mut conn, &path, &Migrations::new(steps), NEWEST + 1);
        (path, done)
    }

    fn look(path: &Path) -> (i64, String) {
        let conn = Connection::open(path).unwrap();
        let title = conn.query_row("SELECT title FROM projects", [], |r| r.get(0)).unwrap();
        (conn.query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap(), title)
    }

    #[test]
    fn a_backup_is_made_before_a_migration() {
        let dir = tempfile::tempdir().unwrap();
        let (path, done) = next(dir.path(), "UPDATE projects SET title = 'changed'");
        done.unwrap();
        assert_eq!(look(&path), (NEWEST + 1, "changed".into()));
        assert_eq!(look(&dir.path().join(format!("pm.db.schema-{NEWEST}.bak"))), (NEWEST, "kept".into()));
    }

    #[test]
    fn a_migration_that_fails_changes_nothing_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let (path, done) = next(dir.path(), "UPDATE projects SET title = 'changed'; CREATE TABLE projects (x);");
        let e = done.unwrap_err().to_string();
        assert!(e.contains("Nothing was changed") && e.contains("projects"), "{e}");
        assert_eq!(look(&path), (NEWEST, "kept".into()));
    }

    #[test]
    fn without_a_backup_there_is_no_migration() {
        let dir = tempfile::tempdir().unwrap();
        // Somebody's folder is where the backup belongs.
        std::fs::create_dir_all(dir.path().join(format!("pm.db.schema-{NEWEST}.bak/x"))).unwrap();
        let (path, done) = next(dir.path(), "UPDATE projects SET title = 'changed'");
        assert!(matches!(done, Err(StoreError::Backup { .. })), "{done:?}");
        assert_eq!(look(&path), (NEWEST, "kept".into()));
    }
}
