//! Keys by name: what each is, and where its value goes.

use super::settings::{BackendOverrides, Settings, Tier, table};
use super::shape::{Field, Raw, Shape, Value};
use crate::domain::Kind;
use std::sync::LazyLock;

/// One setting.
pub struct Key {
    /// Its name in `orc.toml`; tables are joined with dots (`timeout.code`).
    pub name: String,
    pub shape: Shape,
    /// The default as it would be written in quotes; `None` where there is none.
    pub default: Option<&'static str>,
    /// What it means.
    pub doc: &'static str,
    pub(super) slot: Slot,
}

/// Where a value goes.
pub(super) enum Slot {
    Plain(fn(&mut Settings, Value), fn(&Settings) -> String),
    Kind(fn(&mut Settings, Kind, Value), fn(&Settings, Kind) -> String, Kind),
}

impl Key {
    /// The name as an environment variable.
    pub fn env(&self) -> String {
        format!("ORC_{}", self.name.replace('.', "_").to_uppercase())
    }

    /// The value in `settings`, as text.
    pub fn show(&self, settings: &Settings) -> String {
        let text = match &self.slot {
            Slot::Plain(_, show) => show(settings),
            Slot::Kind(_, show, kind) => show(settings, *kind),
        };
        match (&self.shape, text.parse()) {
            (Shape::Bytes { .. }, Ok(bytes)) => super::shape::bytes_text(bytes),
            _ => text,
        }
    }

    pub(super) fn set(&self, settings: &mut Settings, value: Value) {
        match &self.slot {
            Slot::Plain(set, _) => set(settings, value),
            Slot::Kind(set, _, kind) => set(settings, *kind, value),
        }
    }

    pub(super) fn set_default(&self, settings: &mut Settings) {
        if let Some(text) = self.default {
            let value = self.shape.read(&Raw::Text(text)).expect("a test reads every default of the table");
            self.set(settings, value);
        }
    }
}

/// Every key with a fixed name, in the order of `config/orc.toml`.
pub fn keys() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> = LazyLock::new(table);
    &KEYS
}

/// A key of `[backend.NAME]`.
pub struct BackendKey {
    pub name: &'static str,
    pub shape: Shape,
    set: fn(&mut BackendOverrides, Value),
}

const MANY: u64 = 100_000;

/// The keys of `[backend.NAME]`; besides them `models.TIER` and `env.NAME`.
pub const BACKEND_KEYS: &[BackendKey] = &[
    BackendKey { name: "enabled", shape: Shape::Switch, set: |b, v| b.enabled = Field::take(v) },
    BackendKey { name: "concurrent", shape: Shape::Count { min: 0, max: MANY, unit: "jobs" }, set: |b, v| b.concurrent = Field::take(v) },
    BackendKey { name: "per_minute", shape: Shape::Count { min: 0, max: MANY, unit: "starts" }, set: |b, v| b.per_minute = Field::take(v) },
    BackendKey { name: "failover", shape: Shape::Text, set: |b, v| b.failover = Field::take(v) },
    BackendKey { name: "program", shape: Shape::Text, set: |b, v| b.program = Field::take(v) },
];

type SetOverride<'a> = Box<dyn FnOnce(&mut BackendOverrides, Value) + 'a>;

/// Sets one key by its path. The error is what is wrong, and what to do about it.
pub(super) fn assign(settings: &mut Settings, path: &[&str], raw: &Raw<'_>) -> Result<(), (String, String)> {
    let name = path.join(".");
    let wrong = |default: Option<&str>| {
        let name = name.clone();
        let fix = match default {
            Some(d) => format!("Write it so, or remove it: the default is {d}"),
            None => "Write it so, or remove it".to_owned(),
        };
        move |what: String| (format!("`{name}` {what}"), fix)
    };
    match path {
        ["keys", action] => {
            let value = Shape::Text.read(raw).map_err(wrong(None))?;
            settings.keys.insert((*action).to_owned(), Field::take(value));
        }
        ["backend", backend, rest @ ..] if !rest.is_empty() => {
            if let ["env", variable] = rest
                && ["KEY", "TOKEN", "SECRET", "PASSWORD"].iter().any(|w| variable.to_uppercase().ends_with(w))
            {
                let fix =
                    "Take it out and give it to the engine's own environment (in the systemd unit: EnvironmentFile=), which agents inherit";
                return Err((format!("`{name}` looks like a secret, and what stands here is written to each attempt's files"), fix.into()));
            }
            let (shape, set): (&Shape, SetOverride<'_>) = match rest {
                ["env", variable] => (&Shape::Text, Box::new(|b, v| drop(b.env.insert((*variable).to_owned(), Field::take(v))))),
                ["models", tier] if Tier::WORDS.contains(tier) => {
                    (&Shape::Text, Box::new(|b, v| drop(b.models.insert((*tier).to_owned(), Field::take(v)))))
                }
                ["models", _] => return Err(unknown(&name, Tier::WORDS.iter().map(|t| format!("backend.{backend}.models.{t}")))),
                [one] => match BACKEND_KEYS.iter().find(|k| k.name == *one) {
                    Some(key) => (&key.shape, Box::new(key.set)),
                    None => return Err(unknown(&name, backend_names(backend))),
                },
                _ => return Err(unknown(&name, backend_names(backend))),
            };
            let value = shape.read(raw).map_err(wrong(None))?;
            set(settings.backend.entry((*backend).to_owned()).or_default(), value);
        }
        _ => match keys().iter().find(|k| k.name == name) {
            Some(key) => {
                let value = key.shape.read(raw).map_err(wrong(key.default))?;
                key.set(settings, value);
            }
            None => return Err(unknown(&name, keys().iter().map(|k| k.name.clone()))),
        },
    }
    Ok(())
}

/// True for the name of a table that keys can be in.
pub(super) fn is_table(path: &[&str]) -> bool {
    match path {
        ["keys" | "backend"] | ["backend", _] | ["backend", _, "env" | "models"] => true,
        _ => {
            let prefix = format!("{}.", path.join("."));
            keys().iter().any(|k| k.name.starts_with(&prefix))
        }
    }
}

fn backend_names(backend: &str) -> impl Iterator<Item = String> {
    let tiers = Tier::WORDS.iter().map(move |t| format!("backend.{backend}.models.{t}"));
    BACKEND_KEYS.iter().map(move |k| format!("backend.{backend}.{}", k.name)).chain(tiers)
}

/// The error for a key that does not exist, with the nearest one that does.
fn unknown(name: &str, known: impl Iterator<Item = String>) -> (String, String) {
    let path: Vec<&str> = name.split('.').collect();
    if is_table(&path) {
        return (format!("`{name}` is a table, not a setting"), format!("Write `[{name}]` on a line of its own and its keys below it"));
    }
    // A line that was added at the end of the file stands in its last table.
    if let Some((table, key)) = name.split_once('.')
        && keys().iter().any(|k| k.name == key)
    {
        return (
            format!("there is no setting `{name}`"),
            format!("`{key}` belongs to no table: move the line above the first `[table]`, out of `[{table}]`"),
        );
    }
    let nearest = known
        .map(|k| (strsim::normalized_damerau_levenshtein(name, &k), k))
        .filter(|(nearness, _)| *nearness > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let fix = match nearest {
        Some((_, k)) => format!("Did you mean `{k}`? Correct or remove it"),
        None => "Remove it; the shipped orc.toml (`orc init` in an empty folder) lists every setting".to_owned(),
    };
    (format!("there is no setting `{name}`"), fix)
}
