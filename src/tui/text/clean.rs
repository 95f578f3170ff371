//! Text from anywhere, made harmless for a terminal.

use std::borrow::Cow;
use unicode_width::UnicodeWidthChar;

/// Combining marks that one base character may carry; more are dropped (they would climb into other rows).
const MAX_MARKS: usize = 4;

/// Text from anywhere, harmless for a terminal: no escape sequence, no control character but `\n`, nothing that changes the
/// direction of text or hides in it. Tabs become blanks; a line that was overwritten (`\r`) shows its last state.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b) || b == b'\n') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let line = line.trim_end_matches('\r');
        let line = line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or("");
        clean_one(line, &mut out);
    }
    Cow::Owned(out)
}

/// `clean`, on one line: line breaks become blanks.
pub fn clean_line(text: &str) -> Cow<'_, str> {
    match clean(text) {
        Cow::Borrowed(t) if !t.contains('\n') => Cow::Borrowed(t),
        t => Cow::Owned(t.trim_end_matches('\n').replace('\n', " ")),
    }
}

fn clean_one(line: &str, out: &mut String) {
    let mut chars = line.chars().peekable();
    let mut marks = 0;
    let mut column = 0;
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' | '\u{9b}' | '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_sequence(c, &mut chars),
            '\t' => {
                let blanks = 4 - column % 4;
                out.extend(std::iter::repeat_n(' ', blanks));
                column += blanks;
            }
            '\u{2028}' | '\u{2029}' => {
                out.push(' ');
                column += 1;
            }
            c if is_hidden(c) => {}
            c => {
                let width = c.width().unwrap_or(0);
                marks = if width == 0 { marks + 1 } else { 0 };
                if marks <= MAX_MARKS {
                    out.push(c);
                    column += width;
                }
            }
        }
    }
}

/// Leaves out an escape sequence whose first character was `first`. Never eats beyond the line.
fn skip_sequence(first: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let kind = if first == '\u{1b}' {
        match chars.peek() {
            Some(&c @ ('[' | ']' | 'P' | 'X' | '^' | '_')) => {
                chars.next();
                c
            }
            Some(' '..='/') => {
                while chars.next_if(|c| (' '..='/').contains(c)).is_some() {}
                chars.next_if(|c| ('0'..='~').contains(c));
                return;
            }
            Some('0'..='~') => {
                chars.next();
                return;
            }
            _ => return,
        }
    } else if first == '\u{9b}' {
        '['
    } else {
        ']'
    };
    if kind == '[' {
        while chars.next_if(|c| (' '..='?').contains(c)).is_some() {}
        chars.next_if(|c| ('@'..='~').contains(c));
        return;
    }
    // a string (title, link, image): to BEL or ST; without an end it is no sequence, and its text stays to be seen
    let mut ahead = chars.clone();
    while let Some(c) = ahead.next() {
        match c {
            '\u{7}' | '\u{9c}' => {
                *chars = ahead;
                return;
            }
            '\u{1b}' if ahead.peek() == Some(&'\\') => {
                ahead.next();
                *chars = ahead;
                return;
            }
            _ => {}
        }
    }
}

/// Characters that draw nothing by themselves and could mislead: controls, direction changes, joiners, tags.
/// Joiners and variation selectors go because terminals disagree on the width of what they make.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{200d}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escape_sequences_go_and_their_text_stays() {
        for (dirty, want) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;owned\u{7}title", "title"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}]52;c;cGF5bG9hZA==", "52;c;cGF5bG9hZA=="),
            ("\u{9b}2Jcleared", "cleared"),
            ("a\u{1b}(Bb", "ab"),
            ("a\u{1b}", "a"),
            ("a\u{1b}cb", "ab"),
            ("a\u{8}\u{8}b\u{7f}", "ab"),
            ("10%\r50%\r100%\n", "100%\n"),
            ("dos\r\nlines\r\n", "dos\nlines\n"),
            ("a\tb", "a   b"),
            ("abc\u{202e}txt.exe", "abctxt.exe"),
            ("x\u{e0041}\u{e0042}y", "xy"),
            ("👩\u{200d}💻", "👩💻"),
        ] {
            assert_eq!(clean(dirty), want, "{dirty:?}");
        }
    }

    #[test]
    fn a_tower_of_marks_is_cut() {
        let tower = format!("a{}b", "\u{301}".repeat(50));
        assert_eq!(clean(&tower).chars().count(), 2 + MAX_MARKS);
    }

    proptest! {
        #[test]
        fn nothing_hidden_survives(text in any::<String>()) {
            let cleaned = clean(&text);
            prop_assert!(cleaned.chars().all(|c| c == '\n' || !is_hidden(c)), "{cleaned:?}");
            prop_assert!(!clean_line(&text).contains('\n'));
        }

        #[test]
        fn nothing_hidden_survives_in_sequences(text in "[\u{1b}\u{9b}\u{9d}\u{7}\\]\\[P_;0-9a-z \\\\\r\n\u{202e}]{0,60}") {
            let cleaned = clean(&text);
            prop_assert!(cleaned.chars().all(|c| c == '\n' || !is_hidden(c)), "{cleaned:?}");
        }
    }
}
