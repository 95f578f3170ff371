//! The memory store as several processes and a killed one use it, and what two jobs in a row get from it.

mod crash;
mod endpoint;
mod learn;
mod recall;

use orc::domain::{Category, Formula, MemorySource};
use orc::memory::{Embedder, NewMemory, Semantic, Tuning};
use std::path::Path;
use std::sync::Arc;

fn open(dir: &Path, embedder: Arc<dyn Embedder>) -> Semantic {
    Semantic::open(dir, embedder, Tuning { formula: Formula::default(), floor: 0.3, merge: 0.95 }).unwrap()
}

fn fact(text: &str) -> NewMemory {
    NewMemory {
        text: text.to_owned(),
        category: Category::Fact,
        importance: 0.5,
        source: MemorySource::Operator,
        external: false,
        created_at: None,
    }
}
