//! What a job delivers, as it is listed and opened: the form of a file is told by its first bytes and its name.

use super::time::Timestamp;
use super::words::words;
use serde::{Deserialize, Serialize};

words!(
    /// How a deliverable is shown.
    FileForm {
        Markdown = "markdown",
        Text = "text",
        Diff = "diff",
        Image = "image",
        /// Neither text nor an image: told by size and type.
        Binary = "binary",
        /// It was declared and is not there.
        Missing = "missing",
        /// It is not read: it lies outside of the job's folder, say.
        Refused = "refused",
    }
);

impl FileForm {
    /// True for what can be read as text.
    pub fn is_text(self) -> bool {
        matches!(self, FileForm::Markdown | FileForm::Text | FileForm::Diff)
    }
}

/// Something that a job delivers: a declared file, one below a declared folder, or what its branch changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deliverable {
    /// The path below the job's folder; of a branch its name.
    pub name: String,
    pub form: FileForm,
    /// `None` where that is not known before it is read.
    pub bytes: Option<u64>,
    pub changed_at: Option<Timestamp>,
    /// Why it is missing or not read; what else is to be said of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// An image, as far as its head tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    pub format: String,
    /// In pixels.
    pub width: u32,
    pub height: u32,
}

/// How many bytes of a file's start are enough to tell its form. Cameras put whole previews before an image's size.
pub const HEAD: usize = 256 << 10;

/// The form of a file by its name and its first bytes.
pub fn form_of(name: &str, head: &[u8]) -> FileForm {
    if picture(head).is_some() {
        return FileForm::Image;
    }
    // A character may be cut in two at the end.
    let text = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(e) => e.error_len().is_none(),
    };
    if !text || head.contains(&0) {
        return FileForm::Binary;
    }
    let ending = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "md" | "markdown" => FileForm::Markdown,
        "diff" | "patch" => FileForm::Diff,
        _ if head.starts_with(b"diff --git ") => FileForm::Diff,
        _ => FileForm::Text,
    }
}

/// What sort of data that is, for what can only be told of.
pub fn kind_of(head: &[u8]) -> &'static str {
    const KINDS: &[(&[u8], &str)] = &[
        (b"%PDF-", "PDF document"),
        (b"PK\x03\x04", "zip archive or office document"),
        (b"\x1f\x8b", "gzip archive"),
        (b"\x28\xb5\x2f\xfd", "zstd archive"),
        (b"\xfd7zXZ\0", "xz archive"),
        (b"BZh", "bzip2 archive"),
        (b"7z\xbc\xaf\x27\x1c", "7z archive"),
        (b"\x7fELF", "program"),
        (b"SQLite format 3\0", "SQLite database"),
        (b"OggS", "Ogg audio or video"),
        (b"ID3", "MP3 audio"),
        (b"PAR1", "Parquet table"),
    ];
    match KINDS.iter().find(|(magic, _)| head.starts_with(magic)) {
        Some((_, kind)) => kind,
        None if head.get(4..8) == Some(b"ftyp") => "MP4 audio or video",
        None if head.is_empty() => "empty file",
        None => "data",
    }
}

/// The format and size of an image, from its head; `None` for what is none of PNG, JPEG, GIF, WebP, or is broken.
pub fn picture(head: &[u8]) -> Option<Picture> {
    let found = |format: &str, width: u32, height: u32| Some(Picture { format: format.to_owned(), width, height });
    if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        return found("PNG", big(head, 16, 4)?, big(head, 20, 4)?);
    }
    if head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a") {
        return found("GIF", little(head, 6, 2)?, little(head, 8, 2)?);
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        let (width, height) = webp(head)?;
        return found("WebP", width, height);
    }
    if head.starts_with(b"\xff\xd8\xff") {
        let (width, height) = jpeg(head)?;
        return found("JPEG", width, height);
    }
    None
}

fn big(bytes: &[u8], at: usize, len: usize) -> Option<u32> {
    Some(bytes.get(at..at.checked_add(len)?)?.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
}

fn little(bytes: &[u8], at: usize, len: usize) -> Option<u32> {
    Some(bytes.get(at..at.checked_add(len)?)?.iter().rev().fold(0, |n, b| n << 8 | u32::from(*b)))
}

fn webp(head: &[u8]) -> Option<(u32, u32)> {
    match head.get(12..16)? {
        b"VP8X" => Some((little(head, 24, 3)? + 1, little(head, 27, 3)? + 1)),
        b"VP8L" => {
            let bits = little(head, 21, 4)?;
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8 " => Some((little(head, 26, 2)? & 0x3fff, little(head, 28, 2)? & 0x3fff)),
        _ => None,
    }
}

/// Walks the segments up to the one that holds the size.
fn jpeg(head: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        if *head.get(at)? != 0xff {
            return None;
        }
        match *head.get(at + 1)? {
            // Padding, and marks without content.
            0xff => at += 1,
            0x01 | 0xd0..=0xd8 => at += 2,
            // Frames of all sorts; c4, c8 and cc are tables.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => return Some((big(head, at + 7, 2)?, big(head, at + 5, 2)?)),
            // The image itself, or its end, and no size before it.
            0xd9 | 0xda => return None,
            _ => at += 2 + big(head, at + 2, 2)? as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn images_tell_their_size() {
        let png = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &640u32.to_be_bytes(), &480u32.to_be_bytes()].concat();
        let gif = b"GIF89a\x40\x01\xc8\x00".to_vec();
        let jpeg = b"\xff\xd8\xff\xe0\x00\x04JF\xff\xff\xc4\x00\x03x\xff\xc2\x00\x0b\x08\x04\x38\x07\x80\x03".to_vec();
        let lossy = [b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a".as_slice(), &[0x20, 0x03, 0x58, 0x02]].concat();
        let extended = [b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0".as_slice(), &[0x1f, 3, 0, 0x57, 2, 0]].concat();
        let bits: u32 = 799 | 599 << 14;
        let lossless = [b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f".as_slice(), &bits.to_le_bytes()].concat();
        for (bytes, format, width, height) in [
            (png, "PNG", 640, 480),
            (gif, "GIF", 320, 200),
            (jpeg, "JPEG", 1920, 1080),
            (lossy, "WebP", 800, 600),
            (extended, "WebP", 800, 600),
            (lossless, "WebP", 800, 600),
        ] {
            assert_eq!(picture(&bytes), Some(Picture { format: format.into(), width, height }));
            assert_eq!(form_of("shot", &bytes), FileForm::Image);
            assert_eq!(picture(&bytes[..8.min(bytes.len())]), None, "{format} cut");
        }
    }

    #[test]
    fn a_form_is_told_by_content_before_name() {
        for (name, bytes, form) in [
            ("a.md", "# x".as_bytes(), FileForm::Markdown),
            ("A.PATCH", b"--- a", FileForm::Diff),
            ("out", b"diff --git a/x b/x\n", FileForm::Diff),
            ("a.csv", b"a,b", FileForm::Text),
            ("a.md", b"a\0b", FileForm::Binary),
            ("a.txt", &[0xff, 0xfe, 0x41], FileForm::Binary),
            ("a.txt", &"é".as_bytes()[..1], FileForm::Text),
            ("empty", b"", FileForm::Text),
        ] {
            assert_eq!(form_of(name, bytes), form, "{name}");
        }
        assert_eq!(
            [kind_of(b"%PDF-1.7"), kind_of(b"\0\0\0\x20ftypisom"), kind_of(b"\x01")],
            ["PDF document", "MP4 audio or video", "data"]
        );
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(tail in proptest::collection::vec(any::<u8>(), 0..64), magic in 0usize..5) {
            let start: [&[u8]; 5] = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8 ", b"GIF89a"];
            let bytes = [start[magic], &tail].concat();
            form_of("x", &bytes);
            kind_of(&bytes);
        }
    }
}
