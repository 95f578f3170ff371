//! What the terminal shows, and the bytes that make it show the next frame. Only cells that changed are written.

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::queue;
use crossterm::style::ResetColor;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};
use std::io;

/// The screen: the frame that the terminal holds once every unsent byte has gone out, and those bytes.
///
/// A new frame is composed only when nothing is unsent, so a slow link gets fewer frames, always the newest one, and the
/// difference is always against what it will really show.
#[derive(Debug)]
pub struct Screen {
    shown: Buffer,
    next: Buffer,
    cursor: Option<Position>,
    /// What the terminal shows is not known: begin with a clear.
    stale: bool,
    out: Vec<u8>,
    sent: usize,
}

impl Screen {
    /// A screen about whose content nothing is known.
    pub fn new(size: Size) -> Screen {
        let area = Rect::from((Position::ORIGIN, size));
        Screen { shown: Buffer::empty(area), next: Buffer::empty(area), cursor: None, stale: true, out: Vec::new(), sent: 0 }
    }

    /// The terminal has this size now.
    pub fn resize(&mut self, size: Size) {
        let area = Rect::from((Position::ORIGIN, size));
        self.shown = Buffer::empty(area);
        self.next = Buffer::empty(area);
        self.stale = true;
    }

    /// Draw everything again, after what is under way.
    pub fn redraw(&mut self) {
        self.stale = true;
    }

    /// The terminal was somebody else's meanwhile: draw everything again. Bytes that were not sent are void.
    pub fn forget(&mut self) {
        self.out.clear();
        self.sent = 0;
        self.stale = true;
    }

    /// What the terminal shows is not known.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// The area to draw in.
    pub fn area(&self) -> Rect {
        self.next.area
    }

    /// Draws the next frame and encodes what differs; nothing, if nothing does.
    ///
    /// # Errors
    /// Never in practice: it writes to memory.
    pub fn compose(&mut self, view: impl FnOnce(Rect, &mut Buffer) -> Option<Position>) -> io::Result<()> {
        debug_assert!(self.is_drained(), "a frame composed before the last one is out would differ from nothing that is shown");
        self.next.reset();
        let cursor = view(self.next.area, &mut self.next).filter(|&at| self.next.area.contains(at));
        if self.stale {
            self.shown.reset();
        }
        let changes = self.shown.diff(&self.next);
        if changes.is_empty() && cursor == self.cursor && !self.stale {
            return Ok(());
        }
        let out = &mut self.out;
        queue!(out, BeginSynchronizedUpdate)?;
        if self.cursor.is_some() && !changes.is_empty() {
            queue!(out, Hide)?;
        }
        if self.stale {
            queue!(out, Hide, ResetColor, Clear(ClearType::All))?;
        }
        if !changes.is_empty() {
            CrosstermBackend::new(&mut *out).draw(changes.into_iter())?;
        }
        match cursor {
            Some(at) => queue!(out, MoveTo(at.x, at.y), Show)?,
            None if self.cursor.is_some() => queue!(out, Hide)?,
            None => {}
        }
        queue!(out, EndSynchronizedUpdate)?;
        self.cursor = cursor;
        self.stale = false;
        std::mem::swap(&mut self.shown, &mut self.next);
        Ok(())
    }

    /// Bytes for the terminal that are no cells: the bell, the clipboard.
    pub fn send(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Every byte has gone out.
    pub fn is_drained(&self) -> bool {
        self.sent == self.out.len()
    }

    /// What is to be written.
    pub fn unsent(&self) -> &[u8] {
        &self.out[self.sent..]
    }

    /// So many of `unsent` are written.
    pub fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.is_drained() {
            self.out.clear();
            self.sent = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::{Color, Style};

    const SIZE: Size = Size { width: 20, height: 4 };

    fn terminal() -> vt100::Parser {
        vt100::Parser::new(SIZE.height.try_into().unwrap(), SIZE.width.try_into().unwrap(), 0)
    }

    fn flush(screen: &mut Screen, terminal: &mut vt100::Parser) -> usize {
        let n = screen.unsent().len();
        terminal.process(screen.unsent());
        screen.sent(n);
        assert!(screen.is_drained());
        n
    }

    fn say(text: &'static str, at: (u16, u16)) -> impl Fn(Rect, &mut Buffer) -> Option<Position> {
        move |_, buffer| {
            buffer.set_string(at.0, at.1, text, Style::new().fg(Color::Green));
            None
        }
    }

    #[test]
    fn the_terminal_shows_the_frame_and_then_only_what_changed_is_written() {
        let (mut screen, mut terminal) = (Screen::new(SIZE), terminal());
        terminal.process(b"left over");
        screen.compose(say("jobs 10 \u{4f60}\u{597d} e\u{301}", (0, 0))).unwrap();
        flush(&mut screen, &mut terminal);
        assert_eq!(terminal.screen().contents(), "jobs 10 \u{4f60}\u{597d} e\u{301}");
        assert!(terminal.screen().hide_cursor());

        screen.compose(say("jobs 11 \u{4f60}\u{597d} e\u{301}", (0, 0))).unwrap();
        let bytes = String::from_utf8(screen.unsent().to_vec()).unwrap();
        assert!(bytes.contains('1') && !bytes.contains("jobs"), "{bytes:?}");
        flush(&mut screen, &mut terminal);
        assert_eq!(terminal.screen().contents(), "jobs 11 \u{4f60}\u{597d} e\u{301}");
    }

    #[test]
    fn a_frame_that_changes_nothing_costs_no_byte() {
        let (mut screen, mut terminal) = (Screen::new(SIZE), terminal());
        screen.compose(say("same", (1, 1))).unwrap();
        assert!(flush(&mut screen, &mut terminal) > 0);
        screen.compose(say("same", (1, 1))).unwrap();
        assert_eq!(screen.unsent(), b"");
    }

    #[test]
    fn the_cursor_follows_and_a_move_alone_draws_no_cell() {
        let (mut screen, mut terminal) = (Screen::new(SIZE), terminal());
        let view = |x| {
            move |_: Rect, buffer: &mut Buffer| {
                buffer.set_string(0, 0, "abc", Style::new());
                Some(Position { x, y: 0 })
            }
        };
        screen.compose(view(1)).unwrap();
        flush(&mut screen, &mut terminal);
        assert_eq!((terminal.screen().cursor_position(), terminal.screen().hide_cursor()), ((0, 1), false));
        screen.compose(view(2)).unwrap();
        let bytes = String::from_utf8(screen.unsent().to_vec()).unwrap();
        assert!(!bytes.contains(['a', 'b', 'c']), "{bytes:?}");
        flush(&mut screen, &mut terminal);
        assert_eq!(terminal.screen().cursor_position(), (0, 2));
        screen.compose(view(SIZE.width + 5)).unwrap();
        flush(&mut screen, &mut terminal);
        assert!(terminal.screen().hide_cursor(), "a cursor outside the screen is none");
    }

    #[test]
    fn after_a_resize_or_foreign_output_everything_is_drawn_again() {
        let (mut screen, mut terminal) = (Screen::new(SIZE), terminal());
        screen.compose(say("hello", (0, 0))).unwrap();
        flush(&mut screen, &mut terminal);

        terminal.process(b"\x1b[2J\x1b[Hgarbage of an editor");
        screen.forget();
        screen.compose(say("hello", (0, 0))).unwrap();
        flush(&mut screen, &mut terminal);
        assert_eq!(terminal.screen().contents(), "hello");

        terminal.screen_mut().set_size(2.try_into().unwrap(), 10.try_into().unwrap());
        screen.resize(Size { width: 10, height: 2 });
        assert_eq!(screen.area(), Rect::new(0, 0, 10, 2));
        screen.compose(say("hello", (5, 1))).unwrap();
        flush(&mut screen, &mut terminal);
        assert_eq!(terminal.screen().contents(), "\n     hello");
    }

    #[test]
    fn frames_are_synchronized_updates() {
        let mut screen = Screen::new(SIZE);
        screen.compose(say("x", (0, 0))).unwrap();
        assert!(screen.unsent().starts_with(b"\x1b[?2026h") && screen.unsent().ends_with(b"\x1b[?2026l"));
    }
}
