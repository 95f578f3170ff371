//! Backend descriptions: how an agent CLI is called. TOML, built in or in the workspace's `backends/`; a new CLI with a known
//! dialect needs no code.

use super::settings::Settings;
use super::workspace::Workspace;
use crate::domain::Kind;
use crate::wire::{Dialect, files};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A description. In every argument and variable `{model}`, `{session}`, `{title}`, `{system_file}`, `{prompt_file}`, `{dir}`
/// (the attempt's folder), `{cwd}` and `{shim}` are replaced; an argument that becomes empty is left out. The order is: program,
/// args, new or resume, model, system, isolate, last.
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
    /// With a system text; empty: it is put before the prompt.
    #[serde(default)]
    pub system_args: Vec<String>,
    /// Keeps the CLI from reading the workspace's own operating file, where a job runs inside the workspace.
    #[serde(default)]
    pub isolate_args: Vec<String>,
    #[serde(default)]
    pub isolate_env: BTreeMap<String, String>,
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
    /// What to do where the program is missing or not signed in.
    #[serde(default)]
    pub fix: String,
    /// Models by tier: `deep`, `routine`, `classification`.
    #[serde(default)]
    pub models: BTreeMap<String, String>,
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

/// What a command line is made from.
#[derive(Clone, Copy, Debug)]
pub struct RenderInput<'a> {
    pub model: Option<&'a str>,
    pub session: Option<&'a str>,
    pub resume: bool,
    pub title: &'a str,
    pub attempt_dir: &'a Path,
    pub cwd: &'a Path,
    pub system: &'a str,
    pub prompt: &'a str,
    /// The job runs inside the workspace, whose operating file must not be read a second time.
    pub inside_workspace: bool,
    /// The user is root.
    pub root: bool,
    /// Our own small program.
    pub shim: &'a Path,
}

/// A command line with its environment and files.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub env_remove: Vec<String>,
    pub files: BTreeMap<String, String>,
    /// What goes into the system file, and what to standard input.
    pub system: String,
    pub prompt: String,
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

    /// The command line for one attempt.
    pub fn render(&self, r: &RenderInput<'_>) -> Rendered {
        let path = |name: &str| r.attempt_dir.join(name).to_string_lossy().into_owned();
        let places = [
            ("{model}", r.model.unwrap_or_default().to_owned()),
            ("{session}", r.session.unwrap_or_default().to_owned()),
            ("{title}", r.title.to_owned()),
            ("{system_file}", path(files::SYSTEM)),
            ("{prompt_file}", path(files::PROMPT)),
            ("{dir}", r.attempt_dir.to_string_lossy().into_owned()),
            ("{cwd}", r.cwd.to_string_lossy().into_owned()),
            ("{shim}", r.shim.to_string_lossy().into_owned()),
        ];
        let fill = |text: &String| places.iter().fold(text.clone(), |t, (name, value)| t.replace(name, value));
        let mut argv = vec![fill(&self.program)];
        let mut add = |args: &[String]| argv.extend(args.iter().map(fill).filter(|a| !a.is_empty()));
        add(&self.args);
        add(if r.resume { &self.resume_args } else { &self.new_args });
        if r.model.is_some() {
            add(&self.model_args);
        }
        let separate = !self.system_args.is_empty();
        if !r.system.is_empty() {
            add(&self.system_args);
        }
        if r.inside_workspace {
            add(&self.isolate_args);
        }
        add(&self.last_args);
        let mut env: BTreeMap<String, String> = self.env.iter().map(|(k, v)| (k.clone(), fill(v))).collect();
        if r.root {
            env.extend(self.root_env.iter().map(|(k, v)| (k.clone(), fill(v))));
        }
        if r.inside_workspace {
            env.extend(self.isolate_env.iter().map(|(k, v)| (k.clone(), fill(v))));
        }
        let prompt = if separate || r.system.is_empty() { r.prompt.to_owned() } else { format!("{}\n\n{}", r.system, r.prompt) };
        Rendered {
            argv,
            env,
            env_remove: self.env_remove.clone(),
            files: self.files.iter().map(|(k, v)| (k.clone(), fill(v))).collect(),
            system: r.system.to_owned(),
            prompt,
        }
    }
}

const BUILT_IN: &[(&str, &str)] = &[
    ("claude.toml", include_str!("../../config/backends/claude.toml")),
    ("codex.toml", include_str!("../../config/backends/codex.toml")),
    ("gemini.toml", include_str!("../../config/backends/gemini.toml")),
    ("opencode.toml", include_str!("../../config/backends/opencode.toml")),
    ("shell.toml", include_str!("../../config/backends/shell.toml")),
    ("http.toml", include_str!("../../config/backends/http.toml")),
    ("replay.toml", include_str!("../../config/backends/replay.toml")),
];

/// The backends that come with the program.
pub fn built_in() -> BTreeMap<String, Backend> {
    BUILT_IN
        .iter()
        .map(|(file, text)| parse(text, file).expect("the built-in descriptions are tested"))
        .map(|b| (b.name.clone(), b))
        .collect()
}

/// All backends of a workspace: the built-in ones, those of its `backends/*.toml`, which win, and what `[backend.NAME]` in
/// `orc.toml` changes; with what is wrong in the folder. A disabled backend is left out.
///
/// # Errors
/// The folder cannot be read.
pub fn backends(workspace: &Workspace, settings: &Settings) -> std::io::Result<(BTreeMap<String, Backend>, Vec<String>)> {
    let (mut found, problems) = all(&workspace.backends_dir())?;
    for (name, o) in &settings.backend {
        let Some(b) = found.get_mut(name) else { continue };
        b.concurrent = o.concurrent.unwrap_or(b.concurrent);
        b.per_minute = o.per_minute.unwrap_or(b.per_minute);
        if let Some(program) = &o.program {
            b.program.clone_from(program);
        }
        b.env.extend(o.env.clone());
        if o.enabled == Some(false) {
            found.remove(name);
        }
    }
    Ok((found, problems))
}

/// The built-in ones, and those of a folder, which win; with what is wrong in the folder.
fn all(dir: &Path) -> std::io::Result<(BTreeMap<String, Backend>, Vec<String>)> {
    let mut found = built_in();
    let mut problems = Vec::new();
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((found, problems)),
        Err(e) => return Err(e),
    };
    let mut paths: Vec<_> = entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
    paths.sort();
    for path in paths {
        let name = path.display().to_string();
        match std::fs::read_to_string(&path).map_err(|e| format!("{name}: {e}")).and_then(|text| parse(&text, &name)) {
            Ok(backend) => {
                found.insert(backend.name.clone(), backend);
            }
            Err(problem) => problems.push(problem),
        }
    }
    Ok((found, problems))
}

fn parse(text: &str, name: &str) -> Result<Backend, String> {
    toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        format!("{name}:{line}: {}. The other backends stand", e.message().trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(name: &str, resume: bool) -> String {
        let r = built_in()[name].render(&RenderInput {
            model: Some("m1"),
            session: Some("s1"),
            resume,
            title: "T",
            attempt_dir: Path::new("/a/7"),
            cwd: Path::new("/c"),
            system: "SYS",
            prompt: "P",
            inside_workspace: true,
            root: true,
            shim: Path::new("orc-shim"),
        });
        format!("{}\nenv {:?}\nprompt {:?}", r.argv.join(" "), r.env, r.prompt)
    }

    #[test]
    fn command_lines() {
        let mut all = String::new();
        for name in built_in().keys() {
            for resume in [false, true] {
                all += &format!("{name}{}: {}\n\n", if resume { " resumed" } else { "" }, render(name, resume));
            }
        }
        insta::assert_snapshot!(all);
    }

    #[test]
    fn a_broken_description_is_named_and_the_others_stand() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("bad.toml"), "name = \"x\"\ndialect = \"claude\"\nprogram = \"x\"\ncolour = 1\n").unwrap();
        std::fs::write(dir.path().join("mine.toml"), "name = \"mine\"\ndialect = \"text\"\nprogram = \"cat\"\n").unwrap();
        let (found, problems) = all(dir.path()).unwrap();
        assert!(found.contains_key("mine") && found.contains_key("claude"));
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("bad.toml:4: unknown field `colour`"), "{}", problems[0]);
    }
}
