//! `orc skill …`: what the skills are, which versions there were, and what each made.

mod change;
mod look;

use super::context::Context;
use super::error::{CliError, Result};
use crate::domain::SkillVersion;
use crate::engine::skills::arrived;
use crate::store::Store;
use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub enum Verb {
    /// List the skills with their version, use and success
    Ls,
    /// Show a skill's text and where its files are
    Show(Show),
    /// Make a skill in the workspace, with a form to fill in
    New(New),
    /// Check skills against the format; fails where one cannot be used
    Lint(Lint),
    /// List the versions of a skill, the newest first
    Log(One),
    /// Show what changed between two versions
    Diff(Diff),
    /// List what each version made, with outcome and cost
    Outputs(Outputs),
    /// Always give one version, whatever is in place
    Pin(Pin),
    /// Pin the version before the one in place
    Rollback(One),
    /// Give the newest version to a share of the jobs first
    Canary(Canary),
}

#[derive(Args)]
pub struct One {
    /// The skill's name
    name: String,
}

#[derive(Args)]
pub struct Show {
    /// The skill's name
    name: String,
    /// This version, by the beginning of its hash
    #[arg(long, value_name = "HASH")]
    version: Option<String>,
}

#[derive(Args)]
pub struct New {
    /// Its name: lower-case letters, digits, dashes
    name: String,
    /// When to use it, in a sentence or two
    #[arg(long, short, value_name = "TEXT")]
    description: Option<String>,
    /// A phrase in prompts that suggests it; may be repeated
    #[arg(long = "trigger", value_name = "PHRASE")]
    triggers: Vec<String>,
}

#[derive(Args)]
pub struct Lint {
    /// Only these [default: all]
    names: Vec<String>,
}

#[derive(Args)]
pub struct Diff {
    /// The skill's name
    name: String,
    /// The older version, by the beginning of its hash [default: the one before the newest]
    old: Option<String>,
    /// The newer version [default: the newest]
    new: Option<String>,
}

#[derive(Args)]
pub struct Outputs {
    /// The skill's name
    name: String,
    /// Only this version, by the beginning of its hash
    #[arg(long, value_name = "HASH")]
    version: Option<String>,
    /// At most this many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    limit: usize,
}

#[derive(Args)]
pub struct Pin {
    /// The skill's name
    name: String,
    /// The version, by the beginning of its hash [default: the newest]
    version: Option<String>,
    /// Take the pin away: the version in place is used again
    #[arg(long, conflicts_with = "version")]
    off: bool,
}

#[derive(Args)]
pub struct Canary {
    /// The skill's name
    name: String,
    /// The share of the jobs, such as 20%; 100% gives it to all
    #[arg(value_name = "SHARE", value_parser = percent)]
    percent: u8,
}

fn percent(text: &str) -> std::result::Result<u8, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    number.parse().ok().filter(|n| *n <= 100).ok_or_else(|| "give a share such as 20%, from 0% to 100%".to_owned())
}

/// Runs a verb.
///
/// # Errors
/// As each verb says.
pub fn run(cx: &mut Context, verb: Verb) -> Result {
    match verb {
        Verb::Ls => look::ls(cx),
        Verb::Show(s) => look::show(cx, &s.name, s.version.as_deref()),
        Verb::New(n) => change::new(cx, &n),
        Verb::Lint(l) => look::lint(cx, &l.names),
        Verb::Log(o) => look::log(cx, &o.name),
        Verb::Diff(d) => look::diff(cx, &d),
        Verb::Outputs(o) => look::outputs(cx, &o),
        Verb::Pin(p) => change::pin(cx, &p),
        Verb::Rollback(o) => change::rollback(cx, &o.name),
        Verb::Canary(c) => change::canary(cx, &c),
    }
}

/// Brings the version that is in place into the database, where a process may write there: a skill may have been edited with no engine
/// running.
fn up_to_date(cx: &Context, name: &str) -> Result<Store> {
    let mut store = cx.writer()?;
    let Ok(skill) = crate::config::skill(&cx.workspace()?.skills_dir(), name) else { return Ok(store) };
    if !store.knows_skill(name, &skill.hash)? {
        let now = cx.now();
        let percent = u8::try_from(cx.settings()?.skill_canary).unwrap_or(100);
        // The built-in one under a workspace's is a version too: it is what was there before.
        let shadowed = crate::config::builtin_of(name).filter(|b| b.hash != skill.hash);
        store.write::<_, crate::store::StoreError>(|tx| {
            if let Some(builtin) = shadowed.filter(|_| tx.last_skill(name).is_ok_and(|last| last.is_none())) {
                arrived(tx, &builtin, 100, now)?;
            }
            arrived(tx, &skill, percent, now)
        })?;
    }
    Ok(store)
}

/// The versions of a skill, the newest first.
fn versions(store: &Store, name: &str) -> Result<Vec<SkillVersion>> {
    let found = store.skill_versions(Some(name))?;
    if found.is_empty() {
        return Err(CliError::not_found(format!("there is no skill {name}")).hint("`orc skill ls` lists them"));
    }
    Ok(found)
}

/// One of them by how its hash begins.
fn version<'a>(all: &'a [SkillVersion], name: &str, hash: &str) -> Result<&'a SkillVersion> {
    let mut found = all.iter().filter(|v| v.hash.starts_with(hash));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(CliError::not_found(format!("there is no version {hash} of the skill {name}"))
            .hint(format!("`orc skill log {name}` lists them"))),
        (Some(_), Some(_)) => Err(CliError::usage(format!("several versions of {name} begin with {hash}")).hint("give more of it")),
    }
}

/// The short form of a version's hash.
fn short(hash: &str) -> &str {
    &hash[..hash.len().min(12)]
}
