//! Housekeeping: each night the database is checked and copied, and what has had its time is put away. Results, spools and left-over
//! temporary files go into a dated folder of `trash/` first, and from there after some days. Nothing of a job that is not over is touched,
//! nothing that is younger than its setting says, and no work tree at all; nothing at all where the database is damaged or could not be
//! copied, or where the clock was set ahead a while ago: then nobody knows what is old.

use super::clockwork::last_step;
use super::left_over::{age_of, left_over};
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
/// After a night that stopped at the database's copy it is tried again, and not in a storm.
const AGAIN: Duration = Duration::from_secs(3600);
/// So long after the clock was set ahead nothing is put away by itself.
const WAIT_FOR_CLOCK: Duration = Duration::from_secs(86_400);
/// Where it is noted on which day this was last done.
const DONE: &str = "tidied";
/// Where it is noted why the last one stopped; empty where it did not.
const FAILED: &str = "tidy_failed";

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
    /// Fires of schedules.
    pub fires: u64,
    /// Days of the raw log.
    pub days: usize,
    /// The copy of the database.
    pub backup: Option<PathBuf>,
    /// What could not be done.
    pub problems: Vec<String>,
    /// It stopped at the copy of the database, before anything was put away.
    pub stopped: bool,
}

impl Tidied {
    /// In a line.
    pub fn says(&self) -> String {
        if self.stopped {
            return format!("nothing was put away or removed: {}", self.problems.join("; "));
        }
        let bytes = |items: &[Item]| items.iter().map(|i| i.bytes).sum::<u64>() / 1024;
        let mut text = format!(
            "{} put away ({} KiB), {} removed for good ({} KiB), {} old events, {} fires of schedules and {} days of the raw log dropped",
            self.put_away.len(),
            bytes(&self.put_away),
            self.removed.len(),
            bytes(&self.removed),
            self.events,
            self.fires,
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
    if let Err(e) = backup(workspace, store, settings, &today, dry, &mut done) {
        done.problems.push(e);
        done.stopped = true;
        return Ok(done);
    }
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
    for path in unfinished(workspace, now) {
        put_away(workspace, &today, "temporary", path, dry, &mut done);
    }
    for file in left_over(workspace, settings.keep_temporary, now) {
        put_away(workspace, &today, "temporary", file.path, dry, &mut done);
    }
    empty_trash(workspace, &settings.day(now - settings.keep_trash), dry, &mut done);
    let old = now - settings.keep_events;
    if dry {
        done.events = store.events_before(old)?;
        done.fires = store.fires_before(now - settings.keep_fires)?;
        return Ok(done);
    }
    done.events = store.forget_events_before(old)?;
    done.fires = store.forget_fires_before(now - settings.keep_fires)?;
    store.forget_spending_before(now - Duration::from_secs(2 * 86_400))?;
    match drop_old_days(&workspace.episodic_dir(), &settings.day(now - settings.log_window)) {
        Ok(days) => done.days = days,
        Err(e) => done.problems.push(format!("the raw log in {}: {e}", workspace.episodic_dir().display())),
    }
    Ok(done)
}

/// The same, noted in the audit log. One that stopped does not count as the day's, and is said once where `told` has its words.
///
/// # Errors
/// As `tidy`.
pub fn tidy_and_tell(
    workspace: &Workspace,
    store: &mut Store,
    settings: &Settings,
    actor: &str,
    told: Option<&str>,
    now: Timestamp,
) -> Result<Tidied, StoreError> {
    let done = tidy(workspace, store, settings, now, false)?;
    let text = done.says();
    let severity = if done.problems.is_empty() { "info" } else { "warn" };
    store.write(|tx| {
        if !done.stopped {
            tx.set_meta(DONE, &settings.day(now))?;
        }
        let why = if done.stopped { done.problems.join("; ") } else { String::new() };
        if tx.meta(FAILED)?.unwrap_or_default() != why {
            tx.set_meta(FAILED, &why)?;
        }
        if told == Some(&text) {
            return Ok(());
        }
        tx.event(&Event { severity, ..Event::new(now, actor, "tidied", &text) }).map(drop)
    })?;
    Ok(done)
}

/// Why the last housekeeping stopped before anything was put away, if it did.
///
/// # Errors
/// The database.
pub fn last_failure(store: &Store) -> Result<Option<String>, StoreError> {
    Ok(store.meta(FAILED)?.filter(|why| !why.is_empty()))
}

/// Folders that are named by a number.
fn numbered(dir: &Path) -> Vec<(PathBuf, i64)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|e| Some((e.path(), e.file_name().to_str()?.parse().ok()?))).collect()
}

/// Temporary files of our own that whoever made them did not live to rename: `.NAME.PID.tmp` and the like, directly in `run/`,
/// `results/` and `backups/`.
fn unfinished(workspace: &Workspace, now: Timestamp) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in [workspace.run_dir(), workspace.root().join("results"), workspace.root().join("backups")] {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let temporary = name.contains(".tmp") || name.contains(".part-");
            let is_file = entry.file_type().is_ok_and(|t| t.is_file());
            if is_file && temporary && age_of(&entry.path(), now).is_some_and(|age| age > LEFT_OVER) {
                found.push(entry.path());
            }
        }
    }
    found
}

/// Moves something into today's folder of the trash. Its name there says where it was: `spool-12`, `temporary-drafts-notes.tmp`.
fn put_away(workspace: &Workspace, today: &str, what: &'static str, path: PathBuf, dry: bool, done: &mut Tidied) {
    let item = Item { what, bytes: worktree::size(&path), path };
    if !dry {
        let dir = workspace.trash_dir().join(today);
        let inside = match what {
            "temporary" => item.path.strip_prefix(workspace.root()).ok(),
            _ => item.path.file_name().map(Path::new),
        };
        let name = inside.map(|n| n.to_string_lossy().replace('/', "-")).unwrap_or_default();
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

/// The copies of the database that were made, by day, the oldest first.
pub fn copies(workspace: &Workspace) -> Vec<(String, PathBuf)> {
    let day = |p: &Path| {
        let day = p.file_name()?.to_str()?.strip_prefix("pm-")?.strip_suffix(".db")?.to_owned();
        chrono::NaiveDate::parse_from_str(&day, "%Y-%m-%d").ok().map(|_| day)
    };
    let entries = fs::read_dir(workspace.root().join("backups")).into_iter().flatten().flatten();
    let mut all: Vec<(String, PathBuf)> = entries.filter_map(|e| Some((day(&e.path())?, e.path()))).collect();
    all.sort();
    all
}

/// Checks the database, copies it once a day, checks the copy, and keeps the newest ones. A copy is made from rows: damage of an index
/// would not be in it, and go unseen.
fn backup(workspace: &Workspace, store: &Store, settings: &Settings, today: &str, dry: bool, done: &mut Tidied) -> Result<(), String> {
    let dir = workspace.root().join("backups");
    let damaged = |problems: Vec<String>| match problems.first() {
        Some(first) => Err(format!("the database is damaged: {first}; the older copies are kept, and `orc doctor` says how to go back")),
        None => Ok(()),
    };
    let cannot = |e: String| format!("no copy of the database in {}: {e}", dir.display());
    if !dry {
        store.check().map_err(|e| e.to_string()).and_then(damaged)?;
    }
    let to = dir.join(format!("pm-{today}.db"));
    if settings.keep_backups == 0 || to.exists() {
        return Ok(());
    }
    if !dry {
        let part = dir.join(format!("pm-{today}.part-{}", std::process::id()));
        let made = files::private_dir(&dir).map_err(|e| e.to_string()).and_then(|()| store.copy_to(&part).map_err(|e| e.to_string()));
        let whole = made.and_then(damaged).and_then(|()| fs::rename(&part, &to).map_err(|e| e.to_string()));
        if let Err(e) = whole {
            let _ = fs::remove_file(&part);
            return Err(cannot(e));
        }
    }
    done.backup = Some(to);
    let all = copies(workspace);
    let spare = all.len().saturating_sub(settings.keep_backups as usize);
    for (_, path) in all.into_iter().take(spare) {
        remove("backup", path, dry, done);
    }
    Ok(())
}

/// Does it each night, as long as the engine lives: on a thread, so that neither loop nor connections wait.
pub(super) async fn nightly(workspace: Workspace, settings: Arc<Settings>) {
    tokio::time::sleep(SETTLE).await;
    let mut told = None;
    loop {
        let (at, known, before) = (workspace.clone(), settings.clone(), told.take());
        let done = tokio::task::spawn_blocking(move || once(&at, &known, before.as_deref())).await;
        let rest = match done {
            Ok(Ok(Some(done))) if done.stopped => {
                told = Some(done.says());
                AGAIN
            }
            Ok(Ok(_)) => LOOK,
            Ok(Err(e)) => {
                tracing::warn!("housekeeping: {e}");
                AGAIN
            }
            Err(_) => return,
        };
        tokio::time::sleep(rest).await;
    }
}

/// Tidies up if it is due: today's time has come, and today it was not done.
fn once(workspace: &Workspace, settings: &Settings, told: Option<&str>) -> Result<Option<Tidied>, StoreError> {
    // The last good ones where the file has a mistake.
    let fresh = settings.reread(workspace).ok();
    let settings = fresh.as_ref().unwrap_or(settings);
    let now = clock::now();
    let Some(due) = settings.next_tidy(settings.midnight(now)) else { return Ok(None) };
    if now < due {
        return Ok(None);
    }
    let mut store = Store::open(&workspace.database())?;
    if store.meta(DONE)?.is_some_and(|day| day == settings.day(now)) {
        return Ok(None);
    }
    if last_step(&store)?.is_some_and(|step| step.by > 0 && now.since(step.at) < WAIT_FOR_CLOCK) {
        tracing::info!("housekeeping waits: the clock was set ahead less than a day ago");
        return Ok(None);
    }
    let done = tidy_and_tell(workspace, &mut store, settings, "engine", told, now)?;
    tracing::info!("{}", done.says());
    super::wake(&workspace.socket());
    Ok(Some(done))
}
