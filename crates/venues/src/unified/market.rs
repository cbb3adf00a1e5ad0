//! A market: what is traded for what, and by which rules.

use std::collections::HashMap;

use serde::{Serialize, Serializer};

use super::Raw;
use crate::{ErrorClass, Number, Tiers, VenueError};

/// What is traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MarketKind {
    /// The currency itself, at once.
    Spot,
    /// A contract without an end.
    Swap,
    /// A contract with an end.
    Future,
}

/// Further names of a market that CCXT repeats from the exchange's words, and what the exchange calls them.
const FURTHER_NAMES: [(&str, &str); 2] = [("wsId", "wsname"), ("altname", "altname")];

/// Steps of numbers: amounts are cut to theirs, prices rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Precision {
    /// Of amounts.
    pub amount: Option<Number>,
    /// Of prices.
    pub price: Option<Number>,
    /// Of what is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Number>,
    /// Of the base currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Number>,
    /// Of the quote currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<Number>,
}

/// Least and most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Range {
    /// Least.
    pub min: Option<Number>,
    /// Most.
    pub max: Option<Number>,
}

/// What an order must keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Of the leverage.
    pub leverage: Range,
    /// Most leverage of positions that share the account's margin, where it has a limit of its own.
    pub shared_leverage: Option<Number>,
    /// Of the amount.
    pub amount: Range,
    /// Of the price.
    pub price: Range,
    /// Of price times amount.
    pub cost: Range,
    /// Of the amount of market orders.
    pub market: Option<Range>,
}

impl Serialize for Limits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let Range { min, max } = self.leverage;
        let leverage = serde_json::json!({ "min": min, "max": max, "superMax": self.shared_leverage });
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("leverage", &leverage)?;
        map.serialize_entry("amount", &self.amount)?;
        map.serialize_entry("price", &self.price)?;
        map.serialize_entry("cost", &self.cost)?;
        if let Some(market) = &self.market {
            map.serialize_entry("market", market)?;
        }
        map.end()
    }
}

/// A market of an exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Market {
    /// The exchange's name: `BTCUSDT`.
    pub id: String,
    /// The same in lower case, where the exchange's streams name it so.
    pub lowercase_id: Option<String>,
    /// The name that is the same everywhere: `BTC/USDT`, `BTC/USDT:USDT` for a contract settled in USDT.
    pub symbol: String,
    /// What is traded.
    pub base: String,
    /// What it is paid with.
    pub quote: String,
    /// What a contract is settled in.
    pub settle: Option<String>,
    /// The exchange's name of the base currency.
    pub base_id: String,
    /// The exchange's name of the quote currency.
    pub quote_id: String,
    /// The exchange's name of the settlement currency.
    pub settle_id: Option<String>,
    /// What is traded.
    pub kind: MarketKind,
    /// Whether it can be traded with borrowed money.
    pub margin: Option<bool>,
    /// Whether it is open.
    pub active: Option<bool>,
    /// Whether a contract is settled in the quote currency; none for what is no contract.
    pub linear: Option<bool>,
    /// Fee of the order that comes, as a share of the cost.
    pub taker: Option<Number>,
    /// Fee of the order that is there.
    pub maker: Option<Number>,
    /// How much of the base currency one contract is.
    pub contract_size: Option<Number>,
    /// When a contract ends.
    pub expiry: Option<i64>,
    /// Steps of numbers.
    pub precision: Precision,
    /// What orders must keep to.
    pub limits: Limits,
    /// Whether positions may share the account's margin, and whether they may have their own.
    pub margin_modes: Option<(bool, bool)>,
    /// Whether it is an index, where CCXT says that it is not.
    pub index: Option<bool>,
    /// Whether it is a company's share, where the exchange has any.
    pub stock: Option<bool>,
    /// Since when it is there.
    pub created: Option<i64>,
    /// Whether fees fall with volume, whether they are shares, and which side pays them, if all markets of the
    /// exchange say so alike.
    pub fee_rules: FeeRules,
    /// As the exchange said it.
    pub info: Raw,
}

/// How fees are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FeeRules {
    /// Whether they fall with volume.
    pub tier_based: Option<bool>,
    /// Whether they are shares of the cost.
    pub percentage: Option<bool>,
    /// Which side they are taken from: `get`.
    pub side: Option<&'static str>,
    /// How they fall with volume.
    pub tiers: Option<&'static Tiers>,
}

impl Market {
    /// Whether it is a contract.
    pub const fn contract(&self) -> bool {
        !matches!(self.kind, MarketKind::Spot)
    }
}

impl Serialize for Market {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        let expires = super::Time(self.expiry).iso();
        let sub = self.linear.map(|linear| if linear { "linear" } else { "inverse" });
        let (cross, isolated) = self.margin_modes.unzip();
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("lowercaseId", &self.lowercase_id)?;
        map.serialize_entry("symbol", &self.symbol)?;
        map.serialize_entry("base", &self.base)?;
        map.serialize_entry("quote", &self.quote)?;
        map.serialize_entry("settle", &self.settle)?;
        map.serialize_entry("baseId", &self.base_id)?;
        map.serialize_entry("quoteId", &self.quote_id)?;
        map.serialize_entry("settleId", &self.settle_id)?;
        map.serialize_entry("type", &self.kind)?;
        map.serialize_entry("spot", &(self.kind == MarketKind::Spot))?;
        map.serialize_entry("margin", &self.margin)?;
        map.serialize_entry("swap", &(self.kind == MarketKind::Swap))?;
        map.serialize_entry("future", &(self.kind == MarketKind::Future))?;
        map.serialize_entry("option", &false)?;
        map.serialize_entry("index", &self.index)?;
        map.serialize_entry("active", &self.active)?;
        map.serialize_entry("contract", &self.contract())?;
        map.serialize_entry("linear", &self.linear)?;
        map.serialize_entry("inverse", &self.linear.map(|linear| !linear))?;
        map.serialize_entry("subType", &sub)?;
        map.serialize_entry("taker", &self.taker)?;
        map.serialize_entry("maker", &self.maker)?;
        map.serialize_entry("contractSize", &self.contract_size)?;
        map.serialize_entry("expiry", &self.expiry)?;
        map.serialize_entry("expiryDatetime", &expires)?;
        map.serialize_entry("strike", &None::<Number>)?;
        map.serialize_entry("optionType", &None::<&str>)?;
        map.serialize_entry("precision", &self.precision)?;
        map.serialize_entry("limits", &self.limits)?;
        map.serialize_entry("marginModes", &serde_json::json!({ "cross": cross, "isolated": isolated }))?;
        map.serialize_entry("created", &self.created)?;
        map.serialize_entry("tierBased", &self.fee_rules.tier_based)?;
        map.serialize_entry("percentage", &self.fee_rules.percentage)?;
        map.serialize_entry("feeSide", &self.fee_rules.side)?;
        if let Some(tiers) = self.fee_rules.tiers {
            map.serialize_entry("tiers", tiers)?;
        }
        map.serialize_entry("stock", &self.stock)?;
        for (name, member) in FURTHER_NAMES {
            if let Some(text) = self.info.text_of(member) {
                map.serialize_entry(name, &text)?;
            }
        }
        map.serialize_entry("info", &self.info)?;
        map.end()
    }
}

/// All markets of an exchange, found by either name.
#[derive(Debug, Clone, Default)]
pub struct Markets {
    all: Vec<Market>,
    by_symbol: HashMap<String, usize>,
    by_id: HashMap<String, Vec<usize>>,
    by_alias: HashMap<String, usize>,
}

impl Markets {
    /// Of two markets with one symbol the later counts.
    pub fn new(all: Vec<Market>) -> Self {
        let by_symbol = all.iter().enumerate().map(|(place, market)| (market.symbol.clone(), place)).collect();
        let mut by_id: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, market) in all.iter().enumerate() {
            by_id.entry(market.id.clone()).or_default().push(place);
        }
        Self { all, by_symbol, by_id, by_alias: HashMap::new() }
    }

    /// With a further name for each that has one; by it only [`Self::also_named`] finds them.
    pub(crate) fn with_aliases(mut self, alias: impl Fn(&Market) -> Option<String>) -> Self {
        let places = self.all.iter().enumerate().filter_map(|(place, market)| Some((alias(market)?, place)));
        self.by_alias = places.collect();
        self
    }

    /// The market that goes by this further name.
    pub(crate) fn also_named(&self, alias: &str) -> Option<&Market> {
        self.by_alias.get(alias).and_then(|place| self.all.get(*place))
    }

    /// In the exchange's order.
    pub fn all(&self) -> &[Market] {
        &self.all
    }

    /// The market of this symbol.
    ///
    /// Errors: [`ErrorClass::BadSymbol`].
    pub fn of(&self, symbol: &str) -> Result<&Market, VenueError> {
        let found = self.by_symbol.get(symbol).and_then(|place| self.all.get(*place));
        found.ok_or_else(|| VenueError::new(ErrorClass::BadSymbol, &format!("there is no market {symbol}")))
    }

    /// The exchange's name of a currency that is traded in any of them.
    pub fn currency_id(&self, code: &str) -> Option<&str> {
        self.all.iter().find_map(|market| match market {
            _ if market.base == code => Some(market.base_id.as_str()),
            _ if market.quote == code => Some(market.quote_id.as_str()),
            _ => market.settle_id.as_deref().filter(|_| market.settle.as_deref() == Some(code)),
        })
    }

    /// The market of the exchange's name; the same name may stand for a spot market and for a contract.
    pub fn named(&self, id: &str, contract: bool) -> Option<&Market> {
        let places = self.by_id.get(id)?;
        let mut found = places.iter().filter_map(|place| self.all.get(*place));
        if places.len() == 1 { found.next() } else { found.find(|market| market.contract() == contract) }
    }
}
