//! Memories as Arrow columns: in the dataset, and in the image of the index.

use crate::domain::{AttemptId, Category, JobId, Memory, MemoryId, MemorySource, Timestamp};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt32Array,
};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType, UInt32Type};
use std::sync::Arc;

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// The columns of a memory; vectors come on top.
pub fn fields() -> Vec<Field> {
    let f = |name, kind| Field::new(name, kind, false);
    let maybe = |name, kind| Field::new(name, kind, true);
    vec![
        f("id", DataType::Int64),
        f("text", DataType::Utf8),
        f("category", DataType::Utf8),
        f("importance", DataType::Float64),
        // operator, import or job; then from which.
        f("source", DataType::Utf8),
        maybe("import", DataType::Utf8),
        maybe("job", DataType::Int64),
        maybe("attempt", DataType::Int64),
        f("external", DataType::Boolean),
        f("created_at", time()),
        maybe("last_recalled_at", time()),
        f("access_count", DataType::UInt32),
        maybe("superseded_by", DataType::Int64),
        maybe("superseded_at", time()),
        f("disputed", DataType::Boolean),
        maybe("forgotten_at", time()),
    ]
}

/// Memories as these columns.
pub fn columns<'a>(rows: impl Iterator<Item = &'a Memory> + Clone) -> Vec<ArrayRef> {
    let times = |f: fn(&Memory) -> Option<Timestamp>| -> ArrayRef {
        let array: TimestampMillisecondArray = rows.clone().map(|m| f(m).map(|t| t.0)).collect();
        Arc::new(array.with_timezone("UTC"))
    };
    let numbers = |f: fn(&Memory) -> Option<i64>| -> ArrayRef { Arc::new(rows.clone().map(f).collect::<Int64Array>()) };
    let texts = |f: fn(&Memory) -> Option<&str>| -> ArrayRef { Arc::new(rows.clone().map(f).collect::<StringArray>()) };
    let flags = |f: fn(&Memory) -> bool| -> ArrayRef { Arc::new(rows.clone().map(|m| Some(f(m))).collect::<BooleanArray>()) };
    vec![
        numbers(|m| Some(m.id.0)),
        texts(|m| Some(&m.text)),
        texts(|m| Some(m.category.as_str())),
        Arc::new(rows.clone().map(|m| Some(m.importance)).collect::<Float64Array>()),
        texts(|m| {
            Some(match m.source {
                MemorySource::Operator => "operator",
                MemorySource::Import { .. } => "import",
                MemorySource::Job { .. } => "job",
            })
        }),
        texts(|m| match &m.source {
            MemorySource::Import { name } => Some(name),
            _ => None,
        }),
        numbers(|m| match m.source {
            MemorySource::Job { job, .. } => Some(job.0),
            _ => None,
        }),
        numbers(|m| match m.source {
            MemorySource::Job { attempt, .. } => attempt.map(|a| a.0),
            _ => None,
        }),
        flags(|m| m.external),
        times(|m| Some(m.created_at)),
        times(|m| m.last_recalled_at),
        Arc::new(rows.clone().map(|m| Some(m.access_count)).collect::<UInt32Array>()),
        numbers(|m| m.superseded_by.map(|id| id.0)),
        times(|m| m.superseded_at),
        flags(|m| m.disputed),
        times(|m| m.forgotten_at),
    ]
}

/// The memories of a batch; what is wrong with it otherwise.
pub fn memories(batch: &RecordBatch) -> Result<Vec<Memory>, String> {
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| format!("it has no column {name}"));
    let kind = |name: &str| format!("its column {name} is of another type");
    let texts = |name: &str| column(name)?.as_string_opt::<i32>().ok_or_else(|| kind(name));
    let numbers = |name: &str| column(name)?.as_primitive_opt::<Int64Type>().ok_or_else(|| kind(name));
    let times = |name: &str| column(name)?.as_primitive_opt::<TimestampMillisecondType>().ok_or_else(|| kind(name));
    let flags = |name: &str| column(name)?.as_boolean_opt().ok_or_else(|| kind(name));
    let (id, text, category) = (numbers("id")?, texts("text")?, texts("category")?);
    let importance = column("importance")?.as_primitive_opt::<Float64Type>().ok_or_else(|| kind("importance"))?;
    let (source, import, job, attempt) = (texts("source")?, texts("import")?, numbers("job")?, numbers("attempt")?);
    let (external, disputed) = (flags("external")?, flags("disputed")?);
    let (created, recalled) = (times("created_at")?, times("last_recalled_at")?);
    let accesses = column("access_count")?.as_primitive_opt::<UInt32Type>().ok_or_else(|| kind("access_count"))?;
    let (by, superseded, forgotten) = (numbers("superseded_by")?, times("superseded_at")?, times("forgotten_at")?);
    let maybe = |a: &Int64Array, row: usize| a.is_valid(row).then(|| a.value(row));
    let at = |a: &TimestampMillisecondArray, row: usize| a.is_valid(row).then(|| Timestamp(a.value(row)));
    (0..batch.num_rows())
        .map(|row| {
            Ok(Memory {
                id: MemoryId(id.value(row)),
                text: text.value(row).to_owned(),
                category: category.value(row).parse::<Category>().map_err(|e| format!("memory {}: {e}", id.value(row)))?,
                importance: importance.value(row),
                source: match source.value(row) {
                    "operator" => MemorySource::Operator,
                    "import" => MemorySource::Import { name: import.value(row).to_owned() },
                    _ => MemorySource::Job { job: JobId(job.value(row)), attempt: maybe(attempt, row).map(AttemptId) },
                },
                external: external.value(row),
                created_at: Timestamp(created.value(row)),
                last_recalled_at: at(recalled, row),
                access_count: accesses.value(row),
                superseded_by: maybe(by, row).map(MemoryId),
                superseded_at: at(superseded, row),
                disputed: disputed.value(row),
                forgotten_at: at(forgotten, row),
            })
        })
        .collect()
}
