//! Text from agents, files and people, made harmless and measured, before it reaches a terminal.

use unicode_width::UnicodeWidthChar;

/// One line: control characters become visible symbols, line ends and tabs become spaces.
pub fn line(text: &str) -> String {
    text.trim_end_matches(['\n', '\r']).chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { harmless(c) }).collect()
}

/// Several lines: as `line`, but line feeds and tabs stay, and CRLF becomes a line feed.
pub fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").chars().map(|c| if matches!(c, '\n' | '\t') { c } else { harmless(c) }).collect()
}

/// True for what could drive a terminal or reorder what a reader sees: C0, DEL, C1, and the bidirectional controls.
pub fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn harmless(c: char) -> char {
    match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        c if is_control(c) => '\u{fffd}',
        c => c,
    }
}

/// Terminal columns of a text.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The text cut to at most `columns`, with an ellipsis where something is missing.
pub fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w + 1 > columns {
            break;
        }
        used += w;
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_drives_a_terminal_passes() {
        let nasty = "a\x1b]52;c;AAAA\x07b\u{9b}31mc\x7fd\u{202e}e\r\nf\tg";
        assert_eq!(lines(nasty), "a␛]52;c;AAAA␇b\u{fffd}31mc␡d\u{fffd}e\nf\tg");
        assert_eq!(line(nasty), "a␛]52;c;AAAA␇b\u{fffd}31mc␡d\u{fffd}e  f g");
        assert!(!lines(nasty).chars().any(|c| is_control(c) && c != '\n' && c != '\t'));
    }

    #[test]
    fn widths_are_columns_not_characters() {
        assert_eq!(width("日本語"), 6);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(fit("日本語です", 7), "日本語…");
        assert_eq!(fit("日本語です", 6), "日本…");
        assert_eq!(fit("short", 5), "short");
        assert_eq!(fit("short", 0), "");
    }
}
