//! Signals, as values. Handlers are installed, never "ignore": a child would inherit that.

use futures::FutureExt;
use std::io;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What a signal means to the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The terminal is gone.
    HangUp,
    /// Leave; the number is the signal's.
    Leave(i32),
    /// Stop, as Ctrl-Z does.
    Stop,
    /// Running again after a stop.
    Continued,
    /// The terminal has another size.
    Resized,
}

/// The signals that concern the console.
#[derive(Debug)]
pub struct Signals {
    hangup: Stream,
    leave: [(i32, Stream); 3],
    stop: Stream,
    resume: Stream,
    resize: Stream,
}

impl Signals {
    /// Installs the handlers; they stay for the life of the process, so that what comes after the console is not killed
    /// by a late hang-up.
    ///
    /// # Errors
    /// No handler can be installed.
    pub fn install() -> io::Result<Signals> {
        let leave = |kind: SignalKind| signal(kind).map(|stream| (kind.as_raw_value(), stream));
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            leave: [leave(SignalKind::terminate())?, leave(SignalKind::interrupt())?, leave(SignalKind::quit())?],
            stop: signal(kind(rustix::process::Signal::TSTP))?,
            resume: signal(kind(rustix::process::Signal::CONT))?,
            resize: signal(SignalKind::window_change())?,
        })
    }

    /// The next signal; the most serious first. Cancel-safe.
    pub async fn next(&mut self) -> Signal {
        let [term, int, quit] = &mut self.leave;
        tokio::select! {
            biased;
            _ = self.hangup.recv() => Signal::HangUp,
            _ = term.1.recv() => Signal::Leave(term.0),
            _ = int.1.recv() => Signal::Leave(int.0),
            _ = quit.1.recv() => Signal::Leave(quit.0),
            _ = self.resume.recv() => Signal::Continued,
            _ = self.stop.recv() => Signal::Stop,
            _ = self.resize.recv() => Signal::Resized,
        }
    }

    /// Forgets interrupts and stops that were meant for a program in the foreground beside the console.
    pub fn forget_keys(&mut self) {
        let [_, int, quit] = &mut self.leave;
        for stream in [&mut int.1, &mut quit.1, &mut self.stop, &mut self.resume] {
            while stream.recv().now_or_never().is_some() {}
        }
    }
}

fn kind(signal: rustix::process::Signal) -> SignalKind {
    SignalKind::from_raw(signal.as_raw())
}
