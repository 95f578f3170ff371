//! Backend descriptions: how an agent CLI is called. TOML, built in or in the workspace's `backends/`; a new CLI with a known
//! dialect needs no code.

use super::program::{self, Version};
use super::settings::Settings;
use super::workspace::Workspace;
use crate::domain::{Kind, Worker};
use crate::wire::{Dialect, files};
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
    /// What to do where the program is missing or not signed in.
    #[serde(default)]
    pub fix: String,
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

/// What a command line is made from.
#[derive(Clone, Copy, Debug)]
pub struct RenderInput<'a> {
    pub model: Option<&'a str>,
    pub session: Option<&'a str>,
    pub resume: bool,
    pub title: &'a str,
    pub attempt_dir: &'a Path,
    pub cwd: &'a Path,
    pub workspace: &'a Path,
    /// The job runs in a repository of its own below the workspace's folder (`in_repository`).
    pub in_repository: bool,
    /// The CLI's version, as far as it can be told (`Backend::version`).
    pub version: Option<Version>,
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

    /// The version of the CLI that would be started, where the description asks for it and its place on the disk tells.
    pub fn version(&self) -> Option<Version> {
        if self.when.is_empty() { None } else { program::version_on_disk(&program::find(Path::new(&self.program))?) }
    }

    /// The command line for one attempt.
    pub fn render(&self, r: &RenderInput<'_>) -> Rendered {
        let places = Places::new(r);
        let fill = |text: &String| places.fill(text);
        let session_args = |new: &'_ [String], resume: &'_ [String]| if r.resume { resume.to_vec() } else { new.to_vec() };
        let when = || self.when.iter().filter(|w| w.holds(r.version));
        let isolate = r.inside_workspace && !(r.in_repository && self.reads_repository_only);
        let has_system = !r.system.is_empty();

        let mut args = vec![self.program.clone()];
        args.extend_from_slice(&self.args);
        args.extend(session_args(&self.new_args, &self.resume_args));
        args.extend_from_slice(if r.model.is_some() { &self.model_args } else { &[] });
        args.extend_from_slice(if has_system { &self.system_args } else { &[] });
        args.extend_from_slice(if isolate { &self.isolate_args } else { &[] });
        for w in when() {
            args.extend_from_slice(&w.args);
            args.extend(session_args(&w.new_args, &w.resume_args));
            args.extend_from_slice(if has_system { &w.system_args } else { &[] });
        }
        args.extend_from_slice(&self.last_args);

        let mut env = self.env.clone();
        let mut set = |more: &BTreeMap<String, String>, yes: bool| env.extend(more.clone().into_iter().filter(|_| yes));
        set(&self.root_env, r.root);
        set(&self.isolate_env, isolate);
        set(&self.system_env, has_system);
        when().for_each(|w| set(&w.env, true));

        // A script stays as it was submitted.
        let separate = !self.system_args.is_empty() || !self.system_env.is_empty() || !self.model;
        let prompt = if separate || !has_system { r.prompt.to_owned() } else { format!("{}\n\n{}", r.system, r.prompt) };
        let filled = |map: &BTreeMap<String, String>| map.iter().map(|(k, v)| (k.clone(), fill(v))).collect();
        Rendered {
            argv: args.iter().map(fill).filter(|a| !a.is_empty()).collect(),
            env: filled(&env),
            env_remove: NESTED.iter().map(|n| (*n).to_owned()).chain(self.env_remove.iter().cloned()).collect(),
            files: filled(&self.files),
            system: r.system.to_owned(),
            prompt,
        }
    }

    /// The command line that goes on with a session on the operator's own terminal, if there is one. No permission is given in
    /// advance: the operator is there to be asked.
    pub fn interactive(&self, session: &str, worker: &Worker, workspace: &Workspace) -> Option<Rendered> {
        if self.interactive_args.is_empty() {
            return None;
        }
        let dir = Path::new(&worker.directory);
        let model = worker.model.as_deref();
        let places = Places::new(&RenderInput {
            model,
            session: Some(session),
            resume: true,
            title: "",
            attempt_dir: dir,
            cwd: dir,
            workspace: workspace.root(),
            in_repository: false,
            version: None,
            system: "",
            prompt: "",
            inside_workspace: false,
            root: false,
            shim: Path::new("orc-shim"),
        });
        let mut args = vec![self.program.clone()];
        args.extend_from_slice(&self.interactive_args);
        args.extend_from_slice(if model.is_some() { &self.model_args } else { &[] });
        Some(Rendered {
            argv: args.iter().map(|a| places.fill(a)).filter(|a| !a.is_empty()).collect(),
            env: self.env.iter().map(|(k, v)| (k.clone(), places.fill(v))).collect(),
            env_remove: NESTED.iter().map(|n| (*n).to_owned()).chain(self.env_remove.iter().cloned()).collect(),
            files: BTreeMap::new(),
            system: String::new(),
            prompt: String::new(),
        })
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

/// Marks that an agent leaves in the environment of what it starts. Where the engine itself was started from within an agent, the
/// jobs' agents must not take themselves for its children.
const NESTED: &[&str] = &[
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_SSE_PORT",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_SESSION_KIND",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_REMOTE*",
    "AI_AGENT",
    "CODEX_SANDBOX*",
    "CODEX_THREAD_ID",
    "CODEX_CI",
    "GEMINI_CLI",
    "GEMINI_CLI_IDE_*",
    "OPENCODE",
    "OPENCODE_PID",
    "OPENCODE_SERVER_*",
];

/// True where a job's folder lies in a repository that begins below the workspace's own folder.
pub fn in_repository(cwd: &Path, workspace: &Path) -> bool {
    cwd.ancestors().take_while(|dir| *dir != workspace).filter(|dir| dir.starts_with(workspace)).any(|dir| dir.join(".git").exists())
}

/// What stands for what in a description.
struct Places([(&'static str, String); 9]);

impl Places {
    const NAMES: [&'static str; 9] = ["model", "session", "title", "system_file", "prompt_file", "dir", "cwd", "workspace", "shim"];

    fn new(r: &RenderInput<'_>) -> Places {
        let path = |p: &Path| p.to_string_lossy().into_owned();
        let values = [
            r.model.unwrap_or_default().to_owned(),
            r.session.unwrap_or_default().to_owned(),
            r.title.to_owned(),
            path(&r.attempt_dir.join(files::SYSTEM)),
            path(&r.attempt_dir.join(files::PROMPT)),
            path(r.attempt_dir),
            path(r.cwd),
            path(r.workspace),
            path(r.shim),
        ];
        let mut names = Self::NAMES.into_iter();
        Places(values.map(|value| (names.next().expect("as many names as values"), value)))
    }

    /// Replaces each placeholder once; what replaces it is not looked at again. Other braces stand.
    fn fill(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            out.push_str(&rest[..open]);
            rest = &rest[open..];
            let inner = rest[1..].split('}').next().unwrap_or_default();
            let (name, json) = inner.strip_suffix(":json").map_or((inner, false), |name| (name, true));
            match self.0.iter().find(|(known, _)| *known == name).filter(|_| inner.len() + 1 < rest.len()) {
                Some((_, value)) if json => {
                    let quoted = serde_json::Value::from(value.as_str()).to_string();
                    out.push_str(&quoted[1..quoted.len() - 1]);
                }
                Some((_, value)) => out.push_str(value),
                None => {
                    out.push('{');
                    rest = &rest[1..];
                    continue;
                }
            }
            rest = &rest[inner.len() + 2..];
        }
        out + rest
    }

    /// A placeholder that is none of ours. (JSON and the CLIs' own `{env:NAME}` look otherwise.)
    fn unknown(text: &str) -> Option<&str> {
        text.split('{')
            .skip(1)
            .filter_map(|t| t.split_once('}'))
            .map(|(name, _)| name.trim_end_matches(":json"))
            .find(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && !Self::NAMES.contains(name))
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
    let backend: Backend = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        format!("{name}:{line}: {}. The other backends stand", e.message().trim())
    })?;
    match backend.mistake() {
        Some(mistake) => Err(format!("{name}: {mistake}. The other backends stand")),
        None => Ok(backend),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input<'a>() -> RenderInput<'a> {
        RenderInput {
            model: Some("m1"),
            session: Some("s1"),
            resume: false,
            title: "T",
            attempt_dir: Path::new("/a/7"),
            cwd: Path::new("/w/drafts"),
            workspace: Path::new("/w"),
            in_repository: false,
            version: None,
            system: "SYS",
            prompt: "P",
            inside_workspace: true,
            root: true,
            shim: Path::new("orc-shim"),
        }
    }

    fn shown(r: &Rendered) -> String {
        let env: Vec<String> = r.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
        format!("{}\n  {}\n  {:?}", r.argv.join(" "), env.join(" "), r.prompt)
    }

    #[test]
    fn command_lines() {
        let mut all = String::new();
        for (name, backend) in built_in() {
            let new = RenderInput { session: (backend.session == SessionId::Chosen).then_some("s1"), ..input() };
            all += &format!("{name}\n  {}\n\n", shown(&backend.render(&new)));
            if backend.resumes() {
                all += &format!("{name}, resumed\n  {}\n\n", shown(&backend.render(&RenderInput { resume: true, ..input() })));
            }
        }
        insta::assert_snapshot!(all);
    }

    #[test]
    fn a_plain_call_has_no_more_than_it_needs() {
        let plain = RenderInput { model: None, system: "", inside_workspace: false, root: false, ..input() };
        for (name, backend) in built_in() {
            let r = backend.render(&RenderInput { session: (backend.session == SessionId::Chosen).then_some("s1"), ..plain });
            assert_eq!(r.prompt, "P", "{name}");
            let all = shown(&r);
            for gone in ["m1", "system", "IS_SANDBOX", "Excludes", "project_doc", "PROJECT_CONFIG"] {
                assert!(!all.contains(gone), "{name}: {all}");
            }
        }
    }

    #[test]
    fn only_versions_that_know_a_flag_get_it() {
        let flag = |version: Option<&str>, resume| {
            let version = version.map(|v| v.parse().unwrap());
            built_in()["claude"].render(&RenderInput { version, resume, ..input() }).argv.contains(&"--system-prompt-snapshot".to_owned())
        };
        assert!(flag(Some("2.1.330"), true) && flag(None, true), "what cannot be told counts as new");
        assert!(!flag(Some("2.1.197"), true));
        assert!(!flag(Some("2.1.330"), false));
    }

    #[test]
    fn a_repository_inside_the_workspace_keeps_its_own_instructions() {
        let isolated = |name: &str, in_repository| {
            let all = shown(&built_in()[name].render(&RenderInput { in_repository, ..input() }));
            ["Excludes", "project_doc", "PROJECT_CONFIG"].iter().any(|w| all.contains(w))
        };
        for name in ["codex", "opencode"] {
            assert!(isolated(name, false) && !isolated(name, true), "{name}");
        }
        assert!(isolated("claude", true), "it reads on above the repository");

        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("projects/site/src");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir(dir.path().join(".git")).unwrap();
        assert!(!in_repository(&deep, dir.path()), "the workspace's own repository is no other");
        std::fs::write(dir.path().join("projects/site/.git"), "gitdir: elsewhere").unwrap();
        assert!(in_repository(&deep, dir.path()));
        assert!(!in_repository(dir.path(), dir.path()));
    }

    #[test]
    fn what_replaces_a_placeholder_is_not_looked_at_again() {
        let backend = parse(
            "name = \"x\"\ndialect = \"text\"\nprogram = \"x\"\nargs = ['{title}', '{\"a\":\"{cwd:json}\"}', '{env:KEY}', '{', '{}']",
            "x",
        )
        .unwrap();
        let r = backend.render(&RenderInput { title: "{cwd} {", cwd: Path::new("/w/\"q\""), ..input() });
        assert_eq!(r.argv[1..], ["{cwd} {", r#"{"a":"/w/\"q\""}"#, "{env:KEY}", "{", "{}"].map(str::to_owned));
    }

    #[test]
    fn marks_of_an_agent_around_us_are_not_inherited_but_logins_are() {
        let removed = built_in()["claude"].render(&input()).env_remove;
        let is_removed = |name: &str| removed.iter().any(|r| r.strip_suffix('*').map_or(r == name, |start| name.starts_with(start)));
        assert!(["CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "GEMINI_CLI", "CODEX_SANDBOX_NETWORK_DISABLED"].iter().all(|n| is_removed(n)));
        let logins = built_in().into_values().flat_map(|b| b.signed_in);
        assert!(logins.chain(["CLAUDE_CODE_MAX_OUTPUT_TOKENS".to_owned()]).all(|name| !is_removed(&name)));
    }

    #[test]
    fn mistakes_are_named_with_what_would_be_right() {
        let says = |more: &str| parse(&format!("name = \"x\"\ndialect = \"claude\"\nprogram = \"x\"\n{more}"), "x.toml").unwrap_err();
        assert!(
            says("args = ['{sesion}']").starts_with("x.toml: `{sesion}` is not one of {model}, {session}"),
            "{}",
            says("args = ['{sesion}']")
        );
        assert!(says("resume_args = ['--continue']").contains("some other session"));
        assert!(says("session = 'chosen'").contains("no argument passes"));
        assert!(
            says("[[when]]\nat_least = '2'").starts_with("x.toml:5: `2` is not a version like 1.2.3"),
            "{}",
            says("[[when]]\nat_least = '2'")
        );
        assert!(parse("name = 'a b'\ndialect = 'text'\nprogram = 'x'", "x.toml").unwrap_err().contains("one word"));
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
