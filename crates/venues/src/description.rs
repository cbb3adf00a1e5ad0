//! What is known of an exchange as data: its name, and the codes and words of its errors.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{ErrorClass, Number};

/// What CCXT's `describe()` of an exchange says, as far as it is used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// The name in lower case that stands in configuration and channels: `okx`.
    pub id: String,
    /// The name as the exchange writes it: `OKX`.
    pub name: String,
    /// Errors by code and by words.
    pub exceptions: Exceptions,
    /// Errors by HTTP status, for answers that say nothing themselves.
    pub http_exceptions: BTreeMap<u16, ErrorClass>,
    /// Fees of those who have no discount.
    pub fees: Fees,
    /// What there is, by CCXT's names of methods: `true`, `false`, `null`, or `"emulated"`.
    has: BTreeMap<String, serde_json::Value>,
    /// Lengths of candles, by CCXT's names: `1m`; the values are the exchange's own names.
    #[serde(default)]
    pub timeframes: BTreeMap<String, serde_json::Value>,
    /// Currencies that the exchange names otherwise than the rest of the world.
    common_currencies: BTreeMap<String, String>,
}

impl Description {
    /// Whether CCXT has this method of the exchange.
    pub fn has(&self, method: &str) -> bool {
        self.has.get(method).is_some_and(|has| !has.is_null() && *has != serde_json::Value::Bool(false))
    }

    /// CCXT's names of methods and of kinds of markets, those that it does not have among them.
    pub fn methods(&self) -> impl Iterator<Item = &str> {
        self.has.keys().map(String::as_str)
    }

    /// The common name of a currency that the exchange names `id`.
    pub fn currency(&self, id: &str) -> String {
        let upper = id.to_uppercase();
        self.common_currencies.get(&upper).cloned().unwrap_or(upper)
    }
}

/// Fees of an exchange and of its parts.
#[derive(Debug, Default, Deserialize)]
pub struct Fees {
    /// Of trades.
    pub trading: TradingFees,
    #[serde(flatten)]
    parts: BTreeMap<String, PartFees>,
}

/// Fees of a part, which some exchanges say under a name of their own and some at once.
#[derive(Debug, Default, Deserialize)]
struct PartFees {
    trading: Option<TradingFees>,
    #[serde(flatten)]
    at_once: TradingFees,
}

/// Fees of trades.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TradingFees {
    /// Whether they fall with volume.
    pub tier_based: Option<bool>,
    /// Whether they are shares of the cost.
    pub percentage: Option<bool>,
    /// Which side they are taken from: `get`.
    pub fee_side: Option<String>,
    /// Of orders that meet one that is there.
    pub taker: Option<Number>,
    /// Of orders that are there.
    pub maker: Option<Number>,
    /// How they fall with volume.
    pub tiers: Option<Tiers>,
}

/// Fees by the volume they begin at.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Tiers {
    /// Of orders that meet one that is there.
    pub taker: Vec<(Number, Number)>,
    /// Of orders that are there.
    pub maker: Vec<(Number, Number)>,
}

impl Fees {
    /// Of a part of the exchange, or of the whole.
    pub fn of(&self, part: Option<&str>) -> &TradingFees {
        let of_part = part.and_then(|part| self.parts.get(part)).and_then(|part| {
            let at_once = Some(&part.at_once).filter(|fees| fees.taker.is_some());
            part.trading.as_ref().or(at_once)
        });
        of_part.unwrap_or(&self.trading)
    }
}

/// Errors by the exchange's own codes and words.
#[derive(Debug, Deserialize)]
pub struct Exceptions {
    /// What holds everywhere.
    #[serde(flatten)]
    pub everywhere: Table,
    /// What holds in one part of the exchange (`spot`, `linear`) and goes before the rest.
    #[serde(flatten)]
    pub parts: BTreeMap<String, Table>,
}

/// Two ways to know an error.
#[derive(Debug, Default, Deserialize)]
pub struct Table {
    /// By a whole code or message.
    #[serde(default)]
    exact: BTreeMap<String, ErrorClass>,
    /// By words in a message; the first that is found counts.
    #[serde(default)]
    broad: Ordered,
}

impl Table {
    /// The class of this code or message.
    pub fn exact(&self, code: Option<&str>) -> Option<ErrorClass> {
        self.exact.get(code?).copied()
    }

    /// The class of the first words of the table that stand in this text.
    pub fn broad(&self, text: Option<&str>) -> Option<ErrorClass> {
        let text = text?;
        self.broad.0.iter().find(|(words, _)| text.contains(words.as_str())).map(|(_, class)| *class)
    }
}

/// A map in the order of its text.
#[derive(Debug, Default)]
struct Ordered(Vec<(String, ErrorClass)>);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Ordered;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("classes of error by words")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_its_own_fees() {
        let text = r#"{"trading":{"taker":3},"a":{"trading":{"taker":2}},"b":{"taker":1},"c":{"withdraw":{}}}"#;
        let fees: Fees = serde_json::from_str(text).unwrap();
        let taker = |part| fees.of(part).taker.map(|taker| taker.to_string());
        let all = [None, Some("a"), Some("b"), Some("c")].map(|part| taker(part).unwrap());
        assert_eq!(all, ["3", "2", "1", "3"]);
    }
}
