//! The last steps of a job process: the report on disk, the engine told, the acknowledgement.

use super::ShimError;
use super::end;
use super::link::{LinkState, Order, Outbox};
use super::run::say;
use crate::domain::ExitReport;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// How long a shim that is done waits for an engine to come back, and for one that is there to acknowledge. Leaving early
/// loses nothing: the report is on disk.
const ENGINE_GONE: Duration = Duration::from_secs(5);
const ENGINE_SLOW: Duration = Duration::from_secs(60);
/// Between two attempts to write a report that the disk refuses.
const AGAIN: Duration = Duration::from_secs(5);
/// How long the report is tried for.
const REPORT_WITHIN: Duration = Duration::from_secs(600);

/// What a shim needs once its agent is gone.
pub struct Parting {
    pub outbox: watch::Sender<Outbox>,
    pub link_state: watch::Receiver<LinkState>,
    pub orders: mpsc::Receiver<Order>,
    pub stop: Stop,
}

impl Parting {
    /// Puts the report on disk, tells the engine, and waits for its acknowledgement for as long as that is sensible.
    pub async fn report(&mut self, dir: &Path, report: ExitReport) {
        let seq = self.outbox.borrow().tip.seq + 1;
        let begun = Instant::now();
        while let Err(e) = end::write_exit(dir, &report) {
            say(&format!("the report is not on disk yet: {e}"));
            let over = begun.elapsed() > REPORT_WITHIN;
            tokio::select! {
                () = tokio::time::sleep(AGAIN), if !over => {}
                () = self.stop.asked() => return,
                else => return,
            }
        }
        self.outbox.send_modify(|outbox| outbox.exit = Some((seq, Arc::new(report))));
        let ended = Instant::now();
        loop {
            let LinkState { connected, acked } = *self.link_state.borrow_and_update();
            if acked >= seq {
                return;
            }
            let patience = if connected { ENGINE_SLOW } else { ENGINE_GONE };
            tokio::select! {
                changed = self.link_state.changed() => if changed.is_err() { return },
                order = self.orders.recv() => if matches!(order, Some(Order::Bye { .. }) | None) { return },
                () = self.stop.asked() => return,
                () = tokio::time::sleep_until(ended + patience) => return,
            }
        }
    }
}

/// SIGTERM and SIGINT end the attempt; a hang-up is not for a process without a terminal.
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
    _hang_up: Signal,
}

impl Stop {
    /// # Errors
    /// The runtime has no signals to give.
    pub fn listen() -> Result<Stop, ShimError> {
        let on = |kind| signal(kind).map_err(ShimError::start("listen for signals"));
        Ok(Stop { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())?, _hang_up: on(SignalKind::hangup())? })
    }

    /// Returns when the next such signal comes.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
