//! Markdown from agents as styled lines.

use crate::tui::text;
use crate::tui::theme::Theme;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use tui_markdown::{Options, StyleSheet};

#[derive(Clone)]
struct Sheet(Theme);

impl StyleSheet for Sheet {
    fn heading(&self, level: u8) -> Style {
        if level <= 2 { self.0.accent } else { self.0.title }
    }

    fn code(&self) -> Style {
        self.0.info
    }

    fn link(&self) -> Style {
        self.0.focus.add_modifier(Modifier::UNDERLINED)
    }

    fn blockquote(&self) -> Style {
        self.0.dim.add_modifier(Modifier::ITALIC)
    }

    fn heading_meta(&self) -> Style {
        self.0.dim
    }

    fn metadata_block(&self) -> Style {
        self.0.dim
    }

    fn table_border(&self) -> Style {
        self.0.border
    }

    fn list_marker(&self) -> Style {
        self.0.accent
    }
}

/// Markdown rendered for `width` columns. The source is cleaned first: no control character is in the lines.
pub fn lines(source: &str, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let clean = text::clean(source);
    let options = Options::new(Sheet(theme.clone())).table_width(u16::try_from(width).unwrap_or(u16::MAX));
    let rendered = tui_markdown::from_str_with_options(&clean, &options);
    let mut out = Vec::new();
    let mut code = false;
    for line in rendered.lines {
        let style = line.style;
        let spans: Vec<Span<'static>> =
            line.spans.into_iter().map(|s| Span::styled(text::clean_line(&s.content).into_owned(), style.patch(s.style))).collect();
        let owned = Line::from(spans);
        let plain = owned.to_string();
        if plain.trim_start().starts_with("```") {
            code = !code;
            continue;
        }
        if code {
            for part in text::wrap(owned, width.saturating_sub(2), 0) {
                let mut spans = vec![Span::styled("│ ", theme.border)];
                spans.extend(part.spans);
                out.push(Line::from(spans));
            }
        } else {
            out.extend(text::wrap(owned, width, hang(&plain)));
        }
    }
    while out.last().is_some_and(|l| l.width() == 0) {
        out.pop();
    }
    out
}

/// How far the continuation of a wrapped line is indented: under the text of its list item.
fn hang(line: &str) -> usize {
    let blanks = line.len() - line.trim_start().len();
    let rest = line.trim_start();
    let marker = ["- ", "* ", "• ", "> "].iter().find(|m| rest.starts_with(**m)).map(|m| text::width(m));
    let number = || {
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        (digits > 0 && rest[digits..].starts_with(". ")).then_some(digits + 2)
    };
    blanks + marker.or_else(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_wrap_under_their_text_and_sequences_are_gone() {
        let got = lines("- one two three four\n\n\u{1b}[31m# Head\u{1b}[0m\n", 12, &Theme::default());
        let text: Vec<String> = got.iter().map(ToString::to_string).collect();
        assert_eq!(text[..2], ["- one two", "  three four"]);
        assert!(text.iter().all(|l| !l.contains('\u{1b}')));
        assert!(text.iter().any(|l| l.contains("Head")));
    }
}
