//! Skills as they were used: versions by content, who got which, what came of it.

use super::words::words;
use super::{AttemptId, JobId, JobState, Outcome, Timestamp, sha256_hex};
use serde::{Deserialize, Serialize};

words!(
    /// Where a version of a skill was found.
    SkillFrom {
        /// It ships with the program.
        Builtin = "builtin",
        /// In the workspace's skills folder.
        Workspace = "workspace",
    }
);

words!(
    /// Why an attempt was given a skill.
    SkillHow {
        /// The job asked for it.
        Job = "job",
        /// Its worker always gets it.
        Worker = "worker",
        /// A phrase of its prompt is one of the skill's triggers.
        Trigger = "trigger",
    }
);

/// A file of a version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SkillFile {
    /// Within the skill's folder.
    pub path: String,
    /// SHA-256 of its content, in hex.
    pub hash: String,
    pub bytes: u64,
}

/// A version of a skill that was seen or used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkillVersion {
    pub name: String,
    /// Over its files' names and contents.
    pub hash: String,
    pub from: SkillFrom,
    /// What its author calls it.
    pub version: Option<String>,
    pub files: Vec<SkillFile>,
    pub first_seen: Timestamp,
    #[serde(flatten)]
    pub use_: SkillUse,
}

/// What came of a skill, or of one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SkillUse {
    /// Attempts that were given it.
    pub uses: u64,
    /// Of these ended well.
    pub ok: u64,
    /// Of these ended badly by their own fault.
    pub failed: u64,
    pub tokens: u64,
    pub cost_usd: f64,
    pub last_used: Option<Timestamp>,
}

impl SkillUse {
    /// The share that ended well of those that ended; `None` before one has.
    pub fn success(&self) -> Option<f64> {
        let over = self.ok + self.failed;
        (over > 0).then(|| self.ok as f64 / over as f64)
    }
}

/// A skill that an attempt was given, or that a job might have been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillGiven {
    /// `None`: only suggested.
    pub attempt: Option<AttemptId>,
    pub skill: String,
    /// Its version; `None` where it was only suggested.
    pub hash: Option<String>,
    pub how: SkillHow,
    /// The phrase of the prompt, for a trigger.
    pub trigger: Option<String>,
}

/// What an attempt with a version of a skill made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkillOutput {
    pub hash: String,
    pub attempt: AttemptId,
    pub job: JobId,
    pub title: String,
    /// Of the job, now.
    pub state: JobState,
    /// Of the attempt; `None` while it runs.
    pub outcome: Option<Outcome>,
    pub tokens: u64,
    pub cost_usd: Option<f64>,
    pub started_at: Timestamp,
    pub result_file: Option<String>,
}

/// What the operator has laid down about a skill's versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillHold {
    /// Always this version.
    pub pin: Option<String>,
    /// While a new version is tried: the version that the other jobs get.
    pub base: Option<String>,
    /// Share of the jobs that get the newest version, in percent.
    pub percent: u8,
}

/// True for the share of jobs, in percent, that get a skill's new version. By the job's number alone: each attempt of a job is given
/// the same.
pub fn in_canary(job: JobId, skill: &str, percent: u8) -> bool {
    let hash = sha256_hex(format!("{skill}\n{job}").as_bytes());
    let number = u32::from_str_radix(&hash[..8], 16).unwrap_or(0);
    number % 100 < u32::from(percent)
}

/// A text as words between single blanks, in lower case, for matching whole words.
#[derive(Clone, Debug)]
pub struct Phrases(String);

impl Phrases {
    /// Makes a text ready.
    pub fn new(text: &str) -> Phrases {
        let mut out = String::with_capacity(text.len() + 2);
        out.push(' ');
        for c in text.chars().flat_map(char::to_lowercase) {
            if c.is_alphanumeric() {
                out.push(c);
            } else if !out.ends_with(' ') {
                out.push(' ');
            }
        }
        if !out.ends_with(' ') {
            out.push(' ');
        }
        Phrases(out)
    }

    /// The first of these phrases that stands in the text, word for word.
    pub fn first<'a>(&self, phrases: &'a [String]) -> Option<&'a str> {
        phrases.iter().find(|p| self.holds(p)).map(String::as_str)
    }

    fn holds(&self, phrase: &str) -> bool {
        let phrase = Phrases::new(phrase).0;
        phrase.len() > 2 && self.0.contains(&phrase)
    }
}

/// What tells failures of one cause: how it ended and its message, without what differs from case to case (numbers, ids).
pub fn fingerprint(outcome: Outcome, message: &str) -> String {
    let first = message.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default().to_lowercase();
    let words: Vec<String> = first.split_whitespace().map(plain).collect();
    let text: String = words.join(" ").chars().take(160).collect();
    if text.is_empty() { outcome.to_string() } else { format!("{outcome}: {text}") }
}

fn plain(word: &str) -> String {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let id = bare.len() >= 7 && bare.chars().all(|c| c.is_ascii_hexdigit() || c == '-') && bare.contains(|c: char| c.is_ascii_digit());
    if id {
        return "#".into();
    }
    let mut out = String::new();
    for c in word.chars() {
        match c {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_takes_its_share_and_always_the_same_jobs() {
        let of = |percent| (1..=2000).filter(|id| in_canary(JobId(*id), "writing", percent)).count();
        assert_eq!((of(0), of(100)), (0, 2000));
        let some = of(20);
        assert!((320..=480).contains(&some), "{some} of 2000");
        // a larger share keeps the jobs of the smaller one
        assert!((1..=2000).map(JobId).all(|j| !in_canary(j, "writing", 20) || in_canary(j, "writing", 50)));
        assert!((1..=200).map(JobId).any(|j| in_canary(j, "writing", 50) != in_canary(j, "triage", 50)));
    }

    #[test]
    fn triggers_are_whole_words_whatever_stands_between_them() {
        let text = Phrases::new("Please Fact-check\nthis; the PLANET is fine.");
        let find = |p: &str| text.first(&[p.to_owned()]).is_some();
        assert!(find("fact check") && find("please") && find("planet is"));
        assert!(!find("plan") && !find("check fact") && !find("") && !find("-"));
    }

    #[test]
    fn failures_of_one_cause_have_one_fingerprint() {
        let a = fingerprint(Outcome::Error, "cannot open /tmp/x12/a.txt at 09:12: exit 3\nmore");
        assert_eq!(a, fingerprint(Outcome::Error, "Cannot open /tmp/x7/a.txt at 10:44: exit 17"));
        assert_ne!(a, fingerprint(Outcome::Timeout, "cannot open /tmp/x12/a.txt at 09:12: exit 3"));
        assert_eq!(fingerprint(Outcome::Lost, "job 3f2a91c0 gone"), "lost: job # gone");
        assert_eq!(fingerprint(Outcome::Timeout, ""), "timeout");
    }
}
