//! What the work trees of a project take on the disk, and what a clean-up would free. It walks them: not for the engine's loop, nor for
//! a thread that others wait for.

use crate::domain::{JobId, ProjectId};
use crate::os::git::{GitError, is_checkout};
use crate::os::{leftovers, worktree};
use crate::store::{Branch, Store, StoreError};
use crate::wire::ProjectDisk;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Why it cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Git(#[from] GitError),
}

/// One work tree, and what is known of it.
#[derive(Serialize)]
pub struct Tree {
    pub tree: String,
    pub jobs: Vec<JobId>,
    pub bytes: u64,
    /// Why it has to stay; `None` = a clean-up frees it.
    pub kept: Option<String>,
}

/// The work trees of a project that are there, each with the repository that it belongs to.
///
/// # Errors
/// git is missing or refuses; the database.
pub fn trees(store: &Store, project: ProjectId) -> Result<Vec<(String, Tree)>, DiskError> {
    let mut found: BTreeMap<String, Vec<Branch>> = BTreeMap::new();
    for b in store.branches(project)? {
        found.entry(b.tree.clone()).or_default().push(b);
    }
    let mut all = Vec::new();
    for (tree, branches) in found {
        let path = Path::new(&tree);
        if !is_checkout(path) {
            continue;
        }
        let kept = kept(store, path, &branches)?;
        let repository = branches[0].repository.clone();
        all.push((repository, Tree { jobs: branches.iter().map(|b| b.job).collect(), bytes: worktree::size(path), tree, kept }));
    }
    Ok(all)
}

/// Why a tree has to stay: somebody works in it, it is dirty, a branch of it is not merged, or it holds what no commit does.
fn kept(store: &Store, tree: &Path, branches: &[Branch]) -> Result<Option<String>, DiskError> {
    if store.tree_in_use(&tree.to_string_lossy())? {
        return Ok(Some("a worker's session belongs to it".into()));
    }
    if worktree::is_dirty(tree)? {
        return Ok(Some("something in it is not committed".into()));
    }
    for b in branches {
        if !worktree::is_merged(Path::new(&b.repository), &b.name)? {
            return Ok(Some(format!("{} is not merged", b.name)));
        }
        let names = store.job(b.job)?.map(|j| j.spec.artefacts).unwrap_or_default();
        if let Some(file) = leftovers::ignored(tree, names.iter().map(String::as_str))? {
            return Ok(Some(format!("job {} has delivered {file}, which git ignores, so no commit holds it: copy it first", b.job)));
        }
    }
    if let Some(clone) = leftovers::nested(tree) {
        let at = clone.strip_prefix(tree).unwrap_or(&clone).display();
        return Ok(Some(format!("the folder {at} is a repository of its own, whose history is nowhere else: move it away first")));
    }
    Ok(None)
}

/// The bytes of all trees, and of those that a clean-up frees.
pub fn sums(trees: &[Tree]) -> (u64, u64) {
    let free = trees.iter().filter(|t| t.kept.is_none()).map(|t| t.bytes).sum::<u64>();
    (trees.iter().map(|t| t.bytes).sum::<u64>(), free)
}

/// What a project's trees come to.
///
/// # Errors
/// git is missing or refuses; the database.
pub fn measure(store: &Store, project: ProjectId) -> Result<ProjectDisk, DiskError> {
    let trees: Vec<Tree> = trees(store, project)?.into_iter().map(|(_, t)| t).collect();
    let (bytes, frees) = sums(&trees);
    let mut stays: Vec<String> = trees.iter().filter_map(|t| t.kept.clone()).collect();
    stays.sort();
    stays.dedup();
    Ok(ProjectDisk { project, trees: trees.len() as u32, bytes, frees, stays })
}
