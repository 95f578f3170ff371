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
    let mut likest = likest(index, q, tuning.floor);
    let size = pool(q.wanted);
    if likest.len() > size {
        likest.select_nth_unstable_by(size - 1, |a, b| b.likeness().total_cmp(&a.likeness()).then(b.memory.id.cmp(&a.memory.id)));
        likest.truncate(size);
    }
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

/// The memories that hold and share a word with the text, or whose vector is near enough.
pub fn likest<'a>(index: &'a Index, q: &Question<'_>, floor: f64) -> Vec<Candidate<'a>> {
    let holds = |row: usize| {
        let m = &index.rows()[row];
        m.holds() && q.category.is_none_or(|c| c == m.category)
    };
    let mut by_words = index.bm25(q.text);
    by_words.retain(|(row, _)| holds(*row as usize));
    let most = by_words.iter().map(|(_, score)| *score).fold(0.0, f64::max);
    let cosines = q.vector.map(|v| index.vectors.cosines(v)).unwrap_or_default();
    let mut lexical = vec![0.0f32; if cosines.is_empty() { 0 } else { index.rows().len() }];
    let cosine = |row: usize| cosines.get(row).map_or(0.0, |c| f64::from(*c));
    let mut all: Vec<(usize, f64, f64)> = Vec::new();
    for (row, score) in by_words {
        let share = score / most;
        if let Some(slot) = lexical.get_mut(row as usize) {
            *slot = share as f32;
        }
        all.push((row as usize, cosine(row as usize), share));
    }
    // Looking at a memory costs more than at its figures: only those that can matter are looked at.
    let near = cosines.iter().enumerate().filter(|(row, c)| f64::from(**c) >= floor && lexical[*row] == 0.0);
    all.extend(near.filter(|(row, _)| holds(*row)).map(|(row, c)| (row, f64::from(*c), 0.0)));
    all.into_iter().map(|(row, cosine, lexical)| Candidate { memory: &index.rows()[row], cosine, lexical }).collect()
}

/// Two that say the same: in the same words, or in others of nearly the same vector and with the same figures.
fn alike(index: &Index, a: &Recalled, b: &Recalled, cosine: f64) -> bool {
    let (Some(x), Some(y)) = (index.row(a.memory.id), index.row(b.memory.id)) else { return false };
    index.keys()[x] == index.keys()[y]
        || f64::from(index.vectors.cosine(x, y)) >= cosine && words::figures(&a.memory.text) == words::figures(&b.memory.text)
}

/// By vectors or by words alone, best first; for measuring what each is worth.
pub fn alone(index: &Index, q: &Question<'_>, by: Side) -> Vec<Recalled> {
    let mut all = likest(index, q, -1.0);
    let value = |c: &Candidate<'_>| match by {
        Side::Words => c.lexical,
        Side::Vectors => c.cosine,
        Side::Both => hybrid(c.cosine, c.lexical),
    };
    all.retain(|c| by != Side::Words || c.lexical > 0.0);
    all.sort_by(|a, b| value(b).total_cmp(&value(a)).then(b.memory.id.cmp(&a.memory.id)));
    let found = |c: &Candidate<'_>| Recalled {
        memory: c.memory.clone(),
        score: value(c),
        terms: crate::domain::Terms::default(),
        penalised: false,
        cosine: c.cosine,
        lexical: c.lexical,
    };
    all.iter().take(q.wanted).map(found).collect()
}

/// What decides alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Words,
    Vectors,
    Both,
}
