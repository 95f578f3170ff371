//! The embedding that ships: a static one, each word piece with a vector of its own, a text's vector the unit vector of their sum.
//! It works offline and alike on every machine; where it comes from and how it is made is told in `assets/embedder/`.

use super::{EmbedError, Embedder};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// `SEM1`, number of pieces, dimensions; the pieces (a byte of length, then UTF-8); a scale for each as f32; then their vectors, a
/// signed byte a dimension. Little-endian.
const ASSET: &[u8] = include_bytes!("../../../assets/static-256-int8.bin");
/// The asset's SHA-256 begins so: vectors of another asset are others.
const ID: &str = "static256@02ef7f0d";
/// Dimensions are a multiple of this.
const LANES: usize = 16;
/// A longer run of letters is no word.
const LONGEST: usize = 100;

/// The embedding that ships. Its asset is unpacked by the first text.
#[derive(Debug, Default)]
pub struct Shipped {
    pieces: OnceLock<Pieces>,
}

/// The asset, unpacked.
#[derive(Debug)]
struct Pieces {
    /// Pieces to their row; those that go on within a word begin with `##`.
    rows: HashMap<&'static str, u32>,
    scales: Vec<f32>,
    codes: &'static [u8],
    dim: usize,
}

impl Shipped {
    /// The embedding, one for the whole process.
    pub fn get() -> Arc<Shipped> {
        static SHIPPED: OnceLock<Arc<Shipped>> = OnceLock::new();
        SHIPPED.get_or_init(Arc::default).clone()
    }

    fn pieces(&self) -> &Pieces {
        self.pieces.get_or_init(|| Pieces::unpack(ASSET).expect("the asset is part of the program, and a test unpacks it"))
    }
}

impl Pieces {
    fn unpack(asset: &'static [u8]) -> Option<Pieces> {
        let number = |at: usize| Some(u32::from_le_bytes(asset.get(at..at + 4)?.try_into().ok()?) as usize);
        let (count, dim) = (number(4)?, number(8)?);
        let mut rest = asset.strip_prefix(b"SEM1")?.get(8..)?;
        let mut rows = HashMap::with_capacity(count);
        for row in 0..count as u32 {
            let (length, tail) = rest.split_first()?;
            let (piece, tail) = tail.split_at_checked(usize::from(*length))?;
            rows.insert(std::str::from_utf8(piece).ok()?, row);
            rest = tail;
        }
        let (scales, codes) = rest.split_at_checked(4 * count)?;
        let scales = scales.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        (codes.len() == count * dim && dim % LANES == 0).then_some(Pieces { rows, scales, codes, dim })
    }

    fn vector(&self, text: &str) -> Vec<f32> {
        let mut sum = vec![0.0f32; self.dim];
        let mut add = |row: u32| {
            let scale = self.scales[row as usize];
            let codes = &self.codes[row as usize * self.dim..][..self.dim];
            for (sums, codes) in sum.as_chunks_mut::<LANES>().0.iter_mut().zip(codes.as_chunks::<LANES>().0) {
                // Counted by hand: in the profile that the program is mostly built by, an iterator's step is a call, and this is the
                // innermost loop.
                let mut i = 0;
                while i < LANES {
                    sums[i] += scale * f32::from(codes[i] as i8);
                    i += 1;
                }
            }
        };
        let mut found = Vec::new();
        words(text, |word| {
            found.clear();
            if word.chars().count() <= LONGEST && self.split(word, &mut found) {
                found.iter().for_each(|row| add(*row));
            }
        });
        let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-9);
        sum.iter_mut().for_each(|x| *x /= length);
        sum
    }

    /// A word as pieces, the longest first from its beginning (WordPiece); false where it cannot be made of them.
    fn split(&self, word: &str, found: &mut Vec<u32>) -> bool {
        let mut inner = String::from("##");
        let mut start = 0;
        while start < word.len() {
            let ends = word[start..].char_indices().map(|(at, c)| start + at + c.len_utf8()).rev();
            let hit = ends.into_iter().find_map(|end| {
                let row = if start == 0 {
                    self.rows.get(&word[..end])
                } else {
                    inner.truncate(2);
                    inner.push_str(&word[start..end]);
                    self.rows.get(inner.as_str())
                };
                row.map(|row| (end, *row))
            });
            let Some((end, row)) = hit else { return false };
            found.push(row);
            start = end;
        }
        true
    }
}

impl Embedder for Shipped {
    fn id(&self) -> &str {
        ID
    }

    fn is_local(&self) -> bool {
        true
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let pieces = self.pieces();
        Ok(texts.iter().map(|t| pieces.vector(t)).collect())
    }
}

/// The words of a text as BERT's uncased tokenizer has them: lower case without accents, each mark and each Chinese character alone.
fn words(text: &str, mut take: impl FnMut(&str)) {
    let mut word = String::with_capacity(16);
    let mut push = |c: char| {
        if c == '\0' || c == '\u{fffd}' || (c.is_control() && !c.is_whitespace()) {
            return;
        }
        let alone = is_mark(c) || is_unspaced(c);
        if !alone && !c.is_whitespace() {
            word.push(c);
            return;
        }
        if !word.is_empty() {
            take(&word);
            word.clear();
        }
        if alone {
            take(c.encode_utf8(&mut [0; 4]));
        }
    };
    if text.is_ascii() {
        text.chars().for_each(|c| push(c.to_ascii_lowercase()));
    } else {
        text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).for_each(&mut push);
    }
    push(' ');
}

fn is_mark(c: char) -> bool {
    let range = matches!(c as u32, 0xA1..=0xBF | 0x2010..=0x2027 | 0x2030..=0x205E | 0x3001..=0x3003 | 0x3008..=0x3011
        | 0xFF01..=0xFF0F | 0xFF1A..=0xFF20);
    c.is_ascii_punctuation() || (range && !c.is_alphanumeric() && !c.is_whitespace())
}

fn is_unspaced(c: char) -> bool {
    matches!(c as u32, 0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x20000..=0x2A6DF | 0xF900..=0xFAFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts with what the program that made the asset's figures gives for them: components 0, 100 and 255, and the sum of all,
    /// each times its place from 1.
    const TOLD: &[(&str, [f64; 3], f64)] = &[
        ("The staging database listens on port 5432.", [0.0502442, 0.0936948, -0.0779445], -4.1666533),
        ("Zoë prefers café au lait — naïve façade, Straße & Übergröße", [0.0608406, 0.0391718, -0.0512561], -129.9555661),
        ("部署 to 生产 needs approval 日本語テスト", [-0.0057536, -0.1186926, -0.0365834], 25.8612977),
        ("fn main() { let x: Vec<u8> = vec![0; 16]; println!(\"{:?}\", x); }", [0.2061433, -0.0090187, -0.1436615], -141.8852308),
        ("🚀 Ship it! 🎉 v2.10.3-rc1", [0.0474592, -0.0193060, 0.0155247], -22.2962686),
        ("Supercalifragilisticexpialidocious antidisestablishmentarianism", [0.1461526, -0.0472387, 0.0607062], 11.4077829),
        ("UPPER lower MiXeD snake_case kebab-case path/to/file.rs", [0.0682759, -0.0187562, 0.0082823], 47.2531447),
        ("Привет, мир! Γειά σου Κόσμε", [0.0785053, -0.1530569, 0.0133418], -96.6120678),
        ("“Curly quotes”, ellipsis… ‘single’ — dash – en", [-0.0190976, 0.0065562, 0.0586199], 152.0215317),
        ("a", [-0.0236888, -0.0236888, 0.0091111], -30.3908726),
        ("", [0.0, 0.0, 0.0], 0.0),
    ];

    #[test]
    fn vectors_are_those_that_the_asset_was_measured_with() {
        for (text, some, all) in TOLD {
            let v = &Shipped::get().embed(&[text]).unwrap()[0];
            let got = [v[0], v[100], v[255]].map(f64::from);
            assert!(got.iter().zip(some).all(|(a, b)| (a - b).abs() < 1e-6), "{text}: {got:?}");
            let sum: f64 = (1..).zip(v).map(|(place, x)| f64::from(place) * f64::from(*x)).sum();
            assert!((sum - all).abs() < 1e-3, "{text}: {sum}");
        }
    }

    #[test]
    fn the_asset_is_the_one_that_is_named_and_a_broken_one_is_told() {
        use sha2::{Digest, Sha256};
        let hash: String = Sha256::digest(ASSET).iter().take(4).map(|b| format!("{b:02x}")).collect();
        assert_eq!(ID, format!("static256@{hash}"));
        assert!(Pieces::unpack(&ASSET[..ASSET.len() - 1]).is_none() && Pieces::unpack(&ASSET[1..]).is_none());
    }
}
