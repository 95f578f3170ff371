//! Keys and what they do. Every key can be bound anew; two actions on one key are an error that names both.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Declares the actions: variant, name in the config, default keys, words for help.
macro_rules! actions {
    ($($variant:ident $name:literal [$($key:literal)*] $help:literal,)+) => {
        /// Something that a key does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $($variant),+ }

        impl Action {
            /// Every action, in the order of the help page.
            pub const ALL: &'static [Action] = &[$(Action::$variant),+];

            /// Its name in the config.
            pub fn name(self) -> &'static str {
                match self { $(Action::$variant => $name),+ }
            }

            /// What it does, for help and palette.
            pub fn help(self) -> &'static str {
                match self { $(Action::$variant => $help),+ }
            }

            fn default_keys(self) -> &'static [&'static str] {
                match self { $(Action::$variant => &[$($key),*]),+ }
            }
        }
    };
}

actions! {
    Dashboard "dashboard" ["1"] "go to the dashboard",
    Jobs "jobs" ["2"] "go to the jobs",
    Workers "workers" ["3"] "go to the workers",
    Approvals "approvals" ["4"] "go to what waits for you",
    Memory "memory" ["5"] "go to the memories",
    Logs "logs" ["6"] "go to the log",
    Cron "cron" ["7"] "go to the schedules",
    Costs "costs" ["8"] "go to the costs",
    Skills "skills" ["9"] "go to the skills",
    Health "health" ["0"] "go to the health",
    Projects "projects" ["w"] "go to the projects",
    NextPane "next-pane" ["tab"] "next pane or tab",
    PreviousPane "previous-pane" ["shift-tab"] "previous pane or tab",
    Up "up" ["k" "up"] "one row up",
    Down "down" ["j" "down"] "one row down",
    PageUp "page-up" ["pgup" "ctrl-b"] "one page up",
    PageDown "page-down" ["pgdn" "ctrl-f"] "one page down",
    Top "top" ["g" "home"] "to the top",
    Bottom "bottom" ["G" "end"] "to the end",
    Left "left" ["h" "left" "["] "previous tab",
    Right "right" ["l" "right" "]"] "next tab",
    Open "open" ["enter"] "open",
    Back "back" ["esc"] "back; clears filter and marks",
    Dispatch "dispatch" ["n"] "dispatch a new job",
    Message "message" ["m"] "write a message",
    Conversation "conversation" ["M"] "read the conversation",
    Approve "approve" ["a"] "approve a plan or a project",
    Reject "reject" ["r"] "send back, with a reason",
    Raise "raise" ["+" "="] "raise the priority",
    Lower "lower" ["-"] "lower the priority",
    Kill "kill" ["x"] "kill (asks first)",
    Retry "retry" ["R"] "retry a job; take a skill back",
    Pause "pause" ["p"] "pause or resume what is focused; pin a skill",
    PauseEngine "pause-engine" ["P"] "pause or resume all dispatching",
    Step "step" ["s"] "step into a worker's own session",
    Veto "veto" ["v"] "keep a memory away from this job, or let it come again",
    Edit "edit" ["e"] "change a memory or a plan",
    Settle "settle" ["c"] "settle which of two memories holds",
    RunNow "run-now" ["t"] "fire a schedule now",
    Undo "undo" ["u"] "undo the last command",
    Mark "mark" ["space"] "mark for a bulk command",
    Filter "filter" ["/"] "filter",
    Palette "palette" [":"] "all commands",
    Follow "follow" ["f"] "follow or freeze",
    Fold "fold" ["o"] "fold or unfold the block",
    FoldAll "fold-all" ["O"] "fold or unfold everything",
    Copy "copy" ["y"] "copy to your clipboard",
    Editor "editor" ["ctrl-o"] "read what is open in your own editor",
    Help "help" ["?"] "help for what is on screen",
    Redraw "redraw" ["ctrl-l"] "draw the screen anew",
    Suspend "suspend" ["ctrl-z"] "suspend the console",
    Quit "quit" ["q" "ctrl-c"] "leave",
}

/// A key with its modifiers, as the config spells it: `x`, `G`, `ctrl-l`, `alt-enter`, `shift-tab`, `f5`, `space`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    code: Code,
    ctrl: bool,
    alt: bool,
    shift: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Code {
    Char(char),
    F(u8),
    Named(&'static str),
}

/// Names of keys that are no characters.
const NAMED: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
];

impl Key {
    /// The key of an event; `None` for keys that cannot be bound (media keys, bare modifiers).
    pub fn of(event: KeyEvent) -> Option<Key> {
        let mut shift = event.modifiers.contains(KeyModifiers::SHIFT);
        let code = match event.code {
            KeyCode::Char(c) => {
                // a terminal sends the shifted character itself, with or without saying so
                shift = false;
                Code::Char(c)
            }
            KeyCode::F(n) => Code::F(n),
            KeyCode::BackTab => {
                shift = true;
                Code::Named("tab")
            }
            other => Code::Named(NAMED.iter().find(|(_, c)| *c == other)?.0),
        };
        Some(Key { code, ctrl: event.modifiers.contains(KeyModifiers::CONTROL), alt: event.modifiers.contains(KeyModifiers::ALT), shift })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for (on, word) in [(self.ctrl, "ctrl-"), (self.alt, "alt-"), (self.shift, "shift-")] {
            if on {
                text.push_str(word);
            }
        }
        match self.code {
            Code::Char(' ') => text.push_str("space"),
            Code::Char(c) => text.push(c),
            Code::F(n) => text.push_str(&format!("f{n}")),
            Code::Named(name) => text.push_str(name),
        }
        f.pad(&text)
    }
}

/// Why a key binding was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    #[error("`{0}` is no key: write a character, `ctrl-x`, `alt-x`, `shift-tab`, `f5`, `space`, `enter`, `esc`, `tab`, `up`, `pgdn` …")]
    NoSuchKey(String),
    #[error("`{0}` is no action of the console; `orc tui` shows all of them under `?`")]
    NoSuchAction(String),
    #[error("the key `{key}` is bound to both `{first}` and `{second}`: give one of them another key")]
    Conflict { key: String, first: &'static str, second: &'static str },
    #[error("`{0}` has no key left: without one there is no way to {1}")]
    Unbound(&'static str, &'static str),
}

impl FromStr for Key {
    type Err = KeymapError;
    fn from_str(text: &str) -> Result<Key, KeymapError> {
        let bad = || KeymapError::NoSuchKey(text.to_owned());
        let mut rest = text;
        let (mut ctrl, mut alt, mut shift) = (false, false, false);
        loop {
            let lower = rest.to_ascii_lowercase();
            let (flag, len) = match &lower {
                l if l.starts_with("ctrl-") && rest.len() > 5 => (&mut ctrl, 5),
                l if l.starts_with("alt-") && rest.len() > 4 => (&mut alt, 4),
                l if l.starts_with("shift-") && rest.len() > 6 => (&mut shift, 6),
                _ => break,
            };
            *flag = true;
            rest = &rest[len..];
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() => {
                // `ctrl-X` and `ctrl-x` are one key to a terminal; `shift-x` is `X`
                let c = if ctrl {
                    c.to_ascii_lowercase()
                } else if shift {
                    c.to_ascii_uppercase()
                } else {
                    c
                };
                shift = false;
                Code::Char(c)
            }
            (Some(_), Some(_)) => {
                let lower = rest.to_ascii_lowercase();
                if lower == "space" {
                    shift = false;
                    Code::Char(' ')
                } else if let Some(n) = lower.strip_prefix('f').and_then(|n| n.parse().ok()).filter(|n| (1..=24).contains(n)) {
                    Code::F(n)
                } else {
                    Code::Named(NAMED.iter().find(|(name, _)| *name == lower).ok_or_else(bad)?.0)
                }
            }
            _ => return Err(bad()),
        };
        Ok(Key { code, ctrl, alt, shift })
    }
}

/// Which key does what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    by_key: BTreeMap<Key, Action>,
    by_action: BTreeMap<Action, Vec<Key>>,
}

impl Keymap {
    /// The defaults with `config` laid over them: action name to keys, separated by blanks. An empty value unbinds.
    ///
    /// # Errors
    /// Every problem at once: unknown keys and actions, two actions on one key, an action that may not be without a key.
    pub fn new(config: &BTreeMap<String, String>) -> Result<Keymap, Vec<KeymapError>> {
        let mut errors = Vec::new();
        let mut by_action: BTreeMap<Action, Vec<Key>> = BTreeMap::new();
        for name in config.keys() {
            if !Action::ALL.iter().any(|a| a.name() == name) {
                errors.push(KeymapError::NoSuchAction(name.clone()));
            }
        }
        for &action in Action::ALL {
            let words: Vec<&str> = match config.get(action.name()) {
                Some(text) => text.split_whitespace().collect(),
                None => action.default_keys().to_vec(),
            };
            let mut keys = Vec::new();
            for word in words {
                match word.parse::<Key>() {
                    Ok(key) if keys.contains(&key) => {}
                    Ok(key) => keys.push(key),
                    Err(error) => errors.push(error),
                }
            }
            by_action.insert(action, keys);
        }
        let mut by_key: BTreeMap<Key, Action> = BTreeMap::new();
        for (&action, keys) in &by_action {
            for &key in keys {
                if let Some(first) = by_key.insert(key, action) {
                    errors.push(KeymapError::Conflict { key: key.to_string(), first: first.name(), second: action.name() });
                }
            }
        }
        for needed in [Action::Quit, Action::Open, Action::Back] {
            if by_action[&needed].is_empty() {
                errors.push(KeymapError::Unbound(needed.name(), needed.help()));
            }
        }
        if errors.is_empty() { Ok(Keymap { by_key, by_action }) } else { Err(errors) }
    }

    /// What a key does.
    pub fn action(&self, event: KeyEvent) -> Option<Action> {
        self.by_key.get(&Key::of(event)?).copied()
    }

    /// The first key of an action, for the key line; empty when it has none.
    pub fn key(&self, action: Action) -> String {
        self.by_action.get(&action).and_then(|k| k.first()).map(Key::to_string).unwrap_or_default()
    }

    /// All keys of an action, for the help page.
    pub fn keys(&self, action: Action) -> String {
        let keys: Vec<String> = self.by_action.get(&action).into_iter().flatten().map(Key::to_string).collect();
        keys.join(" ")
    }
}

impl Default for Keymap {
    fn default() -> Keymap {
        Keymap::new(&BTreeMap::new()).expect("the default keys are tested to be free of conflicts")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> Result<Keymap, Vec<KeymapError>> {
        Keymap::new(&pairs.iter().map(|(a, k)| ((*a).to_owned(), (*k).to_owned())).collect())
    }

    fn press(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }

    #[test]
    fn the_defaults_have_no_conflict_and_every_action_has_a_key() {
        let keymap = map(&[]).unwrap();
        for &action in Action::ALL {
            assert!(!keymap.key(action).is_empty(), "{action:?}");
        }
    }

    #[test]
    fn a_key_says_what_it_is_and_reads_back() {
        for text in ["x", "G", "ctrl-l", "alt-enter", "shift-tab", "f5", "space", "ctrl-alt-z", "+", "-", "pgdn", "ctrl--"] {
            assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
        }
        for text in ["", "ctrl-", "hyper-x", "f99", "entre"] {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
        assert_eq!("shift-g".parse::<Key>().unwrap().to_string(), "G");
        assert_eq!("Ctrl-X".parse::<Key>().unwrap().to_string(), "ctrl-x");
    }

    #[test]
    fn terminals_that_say_shift_and_those_that_do_not_are_understood() {
        let keymap = Keymap::default();
        assert_eq!(keymap.action(press(KeyCode::Char('G'), KeyModifiers::NONE)), Some(Action::Bottom));
        assert_eq!(keymap.action(press(KeyCode::Char('G'), KeyModifiers::SHIFT)), Some(Action::Bottom));
        assert_eq!(keymap.action(press(KeyCode::BackTab, KeyModifiers::SHIFT)), Some(Action::PreviousPane));
        assert_eq!(keymap.action(press(KeyCode::Char('c'), KeyModifiers::CONTROL)), Some(Action::Quit));
    }

    #[test]
    fn a_rebound_key_works_and_the_old_one_does_not() {
        let keymap = map(&[("kill", "ctrl-k")]).unwrap();
        assert_eq!(keymap.action(press(KeyCode::Char('k'), KeyModifiers::CONTROL)), Some(Action::Kill));
        assert_eq!(keymap.action(press(KeyCode::Char('x'), KeyModifiers::NONE)), None);
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let errors = map(&[("kill", "n"), ("fly", "z"), ("retry", "ctrl-"), ("quit", "")]).unwrap_err();
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let text = text.join("\n");
        for part in ["`dispatch` and `kill`", "`fly`", "`ctrl-`", "`quit` has no key"] {
            assert!(text.contains(part), "{part} missing in:\n{text}");
        }
    }
}
