//! Between rows and the domain's values.

use super::{Store, StoreError};
use crate::domain::{JobId, Timestamp, Usage};
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{OptionalExtension, Row};
use std::str::FromStr;
use std::time::Duration;

pub fn optional<T>(
    store: &Store,
    sql: &str,
    params: impl rusqlite::Params,
    f: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    store.conn.prepare_cached(sql).and_then(|mut s| s.query_row(params, f).optional()).map_err(|e| store.error(e))
}

pub fn one<T>(
    store: &Store,
    sql: &str,
    params: impl rusqlite::Params,
    f: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<T, StoreError> {
    store.conn.prepare_cached(sql).and_then(|mut s| s.query_row(params, f)).map_err(|e| store.error(e))
}

pub fn all<T>(
    store: &Store,
    sql: &str,
    params: impl rusqlite::Params,
    f: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut stmt = store.conn.prepare_cached(sql).map_err(|e| store.error(e))?;
    let rows = stmt.query_map(params, f).map_err(|e| store.error(e))?;
    rows.collect::<Result<_, _>>().map_err(|e| store.error(e))
}

/// A column that holds a word of a vocabulary.
pub fn word<T: FromStr>(row: &Row<'_>, column: &str) -> rusqlite::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|e: T::Err| bad(column, e))
}

/// The same, where NULL is nothing.
pub fn opt_word<T: FromStr>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: Option<String> = row.get(column)?;
    text.map(|t| t.parse().map_err(|e: T::Err| bad(column, e))).transpose()
}

pub fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp)
}

pub fn opt_time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

pub fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|e| bad(column, e))
}

pub fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("strings and numbers always serialise")
}

pub fn usage(row: &Row<'_>) -> rusqlite::Result<Usage> {
    Ok(Usage {
        input: count(row, "input")?,
        output: count(row, "output")?,
        cache_read: count(row, "cache_read")?,
        cache_write: count(row, "cache_write")?,
    })
}

pub fn count(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|n| n.max(0) as u64)
}

pub fn millis(d: Option<Duration>) -> Option<i64> {
    d.map(|d| d.as_millis() as i64)
}

pub fn job_ids(row: &Row<'_>) -> rusqlite::Result<JobId> {
    row.get(0).map(JobId)
}

fn bad(column: &str, e: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    let _ = column;
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(FromSqlError::Other(Box::new(e))))
}
