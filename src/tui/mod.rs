//! The console: `Model`, `update`, `view`, all pure, on values that the engine sends.

mod keymap;
mod model;
mod msg;
mod theme;
mod update;
mod view;

pub use keymap::{Action, Key, Keymap, KeymapError};
pub use model::{Choices, Model, Options};
pub use msg::{Effect, Msg};
pub use theme::{ColorLevel, Ground, Theme};
pub use update::update;
pub use view::view;
