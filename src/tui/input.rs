//! Bytes from the terminal become keys and pastes.
//!
//! The console reads the terminal itself: crossterm's reader loops for ever when the terminal hangs up in the middle of a
//! read. The grammar is termina's parser; the events are crossterm's types, which the widgets understand.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::time::Duration;
use termina::Parser;
use termina::event::{KeyCode as Code, Modifiers};

/// How long a lone ESC may be the beginning of a longer sequence: slow links cut sequences apart.
pub const ESCAPE_PATIENCE: Duration = Duration::from_millis(40);
/// A sequence that is longer than this without an end is no sequence: what was held is dropped. Pastes count too.
const LONGEST: usize = 1 << 20;

/// What the operator did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Key(KeyEvent),
    Paste(String),
}

/// Turns bytes into inputs, across reads.
#[derive(Debug, Default)]
pub struct Reader {
    parser: Parser,
    /// Bytes since the last complete event.
    held: usize,
    escape: bool,
}

impl Reader {
    /// Takes what was read. Complete inputs come out; the rest is held for the next read.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Input> {
        self.escape = bytes.last().map_or(self.escape, |&b| b == 0x1b);
        self.held += bytes.len();
        self.parser.parse(bytes, true);
        let inputs = self.drain();
        if self.held > LONGEST {
            *self = Reader::default();
        }
        inputs
    }

    /// A lone ESC is held: ask `flush` after `ESCAPE_PATIENCE` without more bytes.
    pub fn holds_escape(&self) -> bool {
        self.escape
    }

    /// Nothing followed: a lone ESC is the key.
    pub fn flush(&mut self) -> Vec<Input> {
        self.escape = false;
        self.parser.parse(&[], false);
        self.drain()
    }

    fn drain(&mut self) -> Vec<Input> {
        let mut inputs = Vec::new();
        while let Some(event) = self.parser.pop() {
            self.held = 0;
            match event {
                termina::Event::Key(key) => inputs.extend(press(key).map(Input::Key)),
                termina::Event::Paste(text) => inputs.push(Input::Paste(text)),
                // Not asked for: mouse, focus, reports.
                _ => {}
            }
        }
        inputs
    }
}

/// The crossterm form of a key; `None` for releases and for keys that the console has no use for.
fn press(key: termina::event::KeyEvent) -> Option<KeyEvent> {
    let kind = match key.kind {
        termina::event::KeyEventKind::Press => KeyEventKind::Press,
        termina::event::KeyEventKind::Repeat => KeyEventKind::Repeat,
        termina::event::KeyEventKind::Release => return None,
    };
    let code = match key.code {
        Code::Char(c) => KeyCode::Char(c),
        Code::Enter => KeyCode::Enter,
        Code::Backspace => KeyCode::Backspace,
        Code::Tab => KeyCode::Tab,
        Code::BackTab => KeyCode::BackTab,
        Code::Escape => KeyCode::Esc,
        Code::Left => KeyCode::Left,
        Code::Right => KeyCode::Right,
        Code::Up => KeyCode::Up,
        Code::Down => KeyCode::Down,
        Code::Home => KeyCode::Home,
        Code::End => KeyCode::End,
        Code::PageUp => KeyCode::PageUp,
        Code::PageDown => KeyCode::PageDown,
        Code::Insert => KeyCode::Insert,
        Code::Delete => KeyCode::Delete,
        Code::Function(n) => KeyCode::F(n),
        _ => return None,
    };
    let pairs = [
        (Modifiers::SHIFT, KeyModifiers::SHIFT),
        (Modifiers::ALT, KeyModifiers::ALT),
        (Modifiers::CONTROL, KeyModifiers::CONTROL),
        (Modifiers::SUPER, KeyModifiers::SUPER),
        (Modifiers::HYPER, KeyModifiers::HYPER),
        (Modifiers::META, KeyModifiers::META),
    ];
    let modifiers = pairs.iter().filter(|(theirs, _)| key.modifiers.contains(*theirs)).map(|&(_, ours)| ours).collect();
    Some(KeyEvent::new_with_kind(code, modifiers, kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Input {
        Input::Key(KeyEvent::new(code, modifiers))
    }

    fn plain(code: KeyCode) -> Input {
        key(code, KeyModifiers::NONE)
    }

    #[test]
    fn keys_come_out_as_typed() {
        let mut reader = Reader::default();
        for (bytes, want) in [
            (&b"j"[..], plain(KeyCode::Char('j'))),
            (b"G", key(KeyCode::Char('G'), KeyModifiers::SHIFT)),
            (b"\x1a", key(KeyCode::Char('z'), KeyModifiers::CONTROL)),
            (b"\x0f", key(KeyCode::Char('o'), KeyModifiers::CONTROL)),
            (b"\r", plain(KeyCode::Enter)),
            (b"\t", plain(KeyCode::Tab)),
            (b"\x1b[Z", key(KeyCode::BackTab, KeyModifiers::SHIFT)),
            (b"\x1b[5~", plain(KeyCode::PageUp)),
            (b"\x1bOA", plain(KeyCode::Up)),
            (b"\x1b[1;5C", key(KeyCode::Right, KeyModifiers::CONTROL)),
            (b"\x1bx", key(KeyCode::Char('x'), KeyModifiers::ALT)),
            ("é".as_bytes(), plain(KeyCode::Char('é'))),
        ] {
            assert_eq!(reader.feed(bytes), [want], "{bytes:?}");
            assert!(!reader.holds_escape());
        }
    }

    #[test]
    fn a_sequence_cut_apart_by_the_link_is_one_key() {
        let mut reader = Reader::default();
        assert_eq!(reader.feed(b"\x1b"), []);
        assert!(reader.holds_escape());
        assert_eq!(reader.feed(b"["), []);
        assert_eq!(reader.feed(b"A"), [plain(KeyCode::Up)]);
    }

    #[test]
    fn a_lone_escape_is_the_key_once_nothing_follows() {
        let mut reader = Reader::default();
        assert_eq!(reader.feed(b"\x1b"), []);
        assert_eq!(reader.flush(), [plain(KeyCode::Esc)]);
        assert!(!reader.holds_escape());
        assert_eq!(reader.feed(b"[A").len(), 2, "what follows later is text");
    }

    #[test]
    fn a_paste_is_one_input_across_reads_whatever_it_contains() {
        let mut reader = Reader::default();
        assert_eq!(reader.feed(b"\x1b[200~line 1\rq\x1b"), []);
        assert_eq!(reader.flush(), []);
        assert_eq!(reader.feed(b"[31m\x1b[201~x"), [Input::Paste("line 1\rq\x1b[31m".into()), plain(KeyCode::Char('x'))]);
    }

    #[test]
    fn a_paste_without_end_is_dropped_and_keys_work_again() {
        let mut reader = Reader::default();
        reader.feed(b"\x1b[200~");
        reader.feed(&vec![b'a'; LONGEST + 1]);
        assert_eq!(reader.feed(b"q"), [plain(KeyCode::Char('q'))]);
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(chunks in prop::collection::vec(prop::collection::vec(
            prop_oneof![Just(0x1b), Just(b'['), Just(b'<'), Just(b';'), Just(b'M'), Just(b'O'), Just(b'P'), Just(b']'), any::<u8>()], 0..12), 0..12)) {
            let mut reader = Reader::default();
            for chunk in &chunks {
                reader.feed(chunk);
                if reader.holds_escape() {
                    reader.flush();
                }
            }
        }
    }
}
