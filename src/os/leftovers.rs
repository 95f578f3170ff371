//! What a work tree holds that no commit does, and that would go with it.

use super::git::{Git, GitError};
use std::path::{Path, PathBuf};

/// The first of the named files that git ignores: no commit holds it, so it would go with the tree.
///
/// # Errors
/// git is missing or refuses.
pub fn ignored<'a>(tree: &Path, names: impl IntoIterator<Item = &'a str>) -> Result<Option<String>, GitError> {
    let git = Git::at(tree);
    for name in names {
        let list = git.run(&["--literal-pathspecs", "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", name])?;
        if let Some(first) = list.split('\0').find(|f| !f.is_empty()) {
            return Ok(Some(first.to_owned()));
        }
    }
    Ok(None)
}

/// A repository inside a work tree: its history is in no commit of the tree's own repository.
pub fn nested(tree: &Path) -> Option<PathBuf> {
    let mut todo = vec![tree.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            if entry.file_name() == ".git" {
                if dir != tree {
                    return Some(dir);
                }
            } else if entry.file_type().is_ok_and(|t| t.is_dir()) {
                todo.push(entry.path());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_commit_holds_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path();
        let put = |name: &str| std::fs::write(tree.join(name), "build/\n*.log\n").unwrap();
        std::fs::create_dir(tree.join("build")).unwrap();
        Git::at(tree).run(&["init", "--quiet"]).unwrap();
        [".gitignore", "build/app [1].zip", "made.md"].into_iter().for_each(put);
        let ignored = |names: &[&str]| ignored(tree, names.iter().copied()).unwrap();
        assert_eq!(ignored(&["made.md", "gone.log"]), None);
        assert_eq!(ignored(&["made.md", "build"]).as_deref(), Some("build/app [1].zip"));
        assert_eq!(ignored(&["build/app [1].zip"]).as_deref(), Some("build/app [1].zip"));
        assert_eq!(nested(tree), None);
        let clone = tree.join("build/vendored");
        std::fs::create_dir(&clone).unwrap();
        Git::at(&clone).run(&["init", "--quiet"]).unwrap();
        assert_eq!(nested(tree), Some(clone));
    }
}
