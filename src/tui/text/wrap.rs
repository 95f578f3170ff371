//! Columns: measured, cut, wrapped.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::borrow::Cow;
use unicode_width::UnicodeWidthStr;

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

/// Text of several lines, harmless and each wrapped by itself: the first in one style, the others in another. What a numbered line
/// goes on with stands below its words, not below its number.
pub fn paragraphs(text: &str, max: usize, first: Style, rest: Style) -> Vec<Line<'static>> {
    let clean = super::clean(text);
    let lines = clean.trim_end().lines().enumerate();
    lines.flat_map(|(n, line)| wrap(Line::styled(line.to_owned(), if n == 0 { first } else { rest }), max, number(line))).collect()
}

/// Columns of a line's number, `12. `; none for other lines.
fn number(line: &str) -> usize {
    let digits = line.chars().take_while(char::is_ascii_digit).count();
    if (1..=3).contains(&digits) && line[digits..].starts_with(". ") { digits + 2 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::text::clean_line;
    use proptest::prelude::*;

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
    fn numbered_lines_stay_lines_and_hang_below_their_words() {
        let text = "Not through:\n1. Close the file when it fails\n12. Add\u{1b}[31m a test\n";
        let lines: Vec<String> = paragraphs(text, 18, Style::new().bold(), Style::new()).iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["Not through:", "1. Close the file", "   when it fails", "12. Add a test"]);
    }

    proptest! {
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
