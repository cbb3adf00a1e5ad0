//! A trade, of anybody or of the account.

use serde::{Serialize, Serializer};

use super::{Raw, Time};
use crate::Number;

/// Which way an order or a trade goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Takes the base currency and pays with the quote currency.
    Buy,
    /// The other way.
    Sell,
}

impl Side {
    /// Of a word in any case.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            _ if word.eq_ignore_ascii_case("buy") => Some(Self::Buy),
            _ if word.eq_ignore_ascii_case("sell") => Some(Self::Sell),
            _ => None,
        }
    }
}

/// Whether the account's order was there first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TakerOrMaker {
    /// It met an order that was there.
    Taker,
    /// It was there.
    Maker,
}

/// What a trade or an order cost.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Fee {
    /// How much; negative for what is paid back.
    pub cost: Option<Number>,
    /// In which currency.
    pub currency: Option<String>,
    /// That as a share of the cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Number>,
}

/// One exchange of base for quote currency.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trade {
    /// As the exchange said it.
    pub info: Raw,
    /// When.
    pub time: Time,
    /// When, as the exchange wrote it, if that says more than milliseconds do.
    pub datetime: Option<String>,
    /// The market: `BTC/USDT`.
    pub symbol: Option<String>,
    /// The exchange's name of it.
    pub id: Option<String>,
    /// The account's order that it filled.
    pub order: Option<String>,
    /// The same, of a trade that an order only names.
    pub of_order: Option<String>,
    /// That order's type: `limit`.
    pub order_type: Option<String>,
    /// Which way the taker went, or the account.
    pub side: Option<Side>,
    /// Which the account was.
    pub taker_or_maker: Option<TakerOrMaker>,
    /// In the quote currency.
    pub price: Option<Number>,
    /// In the base currency, or in contracts.
    pub amount: Option<Number>,
    /// In the quote currency.
    pub cost: Option<Number>,
    /// What it cost, if there is one fee.
    pub fee: Option<Fee>,
    /// All it cost.
    pub fees: Vec<Fee>,
}

impl Trade {
    /// The trade with what follows from the rest: its cost, and its one fee in both places.
    pub(crate) fn completed(mut self, market: Option<&super::Market>) -> Self {
        let size = market.and_then(|market| market.contract_size);
        let inverse = market.is_some_and(|market| market.linear == Some(false));
        self.cost = self.cost.or_else(|| {
            let price = if inverse { Number::from(1).over(self.price?)? } else { self.price? };
            price.times(size.unwrap_or(1.into()))?.times(self.amount?)
        });
        if let Some(fee) = &self.fee
            && fee.cost.is_some()
            && self.fees.is_empty()
        {
            self.fees.push(fee.clone());
        }
        self.fee.get_or_insert_default();
        self
    }
}

impl Serialize for Trade {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("info", &self.info)?;
        self.time.entries(self.datetime.as_deref(), &mut map)?;
        map.serialize_entry("symbol", &self.symbol)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("order", &self.order)?;
        if let Some(order) = &self.of_order {
            map.serialize_entry("orderId", order)?;
        }
        map.serialize_entry("type", &self.order_type)?;
        map.serialize_entry("side", &self.side)?;
        map.serialize_entry("takerOrMaker", &self.taker_or_maker)?;
        map.serialize_entry("price", &self.price)?;
        map.serialize_entry("amount", &self.amount)?;
        map.serialize_entry("cost", &self.cost)?;
        map.serialize_entry("fee", &self.fee)?;
        // streams that say one fee say no list of them
        let one = self.fee.as_ref().is_some_and(|fee| fee.cost.is_some());
        if !self.fees.is_empty() || !one {
            map.serialize_entry("fees", &self.fees)?;
        }
        map.end()
    }
}
