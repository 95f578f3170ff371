//! What the host has left: the measures behind the low-water marks.

use super::OsError;
use std::path::Path;

/// This host's name.
pub fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Memory of the host, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub total: u64,
    /// `MemAvailable`: what can be had without swapping, by the kernel's own estimate.
    pub available: u64,
}

/// Reads `/proc/meminfo`.
///
/// # Errors
/// It is not readable, or lacks `MemTotal` or `MemAvailable`.
pub fn memory() -> Result<Memory, OsError> {
    let path = Path::new("/proc/meminfo");
    let text = std::fs::read_to_string(path).map_err(OsError::file("read", path))?;
    memory_of(&text).ok_or_else(|| OsError::Odd { path: path.to_owned(), problem: "no MemTotal and MemAvailable".to_owned() })
}

fn memory_of(meminfo: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let rest = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    };
    Some(Memory { total: bytes("MemTotal")?, available: bytes("MemAvailable")? })
}

/// Bytes that this user can still write on the file system of `path`.
///
/// # Errors
/// `path` does not exist or is not reachable.
pub fn disk_free(path: &Path) -> Result<u64, OsError> {
    let stat = rustix::fs::statvfs(path).map_err(|e| OsError::file("measure the disk of", path)(e.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_in_kibibytes() {
        let text = "MemTotal:        8000 kB\nMemFree:          100 kB\nMemAvailable:    3000 kB\n";
        assert_eq!(memory_of(text), Some(Memory { total: 8000 * 1024, available: 3000 * 1024 }));
        assert_eq!(memory_of("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn this_host_has_memory_and_disk() {
        let memory = memory().unwrap();
        assert!(memory.available > 0 && memory.available <= memory.total);
        assert!(disk_free(Path::new("/")).is_ok());
        assert!(disk_free(Path::new("/no/such/place")).unwrap_err().to_string().contains("/no/such/place"));
    }
}
