//! What is remembered: core memory, the lines that every job gets; the raw log of what happened; and between them single
//! memories, found by likeness. The only place that knows Lance and Arrow.

pub mod core;
mod embed;
mod episodic;
mod semantic;

pub use embed::{EmbedError, Embedder, Endpoint, Http, Shipped};
pub use episodic::{Episodes, day_lines, drop_old_days};
pub use semantic::{Added, Change, MemoryError, NewMemory, Semantic, Side, Standings, Taken, Tuning};
