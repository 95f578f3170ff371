//! The engine: one loop that owns what runs, and what stands around it.

pub mod actor;
mod adopt;
mod caps;
mod channel;
mod clockwork;
mod converse;
mod core;
pub mod costs;
mod cron;
mod dedup;
pub mod deliverables;
mod desk;
mod digest;
pub mod disk;
mod dispatch;
mod ended;
mod evidence;
mod failover;
mod frames;
mod gate;
mod gateway;
mod handover;
mod headless;
pub mod health;
mod host;
mod input;
mod keeper;
mod launcher;
mod learn;
pub mod left_over;
mod library;
mod live;
mod memories;
mod metrics;
pub mod plans;
pub mod projects;
pub mod prompt;
mod recall;
mod reload;
mod review;
mod run;
mod seat;
pub mod shelf;
pub mod skills;
mod snapshot;
mod state;
pub mod step;
pub mod tidy;
mod trees;
pub mod why;

pub use self::core::{Core, Flow, Parts};
pub use channel::{CONSOLE, Channel, ChannelError, ConsoleFeed, Incoming, deliver, show};
pub use cron::cron_view;
pub use dedup::{DedupRequest, FirstTier, PATIENCE, RedisTier};
pub use desk::{Desk, prompt_parts};
pub use digest::digest;
pub use evidence::{EVIDENCE, Evidence, EvidenceRequest, EvidenceThread, Subject};
pub use gateway::{Gateway, bind};
pub use headless::run_headless;
pub use host::{Host, HostError, Over};
pub use input::{Input, Link, Probe, Reread};
pub use keeper::{KeepError, apply as apply_to_memory, note as note_of_memory, origin as origin_of_memory, remember};
pub use launcher::{Launch, Launcher, OsLauncher};
pub use library::{Library, embedder, learn};
pub use memories::{Memories, MemoryRequest, MemoryThread};
pub use reload::saves;
pub use review::{Span, review_job};
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
