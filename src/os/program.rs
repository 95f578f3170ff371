//! Our own programs, which lie beside one another.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The program of this name beside the running one. Worked out at the first call: after an upgrade the path of a running
/// program reads as deleted.
pub fn program(name: &str) -> PathBuf {
    static HERE: OnceLock<PathBuf> = OnceLock::new();
    let here = HERE.get_or_init(|| std::env::current_exe().ok().and_then(|p| p.parent().map(Path::to_owned)).unwrap_or_default());
    let beside = here.join(name);
    // A test binary lies one folder below the programs.
    match here.parent() {
        Some(above) if here.ends_with("deps") && !beside.exists() => above.join(name),
        _ => beside,
    }
}
