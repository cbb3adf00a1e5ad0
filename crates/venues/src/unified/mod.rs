//! What every exchange's answers become: CCXT's structures, named and shaped as its manual has them.

mod account;
mod balance;
mod candle;
mod liquidation;
mod market;
mod order;
mod order_book;
mod position;
mod rates;
mod ticker;
mod time;
mod trade;
mod transfer;

pub use account::{DepositAddress, LedgerEntry, Leverage, PastFunding};
pub use balance::{Balance, Balances};
pub use candle::Candle;
pub use liquidation::Liquidation;
pub use market::{FeeRules, Limits, Market, MarketKind, Markets, Precision, Range};
pub use order::{Order, OrderStatus};
pub use order_book::OrderBook;
pub(crate) use order_book::{levels, marks};
pub use position::Position;
pub use rates::{FundingRate, TradingFee};
pub use ticker::Ticker;
pub use time::Time;
pub use trade::{Fee, Side, TakerOrMaker, Trade};
pub use transfer::Transfer;

use serde::{Serialize, Serializer};

use crate::json::Access as _;

/// The exchange's own words, as they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Raw(Box<str>);

impl Raw {
    /// Of a part of an answer.
    pub fn of(value: &crate::json::Json<'_>) -> Self {
        Self(crate::json::text(value).into())
    }

    /// An object of one member.
    pub(crate) fn member(name: &str, text: &str) -> Self {
        Self("{}".into()).with(name, text)
    }

    /// With one more member, if it is an object.
    pub(crate) fn with(self, name: &str, text: &str) -> Self {
        let member = format!("{}:{}", serde_json::Value::from(name), serde_json::Value::from(text));
        match self.0.strip_suffix('}') {
            Some("{") => Self(format!("{{{member}}}").into()),
            Some(rest) => Self(format!("{rest},{member}}}").into()),
            None => self,
        }
    }

    /// With one more element at the end, if it is a list.
    pub(crate) fn with_element(self, text: &str) -> Self {
        let element = serde_json::Value::from(text);
        match self.0.strip_suffix(']') {
            Some("[") => Self(format!("[{element}]").into()),
            Some(rest) => Self(format!("{rest},{element}]").into()),
            None => self,
        }
    }

    /// The text of a member, if it is an object that has it.
    pub(crate) fn text_of(&self, name: &str) -> Option<String> {
        // most are told apart without reading them
        let read = self.0.contains(name).then(|| crate::json::parse(&self.0))?;
        read.as_ref().string_of(&[name])
    }

    /// JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for Raw {
    /// Nothing said is `null`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_empty() {
            return serializer.serialize_none();
        }
        let raw: &serde_json::value::RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_added_to_objects_only() {
        let raw = |text| Raw::of(&crate::json::parse(text).unwrap()).with("c", "\"x").0;
        assert_eq!(&*raw(r#"{"a": 1}"#), r#"{"a":1,"c":"\"x"}"#);
        assert_eq!(&*raw("{}"), r#"{"c":"\"x"}"#);
        assert_eq!(&*raw("[1]"), "[1]");
    }

    #[test]
    fn an_element_is_added_to_lists_only() {
        let raw = |text| Raw::of(&crate::json::parse(text).unwrap()).with_element("x").0;
        assert_eq!(&*raw("[1]"), r#"[1,"x"]"#);
        assert_eq!(&*raw("[]"), r#"["x"]"#);
        assert_eq!(&*raw("{}"), "{}");
    }

    #[test]
    fn a_member_is_read() {
        let raw = Raw::of(&crate::json::parse(r#"{"a":"x","b":{"c":"y"}}"#).unwrap());
        assert_eq!((raw.text_of("a").as_deref(), raw.text_of("c"), raw.text_of("d")), (Some("x"), None, None));
        assert_eq!(Raw::default().text_of("a"), None);
    }
}
