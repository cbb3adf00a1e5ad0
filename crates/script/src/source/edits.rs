//! Changes of a text that leave every line and, where nothing is put in, every column where it was.

use std::fmt::Write as _;

/// Replacements of byte ranges, applied together.
#[derive(Default)]
pub(crate) struct Edits(Vec<Edit>);

struct Edit {
    start: u32,
    end: u32,
    text: String,
    /// Keep the width of what goes by filling up with spaces?
    fill: bool,
}

impl Edits {
    /// Turns the range to spaces.
    pub fn blank(&mut self, start: u32, end: u32) {
        self.over(start, end, "");
    }

    /// Turns the range to spaces with `text` at its beginning, which has to be shorter.
    pub fn over(&mut self, start: u32, end: u32, text: &str) {
        if start < end {
            self.0.push(Edit { start, end, text: text.to_owned(), fill: true });
        }
    }

    /// Replaces the range; what follows on the line moves.
    pub fn replace(&mut self, start: u32, end: u32, text: impl Into<String>) {
        self.0.push(Edit { start, end, text: text.into(), fill: false });
    }

    /// The text with its changes. Of ranges that overlap the outer one counts.
    pub fn apply(mut self, source: &str) -> String {
        // what is put in comes before what is replaced; a longer range at the same place is the outer one
        self.0.sort_by_key(|edit| (edit.start, edit.start != edit.end, std::cmp::Reverse(edit.end)));
        let mut out = String::with_capacity(source.len());
        let mut at = 0;
        for edit in &self.0 {
            let (start, end) = (edit.start as usize, edit.end as usize);
            if start < at {
                continue;
            }
            out.push_str(source.get(at..start).unwrap_or_default());
            edit.write(source.get(start..end).unwrap_or_default(), &mut out);
            at = end;
        }
        out.push_str(source.get(at..).unwrap_or_default());
        out
    }
}

impl Edit {
    fn write(&self, gone: &str, out: &mut String) {
        out.push_str(&self.text);
        let written = if self.fill { self.text.len() } else { usize::MAX };
        let mut column = 0;
        for c in gone.chars() {
            if matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}') {
                out.push(c);
                continue;
            }
            for _ in 0..c.len_utf16() {
                if column >= written {
                    out.push(' ');
                }
                column += 1;
            }
        }
    }
}

/// Line and column of a byte, both from 1, the column in UTF-16 units.
pub(crate) fn place(source: &str, at: u32) -> (u32, u32) {
    let (mut line, mut column) = (1, 1);
    let mut before = '\0';
    for c in source.get(..at as usize).unwrap_or(source).chars() {
        match c {
            // the second half of a line break
            '\n' if before == '\r' => column = 1,
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => (line, column) = (line + 1, 1),
            c => column += u32::try_from(c.len_utf16()).unwrap_or(1),
        }
        before = c;
    }
    (line, column)
}

/// A text as a literal of JavaScript.
pub(crate) fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if (c as u32) < 0x20 || matches!(c, '\u{7f}' | '\u{2028}' | '\u{2029}') => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_blanked_keeps_its_lines_and_its_width() {
        let source = "a\u{1f600}b\nc: T\r\nd";
        let mut edits = Edits::default();
        edits.blank(1, 5);
        edits.over(8, 11, ";");
        edits.blank(9, 10);
        assert_eq!(edits.apply(source), "a  b\nc;  \r\nd");
    }

    #[test]
    fn places_count_as_editors_do() {
        let source = "a\r\n\u{1f600}b\nc";
        let b = u32::try_from(source.find('b').unwrap()).unwrap();
        assert_eq!(place(source, 0), (1, 1));
        assert_eq!(place(source, b), (2, 3));
        assert_eq!(place(source, u32::MAX), (3, 2));
    }

    #[test]
    fn literals_hold_anything() {
        assert_eq!(literal("a\"b\\\n\u{2028}é"), "\"a\\\"b\\\\\\u000a\\u2028é\"");
    }
}
