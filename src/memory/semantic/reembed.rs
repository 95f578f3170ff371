//! Vectors in the background: for memories that have none, and for all when the embedder has changed. Until the last one is made,
//! recall goes on with the old ones.

use super::vectors::{Coded, Vectors};
use super::words::hash;
use super::{MemoryError, Semantic, image};
use crate::domain::{MemoryId, Reembedding};
use crate::memory::EmbedError;
use arrow::array::{ArrayRef, AsArray, FixedSizeBinaryArray, Float32Array, Int64Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Float32Type, Int64Type, Schema, UInt64Type};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Texts in one request.
const BATCH: usize = 64;

/// A vector with what it was made of (`words::same_key` says too little here: the text's hash).
type Made = HashMap<MemoryId, (u64, Coded)>;

impl Semantic {
    /// Makes what is missing. Each text is tried once: the next upkeep tries those again that got none.
    pub(super) fn embed_missing(&self, told: &mut dyn FnMut(Option<Reembedding>)) -> Result<(), MemoryError> {
        let id = self.inner.embedder.id();
        if self.inner.differs.swap(false, Ordering::SeqCst) {
            self.remove_side()?;
            self.embed_all_and_tell(told)?;
        } else if self.with(|s| s.vectors_by.as_deref() != Some(id) && !s.index.rows().is_empty())? {
            self.embed_all_and_tell(told)?;
        }
        let mut tried = MemoryId(i64::MIN);
        while !self.is_retired() {
            let (texts, dim): (Vec<(MemoryId, String)>, usize) = self.with(|s| {
                let rows = s.index.vectors.missing().map(|row| (s.index.rows().id(row), s.index.rows().text(row)));
                let rows = rows.filter(|(id, text)| *id > tried && !text.trim().is_empty()).take(BATCH);
                (rows.map(|(id, text)| (id, text.to_owned())).collect(), s.index.vectors.dim())
            })?;
            let Some((last, _)) = texts.last() else { return Ok(()) };
            tried = *last;
            let made = self.embed(&texts)?;
            // The model of that name is another one now.
            if dim > 0 && made.iter().any(|c| c.codes.len() != dim) {
                self.remove_side()?;
                return self.embed_all_and_tell(told);
            }
            self.with_mut(false, |state, _| {
                for ((id, text), coded) in texts.iter().zip(&made) {
                    let row = state.index.row(*id).filter(|row| state.index.rows().text(*row) == text);
                    if row.is_some_and(|row| state.index.vectors.set(row, Some(coded))) {
                        state.dirty.insert(*id);
                    }
                }
                Ok(())
            })?;
            // What came meanwhile is for the next upkeep: this one ends.
            if texts.len() < BATCH {
                break;
            }
        }
        Ok(())
    }

    /// True where the settings have changed since.
    pub(super) fn is_retired(&self) -> bool {
        self.inner.retired.load(Ordering::SeqCst)
    }

    fn embed_all_and_tell(&self, told: &mut dyn FnMut(Option<Reembedding>)) -> Result<(), MemoryError> {
        let done = self.embed_all(told);
        told(None);
        done
    }

    /// Makes the vectors of all memories by another embedder. What is made is saved batch by batch: after a crash it goes on there.
    fn embed_all(&self, told: &mut dyn FnMut(Option<Reembedding>)) -> Result<(), MemoryError> {
        let texts: Vec<(MemoryId, String)> = self.with(|s| {
            let rows = s.index.rows();
            (0..rows.len()).map(|row| (rows.id(row), rows.text(row).to_owned())).collect()
        })?;
        let local = self.inner.embedder.is_local();
        let (mut made, mut file) = if local { (Made::new(), 0) } else { self.read_side()? };
        let rest: Vec<&(MemoryId, String)> = texts.iter().filter(|(id, text)| made.get(id).is_none_or(|(h, _)| *h != hash(text))).collect();
        let mut done = texts.len() - rest.len();
        for some in rest.chunks(BATCH) {
            if self.is_retired() {
                return Ok(());
            }
            told(Some(Reembedding { done, total: texts.len() }));
            let some: Vec<(MemoryId, String)> = some.iter().map(|t| (*t).clone()).collect();
            let coded = self.embed(&some)?;
            let dims = |c: &Coded| c.codes.len();
            if let (Some(now), Some(before)) = (coded.first().map(dims), made.values().next().map(|(_, c)| dims(c)))
                && now != before
            {
                self.remove_side()?;
                let said =
                    format!("{} answers with {now} dimensions, and with {before} before; all are made anew", self.inner.embedder.id());
                return Err(EmbedError(said).into());
            }
            if !local {
                file += 1;
                self.write_side(file, &some, &coded)?;
            }
            done += some.len();
            made.extend(some.into_iter().zip(coded).map(|((id, text), c)| (id, (hash(&text), c))));
        }
        self.with_mut(false, |state, _| {
            if self.is_retired() {
                return Ok(());
            }
            let mut vectors = Vectors::default();
            let rows = state.index.rows();
            for row in 0..rows.len() {
                vectors.push();
                let coded = made.get(&rows.id(row)).filter(|(h, _)| *h == hash(rows.text(row)));
                vectors.set(row, coded.map(|(_, c)| c));
            }
            state.index.vectors = vectors;
            state.vectors_by = Some(self.inner.embedder.id().to_owned());
            state.rewrite = true;
            Ok(())
        })
    }

    fn embed(&self, texts: &[(MemoryId, String)]) -> Result<Vec<Coded>, MemoryError> {
        let texts: Vec<&str> = texts.iter().map(|(_, t)| t.as_str()).collect();
        let vectors = if texts.is_empty() { Vec::new() } else { self.inner.embedder.embed(&texts)? };
        Ok(vectors.iter().map(|v| Coded::new(v)).collect())
    }

    fn side(&self) -> PathBuf {
        self.inner.dir.join("reembed")
    }

    fn write_side(&self, number: u64, texts: &[(MemoryId, String)], coded: &[Coded]) -> Result<(), MemoryError> {
        let dir = self.side();
        std::fs::create_dir_all(&dir).map_err(MemoryError::io(&dir, "made"))?;
        let dim = coded.first().map_or(0, |c| c.codes.len());
        let codes: Vec<u8> = coded.iter().flat_map(|c| c.codes.iter().copied()).collect();
        let columns: [(&str, DataType, ArrayRef); 4] = [
            ("id", DataType::Int64, Arc::new(texts.iter().map(|(id, _)| Some(id.0)).collect::<Int64Array>())),
            ("hash", DataType::UInt64, Arc::new(texts.iter().map(|(_, t)| Some(hash(t))).collect::<UInt64Array>())),
            ("codes", DataType::FixedSizeBinary(dim as i32), Arc::new(FixedSizeBinaryArray::new(dim as i32, codes.into(), None))),
            ("scale", DataType::Float32, Arc::new(coded.iter().map(|c| Some(c.scale)).collect::<Float32Array>())),
        ];
        let fields: Vec<Field> = columns.iter().map(|(name, kind, _)| Field::new(*name, kind.clone(), false)).collect();
        let about = [("embedder".to_owned(), self.inner.embedder.id().to_owned())].into();
        let arrays = columns.into_iter().map(|(.., a)| a).collect();
        let path = dir.join(format!("{number:06}.arrow"));
        let draft = path.with_extension("draft");
        image::write(&draft, Schema::new_with_metadata(fields, about), arrays)?;
        std::fs::rename(&draft, &path).map_err(MemoryError::io(&path, "written"))
    }

    /// What an earlier run has made, and its last file's number. Another embedder's is removed.
    fn read_side(&self) -> Result<(Made, u64), MemoryError> {
        let (mut made, mut last) = (Made::new(), 0);
        for path in std::fs::read_dir(self.side()).into_iter().flatten().flatten().map(|e| e.path()) {
            let Some((batch, about)) = image::batch(&path) else { continue };
            if about.get("embedder").is_none_or(|e| e != self.inner.embedder.id()) {
                std::fs::remove_file(&path).map_err(MemoryError::io(&path, "removed"))?;
                continue;
            }
            let number = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse().ok()).unwrap_or(0);
            last = last.max(number);
            let of = |name| batch.column_by_name(name);
            let (Some(ids), Some(hashes), Some(codes), Some(scales)) = (
                of("id").and_then(|c| c.as_primitive_opt::<Int64Type>()),
                of("hash").and_then(|c| c.as_primitive_opt::<UInt64Type>()),
                of("codes").and_then(|c| c.as_fixed_size_binary_opt()),
                of("scale").and_then(|c| c.as_primitive_opt::<Float32Type>()),
            ) else {
                continue;
            };
            for row in 0..batch.num_rows() {
                let coded = Coded { codes: codes.value(row).to_vec(), scale: scales.value(row) };
                made.insert(MemoryId(ids.value(row)), (hashes.value(row), coded));
            }
        }
        Ok((made, last))
    }

    /// Removes what was saved on the way: the dataset has it.
    pub(super) fn drop_side(&self) -> Result<(), MemoryError> {
        if self.with(|s| s.vectors_by.as_deref() != Some(self.inner.embedder.id()))? {
            return Ok(());
        }
        self.remove_side()
    }

    fn remove_side(&self) -> Result<(), MemoryError> {
        let dir = self.side();
        match std::fs::remove_dir_all(&dir) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(MemoryError::io(&dir, "removed")(e)),
            _ => Ok(()),
        }
    }
}
