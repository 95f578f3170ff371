//! `orc tidy`

use super::ages;
use super::context::Context;
use super::error::{CliError, Kind, Result};
use super::output::Table;
use crate::domain::Act;
use crate::engine::tidy::{tidy, tidy_and_tell};
use clap::Args;

#[derive(Args)]
pub struct Tidy {
    /// Say what would be put away, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

/// Copies and checks the database, and puts away what has had its time, as the engine does each night.
///
/// # Errors
/// Not for a process of a job; the database, where it is damaged or cannot be copied; the configuration.
pub fn run(cx: &mut Context, verb: &Tidy) -> Result {
    let settings = cx.settings()?;
    let workspace = cx.workspace()?.clone();
    let now = cx.now();
    let mut store = cx.writer()?;
    let actor = cx.permit(&mut store, &Act::Steer("housekeeping"))?.to_string();
    let done = if verb.dry_run {
        tidy(&workspace, &mut store, &settings, now, true)?
    } else {
        tidy_and_tell(&workspace, &mut store, &settings, &actor, None, now)?
    };
    cx.wake()?;
    if cx.out.json {
        cx.out.value(&done)?;
        return if done.stopped { Err(CliError::told(Kind::Failure)) } else { Ok(()) };
    }
    if done.stopped {
        return Err(CliError::new(Kind::Failure, done.says()).hint("`orc doctor` looks at the database and says what to do"));
    }
    let mut table = Table::new(&["WHAT", "WHERE", ">SIZE", "GOES"], "WHERE");
    for (items, goes) in [(&done.put_away, "to the trash"), (&done.removed, "for good")] {
        for i in items {
            let path = i.path.strip_prefix(workspace.root()).unwrap_or(&i.path).display().to_string();
            table.row(vec![i.what.into(), path.into(), ages::bytes(i.bytes).into(), goes.into()]);
        }
    }
    cx.out.table(&table, "nothing has had its time yet")?;
    let would = if verb.dry_run { "it would be so: " } else { "" };
    cx.out.done(&format!("{would}{}", done.says()))
}
