//! The index as it was at the last folding, so that a process need not read the dataset and its texts word by word to search: two
//! Arrow IPC files. A cache: without it, or where it does not fit the dataset, the index is built from the dataset.

use super::MemoryError;
use super::columns::{columns, fields, memories};
use super::index::Index;
use super::journal::sync_dir;
use super::vectors::Vectors;
use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, Float32Array, ListArray, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Float32Type, Schema, UInt32Type, UInt64Type};
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Raised with each change of what the files hold or of how texts become words: others are built anew.
const FORMAT: &str = "2";

/// The index as it was, and what made its vectors.
pub struct Image {
    pub index: Index,
    pub embedder: Option<String>,
}

/// What is to be written.
pub struct Prepared {
    dir: PathBuf,
    about: HashMap<String, String>,
    parts: [(PathBuf, Vec<Field>, Vec<ArrayRef>); 2],
}

/// Written and not yet in place.
pub struct Draft {
    dir: PathBuf,
    files: Vec<(PathBuf, PathBuf)>,
}

fn paths(dir: &Path) -> [PathBuf; 2] {
    [dir.join("rows.arrow"), dir.join("words.arrow")]
}

/// The image, if there is one that fits the dataset's newest version.
pub fn read(dir: &Path, newest: Option<&str>) -> Option<Image> {
    let [rows, words] = paths(dir);
    // Two files, two cores.
    let (rows, words) = std::thread::scope(|s| {
        let words = s.spawn(|| batch(&words));
        (batch(&rows), words.join().ok().flatten())
    });
    let ((rows, about), (words, too)) = (rows?, words?);
    let is = |key: &str, value: &str| about.get(key).is_some_and(|v| v == value);
    if about != too || !is("format", FORMAT) || !is("dataset", newest.unwrap_or_default()) {
        return None;
    }
    let memories = std::thread::scope(|s| {
        let terms = s.spawn(|| terms(&words));
        (memories(&rows).ok(), terms.join().ok().flatten())
    });
    let (memories, terms) = (memories.0?, memories.1?);
    let lengths = rows.column_by_name("words")?.as_primitive_opt::<UInt32Type>()?.values().to_vec();
    let keys = rows.column_by_name("same")?.as_primitive_opt::<UInt64Type>()?.values().to_vec();
    let vectors = match rows.column_by_name("codes") {
        Some(codes) => {
            let codes = codes.as_fixed_size_binary_opt()?;
            let scales = rows.column_by_name("scale")?.as_primitive_opt::<Float32Type>()?.values().to_vec();
            let sums = rows.column_by_name("sum")?.as_primitive_opt::<UInt32Type>()?.values().to_vec();
            Vectors::of(codes.value_length() as usize, codes.value_data().to_vec(), scales, sums)
        }
        None => Vectors::of(0, Vec::new(), vec![0.0; memories.len()], vec![0; memories.len()]),
    };
    let embedder = about.get("embedder").filter(|e| !e.is_empty()).cloned();
    Some(Image { index: Index::of(memories, lengths, keys, terms, vectors), embedder })
}

fn terms(words: &RecordBatch) -> Option<Vec<(Box<str>, Vec<u32>)>> {
    let stems = words.column_by_name("stem")?.as_string_opt::<i32>()?;
    let postings = words.column_by_name("postings")?.as_list_opt::<i32>()?;
    let all = postings.values().as_primitive_opt::<UInt32Type>()?.values();
    let ends = postings.value_offsets();
    Some((0..stems.len()).map(|i| (stems.value(i).into(), all[ends[i] as usize..ends[i + 1] as usize].to_vec())).collect())
}

/// The index as columns; nothing is written yet.
pub fn prepare(dir: &Path, index: &Index, embedder: Option<&str>, newest: Option<&str>) -> Prepared {
    let about = [("format", FORMAT), ("dataset", newest.unwrap_or_default()), ("embedder", embedder.unwrap_or_default())];
    let about = about.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let mut all = fields();
    let mut arrays = columns(index.rows().iter());
    all.push(Field::new("words", DataType::UInt32, false));
    arrays.push(Arc::new(UInt32Array::from(index.lengths().to_vec())));
    all.push(Field::new("same", DataType::UInt64, false));
    arrays.push(Arc::new(UInt64Array::from(index.keys().to_vec())));
    let (codes, scales, sums) = index.vectors.parts();
    let dim = index.vectors.dim() as i32;
    if dim > 0 {
        all.push(Field::new("codes", DataType::FixedSizeBinary(dim), false));
        arrays.push(Arc::new(FixedSizeBinaryArray::new(dim, codes.to_vec().into(), None)));
        all.push(Field::new("scale", DataType::Float32, false));
        arrays.push(Arc::new(Float32Array::from(scales.to_vec())));
        all.push(Field::new("sum", DataType::UInt32, false));
        arrays.push(Arc::new(UInt32Array::from(sums.to_vec())));
    }
    let (mut stems, mut postings, mut ends) = (Vec::new(), Vec::new(), vec![0i32]);
    for (stem, rows) in index.terms().filter(|(_, rows)| !rows.is_empty()) {
        stems.push(stem);
        postings.extend_from_slice(rows);
        ends.push(postings.len() as i32);
    }
    let item = Arc::new(Field::new("item", DataType::UInt32, false));
    let list = ListArray::new(item.clone(), OffsetBuffer::new(ends.into()), Arc::new(UInt32Array::from(postings)), None);
    let words = vec![Field::new("stem", DataType::Utf8, false), Field::new("postings", DataType::List(item), false)];
    let [rows_at, words_at] = paths(dir);
    let parts = [(rows_at, all, arrays), (words_at, words, vec![Arc::new(StringArray::from(stems)) as ArrayRef, Arc::new(list)])];
    Prepared { dir: dir.to_owned(), about, parts }
}

impl Prepared {
    /// Writes it beside the one in place.
    ///
    /// # Errors
    /// The disk.
    pub fn save(self) -> Result<Draft, MemoryError> {
        std::fs::create_dir_all(&self.dir).map_err(MemoryError::io(&self.dir, "made"))?;
        let mut files = Vec::new();
        for (path, fields, arrays) in self.parts {
            let draft = path.with_extension("draft");
            save(&draft, Schema::new_with_metadata(fields, self.about.clone()), arrays)?;
            files.push((draft, path));
        }
        Ok(Draft { dir: self.dir, files })
    }
}

impl Draft {
    /// Puts it in place of the older one.
    ///
    /// # Errors
    /// The disk.
    pub fn publish(self) -> Result<(), MemoryError> {
        for (draft, path) in &self.files {
            std::fs::rename(draft, path).map_err(MemoryError::io(path, "replaced"))?;
        }
        sync_dir(&self.dir)
    }
}

/// Writes one batch as an Arrow IPC file, on the disk when this returns.
///
/// # Errors
/// The disk.
pub fn save(path: &Path, schema: Schema, arrays: Vec<ArrayRef>) -> Result<(), MemoryError> {
    let failed = |e: arrow::error::ArrowError| MemoryError::io(path, "written")(std::io::Error::other(e));
    let schema = Arc::new(schema);
    let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(failed)?;
    let file = std::fs::File::create(path).map_err(MemoryError::io(path, "written"))?;
    let mut writer = FileWriter::try_new(std::io::BufWriter::new(file), &schema).map_err(failed)?;
    writer.write(&batch).map_err(failed)?;
    let out = writer.into_inner().map_err(failed)?;
    let file = out.into_inner().map_err(|e| MemoryError::io(path, "written")(e.into_error()))?;
    file.sync_all().map_err(MemoryError::io(path, "synced"))
}

/// The batch of such a file with what its schema says of it; `None` where it cannot be read.
pub fn batch(path: &Path) -> Option<(RecordBatch, HashMap<String, String>)> {
    let bytes = std::fs::read(path).ok()?;
    let mut reader = FileReader::try_new(Cursor::new(bytes), None).ok()?;
    let about = reader.schema().metadata().clone();
    Some((reader.next()?.ok()?, about))
}

/// Writes a small file so that it is whole or as before.
///
/// # Errors
/// The disk.
pub fn write_durable(path: &Path, bytes: &[u8]) -> Result<(), MemoryError> {
    let draft = path.with_extension("draft");
    let write = || {
        let mut file = std::fs::File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    };
    write().map_err(MemoryError::io(path, "written"))?;
    path.parent().map_or(Ok(()), sync_dir)
}
