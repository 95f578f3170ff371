//! `orc init [DIR]`

use super::context::Context;
use super::error::Result;
use crate::config::{self, Step};
use crate::store::Store;
use clap::{Args, ValueHint};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Init {
    /// The folder [default: --workspace, else the current one]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

/// Makes what a workspace lacks. What is there is never touched.
///
/// # Errors
/// The folder cannot be made or written, or something else is in the way.
pub fn run(cx: &mut Context, init: &Init) -> Result {
    let dir = init.dir.as_deref().or(cx.globals.workspace.as_deref()).unwrap_or(Path::new("."));
    let (workspace, mut report) = config::init(dir)?;
    config::init_cron(&mut report)?;
    let fresh = !workspace.database().exists();
    Store::open(&workspace.database())?;
    let made = report.made().count() + usize::from(fresh);
    if cx.out.json {
        let of =
            |kind: fn(&Step) -> Option<&Path>| report.steps.iter().filter_map(kind).map(|p| p.display().to_string()).collect::<Vec<_>>();
        let made = of(|s| if let Step::Made(p) = s { Some(p) } else { None });
        let kept = of(|s| if let Step::Kept(p) | Step::Noted(p, _) = s { Some(p) } else { None });
        let notes: Vec<_> = report.notes().map(|(p, note)| json!({ "path": p, "note": note })).collect();
        return cx.out.value(&json!({ "workspace": report.root, "made": made, "kept": kept, "notes": notes }));
    }
    let root = report.root.display();
    cx.out.done(&match (made, report.kept().count()) {
        (0, _) => format!("{root} is a whole workspace already; nothing was changed"),
        (_, 0 | 1) => format!("made a workspace in {root}"),
        (n, _) => format!("completed the workspace in {root}: {n} parts were missing, the others were left as they were"),
    })?;
    for (path, note) in report.notes() {
        cx.out.done(&format!("  note: {}: {note}", path.display()))?;
    }
    if made > 0 {
        cx.out.done(
            "  read and adapt: CLAUDE.md (for your conversations here; its rules reach every job), core-memory.md, orc.toml (the settings), cron.toml (what the clock starts)",
        )?;
        cx.out.done("  next: `orc doctor` checks the backends, `orc tui` opens the console")?;
    }
    Ok(())
}
