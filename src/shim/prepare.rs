//! From a bare process to the owner of an attempt.

use super::ShimError;
use crate::domain::ProcessIdentity;
use crate::os::{files, process};
use crate::wire::{AttemptSpec, PROTOCOL, files as names};
use std::fs::File;
use std::path::{Path, PathBuf};

/// More than any token; a line longer than this is not one.
const TOKEN_MAX: usize = 4096;

/// An attempt that this process owns.
pub struct Prepared {
    pub dir: PathBuf,
    pub spec: AttemptSpec,
    pub token: String,
    pub identity: ProcessIdentity,
}

/// Takes the token, leaves the engine's session, reads the description and claims the attempt.
///
/// # Errors
/// [`ShimError::Owned`] when another one was first: then the agent must never start. Otherwise what is wrong with the call.
pub fn prepare(dir: &Path) -> Result<Prepared, ShimError> {
    let token = token()?;
    // Refused to the leader of a group, which is one that a shell started by hand: nothing is lost then.
    let _ = rustix::process::setsid();
    let dir = std::path::absolute(dir).map_err(ShimError::start("find the attempt's folder"))?;
    redirect(&dir)?;
    // What the agent leaves behind comes to this process, and not to init, where nothing would tell whose it was.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(ShimError::start("become a subreaper"))?;
    let spec = spec(&dir.join(names::SPEC))?;
    let identity = process::this().ok_or(ShimError::Start { what: "read /proc/self/stat", source: std::io::ErrorKind::NotFound.into() })?;
    claim(&dir, &identity)?;
    Ok(Prepared { dir, spec, token, identity })
}

/// Reads the first line of standard input, which is given up afterwards.
fn token() -> Result<String, ShimError> {
    let mut token = Vec::new();
    let mut byte = [0u8; 256];
    let stdin = rustix::stdio::stdin();
    while token.len() < TOKEN_MAX && !token.contains(&b'\n') {
        match rustix::io::read(stdin, &mut byte) {
            Ok(0) => break,
            Ok(n) => token.extend_from_slice(&byte[..n]),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(ShimError::start("read the token from standard input")(e)),
        }
    }
    let line = token.split(|b| *b == b'\n').next().unwrap_or_default();
    let token = std::str::from_utf8(line).map_err(|_| ShimError::NoToken)?.trim();
    if token.is_empty() { Err(ShimError::NoToken) } else { Ok(token.to_owned()) }
}

fn redirect(dir: &Path) -> Result<(), ShimError> {
    let log = files::append_to(&dir.join(names::SHIM_LOG))?;
    let null = File::open("/dev/null").map_err(ShimError::start("open /dev/null"))?;
    rustix::stdio::dup2_stdin(&null).map_err(ShimError::start("close standard input"))?;
    rustix::stdio::dup2_stdout(&log).map_err(ShimError::start("redirect standard output"))?;
    rustix::stdio::dup2_stderr(&log).map_err(ShimError::start("redirect standard error"))
}

fn spec(path: &Path) -> Result<AttemptSpec, ShimError> {
    let bad = |problem: String| ShimError::Spec { path: path.to_owned(), problem };
    let bytes = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
    // The protocol is looked at first: a newer description need not parse as ours.
    #[derive(serde::Deserialize)]
    struct Version {
        protocol: u32,
    }
    let version: Version = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
    if version.protocol > PROTOCOL {
        return Err(ShimError::Protocol { got: version.protocol, known: PROTOCOL });
    }
    let spec: AttemptSpec = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
    if spec.argv.is_empty() { Err(bad("`argv` is empty".to_owned())) } else { Ok(spec) }
}

/// `shim.json` before `owner`, so that an engine that finds an owner also finds who it is. Neither is fsynced: they say something
/// about processes of this boot only, and whoever shares the boot sees them from the kernel's memory.
fn claim(dir: &Path, identity: &ProcessIdentity) -> Result<(), ShimError> {
    let json = serde_json::to_vec(identity).expect("plain data serialises");
    let once = |name: &str, bytes: &[u8]| match files::create_new(&dir.join(name), bytes) {
        Err(e) if e.exists() => Err(ShimError::Owned),
        other => Ok(other?),
    };
    if dir.join(names::OWNER).exists() {
        return Err(ShimError::Owned);
    }
    once(names::SHIM, &json)?;
    once(names::OWNER, b"shim")
}
