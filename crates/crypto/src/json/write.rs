//! From a value to text: deterministic, or as `JSON.stringify` writes it.

use std::fmt::Write;

use super::{JsString, JsValue};

/// A number as JavaScript prints it; `null` for those that JSON has no text for.
pub fn number(n: f64) -> String {
    if n.is_finite() { ryu_js::Buffer::new().format_finite(n).to_owned() } else { "null".to_owned() }
}

impl JsValue {
    /// The deterministic text ("gls-det-1"): no white space, keys in the order of their UTF-16 units and
    /// written **without escapes**, so that odd keys make it something else than JSON. A lone surrogate in
    /// a key is U+FFFD here, as it is in the UTF-8 that is hashed. `None` for what has no text at all:
    /// `undefined` and functions by themselves.
    pub fn canonical(&self) -> Option<String> {
        if matches!(self, Self::Undefined | Self::Function) {
            return None;
        }
        let mut out = String::new();
        canonical(self, &mut out);
        Some(out)
    }

    /// What `JSON.stringify` writes, but with the keys in our order. `None` as in [`JsValue::canonical`].
    pub fn to_json(&self) -> Option<String> {
        if matches!(self, Self::Undefined | Self::Function) {
            return None;
        }
        let mut out = String::new();
        json(self, &mut out);
        Some(out)
    }
}

fn canonical(value: &JsValue, out: &mut String) {
    match value {
        // only within arrays: objects see to theirs
        JsValue::Undefined | JsValue::Function => {}
        JsValue::Array(items) => list(items, '[', ']', out, canonical),
        JsValue::Object(members) => list(members.iter(), '{', '}', out, |(key, value), out| {
            out.push('"');
            out.push_str(key.to_text());
            out.push_str("\":");
            match value {
                JsValue::Undefined => out.push_str("null"),
                JsValue::Function => out.push_str("undefined"),
                value => canonical(value, out),
            }
        }),
        scalar => plain(scalar, out),
    }
}

fn json(value: &JsValue, out: &mut String) {
    let silent = |value: &JsValue| matches!(value, JsValue::Undefined | JsValue::Function);
    match value {
        JsValue::Array(items) => list(items, '[', ']', out, json),
        JsValue::Object(members) => {
            list(members.iter().filter(|(_, value)| !silent(value)), '{', '}', out, |(key, value), out| {
                quoted(key, out);
                out.push(':');
                json(value, out);
            });
        }
        value if silent(value) => out.push_str("null"),
        scalar => plain(scalar, out),
    }
}

fn list<T>(
    items: impl IntoIterator<Item = T>,
    open: char,
    close: char,
    out: &mut String,
    one: impl Fn(T, &mut String),
) {
    out.push(open);
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        one(item, out);
    }
    out.push(close);
}

fn plain(value: &JsValue, out: &mut String) {
    match value {
        JsValue::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        JsValue::Number(n) if n.is_finite() => out.push_str(ryu_js::Buffer::new().format_finite(*n)),
        JsValue::String(text) => quoted(text, out),
        _ => out.push_str("null"),
    }
}

fn quoted(text: &JsString, out: &mut String) {
    out.push('"');
    let needs = |b: u8| b < 0x20 || b == b'"' || b == b'\\';
    if text.is_text() && !text.to_text().bytes().any(needs) {
        out.push_str(text.to_text());
    } else {
        for c in text.chars() {
            escaped(c, out);
        }
    }
    out.push('"');
}

fn escaped(c: Result<char, u16>, out: &mut String) {
    let short = match c {
        Ok('"') => "\\\"",
        Ok('\\') => "\\\\",
        Ok('\u{8}') => "\\b",
        Ok('\u{c}') => "\\f",
        Ok('\n') => "\\n",
        Ok('\r') => "\\r",
        Ok('\t') => "\\t",
        Ok(c) if c >= ' ' => return out.push(c),
        Ok(c) => return unit(c as u32, out),
        Err(lone) => return unit(u32::from(lone), out),
    };
    out.push_str(short);
}

fn unit(unit: u32, out: &mut String) {
    // writing to a String cannot fail
    let _ = write!(out, "\\u{unit:04x}");
}
