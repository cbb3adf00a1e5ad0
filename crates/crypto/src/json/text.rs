//! A string of JavaScript.

use std::cmp::Ordering;

/// UTF-16 units, most often a text. Kept as UTF-8, with a note of the places that are lone surrogates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct JsString {
    /// U+FFFD stands where a lone surrogate is, as in what an encoder to UTF-8 writes.
    text: String,
    /// Byte offset in `text` of each lone surrogate, and the unit.
    lone: Vec<(usize, u16)>,
}

impl JsString {
    /// From UTF-16 units.
    pub fn from_units(units: impl IntoIterator<Item = u16>) -> Self {
        let mut made = Self::default();
        for decoded in char::decode_utf16(units) {
            match decoded {
                Ok(c) => made.text.push(c),
                Err(lone) => made.push_lone(lone.unpaired_surrogate()),
            }
        }
        made
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        self.lone.is_empty().then_some(self.text.as_str())
    }

    /// The text with U+FFFD for what is none: what `TextEncoder` writes.
    pub fn to_text(&self) -> &str {
        &self.text
    }

    /// Its length as JavaScript counts.
    pub fn utf16_len(&self) -> usize {
        // a lone surrogate and its U+FFFD are one unit both
        self.text.chars().map(char::len_utf16).sum()
    }

    /// Characters, with lone surrogates as errors.
    pub(super) fn chars(&self) -> impl Iterator<Item = Result<char, u16>> {
        let mut lone = self.lone.iter().peekable();
        self.text.char_indices().map(move |(at, c)| match lone.next_if(|(place, _)| *place == at) {
            Some((_, unit)) => Err(*unit),
            None => Ok(c),
        })
    }

    pub(super) fn is_text(&self) -> bool {
        self.lone.is_empty()
    }

    pub(super) fn push(&mut self, c: char) {
        self.text.push(c);
    }

    pub(super) fn push_str(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn push_lone(&mut self, unit: u16) {
        self.lone.push((self.text.len(), unit));
        self.text.push(char::REPLACEMENT_CHARACTER);
    }

    fn units(&self) -> impl Iterator<Item = u16> {
        self.chars().flat_map(|c| {
            let mut pair = [0; 2];
            let len = match c {
                Ok(c) => c.encode_utf16(&mut pair).len(),
                Err(unit) => {
                    pair[0] = unit;
                    1
                }
            };
            pair.into_iter().take(len)
        })
    }
}

impl From<&str> for JsString {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), lone: Vec::new() }
    }
}

impl Ord for JsString {
    /// By UTF-16 unit, as JavaScript compares.
    fn cmp(&self, other: &Self) -> Ordering {
        if self.text.is_ascii() && other.text.is_ascii() {
            return self.text.cmp(&other.text);
        }
        self.units().cmp(other.units())
    }
}

impl PartialOrd for JsString {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
