//! The engine: one loop that owns what runs, and what stands around it.

pub mod actor;
mod adopt;
mod core;
mod desk;
mod dispatch;
mod ended;
mod failover;
mod frames;
mod gateway;
mod handover;
mod headless;
mod host;
mod input;
mod launcher;
mod live;
pub mod prompt;
mod reload;
mod run;
mod seat;
mod snapshot;
mod state;
pub mod step;
pub mod why;

pub use self::core::{Core, Flow, Parts};
pub use desk::{Desk, prompt_parts};
pub use gateway::{Gateway, bind};
pub use headless::run_headless;
pub use host::{Host, HostError, Over};
pub use input::{Input, Link, Probe, Reread};
pub use launcher::{Launch, Launcher, OsLauncher};
pub use reload::saves;
pub use run::{Clock, run};
pub use seat::{Seat, SeatOptions};

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Tells an engine, if one runs, that the database has changed. Never waits.
pub fn wake(socket: &Path) {
    if let Ok(mut stream) = UnixStream::connect(socket) {
        let _ = stream.set_nonblocking(true);
        let _ = stream.write_all(b"{\"frame\":\"wake\"}\n");
    }
}
