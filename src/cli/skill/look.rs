//! `orc skill ls|show|lint|log|diff|outputs`: what looks and changes nothing.

use super::{Diff, Outputs, short, up_to_date, version, versions};
use crate::cli::ages;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind, Result};
use crate::cli::output::{Cell, Table, Tone};
use crate::config::{self, SKILL_FILE, SkillError, lint_skill};
use crate::domain::SkillVersion;
use crate::engine::shelf::rows;
use crate::engine::skills::{differences, kept};
use serde_json::json;
use std::collections::BTreeMap;

/// Lists the skills.
///
/// # Errors
/// The database.
pub fn ls(cx: &mut Context) -> Result {
    let rows = rows(&cx.reader()?, cx.workspace()?)?;
    if cx.out.json {
        return cx.out.value(&rows);
    }
    let now = cx.now();
    let mut table =
        Table::new(&["SKILL", "VERSION", "SOURCE", ">USES", ">OK", ">COST", ">USED", ">PROBLEMS", "DESCRIPTION"], "DESCRIPTION");
    for r in &rows {
        let mut shown = r.hold.pin.as_deref().or(r.hash.as_deref()).map_or("broken", short).to_owned();
        if r.hold.pin.is_some() {
            shown += " pinned";
        } else if r.hold.base.is_some() {
            shown += &format!(" {} %", r.hold.percent);
        }
        let tone = if r.usable() { Tone::Plain } else { Tone::Bad };
        let held = r.hold.pin.is_some() || r.hold.base.is_some();
        table.row(vec![
            Cell::toned(tone, &r.name),
            Cell::toned(if held { Tone::Warn } else { tone }, &shown),
            r.source.into(),
            r.use_.uses.into(),
            r.success.map_or_else(|| "-".to_owned(), |s| format!("{:.0} %", s * 100.0)).into(),
            format!("${:.2}", r.use_.cost_usd).into(),
            r.use_.last_used.map_or_else(|| "never".to_owned(), |t| ages::ago(t, now)).into(),
            Cell::toned(if r.problems.is_empty() { Tone::Dim } else { Tone::Warn }, r.problems.len().to_string()),
            (if r.usable() { &r.description } else { r.problems.first().unwrap_or(&r.description) }).into(),
        ]);
    }
    cx.out.table(&table, "no skills")
}

/// Shows a skill: its text as an agent gets it.
///
/// # Errors
/// There is none of that name, or it is broken.
pub fn show(cx: &mut Context, name: &str, hash: Option<&str>) -> Result {
    let skill = match hash {
        None => config::skill(&cx.workspace()?.skills_dir(), name).map_err(not_found)?,
        Some(hash) => {
            let store = up_to_date(cx, name)?;
            let all = versions(&store, name)?;
            let v = version(&all, name, hash)?;
            kept(&store, cx.workspace()?, name, &v.hash).map_err(|e| CliError::not_found(e.to_string()))?
        }
    };
    let odd = lint_skill(&skill);
    if cx.out.json {
        return cx.out.value(&json!({
            "name": skill.name, "hash": skill.hash, "version": skill.version, "source": skill.from(), "file": skill.origin(),
            "folder": skill.folder(), "description": skill.description, "triggers": skill.triggers, "license": skill.license,
            "compatibility": skill.compatibility, "allowed_tools": skill.allowed_tools, "metadata": skill.metadata,
            "files": skill.files, "problems": odd.iter().map(ToString::to_string).collect::<Vec<_>>(), "text": skill.body,
        }));
    }
    let mut fields = vec![
        ("skill", skill.name.clone()),
        ("description", skill.description.clone()),
        ("version", format!("{}{}", short(&skill.hash), skill.version.as_ref().map(|v| format!(" ({v})")).unwrap_or_default())),
        ("from", skill.origin()),
    ];
    if !skill.triggers.is_empty() {
        fields.push(("triggers", skill.triggers.join(", ")));
    }
    if !skill.allowed_tools.is_empty() {
        // A backend's CLI is called with the permissions that its description gives it.
        fields.push((
            "allowed tools",
            format!("{} (shown only: which tools a job has is for its backend to say)", skill.allowed_tools.join(", ")),
        ));
    }
    if skill.files.len() > 1 {
        let own = skill.files.iter().filter(|f| f.path != SKILL_FILE).map(|f| f.path.as_str());
        fields.push(("files", own.collect::<Vec<_>>().join("\n")));
    }
    if !odd.is_empty() {
        fields.push(("problems", odd.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
    }
    cx.out.fields(&fields)?;
    cx.out.line("")?;
    cx.out.block(&skill.body)
}

/// Checks skills against the format.
///
/// # Errors
/// One that was named does not exist; `Failure` where one cannot be used.
pub fn lint(cx: &mut Context, names: &[String]) -> Result {
    let dir = cx.workspace()?.skills_dir();
    let all = config::skills(&dir);
    if let Some(none) = names.iter().find(|n| !all.skills.contains_key(*n) && !all.broken.contains_key(*n)) {
        return Err(CliError::not_found(format!("there is no skill {none}")).hint("`orc skill ls` lists them"));
    }
    let wanted = |name: &String| names.is_empty() || names.contains(name);
    let mut found: Vec<(&String, bool, String)> = Vec::new();
    for (name, e) in all.broken.iter().filter(|(n, _)| wanted(n)) {
        found.push((name, true, e.to_string()));
    }
    for (name, skill) in all.skills.iter().filter(|(n, _)| wanted(n)) {
        found.extend(lint_skill(skill).into_iter().map(|p| (name, false, p.to_string())));
    }
    for (name, path) in all.shadowed.iter().filter(|(n, _)| wanted(n)) {
        found.push((name, false, format!("{}:1: there is another skill {name}, which is used in its place", path.display())));
    }
    let broken = found.iter().any(|(_, fatal, _)| *fatal);
    if cx.out.json {
        let rows: Vec<_> = found.iter().map(|(name, fatal, says)| json!({ "skill": name, "fatal": fatal, "says": says })).collect();
        cx.out.value(&rows)?;
    } else if found.is_empty() {
        cx.out.done("nothing to mend")?;
    } else {
        for (_, fatal, says) in &found {
            cx.out.toned(if *fatal { Tone::Bad } else { Tone::Warn }, &format!("{} {says}", if *fatal { "fail" } else { "warn" }))?;
        }
    }
    if broken { Err(CliError::told(Kind::Failure)) } else { Ok(()) }
}

/// Lists the versions of a skill.
///
/// # Errors
/// There is none of that name.
pub fn log(cx: &mut Context, name: &str) -> Result {
    let store = up_to_date(cx, name)?;
    let all = versions(&store, name)?;
    let hold = store.skill_hold(name)?;
    if cx.out.json {
        return cx.out.value(&all);
    }
    let now = cx.now();
    let mut table = Table::new(&["VERSION", "", "SOURCE", ">SEEN", ">USES", ">OK", ">TOKENS", ">COST", ">FILES"], "SOURCE");
    for (i, v) in all.iter().enumerate() {
        let mark = match (i, &hold.pin, &hold.base) {
            (_, Some(pin), _) if *pin == v.hash => "pinned".to_owned(),
            (0, _, Some(_)) => format!("{} % of the jobs", hold.percent),
            (_, _, Some(base)) if *base == v.hash => "the others".to_owned(),
            (0, None, None) => "in use".to_owned(),
            _ => String::new(),
        };
        table.row(vec![
            short(&v.hash).into(),
            Cell::toned(Tone::Good, mark),
            v.from.into(),
            ages::ago(v.first_seen, now).into(),
            v.use_.uses.into(),
            v.use_.success().map_or_else(|| "-".to_owned(), |s| format!("{:.0} %", s * 100.0)).into(),
            v.use_.tokens.into(),
            format!("${:.2}", v.use_.cost_usd).into(),
            v.files.len().into(),
        ]);
    }
    cx.out.table(&table, "no versions")
}

/// Shows what changed between two versions.
///
/// # Errors
/// There are no such versions.
pub fn diff(cx: &mut Context, d: &Diff) -> Result {
    let store = up_to_date(cx, &d.name)?;
    let all = versions(&store, &d.name)?;
    let new = match &d.new {
        Some(hash) => version(&all, &d.name, hash)?,
        None => &all[0],
    };
    let old: Option<&SkillVersion> = match &d.old {
        Some(hash) => Some(version(&all, &d.name, hash)?),
        None => all.iter().skip_while(|v| v.hash != new.hash).nth(1),
    };
    let Some(old) = old else {
        return Err(CliError::refused(format!("there is only one version of {}", d.name)).hint("edit it, and look again"));
    };
    let text = differences(&store, old, new)?;
    if cx.out.json {
        return cx.out.value(&json!({ "skill": d.name, "old": old.hash, "new": new.hash, "diff": text }));
    }
    for line in text.lines() {
        let tone = match line.as_bytes().first() {
            Some(b'+') => Tone::Good,
            Some(b'-') => Tone::Bad,
            Some(b'@') => Tone::Busy,
            _ => Tone::Plain,
        };
        cx.out.toned(tone, line)?;
    }
    Ok(())
}

/// Lists what each version made.
///
/// # Errors
/// There is no such skill or version.
pub fn outputs(cx: &mut Context, o: &Outputs) -> Result {
    let store = up_to_date(cx, &o.name)?;
    let all = versions(&store, &o.name)?;
    let hash = o.version.as_deref().map(|h| version(&all, &o.name, h).map(|v| v.hash.clone())).transpose()?;
    let found = store.skill_outputs(&o.name, hash.as_deref(), o.limit)?;
    if cx.out.json {
        return cx.out.value(&found);
    }
    let now = cx.now();
    let order: BTreeMap<&str, usize> = all.iter().enumerate().map(|(i, v)| (v.hash.as_str(), all.len() - i)).collect();
    let mut table = Table::new(&["VERSION", ">#", ">JOB", "STATE", "OUTCOME", ">TOKENS", ">COST", ">AGE", "TITLE", "RESULT"], "TITLE");
    for f in &found {
        table.row(vec![
            short(&f.hash).into(),
            order.get(f.hash.as_str()).copied().unwrap_or_default().into(),
            f.job.into(),
            f.state.into(),
            f.outcome.map_or_else(|| "running".to_owned(), |o| o.to_string()).into(),
            f.tokens.into(),
            f.cost_usd.map_or_else(|| "-".to_owned(), |c| format!("${c:.2}")).into(),
            ages::ago(f.started_at, now).into(),
            (&f.title).into(),
            f.result_file.clone().unwrap_or_default().into(),
        ]);
    }
    cx.out.table(&table, "no job was given it yet")
}

fn not_found(e: SkillError) -> CliError {
    match &e {
        SkillError::Unknown { .. } | SkillError::Name { .. } => CliError::not_found(e.to_string()),
        _ => CliError::new(Kind::Failure, e.to_string()),
    }
}
