//! Programs: what interprets a file, which file of a project is the main one, how arguments are split.

use serde::{Deserialize, Serialize};

/// Most arguments of a program.
pub const ARGUMENTS_MAX: usize = 256;

/// What a program is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Run by `python3`.
    Python,
    /// Run by `bash`.
    Shell,
    /// Run by `node`.
    JavaScript,
    /// Run by `perl`.
    Perl,
    /// Run by `ruby`.
    Ruby,
    /// A program of the machine's.
    Executable,
    /// Nothing that could be run.
    Unknown,
}

impl Language {
    /// All.
    pub const ALL: [Self; 7] =
        [Self::Python, Self::Shell, Self::JavaScript, Self::Perl, Self::Ruby, Self::Executable, Self::Unknown];

    /// The name in answers: `python`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Shell => "shell",
            Self::JavaScript => "javascript",
            Self::Perl => "perl",
            Self::Ruby => "ruby",
            Self::Executable => "executable",
            Self::Unknown => "unknown",
        }
    }

    /// The language of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|l| l.name() == name)
    }

    /// Who interprets it; `None`: it runs itself, or not at all.
    pub const fn interpreter(self) -> Option<&'static str> {
        match self {
            Self::Python => Some("python3"),
            Self::Shell => Some("bash"),
            Self::JavaScript => Some("node"),
            Self::Perl => Some("perl"),
            Self::Ruby => Some("ruby"),
            Self::Executable | Self::Unknown => None,
        }
    }

    /// Can it be run?
    pub const fn runs(self) -> bool {
        !matches!(self, Self::Unknown)
    }
}

/// The language of a file, by its name's ending, else by its first bytes (256 are enough): the interpreter that they
/// name, or the mark of a program.
pub fn language(name: &str, head: &[u8]) -> Language {
    let ending =
        name.rsplit('/').next().and_then(|n| n.rsplit_once('.')).map(|(_, ending)| ending.to_ascii_lowercase());
    let by_ending = match ending.as_deref() {
        Some("py") => Some(Language::Python),
        Some("sh" | "bash") => Some(Language::Shell),
        Some("js" | "mjs" | "cjs") => Some(Language::JavaScript),
        Some("pl" | "pm") => Some(Language::Perl),
        Some("rb") => Some(Language::Ruby),
        _ => None,
    };
    by_ending.unwrap_or_else(|| by_head(head))
}

fn by_head(head: &[u8]) -> Language {
    if head.starts_with(b"\x7fELF") {
        return Language::Executable;
    }
    let Some(line) = head.strip_prefix(b"#!") else { return Language::Unknown };
    let line = line.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace().map(|word| word.rsplit('/').next().unwrap_or(word));
    let mut name = words.next().unwrap_or_default();
    if name == "env" {
        name = words.find(|word| !word.starts_with('-') && !word.contains('=')).unwrap_or_default();
    }
    // python3.11 is python
    match name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "python" => Language::Python,
        "bash" | "sh" | "dash" => Language::Shell,
        "node" | "nodejs" => Language::JavaScript,
        "perl" => Language::Perl,
        "ruby" => Language::Ruby,
        _ => Language::Unknown,
    }
}

/// Names that a main file has, best first.
const MAIN_STEMS: [&str; 7] = ["main", "app", "__main__", "index", "run", "start", "server"];

/// The main file among a project's relative paths with their languages: one with a usual name, the nearest to the
/// top first; else the only one that runs at the top; else none, and the caller asks.
pub fn main_file<'p>(files: impl IntoIterator<Item = (&'p str, Language)>) -> Option<&'p str> {
    let running: Vec<&str> = files.into_iter().filter(|(_, l)| l.runs()).map(|(path, _)| path).collect();
    let depth = |path: &str| path.matches('/').count();
    let rank = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem).to_ascii_lowercase();
        MAIN_STEMS.iter().position(|main| *main == stem)
    };
    let named = running.iter().filter_map(|path| Some((depth(path), rank(path)?, *path)));
    // ties are broken by name, so that the answer does not depend on the archive's order
    if let Some((_, _, path)) = named.min() {
        return Some(path);
    }
    let top = running.iter().map(|path| depth(path)).min()?;
    let mut at_top = running.iter().filter(|path| depth(path) == top);
    match (at_top.next(), at_top.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// What is wrong with arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// A quote is not closed.
    #[error("a quote is not closed")]
    Quote,
    /// More than [`ARGUMENTS_MAX`].
    #[error("more than {ARGUMENTS_MAX} arguments")]
    Many,
}

/// Splits a text into arguments by the quoting rules of a shell, and nothing else of a shell: `;`, `$(…)` and line
/// breaks are characters.
///
/// # Errors
/// An open quote; too many.
pub fn split(text: &str) -> Result<Vec<String>, ArgumentError> {
    // a `#` that begins a word would hide the rest; here it is a character too
    let mut arguments = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            c if c.is_ascii_whitespace() => arguments.extend(word.take()),
            '\\' => word.get_or_insert_default().push(rest.next().ok_or(ArgumentError::Quote)?),
            '\'' => quoted(&mut rest, '\'', word.get_or_insert_default())?,
            '"' => quoted(&mut rest, '"', word.get_or_insert_default())?,
            c => word.get_or_insert_default().push(c),
        }
    }
    arguments.extend(word);
    if arguments.len() > ARGUMENTS_MAX { Err(ArgumentError::Many) } else { Ok(arguments) }
}

fn quoted(rest: &mut std::str::Chars<'_>, quote: char, word: &mut String) -> Result<(), ArgumentError> {
    loop {
        match rest.next().ok_or(ArgumentError::Quote)? {
            c if c == quote => return Ok(()),
            '\\' if quote == '"' => match rest.next().ok_or(ArgumentError::Quote)? {
                c @ ('"' | '\\' | '$' | '`') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn languages() {
        for (name, head, expected) in [
            ("a.py", &b""[..], Language::Python),
            ("A.PY", b"", Language::Python),
            ("dir.js/a.SH", b"", Language::Shell),
            ("tool", b"#!/usr/bin/env -S python3.11 -u\n", Language::Python),
            ("tool", b"#! /bin/sh -e\n", Language::Shell),
            ("tool", b"#!/usr/bin/node\n", Language::JavaScript),
            ("tool.txt", b"\x7fELF\x02", Language::Executable),
            ("dir.py/tool", b"plain", Language::Unknown),
            ("notes.txt", b"#!", Language::Unknown),
            ("a.pm", b"", Language::Perl),
            ("a.rb", b"", Language::Ruby),
        ] {
            assert_eq!(language(name, head), expected, "{name}");
        }
        for language in Language::ALL {
            assert_eq!(Language::parse(language.name()), Some(language));
        }
    }

    #[test]
    fn main_files() {
        let main = |paths: &[&'static str]| main_file(paths.iter().map(|p| (*p, language(p, b""))));
        assert_eq!(main(&["utils.py", "app.py", "main.py", "config.json"]), Some("main.py"));
        assert_eq!(main(&["src/main.py", "index.js"]), Some("index.js"));
        assert_eq!(main(&["p/src/main.py", "p/app.py"]), Some("p/app.py"));
        assert_eq!(main(&["tool.py", "README"]), Some("tool.py"));
        assert_eq!(main(&["a.py", "b.py"]), None);
        assert_eq!(main(&["main.txt"]), None);
        assert_eq!(main(&[]), None);
    }

    #[test]
    fn arguments() {
        assert_eq!(split("--input data.txt  -o 'a b'").unwrap(), ["--input", "data.txt", "-o", "a b"]);
        assert_eq!(split("; id $(id) \n`id` #x").unwrap(), [";", "id", "$(id)", "`id`", "#x"]);
        assert_eq!(split(r#"a\ b "c\"d" '' "x\y""#).unwrap(), ["a b", "c\"d", "", "x\\y"]);
        assert_eq!(split("'open"), Err(ArgumentError::Quote));
        assert_eq!(split(&"a ".repeat(ARGUMENTS_MAX + 1)), Err(ArgumentError::Many));
        assert_eq!(split("").unwrap(), <[String; 0]>::default());
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_back(words in prop::collection::vec("[ -~é\n]{0,12}", 0..8)) {
            prop_assert_eq!(split(&shell_words::join(&words)).unwrap(), words);
        }
    }
}
