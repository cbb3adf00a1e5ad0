//! Values of the port and values of CCXT's engine.

use std::sync::Arc;

use ccxt::Value;
use orrery_venues::json::Json;

/// A value of a call. Whole numbers stay whole; others are doubles, as CCXT has them.
pub(crate) fn of_json(json: &Json<'_>) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number((digits, _)) => number(digits),
        Json::String(text) => Value::Str(text.clone().into_owned().into()),
        Json::Array(items) => Value::Arr(Arc::new(items.iter().map(of_json).collect())),
        Json::Object(members) => {
            let member = |(name, value): &(std::borrow::Cow<'_, str>, Json<'_>)| (name.to_string(), of_json(value));
            Value::Dict(Arc::new(members.iter().map(member).collect()))
        }
    }
}

/// A number by its digits; one that no double holds stays as it is written.
fn number(digits: &str) -> Value {
    let whole = digits.parse().map(Value::Int);
    let double = || digits.parse().map(Value::Float).ok();
    whole.ok().or_else(double).unwrap_or_else(|| text(digits))
}

pub(crate) fn text(text: &str) -> Value {
    Value::Str(text.to_owned().into())
}

/// A method's name as Rust has it: `fetchOHLCV` is `fetch_ohlcv`.
pub(crate) fn snake(method: &str) -> String {
    let letters: Vec<char> = method.chars().collect();
    let mut name = String::with_capacity(method.len() + 4);
    for (place, letter) in letters.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|before| letters.get(before));
        let after = letters.get(place + 1);
        let begins = before.is_some_and(|before| !before.is_ascii_uppercase())
            || before.is_some() && after.is_some_and(char::is_ascii_lowercase);
        if letter.is_ascii_uppercase() && begins {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use orrery_venues::json;

    use super::*;

    #[test]
    fn names_are_rust_s() {
        for (name, rust) in [
            ("fetchOHLCV", "fetch_ohlcv"),
            ("fetchMyTrades", "fetch_my_trades"),
            ("fetchOrder", "fetch_order"),
            ("fetchL2OrderBook", "fetch_l2_order_book"),
        ] {
            assert_eq!(snake(name), rust);
        }
    }

    #[test]
    fn whole_numbers_stay_whole() {
        let value = of_json(&json::parse(r#"{"a":[1,2.5,null,"x",true]}"#).unwrap());
        assert_eq!(value.to_json(), serde_json::json!({"a": [1, 2.5, null, "x", true]}));
    }
}
