//! Checks of single fields, as the documented client makes them.

use crate::json::{JsString, JsValue};

/// Digits, a point, six digits.
pub fn is_fee(text: &str) -> bool {
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    text.split_once('.')
        .is_some_and(|(whole, part)| !whole.is_empty() && digits(whole) && part.len() == 6 && digits(part))
}

/// Like [`is_fee`], and more than zero.
pub fn is_amount(text: &str) -> bool {
    is_fee(text) && text.bytes().any(|b| matches!(b, b'1'..=b'9'))
}

/// 1 to 10,000 UTF-16 units.
pub fn is_raw(text: &JsString) -> bool {
    (1..=10_000).contains(&text.utf16_len())
}

/// 1 to 256 UTF-16 units.
pub fn is_memo(text: &JsString) -> bool {
    (1..=256).contains(&text.utf16_len())
}

/// A small letter, then up to 63 of small letters, digits, `.`, `_` and `-`.
pub fn is_event_kind(text: &str) -> bool {
    let rest = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    text.len() <= 64 && text.as_bytes().first().is_some_and(u8::is_ascii_lowercase) && text.bytes().all(rest)
}

/// An object or an array of at most 1,024 UTF-16 units as JSON.
pub fn is_event_data(value: &JsValue) -> bool {
    let shaped = matches!(value, JsValue::Object(_) | JsValue::Array(_));
    shaped && value.to_json().is_some_and(|json| json.encode_utf16().count() <= 1024)
}
