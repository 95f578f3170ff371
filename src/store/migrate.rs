//! Numbered migrations, append-only, with a backup before each run on a database that holds something.

use super::StoreError;
use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};
use std::path::{Path, PathBuf};

const STEPS: &[M<'static>] = &[M::up(include_str!("migrations/0001_spine.sql")), M::up(include_str!("migrations/0002_decisions.sql"))];
const SET: Migrations<'static> = Migrations::from_slice(STEPS);

/// The schema that this program knows.
pub const NEWEST: i64 = STEPS.len() as i64;

/// Marks the file as ours (`PRAGMA application_id`): "orc1".
const APPLICATION_ID: i64 = 0x6f72_6331;

/// Brings the database to the newest schema.
pub fn to_newest(conn: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found = version(conn, path)?;
    if found == NEWEST {
        return Ok(());
    }
    if found > NEWEST {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: NEWEST });
    }
    conn.pragma_update(None, "journal_mode", "WAL").map_err(|e| StoreError::open(path, e))?;
    if found > 0 {
        backup(conn, path, found)?;
    }
    let fail = |message: String| StoreError::Migrate { path: path.to_owned(), message };
    // Two processes may get here at once: the second waits for the lock inside, and then finds nothing to do.
    if let Err(e) = SET.to_latest(conn)
        && version(conn, path)? != NEWEST
    {
        return Err(fail(e.to_string()));
    }
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
    if backup.exists() {
        return Ok(());
    }
    conn.execute("VACUUM INTO ?1", [backup.to_string_lossy()]).map(|_| ()).map_err(|source| StoreError::Backup {
        path: path.to_owned(),
        backup,
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_are_valid() {
        SET.validate().unwrap();
    }
}
