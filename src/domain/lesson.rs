//! What a model says is worth keeping: its answer to a capture or to a day's review, read and checked. Pure.

use super::Category;
use super::MemoryId;
use serde::{Deserialize, Serialize};

/// The longest memory, in bytes.
pub const LONGEST_MEMORY: usize = 600;
/// New memories in one answer at most: of one job, of one day.
pub const MOST_OF_JOB: usize = 8;
pub const MOST_OF_DAY: usize = 40;
/// Memories that one review may forget at most: a model that forgets everything is broken.
const MOST_FORGOTTEN: usize = 50;

/// A checked answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learned {
    pub memories: Vec<NewFact>,
    /// Memories that are over.
    #[serde(default)]
    pub forget: Vec<MemoryId>,
    /// For the operator.
    #[serde(default)]
    pub report: Option<String>,
}

/// One new memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewFact {
    pub text: String,
    pub category: Category,
    /// 0 to 1.
    pub importance: f64,
    #[serde(default)]
    pub external: bool,
    /// Memories that are no longer true because of this one.
    #[serde(default)]
    pub supersedes: Vec<MemoryId>,
}

/// A memory's text as it is kept: on one line, not empty, not too long.
///
/// # Errors
/// What is wrong with it, in a line.
pub fn memory_text(text: &str) -> Result<String, String> {
    let text = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ");
    match text.len() {
        0 => Err("a memory without text".into()),
        n if n > LONGEST_MEMORY => {
            let beginning: String = text.chars().take(40).collect();
            Err(format!("a memory of {n} bytes, and {LONGEST_MEMORY} is the most: {beginning}…"))
        }
        _ => Ok(text),
    }
}

/// Reads an answer. Models put JSON into a fence or a sentence around it, whatever they are told: the object is what counts.
/// `most` is the number of new memories that it may hold.
///
/// # Errors
/// What is wrong with it, in a line.
pub fn learned(answer: &str, most: usize) -> Result<Learned, String> {
    let object = answer.find('{').zip(answer.rfind('}')).filter(|(a, b)| a < b).map(|(a, b)| &answer[a..=b]);
    let Some(object) = object else { return Err("it holds no JSON object".into()) };
    let mut learned: Learned = serde_json::from_str(object).map_err(|e| format!("its JSON is not of the asked form: {e}"))?;
    if learned.memories.len() > most {
        return Err(format!("{} new memories, and {most} is the most", learned.memories.len()));
    }
    if learned.forget.len() > MOST_FORGOTTEN {
        return Err(format!("{} memories to forget, and {MOST_FORGOTTEN} is the most", learned.forget.len()));
    }
    for fact in &mut learned.memories {
        fact.text = memory_text(&fact.text)?;
        if !(0.0..=1.0).contains(&fact.importance) {
            let beginning: String = fact.text.chars().take(40).collect();
            return Err(format!("an importance of {}, which is not 0 to 1: {beginning}", fact.importance));
        }
    }
    // Told often enough, and still: what looks like a key is not kept, and the rest is.
    learned.memories.retain(|m| !looks_secret(&m.text));
    Ok(learned)
}

/// True for a text with something in it that has the form of a key: the well-known prefixes of keys and tokens.
pub fn looks_secret(text: &str) -> bool {
    const MARKS: &[&str] = &["sk-", "ghp_", "gho_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "AKIA", "AIza", "eyJ"];
    let long = |w: &str| w.len() >= 20;
    text.contains("PRIVATE KEY-----")
        || text
            .split(|c: char| c.is_whitespace() || "\"'`,;()[]{}=".contains(c))
            .any(|word| long(word) && MARKS.iter().any(|m| word.starts_with(m)))
}

/// Fills a template's `{{name}}` places, in one pass: what is put in is not looked at again.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        let Some(end) = rest[start..].find("}}").map(|e| start + e) else { break };
        out.push_str(&rest[..start]);
        match values.iter().find(|(name, _)| *name == &rest[start + 2..end]) {
            Some((_, value)) => out.push_str(value),
            None => out.push_str(&rest[start..end + 2]),
        }
        rest = &rest[end + 2..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> String {
        serde_json::json!({ "memories": [{ "text": text, "category": "fact", "importance": 0.5 }] }).to_string()
    }

    #[test]
    fn an_answer_is_read_with_or_without_what_models_put_around_it() {
        let plain = learned(&one("The port is 8443."), 8).unwrap();
        assert_eq!(plain.memories[0].text, "The port is 8443.");
        assert!(!plain.memories[0].external && plain.forget.is_empty());
        assert_eq!(learned(&format!("Sure:\n```json\n{}\n```\nDone.", one("The port is 8443.")), 8), Ok(plain));
        assert_eq!(learned(r#"{"memories": []}"#, 8).unwrap().memories, []);
        assert_eq!(learned(&one("two\nlines\u{1b}[31m"), 8).unwrap().memories[0].text, "two lines [31m");
    }

    #[test]
    fn what_is_not_of_the_form_is_refused_and_says_why() {
        let many = format!(r#"{{"memories":[{}]}}"#, [r#"{"text":"a","category":"fact","importance":1}"#; 9].join(","));
        for (answer, says) in [
            ("nothing worth keeping", "no JSON object"),
            (r#"{"memories": {}}"#, "not of the asked form"),
            (r#"{"facts": []}"#, "unknown field `facts`"),
            (r#"{"memories":[{"text":"a","category":"rule","importance":1}]}"#, "unknown variant `rule`"),
            (r#"{"memories":[{"text":"a","category":"fact","importance":7}]}"#, "an importance of 7"),
            (&one("  "), "without text"),
            (&one(&"x".repeat(601)), "601 bytes"),
            (&many, "9 new memories"),
        ] {
            let wrong = learned(answer, 8).unwrap_err();
            assert!(wrong.contains(says), "{answer}: {wrong}");
        }
    }

    #[test]
    fn keys_are_not_kept() {
        let key = format!("sk-ant-{}", "0a1b".repeat(5));
        assert_eq!(learned(&one(&format!("The key is {key}")), 8).unwrap().memories, []);
        assert!(looks_secret("-----BEGIN RSA PRIVATE KEY-----"));
        assert!(!looks_secret("The sk-learn pipeline is in tools/; AKIA is a prefix"));
    }

    #[test]
    fn what_is_put_into_a_template_is_not_filled_again() {
        assert_eq!(fill("{{a}} {{b}} {{c}} {{", &[("a", "{{b}}"), ("b", "2")]), "{{b}} 2 {{c}} {{");
    }
}
