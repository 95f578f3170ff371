//! Texts to vectors.

mod http;
mod shipped;

pub use http::{Endpoint, Http};
pub use shipped::Shipped;

/// Texts to unit vectors. Two implementations: the one that ships, and an endpoint.
pub trait Embedder: Send + Sync {
    /// Names the embedding: vectors of different ids are never compared.
    fn id(&self) -> &str;
    /// True where a vector takes microseconds and cannot fail: then it is made as a memory is kept, else later in the background.
    fn is_local(&self) -> bool {
        false
    }
    /// Unit vectors, in the order of the texts. A text in which nothing is known has the zero vector.
    ///
    /// # Errors
    /// The endpoint.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError>;
    /// The unit vector of what somebody waits for: given up sooner than [`Embedder::embed`].
    ///
    /// # Errors
    /// The endpoint.
    fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        Ok(self.embed(&[text])?.pop().unwrap_or_default())
    }
}

/// A text has no vector now: what failed, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EmbedError(pub String);
