//! The console on a real pseudo-terminal.

mod console;
mod panic;
mod pty;
mod workspace;
