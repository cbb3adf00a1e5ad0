//! What clients may say: bounded in depth, without control characters.

use orrery_kernel::Error;
use serde_json::Value;
use serde_json::value::RawValue;

/// Most levels of arrays and objects: deeper ones would be a trap for readers.
const DEPTH_MAX: usize = 64;

/// The content as it may be passed on. Control characters but line breaks and tabs are taken out of texts.
/// Nothing is escaped for HTML: that is for whoever shows it.
pub(crate) fn clean(content: &RawValue) -> Result<std::borrow::Cow<'_, RawValue>, Error> {
    let json = content.get();
    if depth(json) > DEPTH_MAX {
        return Err(Error::invalid("content", format!("content is nested more than {DEPTH_MAX} levels deep")));
    }
    // control characters can only stand in JSON as escapes
    if !["\\u", "\\b", "\\f"].iter().any(|escape| json.contains(escape)) && !json.contains('\u{7f}') {
        return Ok(std::borrow::Cow::Borrowed(content));
    }
    let bad = |e: serde_json::Error| Error::invalid("content", "content is not valid JSON").because(e);
    let mut value: Value = serde_json::from_str(json).map_err(bad)?;
    strip(&mut value);
    serde_json::value::to_raw_value(&value).map(std::borrow::Cow::Owned).map_err(Error::internal)
}

fn depth(json: &str) -> usize {
    let (mut depth, mut most, mut text, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if text => escaped = true,
            b'"' => text = !text,
            b'[' | b'{' if !text => {
                depth += 1;
                most = most.max(depth);
            }
            b']' | b'}' if !text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    most
}

fn strip(value: &mut Value) {
    match value {
        Value::String(text) => text.retain(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t')),
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Object(fields) => fields.values_mut().for_each(strip),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(json: &str) -> Result<String, Error> {
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        clean(&raw).map(|c| c.get().to_owned())
    }

    #[test]
    fn control_characters_go_and_everything_else_stays() {
        assert_eq!(cleaned(r#"{"a": 1.50, "b":"<b>&</b>"}"#).unwrap(), r#"{"a": 1.50, "b":"<b>&</b>"}"#);
        assert_eq!(cleaned(r#""a\u0000\u001b[31m\n\u00e4""#).unwrap(), "\"a[31m\\nä\"");
        assert_eq!(cleaned(r#"["\b",{"k":"\f\t"}]"#).unwrap(), r#"["",{"k":"\t"}]"#);
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(cleaned(&nested(64)).is_ok());
        assert!(cleaned(&nested(65)).is_err());
        assert!(cleaned(&format!("\"{}\\\"{}\"", "[".repeat(100), "{".repeat(100))).is_ok());
    }
}
