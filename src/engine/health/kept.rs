//! What takes long to find out (the whole database read, folders added up) is asked for no more often than whoever asks can wait.

use crate::os::clock;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Answers by workspace, with when each was found.
pub struct Kept<T>(Mutex<BTreeMap<PathBuf, (Instant, T)>>);

impl<T: Clone> Kept<T> {
    /// Nothing is known yet.
    pub const fn new() -> Kept<T> {
        Kept(Mutex::new(BTreeMap::new()))
    }

    /// The last answer, unless it is older than `patience`; else a new one. Nobody waits for another's answer.
    pub fn get(&self, about: &Path, patience: Duration, find: impl FnOnce() -> T) -> T {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, found)) = known().get(about)
            && at.elapsed() < patience
        {
            return found.clone();
        }
        let found = find();
        known().insert(about.to_owned(), (clock::monotonic(), found.clone()));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn nothing_is_looked_at_twice_within_the_patience() {
        let (kept, looks) = (Kept::new(), Cell::new(0));
        let look = |about: &str, patience| {
            kept.get(Path::new(about), patience, || {
                looks.set(looks.get() + 1);
                looks.get()
            })
        };
        let hour = Duration::from_secs(3600);
        assert_eq!((look("a", hour), look("a", hour), look("b", hour)), (1, 1, 2));
        assert_eq!((look("a", Duration::ZERO), look("a", hour)), (3, 3), "whoever wants it now gets it, for the others too");
    }
}
