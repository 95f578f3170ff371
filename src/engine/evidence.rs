//! What the gate needs from the disk: the content of a result, told by one hash; a copy of it for the reviewer; work trees. The loop
//! asks, a thread of its own does it, and what comes of it comes back as an `Input`.

use super::input::Input;
use super::learn::ends;
use crate::domain::{AttemptId, ReviewId, name_below};
use crate::os::git::{GitError, is_checkout};
use crate::os::worktree;
use crate::os::zone::{ZoneError, within};
use crate::store::Branch;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// What is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// Where the author worked.
    pub directory: PathBuf,
    pub result_file: Option<PathBuf>,
    /// Declared files and folders, by their names below the folder.
    pub artefacts: Vec<String>,
    /// Where the work is a branch: then the git tree is what counts.
    pub branch: Option<Branch>,
}

/// One wish.
#[derive(Clone, Debug, PartialEq)]
pub enum EvidenceRequest {
    /// Commit what the author left, tell the hash, and make the reviewer's copy. Answered by `Input::Gathered`.
    Gather { review: ReviewId, subject: Subject, copy: PathBuf },
    /// Tell the hash again. Answered by `Input::Confirmed`.
    Confirm { review: ReviewId, subject: Subject },
    /// Make a work tree ready. Answered by `Input::Tree`.
    Tree { attempt: AttemptId, repository: PathBuf, tree: PathBuf, known: Option<String>, wanted: String },
    /// A copy is of no further use.
    Drop { copy: PathBuf },
    /// Only these copies are.
    Sweep { below: PathBuf, keep: Vec<PathBuf> },
}

/// Who is asked. Two implementations: the thread, and the simulation's.
pub trait Evidence {
    /// Takes a request and returns at once.
    fn ask(&mut self, request: EvidenceRequest);
}

/// The thread. It ends with its sender.
pub struct EvidenceThread {
    requests: std::sync::mpsc::Sender<EvidenceRequest>,
}

impl EvidenceThread {
    /// Starts it.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(inputs: mpsc::Sender<Input>) -> std::io::Result<EvidenceThread> {
        let (requests, inbox) = std::sync::mpsc::channel();
        std::thread::Builder::new().name("evidence".into()).spawn(move || {
            while let Ok(request) = inbox.recv() {
                if let Some(answer) = answer(request)
                    && inputs.blocking_send(answer).is_err()
                {
                    return;
                }
            }
        })?;
        Ok(EvidenceThread { requests })
    }
}

impl Evidence for EvidenceThread {
    fn ask(&mut self, request: EvidenceRequest) {
        // The thread ends only with this sender, or with the engine.
        let _ = self.requests.send(request);
    }
}

fn answer(request: EvidenceRequest) -> Option<Input> {
    match request {
        EvidenceRequest::Gather { review, subject, copy } => {
            Some(Input::Gathered { review, found: gather(&subject, &copy).map_err(|e| e.to_string()) })
        }
        EvidenceRequest::Confirm { review, subject } => Some(Input::Confirmed { review, hash: hash(&subject).map_err(|e| e.to_string()) }),
        EvidenceRequest::Tree { attempt, repository, tree, known, wanted } => {
            let ready = worktree::prepare(&repository, &tree, known.as_deref(), &wanted).map_err(|e| e.to_string());
            Some(Input::Tree { attempt, ready })
        }
        EvidenceRequest::Drop { copy } => {
            discard(&copy);
            None
        }
        EvidenceRequest::Sweep { below, keep } => {
            for entry in std::fs::read_dir(&below).into_iter().flatten().flatten() {
                if !keep.contains(&entry.path()) {
                    discard(&entry.path());
                }
            }
            None
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum EvidenceError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("what was declared as delivered cannot be shown: {0}")]
    Zone(#[from] ZoneError),
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot make the reviewer's copy {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

/// The reviewer's text of the evidence, in the copy.
pub const EVIDENCE: &str = "EVIDENCE.md";
/// More of a repository's files than this is not copied whole, in bytes.
const WHOLE_TREE: u64 = 128 << 20;
/// How much of result, diff and each artefact stands in the reviewer's prompt, in bytes.
const RESULT_CUT: usize = 24 << 10;
const DIFF_CUT: usize = 64 << 10;
const ARTEFACT_CUT: usize = 16 << 10;
/// No more of an artefact than this is read into memory for the prompt, in bytes.
const READ_CUT: u64 = 1 << 20;
/// A larger file is told of and not copied, in bytes.
const LARGEST_COPY: u64 = 64 << 20;
/// Artefacts whose text stands in the prompt at most.
const MOST_ARTEFACTS: usize = 12;

/// What is judged, as one hash: the git tree, or result and artefacts.
fn hash(s: &Subject) -> Result<String, EvidenceError> {
    let mut digest = Sha256::new();
    for name in &s.artefacts {
        for file in files(&within(&s.directory, name)?) {
            digest.update(file.to_string_lossy().as_bytes());
            digest.update([0]);
            digest_file(&file, &mut digest)?;
        }
    }
    let hex = |digest: Sha256| digest.finalize().iter().map(|b| format!("{b:02x}")).collect::<String>();
    if let Some(b) = &s.branch {
        let tree = worktree::content(Path::new(&b.repository), Path::new(&b.tree), &b.name)?;
        // What is delivered may be what the repository ignores.
        return Ok(if s.artefacts.is_empty() { format!("tree:{tree}") } else { format!("tree:{tree}+{}", &hex(digest)[..16]) });
    }
    if let Some(result) = &s.result_file {
        digest_file(result, &mut digest)?;
    }
    Ok(format!("sha256:{}", hex(digest)))
}

fn digest_file(path: &Path, digest: &mut Sha256) -> Result<(), EvidenceError> {
    let wrong = |source| EvidenceError::Read { path: path.to_owned(), source };
    let mut file = std::fs::File::open(path).map_err(wrong)?;
    std::io::copy(&mut file, digest).map(drop).map_err(wrong)
}

/// A file, or the files below a folder, in a fixed order. Links lead elsewhere and are not followed; whoever reads a pipe waits.
fn files(path: &Path) -> Vec<PathBuf> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => {
            let mut below: Vec<PathBuf> = std::fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path()).collect();
            below.sort();
            below.iter().flat_map(|p| files(p)).collect()
        }
        Ok(meta) if !meta.is_file() => Vec::new(),
        // One that is gone meanwhile is an error where it is read.
        _ => vec![path.to_owned()],
    }
}

/// Fixes what is judged, and copies it.
fn gather(s: &Subject, copy: &Path) -> Result<String, EvidenceError> {
    if let Some(b) = s.branch.as_ref().filter(|b| is_checkout(Path::new(&b.tree))) {
        worktree::collect(Path::new(&b.tree), &b.name, &format!("What job {} left uncommitted", b.job))?;
    }
    let hash = hash(s)?;
    discard(copy);
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |source| EvidenceError::Write { path, source }
    };
    std::fs::create_dir_all(copy).map_err(wrong(copy))?;
    let put = |name: &str, bytes: &[u8]| {
        let path = copy.join(name);
        std::fs::write(&path, bytes).map_err(wrong(&path))
    };
    let mut evidence = String::new();
    let result = s.result_file.as_deref().map(head).transpose()?.unwrap_or_default();
    put("RESULT.md", result.as_bytes())?;
    evidence += &format!("# What the author reported (RESULT.md)\n\n{}\n", quoted(&ends(&result, RESULT_CUT)));
    if let Some(b) = &s.branch {
        let repository = Path::new(&b.repository);
        let tree = hash.trim_start_matches("tree:").split('+').next().unwrap_or_default();
        let diff = worktree::diff(repository, &b.base, tree, false)?;
        put("DIFF.patch", &diff)?;
        let whole = worktree::export(repository, &b.base, tree, &copy.join("tree"), WHOLE_TREE)?;
        let diff = String::from_utf8_lossy(&diff);
        evidence += &match diff.trim() {
            "" => "\n# The change (DIFF.patch)\n\nThe diff is empty: nothing was changed.\n".to_owned(),
            diff => format!("\n# The change (DIFF.patch)\n\n{}\n", quoted(&ends(diff, DIFF_CUT))),
        };
        let all = if whole { "all files as they are with the change" } else { "the files that changed, as they are now" };
        evidence += &format!("\nThe folder `tree` holds {all}.\n");
    }
    for (i, name) in s.artefacts.iter().enumerate() {
        let from = within(&s.directory, name)?;
        let to = copy.join("artefacts").join(name_below(name).map_err(ZoneError::Name)?);
        for file in files(&from) {
            let at = file.strip_prefix(&from).ok().filter(|rest| rest.components().count() > 0).map_or(to.clone(), |rest| to.join(rest));
            if let Some(parent) = at.parent() {
                std::fs::create_dir_all(parent).map_err(wrong(parent))?;
            }
            let wrong = |source| EvidenceError::Read { path: file.clone(), source };
            if std::fs::metadata(&file).map_err(wrong)?.len() <= LARGEST_COPY {
                std::fs::copy(&file, &at).map_err(|source| EvidenceError::Read { path: file.clone(), source })?;
            }
            if i < MOST_ARTEFACTS {
                let told = described(&file)?;
                let shown = at.strip_prefix(copy).unwrap_or(&at).display();
                evidence += &format!("\n# Delivered: {} ({shown})\n\n{told}\n", name.replace('\n', " "));
            }
        }
    }
    put(EVIDENCE, evidence.as_bytes())?;
    lock(copy, false);
    Ok(hash)
}

fn head(path: &Path) -> Result<String, EvidenceError> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|source| EvidenceError::Read { path: path.to_owned(), source })?;
    file.take(READ_CUT).read_to_end(&mut bytes).map_err(|source| EvidenceError::Read { path: path.to_owned(), source })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A file's text, or what can be told of one that has none.
fn described(path: &Path) -> Result<String, EvidenceError> {
    let text = head(path)?;
    let bytes = std::fs::metadata(path).map_err(|source| EvidenceError::Read { path: path.to_owned(), source })?.len();
    if text.contains('\0') || text.contains('\u{fffd}') || bytes > LARGEST_COPY {
        let copied = if bytes > LARGEST_COPY { ", and too large to be copied" } else { "" };
        return Ok(format!("Not text{copied}: {bytes} bytes."));
    }
    Ok(quoted(&ends(&text, ARTEFACT_CUT)))
}

/// A text in a fence that nothing in it ends.
fn quoted(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{}\n{fence}", text.trim_end())
}

/// Takes the right to write away from a folder and what is in it, or gives it back to its owner.
fn lock(path: &Path, open: bool) {
    let Ok(meta) = std::fs::symlink_metadata(path) else { return };
    if meta.is_symlink() {
        return;
    }
    let mode = meta.permissions().mode();
    let mode = if open { mode | 0o700 } else { mode & !0o222 };
    if meta.is_dir() {
        if open {
            let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
        }
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            lock(&entry.path(), open);
        }
    }
    if !open {
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
    }
}

fn discard(copy: &Path) {
    if !copy.exists() {
        return;
    }
    lock(copy, true);
    if let Err(e) = std::fs::remove_dir_all(copy) {
        tracing::warn!("the reviewer's copy {} cannot be removed: {e}", copy.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(dir: &Path) -> Subject {
        std::fs::create_dir_all(dir.join("out/deep")).unwrap();
        std::fs::write(dir.join("result.md"), "Done: see ```out```.\n").unwrap();
        std::fs::write(dir.join("out/a.txt"), "alpha\n").unwrap();
        std::fs::write(dir.join("out/deep/b.bin"), [0, 1, 2]).unwrap();
        Subject { directory: dir.to_owned(), result_file: Some(dir.join("result.md")), artefacts: vec!["out".into()], branch: None }
    }

    #[test]
    fn the_copy_holds_what_was_delivered_and_a_change_shows_in_the_hash() {
        let dir = tempfile::tempdir().unwrap();
        let (s, copy) = (subject(dir.path()), dir.path().join("copy"));
        let first = gather(&s, &copy).unwrap();
        assert!(first.starts_with("sha256:"));
        assert_eq!(std::fs::read_to_string(copy.join("artefacts/out/a.txt")).unwrap(), "alpha\n");
        let evidence = std::fs::read_to_string(copy.join(EVIDENCE)).unwrap();
        assert!(evidence.contains("alpha") && evidence.contains("Not text: 3 bytes"), "{evidence}");
        assert!(evidence.contains("````\nDone: see ```out```.\n````"), "no text gets out of its fence: {evidence}");
        let mode = std::fs::metadata(copy.join("artefacts/out/a.txt")).unwrap().permissions().mode();
        assert_eq!(mode & 0o222, 0, "it is for reading");
        assert_eq!(gather(&s, &copy).unwrap(), first, "again, over what is there");
        std::fs::write(dir.path().join("out/a.txt"), "beta\n").unwrap();
        assert_ne!(hash(&s).unwrap(), first);
        discard(&copy);
        assert!(!copy.exists());
    }

    #[test]
    fn nothing_from_outside_the_authors_folder_reaches_a_reviewer() {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, "hunter2\n").unwrap();
        let own = dir.path().join("own");
        std::fs::create_dir(&own).unwrap();
        let s = subject(&own);
        std::os::unix::fs::symlink(&secret, own.join("link")).unwrap();
        std::os::unix::fs::symlink(&secret, own.join("out/link")).unwrap();
        let copy = dir.path().join("copy");
        for name in ["../secret", &secret.to_string_lossy(), "link", "gone"] {
            let s = Subject { artefacts: vec![name.to_owned()], ..s.clone() };
            assert!(matches!(hash(&s), Err(EvidenceError::Zone(_))), "{name}");
            assert!(matches!(gather(&s, &copy), Err(EvidenceError::Zone(_))), "{name}");
        }
        // A link below what is declared is left out, and so is what would make its reader wait.
        let _socket = std::os::unix::net::UnixListener::bind(own.join("out/socket")).unwrap();
        gather(&s, &copy).unwrap();
        let told = std::fs::read_to_string(copy.join(EVIDENCE)).unwrap();
        assert!(told.contains("alpha") && !told.contains("hunter2") && !copy.join("artefacts/out/link").exists(), "{told}");
    }
}
