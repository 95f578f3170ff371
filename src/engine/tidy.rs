//! Housekeeping: each night the database is copied and checked, and what has had its time is put away. Results, spools and left-over
//! temporary files go into a dated folder of `trash/` first, and from there after some days. Nothing of a job that is not over is touched,
//! nothing that is younger than its setting says, and no work tree at all.

use crate::config::{Settings, Workspace};
use crate::domain::{AttemptId, JobId, Timestamp};
use crate::memory::drop_old_days;
use crate::os::{clock, files, worktree};
use crate::store::{Event, Store, StoreError};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often the nightly run looks whether it is due: clocks jump and machines sleep.
const LOOK: Duration = Duration::from_secs(15 * 60);
/// Not in the first moments of an engine, which has better things to do.
const SETTLE: Duration = Duration::from_secs(60);
/// A temporary file that is older belongs to nobody: whoever makes one renames it at once.
const LEFT_OVER: Duration = Duration::from_secs(24 * 3600);
/// Where it is noted on which day this was last done.
const DONE: &str = "tidied";

/// What is put away, or would be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item {
    /// `spool`, `result`, `temporary`, `trash`, `backup`.
    pub what: &'static str,
    pub path: PathBuf,
    pub bytes: u64,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tidied {
    /// Into the trash.
    pub put_away: Vec<Item>,
    /// From the trash, and old copies of the database: for good.
    pub removed: Vec<Item>,
    pub events: u64,
    /// Days of the raw log.
    pub days: usize,
    /// The copy of the database.
    pub backup: Option<PathBuf>,
    /// What could not be done.
    pub problems: Vec<String>,
}

impl Tidied {
    /// In a line.
    pub fn says(&self) -> String {
        let bytes = |items: &[Item]| items.iter().map(|i| i.bytes).sum::<u64>() / 1024;
        let mut text = format!(
            "{} put away ({} KiB), {} removed for good ({} KiB), {} old events and {} days of the raw log dropped",
            self.put_away.len(),
            bytes(&self.put_away),
            self.removed.len(),
            bytes(&self.removed),
            self.events,
            self.days
        );
        if let Some(backup) = &self.backup {
            text += &format!("; the database is copied to {} and whole", backup.display());
        }
        for problem in &self.problems {
            text += &format!("; {problem}");
        }
        text
    }
}

/// Tidies up. `dry`: only says what it would do.
///
/// # Errors
/// The database cannot be read or written. What goes wrong with single files is in the answer.
pub fn tidy(workspace: &Workspace, store: &mut Store, settings: &Settings, now: Timestamp, dry: bool) -> Result<Tidied, StoreError> {
    let mut done = Tidied::default();
    let today = settings.day(now);
    // First the copy: what is wrong with the database is known before anything is put away.
    backup(workspace, store, settings, &today, dry, &mut done);
    let over = store.attempts_over_before(now - settings.keep_spools)?;
    for (path, id) in numbered(&workspace.spool_dir()) {
        if over.contains(&AttemptId(id)) {
            put_away(workspace, &today, "spool", path, dry, &mut done);
        }
    }
    let over = store.jobs_over_before(now - settings.keep_results)?;
    for (path, id) in numbered(&workspace.root().join("results")) {
        if over.contains(&JobId(id)) {
            put_away(workspace, &today, "result", path, dry, &mut done);
        }
    }
    for path in left_over(workspace, now) {
        put_away(workspace, &today, "temporary", path, dry, &mut done);
    }
    empty_trash(workspace, &settings.day(now - settings.keep_trash), dry, &mut done);
    let old = now - settings.keep_events;
    if dry {
        done.events = store.events_before(old)?;
        return Ok(done);
    }
    done.events = store.forget_events_before(old)?;
    store.forget_spending_before(now - Duration::from_secs(2 * 86_400))?;
    match drop_old_days(&workspace.episodic_dir(), &settings.day(now - settings.log_window)) {
        Ok(days) => done.days = days,
        Err(e) => done.problems.push(format!("the raw log in {}: {e}", workspace.episodic_dir().display())),
    }
    Ok(done)
}

/// The same, noted in the audit log.
///
/// # Errors
/// As `tidy`.
pub fn tidy_and_tell(
    workspace: &Workspace,
    store: &mut Store,
    settings: &Settings,
    actor: &str,
    now: Timestamp,
) -> Result<Tidied, StoreError> {
    let done = tidy(workspace, store, settings, now, false)?;
    let text = done.says();
    let severity = if done.problems.is_empty() { "info" } else { "warn" };
    store.write(|tx| {
        tx.set_meta(DONE, &settings.day(now))?;
        tx.event(&Event { severity, ..Event::new(now, actor, "tidied", &text) })
    })?;
    Ok(done)
}

/// Folders that are named by a number.
fn numbered(dir: &Path) -> Vec<(PathBuf, i64)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|e| Some((e.path(), e.file_name().to_str()?.parse().ok()?))).collect()
}

/// Temporary files that whoever made them did not live to rename: `.NAME.PID.tmp` and the like, directly in `run/` and `results/`.
fn left_over(workspace: &Workspace, now: Timestamp) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in [workspace.run_dir(), workspace.root().join("results"), workspace.root().join("backups")] {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let temporary = name.contains(".tmp") || name.contains(".part-");
            let Ok(meta) = entry.metadata() else { continue };
            let changed = meta.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
            let old = changed.is_some_and(|t| now.since(Timestamp(t.as_millis() as i64)) > LEFT_OVER);
            if meta.is_file() && temporary && old {
                found.push(entry.path());
            }
        }
    }
    found
}

/// Moves something into today's folder of the trash.
fn put_away(workspace: &Workspace, today: &str, what: &'static str, path: PathBuf, dry: bool, done: &mut Tidied) {
    let item = Item { what, bytes: worktree::size(&path), path };
    if !dry {
        let dir = workspace.trash_dir().join(today);
        let name = item.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let free = |n: u32| dir.join(if n == 0 { format!("{what}-{name}") } else { format!("{what}-{name}.{n}") });
        let to = (0..).map(free).find(|to| fs::symlink_metadata(to).is_err()).expect("there are more numbers than files");
        let moved =
            files::private_dir(&dir).map_err(|e| e.to_string()).and_then(|()| fs::rename(&item.path, &to).map_err(|e| e.to_string()));
        if let Err(e) = moved {
            done.problems.push(format!("{} cannot be put away: {e}", item.path.display()));
            return;
        }
    }
    done.put_away.push(item);
}

/// Removes the trash of days before `first`.
fn empty_trash(workspace: &Workspace, first: &str, dry: bool, done: &mut Tidied) {
    for entry in fs::read_dir(workspace.trash_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Only what has been put there by us, by its name.
        if chrono::NaiveDate::parse_from_str(&name, "%Y-%m-%d").is_err() || name.as_str() >= first {
            continue;
        }
        remove("trash", entry.path(), dry, done);
    }
}

fn remove(what: &'static str, path: PathBuf, dry: bool, done: &mut Tidied) {
    let item = Item { what, bytes: worktree::size(&path), path };
    let gone = match (dry, item.path.is_dir()) {
        (true, _) => Ok(()),
        (_, true) => fs::remove_dir_all(&item.path),
        _ => fs::remove_file(&item.path),
    };
    match gone {
        Ok(()) => done.removed.push(item),
        Err(e) => done.problems.push(format!("{} cannot be removed: {e}", item.path.display())),
    }
}

/// Copies the database once a day, checks the copy, and keeps the newest ones.
fn backup(workspace: &Workspace, store: &Store, settings: &Settings, today: &str, dry: bool, done: &mut Tidied) {
    let dir = workspace.root().join("backups");
    let to = dir.join(format!("pm-{today}.db"));
    if settings.keep_backups == 0 || to.exists() {
        return;
    }
    if !dry {
        let part = dir.join(format!("pm-{today}.part-{}", std::process::id()));
        let made = files::private_dir(&dir).map_err(|e| e.to_string()).and_then(|()| store.copy_to(&part).map_err(|e| e.to_string()));
        let whole = made.and_then(|problems| match problems.first() {
            Some(first) => Err(format!("the database is damaged: {first}; the older copies are kept")),
            None => fs::rename(&part, &to).map_err(|e| e.to_string()),
        });
        if let Err(e) = whole {
            let _ = fs::remove_file(&part);
            done.problems.push(format!("no copy of the database in {}: {e}", dir.display()));
            return;
        }
    }
    done.backup = Some(to);
    let ours = |p: &PathBuf| {
        let name = p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        name.strip_prefix("pm-")
            .and_then(|n| n.strip_suffix(".db"))
            .is_some_and(|d| chrono::NaiveDate::parse_from_str(d, "%Y-%m-%d").is_ok())
    };
    let mut all: Vec<PathBuf> = fs::read_dir(&dir).into_iter().flatten().flatten().map(|e| e.path()).filter(ours).collect();
    all.sort();
    let spare = all.len().saturating_sub(settings.keep_backups as usize);
    for path in all.into_iter().take(spare) {
        remove("backup", path, dry, done);
    }
}

/// Does it each night, as long as the engine lives: on a thread, so that neither loop nor connections wait.
pub(super) async fn nightly(workspace: Workspace, settings: Arc<Settings>) {
    tokio::time::sleep(SETTLE).await;
    loop {
        let (at, known) = (workspace.clone(), settings.clone());
        let done = tokio::task::spawn_blocking(move || once(&at, &known)).await;
        if let Ok(Err(e)) = done {
            tracing::warn!("housekeeping: {e}");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Tidies up if it is due: today's time has come, and today it was not done.
fn once(workspace: &Workspace, settings: &Settings) -> Result<(), StoreError> {
    // The last good ones where the file has a mistake.
    let fresh = settings.reread(workspace).ok();
    let settings = fresh.as_ref().unwrap_or(settings);
    let now = clock::now();
    let Some(due) = settings.next_tidy(settings.midnight(now)) else { return Ok(()) };
    if now < due {
        return Ok(());
    }
    let mut store = Store::open(&workspace.database())?;
    if store.meta(DONE)?.is_some_and(|day| day == settings.day(now)) {
        return Ok(());
    }
    let done = tidy_and_tell(workspace, &mut store, settings, "engine", now)?;
    tracing::info!("{}", done.says());
    super::wake(&workspace.socket());
    Ok(())
}
