//! The filter over rows that are already here.

use crate::domain::{JobId, JobRow};
use nucleo_matcher::pattern::{Atom, AtomKind, CaseMatching, Normalization};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// The rows that match what was typed: each word is somewhere in the row, or its letters are close together in the title.
pub fn find<'a>(typed: &str, rows: impl Iterator<Item = &'a JobRow>) -> Vec<JobId> {
    let words: Vec<String> = typed.split_whitespace().map(str::to_lowercase).collect();
    let atoms: Vec<Atom> = words.iter().map(|w| Atom::new(w, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy, false)).collect();
    let mut matcher = Matcher::new(Config::DEFAULT);
    let (mut chars, mut found) = (Vec::new(), Vec::new());
    rows.filter(|row| {
        let all = haystack(row);
        words.iter().zip(&atoms).all(|(word, atom)| {
            if all.contains(word) {
                return true;
            }
            found.clear();
            let hit = atom.indices(Utf32Str::new(&row.title, &mut chars), &mut matcher, &mut found).is_some();
            let span = found.iter().max().zip(found.iter().min()).map_or(0, |(max, min)| max - min + 1);
            // letters strewn over a whole title are a coincidence
            hit && span as usize <= word.chars().count() * 2
        })
    })
    .map(|row| row.id)
    .collect()
}

fn haystack(row: &JobRow) -> String {
    let worker = row.worker.as_deref().unwrap_or("");
    let note = row.note.as_deref().unwrap_or("");
    format!("#{} {} {} {} {} {worker} {} {note}", row.id, row.title, row.state, row.backend, row.kind, row.priority).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use super::*;

    #[test]
    fn typing_finds_words_and_near_misses_but_no_coincidences() {
        let rows = [row(1, "Migrate the billing tables"), row(2, "Is the disk alert on db-3 real?"), row(3, "Fix the login test")];
        let found = |typed: &str| find(typed, rows.iter()).into_iter().map(|id| id.0).collect::<Vec<_>>();
        assert_eq!(found("bill"), [1]);
        assert_eq!(found("biling"), [1]);
        assert_eq!(found("fix login"), [3]);
        assert_eq!(found("#2"), [2]);
        assert_eq!(found("claude"), [1, 2, 3]);
        assert_eq!(found("zzz"), Vec::<i64>::new());
    }
}
