//! How a program's arguments are split.

/// Most arguments of a program.
pub const ARGUMENTS_MAX: usize = 256;

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
