//! What the terminal can show, as far as the environment tells.

use super::theme::{ColorLevel, Ground};

/// The terminal's abilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    pub colours: ColorLevel,
    /// Characters beyond ASCII come out right.
    pub utf8: bool,
    /// The background, if the environment says anything about it.
    pub ground: Option<Ground>,
}

impl Capability {
    /// Reads this process's environment.
    pub fn detect() -> Capability {
        Capability::of(|name| std::env::var(name).ok())
    }

    /// Reads an environment: `NO_COLOR` (no-color.org), `COLORTERM`, `TERM`; `LC_ALL`, `LC_CTYPE`, `LANG` in the order of
    /// POSIX; `COLORFGBG` as rxvt, Konsole and others set it, whose last field is the background's index.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Capability {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let colours = if set("NO_COLOR").is_some() || term.is_empty() || term == "dumb" || term.starts_with("vt") {
            ColorLevel::None
        } else if set("COLORTERM").is_some_and(|c| c == "truecolor" || c == "24bit") || term.ends_with("-direct") {
            ColorLevel::True
        } else if term.contains("256color") || ["xterm-kitty", "alacritty", "foot", "xterm-ghostty", "wezterm"].contains(&term.as_str()) {
            ColorLevel::Indexed
        } else {
            ColorLevel::Ansi16
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| set(name)).unwrap_or_default().to_ascii_lowercase();
        let utf8 = (locale.contains("utf-8") || locale.contains("utf8")) && term != "linux" && term != "dumb";
        let background: Option<u8> = set("COLORFGBG").and_then(|pair| pair.rsplit(';').next()?.parse().ok());
        let ground = background.map(|index| if index == 7 || index == 15 { Ground::Light } else { Ground::Dark });
        Capability { colours, utf8, ground }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(environment: &[(&str, &str)]) -> Capability {
        Capability::of(|name| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn colours() {
        use ColorLevel::{Ansi16, Indexed, None, True};
        for (environment, want) in [
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")][..], True),
            (&[("TERM", "xterm-256color")], Indexed),
            (&[("TERM", "tmux-256color"), ("COLORTERM", "24bit")], True),
            (&[("TERM", "screen")], Ansi16),
            (&[("TERM", "linux")], Ansi16),
            (&[("TERM", "vt220")], None),
            (&[("TERM", "dumb"), ("COLORTERM", "truecolor")], None),
            (&[], None),
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("NO_COLOR", "1")], None),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "")], Indexed),
        ] {
            assert_eq!(of(environment).colours, want, "{environment:?}");
        }
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        assert!(of(&[("LANG", "en_US.UTF-8")]).utf8);
        assert!(of(&[("LC_CTYPE", "C.utf8"), ("LANG", "C")]).utf8);
        assert!(!of(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]).utf8);
        assert!(of(&[("LC_ALL", ""), ("LANG", "en_US.UTF-8")]).utf8);
        assert!(!of(&[]).utf8);
    }

    #[test]
    fn the_background_is_the_last_field() {
        assert_eq!(of(&[("COLORFGBG", "15;0")]).ground, Some(Ground::Dark));
        assert_eq!(of(&[("COLORFGBG", "0;default;15")]).ground, Some(Ground::Light));
        assert_eq!(of(&[("COLORFGBG", "nonsense")]).ground, None);
        assert_eq!(of(&[]).ground, None);
    }
}
