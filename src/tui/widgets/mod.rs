//! The pieces that screens are made of. Each draws from values into a buffer.

mod ascii;
mod bars;
mod cursor;
mod doc;
mod input;
mod pane;
mod pen;
mod prose;
mod terms;

pub use ascii::fold;
pub use bars::{gauge, heartbeat, share, sparkline};
pub use cursor::Cursor;
pub use doc::{Doc, DocLine, Jump};
pub use input::Input;
pub use pane::{Frame, center, empty, pane, position};
pub use pen::Pen;
pub use prose::Prose;
pub use terms::{terms, terms_line};
