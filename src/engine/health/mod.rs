//! The health of an installation: looked at by the command line, the console and the metrics alike. It starts no agent and opens no
//! vectors: who has the memory store open hands in what it says.

mod clock;
mod copies;
mod host;
mod kept;
mod memory;
mod metrics;
mod parts;
mod schedules;

pub use host::tmux;
pub use memory::{embedding, memories};
pub use metrics::text as metrics;

use crate::config::{Backend, Settings, Workspace};
use crate::domain::{Finding, Timestamp};
use crate::wire::EngineMode;
use std::collections::BTreeMap;
use std::time::Duration;

/// What could not be had, and what to do.
pub type Lack = (String, String);

/// The engine, as far as it is known.
#[derive(Clone, Debug)]
pub enum EngineFacts {
    /// None runs, or it does not answer.
    Absent(Lack),
    /// Something is wrong with it.
    Wrong(Lack),
    Runs {
        pid: i32,
        version: String,
        mode: EngineMode,
        /// Running jobs, and how many may run.
        slots: (u32, u32),
    },
}

/// What there is to look at.
pub struct Site<'a> {
    pub workspace: Result<&'a Workspace, Lack>,
    pub settings: Result<&'a Settings, Lack>,
    pub backends: Result<(BTreeMap<String, Backend>, Vec<String>), Lack>,
    pub engine: EngineFacts,
    pub now: Timestamp,
    /// How old the answer to a question may be that takes long: whether the whole database is sound, what folders take.
    pub patience: Duration,
    /// What the memory store and the embedder say.
    pub memory: Vec<Finding>,
}

/// The engine as its lock and the database tell, without asking it.
pub fn facts(workspace: &Workspace) -> EngineFacts {
    let state = crate::store::Store::open_reader(&workspace.database()).and_then(|s| Ok((s.engine_state()?, s.open_attempts()?.len())));
    match state {
        _ if !crate::os::lock::held(&workspace.lock_file()) => {
            EngineFacts::Absent(("no engine runs".to_owned(), "`orc engine`, or `orc tui`".to_owned()))
        }
        Err(e) => EngineFacts::Wrong((e.to_string(), "see database".to_owned())),
        Ok((switches, running)) => EngineFacts::Runs {
            pid: std::fs::read_to_string(workspace.lock_file()).ok().and_then(|t| t.trim().parse().ok()).unwrap_or(0),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mode: match (switches.draining, switches.paused) {
                (true, _) => EngineMode::Draining,
                (_, true) => EngineMode::Paused,
                _ => EngineMode::Running,
            },
            slots: (running as u32, 0),
        },
    }
}

/// For those who ask every minute: the database is read from end to end once a day.
const NIGHT: Duration = Duration::from_secs(86_400);

/// What can be told without the memory store: for those who ask often.
pub fn cheap(workspace: &Workspace) -> Vec<Finding> {
    let read = crate::config::load(workspace, &[]);
    let settings = read.as_ref().cloned().unwrap_or_default();
    examine(Site {
        workspace: Ok(workspace),
        settings: read.as_ref().map_err(|problems| (problems.to_string().replace('\n', "; "), String::new())),
        backends: crate::config::backends(workspace, &settings).map_err(|e| (e.to_string(), String::new())),
        engine: facts(workspace),
        now: crate::os::clock::now(),
        patience: NIGHT,
        memory: Vec::new(),
    })
}

/// Looks at everything, whatever the rest says.
pub fn examine(site: Site<'_>) -> Vec<Finding> {
    let mut found = vec![parts::engine(&site)];
    found.extend(parts::programs());
    found.push(host::containment(match &site.engine {
        EngineFacts::Runs { pid, .. } => Some(*pid),
        _ => None,
    }));
    found.extend(host::logout());
    found.extend(parts::database(&site));
    found.extend(parts::backends(&site));
    found.extend(parts::review(&site));
    found.extend(parts::workers(&site));
    found.push(parts::git());
    found.extend(parts::scheduler(&site));
    found.extend(host::room(&site));
    found.push(parts::configuration(&site));
    found.push(parts::workspace(&site));
    found.extend(parts::prices(&site));
    found.extend(site.memory);
    found
}

/// Bytes for people.
fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{n} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}
