//! From JSON text (RFC 8259) to a value, with the meaning that `JSON.parse` gives it.

use super::{JsObject, JsString, JsValue};

/// Arrays and objects within each other.
pub const DEPTH_MAX: usize = 128;

/// What to do with a key that an object has twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// An error: two readers could see two values.
    Refused,
    /// As in JavaScript.
    LastWins,
}

/// The text is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON.
    #[error("is not JSON: {what} at byte {at}")]
    Syntax {
        /// Where.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// More than [`DEPTH_MAX`] within each other.
    #[error("is nested more than {DEPTH_MAX} deep")]
    Depth,
    /// An object has a key twice.
    #[error("has the key {0:?} twice")]
    Duplicate(String),
}

/// Reads a whole text.
pub fn parse(text: &str, duplicates: Duplicates) -> Result<JsValue, JsonError> {
    let mut parser = Parser { text, at: 0, depth: 0, duplicates };
    parser.space();
    let value = parser.value()?;
    parser.space();
    if parser.at == text.len() { Ok(value) } else { Err(parser.wrong("something after the end")) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    duplicates: Duplicates,
}

impl Parser<'_> {
    fn wrong(&self, what: &'static str) -> JsonError {
        JsonError::Syntax { at: self.at, what }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn word(&mut self, word: &str, value: JsValue) -> Result<JsValue, JsonError> {
        // the place is always between characters: only ASCII and whole strings are passed over
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.wrong("a word that is none of true, false and null"))
    }

    fn value(&mut self) -> Result<JsValue, JsonError> {
        match self.peek() {
            Some(b'n') => self.word("null", JsValue::Null),
            Some(b't') => self.word("true", JsValue::Bool(true)),
            Some(b'f') => self.word("false", JsValue::Bool(false)),
            Some(b'"') => self.string().map(JsValue::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'[') => self.nested(Self::array),
            Some(b'{') => self.nested(Self::object),
            _ => Err(self.wrong("no value")),
        }
    }

    fn nested(&mut self, inner: fn(&mut Self) -> Result<JsValue, JsonError>) -> Result<JsValue, JsonError> {
        if self.depth == DEPTH_MAX {
            return Err(JsonError::Depth);
        }
        self.depth += 1;
        self.at += 1;
        self.space();
        let value = inner(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<JsValue, JsonError> {
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(JsValue::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            if self.take(b']') {
                return Ok(JsValue::Array(items));
            }
            self.comma()?;
        }
    }

    fn object(&mut self) -> Result<JsValue, JsonError> {
        let mut members = Vec::new();
        if self.take(b'}') {
            return Ok(JsValue::Object(JsObject::default()));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.wrong("no key"));
            }
            let key = self.string()?;
            self.space();
            if !self.take(b':') {
                return Err(self.wrong("no colon"));
            }
            self.space();
            members.push((key, self.value()?));
            self.space();
            if self.take(b'}') {
                break;
            }
            self.comma()?;
        }
        let count = members.len();
        let keys: Vec<JsString> = match self.duplicates {
            Duplicates::Refused => members.iter().map(|(key, _)| key.clone()).collect(),
            Duplicates::LastWins => Vec::new(),
        };
        let object = JsObject::new(members);
        if self.duplicates == Duplicates::Refused && object.len() < count {
            return Err(JsonError::Duplicate(twice(keys)));
        }
        Ok(JsValue::Object(object))
    }

    fn comma(&mut self) -> Result<(), JsonError> {
        if !self.take(b',') {
            return Err(self.wrong("neither a comma nor the end"));
        }
        self.space();
        Ok(())
    }

    fn number(&mut self) -> Result<JsValue, JsonError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        // the grammar above is a part of what `f64` reads; too large a number is infinite in both languages
        self.text[start..self.at].parse().map(JsValue::Number).map_err(|_| self.wrong("no number"))
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(self.wrong("no digit")) }
    }

    fn string(&mut self) -> Result<JsString, JsonError> {
        self.at += 1;
        let mut made = JsString::default();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.bytes().position(|b| b == b'"' || b == b'\\' || b < 0x20).unwrap_or(rest.len());
            made.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(made);
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut made)?;
                }
                Some(_) => return Err(self.wrong("a control character in a string")),
                None => return Err(self.wrong("a string without end")),
            }
        }
    }

    fn escape(&mut self, made: &mut JsString) -> Result<(), JsonError> {
        let plain = match self.peek() {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode(made);
            }
            _ => return Err(self.wrong("an unknown escape")),
        };
        self.at += 1;
        made.push(plain);
        Ok(())
    }

    fn unicode(&mut self, made: &mut JsString) -> Result<(), JsonError> {
        let unit = self.four_digits()?;
        if !(0xD800..0xDC00).contains(&unit) {
            match char::from_u32(u32::from(unit)) {
                Some(c) => made.push(c),
                None => made.push_lone(unit),
            }
            return Ok(());
        }
        // a high surrogate; a low one in the next escape makes a pair of it
        let after = self.at;
        if self.text.as_bytes()[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let low = self.four_digits()?;
            if let Some(Ok(c)) = char::decode_utf16([unit, low]).next() {
                made.push(c);
                return Ok(());
            }
            self.at = after;
        }
        made.push_lone(unit);
        Ok(())
    }

    fn four_digits(&mut self) -> Result<u16, JsonError> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).unwrap_or_default();
        let mut unit = 0_u16;
        for digit in digits {
            let value = char::from(*digit).to_digit(16).ok_or_else(|| self.wrong("an escape without four digits"))?;
            unit = unit << 4 | value as u16;
        }
        if digits.len() < 4 {
            return Err(self.wrong("an escape without four digits"));
        }
        self.at += 4;
        Ok(unit)
    }
}

/// Some key that is there twice, shortened.
fn twice(mut keys: Vec<JsString>) -> String {
    keys.sort();
    let found = keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].to_text().to_owned());
    found.unwrap_or_default().chars().take(40).collect()
}
