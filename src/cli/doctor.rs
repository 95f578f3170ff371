//! `orc doctor`: each component of the installation is ok, warns or fails, with the fix.

use super::context::Context;
use super::engine;
use super::error::{CliError, Kind, Result};
use super::output::{Cell, Table, Tone};
use crate::domain::{ComponentHealth, Finding, Health, components};
use crate::engine::health::{EngineFacts, Lack, Site, examine, tmux};
use clap::Args;

#[derive(Args)]
pub struct Doctor {
    /// Every part of each component, also where all is well
    #[arg(long, short)]
    verbose: bool,
}

/// Looks at everything, whatever the rest says. `memory` looks at what only `orc` links.
///
/// # Errors
/// `Failure` if a component fails.
pub fn run(cx: &mut Context, doctor: &Doctor, memory: Option<fn(&Context) -> Vec<Finding>>) -> Result {
    let settings = cx.settings();
    let site = Site {
        workspace: cx.workspace().map_err(lack),
        settings: settings.as_ref().map_err(|e| {
            let mistakes: Vec<&str> = e.message.lines().skip(1).collect();
            (mistakes.join("; "), e.hint.clone().unwrap_or_default())
        }),
        backends: cx.backends().map_err(lack),
        engine: facts(cx),
        now: cx.now(),
        patience: std::time::Duration::ZERO,
        memory: memory.map(|look| look(cx)).unwrap_or_default(),
    };
    let mut findings = examine(site);
    findings.extend(tmux());
    let mut all = components(&findings);
    if memory.is_none() {
        // `pm` is small because it does not know them.
        all.retain(|c| !c.parts.is_empty());
    }
    let worst = all.iter().map(|c| c.status).max().unwrap_or(Health::Ok);
    if cx.out.json {
        cx.out.value(&serde_json::json!({ "status": worst, "components": all }))?;
    } else {
        print(cx, &all, doctor.verbose)?;
    }
    if worst == Health::Fail { Err(CliError::told(Kind::Failure)) } else { Ok(()) }
}

fn lack(e: CliError) -> Lack {
    (e.message, e.hint.unwrap_or_default())
}

fn facts(cx: &Context) -> EngineFacts {
    match engine::snapshot(cx) {
        Err(e) if e.kind == Kind::NoEngine => EngineFacts::Absent(lack(e)),
        Err(e) => EngineFacts::Wrong(lack(e)),
        Ok(s) => EngineFacts::Runs {
            pid: s.engine.pid,
            version: s.engine.version,
            mode: s.engine.mode,
            slots: (s.slots.running, s.slots.max_running + s.slots.reserved),
        },
    }
}

fn word(status: Health) -> (Tone, &'static str) {
    match status {
        Health::Ok => (Tone::Good, "ok"),
        Health::Warn => (Tone::Warn, "warn"),
        Health::Fail => (Tone::Bad, "FAIL"),
    }
}

fn print(cx: &mut Context, all: &[ComponentHealth], verbose: bool) -> Result {
    let mut table = Table::new(&["COMPONENT", "STATUS", "FOUND"], "FOUND");
    for c in all {
        let (tone, status) = word(c.status);
        table.row(vec![c.component.into(), Cell::toned(tone, status), (&c.says).into()]);
        for f in c.parts.iter().filter(|f| verbose || f.status != Health::Ok) {
            let (tone, status) = word(f.status);
            table.row(vec![format!("  {}", f.part).into(), Cell::toned(tone, status), (&f.says).into()]);
        }
    }
    cx.out.table(&table, "")?;
    let fixes: Vec<&Finding> = all.iter().flat_map(|c| &c.parts).filter(|f| !f.fix.is_empty()).collect();
    if !fixes.is_empty() {
        cx.out.line("")?;
        cx.out.toned(Tone::Head, "What to do")?;
        for f in fixes {
            cx.out.line(&format!("  {}: {}", f.part, f.fix))?;
        }
    }
    Ok(())
}
