//! The engine's socket, as a command line uses it: a word, perhaps an answer. Plain blocking calls with short limits, so that
//! `pm` carries no runtime.

use super::error::{CliError, Kind, Result};
use crate::wire::{ControlFrame, ControlReply, MAX_FRAME};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A connection to the engine, made before there is anything to say: the engine is awake and has accepted it by the time that
/// the change is on the disk.
pub struct Knock(UnixStream);

impl Knock {
    /// Knocks; `None` where no engine is. Never waits.
    pub fn at(socket: &Path) -> Option<Knock> {
        open(socket, SocketFlags::NONBLOCK).ok().map(Knock)
    }

    /// Says that the database has changed. False where the engine has gone since. Never waits: an engine that is too busy to take
    /// the word has others waiting that say the same, and its tick finds the change too.
    pub fn wake(mut self) -> bool {
        match self.0.write_all(&line(ControlFrame::Wake)) {
            Err(e) => e.kind() == std::io::ErrorKind::WouldBlock,
            Ok(()) => true,
        }
    }
}

/// Tells the engine that the database has changed. True if there is an engine. Never waits.
pub fn wake(socket: &Path) -> bool {
    Knock::at(socket).is_some_and(Knock::wake)
}

/// Asks the engine something and reads one answer.
///
/// # Errors
/// `Kind::NoEngine` if none answers within `limit`; `Kind::Refused` if it refuses.
pub fn ask(socket: &Path, frame: ControlFrame, limit: Duration) -> Result<ControlReply> {
    Talk::begin(socket, frame, limit)?.reply()
}

/// A conversation with the engine.
pub struct Talk {
    from: BufReader<UnixStream>,
}

impl Talk {
    /// Says `frame`; each answer may take up to `limit`.
    ///
    /// # Errors
    /// No engine is there.
    pub fn begin(socket: &Path, frame: ControlFrame, limit: Duration) -> Result<Talk> {
        let mut stream = open(socket, SocketFlags::empty()).map_err(|_| no_engine())?;
        stream.set_read_timeout(Some(limit)).map_err(|_| no_engine())?;
        stream.set_write_timeout(Some(limit)).map_err(|_| no_engine())?;
        stream.write_all(&line(frame)).map_err(|_| no_engine())?;
        Ok(Talk { from: BufReader::new(stream) })
    }

    /// The next answer.
    ///
    /// # Errors
    /// As `ask`.
    pub fn reply(&mut self) -> Result<ControlReply> {
        let silent = || {
            CliError::new(Kind::NoEngine, "the engine does not answer").hint("`orc log tail` and the files in run/ tell what it did last")
        };
        let mut text = String::new();
        // A snapshot may be longer than a shim's frame, yet no answer is without bound.
        let mut limited = self.from.by_ref().take(64 * MAX_FRAME as u64);
        if limited.read_line(&mut text).map_err(|_| silent())? == 0 {
            return Err(silent());
        }
        match serde_json::from_str(&text) {
            Ok(ControlReply::Refused { message }) => Err(CliError::refused(message)),
            Ok(reply) => Ok(reply),
            Err(e) => Err(CliError::new(Kind::NoEngine, format!("the engine's answer makes no sense: {e}"))
                .hint("engine and command line may be of different versions: `orc engine stop`, then start it anew")),
        }
    }

    /// Waits until the engine closes the conversation: it is gone.
    ///
    /// # Errors
    /// It still has not after `limit`.
    pub fn until_closed(mut self, limit: Duration) -> Result {
        let slow = || CliError::new(Kind::TimedOut, "the engine has not ended yet");
        self.from.get_ref().set_read_timeout(Some(limit)).map_err(|_| slow())?;
        let mut rest = [0; 4096];
        loop {
            match self.from.read(&mut rest) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => return Ok(()),
                Err(_) => return Err(slow()),
            }
        }
    }
}

/// No engine: what that means and what to do.
pub fn no_engine() -> CliError {
    CliError::new(Kind::NoEngine, "no engine is running in this workspace")
        .hint("`orc tui` starts one with the console, `orc engine` one without")
}

fn open(socket: &Path, flags: SocketFlags) -> std::io::Result<UnixStream> {
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC | flags, None)?;
    connect(&fd, &SocketAddrUnix::new(socket)?)?;
    Ok(UnixStream::from(fd))
}

fn line(frame: ControlFrame) -> Vec<u8> {
    let mut line = serde_json::to_vec(&frame).expect("a word always serialises");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_wake_is_one_line_and_an_absent_engine_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("engine.sock");
        assert!(!wake(&socket), "nothing there");
        let listener = UnixListener::bind(&socket).unwrap();
        assert!(wake(&socket));
        let mut got = String::new();
        listener.accept().unwrap().0.read_to_string(&mut got).unwrap();
        assert_eq!(got, "{\"frame\":\"wake\"}\n");
        let early = Knock::at(&socket).unwrap();
        drop(listener);
        assert!(!early.wake(), "it has gone since");
        assert!(!wake(&socket), "a socket file that nobody serves");
    }

    #[test]
    fn a_wake_never_waits_for_an_engine_that_takes_no_one() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("engine.sock");
        let _stopped = UnixListener::bind(&socket).unwrap();
        // More callers than any backlog holds; nobody accepts them.
        let kept: Vec<_> = (0..5000).map(|_| open(&socket, SocketFlags::NONBLOCK)).take_while(|s| s.is_ok()).collect();
        assert!(kept.len() < 5000, "the backlog never filled");
        wake(&socket);
    }

    #[test]
    fn answers_refusals_and_nonsense_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let engine = std::thread::spawn(move || {
            for answer in
                ["{\"frame\":\"stopping\",\"pid\":7,\"running\":2}\n", "{\"frame\":\"refused\",\"message\":\"no\"}\n", "what?\n", ""]
            {
                let (mut caller, _) = listener.accept().unwrap();
                BufReader::new(caller.try_clone().unwrap()).read_line(&mut String::new()).unwrap();
                caller.write_all(answer.as_bytes()).unwrap();
            }
        });
        let say = || ask(&socket, ControlFrame::Stop, Duration::from_secs(10));
        assert_eq!(say().unwrap(), ControlReply::Stopping { pid: 7, running: 2 });
        assert_eq!(say().unwrap_err().kind, Kind::Refused);
        assert_eq!(say().unwrap_err().kind, Kind::NoEngine);
        assert_eq!(say().unwrap_err().kind, Kind::NoEngine);
        engine.join().unwrap();
    }
}
