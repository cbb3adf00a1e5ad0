//! Where in the exchange a question goes: its parts have paths of their own, and contracts one for each currency they
//! are settled in.

use crate::exchange::Result;
use crate::query::Query;
use crate::unified::{Market, MarketKind};
use crate::{ErrorClass, Fields, Venue, VenueError};

/// A part of the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Spot,
    Swap,
    Future,
}

/// Where a question goes, and what else was asked with it.
pub(super) struct Scope<'m> {
    pub part: Part,
    /// The market, if one was asked for.
    pub market: Option<&'m Market>,
    /// The parameters that do not say where.
    pub params: Fields,
    settle: String,
}

impl Part {
    pub(super) const fn of(market: &Market) -> Self {
        match market.kind {
            MarketKind::Spot => Self::Spot,
            MarketKind::Swap => Self::Swap,
            MarketKind::Future => Self::Future,
        }
    }

    fn named(word: &str) -> Option<Self> {
        Some(match word {
            "spot" | "margin" => Self::Spot,
            "swap" => Self::Swap,
            "future" => Self::Future,
            _ => return None,
        })
    }

    const fn root(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Swap => "futures",
            Self::Future => "delivery",
        }
    }
}

impl<'m> Scope<'m> {
    /// Where the parameters say, else where the market is, else the spot market.
    ///
    /// Errors: [`ErrorClass::NotSupported`] for a part that is not known.
    pub(super) fn new(q: &Query<'_>, market: Option<&'m Market>) -> Result<Self> {
        let part = match q.params.text(&["defaultType", "type"]) {
            Some(word) => Part::named(word)
                .ok_or_else(|| q.error(ErrorClass::NotSupported, &format!("knows no markets of type {word:?}")))?,
            None => market.map_or(Part::Spot, Part::of),
        };
        Ok(Self::within(part, market, q.params.clone().without(&["defaultType", "type"])))
    }

    /// In this part, whatever the market's is.
    pub(super) fn within(part: Part, market: Option<&'m Market>, params: Fields) -> Self {
        if part == Part::Spot {
            return Self { part, market, params, settle: String::new() };
        }
        let of_market = market.and_then(|market| market.settle_id.as_deref());
        let usual = if part == Part::Future { "btc" } else { "usdt" };
        let settle = params.text(&["settle"]).or(of_market).unwrap_or(usual).to_lowercase();
        Self { part, market, settle, params: params.without(&["settle"]) }
    }

    /// The path of what is asked for.
    pub(super) fn path(&self, rest: &str) -> String {
        let root = self.part.root();
        if self.settle.is_empty() { format!("{root}/{rest}") } else { format!("{root}/{}/{rest}", self.settle) }
    }

    /// The market, if there is one, as the part names it.
    pub(super) fn fields(&self) -> Fields {
        match self.market {
            Some(market) => named(market),
            None => Fields::new(),
        }
    }
}

/// A market as its part of the exchange names it.
pub(super) fn named(market: &Market) -> Fields {
    Fields::new().with(if market.contract() { "contract" } else { "currency_pair" }, market.id.as_str())
}

/// Whose money of the spot market is meant, and the parameters that do not say so. Orders that wait know fewer.
///
/// Errors: [`ErrorClass::BadRequest`] for orders that wait with the margin of the whole account.
pub(super) fn account(waits: bool, params: Fields) -> Result<(String, Fields)> {
    let unified = params.flag("unifiedAccount");
    let mode = params.text(&["marginMode", "account"]).unwrap_or("spot").to_lowercase();
    let mode = match mode.as_str() {
        "cross" | "cross_margin" if waits => {
            let message = "gate orders that wait have no shared margin";
            return Err(VenueError::new(ErrorClass::BadRequest, message));
        }
        _ if unified => "unified",
        "cross" => "cross_margin",
        "isolated" => "margin",
        "spot" if waits => "normal",
        other => other,
    };
    Ok((mode.to_owned(), params.without(&["marginMode", "account", "unifiedAccount"])))
}

/// The exchange's word for a part, where money is moved or an order is changed.
pub(super) fn wallet(word: &str) -> Option<&'static str> {
    Some(match word.to_lowercase().as_str() {
        "spot" | "funding" => "spot",
        "margin" | "isolated" => "margin",
        "cross" | "cross_margin" => "cross_margin",
        "swap" | "futures" => "futures",
        "future" | "delivery" => "delivery",
        "option" | "options" => "options",
        _ => return None,
    })
}

/// The common name of a currency.
pub(super) fn currency(id: &str) -> String {
    Venue::Gate.description().currency(id)
}
