//! What a memory is worth to a prompt: four terms, each 0 to 1, their weighted sum, and the penalty for what a job got just now.

use super::{Category, Memory, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Share of the cosine in the hybrid likeness; words have the rest. Between 0.5 and 0.7 the retrieval of public dialogues does not
/// change by a point.
const COSINE_SHARE: f64 = 0.6;
/// The pool that likeness is scaled in: at least, at most. The formula over all rows, or over a pool much larger than what is
/// wanted, lets new and unrelated memories win over old and fitting ones.
const POOL: (usize, usize) = (20, 50);

/// The four terms, each 0 to 1 before its weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// How alike memory and prompt are, scaled within the pool: its best has 1, its last 0.
    pub similarity: f64,
    /// 1 when made, a half after each half-life.
    pub recency: f64,
    /// As it was given.
    pub importance: f64,
    /// Injections, on a logarithmic scale up to the pool's most injected.
    pub access: f64,
}

/// A memory as it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recalled {
    pub memory: Memory,
    pub score: f64,
    pub terms: Terms,
    /// A job got it within the penalty's window, and its score was lowered for that.
    pub penalised: bool,
    /// Cosine of the vectors, before any scaling; 0 where there are none.
    pub cosine: f64,
    /// Likeness by words: BM25 divided by the best one's, 0 to 1.
    pub lexical: f64,
}

/// A memory that may bear on a prompt.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub memory: &'a Memory,
    pub cosine: f64,
    pub lexical: f64,
}

impl Candidate<'_> {
    /// Likeness by vectors and by words in one figure.
    pub fn likeness(&self) -> f64 {
        hybrid(self.cosine, self.lexical)
    }
}

/// Likeness by vectors (cosine; opposite counts as unlike) and by words (0 to 1) in one figure, 0 to 1.
pub fn hybrid(cosine: f64, lexical: f64) -> f64 {
    COSINE_SHARE * cosine.max(0.0) + (1.0 - COSINE_SHARE) * lexical
}

/// How many of the likest are weighed where `wanted` are asked for.
pub fn pool(wanted: usize) -> usize {
    wanted.saturating_mul(2).clamp(POOL.0, POOL.1).max(wanted)
}

/// How recall weighs: the settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    pub similarity: f64,
    pub recency: f64,
    pub importance: f64,
    pub access: f64,
    /// Of events and contexts.
    pub half_life_passing: Duration,
    /// Of everything else.
    pub half_life_lasting: Duration,
    /// The factor for what a job got within `penalty_window`.
    pub penalty: f64,
    pub penalty_window: Duration,
}

impl Default for Formula {
    fn default() -> Self {
        let days = |n: u64| Duration::from_secs(n * 24 * 3600);
        Formula {
            similarity: 0.45,
            recency: 0.25,
            importance: 0.20,
            access: 0.10,
            half_life_passing: days(30),
            half_life_lasting: days(180),
            penalty: 0.5,
            penalty_window: Duration::from_secs(3600),
        }
    }
}

impl Formula {
    /// 0.5 to the power of age in half-lives. Age counts from the making: by the last recall, recall would feed itself.
    pub fn recency_of(&self, category: Category, created_at: Timestamp, now: Timestamp) -> f64 {
        let half = if category.is_passing() { self.half_life_passing } else { self.half_life_lasting };
        0.5f64.powf(now.since(created_at).as_secs_f64() / half.as_secs_f64().max(1.0))
    }

    /// Whether the penalty strikes: a job got the memory less than the window ago.
    pub fn penalises(&self, last_recalled_at: Option<Timestamp>, now: Timestamp) -> bool {
        last_recalled_at.is_some_and(|at| now.since(at) < self.penalty_window)
    }

    /// The score: the weighted sum of the terms, times the penalty where it strikes.
    pub fn score(&self, terms: &Terms, penalised: bool) -> f64 {
        let sum = self.similarity * terms.similarity
            + self.recency * terms.recency
            + self.importance * terms.importance
            + self.access * terms.access;
        if penalised { sum * self.penalty } else { sum }
    }

    /// Weighs a pool: scales likeness and accesses within it, scores, and puts the best first; of equals the newer.
    pub fn weigh(&self, pool: &[Candidate<'_>], now: Timestamp) -> Vec<Recalled> {
        let likeness: Vec<f64> = pool.iter().map(Candidate::likeness).collect();
        let most = pool.iter().map(|c| c.memory.access_count).max().unwrap_or(0);
        let mut all: Vec<Recalled> = pool
            .iter()
            .zip(min_max(&likeness))
            .map(|(c, similarity)| {
                let m = c.memory;
                let terms = Terms {
                    similarity,
                    recency: self.recency_of(m.category, m.created_at, now),
                    importance: m.importance.clamp(0.0, 1.0),
                    access: access(m.access_count, most),
                };
                let penalised = self.penalises(m.last_recalled_at, now);
                Recalled { memory: m.clone(), score: self.score(&terms, penalised), terms, penalised, cosine: c.cosine, lexical: c.lexical }
            })
            .collect();
        all.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.memory.id.cmp(&a.memory.id)));
        all
    }
}

/// Scales figures so that the least is 0 and the greatest 1; where all are equal, all are 1.
pub fn min_max(figures: &[f64]) -> Vec<f64> {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let span = greatest - least;
    figures.iter().map(|f| if span > 0.0 { (f - least) / span } else { 1.0 }).collect()
}

/// ln(1 + n) / ln(1 + most): the first accesses say more than the hundredth.
pub fn access(n: u32, most: u32) -> f64 {
    if most == 0 { 0.0 } else { f64::from(n).ln_1p() / f64::from(most).ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MemoryId, MemorySource};
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);
    const DAY: u64 = 24 * 3600;

    fn memory(id: i64, category: Category, importance: f64, age_days: u64, recalled: Option<u64>, access_count: u32) -> Memory {
        Memory {
            id: MemoryId(id),
            text: format!("memory {id}"),
            category,
            importance,
            source: MemorySource::Operator,
            external: false,
            created_at: NOW - Duration::from_secs(age_days * DAY),
            last_recalled_at: recalled.map(|minutes| NOW - Duration::from_secs(minutes * 60)),
            access_count,
            superseded_by: None,
            superseded_at: None,
            disputed: false,
            forgotten_at: None,
        }
    }

    /// Worked by hand from the definition: 0.45 s + 0.25 r + 0.20 i + 0.10 a, halved within the hour.
    #[test]
    fn worked_examples() {
        // similarity, recency, importance, access, recalled within the hour, score
        let table = [
            (1.0, 1.0, 1.0, 1.0, false, 1.0),
            (0.0, 0.0, 0.0, 0.0, false, 0.0),
            (1.0, 0.0, 0.0, 0.0, false, 0.45),
            (0.0, 1.0, 0.0, 0.0, false, 0.25),
            (0.0, 0.0, 1.0, 0.0, false, 0.20),
            (0.0, 0.0, 0.0, 1.0, false, 0.10),
            (0.8, 0.5, 0.9, 0.25, false, 0.69),
            (0.8, 0.5, 0.9, 0.25, true, 0.345),
            (1.0, 1.0, 1.0, 1.0, true, 0.5),
        ];
        for (similarity, recency, importance, access, penalised, score) in table {
            let got = Formula::default().score(&Terms { similarity, recency, importance, access }, penalised);
            assert!((got - score).abs() < 1e-12, "{got} is not {score}");
        }
        let f = Formula::default();
        // age in days, category, recency
        for (age, category, recency) in [
            (0, Category::Fact, 1.0),
            (30, Category::Event, 0.5),
            (60, Category::Context, 0.25),
            (30, Category::Lesson, 0.890_898_718),
            (180, Category::Preference, 0.5),
            (360, Category::Person, 0.25),
        ] {
            let got = f.recency_of(category, NOW - Duration::from_secs(age * DAY), NOW);
            assert!((got - recency).abs() < 1e-9, "{age} days, {category}: {got}");
        }
        for (n, most, share) in [(0, 0, 0.0), (0, 9, 0.0), (9, 9, 1.0), (1, 3, 0.5), (3, 15, 0.5)] {
            assert!((access(n, most) - share).abs() < 1e-12, "{n} of {most}");
        }
        assert_eq!(min_max(&[0.2, 0.6, 0.4]).iter().map(|x| (x * 100.0).round()).collect::<Vec<_>>(), [0.0, 100.0, 50.0]);
        assert_eq!(min_max(&[0.3, 0.3]), [1.0, 1.0]);
        assert_eq!([1, 6, 10, 20, 40, 80].map(pool), [20, 20, 20, 40, 50, 80]);
    }

    #[test]
    fn a_pool_is_weighed_as_a_whole() {
        let likest = memory(1, Category::Fact, 0.5, 180, None, 0);
        let newest = memory(2, Category::Fact, 0.5, 0, None, 0);
        let just_given = memory(3, Category::Fact, 0.5, 180, Some(59), 3);
        let given_before = memory(4, Category::Fact, 0.5, 180, Some(60), 3);
        let of = |memory, cosine, lexical| Candidate { memory, cosine, lexical };
        let pool = [of(&likest, 0.9, 1.0), of(&newest, 0.3, 0.0), of(&just_given, 0.8, 0.9), of(&given_before, 0.8, 0.9)];
        let weighed = Formula::default().weigh(&pool, NOW);
        let order: Vec<i64> = weighed.iter().map(|r| r.memory.id.0).collect();
        assert_eq!(order, [4, 1, 3, 2], "{weighed:#?}");
        let by = |id: i64| weighed.iter().find(|r| r.memory.id.0 == id).unwrap();
        assert!((by(1).terms.similarity, by(2).terms.similarity) == (1.0, 0.0));
        assert!(by(3).penalised && !by(4).penalised, "the hour ends after 60 minutes");
        assert!((by(3).score * 2.0 - by(4).score).abs() < 1e-12);
    }

    prop_compose! {
        fn terms()(similarity in 0.0..=1.0f64, recency in 0.0..=1.0f64, importance in 0.0..=1.0f64, access in 0.0..=1.0f64) -> Terms {
            Terms { similarity, recency, importance, access }
        }
    }

    prop_compose! {
        fn anything()(
            passing: bool, importance in 0.0..=1.0f64, age in 0..2000u64, recalled in proptest::option::of(0..600u64), n in 0..1000u32,
            cosine in -1.0..=1.0f64, lexical in 0.0..=1.0f64,
        ) -> (Memory, f64, f64) {
            (memory(0, if passing { Category::Event } else { Category::Fact }, importance, age, recalled, n), cosine, lexical)
        }
    }

    proptest! {
        #[test]
        fn a_score_is_a_share_and_grows_with_each_term(t in terms(), more in 0.0..=1.0f64) {
            let f = Formula::default();
            let score = f.score(&t, false);
            prop_assert!((0.0..=1.0 + 1e-12).contains(&score));
            prop_assert!((f.score(&t, true) - score / 2.0).abs() < 1e-12);
            for up in [
                Terms { similarity: t.similarity.max(more), ..t },
                Terms { recency: t.recency.max(more), ..t },
                Terms { importance: t.importance.max(more), ..t },
                Terms { access: t.access.max(more), ..t },
            ] {
                prop_assert!(f.score(&up, false) >= score);
            }
        }

        #[test]
        fn older_is_never_more_recent(category in proptest::sample::select(Category::ALL.to_vec()), age in 0..100_000u64, more in 0..100_000u64) {
            let f = Formula::default();
            let at = |hours: u64| f.recency_of(category, NOW - Duration::from_secs(hours * 3600), NOW);
            prop_assert!(at(age + more) <= at(age) && (0.0..=1.0).contains(&at(age)));
        }

        #[test]
        fn weighing_keeps_everything_orders_it_and_stays_in_bounds(mut pool in proptest::collection::vec(anything(), 1..40)) {
            for (id, (m, _, _)) in (1..).zip(&mut pool) {
                m.id = MemoryId(id);
            }
            let pool: Vec<Candidate<'_>> = pool.iter().map(|(memory, cosine, lexical)| Candidate { memory, cosine: *cosine, lexical: *lexical }).collect();
            let f = Formula::default();
            let all = f.weigh(&pool, NOW);
            prop_assert_eq!(all.len(), pool.len());
            prop_assert!(all.windows(2).all(|w| w[0].score >= w[1].score));
            for r in &all {
                let t = &r.terms;
                prop_assert!([t.similarity, t.recency, t.importance, t.access].iter().all(|x| (0.0..=1.0).contains(x)));
                prop_assert_eq!(r.score, f.score(t, r.penalised), "what is shown is what was added up");
            }
            prop_assert!(all.iter().any(|r| r.terms.similarity == 1.0));
        }
    }
}
