//! The operator's own clipboard, through the terminal (OSC 52): it works over SSH, where no other way does.

use std::path::Path;
use std::{fs, io};
use termina::escape::osc::{Osc, Selection};

/// What terminals take at most in one OSC 52, in bytes of text: xterm's and tmux's buffers end near 75,000 bytes of base64.
pub const MOST: usize = 56_000;

/// The bytes that put `text` on the clipboard, or `None` if it is too long for a terminal to take. Nobody answers: all
/// that can be said is "sent".
///
/// tmux takes the plain form if its `set-clipboard` is `on`, and hands the wrapped form on if its `allow-passthrough` is;
/// both say the same, so inside tmux both are sent.
pub fn osc52(text: &str, in_tmux: bool) -> Option<Vec<u8>> {
    if text.len() > MOST {
        return None;
    }
    let plain = Osc::SetSelection(Selection::CLIPBOARD, text).to_string();
    let wrapped = in_tmux.then(|| format!("\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b")));
    Some([plain, wrapped.unwrap_or_default()].concat().into_bytes())
}

/// Keeps the newest copy in a file as well, for terminals that drop OSC 52. Readable by the operator alone.
///
/// # Errors
/// The file cannot be written.
pub fn keep(text: &str, file: &Path) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    // A file that was there may have other permissions, or be a link to somewhere.
    match fs::remove_file(file) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_terminal_receives_the_text() {
        #[derive(Default)]
        struct Clipboard(Vec<u8>);
        impl vt100::Callbacks for Clipboard {
            fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, ty: &[u8], data: &[u8]) {
                assert_eq!(ty, b"c");
                self.0 = data.to_vec();
            }
        }
        let mut terminal = vt100::Parser::new_with_callbacks(4.try_into().unwrap(), 20.try_into().unwrap(), 0, Clipboard::default());
        terminal.process(&osc52("#12 done", false).unwrap());
        assert_eq!(terminal.callbacks().0, b"IzEyIGRvbmU=");
    }

    #[test]
    fn inside_tmux_it_is_sent_plain_and_wrapped() {
        let bytes = String::from_utf8(osc52("x", true).unwrap()).unwrap();
        assert_eq!(bytes, "\x1b]52;c;eA==\x1b\\\x1bPtmux;\x1b\x1b]52;c;eA==\x1b\x1b\\\x1b\\");
    }

    #[test]
    fn what_a_terminal_would_cut_is_not_sent() {
        assert!(osc52(&"x".repeat(MOST), false).is_some_and(|b| b.len() < 75_000));
        assert_eq!(osc52(&"x".repeat(MOST + 1), false), None);
    }

    #[test]
    fn the_kept_copy_is_private_and_replaces_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clipboard");
        fs::write(&file, "a longer old text").unwrap();
        keep("new", &file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
