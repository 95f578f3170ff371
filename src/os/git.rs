//! The program `git`, run in a folder, for a limited time. Blocks: not for the engine's loop.

use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// How long one command may take, in milliseconds: the setting `git_timeout`, once for the process, as git is asked from everywhere.
static LIMIT: AtomicU64 = AtomicU64::new(5 * 60 * 1000);
/// How long the end of a command that was killed is waited for. What hangs in the kernel may never come.
const KILLED: Duration = Duration::from_secs(2);

/// Sets how long one git command of this process may take.
pub fn set_limit(limit: Duration) {
    LIMIT.store(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// What git could not do.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("git is not installed, or not on PATH: install it (`apt install git`, `brew install git`); work in repositories needs it")]
    Missing,
    #[error("`git {what}` in {} failed: {said}", dir.display())]
    Failed { what: String, dir: PathBuf, said: String },
    #[error("cannot run git in {}: {source}", dir.display())]
    Run { dir: PathBuf, source: io::Error },
    #[error(
        "`git {what}` in {} took longer than {limit:?} and was ended: a filter or a file system hangs, or the repository is so large that \
         the setting git_timeout has to be longer", dir.display()
    )]
    TimedOut { what: String, dir: PathBuf, limit: Duration },
    #[error("{0}")]
    Refused(String),
}

/// git in one folder.
#[derive(Clone, Debug)]
pub struct Git {
    dir: PathBuf,
    /// In place of the repository's own index.
    index: Option<PathBuf>,
    limit: Duration,
}

impl Git {
    /// In a folder of a repository or work tree.
    pub fn at(dir: &Path) -> Git {
        Git { dir: dir.to_owned(), index: None, limit: Duration::from_millis(LIMIT.load(Ordering::Relaxed)) }
    }

    /// With an index of its own, so that the work tree's stays as it is.
    pub fn with_index(&self, index: &Path) -> Git {
        Git { index: Some(index.to_owned()), ..self.clone() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.current_dir(&self.dir).args(["-c", "core.hooksPath=/dev/null", "-c", "commit.gpgsign=false", "-c", "gc.auto=0"]).args(args);
        // Whoever started us may be in the middle of a git command of their own.
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE"]
        {
            command.env_remove(name);
        }
        command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_EDITOR", "true")
            .env("LC_ALL", "C")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // What it starts, filters and helpers, ends with it.
            .process_group(0);
        if let Some(index) = &self.index {
            command.env("GIT_INDEX_FILE", index);
        }
        command
    }

    fn output(&self, args: &[&str]) -> Result<Output, GitError> {
        self.wait(self.command(args), args, None)
    }

    /// Runs it to its end, or for as long as it may: then its process group is ended.
    fn wait(&self, mut command: Command, args: &[&str], fed: Option<Vec<u8>>) -> Result<Output, GitError> {
        let mut child = command.spawn().map_err(|e| self.cannot(e))?;
        let group = Pid::from_child(&child);
        let (done, ended) = mpsc::channel();
        // It fills one pipe while it empties the other. Nobody waits for these threads: each ends with the command.
        let thread = |name: &str| std::thread::Builder::new().name(name.into());
        if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), fed) {
            // What it did not read it says by how it ends.
            let feed = move || drop(pipe.write_all(&bytes));
            thread("git-feed").spawn(feed).map_err(|e| self.cannot(e))?;
        }
        // Whoever has asked may be gone by then.
        let wait = move || drop(done.send(child.wait_with_output()));
        thread("git-wait").spawn(wait).map_err(|e| self.cannot(e))?;
        if let Ok(output) = ended.recv_timeout(self.limit) {
            return output.map_err(|e| self.cannot(e));
        }
        // First so that it takes its lock files away. It may have ended in this moment; then there is nothing to end.
        for signal in [Signal::TERM, Signal::KILL] {
            let _ = kill_process_group(group, signal);
            let _ = ended.recv_timeout(KILLED);
        }
        Err(GitError::TimedOut { what: told(args), dir: self.dir.clone(), limit: self.limit })
    }

    fn cannot(&self, source: io::Error) -> GitError {
        // The folder may be what is missing.
        if source.kind() == io::ErrorKind::NotFound && self.dir.is_dir() {
            GitError::Missing
        } else {
            GitError::Run { dir: self.dir.clone(), source }
        }
    }

    /// What it prints, as bytes.
    ///
    /// # Errors
    /// git is missing, or says no.
    pub fn bytes(&self, args: &[&str]) -> Result<Vec<u8>, GitError> {
        let out = self.output(args)?;
        if out.status.success() {
            return Ok(out.stdout);
        }
        let said = if out.stderr.is_empty() { &out.stdout } else { &out.stderr };
        let said = String::from_utf8_lossy(said).trim().lines().take(8).collect::<Vec<_>>().join("; ");
        Err(GitError::Failed { what: told(args), dir: self.dir.clone(), said })
    }

    /// What it prints, without the last line break.
    ///
    /// # Errors
    /// As `bytes`.
    pub fn run(&self, args: &[&str]) -> Result<String, GitError> {
        Ok(String::from_utf8_lossy(&self.bytes(args)?).trim_end().to_owned())
    }

    /// Whether it ends well; what it says does not matter.
    ///
    /// # Errors
    /// git is missing.
    pub fn holds(&self, args: &[&str]) -> Result<bool, GitError> {
        Ok(self.output(args)?.status.success())
    }

    /// As `run`, with an author for commits where the repository's own settings name none.
    ///
    /// # Errors
    /// As `bytes`.
    pub fn commit(&self, args: &[&str]) -> Result<String, GitError> {
        if self.holds(&["config", "user.email"])? && self.holds(&["config", "user.name"])? {
            return self.run(args);
        }
        let whole: Vec<&str> =
            ["-c", "user.name=orc", "-c", "user.email=orc@localhost"].iter().copied().chain(args.iter().copied()).collect();
        self.run(&whole)
    }

    /// The same, with paths that are fed on standard input, each ended by a NUL.
    ///
    /// # Errors
    /// As `bytes`.
    pub fn feed(&self, args: &[&str], paths: &[u8]) -> Result<(), GitError> {
        let mut command = self.command(args);
        command.stdin(Stdio::piped());
        let out = self.wait(command, args, Some(paths.to_vec()))?;
        if out.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&out.stderr).trim().to_owned();
        Err(GitError::Failed { what: args.join(" "), dir: self.dir.clone(), said })
    }
}

/// A command, short.
fn told(args: &[&str]) -> String {
    args.iter().filter(|a| !a.is_empty()).take(3).copied().collect::<Vec<_>>().join(" ")
}

/// The top of the repository that a folder lies in, itself included.
pub fn top_of(dir: &Path) -> Option<&Path> {
    dir.ancestors().find(|d| is_checkout(d))
}

/// True for a folder that is the top of a repository's checkout.
pub fn is_checkout(dir: &Path) -> bool {
    dir.join(OsStr::new(".git")).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_hangs_is_ended_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let git = Git::at(dir.path());
        git.run(&["init", "--quiet"]).unwrap();
        git.run(&["config", "filter.slow.clean", "sleep 600 & echo $! > pid; wait"]).unwrap();
        std::fs::write(dir.path().join(".gitattributes"), "*.bin filter=slow\n").unwrap();
        std::fs::write(dir.path().join("a.bin"), "x").unwrap();
        let short = Git { limit: Duration::from_millis(500), ..git };
        let e = short.run(&["add", "a.bin"]).unwrap_err();
        assert!(matches!(e, GitError::TimedOut { .. }) && e.to_string().contains("`git add a.bin`"), "{e}");
        // It was started, and it is gone, or a zombie that nobody has asked about yet.
        if let Ok(pid) = std::fs::read_to_string(dir.path().join("pid")) {
            let pid: i32 = pid.trim().parse().unwrap();
            let until = std::time::Instant::now() + Duration::from_secs(30);
            while crate::os::process::stat(pid).is_some_and(|s| s.state != b'Z') {
                assert!(std::time::Instant::now() < until, "process {pid} goes on");
                std::thread::yield_now();
            }
        }
        assert!(short.run(&["status", "--porcelain"]).is_ok());
    }

    #[test]
    fn more_can_be_fed_than_a_pipe_holds() {
        let dir = tempfile::tempdir().unwrap();
        let git = Git::at(dir.path());
        git.run(&["init", "--quiet"]).unwrap();
        let paths: Vec<u8> = (0..20_000).flat_map(|n| format!("no-file-of-this-name-{n}\0").into_bytes()).collect();
        // Each is complained of on the other pipe.
        let fed = git.feed(&["checkout-index", "--force", "-z", "--stdin"], &paths);
        assert!(matches!(fed, Ok(()) | Err(GitError::Failed { .. })), "{fed:?}");
    }
}
