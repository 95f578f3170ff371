//! Backend descriptions: how an agent CLI is called. TOML, built in or in the workspace's `backends/`; a new CLI with a known
//! dialect needs no code.

mod load;
mod render;
#[cfg(test)]
mod tests;

pub use load::{backends, built_in};
pub use render::{RenderInput, Rendered, in_repository};

use super::program::{self, Version};
use super::settings::Settings;
use crate::domain::{Dialect, Kind};
use render::Places;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A description. In every argument, variable and file `{model}`, `{session}`, `{title}`, `{system_file}`, `{prompt_file}`, `{dir}`
/// (the attempt's folder), `{cwd}`, `{workspace}` and `{shim}` are replaced, and `{cwd:json}` by the same as the inside of a JSON
/// string; an argument that becomes empty is left out. The order is: program, args, new or resume, model, system, isolate, those
/// of `[[when]]`, last.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    pub name: String,
    /// Which stream it speaks.
    pub dialect: Dialect,
    /// The program; found on PATH. `{shim}` is our own small program.
    pub program: String,
    /// Always passed.
    #[serde(default)]
    pub args: Vec<String>,
    /// With a model.
    #[serde(default)]
    pub model_args: Vec<String>,
    /// In a new session.
    #[serde(default)]
    pub new_args: Vec<String>,
    /// In a session that exists; empty: sessions cannot be resumed.
    #[serde(default)]
    pub resume_args: Vec<String>,
    /// Goes on with a session on the operator's own terminal: after the program, before the model's arguments. Empty: it cannot.
    #[serde(default)]
    pub interactive_args: Vec<String>,
    /// With a system text. Neither arguments nor variables: it is put before the prompt.
    #[serde(default)]
    pub system_args: Vec<String>,
    #[serde(default)]
    pub system_env: BTreeMap<String, String>,
    /// Keeps the CLI from reading the workspace's own operating file, where a job runs inside the workspace.
    #[serde(default)]
    pub isolate_args: Vec<String>,
    #[serde(default)]
    pub isolate_env: BTreeMap<String, String>,
    /// The CLI looks for such files no further up than the repository that it runs in: a repository inside the workspace needs no
    /// isolation, and keeps its own.
    #[serde(default)]
    pub reads_repository_only: bool,
    /// What only some versions of the CLI take.
    #[serde(default)]
    pub when: Vec<When>,
    /// Passed last.
    #[serde(default)]
    pub last_args: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Only where the user is root.
    #[serde(default)]
    pub root_env: BTreeMap<String, String>,
    /// Not inherited. A trailing `*` matches any ending.
    #[serde(default)]
    pub env_remove: Vec<String>,
    /// A file made in the attempt's folder before the start: name and text.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// `chosen`: we name the session beforehand; `captured`: its stream tells; `none`.
    #[serde(default)]
    pub session: SessionId,
    /// False: no model behind it, so no tokens are reserved.
    #[serde(default = "yes")]
    pub model: bool,
    /// Running attempts at once; 0 = no limit.
    #[serde(default)]
    pub concurrent: u32,
    /// Starts a minute; 0 = no limit.
    #[serde(default)]
    pub per_minute: u32,
    /// Prints its version.
    #[serde(default)]
    pub version_args: Vec<String>,
    /// Variables or files (`~/…`) of which one means "signed in"; empty: nothing to sign in to.
    #[serde(default)]
    pub signed_in: Vec<String>,
    /// What to do where the program is missing.
    #[serde(default)]
    pub fix: String,
    /// What to do where it is there and not signed in; empty: as `fix`.
    #[serde(default)]
    pub sign_in: String,
    /// The family of its models (`anthropic`, `openai`, …), where it has one only; else the model's name tells.
    #[serde(default)]
    pub family: Option<String>,
    /// False: it is never chosen to review by itself. Named in `reviewer`, it does.
    #[serde(default = "yes")]
    pub reviews: bool,
    /// Models by tier: `deep`, `routine`, `classification`.
    #[serde(default)]
    pub models: BTreeMap<String, String>,
}

/// What only some versions of a CLI take. A version that cannot be told counts as the newest.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// From this version on.
    #[serde(default)]
    pub at_least: Option<Version>,
    /// Up to this version, itself excluded.
    #[serde(default)]
    pub before: Option<Version>,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub new_args: Vec<String>,
    #[serde(default)]
    pub resume_args: Vec<String>,
    /// With a system text.
    #[serde(default)]
    pub system_args: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// How a session's id is had. Never "the latest".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionId {
    Chosen,
    Captured,
    #[default]
    None,
}

fn yes() -> bool {
    true
}

impl Backend {
    /// True where attempts use a model, and so tokens.
    pub fn uses_model(&self) -> bool {
        self.model
    }

    /// True where a session can be gone on with.
    pub fn resumes(&self) -> bool {
        !self.resume_args.is_empty()
    }

    /// The id of a new session, where we choose it.
    pub fn chosen_session(&self) -> Option<String> {
        (self.session == SessionId::Chosen).then(|| uuid::Uuid::new_v4().to_string())
    }

    /// The model for a kind of job: what `orc.toml` names for its tier, else the description's own.
    pub fn model_for(&self, settings: &Settings, kind: Kind) -> Option<String> {
        settings.model(&self.name, kind).or_else(|| self.models.get(settings.tier[kind].as_str()).map(String::as_str)).map(str::to_owned)
    }

    /// True where its program is there and one of its marks of being signed in is. Looks, and starts nothing.
    pub fn is_ready(&self) -> bool {
        let found = self.program == "{shim}" || program::find(Path::new(&self.program)).is_some();
        found && (self.signed_in.is_empty() || self.signed_in.iter().any(|mark| program::is_there(mark)))
    }

    /// Every model that is known of it, the best first: what `orc.toml` names, then the description's own.
    pub fn known_models(&self, settings: &Settings) -> Vec<String> {
        let mut models: Vec<String> = Vec::new();
        for tier in super::settings::Tier::WORDS {
            let named = settings.backend.get(&self.name).and_then(|o| o.models.get(*tier));
            models.extend(named.or_else(|| self.models.get(*tier)).filter(|m| !models.contains(m)).cloned());
        }
        models
    }

    /// The version of the CLI that would be started, where the description asks for it and its place on the disk tells.
    pub fn version(&self) -> Option<Version> {
        if self.when.is_empty() { None } else { program::version_on_disk(&program::find(Path::new(&self.program))?) }
    }

    /// What the description says that cannot be.
    fn mistake(&self) -> Option<String> {
        let groups = [
            &self.args,
            &self.model_args,
            &self.new_args,
            &self.resume_args,
            &self.interactive_args,
            &self.system_args,
            &self.isolate_args,
            &self.last_args,
        ];
        let when = self.when.iter().flat_map(|w| [&w.args, &w.new_args, &w.resume_args, &w.system_args]);
        let vars = [&self.env, &self.root_env, &self.isolate_env, &self.system_env, &self.files];
        let vars = vars.into_iter().chain(self.when.iter().map(|w| &w.env)).flat_map(|m| m.values());
        let texts: Vec<&String> = groups.into_iter().chain(when).flatten().chain(vars).chain([&self.program]).collect();
        if let Some(name) = texts.iter().find_map(|t| Places::unknown(t)) {
            return Some(format!("`{{{name}}}` is not one of {}", Places::NAMES.map(|n| format!("{{{n}}}")).join(", ")));
        }
        let names_session = texts.iter().any(|t| t.contains("{session}"));
        if self.name.is_empty() || self.name.contains(|c: char| c.is_whitespace() || c == '/') {
            Some(format!("`name` is {:?}: it has to be one word without a slash", self.name))
        } else if !self.resume_args.is_empty() && !names_session {
            Some("`resume_args` without `{session}` anywhere: it would go on with some other session".to_owned())
        } else if !self.interactive_args.is_empty() && !self.interactive_args.iter().any(|a| a.contains("{session}")) {
            Some("`interactive_args` without `{session}`: it would go on with some other session".to_owned())
        } else if self.session == SessionId::Chosen && !names_session {
            Some("`session = \"chosen\"`, but no argument passes `{session}` on".to_owned())
        } else {
            None
        }
    }
}

impl When {
    fn holds(&self, version: Option<Version>) -> bool {
        match version {
            Some(v) => self.at_least.is_none_or(|least| v >= least) && self.before.is_none_or(|before| v < before),
            None => self.before.is_none(),
        }
    }
}
