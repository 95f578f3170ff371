//! Texts to vectors.

/// Texts to unit vectors. Two implementations: the one that ships, and an endpoint.
pub trait Embedder: Send + Sync {
    /// Names the embedding: vectors of different ids are never compared.
    fn id(&self) -> &str;
    /// True where a vector takes microseconds and cannot fail: then it is made as a memory is kept, else later in the background.
    fn is_local(&self) -> bool {
        false
    }
    /// Unit vectors, in the order of the texts.
    ///
    /// # Errors
    /// The endpoint.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError>;
}

/// A text has no vector now.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EmbedError(pub String);
mod shipped;
pub use shipped::Shipped;
