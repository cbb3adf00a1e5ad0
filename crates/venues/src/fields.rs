//! What is sent to an exchange: named values in an order that counts, since what is signed is their text.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::Number;
use crate::json::Json;

/// What `encodeURIComponent` of ECMAScript leaves as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// What RFC 3986 calls unreserved.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Room for so many is made at once: a request has about as many.
const USUAL: usize = 12;

/// A text as it stands in an address.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string()
}

/// The same, behind what is there.
fn encode(text: &str, out: &mut String) {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if text.bytes().all(kept) {
        out.push_str(text);
    } else {
        out.extend(utf8_percent_encode(text, KEPT));
    }
}

/// A value that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A number, as its digits.
    Digits(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// Named values.
    Object(Fields),
}

/// Named values in their order. A name that is set again keeps its place.
///
/// ```
/// use orrery_venues::Fields;
///
/// let fields = Fields::new().with("symbol", "BTCUSDT").with("limit", 5).with("symbol", "ETH USDT");
/// assert_eq!(fields.query(), "symbol=ETH%20USDT&limit=5");
/// assert_eq!(fields.json(), r#"{"symbol":"ETH USDT","limit":5}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(Vec<(String, Value)>);

impl Fields {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this one too.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// With this one too, if it has a value.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Sets one.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.place(name) {
            Some(old) => *old = value,
            None => {
                if self.0.is_empty() {
                    self.0.reserve(USUAL);
                }
                self.0.push((name.to_owned(), value));
            }
        }
    }

    fn place(&mut self, name: &str) -> Option<&mut Value> {
        self.0.iter_mut().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// With all of `others`, which go before those of the same names.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.reserve(others.0.len());
        for (name, value) in others.0 {
            match self.place(&name) {
                Some(old) => *old = value,
                None => self.0.push((name, value)),
            }
        }
        self
    }

    /// Without these.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|(name, _)| !names.contains(&name.as_str()));
        self
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The text or the digits of the first of these names that has any.
    pub fn text(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| match self.get(name)? {
            Value::Text(text) | Value::Digits(text) if !text.is_empty() => Some(text.as_str()),
            _ => None,
        })
    }

    /// The number of the first of these names that has one.
    pub fn number(&self, names: &[&str]) -> Option<Number> {
        self.text(names).and_then(Number::parse)
    }

    /// Whether this one is true.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name) == Some(&Value::Flag(true))
    }

    /// In the order of their names.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.0.sort_by(|(left, _), (right, _)| left.cmp(right));
        self
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As the query of an address; lists and objects as JSON.
    pub fn query(&self) -> String {
        let mut query = String::with_capacity(32 * self.0.len());
        for (name, value) in self.0.iter().filter(|(_, value)| *value != Value::Null) {
            if !query.is_empty() {
                query.push('&');
            }
            encode(name, &mut query);
            query.push('=');
            match value {
                Value::Text(text) | Value::Digits(text) => encode(text, &mut query),
                other => encode(&other.json(), &mut query),
            }
        }
        query
    }

    /// As the query of an address; the elements of a list one after another under its name.
    pub fn query_repeating(&self) -> String {
        let one = |name: &str, value: &Value| format!("{}={}", encoded(name), encoded(&value.plain()));
        let mut pairs = Vec::new();
        for (name, value) in &self.0 {
            match value {
                Value::Null => (),
                Value::List(elements) => pairs.extend(elements.iter().map(|element| one(name, element))),
                value => pairs.push(one(name, value)),
            }
        }
        pairs.join("&")
    }

    /// As the query of an address or a form: members of objects and elements of lists each for themselves,
    /// `close[price]=5` and `ids[0]=7`, and what is null as an empty text.
    pub fn nested_query(&self) -> String {
        let mut pairs = Vec::new();
        self.0.iter().for_each(|(name, value)| value.flatten(name, &mut pairs));
        pairs.join("&")
    }

    /// As the query of an address with every character as it is, as some exchanges sign it.
    pub fn plain_query(&self) -> String {
        let sent = self.0.iter().filter(|(_, value)| *value != Value::Null);
        let pairs: Vec<_> = sent.map(|(name, value)| format!("{name}={}", value.plain())).collect();
        pairs.join("&")
    }

    /// As a JSON object without spaces.
    pub fn json(&self) -> String {
        let members: Vec<_> = self.0.iter().map(|(name, value)| format!("{}:{}", quoted(name), value.json())).collect();
        format!("{{{}}}", members.join(","))
    }
}

impl Value {
    /// A value of JSON.
    pub fn of(value: &Json<'_>) -> Self {
        match value {
            Json::Null => Self::Null,
            Json::Bool(flag) => Self::Flag(*flag),
            Json::Number((digits, _)) => Self::Digits((*digits).to_owned()),
            Json::String(text) => Self::Text(text.clone().into_owned()),
            Json::Array(elements) => Self::List(elements.iter().map(Self::of).collect()),
            Json::Object(members) => {
                let mut fields = Fields::new();
                for (name, value) in members {
                    fields.set(name, Self::of(value));
                }
                Self::Object(fields)
            }
        }
    }

    fn plain(&self) -> String {
        match self {
            Self::Text(text) | Self::Digits(text) => text.clone(),
            other => other.json(),
        }
    }

    /// The pairs that it stands for in a query.
    fn flatten(&self, name: &str, pairs: &mut Vec<String>) {
        match self {
            Self::Null => pairs.push(format!("{name}=")),
            Self::List(elements) => {
                let each = elements.iter().enumerate();
                each.for_each(|(place, value)| value.flatten(&format!("{name}[{place}]"), pairs));
            }
            Self::Object(Fields(members)) => {
                members.iter().for_each(|(member, value)| value.flatten(&format!("{name}[{member}]"), pairs));
            }
            value => pairs.push(format!("{name}={}", utf8_percent_encode(&value.plain(), UNRESERVED))),
        }
    }

    /// As JSON without spaces.
    pub fn json(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Flag(flag) => flag.to_string(),
            Self::Digits(digits) => digits.clone(),
            Self::Text(text) => quoted(text),
            Self::List(elements) => {
                let elements: Vec<_> = elements.iter().map(Self::json).collect();
                format!("[{}]", elements.join(","))
            }
            Self::Object(fields) => fields.json(),
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[String]> for Value {
    fn from(texts: &[String]) -> Self {
        Self::List(texts.iter().map(|text| Self::Text(text.clone())).collect())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Digits(number.to_string())
    }
}

impl From<Fields> for Value {
    fn from(fields: Fields) -> Self {
        Self::Object(fields)
    }
}

/// A number is sent as text, as exchanges take amounts and prices.
impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Self::Text(number.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn json_goes_through_unchanged() {
        let text = r#"{"b":1.10,"a":[true,null,{"x":"\"é"}]}"#;
        let Value::Object(fields) = Value::of(&json::parse(text).unwrap()) else { panic!() };
        assert_eq!(fields.json(), text);
        assert_eq!(Fields::new().with("x", [String::from("1"), "2".into()].as_slice()).query_repeating(), "x=1&x=2");
        assert_eq!(fields.query(), "b=1.10&a=%5Btrue%2Cnull%2C%7B%22x%22%3A%22%5C%22%C3%A9%22%7D%5D");
    }

    #[test]
    fn what_is_nested_is_named_by_its_place() {
        let text = r#"{"pair":"A,B","close":{"price":"+5%","deep":[1,{"x":true}]},"none":null,"empty":{}}"#;
        let Value::Object(fields) = Value::of(&json::parse(text).unwrap()) else { panic!() };
        let expected = "pair=A%2CB&close[price]=%2B5%25&close[deep][0]=1&close[deep][1][x]=true&none=";
        assert_eq!(fields.nested_query(), expected);
    }

    #[test]
    fn others_go_before() {
        let fields = Fields::new().with("a", "1").with("b", "2").and(Fields::new().with("c", "3").with("a", "4"));
        assert_eq!(fields.query(), "a=4&b=2&c=3");
        assert_eq!(fields.without(&["b"]).query(), "a=4&c=3");
        assert_eq!(Fields::new().with("cursor", "1%3A2").with("x", Value::Null).plain_query(), "cursor=1%3A2");
    }
}
