//! Vectors at 8 bits a dimension, all in one block, compared by a scan: at 100,000 memories that is 25 MB and a few milliseconds.

use arrow::buffer::Buffer;
use lance_linalg::distance::dot_u8::dot_u8;
use std::collections::HashMap;

/// What stands for 0 in a byte.
const ZERO: u8 = 128;

/// The scale of the zero vector, which is likely to nothing: 0 stands for a row that has none.
const NEXT_TO_NOTHING: f32 = f32::MIN_POSITIVE;

/// One vector at 8 bits: `scale * (code - 128)` a dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Coded {
    pub codes: Vec<u8>,
    pub scale: f32,
}

impl Coded {
    /// Rounds a vector; its greatest component keeps its value. Doing it again to the decoded vector changes nothing.
    pub fn new(vector: &[f32]) -> Coded {
        let greatest = vector.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        let scale = (greatest / 127.0).max(NEXT_TO_NOTHING);
        let code = |x: &f32| ((x / scale).round() + f32::from(ZERO)) as u8;
        Coded { codes: vector.iter().map(code).collect(), scale }
    }
}

/// The components of a coded vector.
pub fn decoded(codes: &[u8], scale: f32) -> impl Iterator<Item = f32> + '_ {
    codes.iter().map(move |c| scale * (f32::from(*c) - f32::from(ZERO)))
}

/// The vectors of rows 0, 1, 2 …; a row may have none.
#[derive(Clone, Debug, Default)]
pub struct Vectors {
    dim: usize,
    /// The codes of the first rows, as they were stored.
    stored: Buffer,
    /// Rows of `stored` that are otherwise now.
    changed: HashMap<usize, Vec<u8>>,
    /// The codes of the rows behind.
    added: Vec<u8>,
    /// 0 where a row has none.
    scales: Vec<f32>,
    /// Of each row's codes.
    sums: Vec<u32>,
}

impl Vectors {
    /// Takes over what was stored: `codes` of `dim` bytes a row, and the sum of each row's. `None` where they do not fit together.
    pub fn of(dim: usize, codes: Buffer, scales: Vec<f32>, sums: Vec<u32>) -> Option<Vectors> {
        let fit = codes.len() == dim * scales.len() && sums.len() == scales.len();
        fit.then(|| Vectors { dim, stored: codes, scales, sums, ..Vectors::default() })
    }

    /// Dimensions; 0 as long as no row has a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Rows without one.
    pub fn missing(&self) -> impl Iterator<Item = usize> + '_ {
        self.scales.iter().enumerate().filter(|(_, s)| **s == 0.0).map(|(row, _)| row)
    }

    /// Makes room for a row; it has none yet.
    pub fn push(&mut self) {
        self.added.resize(self.added.len() + self.dim, ZERO);
        self.scales.push(0.0);
        self.sums.push(0);
    }

    /// Sets a row's vector. One of other dimensions than the rest is left out: the row has none, and it is false.
    pub fn set(&mut self, row: usize, coded: Option<&Coded>) -> bool {
        if let Some(c) = coded
            && self.dim == 0
        {
            self.dim = c.codes.len();
            self.added = vec![ZERO; self.dim * self.scales.len()];
        }
        let fits = coded.filter(|c| c.codes.len() == self.dim);
        self.scales[row] = fits.map_or(0.0, |c| c.scale);
        if let Some(c) = fits {
            match (row * self.dim).checked_sub(self.stored.len()) {
                Some(at) => self.added[at..][..self.dim].copy_from_slice(&c.codes),
                None => drop(self.changed.insert(row, c.codes.clone())),
            }
            self.sums[row] = sum(&c.codes);
        }
        fits.is_some()
    }

    /// What a row has for codes; without meaning where its scale is 0.
    fn codes(&self, row: usize) -> &[u8] {
        match (row * self.dim).checked_sub(self.stored.len()) {
            Some(at) => &self.added[at..][..self.dim],
            None => self.changed.get(&row).map_or_else(|| &self.stored[row * self.dim..][..self.dim], Vec::as_slice),
        }
    }

    /// A row's codes and scale, if it has a vector.
    pub fn get(&self, row: usize) -> Option<(&[u8], f32)> {
        (self.scales[row] != 0.0).then(|| (self.codes(row), self.scales[row]))
    }

    /// The cosine of each row with a unit vector; 0 for a row that has none, and for all where the dimensions differ.
    pub fn cosines(&self, query: &[f32]) -> Vec<f32> {
        let q = Coded::new(query);
        if self.dim == 0 || q.codes.len() != self.dim {
            return vec![0.0; self.scales.len()];
        }
        let of_query = sum(&q.codes);
        let one = |row: usize, codes: &[u8]| match self.scales[row] {
            0.0 => 0.0,
            scale => q.scale * scale * dot(&q.codes, of_query, codes, self.sums[row]),
        };
        let mut all: Vec<f32> = Vec::with_capacity(self.scales.len());
        for block in [self.stored.as_slice(), &self.added] {
            for codes in block.chunks_exact(self.dim) {
                all.push(one(all.len(), codes));
            }
        }
        for (row, codes) in &self.changed {
            all[*row] = one(*row, codes);
        }
        all
    }

    /// The cosine of two rows' unit vectors; 0 where one has none.
    pub fn cosine(&self, a: usize, b: usize) -> f32 {
        match (self.get(a), self.get(b)) {
            (Some((x, p)), Some((y, q))) => p * q * dot(x, self.sums[a], y, self.sums[b]),
            _ => 0.0,
        }
    }

    /// All codes, as they are to be stored.
    pub fn all_codes(&self) -> Vec<u8> {
        let mut all = [self.stored.as_slice(), &self.added].concat();
        for (row, codes) in &self.changed {
            all[row * self.dim..][..self.dim].copy_from_slice(codes);
        }
        all
    }

    /// The scales and sums of all rows.
    pub fn figures(&self) -> (&[f32], &[u32]) {
        (&self.scales, &self.sums)
    }
}

fn sum(codes: &[u8]) -> u32 {
    codes.iter().map(|c| u32::from(*c)).sum()
}

/// The product of the offsets from 128: Σ(a-128)(b-128) = Σab - 128(Σa + Σb) + 128²n.
fn dot(a: &[u8], sum_a: u32, b: &[u8], sum_b: u32) -> f32 {
    let zero = i64::from(ZERO);
    (i64::from(dot_u8(a, b)) - zero * (i64::from(sum_a) + i64::from(sum_b)) + zero * zero * a.len() as i64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(v: &[f32]) -> Vec<f32> {
        let n = v.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-9);
        v.iter().map(|x| x / n).collect()
    }

    proptest! {
        #[test]
        fn cosines_are_those_of_the_vectors(
            a in proptest::collection::vec(-1.0f32..1.0, 256), b in proptest::collection::vec(-1.0f32..1.0, 256),
        ) {
            let (a, b) = (unit(&a), unit(&b));
            let exact: f32 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
            let mut all = Vectors::default();
            all.push();
            all.set(0, Some(&Coded::new(&a)));
            all.push();
            all.push();
            all.set(2, Some(&Coded::new(&b)));
            let got = all.cosines(&a);
            prop_assert!((got[0] - 1.0).abs() < 0.01 && (got[2] - exact).abs() < 0.01, "{got:?} for {exact}");
            prop_assert!((all.cosine(0, 2) - exact).abs() < 0.01);
            prop_assert_eq!(got[1], 0.0);
            prop_assert_eq!(all.missing().collect::<Vec<_>>(), [1]);
            let again = Coded::new(&decoded(&Coded::new(&a).codes, Coded::new(&a).scale).collect::<Vec<_>>());
            prop_assert_eq!(again.codes, Coded::new(&a).codes, "what was rounded is rounded to itself");
        }
    }

    #[test]
    fn other_dimensions_are_never_compared() {
        let mut all = Vectors::default();
        all.push();
        all.set(0, Some(&Coded::new(&[1.0, 0.0])));
        all.push();
        assert!(!all.set(1, Some(&Coded::new(&[1.0, 0.0, 0.0]))));
        assert_eq!(all.cosines(&[1.0, 0.0, 0.0]), [0.0, 0.0]);
        assert!(all.get(1).is_none() && (all.cosines(&[1.0, 0.0])[0] - 1.0).abs() < 0.01);
    }

    #[test]
    fn the_zero_vector_is_one_and_is_alike_to_nothing() {
        let mut all = Vectors::default();
        for vector in [[1.0, 0.0], [0.0, 0.0]] {
            all.push();
            assert!(all.set(all.scales.len() - 1, Some(&Coded::new(&vector))));
        }
        assert_eq!(all.missing().count(), 0);
        assert_eq!((all.cosines(&[1.0, 0.0])[1], all.cosines(&[0.0, 0.0])[0], all.cosine(0, 1)), (0.0, 0.0, 0.0));
        let (codes, scale) = all.get(1).unwrap();
        assert_eq!(Coded::new(&decoded(codes, scale).collect::<Vec<_>>()), Coded::new(&[0.0, 0.0]), "also after the dataset");
    }
}
