//! What an account is told of its money beside balances: changes, addresses, leverage.

use serde::{Serialize, Serializer};

use super::{Fee, Raw, Time};
use crate::Number;

/// A change of what an account has.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// As the exchange said it.
    pub info: Raw,
    /// The exchange's name of it.
    pub id: Option<String>,
    /// When.
    #[serde(flatten)]
    pub time: Time,
    /// `in` or `out`.
    pub direction: Option<&'static str>,
    /// Whose.
    pub account: Option<String>,
    /// What it belongs to: a trade, a transfer.
    pub reference_id: Option<String>,
    /// The other side.
    pub reference_account: Option<String>,
    /// `trade`, `fee`, `transfer`, `deposit`, `withdrawal`, or the exchange's own word.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Of what.
    pub currency: Option<String>,
    /// How much, never negative.
    pub amount: Option<Number>,
    /// What the account had before.
    pub before: Option<Number>,
    /// What it had after.
    pub after: Option<Number>,
    /// `ok`, `pending`, `canceled` or `failed`.
    pub status: Option<String>,
    /// What it cost.
    pub fee: Option<Fee>,
}

/// Where a currency can be sent to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct DepositAddress {
    /// As the exchange said it.
    pub info: Raw,
    /// Which currency.
    pub currency: Option<String>,
    /// By which chain.
    pub network: Option<String>,
    /// Where to.
    pub address: Option<String>,
    /// What has to stand beside it.
    pub tag: Option<String>,
}

/// How often its margin a position is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Leverage {
    /// As the exchange said it.
    pub info: Raw,
    /// The market.
    pub symbol: Option<String>,
    /// `cross` or `isolated`.
    pub margin_mode: Option<String>,
    /// Of a position that gains when the price rises.
    pub long_leverage: Option<Number>,
    /// Of one that gains when it falls.
    pub short_leverage: Option<Number>,
}

/// What one side of a contract paid the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PastFunding {
    /// As the exchange said it.
    pub info: Raw,
    /// The market.
    pub symbol: Option<String>,
    /// As a share.
    pub funding_rate: Option<Number>,
    /// When it was paid.
    pub time: Time,
}

impl Serialize for PastFunding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("info", &self.info)?;
        map.serialize_entry("symbol", &self.symbol)?;
        map.serialize_entry("fundingRate", &self.funding_rate)?;
        map.serialize_entry("timestamp", &self.time.0)?;
        map.serialize_entry("datetime", &self.time.iso())?;
        map.end()
    }
}
