//! The workspace: one folder that holds everything, and the paths in it.

use super::error::ConfigError;
use crate::domain::{AttemptId, JobId, sha256_hex};
use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The file that makes a folder a workspace.
pub const SETTINGS_FILE: &str = "orc.toml";

/// The longest path that a Unix socket's address holds (`sun_path`, 108 bytes with its NUL: unix(7)).
const SOCKET_PATH_MAX: usize = 107;

/// A workspace that exists. Its root is absolute and free of links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    root: PathBuf,
    socket: PathBuf,
}

/// Where a search begins: the process's surroundings as values, so that tests need no other process.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// `ORC_WORKSPACE`.
    pub named: Option<OsString>,
    /// The current folder.
    pub here: Option<PathBuf>,
    /// The data folder of the XDG base directories.
    pub data: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Surroundings {
        Surroundings {
            named: std::env::var_os("ORC_WORKSPACE").filter(|v| !v.is_empty()),
            here: std::env::current_dir().ok(),
            data: directories::ProjectDirs::from("", "", "orc").map(|d| d.data_dir().to_path_buf()),
        }
    }
}

impl Workspace {
    /// Finds the workspace: the one that is named (`--workspace`), else `ORC_WORKSPACE`, else the nearest parent that holds
    /// `orc.toml`, else the XDG data folder.
    ///
    /// # Errors
    /// There is none, or the one that is named is none.
    pub fn find(named: Option<&Path>) -> Result<Workspace, ConfigError> {
        Workspace::find_from(named, &Surroundings::of_process())
    }

    /// `find` with given surroundings.
    ///
    /// # Errors
    /// As `find`.
    pub fn find_from(named: Option<&Path>, at: &Surroundings) -> Result<Workspace, ConfigError> {
        if let Some(path) = named {
            return Workspace::open(path);
        }
        if let Some(path) = &at.named {
            return Workspace::open(Path::new(path)).map_err(|e| match e {
                ConfigError::NotAWorkspace { path, .. } => ConfigError::NotAWorkspace { path, from_env: true },
                e => e,
            });
        }
        let holds = |dir: &&Path| dir.join(SETTINGS_FILE).is_file();
        if let Some(dir) = at.here.as_deref().and_then(|here| here.ancestors().find(holds)) {
            return Workspace::open(dir);
        }
        match at.data.as_deref().filter(holds) {
            Some(dir) => Workspace::open(dir),
            None => Err(ConfigError::NoWorkspace { default: at.data.clone().unwrap_or_else(|| PathBuf::from("the data folder")) }),
        }
    }

    /// The workspace in this folder.
    ///
    /// # Errors
    /// The folder holds no `orc.toml`, or cannot be reached.
    pub fn open(dir: &Path) -> Result<Workspace, ConfigError> {
        match fs::metadata(dir.join(SETTINGS_FILE)) {
            Ok(settings) if settings.is_file() => {}
            // Somebody else's: what is in it cannot be told.
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => return Err(ConfigError::io("open the workspace", dir)(e)),
            _ => return Err(ConfigError::NotAWorkspace { path: dir.to_path_buf(), from_env: false }),
        }
        let root = fs::canonicalize(dir).map_err(ConfigError::io("open the workspace", dir))?;
        private_dir(&root.join("run"))?;
        let socket = reachable_socket(&root)?;
        Ok(Workspace { root, socket })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A short name for titles: the folder's own.
    pub fn name(&self) -> String {
        self.root.file_name().map_or_else(|| self.root.display().to_string(), |n| n.to_string_lossy().into_owned())
    }

    /// The settings (`orc.toml`).
    pub fn settings_file(&self) -> PathBuf {
        self.root.join(SETTINGS_FILE)
    }

    /// The schedules.
    pub fn cron_file(&self) -> PathBuf {
        self.root.join("cron.toml")
    }
    /// The workspace's own prices of models, where it has some (`models.toml`).
    pub fn prices_file(&self) -> PathBuf {
        self.root.join("models.toml")
    }

    /// What was put away, in a folder for each day.
    pub fn trash_dir(&self) -> PathBuf {
        self.root.join("trash")
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.root.join("pm.db")
    }

    /// Makes a project's folder, named after its title; a name that is taken gets a number.
    ///
    /// # Errors
    /// The folder, and why it cannot be made.
    pub fn make_project_dir(&self, title: &str) -> Result<PathBuf, (PathBuf, std::io::Error)> {
        use std::os::unix::fs::DirBuilderExt;
        let name = slug(title);
        for n in 1.. {
            let folder = self.project_dir(&if n == 1 { name.clone() } else { format!("{name}-{n}") });
            match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(folder),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err((folder, e)),
            }
        }
        unreachable!("some number is free")
    }

    /// Who the workforce is, when it converses with the operator.
    pub fn soul(&self) -> PathBuf {
        self.root.join("SOUL.md")
    }

    /// The operating file. `AGENTS.md` and `GEMINI.md` are links to it.
    pub fn operating_file(&self) -> PathBuf {
        self.root.join("CLAUDE.md")
    }

    /// The core memory.
    pub fn core_memory(&self) -> PathBuf {
        self.root.join("core-memory.md")
    }

    /// The operator's skills; they shadow the built-in ones.
    pub fn skills_dir(&self) -> PathBuf {
        self.root.join("skills")
    }

    /// One Markdown file a persona.
    pub fn personas_dir(&self) -> PathBuf {
        self.root.join("personas")
    }

    /// The file of one persona. The name has been checked by whoever reads it (`config::persona`).
    pub fn persona_file(&self, name: &str) -> PathBuf {
        self.personas_dir().join(format!("{name}.md"))
    }

    /// What work is judged by, where that differs from what comes with the program: one file a kind.
    pub fn rubrics_dir(&self) -> PathBuf {
        self.root.join("rubrics")
    }

    /// The copies that reviewers read.
    pub fn review_dir(&self) -> PathBuf {
        self.root.join("run/review")
    }

    /// The work trees of workers' sessions.
    pub fn trees_dir(&self) -> PathBuf {
        self.root.join("engine/trees")
    }

    /// The operator's own backend descriptions.
    pub fn backends_dir(&self) -> PathBuf {
        self.root.join("backends")
    }

    /// The memory store.
    pub fn memory_dir(&self) -> PathBuf {
        self.root.join("memory")
    }

    /// The results of one job.
    pub fn result_dir(&self, job: JobId) -> PathBuf {
        self.root.join("results").join(job.to_string())
    }

    /// A worker's own folder, for one that belongs to no project folder.
    pub fn worker_dir(&self, worker: &str) -> PathBuf {
        self.root.join("engine").join("workers").join(worker)
    }

    /// A project's folder, for one that was made without `--dir`.
    pub fn project_dir(&self, project: &str) -> PathBuf {
        self.root.join("projects").join(project)
    }

    /// Sockets, locks, spools, logs: what a running engine needs, and nothing that is worth a backup.
    pub fn run_dir(&self) -> PathBuf {
        self.root.join("run")
    }

    /// The lock that the one engine holds.
    pub fn lock_file(&self) -> PathBuf {
        self.root.join("run/engine.lock")
    }

    /// The engine's socket, by a path that is short enough for an address: through a link where the workspace lies too deep.
    pub fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// The folder of the attempts' spools.
    pub fn spool_dir(&self) -> PathBuf {
        self.root.join("run/spool")
    }

    /// One attempt's spool.
    pub fn attempt_dir(&self, attempt: AttemptId) -> PathBuf {
        self.spool_dir().join(attempt.to_string())
    }

    /// `orc` and `pm`, first on every job's PATH.
    pub fn bin_dir(&self) -> PathBuf {
        self.root.join("run/bin")
    }

    /// The program's own logs.
    pub fn log_dir(&self) -> PathBuf {
        self.root.join("run/log")
    }

    /// True for the throw-away workspace of `orc tui --demo`, which holds a file of this name.
    pub fn is_demo(&self) -> bool {
        self.demo_mark().exists()
    }

    /// The file that makes a workspace a demo.
    pub fn demo_mark(&self) -> PathBuf {
        self.root.join("run/demo")
    }

    /// The raw log of each day.
    pub fn episodic_dir(&self) -> PathBuf {
        self.root.join("memory/episodic")
    }
}

/// Makes a folder for its owner only, with those above it; one that is there is tightened to that.
pub(super) fn private_dir(path: &Path) -> Result<(), ConfigError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(ConfigError::io("make the folder", path))?;
    let mode = fs::metadata(path).map_err(ConfigError::io("look at", path))?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(ConfigError::io("close to others", path))?;
    }
    Ok(())
}

/// The socket's path, direct or through a link.
fn reachable_socket(root: &Path) -> Result<PathBuf, ConfigError> {
    let direct = root.join("run/engine.sock");
    if direct.as_os_str().len() <= SOCKET_PATH_MAX {
        return Ok(direct);
    }
    let mut places = Vec::new();
    if let Some(dirs) = directories::ProjectDirs::from("", "", "orc") {
        // Not the runtime folder: it vanishes at logout, and jobs outlive that.
        places.push(dirs.cache_dir().to_path_buf());
    }
    let uid = fs::metadata(root).map_err(ConfigError::io("look at", root))?.uid();
    places.push(PathBuf::from(format!("/tmp/orc-{uid}")));
    short_link(root, &places)
}

/// A link to `root/run` in the first of `places` that is short enough; the socket's path through it.
pub(super) fn short_link(root: &Path, places: &[PathBuf]) -> Result<PathBuf, ConfigError> {
    use std::os::unix::ffi::OsStrExt;
    let name = format!("run-{}", &sha256_hex(root.as_os_str().as_bytes())[..12]);
    let fits = |place: &&PathBuf| place.as_os_str().len() + name.len() + "//engine.sock".len() <= SOCKET_PATH_MAX;
    let target = root.join("run");
    let Some(place) = places.iter().find(fits) else {
        return Err(ConfigError::InTheWay {
            path: target,
            what: "its path is too long for a socket, and so is every place for a short link to it; choose a workspace nearer to the root"
                .into(),
        });
    };
    private_dir(place)?;
    let owner = fs::symlink_metadata(place).map_err(ConfigError::io("look at", place))?;
    let ours = fs::metadata(root).map_err(ConfigError::io("look at", root))?.uid();
    if !owner.is_dir() || owner.uid() != ours {
        // In a shared /tmp somebody else may have put a folder or link of that name.
        return Err(ConfigError::InTheWay { path: place.clone(), what: "it belongs to another user".into() });
    }
    let link = place.join(&name);
    match fs::read_link(&link) {
        Ok(to) if to == target => {}
        Ok(_) => {
            fs::remove_file(&link).map_err(ConfigError::io("replace the link", &link))?;
            make_link(&target, &link)?;
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => make_link(&target, &link)?,
        Err(_) => return Err(ConfigError::InTheWay { path: link, what: "a link to the workspace's `run` folder has to be there".into() }),
    }
    Ok(link.join("engine.sock"))
}

fn make_link(target: &Path, link: &Path) -> Result<(), ConfigError> {
    match std::os::unix::fs::symlink(target, link) {
        // Another process has just made it.
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && fs::read_link(link).is_ok_and(|to| to == target) => Ok(()),
        made => made.map_err(ConfigError::io("make the link", link)),
    }
}

/// Letters, digits and single dashes, at most 40 of them.
fn slug(title: &str) -> String {
    let words: Vec<String> = title.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
    let name: String = words.join("-").chars().take(40).collect();
    if name.is_empty() { "project".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_after_the_title() {
        assert_eq!(slug("The Web-Site (v2)/../x"), "the-web-site-v2-x");
        assert_eq!(slug("Übersicht"), "übersicht");
        assert_eq!(slug("../.."), "project");
        assert_eq!(slug(&"x".repeat(99)).len(), 40);
    }
}
