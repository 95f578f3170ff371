//! Starting shims and looking at what stands behind an attempt. Two implementations: the operating system's, and the
//! simulation's. Everything that they find out comes back as an `Input`.

use super::input::{Input, Probe};
use crate::domain::{AttemptId, ExitReport, ProcessIdentity};
use crate::os::{files as osfiles, process};
use crate::store::OpenAttempt;
use crate::wire::{AttemptSpec, attempt_mark, files};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::sync::mpsc;

/// Everything that a start takes.
pub struct Launch {
    pub spec: AttemptSpec,
    /// The attempt's secret: goes through the shim's standard input, nowhere else.
    pub token: String,
    /// The system text, the prompt, and the list of parts as JSON.
    pub system: String,
    pub prompt: String,
    pub parts: String,
    /// Further files that the backend's description wants in the attempt's folder.
    pub files: std::collections::BTreeMap<String, String>,
}

/// How attempts get their processes.
pub trait Launcher {
    /// Starts the attempt's shim, which says hello by itself. Answered by `Input::ShimGone` when it has ended, or by
    /// `Input::NotLaunched`.
    fn launch(&mut self, launch: Launch);
    /// Looks at what stands behind an attempt whose shim is unknown or gone. Answered by `Input::Probed`; a living shim is
    /// watched from then on (`Input::ShimGone`).
    fn probe(&mut self, attempt: &OpenAttempt);
}

/// The real one: processes, and files under `run/spool/`.
pub struct OsLauncher {
    shim: PathBuf,
    spool: PathBuf,
    workspace_id: String,
    inputs: mpsc::Sender<Input>,
}

impl OsLauncher {
    /// `shim` is the program `orc-shim`; `spool` the folder of the attempts' directories.
    pub fn new(shim: PathBuf, spool: PathBuf, workspace_id: String, inputs: mpsc::Sender<Input>) -> OsLauncher {
        OsLauncher { shim, spool, workspace_id, inputs }
    }

    fn start(&self, launch: &Launch) -> Result<tokio::process::Child, String> {
        let dir = self.spool.join(launch.spec.attempt.to_string());
        let write = |name: &str, text: &str| {
            osfiles::write_atomic(&dir.join(name), text.as_bytes(), osfiles::Durable::No).map_err(|e| e.to_string())
        };
        osfiles::private_dir(&dir).map_err(|e| e.to_string())?;
        write(files::SYSTEM, &launch.system)?;
        write(files::PROMPT, &launch.prompt)?;
        write(files::PARTS, &launch.parts)?;
        for (name, text) in &launch.files {
            write(name, text)?;
        }
        write(files::SPEC, &serde_json::to_string(&launch.spec).map_err(|e| e.to_string())?)?;
        let log = osfiles::append_to(&dir.join(files::SHIM_LOG)).map_err(|e| e.to_string())?;
        // Far less than a pipe holds: it is there before the shim asks, whatever this engine does next.
        let (stdin, mut token) = std::io::pipe().map_err(|e| format!("cannot make a pipe: {e}"))?;
        token.write_all(format!("{}\n", launch.token).as_bytes()).map_err(|e| format!("cannot write to a pipe: {e}"))?;
        tokio::process::Command::new(&self.shim)
            .arg("run")
            .arg(&dir)
            .env("ORC_ATTEMPT", launch.spec.mark())
            .current_dir("/")
            .stdin(stdin)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|e| format!("cannot start {}: {e}. It belongs beside the program `orc`", self.shim.display()))
    }
}

impl Launcher for OsLauncher {
    fn launch(&mut self, launch: Launch) {
        let attempt = launch.spec.attempt;
        let inputs = self.inputs.clone();
        match self.start(&launch) {
            Ok(mut child) => tokio::spawn(async move {
                let _ = child.wait().await;
                let _ = inputs.send(Input::ShimGone { attempt }).await;
            }),
            Err(message) => tokio::spawn(async move {
                let _ = inputs.send(Input::NotLaunched { attempt, message }).await;
            }),
        };
    }

    fn probe(&mut self, attempt: &OpenAttempt) {
        let id = attempt.attempt.id;
        let dir = self.spool.join(id.to_string());
        let mark = attempt_mark(&self.workspace_id, id);
        let known = attempt.attempt.shim.clone();
        let (inputs, shim) = (self.inputs.clone(), self.shim.clone());
        tokio::spawn(async move {
            let first = tokio::task::spawn_blocking(move || look(&dir, known)).await.unwrap_or(Look::Gone);
            let probe = match first {
                Look::Is(probe) => probe,
                Look::Gone => sweep(&shim, &mark).await,
            };
            let alive = match &probe {
                Probe::Alive(identity) => Some(identity.clone()),
                _ => None,
            };
            if inputs.send(Input::Probed { attempt: id, probe }).await.is_err() {
                return;
            }
            if let Some(identity) = alive {
                gone(&identity).await;
                let _ = inputs.send(Input::ShimGone { attempt: id }).await;
            }
        });
    }
}

enum Look {
    Is(Probe),
    /// No report and no shim: what is left has to be ended before the attempt may count as lost.
    Gone,
}

/// What the attempt's directory and `/proc` say, in an order that leaves no gap: report, living shim, ownership.
fn look(dir: &Path, known: Option<ProcessIdentity>) -> Look {
    if let Some(report) = read_json::<ExitReport>(&dir.join(files::EXIT)) {
        return Look::Is(Probe::Exited(Box::new(report)));
    }
    let shim = read_json::<ProcessIdentity>(&dir.join(files::SHIM)).or(known);
    if let Some(identity) = &shim
        && process::alive(identity)
    {
        return Look::Is(Probe::Alive(identity.clone()));
    }
    // It may have left its report between the two looks.
    if let Some(report) = read_json::<ExitReport>(&dir.join(files::EXIT)) {
        return Look::Is(Probe::Exited(Box::new(report)));
    }
    // Nobody has decided yet: fence it, and it will never start.
    let owner = dir.join(files::OWNER);
    let fenced = osfiles::private_dir(dir).and_then(|()| osfiles::create_new(&owner, b"fenced"));
    let never = match fenced {
        Ok(()) => true,
        Err(e) if e.exists() => std::fs::read(&owner).is_ok_and(|text| text == b"fenced"),
        Err(_) => false,
    };
    if never { Look::Is(Probe::Never) } else { Look::Gone }
}

/// Ends every process that carries the attempt's mark, in a process of its own: the engine must not wait for children.
async fn sweep(shim: &Path, mark: &str) -> Probe {
    let out = tokio::process::Command::new(shim).arg("--sweep").arg(mark).stdin(Stdio::null()).output().await;
    match out {
        Ok(out) if out.status.success() => Probe::Lost,
        Ok(out) => Probe::Leftovers(String::from_utf8_lossy(&out.stdout).trim().parse().unwrap_or(1)),
        Err(e) => {
            tracing::error!("cannot run {}: {e}", shim.display());
            Probe::Leftovers(1)
        }
    }
}

/// Waits until a process that is not our child has ended.
async fn gone(identity: &ProcessIdentity) {
    let Some(handle) = process::Handle::of(identity) else { return };
    #[expect(deprecated, reason = "its replacement asks for an unsafe block; the handle owns its descriptor")]
    let Ok(fd) = tokio::io::unix::AsyncFd::new(handle) else { return };
    let _ = fd.readable().await;
}

pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// The events of an attempt's spool after `seq`, for a report whose shim is not there to send them.
///
/// # Errors
/// The file cannot be read.
pub fn spooled_after(spool: &Path, attempt: AttemptId, seq: u64) -> std::io::Result<Vec<crate::wire::SpooledEvent>> {
    use std::io::BufRead;
    let file = match std::fs::File::open(spool.join(attempt.to_string()).join(files::SPOOL)) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut events = Vec::new();
    for line in std::io::BufReader::new(file).split(b'\n') {
        // A torn last line is what a power cut leaves.
        if let Ok(event) = serde_json::from_slice::<crate::wire::SpooledEvent>(&line?)
            && event.seq > seq
        {
            events.push(event);
        }
    }
    Ok(events)
}
