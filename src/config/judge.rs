//! Who judges what is worth remembering: the backend that the setting `memory_backend` means.

use super::backend::Backend;
use super::settings::Settings;
use super::workspace::Workspace;
use crate::domain::{CronEntry, Kind};
use std::collections::BTreeMap;

impl Settings {
    /// The backend of captures and reviews, or why there is none. `auto` is the first agent with a cheap model that is `usable`: after
    /// each job somebody judges, and an expensive judge nobody asked for.
    ///
    /// # Errors
    /// There is none: why, and what to do.
    pub fn judge<'b>(&self, backends: &'b BTreeMap<String, Backend>, usable: impl Fn(&Backend) -> bool) -> Result<&'b Backend, String> {
        match self.memory_backend.trim() {
            "none" => Err("`memory_backend` is none, so nothing is captured or reviewed by itself".to_owned()),
            "auto" => {
                let cheap = |b: &Backend| b.uses_model() && b.reviews && b.model_for(self, Kind::Capture).is_some();
                backends.values().find(|b| cheap(b) && usable(b)).ok_or_else(|| {
                    "no agent with a cheap model (`classification` in its models) is installed and signed in, so nothing is captured or \
                     reviewed by itself: sign one in, or name a backend in `memory_backend`"
                        .to_owned()
                })
            }
            name => match backends.get(name) {
                Some(b) if b.uses_model() => Ok(b),
                Some(_) => Err(format!("`memory_backend` is {name}, which is no backend with a model: `orc backend ls` lists them")),
                None => Err(format!("there is no backend `{name}`, which `memory_backend` names: `orc backend ls` lists them")),
            },
        }
    }
}

/// Why a schedule that reviews the day comes to nothing as things stand; `None` for every other one.
pub fn review_problem(workspace: &Workspace, settings: &Settings, entry: &CronEntry) -> Option<String> {
    if entry.job.kind != Kind::Consolidate {
        return None;
    }
    let known = super::backend::backends(workspace, settings).map(|(known, _)| known).unwrap_or_default();
    settings.judge(&known, Backend::is_ready).err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_agent_with_a_cheap_model_judges_unasked() {
        let backends = super::super::built_in();
        let judge = |name: &str, usable: &[&str]| {
            let settings = Settings { memory_backend: name.to_owned(), ..Settings::default() };
            settings.judge(&backends, |b| usable.contains(&b.name.as_str())).map(|b| b.name.clone())
        };
        assert_eq!(judge("auto", &["claude", "codex"]), Ok("claude".into()));
        assert!(judge("auto", &["codex", "replay"]).unwrap_err().contains("cheap model"));
        assert_eq!(judge("codex", &[]), Ok("codex".into()), "named, it is used, and its absence shows with its jobs");
        assert!(judge("shell", &[]).unwrap_err().contains("no backend with a model"));
        assert!(judge("none", &["claude"]).is_err() && judge("nobody", &[]).unwrap_err().contains("no backend `nobody`"));
        let mut settings = Settings::default();
        settings.backend.entry("codex".into()).or_default().models.insert("classification".into(), "mini".into());
        assert_eq!(settings.judge(&backends, |b| b.name == "codex").map(|b| b.name.as_str()), Ok("codex"));
    }
}
