//! From a description and an attempt to a command line.

use super::Backend;
use crate::config::Workspace;
use crate::config::program::Version;
use crate::domain::Worker;
use std::collections::BTreeMap;
use std::path::Path;

/// What a command line is made from.
#[derive(Clone, Copy, Debug)]
pub struct RenderInput<'a> {
    pub model: Option<&'a str>,
    pub session: Option<&'a str>,
    pub resume: bool,
    pub title: &'a str,
    pub attempt_dir: &'a Path,
    /// Where the system text and the prompt are written, in that folder.
    pub system_file: &'a Path,
    pub prompt_file: &'a Path,
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
            system_file: dir,
            prompt_file: dir,
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
pub(super) struct Places([(&'static str, String); 9]);

impl Places {
    pub(super) const NAMES: [&'static str; 9] =
        ["model", "session", "title", "system_file", "prompt_file", "dir", "cwd", "workspace", "shim"];

    fn new(r: &RenderInput<'_>) -> Places {
        let path = |p: &Path| p.to_string_lossy().into_owned();
        let values = [
            r.model.unwrap_or_default().to_owned(),
            r.session.unwrap_or_default().to_owned(),
            r.title.to_owned(),
            path(r.system_file),
            path(r.prompt_file),
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
    pub(super) fn unknown(text: &str) -> Option<&str> {
        text.split('{')
            .skip(1)
            .filter_map(|t| t.split_once('}'))
            .map(|(name, _)| name.trim_end_matches(":json"))
            .find(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && !Self::NAMES.contains(name))
    }
}
