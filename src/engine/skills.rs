//! Skills as jobs get them: which version, what triggers find, and what changes in the skills folder while the engine runs.

use super::input::Input;
use super::state::State;
use crate::config::{LARGEST_FILE, SKILL_FILE, Skill, SkillError, SkillSource, Skills, Workspace, skills};
use crate::domain::{Command, Job, JobId, Phrases, SkillGiven, SkillHow, SkillVersion, Timestamp, Worker, in_canary};
use crate::os::files::private_dir;
use crate::store::{Event, Store, StoreError, Tx, apply};
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecursiveMode, Watcher};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

/// Between the first sign of a change and the look at it: an editor, or a copied folder, takes several steps.
const SETTLED: Duration = Duration::from_millis(150);

/// What a job is to be given.
#[derive(Debug, Default)]
pub(super) struct Outfit {
    pub skills: Vec<Skill>,
    pub given: Vec<SkillGiven>,
    /// Skills that its prompt only suggests, with the phrase.
    pub suggested: Vec<(String, String)>,
}

/// Why a skill cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum GiveError {
    #[error(transparent)]
    Skill(#[from] SkillError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("version {hash} of the skill {name} is pinned and not kept any more: `orc skill pin {name} --off`")]
    Lost { name: String, hash: String },
    #[error("cannot write out the files of skill {name} to {}: {source}", path.display())]
    Write { name: String, path: PathBuf, source: std::io::Error },
}

/// The version of a skill that a job gets: the pinned one; the base of a trial, where the job is not of its share; the one in place; and
/// where that is broken, the last good one.
///
/// # Errors
/// There is none of that name, or it is broken and no good version was ever seen.
pub fn version_for(
    store: &Store,
    workspace: &Workspace,
    name: &str,
    in_place: Result<Skill, SkillError>,
    job: JobId,
) -> Result<Skill, GiveError> {
    let hold = store.skill_hold(name)?;
    if let Some(hash) = &hold.pin {
        return kept(store, workspace, name, hash);
    }
    if let Some(base) = hold.base.filter(|_| !in_canary(job, name, hold.percent)) {
        return kept(store, workspace, name, &base);
    }
    match in_place {
        Ok(skill) => Ok(skill),
        Err(e @ (SkillError::Broken { .. } | SkillError::Read { .. })) => match store.last_skill(name)? {
            Some(last) => kept(store, workspace, name, &last.hash),
            None => Err(e.into()),
        },
        Err(e) => Err(e.into()),
    }
}

/// A version as it was kept, with its files written out where it has some.
///
/// # Errors
/// It is not kept; the disk.
pub fn kept(store: &Store, workspace: &Workspace, name: &str, hash: &str) -> Result<Skill, GiveError> {
    let lost = || GiveError::Lost { name: name.to_owned(), hash: hash.to_owned() };
    let version = store.skill_version(name, hash)?.ok_or_else(lost)?;
    let main = version.files.iter().find(|f| f.path == SKILL_FILE).ok_or_else(lost)?;
    let text = store.skill_content(&main.hash)?.ok_or_else(lost)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut folder = None;
    if version.files.len() > 1 {
        let path = workspace.run_dir().join("skills").join(name).join(&version.hash[..version.hash.len().min(12)]);
        write_out(store, &version, &path).map_err(|e| match e {
            Wrong::Store(e) => e.into(),
            Wrong::Lost => lost(),
            Wrong::Disk(source) => GiveError::Write { name: name.to_owned(), path: path.clone(), source },
        })?;
        folder = Some(path);
    }
    Ok(Skill::stored(name, &text, version.files, &version.hash, folder)?)
}

enum Wrong {
    Store(StoreError),
    Disk(std::io::Error),
    Lost,
}

/// Writes a version's files, whole or not at all: a folder of that name is complete.
fn write_out(store: &Store, version: &SkillVersion, to: &Path) -> Result<(), Wrong> {
    if to.is_dir() {
        return Ok(());
    }
    let parent = to.parent().unwrap_or(to);
    private_dir(parent).map_err(|e| Wrong::Disk(std::io::Error::other(e.to_string())))?;
    let part = parent.join(format!(".part-{}", uuid::Uuid::new_v4().simple()));
    for file in &version.files {
        let inside = Path::new(&file.path);
        // Nothing of a version leads out of its folder.
        if !inside.components().all(|c| matches!(c, std::path::Component::Normal(_))) {
            continue;
        }
        let content = store.skill_content(&file.hash).map_err(Wrong::Store)?.ok_or(Wrong::Lost)?;
        let path = part.join(inside);
        std::fs::create_dir_all(path.parent().unwrap_or(&part)).and_then(|()| std::fs::write(&path, content)).map_err(Wrong::Disk)?;
        if content_is_script(&path) {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).map_err(Wrong::Disk)?;
        }
    }
    match std::fs::rename(&part, to) {
        Ok(()) => Ok(()),
        // Somebody else was quicker; theirs is the same.
        Err(_) if to.is_dir() => std::fs::remove_dir_all(&part).map_err(Wrong::Disk),
        Err(e) => Err(Wrong::Disk(e)),
    }
}

fn content_is_script(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|b| b.starts_with(b"#!"))
}

/// Keeps a version that is in place, unless it is kept already. True if it is new.
///
/// # Errors
/// The database.
fn keep(tx: &Tx<'_>, skill: &Skill, now: Timestamp) -> Result<bool, StoreError> {
    if matches!(skill.source, SkillSource::Stored(_)) || tx.knows_skill(&skill.name, &skill.hash)? {
        return Ok(false);
    }
    let mut contents = Vec::new();
    for file in &skill.files {
        if file.path == SKILL_FILE {
            contents.push((file.hash.clone(), skill.text.clone().into_bytes()));
        } else if let Some(folder) = skill.folder().filter(|_| file.bytes <= LARGEST_FILE)
            && let Ok(content) = std::fs::read(folder.join(&file.path))
            && crate::domain::sha256_hex(&content) == file.hash
        {
            contents.push((file.hash.clone(), content));
        }
    }
    let version = SkillVersion {
        name: skill.name.clone(),
        hash: skill.hash.clone(),
        from: skill.from(),
        version: skill.version.clone(),
        files: skill.files.clone(),
        first_seen: now,
        use_: crate::domain::SkillUse::default(),
    };
    tx.keep_skill(&version, &contents, now)
}

/// Takes note of the version that is in place: kept, and where it is in place of another one, said, and perhaps given to a share of
/// the jobs first.
///
/// # Errors
/// The database.
pub fn arrived(tx: &Tx<'_>, skill: &Skill, percent: u8, now: Timestamp) -> Result<(), StoreError> {
    if tx.knows_skill(&skill.name, &skill.hash)? {
        return Ok(());
    }
    let before = tx.last_skill(&skill.name)?;
    // Later than the one before, also within the same millisecond.
    keep(tx, skill, if before.is_some() { Timestamp(now.0 + 1) } else { now })?;
    let Some(before) = before else { return Ok(()) };
    let hold = tx.skill_hold(&skill.name)?;
    let mut text = format!("{}: version {} in place of {}", skill.name, short(&skill.hash), short(&before.hash));
    if let Some(pin) = &hold.pin {
        text += &format!("; it is pinned to {}", short(pin));
    }
    tx.event(&Event::new(now, "engine", "skill", &text))?;
    if percent < 100 && hold == crate::domain::SkillHold::default() {
        let command = Command::CanarySkill { skill: skill.name.clone(), base: before.hash, percent };
        apply(tx, &command, &crate::domain::Actor::Engine, now)?;
    }
    Ok(())
}

/// Reads the skills anew whenever something in their folder changes, until the engine ends. Costs nothing while nothing does.
///
/// # Errors
/// The system watches no more folders.
pub(super) fn watch(workspace: &Workspace, inputs: mpsc::Sender<Input>) -> notify::Result<()> {
    let dir = workspace.skills_dir();
    let (changed, mut changes) = mpsc::channel(1);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading is no change: we read them ourselves.
        let read = |kind: &EventKind| kind.is_access() && !matches!(kind, EventKind::Access(AccessKind::Close(AccessMode::Write)));
        if !event.is_ok_and(|e| read(&e.kind)) {
            // One that waits already stands for this one too.
            let _ = changed.try_send(());
        }
    })?;
    watcher.watch(&dir, RecursiveMode::Recursive)?;
    tokio::spawn(async move {
        // It watches for as long as it lives.
        let _watcher = watcher;
        loop {
            // First what was changed before the watch began.
            let at = dir.clone();
            let Ok(read) = tokio::task::spawn_blocking(move || skills(&at)).await else { return };
            if inputs.send(Input::Skills(Box::new(read))).await.is_err() {
                return;
            }
            tokio::select! {
                () = inputs.closed() => return,
                change = changes.recv() => if change.is_none() { return },
            }
            tokio::time::sleep(SETTLED).await;
            while changes.try_recv().is_ok() {}
        }
    });
    Ok(())
}

impl State {
    /// What a job gets: its worker's skills, its own, and those that its prompt triggers; and what it only might have got.
    pub(super) fn skills_for(&mut self, tx: &Tx<'_>, job: &Job, worker: Option<&Worker>, now: Timestamp) -> Result<Outfit, GiveError> {
        let mut names: Vec<(String, SkillHow, Option<String>)> =
            worker.map(|w| w.skills.iter().map(|s| (s.clone(), SkillHow::Worker, None)).collect()).unwrap_or_default();
        for name in &job.spec.skills {
            if !names.iter().any(|(n, ..)| n == name) {
                names.push((name.clone(), SkillHow::Job, None));
            }
        }
        let mut suggested = Vec::new();
        for (name, phrase) in self.triggered(job) {
            if names.iter().any(|(n, ..)| *n == name) {
                continue;
            }
            if self.settings.skill_triggers == "inject" {
                names.push((name, SkillHow::Trigger, Some(phrase)));
            } else {
                suggested.push((name, phrase));
            }
        }
        let mut given = Vec::with_capacity(names.len());
        let mut found = Vec::with_capacity(names.len());
        for (name, how, trigger) in names {
            let in_place = self.known_skills.skill(&self.workspace.skills_dir(), &name);
            if let Ok(skill) = &in_place {
                // A job may be quicker than the watch.
                arrived(tx, skill, self.canary_percent(), now)?;
            }
            let skill = version_for(tx, &self.workspace, &name, in_place, job.id)?;
            given.push(SkillGiven { attempt: None, skill: name, hash: Some(skill.hash.clone()), how, trigger });
            found.push(skill);
        }
        Ok(Outfit { skills: found, given, suggested })
    }

    fn canary_percent(&self) -> u8 {
        u8::try_from(self.settings.skill_canary).unwrap_or(100)
    }

    /// The skills whose triggers stand in a job's prompt, with the phrase.
    fn triggered(&mut self, job: &Job) -> Vec<(String, String)> {
        use crate::domain::{Kind, Origin};
        // What has a form of its own asks for no advice.
        let own = matches!(job.spec.kind, Kind::Capture | Kind::Consolidate | Kind::Triage) || job.spec.origin == Origin::Review;
        if own || self.settings.skill_triggers == "off" {
            return Vec::new();
        }
        let dir = self.workspace.skills_dir();
        let shelf = self.shelf.get_or_insert_with(|| skills(&dir));
        let text = Phrases::new(&format!("{}\n{}", job.spec.title, job.spec.prompt));
        let find = |s: &Skill| Some((s.name.clone(), text.first(&s.triggers)?.to_owned()));
        shelf.skills.values().filter_map(find).collect()
    }

    /// Takes over what the skills folder holds now; new versions are kept, broken ones said.
    pub(super) fn on_skills(&mut self, tx: &Tx<'_>, read: Skills, now: Timestamp) -> Result<(), StoreError> {
        let percent = self.canary_percent();
        for skill in read.skills.values() {
            arrived(tx, skill, percent, now)?;
        }
        let mut told = BTreeMap::new();
        for (name, problem) in &read.broken {
            let text = match tx.last_skill(name)? {
                Some(last) => format!("{problem}. Its last good version, {}, stays in use", short(&last.hash)),
                None => format!("{problem}. No good version of it is known: jobs that ask for it fail"),
            };
            if self.broken_skills.get(name) != Some(&text) {
                tx.event(&Event { severity: "warn", ..Event::new(now, "engine", "skill", &text) })?;
            }
            told.insert(name.clone(), text);
        }
        for name in self.broken_skills.keys().filter(|n| !told.contains_key(*n) && read.skills.contains_key(*n)) {
            tx.event(&Event::new(now, "engine", "skill", &format!("{name} is whole again")))?;
        }
        self.broken_skills = told;
        self.shelf = Some(read);
        Ok(())
    }
}

fn short(hash: &str) -> &str {
    &hash[..hash.len().min(12)]
}

/// What takes a skill back by one version: a pin on the one before that in use. `None` where there is none before it.
///
/// # Errors
/// The database.
pub fn rollback(store: &Store, name: &str) -> Result<Option<Command>, StoreError> {
    let all = store.skill_versions(Some(name))?;
    let pin = store.skill_hold(name)?.pin;
    let at = pin.and_then(|pin| all.iter().position(|v| v.hash == pin)).unwrap_or(0);
    Ok(all.get(at + 1).map(|v| Command::PinSkill { skill: name.to_owned(), hash: Some(v.hash.clone()) }))
}

/// What changed between two versions, file by file, in the unified form.
///
/// # Errors
/// The database.
pub fn differences(store: &Store, old: &SkillVersion, new: &SkillVersion) -> Result<String, StoreError> {
    let files = |v: &SkillVersion| v.files.iter().map(|f| (f.path.clone(), f.hash.clone())).collect::<BTreeMap<_, _>>();
    let (before, after) = (files(old), files(new));
    let text = |hash: Option<&String>| -> Result<Option<String>, StoreError> {
        let Some(hash) = hash else { return Ok(Some(String::new())) };
        Ok(store.skill_content(hash)?.and_then(|b| String::from_utf8(b).ok()))
    };
    let mut out = String::new();
    let paths: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for path in paths {
        let (a, b) = (before.get(path), after.get(path));
        if a == b {
            continue;
        }
        match (text(a)?, text(b)?) {
            (Some(x), Some(y)) => {
                let diff = similar::TextDiff::from_lines(&x, &y);
                let (x, y) = (format!("{path} {}", short(&old.hash)), format!("{path} {}", short(&new.hash)));
                out += &diff.unified_diff().context_radius(3).header(&x, &y).to_string();
            }
            _ => out += &format!("{path}: changed, and no text\n"),
        }
    }
    Ok(out)
}
