//! What happens to the model: pure, no lock, no await, no SQL, no clock.

use super::model::Model;
use super::msg::{Effect, Msg};

/// Takes one message in, and says what is to be done.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let _ = (model, msg);
    Vec::new()
}
