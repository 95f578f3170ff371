//! The loop: inputs in, one step a batch, until it is told to stop. One thread, one runtime, one `select!`.

use super::core::{Core, Flow};
use super::input::Input;
use super::launcher::Launcher;
use crate::domain::Timestamp;
use chrono::TimeDelta;
use std::sync::atomic::{AtomicI64, Ordering};
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
    /// A fixed start plus what the runtime's clock has advanced since: for the simulation, whose runtime is paused. `set`: by how many
    /// milliseconds it has been set since, forward (as after a sleep of the machine) or back.
    Simulated { start: Timestamp, began: Instant, set: &'static AtomicI64 },
}

impl Clock {
    /// A simulated clock that begins now, for the length of a test.
    pub fn simulated(start: Timestamp) -> Clock {
        Clock::Simulated { start, began: Instant::now(), set: Box::leak(Box::new(AtomicI64::new(0))) }
    }

    /// Sets a simulated clock forward or back; the system's own stays as it is.
    pub fn set(self, by: TimeDelta) {
        if let Clock::Simulated { set, .. } = self {
            set.fetch_add(by.num_milliseconds(), Ordering::Relaxed);
        }
    }

    /// Now.
    pub fn now(self) -> Timestamp {
        match self {
            Clock::System => crate::os::clock::now(),
            Clock::Simulated { start, began, set } => {
                let now = start + began.elapsed();
                Timestamp(now.0 + set.load(Ordering::Relaxed))
            }
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
