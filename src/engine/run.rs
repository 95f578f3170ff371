//! The loop: inputs in, one step a batch, until it is told to stop. One thread, one runtime, one `select!`.

use super::core::{Core, Flow};
use super::input::Input;
use super::launcher::Launcher;
use crate::domain::Timestamp;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How many inputs one step takes at most: one commit for all of them.
const BATCH: usize = 256;

/// Where the loop's "now" comes from.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The system's clock.
    System,
    /// A fixed start plus what the runtime's clock has advanced since: for the simulation, whose runtime is paused.
    Simulated { start: Timestamp, began: Instant },
}

impl Clock {
    /// Now.
    pub fn now(self) -> Timestamp {
        match self {
            Clock::System => crate::os::clock::now(),
            Clock::Simulated { start, began } => start + began.elapsed(),
        }
    }
}

/// Runs until an input says stop, a drain is complete, or every sender of inputs is gone.
pub async fn run<L: Launcher>(core: &mut Core<L>, inputs: &mut mpsc::Receiver<Input>, clock: Clock) -> String {
    let mut batch = Vec::with_capacity(BATCH);
    // The first step adopts and dispatches without waiting for anything to happen.
    loop {
        let now = clock.now();
        if let Flow::Stop(why) = core.step(now, std::mem::take(&mut batch)) {
            return why;
        }
        let wait = core.deadline(clock.now()).map_or(core.tick(), |at| at.since(clock.now()).min(core.tick()));
        tokio::select! {
            biased;
            taken = inputs.recv_many(&mut batch, BATCH) => if taken == 0 { return "nobody is left to speak to".into() },
            () = tokio::time::sleep(wait.max(Duration::from_millis(1))) => {}
        }
    }
}
