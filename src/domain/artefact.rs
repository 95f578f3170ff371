//! Names of what a job has to deliver: files and folders below its working folder.

use std::path::{Component, Path, PathBuf};

/// A name that is none of a file below a folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is no path below the job's folder: give a relative one without `..`, like docs/report.md", .name.escape_debug())]
pub struct NoName {
    pub name: String,
}

/// The longest name that is taken, in bytes.
const LONGEST: usize = 1024;

/// A name as a path below a folder, without going anywhere else on the way.
///
/// # Errors
/// It is absolute, empty, goes up, or holds what no list can show.
pub fn name_below(name: &str) -> Result<PathBuf, NoName> {
    let wrong = || NoName { name: name.chars().take(200).collect() };
    if name.len() > LONGEST || name.chars().any(char::is_control) {
        return Err(wrong());
    }
    let mut path = PathBuf::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return Err(wrong()),
        }
    }
    if path.as_os_str().is_empty() { Err(wrong()) } else { Ok(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_below_a_folder_are_taken() {
        assert_eq!(name_below("./docs//a b.md"), Ok(PathBuf::from("docs/a b.md")));
        for wrong in ["/etc/passwd", "..", "../x", "a/../../x", "", "./", "a\0b", "a\u{1b}[2J"] {
            assert!(name_below(wrong).is_err(), "{wrong:?}");
        }
        assert!(name_below(&"x/".repeat(600)).is_err());
        assert!(name_below("/x").unwrap_err().to_string().contains("give a relative one"));
    }
}
