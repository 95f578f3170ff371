//! Rubrics: `rubrics/KIND.toml`, what the work of a kind is judged by; where a workspace has none, the one that comes with the
//! program.

use super::workspace::Workspace;
use crate::domain::{Kind, Rubric};
use std::path::PathBuf;

/// The rubrics that come with the program.
pub const BUILT_IN_RUBRICS: &[(Kind, &str)] = &[
    (Kind::Code, include_str!("../../config/rubrics/code.toml")),
    (Kind::Writing, include_str!("../../config/rubrics/writing.toml")),
    (Kind::Research, include_str!("../../config/rubrics/research.toml")),
    (Kind::Plan, include_str!("../../config/rubrics/plan.toml")),
    (Kind::Other, include_str!("../../config/rubrics/other.toml")),
];

/// A rubric that cannot be used. It names file, place and remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}. Mend it, or remove the file: the rubric that comes with the program is used then", path.display())]
pub struct RubricError {
    pub path: PathBuf,
    pub what: String,
}

/// What the work of a kind is judged by. A kind without a rubric of its own has that of `other`.
///
/// # Errors
/// The workspace's file cannot be read or holds a mistake.
pub fn rubric(workspace: &Workspace, kind: Kind) -> Result<Rubric, RubricError> {
    let path = workspace.rubrics_dir().join(format!("{kind}.toml"));
    let wrong = |what: String| RubricError { path: path.clone(), what };
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&text).map_err(wrong),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(built_in(kind)),
        Err(e) => Err(wrong(format!("cannot be read: {e}"))),
    }
}

fn built_in(kind: Kind) -> Rubric {
    let of = |kind: Kind| BUILT_IN_RUBRICS.iter().find(|(k, _)| *k == kind);
    let text = of(kind).or_else(|| of(Kind::Other)).map_or("", |(_, text)| *text);
    parse(text).expect("the built-in rubrics are tested")
}

fn parse(text: &str) -> Result<Rubric, String> {
    let rubric: Rubric = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        format!("line {line}: {}", e.message().trim())
    })?;
    match rubric.mistake() {
        Some(mistake) => Err(mistake),
        None => Ok(rubric),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_and_the_workspaces_own_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let (workspace, _) = crate::config::init(&dir.path().join("ws")).unwrap();
        for kind in Kind::ALL {
            let rubric = rubric(&workspace, *kind).unwrap();
            assert!(rubric.criterion.len() >= 4 && rubric.threshold == Some(0.8), "{kind}");
        }
        let path = workspace.rubrics_dir().join("code.toml");
        std::fs::write(&path, "[[criterion]]\nid = \"small\"\nweight = 1\nasks = \"Is it small?\"\n").unwrap();
        assert_eq!(rubric(&workspace, Kind::Code).unwrap().criterion[0].id, "small");
        std::fs::write(&path, "\n[[criterion]]\nid = \"small\"\nwait = 1\n").unwrap();
        let e = rubric(&workspace, Kind::Code).unwrap_err().to_string();
        assert!(e.contains("code.toml: line 4: unknown field `wait`"), "{e}");
    }
}
