//! The console: `Model`, `update`, `view`, all pure, on values that the engine sends; and the terminal that they run on (`run`).

mod aside;
mod capability;
mod clipboard;
mod console;
mod draw;
mod hangup;
mod input;
mod keyline;
mod keymap;
mod model;
mod msg;
mod notice;
mod overlays;
mod run;
mod screens;
mod signals;
mod suspend;
pub mod terminal;
mod text;
mod theme;
mod update;
mod view;
mod widgets;

pub use capability::Capability;
pub use keymap::{Action, Key, Keymap, KeymapError};
pub use model::{Choices, Model, Options};
pub use msg::{Effect, Msg};
pub use overlays::{VERBS as PALETTE_VERBS, Way};
pub use run::{ConsoleError, Setup, run};
pub use text::{clean, clean_line};
pub use theme::{ColorLevel, Ground, Theme};
pub use update::update;
pub use view::view;
