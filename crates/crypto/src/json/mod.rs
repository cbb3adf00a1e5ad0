//! JSON as JavaScript sees it, and its deterministic text ("gls-det-1").
//!
//! Wallets sign the text that a JavaScript program makes of a value, so the rules are those of that
//! language: numbers are doubles, strings are sequences of UTF-16 units that may be no text at all, keys
//! are ordered by unit. [`JsValue::canonical`] is that text.
//!
//! ```
//! use orrery_crypto::json::{Duplicates, parse};
//! let value = parse(r#"{"b": 1.0, "a": [1e21, "\u00e9"]}"#, Duplicates::Refused)?;
//! assert_eq!(value.canonical().as_deref(), Some(r#"{"a":[1e+21,"é"],"b":1}"#));
//! # Ok::<(), orrery_crypto::json::JsonError>(())
//! ```

mod parse;
mod text;
mod write;

pub use parse::{DEPTH_MAX, Duplicates, JsonError, parse};
pub use text::JsString;
pub use write::number;

/// A value of JavaScript.
#[derive(Clone, Debug, PartialEq)]
pub enum JsValue {
    /// `undefined`, or a hole of an array.
    Undefined,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; also those that JSON has no text for.
    Number(f64),
    /// A string.
    String(JsString),
    /// An array.
    Array(Vec<JsValue>),
    /// An object.
    Object(JsObject),
    /// A function or a symbol, which JSON leaves out.
    Function,
}

/// The own enumerable string keys of an object, in the order of their UTF-16 units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JsObject(Vec<(JsString, JsValue)>);

impl JsObject {
    /// From members in any order; of equal keys the last wins, as in JavaScript.
    pub fn new(members: impl IntoIterator<Item = (JsString, JsValue)>) -> Self {
        let mut sorted: Vec<_> = members.into_iter().collect();
        // stable, so that the last of equals stays last
        sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut kept: Vec<(JsString, JsValue)> = Vec::with_capacity(sorted.len());
        for member in sorted {
            match kept.last_mut() {
                Some(last) if last.0 == member.0 => *last = member,
                _ => kept.push(member),
            }
        }
        Self(kept)
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&JsValue> {
        let key = JsString::from(key);
        self.0.binary_search_by(|(k, _)| k.cmp(&key)).ok().map(|i| &self.0[i].1)
    }

    /// Members in order.
    pub fn iter(&self) -> impl Iterator<Item = &(JsString, JsValue)> {
        self.0.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same without `keys`.
    #[must_use]
    pub fn without(&self, keys: &[&str]) -> Self {
        let gone = |k: &JsString| k.as_str().is_some_and(|k| keys.contains(&k));
        Self(self.0.iter().filter(|(k, _)| !gone(k)).cloned().collect())
    }

    /// The same with `key` set.
    #[must_use]
    pub fn with(self, key: &str, value: JsValue) -> Self {
        Self::new(self.0.into_iter().chain([(key.into(), value)]))
    }
}

impl JsValue {
    /// A member of an object; nothing else has any.
    pub fn get(&self, key: &str) -> Option<&JsValue> {
        self.as_object()?.get(key)
    }

    /// The string's text; `None` also when it is no text.
    pub fn as_str(&self) -> Option<&str> {
        self.as_js_string()?.as_str()
    }

    /// The string.
    pub fn as_js_string(&self) -> Option<&JsString> {
        match self {
            Self::String(s) => Some(s),
            _ => None,
        }
    }

    /// The number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(n) => Some(*n),
            _ => None,
        }
    }

    /// The number, if it is a whole one that a double holds exactly.
    pub fn as_i64(&self) -> Option<i64> {
        // 2^53 − 1, the largest integer that JavaScript calls safe
        let safe = |n: f64| n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_991.0;
        self.as_f64().filter(|n| safe(*n)).map(|n| n as i64)
    }

    /// The truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The elements.
    pub fn as_array(&self) -> Option<&[JsValue]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The members.
    pub fn as_object(&self) -> Option<&JsObject> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// As a value of `serde_json`: what is no text becomes U+FFFD, what JSON cannot say becomes null.
    pub fn to_serde(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Undefined | Self::Null | Self::Function => Value::Null,
            Self::Bool(b) => Value::Bool(*b),
            Self::Number(n) => match self.as_i64() {
                Some(whole) => Value::from(whole),
                None => serde_json::Number::from_f64(*n).map_or(Value::Null, Value::Number),
            },
            Self::String(s) => Value::String(s.to_text().to_owned()),
            Self::Array(items) => Value::Array(items.iter().map(Self::to_serde).collect()),
            Self::Object(members) => {
                Value::Object(members.iter().map(|(k, v)| (k.to_text().to_owned(), v.to_serde())).collect())
            }
        }
    }
}

impl From<&str> for JsValue {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<f64> for JsValue {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl<const N: usize> From<[(&str, JsValue); N]> for JsValue {
    fn from(members: [(&str, JsValue); N]) -> Self {
        Self::Object(JsObject::new(members.into_iter().map(|(k, v)| (k.into(), v))))
    }
}
