//! The product's own parts.

use super::clock::clock;
use super::copies::copies;
use super::kept::Kept;
use super::schedules::{redis, schedules};
use super::{EngineFacts, Lack, Site, bytes};
use crate::config::{self, find_program, is_there, rubric};
use crate::domain::{Component, Finding, Kind, WorkerStatus};
use crate::os::git::Git;
use crate::store::{Store, StoreError};
use crate::wire::EngineMode;
use std::path::Path;

/// The longest path of a Unix socket, in bytes (unix(7): `sun_path`, its end included).
const SUN_PATH: usize = 108;

/// A write-ahead log beyond this many bytes says that nobody brings it into the database.
const LONG_WAL: u64 = 256 << 20;

/// The programs that belong together: each finds the others beside itself.
pub fn programs() -> Option<Finding> {
    let own = std::env::current_exe().ok()?;
    let missing: Vec<&str> = ["orc", "pm", "orc-shim"].into_iter().filter(|name| !own.with_file_name(name).exists()).collect();
    Some(if missing.is_empty() {
        Finding::ok(
            Component::Engine,
            "programs",
            format!("orc, pm and orc-shim {} in {}", env!("CARGO_PKG_VERSION"), own.parent().unwrap_or(Path::new("/")).display()),
        )
    } else {
        Finding::fail(
            Component::Engine,
            "programs",
            format!("{} is not beside {}", missing.join(", "), own.display()),
            "install the three programs into one folder",
        )
    })
}

/// The folder, who may read it, and whether a socket fits into it.
pub fn workspace(site: &Site<'_>) -> Finding {
    const C: Component = Component::Configuration;
    let workspace = match &site.workspace {
        Ok(w) => w,
        Err((says, fix)) => return Finding::fail(C, "workspace", says, fix),
    };
    let root = workspace.root();
    let mode = match std::fs::metadata(root) {
        Ok(m) => std::os::unix::fs::MetadataExt::mode(&m) & 0o077,
        Err(e) => return Finding::fail(C, "workspace", format!("{}: {e}", root.display()), "make it with `orc init`"),
    };
    let socket = workspace.socket();
    if socket.as_os_str().len() >= SUN_PATH {
        return Finding::fail(
            C,
            "workspace",
            format!("the socket's path {} is longer than the system takes", socket.display()),
            "move the workspace to a shorter path",
        );
    }
    match mode {
        0 => Finding::ok(C, "workspace", root.display().to_string()),
        _ => Finding::warn(
            C,
            "workspace",
            format!("{} is open to other users: prompts and results are in it", root.display()),
            format!("`chmod 700 {}`", root.display()),
        ),
    }
}

/// Whether the settings can be read.
pub fn configuration(site: &Site<'_>) -> Finding {
    const C: Component = Component::Configuration;
    match &site.settings {
        Ok(_) => Finding::ok(C, C.as_str(), "every setting is in its range"),
        Err((says, fix)) => {
            let usual = "correct what is named: until then no engine starts, and one that runs keeps the last good settings";
            Finding::fail(C, C.as_str(), says, if fix.is_empty() { usual } else { fix })
        }
    }
}

/// Whether the workspace's own prices can be read.
pub fn prices(site: &Site<'_>) -> Option<Finding> {
    let workspace = site.workspace.as_ref().ok()?;
    config::prices(workspace)
        .err()
        .map(|e| Finding::warn(Component::Configuration, "prices", e.to_string(), "correct or remove models.toml"))
}

/// Whether the database is whole. To tell that it is read from end to end.
pub fn database(site: &Site<'_>) -> Vec<Finding> {
    const C: Component = Component::Database;
    let Ok(workspace) = &site.workspace else { return vec![Finding::fail(C, C.as_str(), "there is no workspace", "`orc init` makes one")] };
    let path = workspace.database();
    static CHECKED: Kept<Result<Vec<String>, String>> = Kept::new();
    let store = match Store::open_reader(&path) {
        Ok(store) => store,
        Err(e) => return vec![Finding::fail(C, C.as_str(), e.to_string(), RESTORE)],
    };
    let problems = match CHECKED.get(&path, site.patience, || store.check().map_err(|e| e.to_string())) {
        Ok(problems) => problems,
        Err(e) => return vec![Finding::fail(C, C.as_str(), e, RESTORE)],
    };
    if let Some(first) = problems.first() {
        return vec![Finding::fail(C, C.as_str(), format!("damaged: {first} ({} problems)", problems.len()), RESTORE)];
    }
    let size = |p: &Path| std::fs::metadata(p).map_or(0, |m| m.len());
    let mut log = path.clone().into_os_string();
    log.push("-wal");
    let log = size(Path::new(&log));
    let says = format!("whole, {} and a log of {}", bytes(size(&path)), bytes(log));
    let whole = if log > LONG_WAL {
        Finding::warn(C, C.as_str(), says, "a program reads it without end: look for a forgotten `orc log tail -f` or a stopped process")
    } else {
        Finding::ok(C, C.as_str(), says)
    };
    let mut found = vec![whole];
    found.extend(copies(&store, site));
    found
}

const RESTORE: &str =
    "stop the engine, keep a copy, and restore the newest of backups/ (one is made each night) or the one beside the file";

/// The engine, and its process.
pub fn engine(site: &Site<'_>) -> Finding {
    const C: Component = Component::Engine;
    match &site.engine {
        EngineFacts::Absent((says, fix)) => Finding::warn(C, C.as_str(), says, fix),
        EngineFacts::Wrong((says, fix)) => Finding::fail(C, C.as_str(), says, fix),
        EngineFacts::Runs { pid, version, mode, slots } => {
            let busy = if slots.1 > 0 { format!("{} of {} slots busy", slots.0, slots.1) } else { format!("{} running", slots.0) };
            let says = format!("process {pid}, version {version}, {busy}");
            let own = env!("CARGO_PKG_VERSION");
            if version != own {
                let fix = "`orc engine stop`, then start it again: running jobs are adopted";
                return Finding::warn(C, C.as_str(), format!("{says}; this is version {own}"), fix);
            }
            match mode {
                EngineMode::Paused => Finding::warn(C, C.as_str(), format!("{says}; dispatching is paused"), "`orc engine resume`"),
                EngineMode::Draining => Finding::warn(C, C.as_str(), format!("{says}; it drains"), "`orc engine drain --off` calls it off"),
                _ => Finding::ok(C, C.as_str(), says),
            }
        }
    }
}

/// Installed, signed in, paused: of each backend.
pub fn backends(site: &Site<'_>) -> Vec<Finding> {
    const C: Component = Component::Backends;
    let (all, problems) = match &site.backends {
        Ok(found) => found,
        // The configuration's own line says it.
        Err(_) if site.settings.is_err() => {
            return vec![Finding::warn(C, C.as_str(), "they cannot be told without settings", "see configuration")];
        }
        Err((says, fix)) => return vec![Finding::fail(C, C.as_str(), says, fix)],
    };
    // A database that cannot be read hides pauses; its own line says so.
    let pauses = reader(site).and_then(|s| Ok(s.engine_state()?.pauses)).unwrap_or_default();
    let mut found: Vec<Finding> = problems.iter().map(|p| Finding::warn(C, C.as_str(), p, "correct or remove the description")).collect();
    let mut agents = 0;
    for b in all.values() {
        let name = format!("backend {}", b.name);
        let program = if b.program == "{shim}" { Some(crate::os::program("orc-shim")) } else { find_program(Path::new(&b.program)) };
        let signed_in = b.signed_in.is_empty() || b.signed_in.iter().any(|mark| is_there(mark));
        agents += usize::from(program.is_some() && signed_in && !b.signed_in.is_empty());
        found.push(match (pauses.get(&b.name), program) {
            (Some((p, _)), _) => {
                let until = p.until.map_or_else(|| "until it is resumed".to_owned(), |t| format!("until {t}"));
                let fix = format!("`orc backend resume {}` lifts it", b.name);
                Finding::warn(C, &name, format!("paused {until}: {}", p.limit.message), fix)
            }
            (None, None) => Finding::warn(C, &name, format!("{} is not installed", b.program), &b.fix),
            (None, Some(_)) if !signed_in => {
                Finding::warn(C, &name, "not signed in", if b.sign_in.is_empty() { &b.fix } else { &b.sign_in })
            }
            (None, Some(program)) => Finding::ok(C, &name, program.display().to_string()),
        });
    }
    if agents == 0 {
        let says = "no coding agent is installed and signed in: only shell, http and replay jobs can run";
        found.insert(0, Finding::warn(C, C.as_str(), says, "see the fixes of the single backends"));
    }
    found
}

fn reader(site: &Site<'_>) -> Result<Store, StoreError> {
    let missing = || StoreError::Missing { path: std::path::PathBuf::from("pm.db") };
    Store::open_reader(&site.workspace.as_ref().map_err(|_: &Lack| missing())?.database())
}

/// Who works, and who cannot.
pub fn workers(site: &Site<'_>) -> Option<Finding> {
    const C: Component = Component::Workers;
    let workers = reader(site).and_then(|s| s.workers()).ok()?;
    let of = |status| workers.iter().filter(|w| w.status == status).map(|w| w.name.as_str()).collect::<Vec<_>>();
    let busy = workers.iter().filter(|w| w.attempt.is_some()).count();
    let says = format!("{} in all, {busy} at work", workers.len());
    let (unhealthy, paused) = (of(WorkerStatus::Unhealthy), of(WorkerStatus::Paused));
    Some(if !unhealthy.is_empty() {
        Finding::warn(
            C,
            C.as_str(),
            format!("{says}; unhealthy: {}", unhealthy.join(", ")),
            "`orc worker show NAME` says why, `orc worker resume NAME` tries again",
        )
    } else if !paused.is_empty() {
        Finding::warn(C, C.as_str(), format!("{says}; paused: {}", paused.join(", ")), "`orc worker resume NAME`")
    } else {
        Finding::ok(C, C.as_str(), says)
    })
}

/// What waits and what keeps it, the clock, and what it starts.
pub fn scheduler(site: &Site<'_>) -> Vec<Finding> {
    const C: Component = Component::Scheduler;
    let Ok(store) = reader(site) else { return Vec::new() };
    // The clock is told also where the settings are broken.
    let Ok(settings) = &site.settings else { return vec![clock(&store, site)] };
    let look = || -> Result<Finding, StoreError> {
        let switches = store.engine_state()?;
        let queued = store.queued()?;
        let oldest = queued.iter().filter(|q| q.ready_at.is_none_or(|t| t <= site.now)).map(|q| site.now.since(q.queued_at)).max();
        let says = format!("{} queued", queued.len());
        if !switches.paused_lanes.is_empty() {
            let lanes: Vec<String> = switches.paused_lanes.iter().map(|l| l.number().to_string()).collect();
            let fix = format!("`orc lane resume {}`", lanes[0]);
            return Ok(Finding::warn(C, C.as_str(), format!("{says}; paused lanes: {}", lanes.join(", ")), fix));
        }
        Ok(match oldest {
            Some(age) if age > settings.starvation_after => {
                let says = format!("{says}; the oldest has been ready for {} min", age.as_secs() / 60);
                Finding::warn(C, C.as_str(), says, "`orc why ID` says what holds it")
            }
            _ => Finding::ok(C, C.as_str(), says),
        })
    };
    let mut found = vec![look().unwrap_or_else(|e| Finding::warn(C, C.as_str(), e.to_string(), "see database"))];
    found.push(clock(&store, site));
    found.extend(schedules(&store, site));
    found.extend(redis(site));
    found
}

/// Who could review, and whether what they judge by can be read.
pub fn review(site: &Site<'_>) -> Vec<Finding> {
    const C: Component = Component::Backends;
    let (Ok(settings), Ok((backends, _)), Ok(workspace)) = (&site.settings, &site.backends, &site.workspace) else { return Vec::new() };
    let mistakes = Kind::ALL.iter().filter_map(|kind| rubric(workspace, *kind).err());
    let mut findings: Vec<Finding> =
        mistakes.map(|e| Finding::warn(C, "review", e.to_string(), "until then the operator is asked in place of the reviewer")).collect();
    let ready: Vec<&str> = backends.values().filter(|b| b.uses_model() && b.reviews && b.is_ready()).map(|b| b.name.as_str()).collect();
    let fix = "install a backend of another model family (`orc backend ls`), or name one in `reviewer`";
    findings.push(match (settings.reviewer.as_str(), ready.as_slice()) {
        ("none", _) => Finding::ok(C, "review", "switched off: jobs are done as they end"),
        ("auto", []) => Finding::warn(C, "review", "nobody can review: jobs are done as they end, and their log says so", fix),
        ("auto", [one]) => Finding::warn(C, "review", format!("only {one} is there: another model of it reviews what it does"), fix),
        ("auto", all) => Finding::ok(C, "review", format!("{} review one another", all.join(", "))),
        (named, _) => Finding::ok(C, "review", format!("by {named}")),
    });
    findings
}

/// Whether there is git, which work trees need.
pub fn git() -> Finding {
    match Git::at(Path::new("/")).run(&["--version"]) {
        Ok(version) => Finding::ok(Component::Workers, "git", version),
        Err(e) => Finding::warn(Component::Workers, "git", e.to_string(), "without it code jobs of projects with a repository fail"),
    }
}
