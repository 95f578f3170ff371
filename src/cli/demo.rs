//! `orc tui --demo`: a throw-away workspace with a believable day in it. The engine, the job processes and the spools are
//! the real ones; only the agents are played (`replay`).

use super::error::{CliError, Result};
use crate::config::{Workspace, init};
use crate::domain::{JobSpec, Kind, Origin, Priority};
use crate::os::clock;
use crate::store::{Store, StoreError};
use std::path::PathBuf;

/// Makes the demo's workspace, jobs included.
///
/// # Errors
/// The temporary folder cannot be written.
pub fn make() -> Result<Workspace> {
    let root = place();
    let failed = |e: &dyn std::fmt::Display| CliError::workspace(format!("cannot make the demo in {}: {e}", root.display()));
    let (workspace, _) = init(&root).map_err(|e| failed(&e))?;
    std::fs::write(workspace.demo_mark(), "").map_err(|e| failed(&e))?;
    let mut store = Store::open(&workspace.database()).map_err(|e| failed(&e))?;
    store.write(seed).map_err(|e| failed(&e))?;
    Ok(workspace)
}

fn place() -> PathBuf {
    std::env::temp_dir().join(format!("orc-demo-{}-{}", std::process::id(), clock::now().millis()))
}

fn seed(tx: &crate::store::Tx<'_>) -> std::result::Result<(), StoreError> {
    let now = clock::now();
    for n in 1..=6 {
        let spec = JobSpec {
            kind: Kind::Other,
            priority: Priority::P2,
            origin: Origin::Cron,
            ..JobSpec::new(format!("Nap {n}"), "shell", "sleep 5; echo done")
        };
        tx.add_job(&spec, "operator", now)?;
    }
    Ok(())
}
