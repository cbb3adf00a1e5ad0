//! Names of files: what is refused, what is made of the rest, and what a name says about a file.

use unicode_normalization::UnicodeNormalization;

/// Most bytes of a file's name.
pub const NAME_BYTES_MAX: usize = 255;
/// Most bytes of a stored name's stem; the time and the suffix come after it.
const STEM_BYTES_MAX: usize = 150;
/// Most bytes of a suffix that is kept.
const SUFFIX_BYTES_MAX: usize = 16;
/// Names that some systems take for devices.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is left of it.
    #[error("Invalid filename")]
    Empty,
    /// It begins with a dot.
    #[error("Invalid filename: hidden files are not allowed")]
    Hidden,
    /// Beyond [`NAME_BYTES_MAX`].
    #[error("Invalid filename: it is longer than 255 bytes")]
    Long,
    /// A device on some systems.
    #[error("Invalid filename: the name is reserved")]
    Reserved,
    /// One of its suffixes is blocked.
    #[error("Files of this type are not allowed")]
    Blocked,
}

/// Suffixes that are refused, in every disguise that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocked(Vec<String>);

impl Blocked {
    /// The document's seven.
    pub const DOCUMENTED: [&str; 7] = ["exe", "com", "bat", "cmd", "vbs", "jar", "msi"];

    /// Of suffixes without their dot.
    pub fn new<S: AsRef<str>>(suffixes: &[S]) -> Self {
        Self(suffixes.iter().map(|s| fold(s.as_ref().trim_start_matches('.'))).collect())
    }

    /// Has the name such a suffix, at its end or further in?
    ///
    /// Looked at are also the forms that the name takes when somebody decodes percent signs, width variants, or drops
    /// what some systems drop at the end.
    pub fn stops(&self, name: &str) -> bool {
        let mut text = fold(name);
        // each round undoes one layer; a name of 255 bytes cannot hold more that matter
        for _ in 0..8 {
            let mut parts = text.split(['.', ':', ';', '/', '\\', '\0']);
            parts.next();
            if parts.any(|part| self.0.iter().any(|blocked| *blocked == trim(part))) {
                return true;
            }
            let next = fold(&percent_decoded(&text));
            if next == text {
                return false;
            }
            text = next;
        }
        true
    }
}

fn trim(part: &str) -> String {
    part.chars().filter(|c| !c.is_whitespace() && !is_unseen(*c)).collect()
}

fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|h| u8::from_str_radix(std::str::from_utf8(h).ok()?, 16).ok());
        match hex.filter(|_| *first == b'%') {
            Some(byte) => {
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Characters that show nothing, or turn around what is shown.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The last part of what a client calls a file, without what cannot be seen, in one form of Unicode.
///
/// # Errors
/// When it is no name for a file, or a blocked one.
pub fn original_name(given: &str, blocked: &Blocked) -> Result<String, NameError> {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let seen: String = last.chars().filter(|c| !is_unseen(*c)).nfc().collect();
    let name = seen.trim().trim_end_matches(['.', ' ']);
    check_part(name)?;
    if name.starts_with('.') {
        return Err(NameError::Hidden);
    }
    if blocked.stops(last) || blocked.stops(name) { Err(NameError::Blocked) } else { Ok(name.to_owned()) }
}

/// One part of a path, as every system can keep it.
pub(crate) fn check_part(name: &str) -> Result<(), NameError> {
    if name.is_empty() || name.chars().all(|c| c == '.' || c == ' ') {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::Long);
    }
    let stem = fold(name.split('.').next().unwrap_or_default());
    let stem = stem.trim();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix)
            .is_some_and(|n| n.chars().count() == 1 && n.chars().all(|c| c.is_numeric() && c != '0'))
    };
    if DEVICES.contains(&stem) || numbered("com") || numbered("lpt") { Err(NameError::Reserved) } else { Ok(()) }
}

/// A name that may stand in addresses, in pages and on the disk: letters, digits, `.`, `_`, `-`; everything else
/// becomes `_`.
pub fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
    name.chars().map(plain).collect()
}

/// The stem and the suffix with its dot, cut to what a stored name has room for.
fn split(name: &str) -> (&str, &str) {
    let (stem, suffix) = match name.rfind('.').filter(|i| *i > 0) {
        Some(dot) if name.len() - dot <= SUFFIX_BYTES_MAX => name.split_at(dot),
        _ => (name, ""),
    };
    let mut end = stem.len().min(STEM_BYTES_MAX);
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    (stem.get(..end).unwrap_or_default(), suffix)
}

/// The name a file is kept and asked for by: `document_1640995200_5f3a9c21.pdf`. `chance` keeps those of one second
/// apart and from being guessed.
pub fn stored_name(original: &str, seconds: i64, chance: u32) -> String {
    let plain = plain(original);
    let (stem, suffix) = split(&plain);
    format!("{stem}_{seconds}_{chance:08x}{suffix}")
}

/// Media type by suffix.
pub fn media_type(name: &str) -> &'static str {
    let suffix = name.rsplit_once('.').map(|(_, suffix)| suffix.to_ascii_lowercase()).unwrap_or_default();
    let found = MEDIA_TYPES.iter().find(|(known, _)| *known == suffix);
    found.map_or("application/octet-stream", |(_, kind)| kind)
}

const MEDIA_TYPES: [(&str, &str); 41] = [
    ("txt", "text/plain"),
    ("log", "text/plain"),
    ("md", "text/markdown"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("css", "text/css"),
    ("js", "text/javascript"),
    ("mjs", "text/javascript"),
    ("ts", "text/plain"),
    ("py", "text/x-python"),
    ("sh", "application/x-sh"),
    ("json", "application/json"),
    ("xml", "application/xml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("toml", "application/toml"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
    ("gz", "application/gzip"),
    ("tar", "application/x-tar"),
    ("7z", "application/x-7z-compressed"),
    ("apk", "application/vnd.android.package-archive"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("svg", "image/svg+xml"),
    ("ico", "image/x-icon"),
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
    ("wasm", "application/wasm"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocked() -> Blocked {
        Blocked::new(&Blocked::DOCUMENTED)
    }

    #[test]
    fn blocked_suffixes_in_every_disguise() {
        for name in [
            "virus.exe",
            "virus.EXE",
            "a.exe.",
            "a.exe ",
            "a.exe. . ",
            "a.exe%20",
            "a%2Eexe",
            "a%252eexe",
            "a.exe.txt",
            "a.tar.com.gz",
            "a.exe\u{200b}",
            "a.e\u{200b}xe",
            "a.ｅｘｅ",
            "a．exe",
            "a.exe::$DATA",
            "a.exe;.jpg",
            "a.exe\0.jpg",
            "a.exe%00.jpg",
            "txt\u{202e}exe.exe",
            "setup.MSI",
            "x.Jar",
            "run.bat",
            "run.CMD",
            "m.vbs",
            "evil\\a.exe",
            "dir/a.com",
        ] {
            assert_eq!(original_name(name, &blocked()), Err(NameError::Blocked), "{name:?}");
        }
        for name in [
            "report.pdf",
            "main.py",
            "script.sh",
            "index.js",
            "commands.txt",
            "example_com.txt",
            "exe",
            "a.exec",
            "a.execute.txt",
            "com.txt",
            "jar.json",
            "100%.txt",
            "50%25.txt",
            "a.tar.gz",
            "photo.jpeg",
            "msi-notes.md",
        ] {
            assert!(original_name(name, &blocked()).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn names_that_are_none() {
        let check = |name: &str| original_name(name, &blocked()).unwrap_err();
        for name in ["", " ", ".", "..", "...", "a/", "\\", "\u{202e}", "\r\n"] {
            assert_eq!(check(name), NameError::Empty, "{name:?}");
        }
        for name in [".hidden", ".file_metadata.json", "dir/.env", "\u{200b}.env"] {
            assert_eq!(check(name), NameError::Hidden, "{name:?}");
        }
        for name in ["con", "CON.txt", "nul", "aux.tar.gz", "COM1", "lpt9.txt", "com¹.txt"] {
            assert_eq!(check(name), NameError::Reserved, "{name:?}");
        }
        assert_eq!(check(&"a".repeat(256)), NameError::Long);
    }

    #[test]
    fn names_are_made_fit() {
        for (given, kept) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\me\\a b.txt", "a b.txt"),
            ("cafe\u{301}.txt", "café.txt"),
            ("a\r\nSet-Cookie: x.txt", "aSet-Cookie: x.txt"),
            ("  spaced.txt. ", "spaced.txt"),
        ] {
            assert_eq!(original_name(given, &blocked()).as_deref(), Ok(kept), "{given:?}");
        }
        assert_eq!(stored_name("document.pdf", 1_640_995_200, 0xab), "document_1640995200_000000ab.pdf");
        assert_eq!(stored_name("x'),alert(1)//<img>.png", 1, 2), "x___alert_1____img__1_00000002.png");
        assert_eq!(stored_name("noext", 1, 2), "noext_1_00000002");
        assert_eq!(stored_name("a.averylongsuffixindeed", 1, 2), "a.averylongsuffixindeed_1_00000002");
        assert_eq!(media_type("A.PDF"), "application/pdf");
        assert_eq!(media_type("a"), "application/octet-stream");
    }

    proptest! {
        #[test]
        fn stored_names_are_harmless(name in "\\PC{0,300}", seconds in 0_i64..4_000_000_000, chance: u32) {
            if let Ok(original) = original_name(&name, &blocked()) {
                prop_assert!(original.len() <= NAME_BYTES_MAX && !original.starts_with('.'));
                let stored = stored_name(&original, seconds, chance);
                prop_assert!(stored.len() <= NAME_BYTES_MAX);
                prop_assert!(!stored.contains(['/', '\\', '\'', '"', '<', '>', '&', '\0', ' ', '%', ':', ';']));
                prop_assert!(!blocked().stops(&stored), "{stored}");
            }
        }
    }
}
