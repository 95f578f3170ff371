//! The Lance dataset: every memory with its vector, in columns, versioned. The long-term truth; nothing is searched in it.
//!
//! Which version counts, `versions` says.

mod check;

use super::MemoryError;
use super::columns::{Columns, columns, fields};
use super::index::Index;
use super::vectors::{Coded, decoded};
use crate::domain::Memory;
use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array, RecordBatch, RecordBatchIterator, RecordBatchReader, StringArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Field, Float32Type, Schema};
use arrow::error::ArrowError;
use futures::TryStreamExt;
use lance::Dataset;
use lance::dataset::builder::DatasetBuilder;
use lance::dataset::optimize::{CompactionOptions, compact_files};
use lance::dataset::{InsertBuilder, MergeInsertBuilder, WhenMatched, WhenNotMatched, WriteMode, WriteParams};
use lance::index::DatasetIndexExt;
use lance_index::IndexType;
use lance_index::optimize::OptimizeOptions;
use lance_index::scalar::{BuiltinIndexType, ScalarIndexParams};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Fragments and versions from which on the dataset is put in order.
const FRAGMENTS: usize = 16;
const VERSIONS: usize = 32;
/// Memories that are made into columns at once.
const SOME: usize = 8192;

/// The dataset of a folder, there or not yet.
#[derive(Clone, Debug)]
pub struct Table {
    pub(super) path: PathBuf,
    /// The newest manifest that is on the disk for sure, by its name; empty until a first one is.
    pub(super) synced: PathBuf,
}

/// What the dataset holds.
pub struct Stored {
    pub rows: Vec<(Memory, Option<Coded>)>,
    /// What made the vectors.
    pub embedder: Option<String>,
}

impl Table {
    /// The dataset in a folder of memories; nothing is opened.
    pub fn new(dir: &Path) -> Table {
        Table { path: dir.join("semantic.lance"), synced: dir.join("synced") }
    }

    /// Reads everything.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn read(&self) -> Result<Stored, MemoryError> {
        if self.sure().is_none() {
            return Ok(Stored { rows: Vec::new(), embedder: None });
        }
        let batches: Vec<RecordBatch> = block_on(async {
            let dataset = self.open().await?;
            let mut scan = dataset.scan();
            let stream = scan.batch_size(4096).try_into_stream().await.map_err(|e| self.error("read", &e))?;
            stream.try_collect().await.map_err(|e| self.error("read", &e))
        })?;
        let mut stored = Stored { rows: Vec::new(), embedder: None };
        for batch in &batches {
            let memories = Columns::of(batch).map_err(|message| self.broken("read", message))?;
            let vectors = batch.column_by_name("vector").and_then(|c| c.as_fixed_size_list_opt());
            let made_by = batch.column_by_name("embedder").and_then(|c| c.as_string_opt::<i32>());
            for row in 0..memories.len() {
                let vector = vectors.filter(|v| v.is_valid(row)).map(|v| v.value(row));
                let coded = vector.as_ref().and_then(|v| v.as_primitive_opt::<Float32Type>()).map(|v| Coded::new(v.values()));
                let made_by = made_by.filter(|m| m.is_valid(row)).map(|m| m.value(row));
                if stored.embedder.is_none() && coded.is_some() {
                    stored.embedder = made_by.map(str::to_owned);
                }
                // Vectors of two embedders are never compared.
                let coded = coded.filter(|_| made_by == stored.embedder.as_deref());
                stored.rows.push((memories.get(row), coded));
            }
        }
        stored.rows.sort_by_key(|(m, _)| m.id);
        Ok(stored)
    }

    /// Puts memories in, or in the place of those of their numbers: one commit. False, and nothing done, where the dataset has other
    /// columns (its vectors are of another length, or there were none): then everything is to be written anew.
    ///
    /// # Errors
    /// It is there and cannot be opened; the disk.
    pub fn upsert(&self, batch: RecordBatch) -> Result<bool, MemoryError> {
        block_on(async {
            let dataset = self.open().await?;
            if !same_columns(&dataset, &batch) {
                return Ok(false);
            }
            let schema = batch.schema();
            let reader = RecordBatchIterator::new(vec![Ok(batch)], schema);
            let builder = MergeInsertBuilder::try_new(Arc::new(dataset), vec!["id".into()]);
            builder
                .and_then(|mut b| b.when_matched(WhenMatched::UpdateAll).when_not_matched(WhenNotMatched::InsertAll).try_build())
                .map_err(|e| self.error("written", &e))?
                .execute_reader(Box::new(reader) as Box<dyn RecordBatchReader + Send>)
                .await
                .map_err(|e| self.error("written", &e))?;
            Ok(true)
        })
    }

    /// Makes it, or writes everything anew as its next version.
    ///
    /// # Errors
    /// The disk.
    pub fn replace(&self, all: Box<dyn RecordBatchReader + Send>) -> Result<(), MemoryError> {
        let mode = if self.newest().is_some() { WriteMode::Overwrite } else { WriteMode::Create };
        let params = WriteParams { mode, ..WriteParams::default() };
        block_on(async {
            let written = InsertBuilder::new(self.uri()?).with_params(&params).execute_stream(all).await;
            let mut dataset = written.map_err(|e| self.error("written", &e))?;
            let by_number = ScalarIndexParams::for_builtin(BuiltinIndexType::BTree);
            let made = dataset.create_index(&["id"], IndexType::BTree, Some("id".into()), &by_number, true).await;
            made.map(|_| ()).map_err(|e| self.error("indexed", &e))
        })
    }

    /// Joins fragments, once there are many or many versions. True where that was done: once it is synced, `clean` can follow.
    ///
    /// # Errors
    /// The disk.
    pub fn compact(&self) -> Result<bool, MemoryError> {
        block_on(async {
            let mut dataset = self.open().await?;
            if dataset.count_fragments() <= FRAGMENTS && self.manifests().len() <= VERSIONS {
                return Ok(false);
            }
            let failed = |e: lance::Error| self.error("put in order", &e);
            dataset.optimize_indices(&OptimizeOptions::default()).await.map_err(failed)?;
            let options = CompactionOptions { materialize_deletions_threshold: 0.0, ..CompactionOptions::default() };
            compact_files(&mut dataset, options, None).await.map_err(failed)?;
            Ok(true)
        })
    }

    /// Drops all versions but the newest, if that one is synced: else nothing might be left after a loss of power. Only one process
    /// writes, and who is reading an older version reads again.
    ///
    /// # Errors
    /// The disk.
    pub fn clean(&self) -> Result<(), MemoryError> {
        if !self.is_synced() {
            return Ok(());
        }
        self.remove_aside()?;
        block_on(async {
            let dataset = self.open().await?;
            let removed = dataset.cleanup_old_versions(chrono::TimeDelta::zero(), Some(true), None).await;
            removed.map(|_| ()).map_err(|e| self.error("cleaned up", &e))
        })
    }

    /// The version that counts.
    async fn open(&self) -> Result<Dataset, MemoryError> {
        if let Some(torn) = self.torn() {
            return Err(self.broken("opened", torn));
        }
        let mut dataset = DatasetBuilder::from_uri(self.uri()?);
        if let Some((version, _)) = self.sure() {
            dataset = dataset.with_version(version);
        }
        dataset.load().await.map_err(|e| self.error("opened", &e))
    }

    fn uri(&self) -> Result<&str, MemoryError> {
        self.path.to_str().ok_or_else(|| self.broken("opened", "its path is not UTF-8".into()))
    }

    /// All memories as the dataset holds them, made some at a time: their vectors take much more room there.
    ///
    /// # Errors
    /// They do not fit its columns.
    pub fn all(&self, index: &Arc<Index>, embedder: &str) -> Result<Box<dyn RecordBatchReader + Send>, MemoryError> {
        let schema = self.batch(index, &[], embedder)?.schema();
        let (table, index, embedder) = (self.clone(), index.clone(), embedder.to_owned());
        let count = index.rows().len();
        let some = (0..count).step_by(SOME).map(move |from| {
            let rows: Vec<usize> = (from..count.min(from + SOME)).collect();
            table.batch(&index, &rows, &embedder).map_err(|e| ArrowError::ExternalError(Box::new(e)))
        });
        Ok(Box::new(RecordBatchIterator::new(some, schema)))
    }

    /// Some memories as the dataset holds them, by their rows.
    ///
    /// # Errors
    /// They do not fit its columns.
    pub fn batch(&self, index: &Index, rows: &[usize], embedder: &str) -> Result<RecordBatch, MemoryError> {
        let mut all = fields();
        let memories: Vec<_> = rows.iter().map(|r| index.rows().get(*r)).collect();
        let mut arrays: Vec<ArrayRef> = columns(memories.iter().map(AsRef::as_ref));
        all.push(Field::new("embedder", DataType::Utf8, true));
        arrays.push(Arc::new(rows.iter().map(|r| index.vectors.get(*r).map(|_| embedder)).collect::<StringArray>()));
        let dim = index.vectors.dim();
        if dim > 0 {
            let item = Arc::new(Field::new("item", DataType::Float32, true));
            let mut values = Vec::with_capacity(rows.len() * dim);
            for row in rows {
                match index.vectors.get(*row) {
                    Some((codes, scale)) => values.extend(decoded(codes, scale)),
                    None => values.resize(values.len() + dim, 0.0),
                }
            }
            let there: BooleanBuffer = rows.iter().map(|r| index.vectors.get(*r).is_some()).collect();
            let list =
                FixedSizeListArray::try_new(item.clone(), dim as i32, Arc::new(Float32Array::from(values)), Some(NullBuffer::new(there)));
            all.push(Field::new("vector", DataType::FixedSizeList(item, dim as i32), true));
            arrays.push(Arc::new(list.map_err(|e| self.broken("written", e.to_string()))?));
        }
        RecordBatch::try_new(Arc::new(Schema::new(all)), arrays).map_err(|e| self.broken("written", e.to_string()))
    }

    fn error(&self, what: &'static str, e: &lance::Error) -> MemoryError {
        self.broken(what, e.to_string())
    }

    fn broken(&self, what: &'static str, message: String) -> MemoryError {
        let message = message.lines().next().unwrap_or_default().to_owned();
        MemoryError::Dataset { path: self.path.clone(), what, message }
    }
}

fn same_columns(dataset: &Dataset, batch: &RecordBatch) -> bool {
    let have = Schema::from(dataset.schema());
    let wanted = batch.schema();
    have.fields().len() == wanted.fields().len()
        && wanted.fields().iter().all(|f| have.field_with_name(f.name()).is_ok_and(|h| h.data_type() == f.data_type()))
}

/// Lance is asynchronous and brings its own threads; whoever asks here has a thread to wait in.
fn block_on<T>(work: impl Future<Output = Result<T, MemoryError>>) -> Result<T, MemoryError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(MemoryError::io(Path::new("a runtime for the dataset"), "started"))?;
    runtime.block_on(work)
}
