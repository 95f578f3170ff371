//! A SKILL.md, read: YAML frontmatter, then the body. Frontmatter that is no YAML (an unquoted colon, a tab) is read line by line,
//! which is what its author meant, and said to be odd.

use serde::Deserialize;
use serde::de::{self, Deserializer};
use std::collections::BTreeMap;
use std::fmt;

/// What a file says.
#[derive(Debug, Default)]
pub struct Read {
    pub name: Option<String>,
    pub description: String,
    pub triggers: Vec<String>,
    pub version: Option<String>,
    pub license: Option<String>,
    pub compatibility: Option<String>,
    pub allowed_tools: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    pub body: String,
    /// Keys that the format does not know, with their lines.
    pub unknown: Vec<(usize, String)>,
    /// Line and words.
    pub odd: Vec<(usize, String)>,
}

/// The keys of the format, and ours.
const KEYS: [&str; 9] =
    ["name", "description", "license", "compatibility", "metadata", "allowed-tools", "allowed_tools", "triggers", "version"];

#[derive(Default, Deserialize)]
struct Frontmatter {
    #[serde(default)]
    name: Option<Word>,
    #[serde(default)]
    description: Option<Word>,
    #[serde(default)]
    triggers: Words,
    #[serde(default)]
    version: Option<Word>,
    #[serde(default)]
    license: Option<Word>,
    #[serde(default)]
    compatibility: Loose,
    #[serde(default, rename = "allowed-tools", alias = "allowed_tools")]
    allowed_tools: Words,
    #[serde(default)]
    metadata: serde_json::Value,
}

/// Reads one file. The error has line and words.
pub fn read(_file: &str, text: &str) -> Result<Read, (usize, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    // blank lines and comments before the first line are harmless
    let skipped = text.len() - text.trim_start_matches([' ', '\n']).len();
    let before = text[..skipped].matches('\n').count();
    let Some(rest) = opened(&text[skipped..]) else {
        return Err((1, "it has to begin with frontmatter: a line `---`, then `name:` and `description:`, then `---`".into()));
    };
    let Some((front, body)) = split(rest) else {
        return Err((1 + before, "the frontmatter has no end: a line `---` after its last key".into()));
    };
    // The frontmatter begins on the file's second line.
    let first = before + 2;
    let mut out = Read::default();
    if before > 0 {
        out.odd.push((1, "there is something before the first `---`: other programs will not find the frontmatter".into()));
    }
    let parsed = match serde_saphyr::from_str::<Frontmatter>(front) {
        Ok(parsed) => parsed,
        Err(e) => {
            let line = e.location().map_or(0, |l| usize::try_from(l.line()).unwrap_or(1).saturating_sub(1)) + first;
            let message = e.to_string();
            // "error: line L column C: MESSAGE", with the place counted within the frontmatter.
            let said = message.lines().next().unwrap_or_default();
            let said = said.splitn(3, ": ").last().unwrap_or(said).to_owned();
            let Some(parsed) = by_line(front) else { return Err((line, format!("the frontmatter is not usable: {said}"))) };
            out.odd.push((line, format!("the frontmatter is no YAML ({said}), and was read line by line; put texts in quotes")));
            parsed
        }
    };
    let description = parsed.description.map(|w| w.0.trim().to_owned()).unwrap_or_default();
    if description.is_empty() {
        return Err((first, "it has no description: say when to use it".into()));
    }
    out.body = body.trim().to_owned();
    if out.body.is_empty() {
        return Err((first + front.lines().count(), "there is no text after the frontmatter".into()));
    }
    if let serde_json::Value::Object(map) = parsed.metadata {
        out.metadata = map.into_iter().map(|(k, v)| (k, v.as_str().map_or_else(|| v.to_string(), str::to_owned))).collect();
    }
    out.unknown = keys(front).filter(|(_, key)| !KEYS.contains(key)).map(|(i, key)| (i + first, key.to_owned())).collect();
    out.name = parsed.name.map(|w| w.0);
    out.description = description;
    out.triggers = parsed.triggers.0;
    out.version = parsed.version.map(|w| w.0).or_else(|| out.metadata.get("version").cloned());
    out.license = parsed.license.map(|w| w.0);
    out.compatibility = parsed.compatibility.0;
    out.allowed_tools = parsed.allowed_tools.0;
    Ok(out)
}

/// The line of a key, from 1; the first one's where the key is not there.
pub fn line_of(text: &str, key: &str) -> usize {
    text.lines().position(|l| l.strip_prefix(key).is_some_and(|r| r.trim_start().starts_with(':'))).map_or(1, |i| i + 1)
}

fn opened(text: &str) -> Option<&str> {
    let (first, rest) = text.split_once('\n')?;
    (first.trim_end() == "---").then_some(rest)
}

fn split(rest: &str) -> Option<(&str, &str)> {
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if matches!(line.trim_end(), "---" | "...") {
            return Some((&rest[..at], &rest[at + line.len()..]));
        }
        at += line.len();
    }
    None
}

/// The keys at the left margin, with their lines from 0.
fn keys(front: &str) -> impl Iterator<Item = (usize, &str)> {
    front.lines().enumerate().filter_map(|(i, line)| Some((i, key_of(line)?.0)))
}

fn key_of(line: &str) -> Option<(&str, &str)> {
    let (key, rest) = line.split_once(':')?;
    let good = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    (good && (rest.is_empty() || rest.starts_with([' ', '\t']))).then_some((key, rest.trim()))
}

/// What the lines say where they are no YAML: a key at the left margin has the rest of its line, and what is indented below it.
/// `None` where that says nothing either, or a value opens a bracket that nothing closes.
fn by_line(front: &str) -> Option<Frontmatter> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in front.lines() {
        match key_of(line) {
            Some((key, value)) => found.push((key, vec![value])),
            None if line.trim().is_empty() || line.starts_with('#') => {}
            None if line.starts_with([' ', '\t', '-']) => found.last_mut()?.1.push(line.trim()),
            None => return None,
        }
    }
    let get = |key: &str| found.iter().find(|(k, _)| *k == key).map(|(_, lines)| lines);
    let text = |key: &str| {
        let lines = get(key)?;
        let folded = matches!(lines[0], ">" | ">-" | ">+" | "|" | "|-" | "|+");
        let all: Vec<&str> = lines[usize::from(folded)..].iter().copied().filter(|l| !l.is_empty()).collect();
        let all = all.join(" ");
        let bare = ['"', '\''].iter().find_map(|q| all.strip_prefix(*q)?.strip_suffix(*q)).map(str::to_owned).unwrap_or(all);
        (!bare.is_empty()).then_some(Word(bare))
    };
    let list = |key: &str| {
        let Some(lines) = get(key) else { return Words::default() };
        let items: Vec<String> = lines[1..].iter().filter_map(|l| l.strip_prefix("- ")).map(|l| unquoted(l).to_owned()).collect();
        if items.is_empty() {
            Words(words(lines[0].trim_matches(['[', ']'])).iter().map(|w| unquoted(w).to_owned()).collect())
        } else {
            Words(items)
        }
    };
    let description = text("description").filter(|d| !d.0.starts_with(['[', '{']))?;
    Some(Frontmatter {
        name: text("name"),
        description: Some(description),
        triggers: list("triggers"),
        version: text("version"),
        license: text("license"),
        compatibility: Loose(text("compatibility").map(|w| w.0)),
        allowed_tools: if get("allowed-tools").is_some() { list("allowed-tools") } else { list("allowed_tools") },
        metadata: serde_json::Value::Null,
    })
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

/// A scalar as text, whatever YAML takes it for: `version: 1.0` is text here.
#[derive(Default)]
struct Word(String);

/// A text, or anything else as JSON.
#[derive(Default)]
struct Loose(Option<String>);

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(d)?;
        Ok(Loose(match value {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }))
    }
}

/// A list, or a text with spaces or commas between the words.
#[derive(Default)]
struct Words(Vec<String>);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl de::Visitor<'_> for Scalar {
            type Value = Word;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E>(self, v: &str) -> Result<Word, E> {
                Ok(Word(v.to_owned()))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Word, E> {
                Ok(Word(format!("{v:?}")))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Word, E> {
                Ok(Word(v.to_string()))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Word, E> {
                Ok(Word(v.to_string()))
            }
            fn visit_bool<E>(self, v: bool) -> Result<Word, E> {
                Ok(Word(v.to_string()))
            }
        }
        d.deserialize_any(Scalar)
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> de::Visitor<'de> for List {
            type Value = Words;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of texts, or one text with commas between them")
            }
            fn visit_unit<E>(self) -> Result<Words, E> {
                Ok(Words::default())
            }
            fn visit_str<E>(self, v: &str) -> Result<Words, E> {
                Ok(Words(words(v)))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Words, A::Error> {
                let mut list = Vec::new();
                while let Some(Word(word)) = seq.next_element()? {
                    list.push(word);
                }
                Ok(Words(list))
            }
        }
        d.deserialize_any(List)
    }
}

/// Splits at commas; where there are none, at spaces outside parentheses (`Bash(git log:*) Read`).
fn words(text: &str) -> Vec<String> {
    let comma = text.contains(',');
    let mut depth = 0_i32;
    let parts = text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth <= 0 && if comma { c == ',' } else { c.is_whitespace() }
    });
    parts.map(str::trim).filter(|p| !p.is_empty()).map(str::to_owned).collect()
}
