//! `orc project diff|merge|disk|clean`: what jobs did in work trees of their own.

use crate::cli::ages;
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind, Result};
use crate::cli::output::Table;
use crate::domain::{Act, JobId, JobState, ProjectId, ReviewOutcome, Timestamp};
use crate::engine::disk::{DiskError, Tree, sums, trees};
use crate::os::git::{Git, GitError, is_checkout};
use crate::os::worktree;
use crate::store::{Branch, Event, Project, Store};
use clap::Args;
use serde_json::json;
use std::path::Path;

#[derive(Args)]
pub struct Diff {
    /// The job's number
    #[arg(value_parser = args::id::<JobId>)]
    job: JobId,
}

#[derive(Args)]
pub struct Merge {
    /// The job's number
    #[arg(value_parser = args::id::<JobId>)]
    job: JobId,
    /// Also what is not done, or has changed since it was reviewed
    #[arg(long)]
    unreviewed: bool,
}

#[derive(Args)]
pub struct Disk {
    /// Only this project
    #[arg(value_parser = args::id::<ProjectId>)]
    id: Option<ProjectId>,
}

#[derive(Args)]
pub struct Clean {
    /// The project's number
    #[arg(value_parser = args::id::<ProjectId>)]
    id: ProjectId,
}

fn git(e: GitError) -> CliError {
    CliError::new(Kind::Failure, e.to_string())
}

fn disk_error(e: DiskError) -> CliError {
    match e {
        DiskError::Store(e) => e.into(),
        DiskError::Git(e) => git(e),
    }
}

fn branch(store: &Store, job: JobId) -> Result<Branch> {
    store.branch(job)?.ok_or_else(|| {
        CliError::not_found(format!("job {job} has no branch"))
            .hint("jobs of kind code get one, where their project's folder is a git repository")
    })
}

/// Shows what a job changed.
///
/// # Errors
/// The job has no branch; git is missing or refuses.
pub fn diff(cx: &mut Context, d: &Diff) -> Result {
    let b = branch(&cx.reader()?, d.job)?;
    let repository = Path::new(&b.repository);
    let content = worktree::content(repository, Path::new(&b.tree), &b.name).map_err(git)?;
    let text = worktree::diff(repository, &b.base, &content, false).map_err(git)?;
    let text = String::from_utf8_lossy(&text);
    if cx.out.json {
        return cx.out.value(&json!({ "job": b.job, "branch": b.name, "base": b.base, "tree": content, "diff": text }));
    }
    cx.out.line(&format!("{} since {}", b.name, b.base.get(..12).unwrap_or(&b.base)))?;
    if text.trim().is_empty() { cx.out.line("nothing was changed") } else { cx.out.block(text.trim_end()) }
}

/// Merges a job's branch into what the project's checkout is on.
///
/// # Errors
/// The job is not done, or has changed since its review; the checkout has changes; there are conflicts; git is missing or refuses.
pub fn merge(cx: &mut Context, m: &Merge) -> Result {
    let mut store = cx.writer()?;
    let actor = cx.permit(&mut store, &Act::Steer("merging a branch"))?.to_string();
    let b = branch(&store, m.job)?;
    let job = cx.job(&store, m.job)?;
    let (repository, tree) = (Path::new(&b.repository), Path::new(&b.tree));
    if job.state == JobState::Running {
        return Err(CliError::refused(format!("job {} runs: its branch changes still", job.id)).hint("wait for its end: `orc job wait`"));
    }
    let mut reviewed = None;
    if !m.unreviewed {
        let anyway = "`--unreviewed` merges it all the same";
        if job.state != JobState::Done {
            return Err(CliError::refused(format!("job {} is {}, not done", job.id, job.state)).hint(anyway));
        }
        let passed = store.reviews(job.id)?.into_iter().rev().find(|r| r.outcome == Some(ReviewOutcome::Passed));
        // What the tree holds now, and what the branch does: a commit that the tree has taken back would be merged all the same.
        let content = worktree::content(repository, tree, &b.name).map_err(git)?;
        let committed = worktree::tip(repository, &b.name).map_err(git)?.1;
        if let Some(hash) = passed.and_then(|r| r.hash) {
            let tree = hash.trim_start_matches("tree:").split('+').next().unwrap_or_default();
            if content != tree || committed != tree {
                let changed = format!("{} has changed since it was reviewed", b.name);
                return Err(CliError::refused(changed).hint(format!("`orc project diff {}` shows it; {anyway}", job.id)));
            }
            // This commit, whatever the branch is moved to from here on.
            reviewed = Some(committed);
        }
    }
    if m.unreviewed && is_checkout(tree) {
        worktree::collect(tree, &b.name, &format!("What job {} left uncommitted", job.id)).map_err(git)?;
    }
    let message = format!("{} (job {})", job.spec.title, job.id);
    let (commit, committed) = worktree::tip(repository, &b.name).map_err(git)?;
    if reviewed.is_some_and(|tree| tree != committed) {
        return Err(CliError::refused(format!("{} changes while it is merged", b.name)).hint("look who works on it, and merge it then"));
    }
    let into = worktree::merge(repository, &b.name, &commit, &message).map_err(git)?;
    let commit = Git::at(repository).run(&["rev-parse", "--short", "HEAD"]).map_err(git)?;
    let said = format!("job {}: {} merged into {into} ({commit})", job.id, b.name);
    let now = cx.now();
    store.write(|tx| {
        tx.set_merged(job.id, now)?;
        tx.event(&Event { job: Some(job.id), ..Event::new(now, &actor, "merged", &said) }).map(drop)
    })?;
    cx.wake()?;
    // The tree has served: it goes, unless somebody works in it still or something else in it is not merged.
    let ours = trees(&store, b.project).map_err(disk_error)?.into_iter().find(|(_, t)| t.tree == b.tree);
    let told = match ours {
        None => None,
        Some((_, Tree { tree, kept: Some(why), .. })) => Some(format!("its work tree {tree} stays: {why}")),
        Some((repository, t)) => {
            let kept = put_away(&mut store, &repository, &t, &actor, now)?;
            Some(format!("its work tree {} is put away; what it held is kept as {kept}", t.tree))
        }
    };
    if cx.out.json {
        return cx.out.value(&branch(&store, job.id)?);
    }
    cx.out.done(&said)?;
    told.map_or(Ok(()), |told| cx.out.done(&told))
}

/// Puts a tree away that nothing holds; the ref that keeps what it held.
fn put_away(store: &mut Store, repository: &str, tree: &Tree, actor: &str, now: Timestamp) -> Result<String> {
    let kept = worktree::remove(Path::new(repository), Path::new(&tree.tree)).map_err(git)?;
    let text = format!("work tree {} put away ({}); kept as {kept}", tree.tree, ages::bytes(tree.bytes));
    store.write(|tx| tx.event(&Event::new(now, actor, "tree", &text)))?;
    Ok(kept)
}

/// What work trees take on the disk, and what a clean-up would free.
///
/// # Errors
/// git is missing or refuses; the database.
pub fn disk(cx: &mut Context, d: &Disk) -> Result {
    let store = cx.reader()?;
    let projects: Vec<Project> = match d.id {
        Some(id) => vec![super::known(&store, id)?],
        None => store.projects()?,
    };
    let mut rows = Vec::new();
    for p in projects {
        let trees: Vec<Tree> = trees(&store, p.id).map_err(disk_error)?.into_iter().map(|(_, t)| t).collect();
        if d.id.is_some() || !trees.is_empty() {
            rows.push((p, trees));
        }
    }
    if cx.out.json {
        let value = |(p, trees): &(Project, Vec<Tree>)| {
            let (bytes, free) = sums(trees);
            json!({ "project": p.id, "title": p.title, "bytes": bytes, "frees": free, "trees": trees })
        };
        return cx.out.value(&rows.iter().map(value).collect::<Vec<_>>());
    }
    let mut table = Table::new(&[">PROJECT", "TITLE", ">TREES", ">ON DISK", ">CLEAN-UP FREES", "STAYS BECAUSE"], "STAYS BECAUSE");
    for (p, trees) in &rows {
        let (bytes, free) = sums(trees);
        let mut why: Vec<&str> = trees.iter().filter_map(|t| t.kept.as_deref()).collect();
        why.dedup();
        table.row(vec![
            p.id.into(),
            (&p.title).into(),
            (trees.len() as u64).into(),
            ages::bytes(bytes).into(),
            ages::bytes(free).into(),
            why.join("; ").into(),
        ]);
    }
    cx.out.table(&table, "no work trees: jobs of kind code make them, in projects whose folder is a git repository")
}

/// Puts away the work trees that nobody needs: no session belongs to them, nothing in them is uncommitted or unmerged. Each is kept by
/// a ref first, and branches stay.
///
/// # Errors
/// git is missing or refuses; the database.
pub fn clean(cx: &mut Context, c: &Clean) -> Result {
    let mut store = cx.writer()?;
    let actor = cx.permit(&mut store, &Act::Steer("clearing work trees away"))?.to_string();
    super::known(&store, c.id)?;
    let (mut freed, mut gone, mut stays) = (0, Vec::new(), Vec::new());
    for (repository, tree) in trees(&store, c.id).map_err(disk_error)? {
        if let Some(why) = tree.kept {
            stays.push(json!({ "tree": tree.tree, "because": why }));
            continue;
        }
        let kept = put_away(&mut store, &repository, &tree, &actor, cx.now())?;
        freed += tree.bytes;
        gone.push((tree.tree, kept));
    }
    cx.wake()?;
    if cx.out.json {
        let gone: Vec<_> = gone.iter().map(|(tree, kept)| json!({ "tree": tree, "kept": kept })).collect();
        return cx.out.value(&json!({ "freed": freed, "gone": gone, "stays": stays }));
    }
    for (tree, kept) in &gone {
        cx.out.line(&format!("{tree} is put away; what it held is kept as {kept}"))?;
    }
    for s in &stays {
        cx.out.line(&format!("{} stays: {}", s["tree"].as_str().unwrap_or_default(), s["because"].as_str().unwrap_or_default()))?;
    }
    cx.out.done(&format!("{} freed", ages::bytes(freed)))
}
