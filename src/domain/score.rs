//! Stands in until the formula is merged.

use super::Memory;
use serde::{Deserialize, Serialize};

/// The four terms, each 0 to 1 before its weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    pub similarity: f64,
    pub recency: f64,
    pub importance: f64,
    pub access: f64,
}

/// A memory as it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recalled {
    pub memory: Memory,
    pub score: f64,
    pub terms: Terms,
    pub penalised: bool,
    pub cosine: f64,
    pub lexical: f64,
}
