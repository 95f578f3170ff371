//! What a job delivers, for whoever looks at it: its declared files and what its branch changes. Names come from agents and plans,
//! so nothing but what was declared is read, and nothing outside of the folder that it was declared in.

use crate::domain::{Attempt, Deliverable, FileForm, HEAD, Job, JobId, Timestamp, form_of, kind_of, name_below, picture};
use crate::os::git::{Git, GitError};
use crate::os::worktree;
use crate::os::zone::{ZoneError, within};
use crate::store::{Branch, Store, StoreError};
use crate::wire::FileContent;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Files of a declared folder that are listed at most, and how deep it is looked into.
const MOST_FILES: usize = 200;
const DEEPEST: usize = 8;
/// What git holds of a file beyond this is not read, in bytes.
const LARGEST_BLOB: u64 = 64 << 20;

/// Why a deliverable cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DeliverableError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("job {job} declares no file `{}`: `orc job files {job}` lists what it delivers", name.escape_debug())]
    Undeclared { job: JobId, name: String },
    #[error("{name}: {why}")]
    NotThere { name: String, why: String },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
}

/// Where the files of a job are looked for.
struct Places {
    /// Where it worked; `None` where that has gone on to another job.
    folder: Option<PathBuf>,
    /// Where the work tree has gone on to another job, or is put away: what git keeps of it.
    branch: Option<Branch>,
}

/// Where one file is.
enum Found {
    Path(PathBuf),
    Blob { branch: Branch, path: String, bytes: u64 },
}

impl Places {
    fn of(store: &Store, job: &Job, attempts: &[Attempt]) -> Result<Places, StoreError> {
        let branch = store.branch(job.id)?;
        let worked = attempts.iter().max_by_key(|a| a.number).map(|a| PathBuf::from(&a.directory));
        let moved_on = |b: &Branch, dir: &Path| {
            dir == Path::new(&b.tree) && !worktree::branch_of(dir).is_ok_and(|on| on.as_deref() == Some(b.name.as_str()))
        };
        let folder = worked.filter(|dir| !branch.as_ref().is_some_and(|b| moved_on(b, dir)));
        Ok(Places { folder, branch })
    }

    fn find(&self, name: &str) -> Result<Found, ZoneError> {
        let found = self.folder.as_ref().map(|folder| within(folder, name));
        let wrong = match found {
            Some(Ok(path)) => return Ok(Found::Path(path)),
            Some(Err(e)) => Some(e),
            None => None,
        };
        let path = name_below(name)?;
        let nothing = || ZoneError::Read { path: path.clone(), source: std::io::ErrorKind::NotFound.into() };
        let wrong = wrong.unwrap_or_else(nothing);
        match &self.branch {
            Some(b) if wrong.missing() => {
                let path = path.to_string_lossy().into_owned();
                let size = Git::at(Path::new(&b.repository)).run(&["cat-file", "-s", &format!("{}:{path}", b.name)]);
                match size.ok().and_then(|s| s.parse().ok()) {
                    Some(bytes) => Ok(Found::Blob { branch: b.clone(), path, bytes }),
                    None => Err(wrong),
                }
            }
            _ => Err(wrong),
        }
    }
}

/// Everything that a job delivers: its declared files in their order, folders file by file, and its branch last.
///
/// # Errors
/// The database.
pub fn list(store: &Store, job: &Job, attempts: &[Attempt]) -> Result<Vec<Deliverable>, StoreError> {
    let branch = store.branch(job.id)?;
    let mut all = Vec::new();
    if !job.spec.artefacts.is_empty() {
        let places = Places::of(store, job, attempts)?;
        for name in &job.spec.artefacts {
            match places.find(name) {
                Ok(Found::Path(path)) if path.is_dir() => {
                    let before = all.len();
                    below(&path, name.trim_end_matches('/'), DEEPEST, before + MOST_FILES, &mut all);
                    if all.len() == before {
                        all.push(plain(name, FileForm::Missing, "the folder is empty".to_owned()));
                    }
                }
                Ok(Found::Path(path)) => all.push(look(&path, name)),
                Ok(Found::Blob { branch, path, bytes }) => {
                    let form = if bytes > LARGEST_BLOB {
                        FileForm::Binary
                    } else {
                        blob(&branch, &path).map_or(FileForm::Missing, |b| form_of(name, &b[..b.len().min(HEAD)]))
                    };
                    all.push(Deliverable { bytes: Some(bytes), ..plain(name, form, format!("as committed on {}", branch.name)) });
                }
                Err(e) if e.missing() => {
                    let says = if attempts.is_empty() || !job.state.is_final() { "not there yet" } else { "not there" };
                    all.push(plain(name, FileForm::Missing, says.to_owned()));
                }
                Err(e) => all.push(plain(name, FileForm::Refused, e.to_string())),
            }
        }
    }
    if let Some(b) = branch {
        let says = if b.merged_at.is_some() { "merged" } else { "not merged" };
        all.push(Deliverable { changed_at: Some(b.merged_at.unwrap_or(b.made_at)), ..plain(&b.name, FileForm::Diff, says.to_owned()) });
    }
    Ok(all)
}

fn plain(name: &str, form: FileForm, note: String) -> Deliverable {
    Deliverable { name: name.to_owned(), form, bytes: None, changed_at: None, note }
}

/// A file as it lies there.
fn look(path: &Path, name: &str) -> Deliverable {
    let read = std::fs::metadata(path).and_then(|meta| Ok((meta, head(path, HEAD as u64)?)));
    match read {
        Ok((meta, head)) => {
            let changed = meta.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
            Deliverable {
                bytes: Some(meta.len()),
                changed_at: changed.map(|t| Timestamp(t.as_millis() as i64)),
                ..plain(name, form_of(name, &head), String::new())
            }
        }
        Err(e) => plain(name, FileForm::Refused, format!("cannot be read: {e}")),
    }
}

fn head(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The files below a folder, in order; no links.
fn below(dir: &Path, name: &str, depth: usize, most: usize, all: &mut Vec<Deliverable>) {
    let mut entries: Vec<_> = std::fs::read_dir(dir).into_iter().flatten().flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        if all.len() >= most {
            return;
        }
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => below(&entry.path(), &name, depth - 1, most, all),
            Ok(kind) if kind.is_file() => all.push(look(&entry.path(), &name)),
            _ => {}
        }
    }
}

fn blob(b: &Branch, path: &str) -> Result<Vec<u8>, GitError> {
    Git::at(Path::new(&b.repository)).bytes(&["cat-file", "blob", &format!("{}:{path}", b.name)])
}

/// True for a declared file, and for what lies below a declared folder.
fn declared(job: &Job, name: &str) -> bool {
    let is = |a: &String| a == name || name.strip_prefix(a.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'));
    job.spec.artefacts.iter().any(is)
}

/// A deliverable as it is: its first bytes, at most `most` of them, how many there are, and where they come from.
///
/// # Errors
/// It was not declared, is not there or lies outside; the database; git.
pub fn read(store: &Store, id: JobId, name: &str, most: u64) -> Result<(Vec<u8>, u64, String), DeliverableError> {
    let job = store.job(id)?.ok_or(StoreError::NoJob(id))?;
    if let Some(b) = store.branch(id)?.filter(|b| b.name == name) {
        let repository = Path::new(&b.repository);
        let content = worktree::content(repository, Path::new(&b.tree), &b.name)?;
        let mut diff = worktree::diff(repository, &b.base, &content, false)?;
        let whole = diff.len() as u64;
        diff.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        return Ok((diff, whole, format!("{} since {}", b.name, b.base.get(..12).unwrap_or(&b.base))));
    }
    if !declared(&job, name) {
        return Err(DeliverableError::Undeclared { job: id, name: name.to_owned() });
    }
    let not_there = |why: String| DeliverableError::NotThere { name: name.to_owned(), why };
    match Places::of(store, &job, &store.attempts(id)?)?.find(name) {
        Ok(Found::Path(path)) if path.is_dir() => Err(not_there("it is a folder: name a file in it".to_owned())),
        Ok(Found::Path(path)) => {
            let read = head(&path, most).and_then(|bytes| Ok((bytes, std::fs::metadata(&path)?.len())));
            let (bytes, whole) = read.map_err(|source| DeliverableError::Read { path: path.clone(), source })?;
            Ok((bytes, whole, path.display().to_string()))
        }
        Ok(Found::Blob { bytes, .. }) if bytes > LARGEST_BLOB => Err(not_there("too large to be read from git".to_owned())),
        Ok(Found::Blob { branch, path, bytes }) => {
            let mut content = blob(&branch, &path)?;
            content.truncate(usize::try_from(most).unwrap_or(usize::MAX));
            Ok((content, bytes, format!("{} as committed on {}", path, branch.name)))
        }
        Err(e) if e.missing() => Err(not_there("it is not there".to_owned())),
        Err(e) => Err(not_there(e.to_string())),
    }
}

/// A deliverable for a screen: its text up to a cut, or what can be told of what has none.
///
/// # Errors
/// As `read`.
pub fn content(store: &Store, id: JobId, name: &str, most: usize) -> Result<FileContent, DeliverableError> {
    let (bytes, whole, from) = read(store, id, name, most.max(HEAD) as u64)?;
    let is_branch = store.branch(id)?.is_some_and(|b| b.name == name);
    let form = if is_branch { FileForm::Diff } else { form_of(name, &bytes[..bytes.len().min(HEAD)]) };
    let shown = &bytes[..bytes.len().min(most)];
    let text = if form.is_text() { String::from_utf8_lossy(shown).into_owned() } else { String::new() };
    Ok(FileContent {
        job: id,
        name: name.to_owned(),
        form,
        bytes: whole,
        cut: form.is_text() && whole > shown.len() as u64,
        text,
        kind: if form == FileForm::Binary { kind_of(&bytes).to_owned() } else { String::new() },
        picture: picture(&bytes),
        from,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Workspace, init};
    use crate::domain::{JobSpec, ProjectId};
    use crate::os::clock;
    use crate::store::{Claim, NewWorker};
    use std::os::unix::fs::symlink;

    /// A workspace with one job that works in `dir`, and what is in it.
    struct Place {
        root: tempfile::TempDir,
        workspace: Workspace,
        store: Store,
        job: JobId,
    }

    impl Place {
        fn new(artefacts: &[&str]) -> Place {
            let root = tempfile::tempdir().unwrap();
            let (workspace, _) = init(&root.path().join("w")).unwrap();
            let mut store = Store::open(&workspace.database()).unwrap();
            let dir = root.path().join("dir");
            std::fs::create_dir(&dir).unwrap();
            let now = clock::now();
            let job = store
                .write(|tx| {
                    let worker = NewWorker {
                        name: "w".into(),
                        backend: "claude".into(),
                        model: None,
                        persona: None,
                        skills: Vec::new(),
                        persistent: true,
                        project_id: None,
                        directory: dir.to_string_lossy().into_owned(),
                    };
                    let worker = tx.add_worker(&worker, "t", now)?;
                    let spec =
                        JobSpec { artefacts: artefacts.iter().map(|a| (*a).to_owned()).collect(), ..JobSpec::new("t", "claude", "p") };
                    let job = tx.add_job(&spec, "t", now)?.job;
                    let claim = Claim {
                        job,
                        worker,
                        worker_name: "w".into(),
                        backend: "claude".into(),
                        model: None,
                        epoch: 1,
                        host: "h".into(),
                        token_hash: String::new(),
                        session: None,
                        directory: dir.to_string_lossy().into_owned(),
                        estimate: 0,
                    };
                    tx.claim(&claim, now)?.expect("it is queued");
                    Ok::<_, StoreError>(job)
                })
                .unwrap();
            Place { root, workspace, store, job }
        }

        fn write(&self, name: &str, bytes: &[u8]) {
            let path = self.root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }

        fn list(&self) -> Vec<Deliverable> {
            let job = self.store.job(self.job).unwrap().unwrap();
            list(&self.store, &job, &self.store.attempts(self.job).unwrap()).unwrap()
        }

        fn content(&self, name: &str) -> Result<FileContent, DeliverableError> {
            content(&self.store, self.job, name, 16)
        }
    }

    #[test]
    fn declared_files_are_listed_with_their_forms_and_opened_up_to_a_cut() {
        let p = Place::new(&["report.md", "out", "gone.txt", "shot.png"]);
        p.write("dir/report.md", "# Seventeen bytes\nand more".as_bytes());
        p.write("dir/out/b/change.patch", b"--- a\n+++ b\n");
        p.write("dir/out/a.bin", &[0, 1]);
        p.write("dir/shot.png", &[b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &[0, 0, 0, 9, 0, 0, 0, 8]].concat());
        let seen: Vec<_> = p.list().into_iter().map(|d| (d.name, d.form, d.bytes)).collect();
        let want = [
            ("report.md", FileForm::Markdown, Some(26)),
            ("out/a.bin", FileForm::Binary, Some(2)),
            ("out/b/change.patch", FileForm::Diff, Some(12)),
            ("gone.txt", FileForm::Missing, None),
            ("shot.png", FileForm::Image, Some(24)),
        ];
        assert_eq!(seen, want.map(|(name, form, bytes)| (name.to_owned(), form, bytes)));
        let report = p.content("report.md").unwrap();
        assert_eq!((report.text.as_str(), report.bytes, report.cut), ("# Seventeen byte", 26, true));
        assert_eq!(p.content("out/b/change.patch").unwrap().text, "--- a\n+++ b\n");
        let shot = p.content("shot.png").unwrap();
        assert_eq!(shot.picture.map(|p| (p.width, p.height)), Some((9, 8)));
        assert_eq!((shot.text.as_str(), p.content("out/a.bin").unwrap().kind.as_str()), ("", "data"));
        assert!(p.content("gone.txt").unwrap_err().to_string().contains("not there"));
    }

    #[test]
    fn nothing_but_what_was_declared_is_read() {
        let p = Place::new(&["link", "out"]);
        p.write("secret", b"s");
        p.write("dir/other", b"o");
        p.write("dir/out/x", b"x");
        symlink(p.root.path().join("secret"), p.root.path().join("dir/link")).unwrap();
        symlink(p.root.path().join("secret"), p.root.path().join("dir/out/link")).unwrap();
        let seen: Vec<_> = p.list().into_iter().map(|d| (d.name, d.form)).collect();
        let refused = FileForm::Refused;
        assert_eq!(seen, [("link".to_owned(), refused), ("out/x".to_owned(), FileForm::Text)]);
        for name in ["link", "out/link", "out/../other", "out"] {
            assert!(matches!(p.content(name), Err(DeliverableError::NotThere { .. })), "{name}");
        }
        for name in ["other", "../secret", "/etc/passwd", "outer", ""] {
            assert!(matches!(p.content(name), Err(DeliverableError::Undeclared { .. })), "{name}");
        }
    }

    #[test]
    fn a_branch_is_a_deliverable_and_keeps_its_files_when_its_tree_has_gone_on() {
        let p = Place::new(&["a.md"]);
        let (repo, tree) = (p.root.path().join("repo"), p.root.path().join("dir"));
        std::fs::create_dir(&repo).unwrap();
        let git = Git::at(&repo);
        git.run(&["init", "--quiet", "--initial-branch=main"]).unwrap();
        p.write("repo/a.md", b"old\n");
        git.run(&["add", "."]).unwrap();
        git.commit(&["commit", "--quiet", "-m", "first"]).unwrap();
        std::fs::remove_dir(&tree).unwrap();
        let ready = worktree::prepare(&repo, &tree, None, "orc/job-1").unwrap();
        p.write("dir/a.md", b"new\n");
        let project = ProjectId(1);
        let (at, text) = (clock::now(), |p: &Path| p.to_string_lossy().into_owned());
        let mut store = Store::open(&p.workspace.database()).unwrap();
        store
            .write(|tx| {
                tx.add_project("p", None, "t", at)?;
                let (repository, tree) = (text(&repo), text(&tree));
                tx.set_branch(&Branch {
                    job: p.job,
                    project,
                    repository,
                    tree,
                    name: ready.branch,
                    base: ready.base,
                    made_at: at,
                    merged_at: None,
                })
            })
            .unwrap();
        assert_eq!(p.content("a.md").unwrap().text, "new\n");
        worktree::prepare(&repo, &tree, None, "orc/job-2").unwrap();
        p.write("dir/a.md", b"another job's\n");
        let kept = p.content("a.md").unwrap();
        assert_eq!((kept.text.as_str(), kept.form), ("new\n", FileForm::Markdown));
        let seen: Vec<_> = p.list().into_iter().map(|d| (d.name, d.form, d.note)).collect();
        assert_eq!(seen[0], ("a.md".into(), FileForm::Markdown, "as committed on orc/job-1".into()));
        assert_eq!(seen[1], ("orc/job-1".into(), FileForm::Diff, "not merged".into()));
        let (diff, ..) = read(&p.store, p.job, "orc/job-1", 1 << 20).unwrap();
        assert!(String::from_utf8(diff).unwrap().contains("-old\n+new\n"));
    }
}
