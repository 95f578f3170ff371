//! Work trees of git repositories: made for a worker's session, a branch a job, and nothing in them that is dirty or unmerged is
//! ever lost: before anything is put away there is a commit of it that a ref holds.

use super::git::{Git, GitError, is_checkout};
use std::path::{Path, PathBuf};

/// A tree that is ready for a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    pub branch: String,
    /// The commit that a new branch begins from.
    pub base: String,
}

/// Where commits are kept that no branch holds.
const KEPT: &str = "refs/orc/kept";

/// Makes a tree ready: it is there, on the job's branch. `known` is the branch that the job has already; else one is made, named
/// `wanted` or, where that is taken, with a number behind it, from where the repository's own checkout stands.
///
/// # Errors
/// git is missing or refuses; the repository holds no commit; something else lies where the tree belongs.
pub fn prepare(repository: &Path, tree: &Path, known: Option<&str>, wanted: &str) -> Result<Ready, GitError> {
    let repo = Git::at(repository);
    let head = match repo.run(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]) {
        Ok(head) => head,
        Err(GitError::Failed { .. }) if repo.holds(&["rev-parse", "--git-dir"])? => {
            let at = repository.display();
            return Err(GitError::Refused(format!("the repository {at} holds no commit yet, so no branch can begin: make a first one")));
        }
        Err(e) => return Err(e),
    };
    let path = text(tree)?;
    if !is_checkout(tree) {
        if std::fs::read_dir(tree).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(GitError::Refused(format!("{path} is no work tree, and not empty: look at it and move it away")));
        }
        // A tree that was removed by hand is still in the list.
        repo.run(&["worktree", "prune"])?;
        repo.run(&["worktree", "add", "--quiet", "--detach", path, &head])?;
    }
    let here = Git::at(tree);
    let current = branch_of(tree)?;
    if let Some(name) = known {
        if current.as_deref() != Some(name) {
            keep(tree, "What was left uncommitted")?;
            release(repository, tree, name)?;
            here.run(&["switch", "--quiet", name])?;
        }
        return Ok(Ready { branch: name.to_owned(), base: head });
    }
    keep(tree, "What was left uncommitted")?;
    let mut name = wanted.to_owned();
    for n in 2.. {
        if !here.holds(&["show-ref", "--verify", "--quiet", &format!("refs/heads/{name}")])? {
            break;
        }
        name = format!("{wanted}-{n}");
    }
    here.run(&["switch", "--quiet", "--create", &name, &head])?;
    Ok(Ready { branch: name, base: head })
}

/// The branch that a checkout is on.
///
/// # Errors
/// git is missing.
pub fn branch_of(tree: &Path) -> Result<Option<String>, GitError> {
    match Git::at(tree).run(&["symbolic-ref", "--quiet", "--short", "HEAD"]) {
        Ok(name) => Ok(Some(name)),
        Err(GitError::Failed { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

/// A branch that is checked out in another tree of ours (beside this one) is let go there.
fn release(repository: &Path, tree: &Path, branch: &str) -> Result<(), GitError> {
    let list = Git::at(repository).run(&["worktree", "list", "--porcelain"])?;
    let wanted = format!("branch refs/heads/{branch}");
    let holder =
        list.split("\n\n").find(|entry| entry.lines().any(|l| l == wanted)).and_then(|e| e.lines().next()?.strip_prefix("worktree "));
    if let Some(holder) = holder.map(Path::new)
        && holder != tree
        && holder.parent() == tree.parent()
        && holder.is_dir()
    {
        keep(holder, "What was left uncommitted")?;
        Git::at(holder).run(&["switch", "--quiet", "--detach"])?;
    }
    Ok(())
}

/// True where something is not committed.
///
/// # Errors
/// git is missing or refuses.
pub fn is_dirty(tree: &Path) -> Result<bool, GitError> {
    Ok(!Git::at(tree).run(&["status", "--porcelain"])?.is_empty())
}

/// Commits what is not committed: onto the branch, where it is one of ours, else beside it, where a ref keeps it, and the tree is clean
/// then.
///
/// # Errors
/// git is missing or refuses.
pub fn keep(tree: &Path, message: &str) -> Result<(), GitError> {
    if !is_dirty(tree)? {
        return Ok(());
    }
    let git = Git::at(tree);
    if branch_of(tree)?.is_some_and(|b| b.starts_with("orc/")) {
        git.run(&["add", "--all"])?;
        git.commit(&["commit", "--quiet", "--no-verify", "--allow-empty", "-m", message])?;
        return Ok(());
    }
    let kept = snapshot(tree, message)?;
    tracing::warn!("what was not committed in {} is kept as {kept}", tree.display());
    // In the middle of something: it is given up, and what it has done so far is kept.
    for unfinished in ["rebase", "merge", "cherry-pick", "revert"] {
        git.holds(&[unfinished, "--quit"])?;
    }
    git.run(&["reset", "--quiet", "--hard"])?;
    git.run(&["clean", "--quiet", "--force", "-d"])?;
    Ok(())
}

/// Commits all that a job has left in its tree onto its branch. An agent that made a branch of its own, or none, has its work taken
/// over onto the job's, as long as it began there.
///
/// # Errors
/// git is missing or refuses.
pub fn collect(tree: &Path, branch: &str, message: &str) -> Result<(), GitError> {
    let current = branch_of(tree)?;
    if current.as_deref() != Some(branch) {
        let git = Git::at(tree);
        let another_job = current.is_some_and(|b| b.starts_with("orc/"));
        if another_job || !git.holds(&["merge-base", "--is-ancestor", &format!("refs/heads/{branch}"), "HEAD"])? {
            return Ok(());
        }
        git.run(&["switch", "--quiet", "--force-create", branch])?;
    }
    keep(tree, message)
}

/// Commits a tree as it stands, without touching it; the name of the ref that keeps the commit.
///
/// # Errors
/// git is missing or refuses.
pub fn snapshot(tree: &Path, message: &str) -> Result<String, GitError> {
    let git = Git::at(tree);
    let id = tree_id(tree, true)?;
    let commit = git.commit(&["commit-tree", &id, "-p", "HEAD", "-m", message])?;
    let name = tree.file_name().map_or_else(|| "tree".to_owned(), |n| n.to_string_lossy().into_owned());
    let name = format!("{KEPT}/{name}/{commit}");
    git.run(&["update-ref", &name, &commit])?;
    Ok(name)
}

/// The id of the git tree that a work tree holds, what is not committed included; with `new`, files that git does not know yet too.
///
/// # Errors
/// git is missing or refuses.
pub fn tree_id(tree: &Path, new: bool) -> Result<String, GitError> {
    let git = Git::at(tree);
    let own = PathBuf::from(git.run(&["rev-parse", "--path-format=absolute", "--git-path", "index"])?);
    let index = scratch(&own)?;
    // Its index knows which files have not changed since they were read last.
    let copied = std::fs::copy(&own, &index.0);
    if copied.is_err() {
        let _ = std::fs::remove_file(&index.0);
    }
    let other = git.with_index(&index.0);
    other.run(&["add", if new { "--all" } else { "--update" }])?;
    other.run(&["write-tree"])
}

/// An index that goes away with its owner.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn scratch(beside: &Path) -> Result<Scratch, GitError> {
    let name = format!("orc-index-{}", uuid::Uuid::new_v4().simple());
    Ok(Scratch(beside.with_file_name(name)))
}

/// The id of the git tree that a job's branch stands for: as its work tree has it now, where it is checked out there, else as it was
/// committed. Files that git does not know are not part of it: tests leave such behind.
///
/// # Errors
/// git is missing or refuses.
pub fn content(repository: &Path, tree: &Path, branch: &str) -> Result<String, GitError> {
    if is_checkout(tree) && branch_of(tree)?.as_deref() == Some(branch) {
        return tree_id(tree, false);
    }
    Git::at(repository).run(&["rev-parse", "--verify", &format!("refs/heads/{branch}^{{tree}}")])
}

/// What a branch changes since it began.
///
/// # Errors
/// git is missing or refuses.
pub fn diff(repository: &Path, base: &str, to: &str, color: bool) -> Result<Vec<u8>, GitError> {
    let color = if color { "--color=always" } else { "--color=never" };
    Git::at(repository).bytes(&["diff", color, "--no-ext-diff", "--find-renames", "--stat", "--patch", base, to])
}

/// Writes the files of a git tree into a folder: all of them, or where they are more than `most` bytes, those that changed since
/// `base`. False in the latter case.
///
/// # Errors
/// git is missing or refuses.
pub fn export(repository: &Path, base: &str, id: &str, to: &Path, most: u64) -> Result<bool, GitError> {
    let git = Git::at(repository);
    let sizes = git.run(&["ls-tree", "-r", "--format=%(objectsize)", id])?;
    let whole = sizes.lines().filter_map(|l| l.trim().parse::<u64>().ok()).sum::<u64>() <= most;
    let dir = PathBuf::from(git.run(&["rev-parse", "--path-format=absolute", "--git-dir"])?);
    let index = scratch(&dir.join("index"))?;
    let other = git.with_index(&index.0);
    other.run(&["read-tree", id])?;
    let prefix = format!("--prefix={}/", text(to)?);
    if whole {
        other.run(&["checkout-index", "--all", "--force", &prefix])?;
    } else {
        let changed = git.bytes(&["diff", "--name-only", "--diff-filter=d", "-z", base, id])?;
        other.feed(&["checkout-index", "--force", &prefix, "-z", "--stdin"], &changed)?;
    }
    Ok(whole)
}

/// Where a branch stands: its commit, and the id of that one's tree.
///
/// # Errors
/// There is no such branch; git is missing.
pub fn tip(repository: &Path, branch: &str) -> Result<(String, String), GitError> {
    let git = Git::at(repository);
    let commit = git.run(&["rev-parse", "--verify", &format!("refs/heads/{branch}^{{commit}}")])?;
    let tree = git.run(&["rev-parse", "--verify", &format!("{commit}^{{tree}}")])?;
    Ok((commit, tree))
}

/// Merges a commit of a branch into what the repository's own checkout is on; the branch that it went into. What does not merge is
/// left as it was.
///
/// # Errors
/// The checkout is on no branch or has changes; there are conflicts; git is missing or refuses.
pub fn merge(repository: &Path, branch: &str, commit: &str, message: &str) -> Result<String, GitError> {
    let git = Git::at(repository);
    let at = repository.display();
    let Some(into) = branch_of(repository)? else {
        return Err(GitError::Refused(format!("{at} is on no branch: `git switch` to the one that the work belongs on")));
    };
    if !git.run(&["status", "--porcelain", "--untracked-files=no"])?.is_empty() {
        return Err(GitError::Refused(format!("{at} has changes that are not committed: commit or stash them first")));
    }
    match git.commit(&["merge", "--no-ff", "--no-edit", "-m", message, commit]) {
        Ok(_) => Ok(into),
        Err(e) => {
            let conflicts = git.run(&["diff", "--name-only", "--diff-filter=U"])?;
            git.holds(&["merge", "--abort"])?;
            if conflicts.is_empty() {
                return Err(e);
            }
            let files = conflicts.lines().take(10).collect::<Vec<_>>().join(", ");
            Err(GitError::Refused(format!(
                "{branch} does not merge into {into}: conflicts in {files}. Nothing was changed; merge {into} into the branch first"
            )))
        }
    }
}

/// True where everything on a branch is in what the repository's checkout is on.
///
/// # Errors
/// git is missing.
pub fn is_merged(repository: &Path, branch: &str) -> Result<bool, GitError> {
    let name = format!("refs/heads/{branch}");
    let git = Git::at(repository);
    // A branch that is gone was put away by somebody who knew.
    Ok(!git.holds(&["show-ref", "--verify", "--quiet", &name])? || git.holds(&["merge-base", "--is-ancestor", &name, "HEAD"])?)
}

/// Puts a work tree away. What it stands on, and what is not committed in it, is kept by a ref first; its name.
///
/// # Errors
/// git is missing or refuses; then the tree is still there.
pub fn remove(repository: &Path, tree: &Path) -> Result<String, GitError> {
    let kept = snapshot(tree, "A work tree that was put away")?;
    Git::at(repository).run(&["worktree", "remove", "--force", text(tree)?])?;
    Ok(kept)
}

/// The bytes on the disk below a folder; links are not followed, and what cannot be read counts nothing.
pub fn size(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|e| match e.metadata() {
            Ok(m) if m.is_dir() => m.blocks() * 512 + size(&e.path()),
            Ok(m) => m.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

fn text(path: &Path) -> Result<&str, GitError> {
    path.to_str().ok_or_else(|| GitError::Refused(format!("{} is not valid UTF-8, so git cannot be asked about it", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        dir: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Place {
            let dir = tempfile::tempdir().unwrap();
            let place = Place { dir };
            std::fs::create_dir_all(place.repo()).unwrap();
            std::fs::create_dir_all(place.dir.path().join("trees")).unwrap();
            place.git(&["init", "--quiet", "--initial-branch=main"]);
            place.write(&place.repo(), "a", "one\n");
            place.write(&place.repo(), "z", "stays\n");
            place.git(&["add", "a", "z"]);
            Git::at(&place.repo()).commit(&["commit", "--quiet", "-m", "first"]).unwrap();
            place
        }

        fn repo(&self) -> PathBuf {
            self.dir.path().join("repo")
        }

        fn tree(&self, name: &str) -> PathBuf {
            self.dir.path().join("trees").join(name)
        }

        fn git(&self, args: &[&str]) -> String {
            Git::at(&self.repo()).run(args).unwrap()
        }

        fn write(&self, dir: &Path, name: &str, text: &str) {
            std::fs::write(dir.join(name), text).unwrap();
        }

        fn ready(&self, tree: &str, known: Option<&str>, wanted: &str) -> Ready {
            prepare(&self.repo(), &self.tree(tree), known, wanted).unwrap()
        }
    }

    #[test]
    fn each_job_has_its_own_branch_and_what_one_left_is_not_the_nexts() {
        let p = Place::new();
        let first = p.ready("w1", None, "orc/job-1");
        assert_eq!(first.branch, "orc/job-1");
        p.write(&p.tree("w1"), "b", "not committed\n");
        let second = p.ready("w1", None, "orc/job-1");
        assert_eq!(second.branch, "orc/job-1-2", "a name is never used twice");
        assert!(!p.tree("w1").join("b").exists());
        assert_eq!(p.git(&["show", "orc/job-1:b"]), "not committed", "kept on its branch");
        p.ready("w1", Some("orc/job-1"), "x");
        assert!(p.tree("w1").join("b").exists());
        // Another session takes it up: the first tree lets go.
        p.write(&p.tree("w1"), "c", "not committed either\n");
        p.ready("w2", Some("orc/job-1"), "x");
        assert!(p.tree("w2").join("c").exists());
    }

    #[test]
    fn the_content_is_told_by_one_id_whatever_is_committed() {
        let p = Place::new();
        let ready = p.ready("w1", None, "orc/job-1");
        let id = || content(&p.repo(), &p.tree("w1"), &ready.branch).unwrap();
        let before = id();
        p.write(&p.tree("w1"), "a", "changed\n");
        let changed = id();
        assert_ne!(before, changed);
        keep(&p.tree("w1"), "kept").unwrap();
        assert_eq!(id(), changed, "committing it changes nothing");
        p.write(&p.tree("w1"), "b", "new\n");
        assert_eq!(id(), changed, "what tests leave behind is no change");
        collect(&p.tree("w1"), &ready.branch, "kept").unwrap();
        let after = id();
        assert_ne!(after, changed);
        let copy = p.dir.path().join("copy");
        assert!(export(&p.repo(), &ready.base, &after, &copy, 1 << 20).unwrap());
        assert!(["a", "b", "z"].iter().all(|f| copy.join(f).exists()));
        let small = p.dir.path().join("small");
        assert!(!export(&p.repo(), &ready.base, &after, &small, 1).unwrap());
        assert!(!small.join("z").exists() && small.join("b").exists(), "only what changed");
        assert!(String::from_utf8(diff(&p.repo(), &ready.base, &after, false).unwrap()).unwrap().contains("+new"));
    }

    #[test]
    fn merging_takes_all_or_nothing_and_putting_away_loses_nothing() {
        let p = Place::new();
        let (one, two) = (p.ready("w1", None, "orc/job-1"), p.ready("w2", None, "orc/job-2"));
        p.write(&p.tree("w1"), "a", "ours\n");
        p.write(&p.tree("w2"), "a", "theirs\n");
        keep(&p.tree("w1"), "x").unwrap();
        keep(&p.tree("w2"), "x").unwrap();
        assert!(!is_merged(&p.repo(), &one.branch).unwrap());
        p.write(&p.repo(), "a", "the operator's\n");
        assert!(merge(&p.repo(), &one.branch, &one.branch, "m").unwrap_err().to_string().contains("not committed"));
        p.git(&["checkout", "--quiet", "a"]);
        assert_eq!(merge(&p.repo(), &one.branch, &one.branch, "m").unwrap(), "main");
        assert!(is_merged(&p.repo(), &one.branch).unwrap());
        let e = merge(&p.repo(), &two.branch, &two.branch, "m").unwrap_err().to_string();
        assert!(e.contains("conflicts in a") && !is_dirty(&p.repo()).unwrap(), "{e}");
        p.write(&p.tree("w2"), "c", "dirty\n");
        let kept = remove(&p.repo(), &p.tree("w2")).unwrap();
        assert!(!p.tree("w2").exists());
        assert_eq!(p.git(&["show", &format!("{kept}:c")]), "dirty");
        assert_eq!(p.git(&["show", "orc/job-2:a"]), "theirs", "a branch that is not merged stays");
    }

    #[test]
    fn a_tree_that_is_on_no_branch_of_ours_is_kept_beside_it() {
        let p = Place::new();
        p.ready("w1", None, "orc/job-1");
        let tree = p.tree("w1");
        Git::at(&tree).run(&["switch", "--quiet", "--detach"]).unwrap();
        p.write(&tree, "d", "loose\n");
        p.ready("w1", None, "orc/job-2");
        assert!(!tree.join("d").exists());
        let kept = p.git(&["for-each-ref", "--format=%(refname)", KEPT]);
        assert_eq!(p.git(&["show", &format!("{kept}:d")]), "loose");
    }

    #[test]
    fn work_on_a_branch_that_the_agent_made_is_the_jobs() {
        let p = Place::new();
        let (ready, tree) = (p.ready("w1", None, "orc/job-1"), p.tree("w1"));
        Git::at(&tree).run(&["switch", "--quiet", "--create", "feature"]).unwrap();
        p.write(&tree, "e", "done\n");
        Git::at(&tree).run(&["add", "e"]).unwrap();
        Git::at(&tree).commit(&["commit", "--quiet", "-m", "mine"]).unwrap();
        p.write(&tree, "f", "and more\n");
        collect(&tree, &ready.branch, "rest").unwrap();
        assert_eq!((p.git(&["show", "orc/job-1:e"]), p.git(&["show", "orc/job-1:f"])), ("done".into(), "and more".into()));
        // Another job's branch is not taken.
        p.ready("w1", None, "orc/job-2");
        p.write(&tree, "g", "the second's\n");
        collect(&tree, &ready.branch, "rest").unwrap();
        assert_eq!(branch_of(&tree).unwrap().as_deref(), Some("orc/job-2"));
        assert!(is_dirty(&tree).unwrap());
    }

    #[test]
    fn what_cannot_be_says_what_to_do() {
        let p = Place::new();
        let empty = p.dir.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        Git::at(&empty).run(&["init", "--quiet"]).unwrap();
        let e = prepare(&empty, &p.tree("w3"), None, "orc/job-3").unwrap_err().to_string();
        assert!(e.contains("no commit yet"), "{e}");
        std::fs::create_dir(p.tree("w4")).unwrap();
        p.write(&p.tree("w4"), "x", "somebody's");
        let e = prepare(&p.repo(), &p.tree("w4"), None, "orc/job-4").unwrap_err().to_string();
        assert!(e.contains("not empty") && p.tree("w4").join("x").exists(), "{e}");
    }
}
