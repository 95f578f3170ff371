//! What bears on a text: likeness by vectors and by words over all memories, then the formula within the likest.

use super::index::Index;
use super::{Tuning, words};
use crate::domain::{Candidate, Category, Memory, Recalled, Timestamp, hybrid, pool};
use std::borrow::Cow;

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
    for found in tuning.formula.weigh(&likest.iter().map(Likely::candidate).collect::<Vec<_>>(), q.now) {
        if kept.len() == q.wanted {
            break;
        }
        if !kept.iter().any(|k| alike(index, k, &found, tuning.merge)) {
            kept.push(found);
        }
    }
    kept
}

/// A memory that may bear on the text, with its figures.
struct Likely<'a> {
    memory: Cow<'a, Memory>,
    cosine: f64,
    lexical: f64,
}

impl Likely<'_> {
    fn candidate(&self) -> Candidate<'_> {
        Candidate { memory: &self.memory, cosine: self.cosine, lexical: self.lexical }
    }
}

/// The `most` memories of the greatest `worth` (of cosine and likeness by words), best first; of those that hold and share a word with
/// the text, or whose vector is near enough. Of equals the newer.
fn likest<'a>(index: &'a Index, q: &Question<'_>, floor: f64, most: usize, worth: fn(f64, f64) -> f64) -> Vec<Likely<'a>> {
    let facets = index.rows().facets();
    let fits = |row: usize| facets[row].holds() && facets[row].is(q.category);
    let (scores, found) = index.bm25(q.text);
    let cosines = q.vector.map_or_else(|| vec![0.0; facets.len()], |v| index.vectors.cosines(v));
    // Without a vector, what shares no word is near to nothing.
    let floor = if q.vector.is_some() { floor as f32 } else { f32::INFINITY };
    let fitting = found.iter().filter(|row| fits(**row as usize));
    let best = fitting.map(|row| scores[*row as usize]).fold(0.0, f64::max);
    let lexical = |score: f64| if score > 0.0 { score / best } else { 0.0 };
    let mut top = Top::new(most);
    // By number, since of equals the newer one wins.
    for (row, (score, cosine)) in scores.iter().zip(&cosines).enumerate() {
        if *score > 0.0 || *cosine >= floor {
            let worth = worth(f64::from(*cosine), lexical(*score));
            // What is not among the best so far is not looked at: most are not.
            if top.takes(worth) && fits(row) {
                top.put(worth, row);
            }
        }
    }
    let likely = |row| Likely { memory: index.rows().get(row), cosine: f64::from(cosines[row]), lexical: lexical(scores[row]) };
    top.rows().into_iter().map(likely).collect()
}

/// The best rows of those that were offered in ascending order.
struct Top {
    most: usize,
    /// Best first; of equals the later one.
    best: Vec<(f64, usize)>,
}

impl Top {
    fn new(most: usize) -> Top {
        Top { most, best: Vec::with_capacity(most + 1) }
    }

    fn takes(&self, worth: f64) -> bool {
        self.best.len() < self.most || self.best.last().is_some_and(|(least, _)| worth >= *least)
    }

    fn put(&mut self, worth: f64, row: usize) {
        let at = self.best.partition_point(|(w, _)| *w > worth);
        self.best.insert(at, (worth, row));
        self.best.truncate(self.most);
    }

    fn rows(self) -> Vec<usize> {
        self.best.into_iter().map(|(_, row)| row).collect()
    }
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
    let found = |c: Likely<'_>| Recalled {
        score: worth(c.cosine, c.lexical),
        memory: c.memory.into_owned(),
        terms: crate::domain::Terms::default(),
        penalised: false,
        cosine: c.cosine,
        lexical: c.lexical,
    };
    let all = likest(index, q, -1.0, q.wanted, worth);
    all.into_iter().filter(|c| by != Side::Words || c.lexical > 0.0).map(found).collect()
}

/// What decides alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Words,
    Vectors,
    Both,
}
