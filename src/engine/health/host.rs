//! The host: room, containment, and what happens to jobs at logout.

use super::kept::Kept;
use super::{Site, bytes};
use crate::config::Workspace;
use crate::domain::{Component, Finding};
use crate::os::cgroup::{self, Containment};
use crate::os::host;
use std::path::Path;
use std::time::Duration;

/// Where logind reads its configuration, the later winning (logind.conf(5)).
const LOGIND: [&str; 3] = ["/usr/lib/systemd/logind.conf", "/etc/systemd/logind.conf", "/run/systemd/logind.conf"];

const DISK: Component = Component::Disk;

/// Memory and disk against the low-water marks below which nothing new starts.
pub fn room(site: &Site<'_>) -> Vec<Finding> {
    let (memory_low, disk_low) = site.settings.as_ref().map_or((1 << 30, 2 << 30), |s| (s.memory_low_water, s.disk_low_water));
    let mut found = Vec::new();
    match site.workspace.as_ref().map(|w| host::disk_free(w.root())) {
        Ok(Ok(free)) => {
            let takes = site.workspace.as_ref().map(|w| space(w, site.patience)).unwrap_or_default();
            let all: u64 = takes.iter().map(|(_, size)| size).sum();
            found.push(measure("disk", free, disk_low, &format!("{} free; the workspace takes {}", bytes(free), bytes(all))));
            let parts: Vec<String> = takes.iter().map(|(what, size)| format!("{what} {}", bytes(*size))).collect();
            found.push(Finding::ok(DISK, "space", parts.join(", ")));
        }
        Ok(Err(e)) => found.push(Finding::warn(DISK, "disk", e.to_string(), "")),
        Err(_) => {}
    }
    found.push(match host::memory() {
        Ok(m) => measure("memory", m.available, memory_low, &format!("{} of {} available", bytes(m.available), bytes(m.total))),
        Err(e) => Finding::warn(DISK, "memory", e.to_string(), ""),
    });
    found
}

/// What takes room in a workspace, by what it is. Folders are walked for it.
fn space(workspace: &Workspace, patience: Duration) -> Vec<(&'static str, u64)> {
    static SIZES: Kept<Vec<(&'static str, u64)>> = Kept::new();
    SIZES.get(workspace.root(), patience, || {
        let root = workspace.root();
        let of = |p: &Path| std::fs::metadata(p).map_or(0, |m| m.len());
        let database = of(&workspace.database()) + of(&root.join("pm.db-wal"));
        let folders = [
            ("work trees", workspace.trees_dir()),
            ("results", root.join("results")),
            ("spools", workspace.spool_dir()),
            ("memory", root.join("memory")),
            ("copies", root.join("backups")),
            ("trash", workspace.trash_dir()),
        ];
        let sizes = folders.map(|(what, dir)| (what, crate::os::worktree::size(&dir)));
        [("database", database)].into_iter().chain(sizes).collect()
    })
}

fn measure(what: &str, have: u64, low: u64, says: &str) -> Finding {
    let fix = if what == "disk" {
        "make room (`orc tidy` puts away what is old), or lower disk_low_water in orc.toml".to_owned()
    } else {
        format!("make room, or lower {what}_low_water in orc.toml")
    };
    if have < low {
        Finding::fail(DISK, what, format!("{says}, below the low-water mark of {}: no job starts", bytes(low)), fix)
    } else if have < low.saturating_mul(2) {
        Finding::warn(DISK, what, format!("{says}; below {} no job starts", bytes(low)), fix)
    } else {
        Finding::ok(DISK, what, says)
    }
}

/// What holds an attempt's processes together: of the engine that runs, else of one started from here.
pub fn containment(engine: Option<i32>) -> Finding {
    let (found, whose) = match engine {
        Some(pid) => (cgroup::containment_of_process(pid), "the engine"),
        None => (cgroup::containment(), "an engine started from here"),
    };
    let says = format!("{whose}: {found}");
    match found {
        Containment::Cgroup { .. } => Finding::ok(Component::Engine, "containment", says),
        Containment::Walk { .. } => Finding::warn(
            Component::Engine,
            "containment",
            says,
            "run the engine as the systemd unit that is in assets/ (Delegate=yes): then each attempt has its own memory limit",
        ),
    }
}

/// What systemd does to the engine and its jobs when the operator logs out.
pub fn logout() -> Vec<Finding> {
    if !Path::new("/run/systemd/system").exists() {
        return vec![Finding::ok(Component::Engine, "logout", "this host does not run systemd: nothing is ended at logout")];
    }
    let uid = rustix::process::getuid().as_raw();
    let user = std::fs::read_to_string("/etc/passwd").ok().and_then(|p| user_of(&p, uid));
    let lingers = user.as_deref().is_some_and(|u| Path::new("/var/lib/systemd/linger").join(u).exists());
    let user = user.unwrap_or_else(|| uid.to_string());
    let texts: Vec<String> = LOGIND.iter().flat_map(|f| with_drop_ins(Path::new(f))).collect();
    vec![judge(kills_user_processes(&texts), lingers, &user)]
}

fn judge(kills: bool, lingers: bool, user: &str) -> Finding {
    match (kills, lingers) {
        (_, true) => Finding::ok(Component::Engine, "logout", format!("lingering is on for {user}: engine and jobs outlive the login")),
        (true, false) => Finding::fail(
            Component::Engine,
            "logout",
            "KillUserProcesses is on: logging out kills the engine and every job",
            format!("`loginctl enable-linger {user}`, and run the engine as the systemd user unit that is in assets/"),
        ),
        (false, false) => Finding::warn(
            Component::Engine,
            "logout",
            format!(
                "lingering is off for {user}: an engine that runs as a user unit ends with the last login, and does not come back after a reboot"
            ),
            format!("`loginctl enable-linger {user}`"),
        ),
    }
}

fn user_of(passwd: &str, uid: u32) -> Option<String> {
    let uid = uid.to_string();
    passwd
        .lines()
        .map(|l| l.split(':').collect::<Vec<_>>())
        .find(|f| f.get(2) == Some(&uid.as_str()))
        .and_then(|f| f.first().map(|n| (*n).to_owned()))
}

fn with_drop_ins(file: &Path) -> Vec<String> {
    let mut files = vec![file.to_owned()];
    let folder = file.with_extension("conf.d");
    let mut more: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "conf"))
        .collect();
    more.sort();
    files.extend(more);
    files.iter().filter_map(|f| std::fs::read_to_string(f).ok()).collect()
}

/// `KillUserProcesses=`: the last one counts, and the default is no.
fn kills_user_processes(texts: &[String]) -> bool {
    let last = texts
        .iter()
        .flat_map(|t| t.lines())
        .filter_map(|l| l.trim().strip_prefix("KillUserProcesses")?.trim().strip_prefix('='))
        .next_back();
    last.is_some_and(|v| matches!(v.trim().to_ascii_lowercase().as_str(), "yes" | "true" | "1" | "on"))
}

/// Copying from the console goes through tmux only where it is let.
pub fn tmux() -> Option<Finding> {
    std::env::var_os("TMUX")?;
    let out = std::process::Command::new("tmux").args(["show-options", "-sv", "set-clipboard"]).output().ok()?;
    let value = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    Some(match value.as_str() {
        "on" | "external" => Finding::ok(Component::Configuration, "clipboard", format!("tmux passes copies on (set-clipboard {value})")),
        _ => Finding::warn(
            Component::Configuration,
            "clipboard",
            "tmux keeps copies from the console to itself",
            "`tmux set -s set-clipboard on`, and the same in ~/.tmux.conf",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Health as Status;

    #[test]
    fn the_last_word_on_killing_user_processes_counts() {
        let t = |s: &[&str]| kills_user_processes(&s.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        assert!(!t(&[]));
        assert!(!t(&["[Login]\n#KillUserProcesses=yes\n"]), "a comment");
        assert!(t(&["[Login]\nKillUserProcesses=no\n", "[Login]\n KillUserProcesses = yes\n"]));
        assert!(!t(&["KillUserProcesses=yes", "KillUserProcesses=no"]));
    }

    #[test]
    fn logout_is_judged_by_both_switches() {
        assert_eq!(judge(true, true, "ann").status, Status::Ok);
        assert_eq!(judge(false, false, "ann").status, Status::Warn);
        let worst = judge(true, false, "ann");
        assert_eq!((worst.status, worst.fix.contains("enable-linger ann")), (Status::Fail, true));
        assert_eq!(user_of("root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n", 1000).as_deref(), Some("ann"));
    }

    #[test]
    fn room_is_measured_against_the_low_water_mark() {
        assert_eq!([10, 15, 20].map(|have| measure("disk", have, 10, "x").status), [Status::Warn, Status::Warn, Status::Ok]);
        assert_eq!(measure("disk", 9, 10, "x").status, Status::Fail);
    }
}
