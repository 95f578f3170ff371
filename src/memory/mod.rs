//! What is remembered. Core memory: the lines that every job gets.

pub mod core;
mod episodic;

pub use episodic::Episodes;
