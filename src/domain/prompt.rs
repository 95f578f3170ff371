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
