//! The bell, and with it a line for the terminal's own notifications (OSC 9), where the terminal has them.

use super::text;
use std::env;

/// The longest line, in columns: notifications show no more.
const LONGEST: usize = 160;

/// Whether OSC 9 is sent, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notices {
    /// The bell alone.
    Off,
    Plain,
    /// Inside tmux, which hands it on if its `allow-passthrough` is on.
    Tmux,
}

impl Notices {
    /// As the setting `notices` says: `off`, `on` whatever the terminal, else by what the environment tells of it.
    pub fn detect(setting: &str) -> Notices {
        Notices::of(setting, |name| env::var(name).ok())
    }

    fn of(setting: &str, variable: impl Fn(&str) -> Option<String>) -> Notices {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let tmux = set("TMUX").is_some();
        let program = set("TERM_PROGRAM").unwrap_or_default();
        let term = set("TERM").unwrap_or_default();
        // tmux hides which terminal it is in, and drops what it is not to hand on; others take an unknown OSC 9 for nothing
        let known = ["iTerm.app", "WezTerm", "ghostty", "WarpTerminal", "rio"].contains(&program.as_str())
            || ["xterm-kitty", "xterm-ghostty", "wezterm", "rio"].contains(&term.as_str())
            || term.starts_with("foot")
            || set("LC_TERMINAL").is_some_and(|t| t == "iTerm2")
            || tmux;
        match (setting, tmux) {
            ("off", _) => Notices::Off,
            ("on", true) => Notices::Tmux,
            ("on", false) => Notices::Plain,
            _ if !known => Notices::Off,
            (_, true) => Notices::Tmux,
            (_, false) => Notices::Plain,
        }
    }

    /// The bytes that ring, and say why.
    pub fn bell(self, says: &str) -> Vec<u8> {
        let words: String = text::clean_line(says).split_whitespace().collect::<Vec<_>>().join(" ");
        // what begins with a figure would mean something else to some terminals: `9;4;…` is a progress bar
        let osc = format!("\x1b]9;orc: {}\x1b\\", text::fit(&words, LONGEST));
        match self {
            Notices::Off => b"\x07".to_vec(),
            Notices::Plain => format!("\x07{osc}").into_bytes(),
            Notices::Tmux => format!("\x07\x1bPtmux;{}\x1b\\", osc.replace('\x1b', "\x1b\x1b")).into_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(setting: &str, environment: &[(&str, &str)]) -> Notices {
        Notices::of(setting, |name| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn the_terminal_and_the_setting_decide() {
        for (setting, environment, want) in [
            ("auto", &[("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")][..], Notices::Plain),
            ("auto", &[("TERM", "xterm-kitty")], Notices::Plain),
            ("auto", &[("TERM", "foot-extra")], Notices::Plain),
            ("auto", &[("TERM", "xterm-256color")], Notices::Off),
            ("auto", &[("TERM", "linux")], Notices::Off),
            ("auto", &[("TERM", "tmux-256color"), ("TERM_PROGRAM", "tmux"), ("TMUX", "/tmp/t,1,0")], Notices::Tmux),
            ("auto", &[("TERM", "screen"), ("LC_TERMINAL", "iTerm2")], Notices::Plain),
            ("on", &[("TERM", "xterm")], Notices::Plain),
            ("on", &[("TMUX", "x")], Notices::Tmux),
            ("off", &[("TERM", "xterm-kitty"), ("TMUX", "x")], Notices::Off),
        ] {
            assert_eq!(of(setting, environment), want, "{setting} {environment:?}");
        }
    }

    #[test]
    fn what_it_says_is_clean_and_in_one_line() {
        let says = "4;Which\nhost?\x1b]0;owned\x07 \x1b\\日本";
        assert_eq!(Notices::Off.bell(says), b"\x07");
        assert_eq!(String::from_utf8(Notices::Plain.bell(says)).unwrap(), "\x07\x1b]9;orc: 4;Which host? 日本\x1b\\");
        assert_eq!(String::from_utf8(Notices::Tmux.bell("x")).unwrap(), "\x07\x1bPtmux;\x1b\x1b]9;orc: x\x1b\x1b\\\x1b\\");
        let long = Notices::Plain.bell(&"wide 日本 ".repeat(200));
        assert!(long.len() < 600, "{}", long.len());
    }
}
