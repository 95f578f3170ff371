//! The prompt that an agent gets, as parts in a fixed order. Pure: texts in, document out.

use super::tokens::estimate;
use super::words::words;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

words!(
    /// The parts of a prompt in the order in which they appear.
    PartKind {
        /// The workspace's critical rules.
        Rules = "rules",
        /// The core memory.
        Core = "core",
        /// Who the agent is for this job.
        Persona = "persona",
        /// One injected skill.
        Skill = "skill",
        /// Memories recalled for this prompt.
        Recall = "recall",
        /// What the last session handed over.
        Handover = "handover",
        /// The job itself.
        Job = "job",
    }
);

/// One part: where it came from, what exactly it was, and how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptPart {
    pub kind: PartKind,
    /// A path or a name.
    pub source: String,
    /// SHA-256 of the text, in hex.
    pub hash: String,
    /// Estimated tokens.
    pub tokens: u64,
    pub bytes: u64,
    /// The text; left out where only the list is wanted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl PromptPart {
    /// A part with its hash and length worked out.
    pub fn new(kind: PartKind, source: impl Into<String>, text: impl Into<String>) -> PromptPart {
        let text = text.into();
        PromptPart {
            kind,
            source: source.into(),
            hash: sha256_hex(text.as_bytes()),
            tokens: estimate(&text),
            bytes: text.len() as u64,
            text,
        }
    }
}

/// SHA-256 in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

impl PartKind {
    /// True for the parts of the system text; the others are what the agent is told as its user's words. What changes from job
    /// to job (recall, handover, the job) is not in the system text: a resumed session may keep the one that it began with.
    pub fn is_system(self) -> bool {
        match self {
            PartKind::Rules | PartKind::Core | PartKind::Persona | PartKind::Skill => true,
            PartKind::Recall | PartKind::Handover | PartKind::Job => false,
        }
    }
}

/// A whole prompt. Nothing is in it that is not in one of its parts; the same parts give the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptDocument {
    /// In the order of `PartKind`; those of one kind in the order in which they were given.
    pub parts: Vec<PromptPart>,
    /// Rules, core memory, persona and skills.
    pub system: String,
    /// Recalled memories, handover and the job.
    pub prompt: String,
    /// Estimated tokens of all parts.
    pub tokens: u64,
}

impl PromptDocument {
    /// Puts parts in order and joins their texts, a blank line between them. Empty parts are left out.
    pub fn new(mut parts: Vec<PromptPart>) -> PromptDocument {
        parts.retain(|p| !p.text.trim().is_empty());
        parts.sort_by_key(|p| p.kind);
        let join = |system: bool| {
            let texts: Vec<&str> = parts.iter().filter(|p| p.kind.is_system() == system).map(|p| p.text.trim_end()).collect();
            if texts.is_empty() { String::new() } else { texts.join("\n\n") + "\n" }
        };
        PromptDocument { system: join(true), prompt: join(false), tokens: parts.iter().map(|p| p.tokens).sum(), parts }
    }

    /// A script: one part, passed on byte for byte.
    pub fn verbatim(job: PromptPart) -> PromptDocument {
        PromptDocument { system: String::new(), prompt: job.text.clone(), tokens: job.tokens, parts: vec![job] }
    }

    /// System text and prompt as one text, for a backend that has no place of its own for the former.
    pub fn whole(&self) -> String {
        match (self.system.is_empty(), self.prompt.is_empty()) {
            (true, _) => self.prompt.clone(),
            (_, true) => self.system.clone(),
            _ => format!("{}\n{}", self.system, self.prompt),
        }
    }

    /// Estimated tokens of everything but the job itself.
    pub fn context_tokens(&self) -> u64 {
        self.parts.iter().filter(|p| p.kind != PartKind::Job).map(|p| p.tokens).sum()
    }
}

/// A text with its HTML comments blanked: lines keep their numbers. An unclosed comment reaches to the end.
pub fn blank_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("<!--") {
        out.push_str(&rest[..start]);
        let end = rest[start..].find("-->").map_or(rest.len(), |e| start + e + "-->".len());
        out.extend(rest[start..end].chars().filter(|c| *c == '\n'));
        rest = &rest[end..];
    }
    out + rest
}

/// A text without its HTML comments and without the blank lines that they leave: what people wrote for each other in a file
/// costs an agent nothing.
pub fn strip_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = true;
    for line in blank_comments(text).lines() {
        if !(blank && line.trim().is_empty()) {
            out.push_str(line.trim_end());
            out.push('\n');
        }
        blank = line.trim().is_empty();
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_in_the_fixed_order_whatever_the_order_they_were_given_in() {
        let part = |kind, text: &str| PromptPart::new(kind, "test", text);
        let document = PromptDocument::new(vec![
            part(PartKind::Job, "the job\n"),
            part(PartKind::Skill, "b"),
            part(PartKind::Recall, "  \n"),
            part(PartKind::Skill, "a"),
            part(PartKind::Handover, "before"),
            part(PartKind::Rules, "rules"),
        ]);
        assert_eq!((document.system.as_str(), document.prompt.as_str()), ("rules\n\nb\n\na\n", "before\n\nthe job\n"));
        assert_eq!(document.parts.iter().map(|p| p.kind.as_str()).collect::<Vec<_>>(), ["rules", "skill", "skill", "handover", "job"]);
        assert_eq!(document.tokens, document.parts.iter().map(|p| estimate(&p.text)).sum::<u64>());
        assert_eq!(document.context_tokens(), document.tokens - estimate("the job\n"));
        assert_eq!(document.whole(), "rules\n\nb\n\na\n\nbefore\n\nthe job\n");
    }

    #[test]
    fn comments_go_and_lines_stay_where_they_are() {
        let text = "a\n<!-- x\ny -->b\nc <!-- z --> d\n<!-- open\n";
        assert_eq!(blank_comments(text), "a\n\nb\nc  d\n\n");
        assert_eq!(strip_comments("# T\n\n<!--\nnote\n-->\n\ntext\n\n\nmore\n"), "# T\n\ntext\n\nmore");
    }
}
