//! A finished frame brought down to ASCII, for locales that are not UTF-8.

use ratatui::buffer::Buffer;

/// Replaces every character outside ASCII by one that looks like it, or by `?`.
pub fn fold(buf: &mut Buffer) {
    for cell in &mut buf.content {
        let symbol = cell.symbol();
        if symbol.is_ascii() {
            continue;
        }
        let c = symbol.chars().next().unwrap_or(' ');
        cell.set_char(look_alike(c));
    }
}

fn look_alike(c: char) -> char {
    match c {
        '─' | '━' | '╌' | '–' | '—' | '▔' => '-',
        '│' | '┃' | '▏' | '▎' | '▐' | '╎' => '|',
        '╭' | '╮' | '╰' | '╯' | '├' | '┤' | '┬' | '┴' | '┼' | '┌' | '┐' | '└' | '┘' => '+',
        '█' | '■' | '▇' | '▉' | '▊' => '#',
        '▓' | '▆' | '▋' => '%',
        '▒' | '▅' => '+',
        '░' | '·' | '▁' | '□' => '.',
        '▂' | '▍' => '_',
        '▃' => '-',
        '▄' => '=',
        '▌' | '▸' | '▶' | '→' | '›' => '>',
        '◂' | '←' | '‹' => '<',
        '▾' | '▼' | '↓' => 'v',
        '▲' => '!',
        '↑' => '^',
        '✓' => '+',
        '✗' | '×' => 'x',
        '●' | '♥' | '◆' | '•' => '*',
        '○' | '◇' | '◌' => 'o',
        '◎' => '@',
        '…' => '~',
        '‖' => '=',
        '∞' => '8',
        '⇠' => '<',
        '↻' => 'R',
        '“' | '”' => '"',
        '‘' | '’' => '\'',
        '\u{a0}' => ' ',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;

    #[test]
    fn nothing_but_ascii_is_left() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 1));
        buf.set_string(0, 0, "╭─ ✓ 日本 é…", ratatui::style::Style::new());
        fold(&mut buf);
        let text: String = buf.content.iter().map(|c| c.symbol()).collect();
        assert!(text.is_ascii(), "{text}");
        assert!(text.starts_with("+- + ? ?  ?~"), "{text}");
    }
}
