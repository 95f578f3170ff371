//! Token estimates without a tokenizer.

/// Bytes per token: the rule of thumb that the spec names (`prompt/4`).
pub const BYTES_PER_TOKEN: u64 = 4;

/// Estimated tokens of a text, rounded up.
pub fn estimate(text: &str) -> u64 {
    (text.len() as u64).div_ceil(BYTES_PER_TOKEN)
}
