//! The index as it was at the last folding, so that a process need not read the dataset and its texts word by word to search: three
//! Arrow IPC files whose columns are used where they were read. A cache: without it, or where it does not fit the dataset, the index is built from the dataset.

use super::MemoryError;
use super::columns::{Columns, columns, fields};
use super::index::Index;
use super::journal::{JournalLock, sync_dir};
use super::postings::Postings;
use super::rows::Rows;
use super::vectors::Vectors;
use crate::domain::Memory;
use arrow::array::{ArrayRef, AsArray, FixedSizeBinaryArray, Float32Array, ListArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Float32Type, Schema, UInt32Type, UInt64Type};
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::{FileDecoder, read_footer_length};
use arrow::ipc::root_as_footer;
use arrow::ipc::writer::FileWriter;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Raised with each change of what the files hold or of how texts become words: others are built anew.
const FORMAT: &str = "4";

/// The index as it was, what made its vectors, and the dataset's version that it was saved with.
pub struct Image {
    pub index: Index,
    pub embedder: Option<String>,
    pub dataset: Option<String>,
}

/// The files of an image: memories, words, vectors.
const FILES: [&str; 3] = ["rows.arrow", "words.arrow", "vectors.arrow"];

/// The image in place, if there is one that is whole.
pub fn read(dir: &Path) -> Option<Image> {
    load(FILES.map(|name| dir.join(name)))
}

fn load(paths: [PathBuf; 3]) -> Option<Image> {
    // Several files, several cores.
    let [rows, words, vectors] = std::thread::scope(|s| {
        let [rows, words, vectors] = &paths;
        let [words, vectors] = [words, vectors].map(|path| s.spawn(move || batch(path)));
        [batch(rows), words.join().ok().flatten(), vectors.join().ok().flatten()]
    });
    let ((rows, about), (words, of_words), (vectors, of_vectors)) = (rows?, words?, vectors?);
    // Each saving has a name of its own: three files of two of them never go together.
    if about != of_words || about != of_vectors || about.get("format").is_none_or(|f| f != FORMAT) {
        return None;
    }
    let lengths = rows.column_by_name("words")?.as_primitive_opt::<UInt32Type>()?.values().to_vec();
    let keys = rows.column_by_name("same")?.as_primitive_opt::<UInt64Type>()?.values().to_vec();
    let scales = vectors.column_by_name("scale")?.as_primitive_opt::<Float32Type>()?.values().to_vec();
    let sums = vectors.column_by_name("sum")?.as_primitive_opt::<UInt32Type>()?.values().to_vec();
    let (dim, codes) = match vectors.column_by_name("codes") {
        Some(codes) => (codes.as_fixed_size_binary_opt()?.value_length() as usize, codes.as_fixed_size_binary_opt()?.values().clone()),
        None => (0, Buffer::default()),
    };
    if scales.len() != rows.num_rows() {
        return None;
    }
    let vectors = Vectors::of(dim, codes, scales, sums)?;
    let said = |key: &str| about.get(key).filter(|value| !value.is_empty()).cloned();
    let postings = Postings::of(&words, rows.num_rows())?;
    let rows = Rows::of(Columns::of(&rows).ok()?);
    Some(Image { index: Index::of(rows, lengths, keys, postings, vectors), embedder: said("embedder"), dataset: said("dataset") })
}

/// Writes an index as an image beside the one in place.
///
/// # Errors
/// The disk.
pub fn save(dir: &Path, index: &Index, embedder: Option<&str>, newest: Option<&str>) -> Result<Draft, MemoryError> {
    let saving = uuid::Uuid::new_v4().to_string();
    let (newest, embedder) = (newest.unwrap_or_default(), embedder.unwrap_or_default());
    let about = [("format", FORMAT), ("dataset", newest), ("embedder", embedder), ("saving", saving.as_str())];
    let about: HashMap<String, String> = about.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let field = |name: &str, kind: DataType| Field::new(name, kind, false);
    let memories: Vec<Cow<'_, Memory>> = index.rows().iter().collect();
    let mut rows: (Vec<Field>, Vec<ArrayRef>) = (fields(), columns(memories.iter().map(AsRef::as_ref)));
    rows.0.extend([field("words", DataType::UInt32), field("same", DataType::UInt64)]);
    rows.1.push(Arc::new(UInt32Array::from(index.lengths().to_vec())));
    rows.1.push(Arc::new(UInt64Array::from(index.keys().to_vec())));
    drop(memories);

    let (stems, ends, all) = index.postings().columns();
    let item = Arc::new(field("item", DataType::UInt32));
    let list = ListArray::new(item.clone(), ends, Arc::new(all), None);
    let words: (Vec<Field>, Vec<ArrayRef>) =
        (vec![field("stem", DataType::Utf8), field("postings", DataType::List(item))], vec![Arc::new(stems), Arc::new(list)]);

    let (scales, sums) = index.vectors.figures();
    let mut vectors: (Vec<Field>, Vec<ArrayRef>) = (
        vec![field("scale", DataType::Float32), field("sum", DataType::UInt32)],
        vec![Arc::new(Float32Array::from(scales.to_vec())), Arc::new(UInt32Array::from(sums.to_vec()))],
    );
    let dim = index.vectors.dim() as i32;
    if dim > 0 {
        vectors.0.push(field("codes", DataType::FixedSizeBinary(dim)));
        vectors.1.push(Arc::new(FixedSizeBinaryArray::new(dim, index.vectors.all_codes().into(), None)));
    }

    std::fs::create_dir_all(dir).map_err(MemoryError::io(dir, "made"))?;
    for (name, (fields, arrays)) in FILES.iter().zip([rows, words, vectors]) {
        write(&draft(dir, name), Schema::new_with_metadata(fields, about.clone()), arrays)?;
    }
    Ok(Draft { dir: dir.to_owned() })
}

fn draft(dir: &Path, name: &str) -> PathBuf {
    dir.join(name).with_extension("draft")
}

/// Written and not yet in place.
pub struct Draft {
    dir: PathBuf,
}

impl Draft {
    /// What was written, as whoever opens the store will have it.
    pub fn read(&self) -> Option<Image> {
        load(FILES.map(|name| draft(&self.dir, name)))
    }

    /// Puts it in place of the older one. With the journal's lock held alone: journal and image have to fit together.
    ///
    /// # Errors
    /// The disk.
    pub fn publish(&self, _lock: &JournalLock) -> Result<(), MemoryError> {
        for name in FILES {
            let path = self.dir.join(name);
            std::fs::rename(draft(&self.dir, name), &path).map_err(MemoryError::io(&path, "replaced"))?;
        }
        Ok(())
    }

    /// Puts the change of place on the disk: before that, no file of the journal goes.
    ///
    /// # Errors
    /// The disk.
    pub fn sync(&self) -> Result<(), MemoryError> {
        sync_dir(&self.dir)
    }
}

/// Writes one batch as an Arrow IPC file, on the disk when this returns.
///
/// # Errors
/// The disk.
pub fn write(path: &Path, schema: Schema, arrays: Vec<ArrayRef>) -> Result<(), MemoryError> {
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

/// The batch of such a file with what its schema says of it; `None` where it cannot be read. Its columns are the file's bytes.
pub fn batch(path: &Path) -> Option<(RecordBatch, HashMap<String, String>)> {
    const TRAILER: usize = 10;
    let bytes = Buffer::from_vec(std::fs::read(path).ok()?);
    let trailer = bytes.len().checked_sub(TRAILER)?;
    let footer = read_footer_length(bytes[trailer..].try_into().ok()?).ok()?;
    let footer = root_as_footer(bytes.get(trailer.checked_sub(footer)?..trailer)?).ok()?;
    let schema = fb_to_schema(footer.schema()?);
    let about = schema.metadata().clone();
    let block = *footer.recordBatches()?.iter().next()?;
    let (at, length) = (usize::try_from(block.offset()).ok()?, block.bodyLength() as usize + block.metaDataLength() as usize);
    if at.checked_add(length)? > trailer {
        return None;
    }
    let batch = FileDecoder::new(Arc::new(schema), footer.version()).read_record_batch(&block, &bytes.slice_with_length(at, length));
    Some((batch.ok()??, about))
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
