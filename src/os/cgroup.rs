//! One control group (v2) per attempt, where the service manager has delegated a subtree to this user; elsewhere attempts are
//! held together by subreaper and walk alone. Formats: the kernel's Documentation/admin-guide/cgroup-v2.rst.
//!
//! Under systemd (`Delegate=yes`) the unit's group is ours to divide. A group that has controllers enabled for its children
//! may hold no process itself, so the engine moves into the child `engine`; attempts are its siblings, and what
//! their limits hit is never the engine or a shim.

use super::OsError;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";
/// The child of the delegated group that holds the engine, its consoles and the shims.
const ENGINE: &str = "engine";
/// Processes and threads that one attempt may have at once: far above any build, far below what takes a host down.
const PIDS_MAX: u64 = 4096;

/// How an attempt's processes are held together on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Containment {
    /// A control group per attempt below this folder.
    Cgroup { base: PathBuf },
    /// Subreaper, and a walk over descendants and marks; and why no control group is used.
    Walk { why: &'static str },
}

impl fmt::Display for Containment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Containment::Cgroup { base } => write!(f, "a control group per attempt below {}", base.display()),
            Containment::Walk { why } => write!(f, "subreaper and process walk, no memory limit per attempt ({why})"),
        }
    }
}

/// Which containment is in force for what this process starts.
pub fn containment() -> Containment {
    containment_of("self")
}

/// The same for another process of this user: its pid.
pub fn containment_of_process(pid: i32) -> Containment {
    containment_of(&pid.to_string())
}

fn containment_of(process: &str) -> Containment {
    let Ok(own) = fs::read_to_string(format!("/proc/{process}/cgroup")) else {
        return Containment::Walk { why: "its control group cannot be read" };
    };
    containment_in(Path::new(ROOT), &own, is_delegated)
}

fn containment_in(root: &Path, own: &str, delegated: impl Fn(&Path) -> bool) -> Containment {
    if !root.join("cgroup.controllers").exists() {
        return Containment::Walk { why: "this host does not use cgroup v2" };
    }
    let Some(group) = own.lines().find_map(|line| line.strip_prefix("0::/")) else {
        return Containment::Walk { why: "this process is in no v2 control group" };
    };
    let group = root.join(group);
    let base = if group.ends_with(ENGINE) { group.parent().map(Path::to_owned).unwrap_or(group) } else { group };
    if delegated(&base) {
        Containment::Cgroup { base }
    } else {
        Containment::Walk { why: "the control group is not delegated to this user: run the engine as a systemd unit with Delegate=yes" }
    }
}

/// systemd notes a delegation in an extended attribute (systemd.resource-control(5), Delegate=). Being able to write is not
/// enough: root always can, and would then compete with the service manager.
fn is_delegated(group: &Path) -> bool {
    ["user.delegate", "trusted.delegate"].iter().any(|name| {
        let mut value = [0u8; 8];
        matches!(rustix::fs::getxattr(group, *name, &mut value[..]), Ok(n) if n >= 1 && value[0] == b'1')
    })
}

/// Moves the calling process into `engine` below the delegated group and hands the controllers on to its siblings. Called once
/// by an engine, before it starts anything.
///
/// # Errors
/// The kernel refuses (another process sits in the delegated group itself).
pub fn settle(base: &Path) -> Result<(), OsError> {
    let engine = base.join(ENGINE);
    make(&engine)?;
    put(&engine.join("cgroup.procs"), &std::process::id().to_string())?;
    let offered = fs::read_to_string(base.join("cgroup.controllers")).unwrap_or_default();
    let wanted: Vec<String> =
        offered.split_whitespace().filter(|c| matches!(*c, "memory" | "pids" | "cpu")).map(|c| format!("+{c}")).collect();
    if wanted.is_empty() { Ok(()) } else { put(&base.join("cgroup.subtree_control"), &wanted.join(" ")) }
}

/// The control group of one attempt.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Makes the group with its ceilings; `memory_max` 0 is none. A ceiling whose controller is not there is left out.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn create(base: &Path, name: &str, memory_max: u64) -> Result<Cgroup, OsError> {
        let group = Cgroup { path: base.join(name) };
        make(&group.path)?;
        for (file, value) in [("memory.max", memory_max), ("pids.max", PIDS_MAX)] {
            let file = group.path.join(file);
            if value > 0 && file.exists() {
                put(&file, &value.to_string())?;
            }
        }
        Ok(group)
    }

    /// Moves a process in; what it starts afterwards is in as well.
    ///
    /// # Errors
    /// The process is gone, or the kernel refuses.
    pub fn add(&self, pid: i32) -> Result<(), OsError> {
        put(&self.path.join("cgroup.procs"), &pid.to_string())
    }

    /// Kills every process in it at once, even one that forks without end (`cgroup.kill`, Linux 5.14).
    pub fn kill(&self) -> bool {
        put(&self.path.join("cgroup.kill"), "1").is_ok()
    }

    /// How many times its memory ceiling has had a process killed.
    pub fn oom_kills(&self) -> u64 {
        let events = fs::read_to_string(self.path.join("memory.events")).unwrap_or_default();
        events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
    }

    /// The processes in it.
    pub fn pids(&self) -> Vec<i32> {
        let text = fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Refused while a process is left in it; the engine's next sweep then has its mark to go by.
        let _ = fs::remove_dir(&self.path);
    }
}

fn make(path: &Path) -> Result<(), OsError> {
    match fs::create_dir(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(OsError::file("make the control group", path)(e)),
        _ => Ok(()),
    }
}

fn put(path: &Path, value: &str) -> Result<(), OsError> {
    fs::write(path, value).map_err(OsError::file("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn only_a_delegated_group_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert!(matches!(containment_in(root, "0::/a\n", |_| true), Containment::Walk { .. }), "no cgroup v2 there");
        fs::write(root.join("cgroup.controllers"), "memory pids\n").unwrap();
        assert!(matches!(containment_in(root, "0::/a\n", |_| false), Containment::Walk { .. }));
        let base = root.join("a/orc.service");
        assert_eq!(containment_in(root, "5:cpu:/\n0::/a/orc.service\n", |_| true), Containment::Cgroup { base: base.clone() });
        assert_eq!(containment_in(root, "0::/a/orc.service/engine\n", |g| g == base), Containment::Cgroup { base });
        assert!(matches!(containment_in(root, "1:cpu:/\n", |_| true), Containment::Walk { .. }));
    }

    #[test]
    fn a_group_holds_and_kills_its_processes() {
        // Wherever the host lets us make a v2 group; the controllers do not matter here.
        let base = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].iter().map(Path::new).find(|b| b.join("cgroup.procs").exists());
        let Some(Ok(group)) = base.map(|base| Cgroup::create(base, &format!("orc-test-{}", std::process::id()), 0)) else {
            eprintln!("skipped: no writable cgroup v2 on this host");
            return;
        };
        let mut child = Command::new("setsid").args(["tail", "-f", "/dev/null"]).spawn().unwrap();
        if group.add(child.id() as i32).is_err() || !group.path.join("cgroup.kill").exists() {
            child.kill().unwrap();
            child.wait().unwrap();
            eprintln!("skipped: this host does not let us move or kill processes by group");
            return;
        }
        assert!(group.pids().contains(&(child.id() as i32)));
        assert!(group.kill());
        assert!(!child.wait().unwrap().success());
        let path = group.path.clone();
        drop(group);
        assert!(!path.exists());
    }
}
