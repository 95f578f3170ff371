//! Starting the agent: its environment, its pipes, its identity on disk, and the prompt.

use super::exec::{COMPLAINT, NOT_FOUND, NOT_STARTED};
use super::prepare::Prepared;
use crate::domain::ProcessIdentity;
use crate::os::cgroup::{Cgroup, Containment, containment};
use crate::os::files::{self, Durable};
use crate::os::{process, tree};
use crate::wire::{AttemptSpec, files as names};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// This very program, also after an upgrade has put another one in its place.
const SELF: &str = "/proc/self/exe";
/// Where programs are sought when nothing says otherwise.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// How much of the prompt is in memory at a time.
const PROMPT_CHUNK: usize = 16 << 10;

/// A started agent, which waits for [`feed`] before it does anything.
pub struct Agent {
    pub child: Child,
    pub identity: ProcessIdentity,
    pub stdin: ChildStdin,
    pub stdout: ChildStdout,
    pub stderr: ChildStderr,
    pub prompt: File,
    /// Its control group, where the host lets us have one.
    pub cgroup: Option<Cgroup>,
}

/// Starts the agent's process and notes who it is. On failure, a line for people that says what to do.
pub fn start(prepared: &Prepared) -> Result<Agent, String> {
    let Prepared { dir, spec, token, identity: shim } = prepared;
    let prompt =
        File::open(&spec.prompt_file).map_err(|e| format!("cannot read the prompt {}: {e}; retry the job", spec.prompt_file.display()))?;
    files::private_dir(&spec.cwd).map_err(|e| format!("{e}; choose another directory for the job"))?;
    files::private_dir(&dir.join(names::TMP)).map_err(|e| e.to_string())?;
    let mut child = Command::new(SELF)
        .arg0("orc-shim")
        .arg("--exec")
        .arg(shim.pid.to_string())
        .arg("--")
        .args(&spec.argv)
        .env_clear()
        .envs(environment(std::env::vars_os(), spec, dir, token))
        .current_dir(&spec.cwd)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot start a process in {}: {e}", spec.cwd.display()))?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).ok_or("the agent ended before it began")?;
    // Not waited for yet, so the number is still its own, whatever has become of it.
    let identity = process::identity(pid).ok_or("cannot read the agent's identity from /proc")?;
    let json = serde_json::to_vec(&identity).expect("plain data serialises");
    // No fsync: what it names cannot outlive this boot, and until then every reader sees it from the kernel's memory.
    files::write_atomic(&dir.join(names::AGENT), &json, Durable::No).map_err(|e| e.to_string())?;
    let cgroup = enclose(spec, pid);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else { return Err("the agent has no pipes".to_owned()) };
    Ok(Agent { child, identity, stdin, stdout, stderr, prompt, cgroup })
}

fn enclose(spec: &AttemptSpec, pid: i32) -> Option<Cgroup> {
    let Containment::Cgroup { base } = containment() else { return None };
    let name = format!("attempt-{}-{}", spec.attempt, pid);
    let group = Cgroup::create(&base, &name, spec.limits.memory_max_bytes).and_then(|group| group.add(pid).map(|()| group));
    group.inspect_err(|e| super::run::say(&format!("no control group for this attempt: {e}"))).ok()
}

/// Lets the agent begin: the go for `--exec`, the prompt, end of file. An agent that closes its input early has read enough.
pub async fn feed(mut stdin: ChildStdin, mut prompt: File) -> io::Result<()> {
    let mut chunk = vec![0; PROMPT_CHUNK];
    chunk[0] = b'\n';
    let mut n = 1;
    while n > 0 {
        match stdin.write_all(&chunk[..n]).await {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            other => other?,
        }
        n = prompt.read(&mut chunk)?;
    }
    Ok(())
}

/// What the agent finds in its environment: what this process inherited, less what the backend removes, plus what is ours.
fn environment(
    inherited: impl Iterator<Item = (OsString, OsString)>,
    spec: &AttemptSpec,
    dir: &Path,
    token: &str,
) -> BTreeMap<OsString, OsString> {
    let mut env: BTreeMap<OsString, OsString> = inherited.filter(|(name, _)| !is_removed(name, &spec.env_remove)).collect();
    env.extend(spec.env.iter().map(|(name, value)| (name.into(), value.into())));
    if !spec.path_prefix.is_empty() {
        let rest = env.get(OsStr::new("PATH")).cloned().unwrap_or_else(|| PATH.into());
        let parts = spec.path_prefix.iter().cloned().chain(std::env::split_paths(&rest));
        // A folder with a colon in its name cannot be on a PATH; the others still are.
        if let Ok(path) = std::env::join_paths(parts.filter(|p| !p.as_os_str().as_encoded_bytes().contains(&b':'))) {
            env.insert("PATH".into(), path);
        }
    }
    env.insert("TMPDIR".into(), dir.join(names::TMP).into());
    env.insert(tree::MARK.into(), spec.mark().into());
    env.insert("ORC_TOKEN".into(), token.into());
    env
}

fn is_removed(name: &OsStr, patterns: &[String]) -> bool {
    let name = name.as_encoded_bytes();
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start.as_bytes()),
        None => name == pattern.as_bytes(),
    })
}

/// The complaint of `--exec`, if that is how the agent ended, with what to do about it.
pub fn not_started(code: Option<i32>, stderr_tail: &str, backend: &str) -> Option<String> {
    if code != Some(NOT_FOUND.into()) && code != Some(NOT_STARTED.into()) {
        return None;
    }
    let complaint = stderr_tail.lines().find_map(|line| line.strip_prefix(COMPLAINT))?;
    Some(format!("cannot start {complaint}; install the program of backend `{backend}`, or say where it is: `orc backend check` tells"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_removed_whole_or_by_their_beginning() {
        let patterns = ["AWS_*".to_owned(), "SECRET".to_owned()];
        let removed = |name: &str| is_removed(OsStr::new(name), &patterns);
        assert!(removed("AWS_KEY") && removed("SECRET") && removed("AWS_"));
        assert!(!removed("SECRETS") && !removed("XAWS_KEY") && !removed("PATH"));
    }

    #[test]
    fn only_our_own_complaint_means_a_missing_program() {
        let tail = format!("{COMPLAINT}claude: there is no such program on PATH\n");
        let message = not_started(Some(127), &tail, "claude").unwrap();
        assert!(message.contains("cannot start claude: there is no such program") && message.contains("orc backend check"), "{message}");
        assert_eq!(not_started(Some(127), "sh: foo: not found\n", "claude"), None);
        assert_eq!(not_started(Some(1), &tail, "claude"), None);
    }
}
