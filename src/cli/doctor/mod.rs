//! `orc doctor`: each part of the installation is ok, warns or fails, with the fix.

mod host;
mod parts;

use super::context::Context;
use super::error::{CliError, Kind, Result};
use super::output::{Cell, Table, Tone};
use clap::Args;
use serde::Serialize;

#[derive(Args)]
pub struct Doctor {}

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Ok,
    Warn,
    Fail,
}

/// What was found of one part.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub component: String,
    pub status: Status,
    pub says: String,
    /// What to do; empty when nothing is to be done.
    pub fix: String,
}

impl Finding {
    fn new(component: &str, status: Status, says: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { component: component.to_owned(), status, says: says.into(), fix: fix.into() }
    }

    pub(super) fn ok(component: &str, says: impl Into<String>) -> Finding {
        Finding::new(component, Status::Ok, says, "")
    }

    pub(super) fn warn(component: &str, says: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding::new(component, Status::Warn, says, fix)
    }

    pub(super) fn fail(component: &str, says: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding::new(component, Status::Fail, says, fix)
    }

    /// What an error says, split from its hint.
    fn of(component: &str, e: CliError) -> Finding {
        Finding::fail(component, e.message, e.hint.unwrap_or_default())
    }
}

/// Checks every part, whatever the others say. `memory` looks at what only `orc` links.
///
/// # Errors
/// `Failure` if a part fails.
pub fn run(cx: &mut Context, memory: Option<fn(&Context) -> Vec<Finding>>) -> Result {
    let mut findings = Vec::new();
    findings.extend(parts::programs());
    findings.push(parts::workspace(cx));
    findings.push(parts::configuration(cx));
    findings.push(parts::database(cx));
    findings.extend(memory.into_iter().flat_map(|look| look(cx)));
    let (engine, pid) = parts::engine(cx);
    findings.push(engine);
    findings.extend(parts::backends(cx));
    findings.extend(parts::review(cx));
    findings.push(parts::git());
    findings.extend(host::room(cx));
    findings.push(host::containment(pid));
    findings.extend(host::logout());
    findings.extend(host::tmux());
    let worst = findings.iter().map(|f| f.status).max().unwrap_or(Status::Ok);
    if cx.out.json {
        cx.out.value(&serde_json::json!({ "status": worst, "components": findings }))?;
    } else {
        print(cx, &findings)?;
    }
    if worst == Status::Fail { Err(CliError::told(Kind::Failure)) } else { Ok(()) }
}

fn print(cx: &mut Context, findings: &[Finding]) -> Result {
    let mut table = Table::new(&["PART", "STATUS", "FOUND"], "FOUND");
    for f in findings {
        let (tone, word) = match f.status {
            Status::Ok => (Tone::Good, "ok"),
            Status::Warn => (Tone::Warn, "warn"),
            Status::Fail => (Tone::Bad, "FAIL"),
        };
        table.row(vec![(&f.component).into(), Cell::toned(tone, word), (&f.says).into()]);
    }
    cx.out.table(&table, "")?;
    let fixes: Vec<&Finding> = findings.iter().filter(|f| !f.fix.is_empty()).collect();
    if !fixes.is_empty() {
        cx.out.line("")?;
        cx.out.toned(Tone::Head, "What to do")?;
        for f in fixes {
            cx.out.line(&format!("  {}: {}", f.component, f.fix))?;
        }
    }
    Ok(())
}
