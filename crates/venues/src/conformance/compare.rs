//! Whether a result is the expected one: what is null may be missing, and numbers are equal as doubles.

use serde_json::Value;

/// Where the two differ first, and how.
pub(super) fn difference(expected: &Value, found: &Value) -> Option<String> {
    at("result", expected, found)
}

fn at(path: &str, expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Object(left), Value::Object(right)) => {
            let names = left.keys().chain(right.keys().filter(|name| !left.contains_key(*name)));
            let member = |of: &serde_json::Map<String, Value>, name: &str| of.get(name).cloned().unwrap_or(Value::Null);
            names.into_iter().find_map(|name| at(&format!("{path}.{name}"), &member(left, name), &member(right, name)))
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let mut places = left.iter().zip(right).enumerate();
            places.find_map(|(place, (left, right))| at(&format!("{path}[{place}]"), left, right))
        }
        (Value::Number(left), Value::Number(right)) if left.as_f64() == right.as_f64() => None,
        _ if expected == found => None,
        _ => Some(format!("{path} is {found} instead of {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_is_missing_and_numbers_are_doubles() {
        assert_eq!(difference(&json!({"a": 1, "b": null}), &json!({"a": 1.0, "c": null})), None);
        let found = difference(&json!({"a": [1, {"b": 2}]}), &json!({"a": [1, {"b": 3}]}));
        assert_eq!(found.as_deref(), Some("result.a[1].b is 3 instead of 2"));
        let found = difference(&json!({}), &json!({"x": "y"}));
        assert_eq!(found.as_deref(), Some("result.x is \"y\" instead of null"));
        assert!(difference(&json!([]), &json!([1])).is_some());
        assert!(difference(&json!("1"), &json!(1)).is_some());
    }
}
