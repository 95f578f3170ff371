//! The console on a real pseudo-terminal.

mod console;
mod panic;
mod pty;
