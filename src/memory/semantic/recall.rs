//! What bears on a text: likeness by vectors and by words over all memories, then the formula within the likest.

use super::index::Index;
use super::{Tuning, words};
use crate::domain::{Candidate, Category, Recalled, Timestamp, hybrid, pool};

/// More of a query is not looked at, in bytes: a prompt says at its beginning what it is about.
pub const QUERY: usize = 8 * 1024;

/// What is asked.
pub struct Question<'a> {
    pub text: &'a str,
    /// Of the text; `None` where there is none: then words alone decide.
    pub vector: Option<&'a [f32]>,
    pub wanted: usize,
    pub category: Option<Category>,
    pub now: Timestamp,
}

/// The best memories, best first.
pub fn search(index: &Index, q: &Question<'_>, tuning: &Tuning) -> Vec<Recalled> {
    let likest = likest(index, q, tuning.floor, pool(q.wanted), hybrid);
    let mut kept: Vec<Recalled> = Vec::with_capacity(q.wanted);
    for found in tuning.formula.weigh(&likest, q.now) {
        if kept.len() == q.wanted {
            break;
        }
        if !kept.iter().any(|k| alike(index, k, &found, tuning.merge)) {
            kept.push(found);
        }
    }
    kept
}

/// The `most` memories of the greatest `worth` (of cosine and likeness by words), best first; of those that hold and share a word with
/// the text, or whose vector is near enough. Of equals the newer.
fn likest<'a>(index: &'a Index, q: &Question<'_>, floor: f64, most: usize, worth: fn(f64, f64) -> f64) -> Vec<Candidate<'a>> {
    let holds = |row: usize| {
        let m = &index.rows()[row];
        m.holds() && q.category.is_none_or(|c| c == m.category)
    };
    let mut by_words = index.bm25(q.text);
    by_words.retain(|(row, _)| holds(*row as usize));
    let best = by_words.iter().map(|(_, score)| *score).fold(0.0, f64::max);
    let cosines = q.vector.map(|v| index.vectors.cosines(v)).unwrap_or_default();
    let cosine = |row: usize| cosines.get(row).map_or(0.0, |c| f64::from(*c));
    let mut shared = vec![false; cosines.len()];
    let mut all: Vec<Found> = Vec::with_capacity(by_words.len());
    for (row, score) in by_words {
        let (row, lexical) = (row as usize, score / best);
        if let Some(shared) = shared.get_mut(row) {
            *shared = true;
        }
        all.push(Found { worth: worth(cosine(row), lexical), row, lexical });
    }
    // Looking at a memory costs more than at its figures: only those that can matter are looked at.
    let near = cosines.iter().enumerate().filter(|(row, c)| f64::from(**c) >= floor && !shared[*row]);
    all.extend(near.filter(|(row, _)| holds(*row)).map(|(row, c)| Found { worth: worth(f64::from(*c), 0.0), row, lexical: 0.0 }));
    let order = |a: &Found, b: &Found| b.worth.total_cmp(&a.worth).then(b.row.cmp(&a.row));
    if all.len() > most && most > 0 {
        all.select_nth_unstable_by(most - 1, order);
        all.truncate(most);
    }
    all.sort_unstable_by(order);
    all.iter().take(most).map(|f| Candidate { memory: &index.rows()[f.row], cosine: cosine(f.row), lexical: f.lexical }).collect()
}

/// A row that may be one of the likest.
struct Found {
    worth: f64,
    row: usize,
    lexical: f64,
}

/// Two that say the same: in the same words, or in others of nearly the same vector and with the same figures.
fn alike(index: &Index, a: &Recalled, b: &Recalled, cosine: f64) -> bool {
    let (Some(x), Some(y)) = (index.row(a.memory.id), index.row(b.memory.id)) else { return false };
    index.keys()[x] == index.keys()[y]
        || f64::from(index.vectors.cosine(x, y)) >= cosine && words::figures(&a.memory.text) == words::figures(&b.memory.text)
}

/// By vectors or by words alone, best first; for measuring what each is worth.
pub fn alone(index: &Index, q: &Question<'_>, by: Side) -> Vec<Recalled> {
    let worth: fn(f64, f64) -> f64 = match by {
        Side::Words => |_, lexical| lexical,
        Side::Vectors => |cosine, _| cosine,
        Side::Both => hybrid,
    };
    let found = |c: &Candidate<'_>| Recalled {
        memory: c.memory.clone(),
        score: worth(c.cosine, c.lexical),
        terms: crate::domain::Terms::default(),
        penalised: false,
        cosine: c.cosine,
        lexical: c.lexical,
    };
    let all = likest(index, q, -1.0, q.wanted, worth);
    all.iter().filter(|c| by != Side::Words || c.lexical > 0.0).map(found).collect()
}

/// What decides alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Words,
    Vectors,
    Both,
}
