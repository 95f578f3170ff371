//! Text on its way to the terminal: made harmless, measured, cut, wrapped, and figures for people.

use crate::domain::Timestamp;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

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

/// Columns that a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text cut to `max` columns, with an ellipsis where something is missing.
pub fn fit(text: &str, max: usize) -> Cow<'_, str> {
    // a byte is at least as much as a column for everything that we draw, so the common case costs no count
    if text.len() <= max || text.width() <= max {
        return Cow::Borrowed(text);
    }
    if max == 0 {
        return Cow::Borrowed("");
    }
    let span = Span::raw(text);
    let mut out = String::with_capacity(max + 3);
    let mut used = 0;
    for g in span.styled_graphemes(Style::new()) {
        let w = g.symbol.width();
        if used + w > max - 1 {
            break;
        }
        out.push_str(g.symbol);
        used += w;
    }
    out.truncate(out.trim_end().len());
    out.push('…');
    Cow::Owned(out)
}

/// A styled line broken into lines of at most `max` columns, at blanks where there are any. Continuations are indented by `indent`.
pub fn wrap(line: Line<'static>, max: usize, indent: usize) -> Vec<Line<'static>> {
    let max = max.max(1);
    if line.width() <= max {
        return vec![line];
    }
    let indent = if indent * 2 < max { indent } else { 0 };
    let base = line.style;
    let cells: Vec<(String, Style, usize)> =
        line.spans.iter().flat_map(|s| s.styled_graphemes(base)).map(|g| (g.symbol.to_owned(), g.style, g.symbol.width())).collect();
    let mut lines = Vec::new();
    let mut start = 0;
    while start < cells.len() {
        let room = if lines.is_empty() { max } else { max - indent };
        let (mut end, mut used) = (start, 0);
        while end < cells.len() && used + cells[end].2 <= room {
            used += cells[end].2;
            end += 1;
        }
        if end == start {
            end += 1; // wider than the whole line: alone on it, and cut when drawn
        }
        let mut next = end;
        if end < cells.len()
            && let Some(blank) = cells[start..=end].iter().rposition(|(s, ..)| s == " ").filter(|&b| b > 0)
        {
            end = start + blank;
            next = end + 1;
        }
        let mut spans: Vec<Span<'static>> = Vec::new();
        if !lines.is_empty() && indent > 0 {
            spans.push(Span::raw(" ".repeat(indent)));
        }
        for (symbol, style, _) in &cells[start..end] {
            match spans.last_mut() {
                Some(last) if last.style == *style => last.content.to_mut().push_str(symbol),
                _ => spans.push(Span::styled(symbol.clone(), *style)),
            }
        }
        lines.push(Line::from(spans));
        start = next;
        while start < cells.len() && next > end && cells[start].0 == " " {
            start += 1;
        }
    }
    lines
}

/// A length of time in at most six columns: `0s`, `59s`, `4m05s`, `2h14m`, `3d04h`, `512d`.
pub fn duration(millis: u64) -> String {
    let s = millis / 1000;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        3600..86_400 => format!("{}h{:02}m", s / 3600, s / 60 % 60),
        86_400..8_640_000 => format!("{}d{:02}h", s / 86_400, s / 3600 % 24),
        _ => format!("{}d", s / 86_400),
    }
}

/// An age in at most four columns: `12s`, `59m`, `23h`, `99d`.
pub fn age(millis: u64) -> String {
    let s = millis / 1000;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m", s / 60),
        3600..86_400 => format!("{}h", s / 3600),
        _ => format!("{}d", s / 86_400),
    }
}

/// A count in at most five columns: `999`, `12.3k`, `123k`, `1.2M`, `3.4G`.
pub fn count(n: u64) -> String {
    let scaled = |unit: u64, suffix: &str| {
        let tenths = n / (unit / 10);
        if tenths < 1000 { format!("{}.{}{suffix}", tenths / 10, tenths % 10) } else { format!("{}{suffix}", n / unit) }
    };
    match n {
        0..1000 => n.to_string(),
        1000..1_000_000 => scaled(1000, "k"),
        1_000_000..1_000_000_000 => scaled(1_000_000, "M"),
        _ => scaled(1_000_000_000, "G"),
    }
}

/// Bytes in binary units: `512 B`, `3.2 GiB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 || value >= 10.0 { format!("{value:.0} {}", UNITS[unit]) } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Money: `$0.0042`, `$1.25`, `$1,204`.
pub fn money(usd: f64) -> String {
    match usd {
        u if !u.is_finite() || u <= 0.0 => "$0".to_owned(),
        u if u < 0.01 => format!("${u:.4}"),
        u if u < 1000.0 => format!("${u:.2}"),
        u => format!("${}", thousands(u.round() as u64)),
    }
}

/// Digits in groups of three.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Local wall-clock time: `14:32`, or `14:32:05` with seconds.
pub fn clock(at: Timestamp, utc_offset: i32, seconds: bool) -> String {
    let s = (at.millis().div_euclid(1000) + i64::from(utc_offset)).rem_euclid(86_400);
    if seconds { format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60) } else { format!("{:02}:{:02}", s / 3600, s / 60 % 60) }
}

/// Local date and time; only the time where it is the same day as `now`.
pub fn moment(at: Timestamp, now: Timestamp, utc_offset: i32) -> String {
    let day = |t: Timestamp| (t.millis().div_euclid(1000) + i64::from(utc_offset)).div_euclid(86_400);
    let time = clock(at, utc_offset, false);
    if day(at) == day(now) {
        return time;
    }
    match chrono::DateTime::from_timestamp_millis(at.millis() + i64::from(utc_offset) * 1000) {
        Some(t) => format!("{} {time}", t.format("%b %-d")),
        None => time,
    }
}

/// `1 job`, `2 jobs`.
pub fn plural(n: u64, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{} {word}s", thousands(n)) }
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

    #[test]
    fn cutting_counts_columns_not_characters() {
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdefg", 6), "abcde…");
        assert_eq!(fit("日本語テキスト", 6), "日本…");
        assert_eq!(fit("word another", 6), "word…");
        assert_eq!(fit("abc", 0), "");
    }

    #[test]
    fn wrapping_breaks_at_blanks_and_keeps_styles() {
        let line = Line::from(vec![Span::raw("one two "), Span::styled("three", Style::new().bold())]);
        let lines = wrap(line, 8, 0);
        let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(text, ["one two", "three"]);
        assert_eq!(lines[1].spans[0].style, Style::new().bold());
        let text: Vec<String> = wrap(Line::raw("abcdefghij"), 4, 0).iter().map(ToString::to_string).collect();
        assert_eq!(text, ["abcd", "efgh", "ij"]);
    }

    #[test]
    fn figures_keep_to_their_columns() {
        assert_eq!([duration(0), duration(65_000), duration(8_040_000), duration(100 * 3_600_000)], ["0s", "1m05s", "2h14m", "4d04h"]);
        assert_eq!([count(999), count(1_000), count(12_345), count(123_456), count(1_234_567)], ["999", "1.0k", "12.3k", "123k", "1.2M"]);
        assert_eq!([money(0.0), money(0.004_2), money(1.254), money(1204.4)], ["$0", "$0.0042", "$1.25", "$1,204"]);
        assert_eq!([bytes(512), bytes(3 << 30), bytes(700 << 20)], ["512 B", "3.0 GiB", "700 MiB"]);
        for n in [0, 999, 9_999, 99_950, 999_999, 9_999_999, 999_999_999, u64::from(u32::MAX)] {
            assert!(count(n).len() <= 5, "{}", count(n));
        }
    }

    #[test]
    fn the_clock_is_local() {
        let t = Timestamp::parse("2025-11-24T23:30:05Z").unwrap();
        assert_eq!(clock(t, 3600, true), "00:30:05");
        assert_eq!(clock(t, -5 * 3600, false), "18:30");
        assert_eq!(moment(t, Timestamp(t.0 + 1000), 0), "23:30");
        assert_eq!(moment(t, Timestamp(t.0 + 1000), 3600), "00:30");
        assert_eq!(moment(t, Timestamp(t.0 + 86_400_000), 0), "Nov 24 23:30");
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

        #[test]
        fn cut_text_fits(text in any::<String>(), max in 0usize..40) {
            let text = clean_line(&text);
            prop_assert!(width(&fit(&text, max)) <= max);
        }

        #[test]
        fn wrapped_lines_fit_and_lose_no_letter(text in "[a-z日 ]{0,80}", max in 2usize..20) {
            let lines = wrap(Line::raw(text.clone()), max, 0);
            for line in &lines {
                prop_assert!(line.width() <= max);
            }
            let joined: String = lines.iter().flat_map(|l| l.spans.iter()).map(|s| s.content.as_ref()).collect();
            prop_assert_eq!(joined.replace(' ', ""), text.replace(' ', ""));
        }
    }
}
