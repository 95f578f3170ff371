//! Skills: folders made elsewhere, the texts that ship, the schedules that use them, versions in use, rules and lint.

mod drop_in;
mod rules;
mod schedules;
mod texts;
mod tried;
mod used;
