//! `orc skill new|pin|rollback|canary`: what changes something.

use super::{Canary, New, Pin, short, up_to_date, version, versions};
use crate::cli::context::{Context, Engine};
use crate::cli::error::{CliError, Result};
use crate::config::BUILTIN_SKILLS;
use crate::domain::{Act, Command};
use crate::store::Store;
use serde_json::json;

/// Makes a skill: its folder and a SKILL.md to fill in. Where there is a built-in one of the name, its text is the beginning.
///
/// # Errors
/// There is one already, or the name is none.
pub fn new(cx: &mut Context, n: &New) -> Result {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let name = &n.name;
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) || name.starts_with('-') || name.ends_with('-') || name.contains("--")
    {
        return Err(
            CliError::usage(format!("`{name}` is not a skill's name")).hint("lower-case letters, digits and single dashes, at most 64")
        );
    }
    let mut store = cx.writer()?;
    cx.permit(&mut store, &Act::Steer("making skills"))?;
    let dir = cx.workspace()?.skills_dir().join(name);
    let file = dir.join(crate::config::SKILL_FILE);
    if file.exists() {
        return Err(CliError::refused(format!("there is a skill {name} already: {}", file.display()))
            .hint("edit it; the next job has the new text"));
    }
    let text = match BUILTIN_SKILLS.iter().find(|(b, _)| b == name) {
        Some((_, text)) if n.description.is_none() && n.triggers.is_empty() => (*text).to_owned(),
        _ => form(n),
    };
    let cannot = |e: std::io::Error| CliError::workspace(format!("cannot make {}: {e}", file.display()));
    std::fs::create_dir_all(&dir).and_then(|()| std::fs::write(&file, text)).map_err(cannot)?;
    if cx.out.json {
        return cx.out.value(&json!({ "name": name, "file": file }));
    }
    cx.out.done(&format!("{} is made: fill it in, then `orc skill lint {name}`", file.display()))
}

fn form(n: &New) -> String {
    let description = n.description.clone().unwrap_or_else(|| format!("What {} is for, and when to use it.", n.name));
    let triggers = serde_json::to_string(&n.triggers).unwrap_or_else(|_| "[]".into());
    let title = n.name.replace('-', " ");
    format!(
        "---\nname: {}\ndescription: {}\ntriggers: {triggers}\nversion: \"1\"\n---\n\n# {title}\n\n## When\n\nThe situation in which an agent needs this, \
         and the one that looks like it and is none.\n\n## Steps\n\n1. The first thing to do, with the exact command.\n2. How one sees that it \
         worked.\n\n## What to hand in\n\nThe form of the result, and what it has to prove.\n\n## Never\n\n- What has gone wrong here before.\n",
        n.name,
        serde_json::to_string(&description).unwrap_or_default(),
    )
}

/// Pins a version, or takes the pin away.
///
/// # Errors
/// There is no such skill or version; `Refused`.
pub fn pin(cx: &mut Context, p: &Pin) -> Result {
    let mut store = up_to_date(cx, &p.name)?;
    let hash = if p.off {
        None
    } else {
        let all = versions(&store, &p.name)?;
        Some(p.version.as_deref().map_or(Ok(&all[0]), |h| version(&all, &p.name, h))?.hash.clone())
    };
    apply(cx, &mut store, &Command::PinSkill { skill: p.name.clone(), hash })
}

/// Pins the version before the one that is in use.
///
/// # Errors
/// There is none before it.
pub fn rollback(cx: &mut Context, name: &str) -> Result {
    let mut store = up_to_date(cx, name)?;
    let command = crate::engine::skills::rollback(&store, name)?.ok_or_else(|| {
        CliError::refused(format!("there is no version of {name} before the one in use")).hint(format!("`orc skill log {name}` lists them"))
    })?;
    apply(cx, &mut store, &command)
}

/// Gives the newest version to a share of the jobs.
///
/// # Errors
/// There is no version before it that the others could get.
pub fn canary(cx: &mut Context, c: &Canary) -> Result {
    let mut store = up_to_date(cx, &c.name)?;
    let all = versions(&store, &c.name)?;
    let base = store.skill_hold(&c.name)?.base.or_else(|| all.get(1).map(|v| v.hash.clone()));
    let Some(base) = base else {
        return Err(CliError::refused(format!("there is only one version of {}: {}", c.name, short(&all[0].hash))).hint("edit it first"));
    };
    apply(cx, &mut store, &Command::CanarySkill { skill: c.name.clone(), base, percent: c.percent })
}

fn apply(cx: &mut Context, store: &mut Store, command: &Command) -> Result {
    let message = cx.apply(store, command)?;
    let there = cx.wake()? == Engine::There;
    if cx.out.json {
        return cx.out.value(&json!({ "ok": true, "message": message, "engine": there }));
    }
    cx.out.done(&message)
}
