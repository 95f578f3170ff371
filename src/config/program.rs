//! Programs on this machine: where one is, and which version its place on the disk tells, without starting it.

use serde::{Deserialize, Deserializer, de};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// So far up from a program its package is looked for.
const LEVELS: usize = 4;

/// A release: three numbers. What follows them (`-beta.1`, `-linux-x64`) is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u64, pub u64, pub u64);

impl FromStr for Version {
    type Err = String;
    fn from_str(text: &str) -> Result<Version, String> {
        let bare = text.trim().trim_start_matches('v');
        let end = bare.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(bare.len());
        let mut numbers = bare[..end].split('.').map(str::parse);
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(a)), Some(Ok(b)), Some(Ok(c)), None) => Ok(Version(a, b, c)),
            _ => Err(format!("`{text}` is not a version like 1.2.3")),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Version, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

/// Where a program is: a path as it stands, a name on PATH. Only what can be run counts.
pub fn find(program: &Path) -> Option<PathBuf> {
    let runs = |p: &Path| p.is_file() && rustix::fs::access(p, rustix::fs::Access::EXEC_OK).is_ok();
    if program.components().count() > 1 {
        return runs(program).then(|| program.to_owned());
    }
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(program)).find(|p| runs(p))
}

/// A variable that is set, or a file (`~/…`) that exists.
pub fn is_there(mark: &str) -> bool {
    match mark.strip_prefix("~/") {
        Some(rest) => std::env::home_dir().is_some_and(|h| h.join(rest).exists()),
        None => std::env::var_os(mark).is_some_and(|v| !v.is_empty()),
    }
}

/// The version that a program's place tells: its package's `package.json` (npm), or a folder or file that is named after it
/// (`versions/2.1.330`, Homebrew's cellar). `None` where neither is there.
pub fn version_on_disk(program: &Path) -> Option<Version> {
    let real = program.canonicalize().ok()?;
    real.ancestors().take(LEVELS).find_map(|place| {
        let package = std::fs::read(place.join("package.json")).ok();
        let told = package.and_then(|p| serde_json::from_slice::<serde_json::Value>(&p).ok());
        let told = told.as_ref().and_then(|p| p.get("version")?.as_str()?.parse().ok());
        told.or_else(|| place.file_name()?.to_str()?.parse().ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn versions_are_compared_as_numbers() {
        let v = |t: &str| t.parse::<Version>();
        assert!(v("2.1.330").unwrap() > v("2.1.197").unwrap() && v("2.10.0").unwrap() > v("v2.9.9").unwrap());
        assert_eq!(v("0.169.0-linux-x64"), Ok(Version(0, 169, 0)));
        for bad in ["", "claude", "1.2", "1.2.3.4", "x1.2.3", "20"] {
            assert!(v(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_program_s_place_tells_its_version() {
        let dir = tempfile::tempdir().unwrap();
        let file = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let npm = file("v20.1.0/lib/node_modules/@x/cli/bundle/cli.js", "");
        file("v20.1.0/lib/node_modules/@x/cli/package.json", r#"{"version":"0.61.0"}"#);
        symlink(&npm, dir.path().join("npm")).unwrap();
        assert_eq!(version_on_disk(&dir.path().join("npm")), Some(Version(0, 61, 0)));
        let native = file("share/claude/versions/2.1.330", "");
        symlink(&native, dir.path().join("native")).unwrap();
        assert_eq!(version_on_disk(&dir.path().join("native")), Some(Version(2, 1, 330)));
        let bare = file("bin/tool", "");
        assert_eq!(version_on_disk(&bare), None);
        assert_eq!(find(&bare), Some(bare.clone()));
        assert_eq!(version_on_disk(&dir.path().join("missing")), None);
        assert!(find(Path::new("sh")).is_some_and(|p| p.is_absolute()));
        assert_eq!(find(Path::new("no-such-program-at-all")), None);
    }
}
