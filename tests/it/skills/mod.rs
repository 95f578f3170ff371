//! Skills: folders made elsewhere, the texts that ship, versions in use, rules and lint.

mod drop_in;
mod rules;
mod texts;
mod used;
