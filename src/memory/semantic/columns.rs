//! Memories as Arrow columns: in the dataset, and in the image of the index.

use super::rows::Facet;
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

/// The memories of a batch, each made into a value when it is looked at.
#[derive(Clone, Debug)]
pub struct Columns {
    id: Int64Array,
    text: StringArray,
    importance: Float64Array,
    source: StringArray,
    import: StringArray,
    job: Int64Array,
    attempt: Int64Array,
    external: BooleanArray,
    created: TimestampMillisecondArray,
    recalled: TimestampMillisecondArray,
    accesses: UInt32Array,
    by: Int64Array,
    superseded: TimestampMillisecondArray,
    disputed: BooleanArray,
    forgotten: TimestampMillisecondArray,
    /// Of each row, checked.
    categories: Vec<Category>,
}

impl Columns {
    /// The columns of a batch, ascending by number or not; what is wrong with it otherwise.
    pub fn of(batch: &RecordBatch) -> Result<Columns, String> {
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| format!("it has no column {name}"));
        let kind = |name: &str| format!("its column {name} is of another type");
        let texts = |name: &str| column(name)?.as_string_opt::<i32>().cloned().ok_or_else(|| kind(name));
        let numbers = |name: &str| column(name)?.as_primitive_opt::<Int64Type>().cloned().ok_or_else(|| kind(name));
        let times = |name: &str| column(name)?.as_primitive_opt::<TimestampMillisecondType>().cloned().ok_or_else(|| kind(name));
        let flags = |name: &str| column(name)?.as_boolean_opt().cloned().ok_or_else(|| kind(name));
        Ok(Columns {
            categories: categories(&texts("category")?)?,
            id: numbers("id")?,
            text: texts("text")?,
            importance: column("importance")?.as_primitive_opt::<Float64Type>().cloned().ok_or_else(|| kind("importance"))?,
            source: texts("source")?,
            import: texts("import")?,
            job: numbers("job")?,
            attempt: numbers("attempt")?,
            external: flags("external")?,
            created: times("created_at")?,
            recalled: times("last_recalled_at")?,
            accesses: column("access_count")?.as_primitive_opt::<UInt32Type>().cloned().ok_or_else(|| kind("access_count"))?,
            by: numbers("superseded_by")?,
            superseded: times("superseded_at")?,
            disputed: flags("disputed")?,
            forgotten: times("forgotten_at")?,
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.categories.len()
    }

    /// The numbers of all.
    pub fn ids(&self) -> &[i64] {
        self.id.values()
    }

    /// The text of one.
    pub fn text(&self, row: usize) -> &str {
        self.text.value(row)
    }

    /// What recall asks of every row.
    pub fn facets(&self) -> Vec<Facet> {
        // Mostly none is superseded, forgotten or disputed: then the arrays are not asked row by row.
        let (gone, disputed) = (self.by.null_count() + self.forgotten.null_count() < 2 * self.len(), self.disputed.true_count() > 0);
        let holds = |row| !gone || self.by.is_null(row) && self.forgotten.is_null(row);
        let facet = |(row, c): (usize, &Category)| Facet::new(*c, holds(row), disputed && self.disputed.value(row));
        self.categories.iter().enumerate().map(facet).collect()
    }

    /// One as a value.
    pub fn get(&self, row: usize) -> Memory {
        let maybe = |a: &Int64Array| a.is_valid(row).then(|| a.value(row));
        let at = |a: &TimestampMillisecondArray| a.is_valid(row).then(|| Timestamp(a.value(row)));
        Memory {
            id: MemoryId(self.id.value(row)),
            text: self.text(row).to_owned(),
            category: self.categories[row],
            importance: self.importance.value(row),
            source: match self.source.value(row) {
                "operator" => MemorySource::Operator,
                "import" => MemorySource::Import { name: self.import.value(row).to_owned() },
                _ => MemorySource::Job { job: JobId(self.job.value(row)), attempt: maybe(&self.attempt).map(AttemptId) },
            },
            external: self.external.value(row),
            created_at: Timestamp(self.created.value(row)),
            last_recalled_at: at(&self.recalled),
            access_count: self.accesses.value(row),
            superseded_by: maybe(&self.by).map(MemoryId),
            superseded_at: at(&self.superseded),
            disputed: self.disputed.value(row),
            forgotten_at: at(&self.forgotten),
        }
    }
}

/// The words of a column as categories. Read as bytes: a call of the array for each would cost more than all else.
fn categories(column: &StringArray) -> Result<Vec<Category>, String> {
    let (ends, bytes) = (column.value_offsets(), column.value_data());
    let words = Category::ALL.iter().map(|c| (c.as_str().as_bytes(), *c)).collect::<Vec<_>>();
    let one = |ends: &[i32]| {
        let word = &bytes[ends[0] as usize..ends[1] as usize];
        let known = words.iter().find(|(w, _)| *w == word).map(|(_, c)| *c);
        known.ok_or_else(|| format!("`{}` is no category", String::from_utf8_lossy(word)))
    };
    ends.windows(2).map(one).collect()
}
