//! Amounts as they travel.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// An amount as the client wrote it, before any parsing: the text of a JSON string, or the literal
/// of a JSON number (the documented client sends strings in trades and numbers in transfers).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmountText(pub String);

impl<'de> Deserialize<'de> for AmountText {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let raw = Box::<RawValue>::deserialize(d)?;
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'"') => serde_json::from_str(text).map(Self).map_err(D::Error::custom),
            Some(b'-' | b'0'..=b'9') => Ok(Self(text.to_owned())),
            _ => Err(D::Error::custom("expected a string or a number")),
        }
    }
}

/// Paise shown as rupees: a whole JSON number where it is one, else with its paise. The exact value
/// travels beside it in the `…_paise` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rupees(pub i64);

impl Serialize for Rupees {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if self.0 % 100 == 0 {
            s.serialize_i64(self.0 / 100)
        } else {
            // the nearest double to a two-decimal number prints as that number below 2^53 paise
            s.serialize_f64(self.0 as f64 / 100.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_keep_their_text() {
        #[derive(Deserialize)]
        struct Body {
            amount: Option<AmountText>,
        }
        let parse = |json: &str| serde_json::from_str::<Body>(json).map(|b| b.amount.map(|a| a.0));
        assert_eq!(parse(r#"{"amount":"1000.50"}"#).unwrap().as_deref(), Some("1000.50"));
        assert_eq!(parse(r#"{"amount":1000.50}"#).unwrap().as_deref(), Some("1000.50"));
        assert_eq!(parse(r#"{"amount":1e3}"#).unwrap().as_deref(), Some("1e3"));
        assert_eq!(parse(r#"{"amount":null}"#).unwrap(), None);
        assert_eq!(parse("{}").unwrap(), None);
        for bad in [r#"{"amount":["5"]}"#, r#"{"amount":{}}"#, r#"{"amount":true}"#] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rupees_print_exactly() {
        let print = |paise| serde_json::to_string(&Rupees(paise)).unwrap();
        for (paise, text) in
            [(100_000, "1000"), (100_050, "1000.5"), (1, "0.01"), (0, "0"), (999_999_999_999_999, "9999999999999.99")]
        {
            assert_eq!(print(paise), text);
        }
    }
}
