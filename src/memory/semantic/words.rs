//! Texts to words, as the full-text side of recall sees them: folded to lower case without accents, stemmed, without those that
//! say nothing.

use frostem::{Algorithm, Stemmer};
use std::cell::RefCell;
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Stems that a thread keeps: a megabyte or two.
const KNOWN: usize = 20_000;
/// Longer runs are no words: encoded data.
const LONGEST: usize = 64;

/// Lucene's English stop words, which Lance's tokenizer drops too.
const STOP: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of", "on", "or", "such",
    "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
];

/// Words of questions, dropped from a query on top: they are in every question and in many a memory, and say nothing of either.
const ASKING: &[&str] = &[
    "what", "when", "where", "who", "whom", "whose", "which", "why", "how", "did", "do", "does", "done", "doing", "has", "have", "had",
    "having", "i", "you", "he", "she", "we", "me", "him", "her", "his", "hers", "its", "my", "mine", "your", "yours", "our", "ours", "us",
    "them", "theirs", "would", "could", "should", "can", "may", "might", "shall", "must", "been", "being", "were", "am", "about", "from",
    "so", "than", "too", "very", "just", "some", "any", "all", "also", "please", "s", "t", "re", "ve", "ll", "d", "m",
];

/// Words that turn a sentence around: two texts that differ in one do not say the same.
const TURNING: &[&str] = &["no", "not", "never", "without", "nobody", "nothing"];

/// True for a word that is not indexed.
pub fn is_stop(word: &str) -> bool {
    STOP.contains(&word)
}

/// True for a word of a question.
pub fn is_asking(word: &str) -> bool {
    ASKING.contains(&word)
}

/// The words of a text in order: runs of letters and digits in lower case without accents; each Chinese or Japanese character
/// alone, since those are not spaced.
pub fn each(text: &str, mut take: impl FnMut(&str)) {
    let mut word = String::with_capacity(16);
    let mut push = |c: char, word: &mut String| {
        if c.is_alphanumeric() && !is_unspaced(c) {
            word.extend(c.to_lowercase());
            return;
        }
        if !word.is_empty() && word.len() <= LONGEST {
            take(word);
        }
        word.clear();
        if is_unspaced(c) {
            word.push(c);
            take(word);
            word.clear();
        }
    };
    if text.is_ascii() {
        text.chars().for_each(|c| push(c, &mut word));
    } else {
        text.nfkd().filter(|c| !is_combining_mark(*c)).for_each(|c| push(c, &mut word));
    }
    push(' ', &mut word);
}

fn is_unspaced(c: char) -> bool {
    matches!(c as u32, 0x3040..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x2FA1F)
}

/// The stem of a word, by the English rules; what is not English mostly stays. A word that was stemmed lately is looked up.
pub fn stem(word: &str) -> String {
    thread_local!(static STEMMER: (Stemmer, RefCell<HashMap<String, String>>) = (Stemmer::new(Algorithm::English), RefCell::default()));
    STEMMER.with(|(stemmer, known)| {
        let mut known = known.borrow_mut();
        if let Some(stem) = known.get(word) {
            return stem.clone();
        }
        if known.len() >= KNOWN {
            known.clear();
        }
        let stem = stemmer.stem(word).to_string();
        known.insert(word.to_owned(), stem.clone());
        stem
    })
}

/// The same for texts that say the same in the same words: case, punctuation, inflection and articles aside. A figure, a name or a
/// "not" that differs makes another one.
pub fn same_key(text: &str) -> u64 {
    let mut hash = Fnv::default();
    let mut any = false;
    each(text, |word| {
        if !is_stop(word) || TURNING.contains(&word) {
            hash.add(&stem(word));
            any = true;
        }
    });
    if !any {
        hash.add(text);
    }
    hash.0
}

/// A hash of a text, letter by letter.
pub fn hash(text: &str) -> u64 {
    let mut hash = Fnv::default();
    hash.add(text);
    hash.0
}

/// FNV-1a of 64 bits. What is kept on the disk must come out alike in every build, which the library's hashers do not promise.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// A word and its end.
    fn add(&mut self, word: &str) {
        for byte in word.bytes().chain([0xFF]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// What decides between two sentences of the same build: their figures, names with figures in them, and whether they say "not".
pub fn figures(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    each(text, |word| {
        if TURNING.contains(&word) || word.contains(|c: char| c.is_ascii_digit()) {
            all.push(word.to_owned());
        }
    });
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        each(text, |w| all.push(w.to_owned()));
        all
    }

    #[test]
    fn words_of_prose_code_and_other_scripts() {
        assert_eq!(words("Don't DEPLOY snake_case, v2.10!"), ["don", "t", "deploy", "snake", "case", "v2", "10"]);
        assert_eq!(words("Zoë's café — Straße"), ["zoe", "s", "cafe", "straße"]);
        assert_eq!(words("部署 deploy"), ["部", "署", "deploy"]);
        assert!(words(&"x".repeat(100)).is_empty(), "no word is that long");
        assert!(words(" \n… ").is_empty());
    }

    #[test]
    fn the_same_said_again_is_the_same_and_a_contradiction_is_not() {
        let same = |a, b| same_key(a) == same_key(b);
        assert!(same("The user prefers tabs over spaces.", "user prefers TABS over spaces"));
        assert!(same("Deploys go to alpha", "deploy going to the alpha!"));
        assert!(!same("Port is 8080", "Port is 9090"));
        assert!(!same("Deploy on Friday", "Do not deploy on Friday"));
        assert!(!same("The cache is on", "The cache is not on"));
        assert!(!same("A beats B1", "B1 beats A2"));
        assert!(!same("…", "!"), "texts without a word are the same only when equal");
        assert!(!same("ab c", "a bc"), "words end where they end");
    }

    #[test]
    fn hashes_that_are_kept_on_the_disk_are_always_these() {
        // FNV-1a of "a" and 0xff, by hand.
        let step = |h: u64, b: u64| (h ^ b).wrapping_mul(0x0100_0000_01b3);
        assert_eq!(hash("a"), step(step(0xcbf2_9ce4_8422_2325, 0x61), 0xff));
        assert_eq!((hash("a"), same_key("Anna likes tea")), (620_310_408_636_712_809, 10_218_819_059_799_702_787));
    }
}
