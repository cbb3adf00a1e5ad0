//! JSON as an exchange sent it: borrowed, and with every number as its digits.

mod read;
mod write;

use std::borrow::Cow;

use crate::Number;

pub(crate) use write::text;

/// Deepest nesting that is read; no exchange goes beyond ten.
const DEPTH_MAX: usize = 64;

/// A parsed text.
pub type Json<'t> = hifijson::value::Value<&'t str, Cow<'t, str>>;

/// The value of a text, or none if it is not JSON, or nested deeper than 64.
///
/// ```
/// use orrery_venues::json::{self, Access as _};
///
/// let book = json::parse(r#"{"price":0.10000000000000000001,"id":"7"}"#).unwrap();
/// assert_eq!(book.get("price").text(), Some("0.10000000000000000001"));
/// assert_eq!(book.get("id").text(), Some("7"));
/// assert_eq!(book.get("size").get("base").text(), None);
/// ```
pub fn parse(text: &str) -> Option<Json<'_>> {
    read::Reader::new(text).only(DEPTH_MAX)
}

/// Which bytes stand in a string as they are.
const PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut byte = 0;
    while byte < 0x20 {
        plain[byte] = false;
        byte += 1;
    }
    (plain[b'"' as usize], plain[b'\\' as usize]) = (false, false);
    plain
};

/// How many bytes from the first on stand in a string as they are.
fn plain(bytes: &[u8]) -> usize {
    #[expect(clippy::indexing_slicing, reason = "the table has a place for every byte")]
    let special = |byte: &u8| !PLAIN[usize::from(*byte)];
    bytes.iter().position(special).unwrap_or(bytes.len())
}

/// Largest whole number that a double holds with all others below it.
const SAFE_MAX: f64 = 9_007_199_254_740_991.0;

/// With the numbers of all members as text if any number is beyond what scripts can hold: that way CCXT keeps the
/// digits of long names.
pub(crate) fn safe(value: Json<'_>) -> Json<'_> {
    if beyond_safe(&value) { quoted(value) } else { value }
}

fn beyond_safe(value: &Json<'_>) -> bool {
    match value {
        Json::Number((digits, _)) => digits.parse::<f64>().is_ok_and(|number| number.abs() > SAFE_MAX),
        Json::Array(elements) => elements.iter().any(beyond_safe),
        Json::Object(members) => members.iter().any(|(_, member)| beyond_safe(member)),
        _ => false,
    }
}

fn quoted(value: Json<'_>) -> Json<'_> {
    let member = |(name, member)| match member {
        Json::Number((digits, _)) => (name, Json::String(Cow::Borrowed(digits))),
        other => (name, quoted(other)),
    };
    match value {
        Json::Array(elements) => Json::Array(elements.into_iter().map(quoted).collect()),
        Json::Object(members) => Json::Object(members.into_iter().map(member).collect()),
        other => other,
    }
}

/// Reading what may not be there: each step of a path that is missing leaves nothing, as does `null`.
pub trait Access<'v, 't: 'v> {
    /// The member of this name; of one that is there twice, the last, as JavaScript has it.
    fn get(self, name: &str) -> Option<&'v Json<'t>>;
    /// The element at this place, counted from 0.
    fn at(self, index: usize) -> Option<&'v Json<'t>>;
    /// A string's text or a number's digits.
    fn text(self) -> Option<&'v str>;
    /// The elements of a list.
    fn list(self) -> Option<&'v [Json<'t>]>;
    /// A boolean.
    fn flag(self) -> Option<bool>;
    /// The text of the first of these members that has one which is not empty.
    fn text_of(self, names: &[&str]) -> Option<&'v str>;

    /// The same, owned.
    fn string_of(self, names: &[&str]) -> Option<String>
    where
        Self: Sized,
    {
        self.text_of(names).map(str::to_owned)
    }

    /// The number of the first of these members that has a text which is not empty.
    fn number_of(self, names: &[&str]) -> Option<Number>
    where
        Self: Sized,
    {
        self.text_of(names).and_then(Number::parse)
    }

    /// The number at this place, counted from 0.
    fn number_at(self, index: usize) -> Option<Number>
    where
        Self: Sized,
    {
        self.at(index).text().and_then(Number::parse)
    }

    /// What becomes of each element of a list; nothing of what is no list.
    fn each<T>(self, one: impl FnMut(&'v Json<'t>) -> T) -> Vec<T>
    where
        Self: Sized,
    {
        self.list().unwrap_or_default().iter().map(one).collect()
    }
}

impl<'v, 't> Access<'v, 't> for Option<&'v Json<'t>> {
    fn get(self, name: &str) -> Option<&'v Json<'t>> {
        match self? {
            Json::Object(members) => members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    fn at(self, index: usize) -> Option<&'v Json<'t>> {
        self.list()?.get(index)
    }

    fn text(self) -> Option<&'v str> {
        match self? {
            Json::String(text) => Some(text),
            Json::Number((digits, _)) => Some(digits),
            _ => None,
        }
    }

    fn list(self) -> Option<&'v [Json<'t>]> {
        match self? {
            Json::Array(elements) => Some(elements),
            _ => None,
        }
    }

    fn flag(self) -> Option<bool> {
        match self? {
            Json::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    fn text_of(self, names: &[&str]) -> Option<&'v str> {
        names.iter().find_map(|name| self.get(name).text().filter(|text| !text.is_empty()))
    }
}

impl<'v, 't> Access<'v, 't> for &'v Json<'t> {
    fn get(self, name: &str) -> Option<&'v Json<'t>> {
        Some(self).get(name)
    }

    fn at(self, index: usize) -> Option<&'v Json<'t>> {
        Some(self).at(index)
    }

    fn text(self) -> Option<&'v str> {
        Some(self).text()
    }

    fn list(self) -> Option<&'v [Json<'t>]> {
        Some(self).list()
    }

    fn flag(self) -> Option<bool> {
        Some(self).flag()
    }

    fn text_of(self, names: &[&str]) -> Option<&'v str> {
        Some(self).text_of(names)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_are_read_as_others_read_them(text in r#"[\[\]{}",:\\u0-9eE+\-. a-ctrufalsn\n]{0,24}"#) {
            let read = parse(&text);
            let other = serde_json::from_str::<serde_json::Value>(&text);
            // numbers that no double holds are numbers here, and one member may be there twice
            let huge = other.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
            prop_assert!(huge || read.is_some() == other.is_ok(), "{text:?} {other:?}");
            if let (Some(read), Ok(other)) = (read, other) {
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&super::text(&read)).unwrap(), other);
            }
        }

        #[test]
        fn strings_come_back(string in any::<String>()) {
            let text = serde_json::Value::from(string.as_str()).to_string();
            let read = parse(&text).unwrap();
            prop_assert_eq!(Some(&read).text(), Some(string.as_str()));
            let written = super::text(&read);
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), string);
        }
    }

    #[test]
    fn what_is_written_is_as_long_as_was_thought() {
        for text in ["[]", "{}", "[1]", r#"{"a":[1,null,true,false,{"b":"c"}],"d":-1.5e3}"#] {
            let written = super::text(&parse(text).unwrap());
            assert_eq!((written.as_str(), written.capacity()), (text, text.len()));
        }
    }

    #[test]
    fn what_is_not_json_is_nothing() {
        for text in
            ["", "<html></html>", "{\"a\":1", "{\"a\":1} x", "01", "nul", "\"\\ud800\"", "[1,]", "{,}", "1.", "-"]
        {
            assert!(parse(text).is_none(), "{text}");
        }
        assert!(parse(&("[".repeat(63) + &"]".repeat(63))).is_some());
        assert!(parse(&"[".repeat(100_000)).is_none());
    }

    #[test]
    fn long_names_keep_their_digits() {
        let text = r#"{"a":[1,{"b":9007199254740993,"c":0.5}],"d":2}"#;
        let expected = r#"{"a":[1,{"b":"9007199254740993","c":"0.5"}],"d":"2"}"#;
        assert_eq!(safe(parse(text).unwrap()).to_string(), expected);
        let text = r#"{"a":9007199254740991,"b":"9007199254740993"}"#;
        assert_eq!(safe(parse(text).unwrap()).to_string(), text);
    }

    #[test]
    fn members_are_found_by_name() {
        let value = parse(r#"{"a":null,"b":"","c":-1e-7,"c":"last","d":[true,{"é\n":"ü"}]}"#).unwrap();
        assert_eq!(value.text_of(&["a", "b", "c"]), Some("last"));
        assert_eq!(value.get("d").at(0).flag(), Some(true));
        assert_eq!(value.get("d").at(1).get("é\n").text(), Some("ü"));
        assert_eq!(value.get("d").list().map(<[_]>::len), Some(2));
        assert_eq!(value.get("d").at(2).get("x").at(0).flag(), None);
    }
}
