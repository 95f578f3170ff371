//! The console on a real pseudo-terminal.

mod console;
mod demo;
mod leaving;
mod panic;
mod pty;
mod ssh;
mod stepping;
mod waiting;
mod workspace;
