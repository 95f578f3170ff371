//! A one-line text field.

use super::pen::Pen;
use crate::tui::text;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Style;

/// Text and the place of the cursor in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    text: String,
    /// A byte offset on a character boundary.
    at: usize,
}

impl Input {
    /// A field with the cursor at its end.
    pub fn new(text: impl Into<String>) -> Input {
        let text = text.into();
        Input { at: text.len(), text }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Replaces the text.
    pub fn set(&mut self, text: impl Into<String>) {
        *self = Input::new(text);
    }

    /// Puts text in at the cursor, on one line.
    pub fn insert(&mut self, text: &str) {
        let clean = text::clean_line(text);
        self.text.insert_str(self.at, &clean);
        self.at += clean.len();
    }

    /// Takes an editing key; false when the key is none.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Char('a') if ctrl => self.at = 0,
            KeyCode::Char('e') if ctrl => self.at = self.text.len(),
            KeyCode::Char('u') if ctrl => {
                self.text.drain(..self.at);
                self.at = 0;
            }
            KeyCode::Char('k') if ctrl => self.text.truncate(self.at),
            KeyCode::Char('w') if ctrl => self.delete_word(),
            KeyCode::Backspace if ctrl || alt => self.delete_word(),
            KeyCode::Char(c) if !ctrl && !alt && !text::is_hidden(c) => {
                self.text.insert(self.at, c);
                self.at += c.len_utf8();
            }
            KeyCode::Backspace => {
                if let Some(c) = self.text[..self.at].chars().next_back() {
                    self.at -= c.len_utf8();
                    self.text.remove(self.at);
                }
            }
            KeyCode::Delete => {
                if self.at < self.text.len() {
                    self.text.remove(self.at);
                }
            }
            KeyCode::Left => self.at -= self.text[..self.at].chars().next_back().map_or(0, char::len_utf8),
            KeyCode::Right => self.at += self.text[self.at..].chars().next().map_or(0, char::len_utf8),
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = self.text.len(),
            _ => return false,
        }
        true
    }

    fn delete_word(&mut self) {
        let head = self.text[..self.at].trim_end();
        let from = head.rfind(' ').map_or(0, |i| i + 1);
        self.text.drain(from..self.at);
        self.at = from;
    }

    /// Draws the field in `width` columns, scrolled so that the cursor shows; returns the cursor's column.
    pub fn draw(&self, pen: &mut Pen<'_>, width: u16, style: Style) -> u16 {
        let width = width.min(pen.left());
        let x = pen.x();
        let before = text::width(&self.text[..self.at]);
        let room = usize::from(width.saturating_sub(1));
        let mut skip = 0;
        while text::width(&self.text[skip..self.at]) > room {
            skip += self.text[skip..].chars().next().map_or(1, char::len_utf8);
        }
        let column = before - text::width(&self.text[..skip]);
        pen.cell(&self.text[skip..], width, style);
        x + (column as u16).min(width.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editing_keys_do_what_shells_do() {
        let mut input = Input::default();
        let mut press = |code, modifiers| input.key(KeyEvent::new(code, modifiers));
        for c in "héllo wörld".chars() {
            assert!(press(KeyCode::Char(c), KeyModifiers::NONE));
        }
        press(KeyCode::Char('w'), KeyModifiers::CONTROL);
        press(KeyCode::Left, KeyModifiers::NONE);
        press(KeyCode::Backspace, KeyModifiers::NONE);
        assert!(!press(KeyCode::Enter, KeyModifiers::NONE));
        assert_eq!(input.text(), "héll ");
        input.key(KeyEvent::new(KeyCode::Char('a'), KeyModifiers::CONTROL));
        input.insert("x\n\u{1b}[31my");
        assert_eq!(input.text(), "x yhéll ");
        input.key(KeyEvent::new(KeyCode::Char('k'), KeyModifiers::CONTROL));
        assert_eq!(input.text(), "x y");
    }
}
