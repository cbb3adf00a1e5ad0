//! What trading and holding costs.

use serde::{Serialize, Serializer};

use super::{Raw, Time};
use crate::Number;

/// The account's fees in a market.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TradingFee {
    /// As the exchange said it.
    pub info: Raw,
    /// The market.
    pub symbol: Option<String>,
    /// Of orders that are there, as a share of the cost.
    pub maker: Option<Number>,
    /// Of orders that meet one.
    pub taker: Option<Number>,
    /// Whether they are shares.
    pub percentage: Option<bool>,
    /// Whether they fall with volume.
    pub tier_based: Option<bool>,
}

/// What one side of a contract pays the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FundingRate {
    /// As the exchange said it.
    pub info: Raw,
    /// The market.
    pub symbol: Option<String>,
    /// What positions are valued at.
    pub mark_price: Option<Number>,
    /// What the index says.
    pub index_price: Option<Number>,
    /// The part that is interest.
    pub interest_rate: Option<Number>,
    /// What a contract with an end would be settled at.
    pub estimated_settle_price: Option<Number>,
    /// When the exchange said it.
    pub time: Time,
    /// What is paid next, as a share.
    pub funding_rate: Option<Number>,
    /// When it is paid.
    pub funding: Time,
    /// What is paid after it.
    pub next_funding_rate: Option<Number>,
    /// When that is paid.
    pub next_funding: Time,
    /// What was paid last.
    pub previous_funding_rate: Option<Number>,
    /// When that was paid.
    pub previous_funding: Time,
    /// How far apart payments are: `8h`.
    pub interval: Option<String>,
}

impl Serialize for FundingRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("info", &self.info)?;
        map.serialize_entry("symbol", &self.symbol)?;
        map.serialize_entry("markPrice", &self.mark_price)?;
        map.serialize_entry("indexPrice", &self.index_price)?;
        map.serialize_entry("interestRate", &self.interest_rate)?;
        map.serialize_entry("estimatedSettlePrice", &self.estimated_settle_price)?;
        map.serialize_entry("timestamp", &self.time.0)?;
        map.serialize_entry("datetime", &self.time.iso())?;
        map.serialize_entry("fundingRate", &self.funding_rate)?;
        map.serialize_entry("fundingTimestamp", &self.funding.0)?;
        map.serialize_entry("fundingDatetime", &self.funding.iso())?;
        map.serialize_entry("nextFundingRate", &self.next_funding_rate)?;
        map.serialize_entry("nextFundingTimestamp", &self.next_funding.0)?;
        map.serialize_entry("nextFundingDatetime", &self.next_funding.iso())?;
        map.serialize_entry("previousFundingRate", &self.previous_funding_rate)?;
        map.serialize_entry("previousFundingTimestamp", &self.previous_funding.0)?;
        map.serialize_entry("previousFundingDatetime", &self.previous_funding.iso())?;
        map.serialize_entry("interval", &self.interval)?;
        map.end()
    }
}
