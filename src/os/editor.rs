//! The operator's own editor, for prompts and plans. Whoever draws on the terminal has left it when it runs.

use super::guest::Guest;
use std::io::{self, Write};
use std::process::ExitStatus;

/// The editor could not be used; the text is as it was.
#[derive(Debug, thiserror::Error)]
pub enum EditorError {
    #[error("the text cannot be handed to the editor: {0}; is the temporary folder writable?")]
    File(#[from] io::Error),
    #[error("the editor `{editor}` cannot be started: {source}; set VISUAL or EDITOR")]
    Start { editor: String, source: io::Error },
    #[error("the editor `{editor}` ended with {status}; the text is unchanged")]
    Ended { editor: String, status: ExitStatus },
    #[error("the editor left something that is not UTF-8; the text is unchanged")]
    NotText,
}

/// An editor at work on a private file, which goes away with it.
#[derive(Debug)]
pub struct Editor {
    name: String,
    file: scratch::File,
    pub guest: Guest,
}

impl Editor {
    /// Starts the editor on `text`. It has the terminal: the console must have left it.
    ///
    /// # Errors
    /// No private file, or no shell.
    pub fn start(text: &str, directory: &std::path::Path) -> Result<Editor, EditorError> {
        // Markdown, so that editors colour it.
        Editor::start_as(text, directory, "md")
    }

    /// The same, with another ending of the file's name.
    ///
    /// # Errors
    /// As `start`.
    pub fn start_as(text: &str, directory: &std::path::Path, ending: &str) -> Result<Editor, EditorError> {
        let name = chosen(|name| std::env::var(name).ok());
        let mut file = scratch::File::create(directory, ending)?;
        file.write_all(text.as_bytes())?;
        // EDITOR may carry arguments (`code --wait`), so a shell splits it, as git and others do; the path is an argument.
        let path = file.path().to_string_lossy().into_owned();
        let argv = ["/bin/sh".to_owned(), "-c".to_owned(), format!("{name} \"$@\""), name.clone(), path];
        let guest = Guest::start(&argv).map_err(|source| EditorError::Start { editor: name.clone(), source })?;
        Ok(Editor { name, file, guest })
    }

    /// The text, once the editor has ended.
    ///
    /// # Errors
    /// The editor failed, which is how editors say "forget it", or its file is no text.
    pub fn finish(self, status: ExitStatus) -> Result<String, EditorError> {
        if !status.success() {
            return Err(EditorError::Ended { editor: self.name, status });
        }
        let bytes = std::fs::read(self.file.path())?;
        let mut text = String::from_utf8(bytes).map_err(|_| EditorError::NotText)?;
        // Editors end the last line; forms do not.
        if text.ends_with('\n') {
            text.pop();
        }
        Ok(text)
    }
}

/// `$VISUAL`, `$EDITOR`, else the first of nano and vi that is there.
fn chosen(variable: impl Fn(&str) -> Option<String>) -> String {
    let set = |name| variable(name).filter(|value: &String| !value.trim().is_empty());
    set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| {
        let path = variable("PATH").unwrap_or_default();
        let there = |program: &&str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
        ["nano", "vi"].iter().find(|program| there(program)).unwrap_or(&"vi").to_string()
    })
}

mod scratch {
    use std::fs::{self, OpenOptions};
    use std::io;
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::{Path, PathBuf};

    /// A file for the operator's eyes only, gone with the value.
    #[derive(Debug)]
    pub struct File {
        file: fs::File,
        path: PathBuf,
    }

    impl File {
        /// The name is new: somebody else's file of that name is an error.
        pub fn create(directory: &Path, ending: &str) -> io::Result<File> {
            let path = directory.join(format!("orc-{}.{ending}", uuid::Uuid::new_v4().simple()));
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            Ok(File { file, path })
        }

        pub fn path(&self) -> &Path {
            &self.path
        }
    }

    impl io::Write for File {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.file.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.file.flush()
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visual_before_editor_before_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("nano"), "").unwrap();
        let path = folder.path().to_str().unwrap();
        let of = |pairs: &[(&str, &str)]| chosen(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()));
        assert_eq!(of(&[("VISUAL", "code --wait"), ("EDITOR", "ed")]), "code --wait");
        assert_eq!(of(&[("VISUAL", " "), ("EDITOR", "ed")]), "ed");
        assert_eq!(of(&[("PATH", path)]), "nano");
        assert_eq!(of(&[("PATH", "/nowhere")]), "vi");
    }
}
