//! The descriptions that come with the program, those of a workspace's folder, and what the settings change.

use super::Backend;
use crate::config::settings::Settings;
use crate::config::workspace::Workspace;
use std::collections::BTreeMap;
use std::path::Path;

const BUILT_IN: &[(&str, &str)] = &[
    ("claude.toml", include_str!("../../../config/backends/claude.toml")),
    ("codex.toml", include_str!("../../../config/backends/codex.toml")),
    ("gemini.toml", include_str!("../../../config/backends/gemini.toml")),
    ("opencode.toml", include_str!("../../../config/backends/opencode.toml")),
    ("shell.toml", include_str!("../../../config/backends/shell.toml")),
    ("http.toml", include_str!("../../../config/backends/http.toml")),
    ("replay.toml", include_str!("../../../config/backends/replay.toml")),
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
pub(super) fn all(dir: &Path) -> std::io::Result<(BTreeMap<String, Backend>, Vec<String>)> {
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

pub(super) fn parse(text: &str, name: &str) -> Result<Backend, String> {
    let backend: Backend = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        format!("{name}:{line}: {}. The other backends stand", e.message().trim())
    })?;
    match backend.mistake() {
        Some(mistake) => Err(format!("{name}: {mistake}. The other backends stand")),
        None => Ok(backend),
    }
}
