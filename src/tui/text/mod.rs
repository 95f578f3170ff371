//! Text on its way to the terminal: made harmless, measured, cut, wrapped, and figures for people.

mod clean;
mod figures;
mod wrap;

pub use clean::{clean, clean_line, is_hidden};
pub use figures::{age, bytes, clock, count, duration, local_times, moment, money, plural, thousands};
pub use wrap::{fit, paragraphs, width, wrap};
