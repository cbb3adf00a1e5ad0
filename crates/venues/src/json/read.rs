//! Text to values. Most of an exchange's strings have no escapes, and objects of a list have as many members as the one
//! before.

use std::borrow::Cow;

use hifijson::SliceLexer;
use hifijson::num::Parts;
use hifijson::str::LexAlloc as _;

use super::{Json, plain};

/// Most members that room is made for before they are read.
const ROOM_MAX: usize = 32;

/// What is read, and how far.
pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// Members of the last object.
    members: usize,
}

impl<'t> Reader<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, at: 0, members: 0 }
    }

    /// The one value of the text, nested at most so deep; none for anything else.
    pub(super) fn only(mut self, depth: usize) -> Option<Json<'t>> {
        let value = self.value(depth)?;
        self.skip_spaces();
        (self.at == self.text.len()).then_some(value)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Whether this letter comes next; it is passed then.
    fn takes(&mut self, letter: u8) -> bool {
        let comes = self.peek() == Some(letter);
        self.at += usize::from(comes);
        comes
    }

    fn value(&mut self, depth: usize) -> Option<Json<'t>> {
        self.skip_spaces();
        match self.peek()? {
            b'"' => self.string().map(Json::String),
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.array(depth.checked_sub(1)?),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => None,
        }
    }

    fn word(&mut self, word: &str, value: Json<'t>) -> Option<Json<'t>> {
        let comes = self.text.as_bytes().get(self.at..)?.starts_with(word.as_bytes());
        self.at += word.len();
        comes.then_some(value)
    }

    fn array(&mut self, depth: usize) -> Option<Json<'t>> {
        self.at += 1;
        let mut elements = Vec::new();
        self.skip_spaces();
        if self.takes(b']') {
            return Some(Json::Array(elements));
        }
        loop {
            elements.push(self.value(depth)?);
            self.skip_spaces();
            match self.takes(b',') {
                true => {}
                false => return self.takes(b']').then_some(Json::Array(elements)),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json<'t>> {
        self.at += 1;
        self.skip_spaces();
        if self.takes(b'}') {
            self.members = 0;
            return Some(Json::Object(Vec::new()));
        }
        let mut members = Vec::with_capacity(self.members.min(ROOM_MAX));
        loop {
            self.skip_spaces();
            if self.peek()? != b'"' {
                return None;
            }
            let name = self.string()?;
            self.skip_spaces();
            if !self.takes(b':') {
                return None;
            }
            members.push((name, self.value(depth)?));
            self.skip_spaces();
            if !self.takes(b',') {
                self.members = members.len();
                return self.takes(b'}').then_some(Json::Object(members));
            }
        }
    }

    fn string(&mut self) -> Option<Cow<'t, str>> {
        let begin = self.at + 1;
        let rest = self.text.as_bytes().get(begin..)?;
        let end = begin + plain(rest);
        match self.text.as_bytes().get(end)? {
            b'"' => {
                self.at = end + 1;
                self.text.get(begin..end).map(Cow::Borrowed)
            }
            b'\\' => self.escaped(begin),
            _ => None,
        }
    }

    /// A string that begins here and has escapes.
    fn escaped(&mut self, begin: usize) -> Option<Cow<'t, str>> {
        let bytes = self.text.as_bytes();
        let mut end = begin;
        loop {
            match bytes.get(end)? {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        self.at = end + 1;
        SliceLexer::new(bytes.get(begin..=end)?).str_string().ok()
    }

    fn digits(&mut self) -> bool {
        let begin = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at > begin
    }

    /// RFC 8259, section 6.
    fn number(&mut self) -> Option<Json<'t>> {
        let begin = self.at;
        self.takes(b'-');
        let zero = self.takes(b'0');
        if !zero && !self.digits() {
            return None;
        }
        let dot = self.takes(b'.');
        if dot && !self.digits() {
            return None;
        }
        let exp = self.takes(b'e') || self.takes(b'E');
        if exp {
            let _ = self.takes(b'+') || self.takes(b'-');
            if !self.digits() {
                return None;
            }
        }
        Some(Json::Number((self.text.get(begin..self.at)?, Parts { zero, dot, exp })))
    }
}
