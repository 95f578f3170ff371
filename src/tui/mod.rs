//! The console: `Model`, `update`, `view`, all pure, on values that the engine sends; and the terminal that they run on (`run`).

mod capability;
mod clipboard;
mod draw;
mod editor;
mod hangup;
mod input;
mod keymap;
mod model;
mod msg;
pub mod terminal;
mod theme;
mod update;
mod view;

pub use capability::Capability;
pub use keymap::{Action, Key, Keymap, KeymapError};
pub use model::{Choices, Model, Options};
pub use msg::{Effect, Msg};
pub use theme::{ColorLevel, Ground, Theme};
pub use update::update;
pub use view::view;
