//! The table of prices: `models.toml` of the workspace over the one that comes with the program.

use super::workspace::Workspace;
use crate::domain::{Price, Prices};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The prices that come with the program.
pub const BUILT_IN_PRICES: &str = include_str!("../../config/models.toml");

/// A table of prices that cannot be used. It names file, place and remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}. Mend it, or remove the file: the prices that come with the program are used then", path.display())]
pub struct PriceError {
    pub path: PathBuf,
    pub what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    model: Vec<Entry>,
}

// Flattening a `Price` in would let unknown keys pass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    input: f64,
    output: f64,
    cache_read: f64,
    cache_write: f64,
}

/// The prices in force: the workspace's own entries go first.
///
/// # Errors
/// The workspace's file cannot be read, or holds a mistake.
pub fn prices(workspace: &Workspace) -> Result<Prices, PriceError> {
    let path = workspace.prices_file();
    let wrong = |what: String| PriceError { path: path.clone(), what };
    let own = match std::fs::read_to_string(&path) {
        Ok(text) => parse(&text).map_err(wrong)?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(wrong(format!("cannot be read: {e}"))),
    };
    Ok(Prices::new(own.into_iter().chain(built_in())))
}

/// The prices that come with the program, alone.
pub fn built_in_prices() -> Prices {
    Prices::new(built_in())
}

fn built_in() -> Vec<(String, Price)> {
    parse(BUILT_IN_PRICES).expect("the built-in prices are tested")
}

fn parse(text: &str) -> Result<Vec<(String, Price)>, String> {
    let file: File = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        format!("line {line}: {}", e.message().trim())
    })?;
    let mut seen = BTreeSet::new();
    let mut all = Vec::with_capacity(file.model.len());
    for Entry { name, input, output, cache_read, cache_write } in file.model {
        let bad = [input, output, cache_read, cache_write].into_iter().find(|n| !n.is_finite() || *n < 0.0 || *n > 100_000.0);
        if let Some(bad) = bad {
            return Err(format!("`{name}` costs {bad}: a price is US dollars per million tokens, 0 to 100000"));
        }
        if name.trim_end_matches('*').is_empty() || name.trim_end_matches('*').contains('*') {
            return Err(format!("`{name}` is no name of a model: `*` may stand at its end, after something"));
        }
        if !seen.insert(name.clone()) {
            return Err(format!("`{name}` is there twice"));
        }
        all.push((name, Price { input, output, cache_read, cache_write }));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspaces_own_prices_go_first_and_mistakes_are_named_by_line() {
        let dir = tempfile::tempdir().unwrap();
        let (workspace, _) = crate::config::init(&dir.path().join("ws")).unwrap();
        let all = prices(&workspace).unwrap();
        assert_eq!((all.of("claude-opus-4-1-20250805").unwrap().output, all.of("claude-opus-4-5-20251101").unwrap().output), (75.0, 25.0));
        assert_eq!((all.of("gpt-5-mini").unwrap().input, all.of("gpt-6"), all.of("gpt-5.9-codex")), (0.25, None, None));

        let path = workspace.root().join("models.toml");
        let entry = "[[model]]\nname = \"gpt-5\"\ninput = 1\noutput = 2\ncache_read = 0\ncache_write = 0\n";
        std::fs::write(&path, entry).unwrap();
        let all = prices(&workspace).unwrap();
        assert_eq!((all.of("gpt-5").unwrap().output, all.of("gpt-5-mini").unwrap().output), (2.0, 2.0));
        for (text, says) in [
            (entry.replace("output", "outptu"), "models.toml: line 4: unknown field `outptu`"),
            (entry.replace("output = 2", "output = -2"), "`gpt-5` costs -2"),
            (entry.repeat(2), "`gpt-5` is there twice"),
            (entry.replace("gpt-5", "*"), "no name of a model"),
            (entry.replace("cache_write = 0\n", ""), "missing field `cache_write`"),
        ] {
            std::fs::write(&path, text).unwrap();
            let e = prices(&workspace).unwrap_err().to_string();
            assert!(e.contains(says), "{e}");
        }
    }
}
