//! Standard output: aligned tables and plain lines for people, one JSON value for programs.

use super::error::Result;
use super::text;
use clap::ValueEnum;
use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// What a piece of text means. Colour only repeats what the words say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    /// Headings.
    Head,
    /// Of little weight.
    Dim,
    Good,
    Warn,
    Bad,
    /// Under way.
    Busy,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Tone::Plain => Style::new(),
            Tone::Head => Style::new().bold(),
            Tone::Dim => Style::new().dimmed(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Warn => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
            Tone::Busy => AnsiColor::Cyan.on_default(),
        }
    }
}

/// Where a command's answer goes.
pub struct Out {
    to: BufWriter<Stdout>,
    pub json: bool,
    quiet: bool,
    color: bool,
    terminal: bool,
    /// Columns of the terminal; `None` where lines may be as long as they like.
    columns: Option<usize>,
}

impl Out {
    /// Standard output as it is.
    pub fn new(json: bool, quiet: bool, color: Color) -> Out {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                terminal
                    && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                    && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
            }
        };
        let columns = terminal.then(|| rustix::termios::tcgetwinsize(&stdout).ok().map(|w| w.ws_col as usize)).flatten().filter(|&c| c > 0);
        Out { to: BufWriter::new(stdout), json, quiet, color, terminal, columns }
    }

    /// True when colours may be used.
    pub fn colors(&self) -> bool {
        self.color
    }

    /// True when a person reads this directly.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Prints one JSON value. Characters that could drive a terminal are escaped inside its strings.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn value<T: Serialize>(&mut self, value: &T) -> Result {
        let pretty = if self.terminal { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
        let text = pretty.map_err(|e| io::Error::other(e.to_string()))?;
        self.raw_json(&text)
    }

    /// Prints one JSON value on a line of its own and passes it on at once: for streams.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn event<T: Serialize>(&mut self, value: &T) -> Result {
        let text = serde_json::to_string(value).map_err(|e| io::Error::other(e.to_string()))?;
        self.raw_json(&text)?;
        self.flush()
    }

    fn raw_json(&mut self, text: &str) -> Result {
        let mut start = 0;
        for (at, c) in text.char_indices() {
            // Outside strings JSON has only line feeds of the control characters, and those are layout.
            if c != '\n' && text::is_control(c) {
                write!(self.to, "{}\\u{:04x}", &text[start..at], c as u32)?;
                start = at + c.len_utf8();
            }
        }
        writeln!(self.to, "{}", &text[start..])?;
        Ok(())
    }

    /// Prints a line: `text` is made harmless.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn line(&mut self, line: &str) -> Result {
        self.toned(Tone::Plain, line)
    }

    /// The same in a tone.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn toned(&mut self, tone: Tone, line: &str) -> Result {
        let painted = self.paint(tone, &text::line(line));
        writeln!(self.to, "{painted}")?;
        Ok(())
    }

    /// Prints several lines as they are, made harmless.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn block(&mut self, block: &str) -> Result {
        let block = text::lines(block);
        self.to.write_all(block.as_bytes())?;
        if !block.is_empty() && !block.ends_with('\n') {
            self.to.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Bytes exactly as they are. Only for what is no terminal.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result {
        self.to.write_all(bytes)?;
        Ok(())
    }

    /// A word aside on standard error, where no script takes it for the answer: left out with --quiet.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn aside(&mut self, line: &str) -> Result {
        if self.quiet {
            return Ok(());
        }
        self.flush()?;
        // Nothing is left to tell a failure to.
        let _ = std::io::stderr().write_all(format!("note: {}\n", text::lines(line)).as_bytes());
        Ok(())
    }

    /// A confirmation: left out with --quiet and where JSON is wanted.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn done(&mut self, line: &str) -> Result {
        if self.quiet || self.json { Ok(()) } else { self.line(line) }
    }

    /// Prints `name  value` rows with the names padded to one width. A value of several lines is indented.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn fields(&mut self, fields: &[(&str, String)]) -> Result {
        let wide = fields.iter().map(|(name, _)| text::width(name)).max().unwrap_or(0);
        for (name, value) in fields {
            let name = self.paint(Tone::Dim, &format!("{name:wide$}"));
            let value = text::lines(value).replace('\n', &format!("\n{:1$}", "", wide + 2));
            writeln!(self.to, "{name}  {value}")?;
        }
        Ok(())
    }

    /// Prints a table; for an empty one, `empty`.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn table(&mut self, table: &Table, empty: &str) -> Result {
        if table.rows.is_empty() {
            return self.done(empty);
        }
        let widths = table.widths(self.columns);
        let head: Vec<Cell> = table.columns.iter().map(|c| Cell { text: c.name.to_owned(), tone: Tone::Head }).collect();
        for row in std::iter::once(&head).chain(&table.rows) {
            let mut line = String::new();
            for (i, (cell, column)) in row.iter().zip(&table.columns).enumerate() {
                let shown = text::fit(&cell.text, widths[i]);
                let pad = " ".repeat(widths[i] - text::width(&shown));
                let painted = self.paint(cell.tone, &shown);
                let gap = if i == 0 { "" } else { "  " };
                let last = i + 1 == table.columns.len();
                match column.align {
                    Align::Right => line.extend([gap, &pad, &painted]),
                    Align::Left if last => line.extend([gap, &painted]),
                    Align::Left => line.extend([gap, &painted, &pad]),
                }
            }
            writeln!(self.to, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Passes on what is buffered.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn flush(&mut self) -> Result {
        self.to.flush()?;
        Ok(())
    }

    fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.color || tone == Tone::Plain || text.is_empty() {
            return text.to_owned();
        }
        let style = tone.style();
        format!("{style}{text}{style:#}")
    }
}

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

struct Column {
    name: &'static str,
    align: Align,
}

/// One cell: text that is made harmless as it comes in, and its tone.
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell in a tone.
    pub fn toned(tone: Tone, text: impl AsRef<str>) -> Cell {
        Cell { text: text::line(text.as_ref()), tone }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(value: T) -> Cell {
        Cell { text: text::line(&value.to_string()), tone: Tone::Plain }
    }
}

/// Rows under headings, aligned by display width. On a terminal the column named by `shrinks` gives way first, then the last.
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    shrinks: usize,
}

impl Table {
    /// Columns by heading; a heading that begins with `>` is aligned to the right.
    pub fn new(headings: &[&'static str], shrinks: &str) -> Table {
        let columns: Vec<Column> = headings
            .iter()
            .map(|h| match h.strip_prefix('>') {
                Some(name) => Column { name, align: Align::Right },
                None => Column { name: h, align: Align::Left },
            })
            .collect();
        let shrinks = columns.iter().position(|c| c.name == shrinks).unwrap_or(columns.len() - 1);
        Table { columns, rows: Vec::new(), shrinks }
    }

    /// Adds a row with a cell for each column.
    pub fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    fn widths(&self, terminal: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|i| self.rows.iter().map(|r| text::width(&r[i].text)).chain([self.columns[i].name.len()]).max().unwrap_or(0))
            .collect();
        if let Some(columns) = terminal {
            let total = widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
            let mut over = total.saturating_sub(columns);
            for i in [self.shrinks, widths.len() - 1] {
                let cut = over.min(widths[i].saturating_sub(8));
                widths[i] -= cut;
                over -= cut;
            }
        }
        widths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_columns_that_may_shrink_give_way_to_the_terminal() {
        let mut t = Table::new(&[">ID", "TITLE", "STATE"], "TITLE");
        t.row(vec![7.into(), "日本語のとても長い題名".into(), "running".into()]);
        assert_eq!(t.widths(None), [2, 22, 7]);
        assert_eq!(t.widths(Some(30)), [2, 17, 7]);
        assert_eq!(t.widths(Some(10)), [2, 8, 7]);
    }

    #[test]
    fn cells_are_harmless_and_of_one_line() {
        let cell: Cell = "two\nlines\x1b[31m".into();
        assert_eq!(cell.text, "two lines␛[31m");
    }
}
