//! The program `git`, run in a folder. Blocks: not for the engine's loop.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What git could not do.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("git is not installed, or not on PATH: install it (`apt install git`, `brew install git`); work in repositories needs it")]
    Missing,
    #[error("`git {what}` in {} failed: {said}", dir.display())]
    Failed { what: String, dir: PathBuf, said: String },
    #[error("cannot run git in {}: {source}", dir.display())]
    Run { dir: PathBuf, source: io::Error },
    #[error("{0}")]
    Refused(String),
}

/// git in one folder.
#[derive(Clone, Debug)]
pub struct Git {
    dir: PathBuf,
    /// In place of the repository's own index.
    index: Option<PathBuf>,
}

impl Git {
    /// In a folder of a repository or work tree.
    pub fn at(dir: &Path) -> Git {
        Git { dir: dir.to_owned(), index: None }
    }

    /// With an index of its own, so that the work tree's stays as it is.
    pub fn with_index(&self, index: &Path) -> Git {
        Git { dir: self.dir.clone(), index: Some(index.to_owned()) }
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
            .stdin(Stdio::null());
        if let Some(index) = &self.index {
            command.env("GIT_INDEX_FILE", index);
        }
        command
    }

    fn output(&self, args: &[&str]) -> Result<std::process::Output, GitError> {
        self.command(args).output().map_err(|e| self.cannot(e))
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
        let what = args.iter().filter(|a| !a.is_empty()).take(3).copied().collect::<Vec<_>>().join(" ");
        Err(GitError::Failed { what, dir: self.dir.clone(), said })
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
        use std::io::Write;
        let mut child =
            self.command(args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(|e| self.cannot(e))?;
        let fed = child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(paths));
        let out = child.wait_with_output().map_err(|e| self.cannot(e))?;
        if out.status.success() && fed.is_ok() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&out.stderr).trim().to_owned();
        Err(GitError::Failed { what: args.join(" "), dir: self.dir.clone(), said })
    }
}

/// True for a folder that is the top of a repository's checkout.
pub fn is_checkout(dir: &Path) -> bool {
    dir.join(OsStr::new(".git")).exists()
}
