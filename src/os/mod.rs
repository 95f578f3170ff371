//! The operating system, as this product needs it: processes and their trees, containment, locks, files that are whole or
//! absent, the host's memory and disk, the clock, the program git. Linux; everything that it makes is for its owner only.

pub mod cgroup;
pub mod clock;
mod editor;
mod error;
pub mod files;
pub mod git;
mod guest;
pub mod host;
pub mod lock;
pub mod process;
mod program;
mod saves;
pub mod tree;
pub mod worktree;
pub mod zone;

pub use editor::{Editor, EditorError};
pub use error::OsError;
pub use guest::Guest;
pub use lock::{Lock, lock_held};
pub use program::program;
pub use saves::{Saves, Seen};
