//! What is remembered. Core memory: the lines that every job gets.

pub mod core;
mod episodic;
mod semantic;

pub use episodic::{Episodes, day_lines, drop_old_days};
pub use semantic::{Added, Change, MemoryError, NewMemory, Semantic, Tuning};
